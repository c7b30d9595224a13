//! The public key of a log.
//!
//! Border: one key and the names that follow from it. Where it comes from, and
//! whether it is trusted, is the caller's affair.

use entry::KeyError;
use entry::keys::x509::PublicKey;
use sha2::{Digest as _, Sha256};

/// A log's public key: ECDSA on P-224, P-256, P-384 or P-521, RSA (PKCS #1 v1.5) or Ed25519.
#[derive(Debug)]
pub struct LogKey {
    key: PublicKey,
    log_id: String,
    key_hash: [u8; 4],
}

impl LogKey {
    /// Reads a PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`KeyError`] for anything else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        PublicKey::from_pem(pem).map(Self::new)
    }

    fn new(key: PublicKey) -> Self {
        let digest: [u8; 32] = Sha256::digest(key.spki_der()).into();
        let [a, b, c, d, ..] = digest;
        Self { key, log_id: hex::encode(digest), key_hash: [a, b, c, d] }
    }

    /// The log ID: lower-case hex SHA-256 of the DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// The hash in a checkpoint's signature line: the first four bytes of the log
    /// ID (Rekor's rule, not that of C2SP signed-note).
    #[must_use]
    pub fn key_hash(&self) -> [u8; 4] {
        self.key_hash
    }

    /// The key as PEM with a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.key.to_pem()
    }

    /// Checks a signature of the log over a message: SHA-256 for RSA and ECDSA,
    /// pure Ed25519.
    ///
    /// # Errors
    /// [`KeyError`] that says what failed.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        self.key.verify(message, signature)
    }
}
