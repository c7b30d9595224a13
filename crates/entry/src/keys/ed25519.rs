//! Ed25519 and Ed25519ph verification (RFC 8032).
//!
//! Lives here: the verification equation as Go's `crypto/ed25519` has it: cofactorless, S must be reduced, no check for
//! small order. Not here: how keys and signatures are packed.

use super::KeyError;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use sha2::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update, typenum::U64};

/// Length of a public key in bytes.
pub const KEY_LEN: usize = 32;
/// Length of a signature in bytes.
pub const SIGNATURE_LEN: usize = 64;

/// An Ed25519 public key. The bytes are kept as given: a key that encodes no point parses and then verifies nothing.
#[derive(Debug, Clone)]
pub struct Ed25519Key {
    bytes: [u8; KEY_LEN],
    point: Option<VerifyingKey>,
}

impl Ed25519Key {
    /// Takes the encoded key.
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Ed25519Key { bytes, point: VerifyingKey::from_bytes(&bytes).ok() }
    }

    /// The encoded key.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.bytes
    }

    /// Verifies a pure Ed25519 signature over `message`.
    ///
    /// # Errors
    /// [`KeyError::Ed25519`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let signature = Signature::from_slice(signature).map_err(|_| KeyError::Ed25519)?;
        let point = self.point.as_ref().ok_or(KeyError::Ed25519)?;
        point.verify(message, &signature).map_err(|_| KeyError::Ed25519)
    }

    /// Verifies an Ed25519ph signature with empty context, given the SHA-512 of the message.
    ///
    /// # Errors
    /// [`KeyError::Ed25519Prehash`], or [`KeyError::Ed25519PrehashLength`].
    pub fn verify_prehash(&self, sha512: &[u8; 64], signature: &[u8]) -> Result<(), KeyError> {
        let length = signature.len();
        let signature =
            Signature::from_slice(signature).map_err(|_| KeyError::Ed25519PrehashLength(length))?;
        let point = self.point.as_ref().ok_or(KeyError::Ed25519Prehash)?;
        point
            .verify_prehashed(Prehashed(*sha512), None, &signature)
            .map_err(|_| KeyError::Ed25519Prehash)
    }
}

/// A finished SHA-512 that poses as a running one, because the verifier asks for a hasher.
struct Prehashed([u8; 64]);

impl Default for Prehashed {
    fn default() -> Self {
        Prehashed([0; 64])
    }
}

impl HashMarker for Prehashed {}

impl OutputSizeUser for Prehashed {
    type OutputSize = U64;
}

impl Update for Prehashed {
    /// Nothing may be added to a finished digest; the verifier only finalises.
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for Prehashed {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};
    use sha2::{Digest as _, Sha512};

    fn signer() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn key() -> Ed25519Key {
        Ed25519Key::new(signer().verifying_key().to_bytes())
    }

    #[test]
    fn pure_signatures_bind_message_and_key() {
        let signature = signer().sign(b"m").to_bytes();
        key().verify(b"m", &signature).unwrap();
        assert_eq!(key().verify(b"n", &signature), Err(KeyError::Ed25519));
        assert_eq!(key().verify(b"m", &signature[..63]), Err(KeyError::Ed25519));
        let other = Ed25519Key::new(SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes());
        assert_eq!(other.verify(b"m", &signature), Err(KeyError::Ed25519));
    }

    #[test]
    fn prehashed_signatures_are_checked_against_the_given_digest() {
        let digest: [u8; 64] = Sha512::digest(b"m").into();
        let signature = signer().sign_prehashed(Prehashed(digest), None).unwrap().to_bytes();
        assert_eq!(
            signature,
            signer().sign_prehashed(Sha512::new_with_prefix(b"m"), None).unwrap().to_bytes()
        );
        key().verify_prehash(&digest, &signature).unwrap();
        assert_eq!(key().verify_prehash(&[0; 64], &signature), Err(KeyError::Ed25519Prehash));
        let pure = signer().sign(b"m").to_bytes();
        assert_eq!(key().verify_prehash(&digest, &pure), Err(KeyError::Ed25519Prehash));
        assert_eq!(key().verify_prehash(&digest, b"x"), Err(KeyError::Ed25519PrehashLength(1)));
    }

    #[test]
    fn unreduced_scalars_are_refused() {
        let order: [u8; 32] = {
            let mut l = [0u8; 32];
            l[..16].copy_from_slice(&0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3ed_u128.to_le_bytes());
            l[31] = 0x10;
            l
        };
        let mut signature = signer().sign(b"m").to_bytes();
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert_eq!(key().verify(b"m", &signature), Err(KeyError::Ed25519));
    }

    #[test]
    fn a_key_that_is_no_point_verifies_nothing() {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        let key = Ed25519Key::new(bytes);
        assert!(key.point.is_none());
        assert_eq!(key.verify(b"m", &[0; 64]), Err(KeyError::Ed25519));
    }
}
