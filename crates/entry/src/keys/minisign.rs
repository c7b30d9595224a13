//! The minisign format: keys and signatures of minisign and of OpenBSD's signify.
//!
//! Border: base64 lines of fixed length, and Ed25519 over the artifact or over its
//! BLAKE2b-512. As in Rekor, key IDs are not compared and the trusted comment is
//! neither verified nor kept: the entry speaks about the artifact only.

use blake2::{Blake2b512, Digest as _};
use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Encode as _, Sequence};

use super::ed25519::{Ed25519Key, KEY_LEN, SIGNATURE_LEN};
use super::{CanonicalSignature, EvidenceKey, KeyError};
use crate::base64;

/// Algorithm, key ID, key.
const PUBLIC_KEY_LEN: usize = ID_LEN + KEY_LEN;
/// Algorithm, key ID, signature.
const SIGNATURE_LINE_LEN: usize = ID_LEN + SIGNATURE_LEN;
/// Algorithm (2 bytes) and key ID (8 bytes).
const ID_LEN: usize = 10;

/// A minisign or signify public key.
#[derive(Debug)]
pub struct MinisignKey {
    key: Ed25519Key,
    canonical: Vec<u8>,
}

impl MinisignKey {
    /// Reads a key file (a comment line and 42 bytes of base64), the bare base64, or
    /// 32 raw bytes.
    ///
    /// # Errors
    /// [`KeyError::Invalid`].
    pub fn parse(content: &[u8]) -> Result<Self, KeyError> {
        let packed = packed_key(content)?;
        let bytes = packed.last_chunk::<KEY_LEN>().ok_or_else(|| unreadable("invalid length"))?;
        Ok(Self { key: Ed25519Key::new(*bytes), canonical: base64::encode(packed).into_bytes() })
    }

    fn spki(&self) -> Vec<u8> {
        #[derive(Sequence)]
        struct Algorithm {
            oid: ObjectIdentifier,
        }
        #[derive(Sequence)]
        struct Spki<'a> {
            algorithm: Algorithm,
            key: BitStringRef<'a>,
        }
        let algorithm = Algorithm { oid: ObjectIdentifier::new_unwrap("1.3.101.112") };
        let spki = BitStringRef::from_bytes(self.key.as_bytes())
            .and_then(|key| Spki { algorithm, key }.to_der());
        // Thirty-two bytes always fit into a bit string.
        spki.unwrap_or_default()
    }
}

/// The 42 bytes of a key.
fn packed_key(content: &[u8]) -> Result<[u8; PUBLIC_KEY_LEN], KeyError> {
    let behind_comment = memchr::memchr(b'\n', content).map(|at| &content[at + 1..]);
    for text in [behind_comment, Some(content)].into_iter().flatten() {
        if let Ok(packed) = base64::decode(text)
            && let Ok(packed) = packed.try_into()
        {
            return Ok(packed);
        }
    }
    let raw: [u8; KEY_LEN] = content
        .try_into()
        .map_err(|_| unreadable("neither 42 bytes of base64 nor 32 raw bytes"))?;
    let mut packed = [0; PUBLIC_KEY_LEN];
    packed[..2].copy_from_slice(b"Ed");
    packed[ID_LEN..].copy_from_slice(&raw);
    Ok(packed)
}

fn unreadable(reason: &str) -> KeyError {
    KeyError::invalid(format!("unable to read minisign public key: {reason}"))
}

/// The line of a signature file that signs the artifact.
struct Signature {
    packed: [u8; SIGNATURE_LINE_LEN],
}

impl Signature {
    /// Reads a minisign file (four lines, two of them base64) or a signify file (two).
    fn parse(content: &[u8]) -> Result<Self, KeyError> {
        if let Some(packed) = minisign_lines(content) {
            return Ok(Self { packed });
        }
        let mut text = content;
        while let [head @ .., b'\n'] = text {
            text = head;
        }
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let [_, line] = lines[..] else { return Err(refused(&format!("{} lines", lines.len()))) };
        let packed = base64::decode(line)
            .map_err(|_| KeyError::invalid("invalid signature provided: base64 decoding failed"))?;
        let size = packed.len();
        let packed = packed.try_into().map_err(|_| refused(&format!("incorrect size {size}")))?;
        Ok(Self { packed })
    }

    fn is_prehashed(&self) -> bool {
        self.packed[1] == b'D'
    }

    fn signature(&self) -> &[u8] {
        &self.packed[ID_LEN..]
    }

    /// The stored form, without a final newline.
    fn canonical(&self) -> CanonicalSignature {
        let text = format!("untrusted comment:\n{}", base64::encode(self.packed));
        CanonicalSignature(text.into_bytes())
    }
}

/// The second line of four, if the fourth is the global signature.
fn minisign_lines(content: &[u8]) -> Option<[u8; SIGNATURE_LINE_LEN]> {
    let mut lines = content.splitn(4, |byte| *byte == b'\n').skip(1);
    let packed = base64::decode(lines.next()?).ok()?.try_into().ok()?;
    let global = base64::decode(lines.nth(1)?).ok()?;
    (global.len() == SIGNATURE_LEN).then_some(packed)
}

fn refused(what: &str) -> KeyError {
    KeyError::invalid(format!("invalid signature provided: {what} detected"))
}

impl EvidenceKey for MinisignKey {
    /// Base64 of algorithm, key ID and key: 56 characters.
    fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    fn subjects(&self) -> Vec<String> {
        Vec::new()
    }

    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError> {
        let signature = Signature::parse(signature)?;
        if signature.is_prehashed() {
            self.key.verify(&Blake2b512::digest(artifact), signature.signature())
        } else {
            self.key.verify(artifact, signature.signature())
        }
        .map_err(|_| KeyError::invalid("invalid minisign signature"))?;
        Ok(signature.canonical())
    }

    /// Hex SHA-256 of the key's SubjectPublicKeyInfo.
    fn fingerprints(&self) -> Vec<String> {
        vec![hex::encode(sha2::Sha256::digest(self.spki()))]
    }
}
