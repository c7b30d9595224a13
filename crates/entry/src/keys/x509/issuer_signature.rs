//! The signature of an issuer over a certificate (RFC 5280 section 4.1.1.2, RFC 4055, RFC 5758, RFC 8410).
//!
//! Border: which algorithms count and how they are named. SHA-1 and older do not: who can make collisions could put
//! another name into a certificate.

use der::asn1::AnyRef;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::super::identifiers::{
    ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, ED25519, PssParameters, RSA_PSS, RSA_SHA256,
    RSA_SHA384, RSA_SHA512,
};
use super::super::{DigestAlgorithm, KeyError};
use super::public_key::PublicKey;

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
                let digest = algorithm.digest(&self.signed);
                rsa.verify_pss_with_salt(algorithm, &digest, algorithm.size(), &self.signature)
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
            RSA_SHA256 => Some(Self::Pkcs1(DigestAlgorithm::Sha256)),
            RSA_SHA384 => Some(Self::Pkcs1(DigestAlgorithm::Sha384)),
            RSA_SHA512 => Some(Self::Pkcs1(DigestAlgorithm::Sha512)),
            RSA_PSS => pss_digest(algorithm.parameters?).map(Self::Pss),
            ECDSA_SHA256 => Some(Self::Ecdsa(DigestAlgorithm::Sha256)),
            ECDSA_SHA384 => Some(Self::Ecdsa(DigestAlgorithm::Sha384)),
            ECDSA_SHA512 => Some(Self::Ecdsa(DigestAlgorithm::Sha512)),
            ED25519 if algorithm.parameters.is_none() => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// The digest of PSS parameters (RFC 4055 section 3.1), whose salt must be as long.
fn pss_digest(parameters: AnyRef<'_>) -> Option<DigestAlgorithm> {
    let PssParameters { digest, salt } = PssParameters::read(parameters).ok()?;
    let counts = matches!(
        digest,
        DigestAlgorithm::Sha256 | DigestAlgorithm::Sha384 | DigestAlgorithm::Sha512
    );
    (counts && salt == digest.size()).then_some(digest)
}
