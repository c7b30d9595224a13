//! SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7): reading and verifying.
//!
//! Border: which algorithms are keys at all, the DER that is stored, and the
//! choice of primitive for a signature.

use std::fmt;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode as _, Encode as _};
use sha2::{Digest as _, Sha256};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::super::ecdsa::{Curve, EcdsaKey};
use super::super::ed25519::Ed25519Key;
use super::super::identifiers::{EC, ED25519, RSA};
use super::super::message::Message;
use super::super::rsa::{RsaKey, RsaPublicKey};
use super::super::{DigestAlgorithm, KeyError};
use crate::pem;

/// What kind of key it is, as far as policy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA; the modulus's length in bytes, without leading zeros.
    Rsa {
        /// Bytes of the modulus.
        modulus_bytes: usize,
    },
    /// ECDSA on secp224r1.
    P224,
    /// ECDSA on secp256r1.
    P256,
    /// ECDSA on secp384r1.
    P384,
    /// ECDSA on secp521r1.
    P521,
    /// Ed25519.
    Ed25519,
}

/// As people write it, for example `P-256` or `RSA 2048`.
impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { modulus_bytes } => write!(f, "RSA {}", 8 * modulus_bytes),
            Self::P224 => f.write_str("P-224"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// A public key, parsed once and ready to verify.
#[derive(Debug)]
pub struct PublicKey {
    spki: Vec<u8>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaKey),
    Ecdsa(Box<EcdsaKey>),
    Ed25519(Ed25519Key),
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo: RSA with NULL parameters, ECDSA with a
    /// named curve (P-224, P-256, P-384, P-521) and an uncompressed point, or Ed25519.
    ///
    /// # Errors
    /// A [`KeyError`] for malformed bytes, unknown algorithms and curves,
    /// compressed points.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(malformed)?;
        let bits = spki.subject_public_key.as_bytes();
        let bits = bits.ok_or_else(|| KeyError::x509("the key's bits are no whole bytes"))?;
        let parameters = spki.algorithm.parameters;
        let material = match spki.algorithm.oid {
            RSA => Material::Rsa(read_rsa(parameters, bits)?),
            EC => Material::Ecdsa(Box::new(read_ecdsa(parameters, bits)?)),
            ED25519 => Material::Ed25519(read_ed25519(parameters, bits)?),
            _ => return Err(KeyError::UnsupportedKeyType),
        };
        // DER has one form, so writing the structure again gives the stored one.
        Ok(Self { spki: spki.to_der().map_err(malformed)?, material })
    }

    /// Reads an RSA key as PKCS #1 writes it (RFC 8017 appendix A.1.1).
    ///
    /// # Errors
    /// A [`KeyError`] for malformed bytes.
    pub(crate) fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        let algorithm = AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) };
        let subject_public_key = BitStringRef::from_bytes(der).map_err(malformed)?;
        let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key };
        Self::from_spki_der(&spki.to_der().map_err(malformed)?)
    }

    /// Reads the first PEM block, which must be a `PUBLIC KEY`.
    ///
    /// # Errors
    /// As [`from_spki_der`](Self::from_spki_der), and for text without such a block.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let (block, _) = pem::decode(text.as_ref()).ok_or(KeyError::NoPem)?;
        if block.label != "PUBLIC KEY" {
            return Err(KeyError::WrongLabel(block.label));
        }
        Self::from_spki_der(&block.bytes)
    }

    /// The SubjectPublicKeyInfo as DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The SubjectPublicKeyInfo as PEM with 64 columns and a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }

    /// What kind of key this is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match &self.material {
            Material::Rsa(key) => KeyAlgorithm::Rsa { modulus_bytes: key.modulus().len() },
            Material::Ecdsa(key) => match key.curve() {
                Curve::P224 => KeyAlgorithm::P224,
                Curve::P256 => KeyAlgorithm::P256,
                Curve::P384 => KeyAlgorithm::P384,
                Curve::P521 => KeyAlgorithm::P521,
            },
            Material::Ed25519(_) => KeyAlgorithm::Ed25519,
        }
    }

    /// Verifies a signature over a message: SHA-256 for RSA PKCS #1 v1.5 and for
    /// ECDSA on any curve, pure Ed25519.
    ///
    /// # Errors
    /// A [`KeyError`] that says what failed.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        match &self.material {
            Material::Ed25519(key) => key.verify(message, signature),
            _ => self.verify_digest(DigestAlgorithm::Sha256, &Sha256::digest(message), signature),
        }
    }

    /// Whether a signature over a message holds in the sense of [`verify`](Self::verify), where several are tried on one.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: too much would be hashed.
    pub(crate) fn verifies(
        &self,
        message: &mut Message<'_>,
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        match &self.material {
            Material::Ed25519(key) => message.verifies_ed25519(key, signature),
            _ => {
                let digest = message.sha256();
                Ok(self.verify_digest(DigestAlgorithm::Sha256, digest, signature).is_ok())
            }
        }
    }

    /// Verifies a signature over a finished digest: RSA PKCS #1 v1.5 and ECDSA with
    /// any algorithm, Ed25519ph (empty context) with SHA-512 only.
    ///
    /// # Errors
    /// A [`KeyError`] that says what failed.
    pub fn verify_digest(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        if matches!(self.material, Material::Ed25519(_)) && algorithm != DigestAlgorithm::Sha512 {
            return Err(KeyError::UnsupportedHash { found: algorithm, supported: "SHA-512" });
        }
        if digest.len() != algorithm.size() {
            return Err(KeyError::DigestLength);
        }
        match &self.material {
            Material::Rsa(key) => key.verify_pkcs1(algorithm, digest, signature),
            Material::Ecdsa(key) => key.verify_digest(digest, signature),
            Material::Ed25519(key) => {
                let digest = digest.try_into().map_err(|_| KeyError::DigestLength)?;
                key.verify_prehash(digest, signature)
            }
        }
    }

    /// OpenSSH's fingerprint of the key: `SHA256:` and unpadded base64. OpenSSH has no P-224.
    #[must_use]
    pub fn ssh_fingerprint(&self) -> Option<String> {
        super::super::ssh::fingerprint_of(self)
    }

    /// The RSA key, for formats that need another padding.
    #[must_use]
    pub fn as_rsa(&self) -> Option<&RsaKey> {
        match &self.material {
            Material::Rsa(key) => Some(key),
            _ => None,
        }
    }

    /// The ECDSA key, for formats that need another encoding.
    #[must_use]
    pub fn as_ecdsa(&self) -> Option<&EcdsaKey> {
        match &self.material {
            Material::Ecdsa(key) => Some(key),
            _ => None,
        }
    }

    /// The Ed25519 key.
    #[must_use]
    pub fn as_ed25519(&self) -> Option<&Ed25519Key> {
        match &self.material {
            Material::Ed25519(key) => Some(key),
            _ => None,
        }
    }
}

