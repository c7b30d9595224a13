//! The signature of an issuer over a certificate (RFC 5280 section 4.1.1.2, RFC 4055, RFC 5758, RFC 8410).
//!
//! Border: which algorithms count and how they are named. SHA-1 and older do not: who can make collisions could put
//! another name into a certificate.

use der::Sequence;
use der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::super::{DigestAlgorithm, KeyError};
use super::public_key::PublicKey;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const SHA256_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
const ECDSA_WITH_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
const ED25519: ObjectIdentifier = oid("1.3.101.112");
const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");

/// How an issuer signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Pkcs1(DigestAlgorithm),
    /// MGF1 with the same digest, salt as long as the digest.
    Pss(DigestAlgorithm),
    Ecdsa(DigestAlgorithm),
    Ed25519,
}

/// An issuer's signature with what it is over.
#[derive(Debug)]
pub(super) struct IssuerSignature {
    scheme: Option<Scheme>,
    /// TBSCertificate.
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl IssuerSignature {
    /// Takes the parts of a certificate; an algorithm that does not count shows only when it is verified.
    pub(super) fn new(algorithm: AnyRef<'_>, signed: Vec<u8>, signature: Vec<u8>) -> Self {
        Self { scheme: Scheme::read(algorithm), signed, signature }
    }

    /// Verifies it with the issuer's key; no key is one that cannot verify here.
    ///
    /// # Errors
    /// A [`KeyError`] that says what failed.
    pub(super) fn verify(&self, key: Option<&PublicKey>) -> Result<(), KeyError> {
        let scheme = self
            .scheme
            .ok_or_else(|| KeyError::x509("cannot verify signature: algorithm unimplemented"))?;
        let key = key.ok_or(KeyError::UnsupportedKeyType)?;
        match scheme {
            Scheme::Pkcs1(algorithm) => {
                let rsa = key.as_rsa().ok_or_else(another_key)?;
                rsa.verify_pkcs1(algorithm, &algorithm.digest(&self.signed), &self.signature)
            }
            Scheme::Pss(algorithm) => {
                let rsa = key.as_rsa().ok_or_else(another_key)?;
                rsa.verify_pss(algorithm, &algorithm.digest(&self.signed), &self.signature)
            }
            Scheme::Ecdsa(algorithm) => {
                let ecdsa = key.as_ecdsa().ok_or_else(another_key)?;
                let holds = ecdsa.verify_der(&algorithm.digest(&self.signed), &self.signature);
                if holds { Ok(()) } else { Err(KeyError::x509("ECDSA verification failure")) }
            }
            Scheme::Ed25519 => {
                let ed25519 = key.as_ed25519().ok_or_else(another_key)?;
                ed25519.verify(&self.signed, &self.signature)
            }
        }
    }
}

fn another_key() -> KeyError {
    KeyError::x509("signature algorithm specifies another type of key than the issuer has")
}

impl Scheme {
    fn read(algorithm: AnyRef<'_>) -> Option<Self> {
        let algorithm: AlgorithmIdentifierRef<'_> = algorithm.decode_as().ok()?;
        match algorithm.oid {
            SHA256_WITH_RSA => Some(Self::Pkcs1(DigestAlgorithm::Sha256)),
            SHA384_WITH_RSA => Some(Self::Pkcs1(DigestAlgorithm::Sha384)),
            SHA512_WITH_RSA => Some(Self::Pkcs1(DigestAlgorithm::Sha512)),
            RSA_PSS => pss_digest(algorithm.parameters?).map(Self::Pss),
            ECDSA_WITH_SHA256 => Some(Self::Ecdsa(DigestAlgorithm::Sha256)),
            ECDSA_WITH_SHA384 => Some(Self::Ecdsa(DigestAlgorithm::Sha384)),
            ECDSA_WITH_SHA512 => Some(Self::Ecdsa(DigestAlgorithm::Sha512)),
            ED25519 if algorithm.parameters.is_none() => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// The one digest of PSS parameters (RFC 4055 section 3.1); the defaults are SHA-1.
fn pss_digest(parameters: AnyRef<'_>) -> Option<DigestAlgorithm> {
    #[derive(Sequence)]
    struct Parameters<'a> {
        #[asn1(context_specific = "0")]
        hash: AlgorithmIdentifierRef<'a>,
        #[asn1(context_specific = "1")]
        mask: AlgorithmIdentifierRef<'a>,
        #[asn1(context_specific = "2")]
        salt_length: u32,
        #[asn1(context_specific = "3", default = "one")]
        trailer: u32,
    }
    fn one() -> u32 {
        1
    }
    let digest = |algorithm: &AlgorithmIdentifierRef<'_>| match algorithm.oid {
        SHA256 => Some(DigestAlgorithm::Sha256),
        SHA384 => Some(DigestAlgorithm::Sha384),
        SHA512 => Some(DigestAlgorithm::Sha512),
        _ => None,
    };
    let found: Parameters<'_> = parameters.decode_as().ok()?;
    let hash = digest(&found.hash)?;
    let mask: AlgorithmIdentifierRef<'_> = found.mask.parameters?.decode_as().ok()?;
    let is_plain = found.mask.oid == MGF1
        && digest(&mask) == Some(hash)
        && usize::try_from(found.salt_length) == Ok(hash.size())
        && found.trailer == 1;
    is_plain.then_some(hash)
}
