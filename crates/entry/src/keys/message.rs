//! A message that several keys and signatures are tried on.
//!
//! Border: what the tries cost together. Which of them must hold is the affair of who tries.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::KeyError;
use super::ed25519::{Ed25519Key, KEY_LEN, SIGNATURE_LEN};

/// Bytes hashed for the Ed25519 signatures of one message: each of them is over the message itself, so that none can
/// be verified from a digest that is there already.
const MAX_HASHED: usize = 1 << 30;

/// A message with what is known of it.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    sha256: Option<[u8; 32]>,
    /// Bytes that may yet be hashed for Ed25519.
    left: usize,
    /// Ed25519 keys and signatures that were tried, and whether they held.
    tried: BTreeMap<([u8; KEY_LEN], [u8; SIGNATURE_LEN]), bool>,
}

impl<'a> Message<'a> {
    /// Nothing tried yet.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self::with_limit(bytes, MAX_HASHED)
    }

    /// As [`new`](Self::new), with another bound on the bytes that Ed25519 hashes.
    pub(crate) fn with_limit(bytes: &'a [u8], left: usize) -> Self {
        Self { bytes, sha256: None, left, tried: BTreeMap::new() }
    }

    /// The message's SHA-256, computed once.
    pub(crate) fn sha256(&mut self) -> &[u8; 32] {
        self.sha256.get_or_insert_with(|| Sha256::digest(self.bytes).into())
    }

    /// Whether an Ed25519 signature holds. The same key and signature are tried once.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: too much would be hashed.
    pub(crate) fn verifies_ed25519(
        &mut self,
        key: &Ed25519Key,
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        let Ok(signature) = <[u8; SIGNATURE_LEN]>::try_from(signature) else { return Ok(false) };
        let pair = (*key.as_bytes(), signature);
        if let Some(held) = self.tried.get(&pair) {
            return Ok(*held);
        }
        self.left = self.left.checked_sub(self.bytes.len()).ok_or_else(|| {
            KeyError::invalid(format!(
                "trying so many Ed25519 signatures on {} bytes would hash more than 1 GiB",
                self.bytes.len()
            ))
        })?;
        let held = key.verify(self.bytes, &signature).is_ok();
        self.tried.insert(pair, held);
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    fn signer(seed: u8) -> (Ed25519Key, [u8; SIGNATURE_LEN]) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        (Ed25519Key::new(key.verifying_key().to_bytes()), key.sign(b"message").to_bytes())
    }

    #[test]
    fn tries_are_bounded_and_the_same_one_is_free() {
        let ((ann, by_ann), (_, by_bob)) = (signer(1), signer(2));
        let mut message = Message::with_limit(b"message", 2 * b"message".len());
        for _ in 0..3 {
            assert_eq!(message.verifies_ed25519(&ann, &by_ann), Ok(true));
            assert_eq!(message.verifies_ed25519(&ann, &by_bob), Ok(false));
            // Nothing is hashed for what is no signature.
            assert_eq!(message.verifies_ed25519(&ann, &by_ann[1..]), Ok(false));
        }
        let refusal = message.verifies_ed25519(&ann, &[0; SIGNATURE_LEN]).unwrap_err();
        let text = "trying so many Ed25519 signatures on 7 bytes would hash more than 1 GiB";
        assert_eq!(refusal.to_string(), text);
        assert_eq!(message.verifies_ed25519(&ann, &by_ann), Ok(true));
    }

    #[test]
    fn the_digest_is_that_of_the_message() {
        let mut message = Message::new(b"message");
        let digest: [u8; 32] = Sha256::digest(b"message").into();
        assert_eq!((*message.sha256(), *message.sha256()), (digest, digest));
    }
}
