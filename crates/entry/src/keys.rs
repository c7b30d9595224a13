//! Key formats: what a signer submits as key and signature, read as the reference server reads it.
//!
//! Lives here: one file per format (parse, canonical bytes, names to index, verification) and the primitives under them.
//! Not here: entry kinds, policy about which algorithms are welcome, the clock.
//!
//! Everything takes bytes from strangers: no parser panics, recurses without a bound, or allocates by a claimed length.

pub(crate) mod cms;
mod dsa;
pub mod ecdsa;
pub mod ed25519;
mod email;
mod identifiers;
pub(crate) mod message;
pub mod minisign;
mod modular;
pub mod pgp;
pub mod pkcs7;
pub mod rsa;
pub mod ssh;
pub mod tuf;
pub mod x509;

mod error;

use std::fmt;
use std::str::FromStr;

pub use error::KeyError;

/// How a key and its signature are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// OpenPGP (RFC 9580).
    Pgp,
    /// minisign and signify.
    Minisign,
    /// OpenSSH `authorized_keys` lines and `SSHSIG` signatures.
    Ssh,
    /// PEM public keys, certificates and chains.
    X509,
    /// PKCS#7 signed data (RFC 2315).
    Pkcs7,
    /// The Update Framework's root documents.
    Tuf,
}

impl KeyFormat {
    /// Every format, in the order of declaration.
    pub const ALL: [KeyFormat; 6] = [
        KeyFormat::Pgp,
        KeyFormat::Minisign,
        KeyFormat::Ssh,
        KeyFormat::X509,
        KeyFormat::Pkcs7,
        KeyFormat::Tuf,
    ];

    /// The name in the API: lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyFormat::Pgp => "pgp",
            KeyFormat::Minisign => "minisign",
            KeyFormat::Ssh => "ssh",
            KeyFormat::X509 => "x509",
            KeyFormat::Pkcs7 => "pkcs7",
            KeyFormat::Tuf => "tuf",
        }
    }
}

impl fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is no key format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown key format {0:?}")]
pub struct UnknownKeyFormat(pub String);

impl FromStr for KeyFormat {
    type Err = UnknownKeyFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|f| f.as_str() == name)
            .ok_or_else(|| UnknownKeyFormat(name.to_owned()))
    }
}

/// A digest that signatures are made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestAlgorithm {
    /// MD5, 16 bytes: only in signed data (CMS), as in Rekor.
    Md5,
    /// SHA-1, 20 bytes: only for formats that offer nothing better.
    Sha1,
    /// SHA-224, 28 bytes.
    Sha224,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    /// Bytes of a digest.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            DigestAlgorithm::Md5 => 16,
            DigestAlgorithm::Sha1 => 20,
            DigestAlgorithm::Sha224 => 28,
            DigestAlgorithm::Sha256 => 32,
            DigestAlgorithm::Sha384 => 48,
            DigestAlgorithm::Sha512 => 64,
        }
    }

    /// Hashes a message.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        use sha2::Digest as _;
        match self {
            DigestAlgorithm::Md5 => md5::Md5::digest(message).to_vec(),
            DigestAlgorithm::Sha1 => sha1::Sha1::digest(message).to_vec(),
            DigestAlgorithm::Sha224 => sha2::Sha224::digest(message).to_vec(),
            DigestAlgorithm::Sha256 => sha2::Sha256::digest(message).to_vec(),
            DigestAlgorithm::Sha384 => sha2::Sha384::digest(message).to_vec(),
            DigestAlgorithm::Sha512 => sha2::Sha512::digest(message).to_vec(),
        }
    }
}

/// The name as error texts write it, for example `SHA-256`.
impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DigestAlgorithm::Md5 => "MD5",
            DigestAlgorithm::Sha1 => "SHA-1",
            DigestAlgorithm::Sha224 => "SHA-224",
            DigestAlgorithm::Sha256 => "SHA-256",
            DigestAlgorithm::Sha384 => "SHA-384",
            DigestAlgorithm::Sha512 => "SHA-512",
        })
    }
}

/// The signature bytes that an entry stores, which are not always the bytes that were submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalSignature(pub Vec<u8>);

/// A key of any format, able to check a signature of the same format over an artifact.
pub trait EvidenceKey: Send + Sync + fmt::Debug {
    /// The key as entries store it; its SHA-256 is what a search by key looks for.
    fn canonical(&self) -> &[u8];

    /// The names the key speaks for, as they are indexed: e-mail addresses, SANs. Empty for a bare key.
    fn subjects(&self) -> Vec<String>;

    /// Checks `signature`, as submitted, over `artifact` and returns the signature as entries store it.
    ///
    /// # Errors
    /// A [`KeyError`] that says what is wrong with the signature, or with the key where that shows only in use.
    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError>;

    /// The fingerprints by which people know the key; at least one.
    fn fingerprints(&self) -> Vec<String>;
}

/// Reads a key of the given format.
///
/// # Errors
/// A [`KeyError`] when the bytes are no such key.
pub fn parse_key(format: KeyFormat, content: &[u8]) -> Result<Box<dyn EvidenceKey>, KeyError> {
    match format {
        KeyFormat::X509 => Ok(Box::new(x509::X509Verifier::parse(content)?)),
        KeyFormat::Minisign => Ok(Box::new(minisign::MinisignKey::parse(content)?)),
        KeyFormat::Ssh => Ok(Box::new(ssh::SshKey::parse(content)?)),
        KeyFormat::Pkcs7 => Ok(Box::new(pkcs7::Pkcs7::parse(content)?)),
        // Whether a root has expired matters when it is logged, not when it is looked for.
        KeyFormat::Tuf => Ok(Box::new(tuf::TufRoot::parse(content, i64::MIN)?)),
        KeyFormat::Pgp => Ok(Box::new(pgp::PgpKeyring::parse(content)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_names_round_trip_and_are_lower_case() {
        for format in KeyFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("X509".parse::<KeyFormat>(), Err(UnknownKeyFormat("X509".into())));
    }

    #[test]
    fn digests_have_their_length() {
        for algorithm in [
            DigestAlgorithm::Md5,
            DigestAlgorithm::Sha1,
            DigestAlgorithm::Sha224,
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ] {
            assert_eq!(algorithm.digest(b"x").len(), algorithm.size());
        }
    }
}