fn malformed(error: der::Error) -> KeyError {
    KeyError::x509(format!("malformed public key: {error}"))
}

fn read_rsa(parameters: Option<AnyRef<'_>>, bits: &[u8]) -> Result<RsaKey, KeyError> {
    if parameters != Some(AnyRef::NULL) {
        return Err(KeyError::x509("RSA key missing NULL parameters"));
    }
    let key = RsaPublicKey::from_der(bits)
        .map_err(|error| KeyError::x509(format!("invalid RSA public key: {error}")))?;
    if key.modulus.as_bytes() == [0] || key.exponent == 0 {
        return Err(KeyError::x509("RSA modulus or exponent is not a positive number"));
    }
    Ok(RsaKey::new(key.modulus.as_bytes(), key.exponent))
}

fn read_ecdsa(parameters: Option<AnyRef<'_>>, bits: &[u8]) -> Result<EcdsaKey, KeyError> {
    let curve = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let curve = curve.ok_or_else(|| KeyError::x509("invalid ECDSA parameters"))?;
    let curve = Curve::from_oid(&curve);
    let curve = curve.ok_or_else(|| KeyError::x509("unsupported elliptic curve"))?;
    EcdsaKey::from_uncompressed(curve, bits)
}

fn read_ed25519(parameters: Option<AnyRef<'_>>, bits: &[u8]) -> Result<Ed25519Key, KeyError> {
    if parameters.is_some() {
        return Err(KeyError::x509("Ed25519 key encoded with illegal parameters"));
    }
    let bytes = bits.try_into().map_err(|_| KeyError::x509("wrong Ed25519 public key size"))?;
    Ok(Ed25519Key::new(bytes))
}
