//! RSA signature verification (RFC 8017).
//!
//! Lives here: PKCS #1 v1.5 and PSS over a digest, with the reference's limits on keys. Not here: how keys are packed.
//!
//! aws-lc verifies moduli of 1024 to 8192 bits (SHA-384 from 2048 bits on); the reference also takes larger ones.

use super::modular::Modulus;
use super::{DigestAlgorithm, KeyError};
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature as aws;
use der::asn1::UintRef;
use der::{Encode as _, Sequence};

/// Smallest modulus in bits that verifies anything.
const MIN_BITS: usize = 1024;
/// Largest modulus in bits: a bound on work.
const MAX_BITS: usize = 8_192;

/// An RSA public key.
#[derive(Debug)]
pub struct RsaKey {
    modulus: Vec<u8>,
    exponent: u64,
    pkcs1: Vec<u8>,
}

impl RsaKey {
    /// Takes the modulus (big-endian, positive) and the public exponent. Their size
    /// and shape are judged when a signature is verified.
    pub fn new(modulus: &[u8], exponent: u64) -> Self {
        let zeros = modulus.iter().take_while(|b| **b == 0).count();
        let modulus = modulus[zeros..].to_vec();
        let pkcs1 = to_pkcs1(&modulus, exponent).unwrap_or_default();
        Self { modulus, exponent, pkcs1 }
    }

    /// The modulus, big-endian without leading zeros.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent.
    pub fn exponent(&self) -> u64 {
        self.exponent
    }

    /// Verifies a PKCS #1 v1.5 signature over a digest (RFC 8017 section 8.2.2).
    ///
    /// # Errors
    /// [`KeyError::RsaKey`] when the key is refused, [`KeyError::RsaVerification`], [`KeyError::DigestLength`].
    pub fn verify_pkcs1(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        self.check(algorithm, digest, signature)?;
        let parameters = match algorithm {
            DigestAlgorithm::Sha1 => &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            DigestAlgorithm::Sha256 => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            DigestAlgorithm::Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
            DigestAlgorithm::Sha512 => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        };
        self.verify_with(parameters, algorithm, digest, signature)
    }

    /// Verifies a PSS signature over a digest; MGF1 with the same digest, salt as long as the digest (RFC 8017 section
    /// 8.1.2). The modulus must have 2048 to 8192 bits.
    ///
    /// # Errors
    /// As [`verify_pkcs1`](Self::verify_pkcs1), and [`KeyError::UnsupportedHash`] for SHA-1.
    pub fn verify_pss(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        self.check(algorithm, digest, signature)?;
        let parameters: &'static aws::RsaParameters = match algorithm {
            DigestAlgorithm::Sha1 => {
                return Err(KeyError::UnsupportedHash {
                    found: algorithm,
                    supported: "SHA-256 SHA-384 SHA-512",
                });
            }
            DigestAlgorithm::Sha256 => &aws::RSA_PSS_2048_8192_SHA256,
            DigestAlgorithm::Sha384 => &aws::RSA_PSS_2048_8192_SHA384,
            DigestAlgorithm::Sha512 => &aws::RSA_PSS_2048_8192_SHA512,
        };
        self.verify_with(parameters, algorithm, digest, signature)
    }

    fn verify_with(
        &self,
        parameters: &'static aws::RsaParameters,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        let key = aws::UnparsedPublicKey::new(parameters, &self.pkcs1);
        Digest::import_less_safe(digest, aws_digest(algorithm))
            .and_then(|digest| key.verify_digest(&digest, signature))
            .map_err(|_| KeyError::RsaVerification)
    }

    /// Verifies a PKCS #1 v1.5 signature over a DER DigestInfo that the caller wrote: for digests that aws-lc does not
    /// take. The message must be the whole block, so nothing about its padding is left to a parser.
    ///
    /// # Errors
    /// [`KeyError::RsaKey`] when the key is refused, [`KeyError::RsaVerification`].
    pub(crate) fn verify_pkcs1_digest_info(
        &self,
        digest_info: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        self.check_key(signature)?;
        let padding = self.modulus.len().checked_sub(digest_info.len() + 3);
        let padding = padding.filter(|count| *count >= 8).ok_or(KeyError::RsaVerification)?;
        let block = [&[1], vec![0xff; padding].as_slice(), &[0], digest_info].concat();
        let modulus = Modulus::new(&self.modulus).ok_or(KeyError::RsaVerification)?;
        let signed = modulus.residue(signature).power(&self.exponent.to_be_bytes());
        if signed.to_bytes() == block { Ok(()) } else { Err(KeyError::RsaVerification) }
    }

    /// The checks before any arithmetic.
    fn check(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        if digest.len() != algorithm.size() {
            return Err(KeyError::DigestLength);
        }
        self.check_key(signature)
    }

    /// The reference's limits on keys, and the signature's length.
    fn check_key(&self, signature: &[u8]) -> Result<(), KeyError> {
        let bits = self
            .modulus
            .first()
            .map_or(0, |top| self.modulus.len() * 8 - top.leading_zeros() as usize);
        let refusal = match bits {
            ..MIN_BITS => {
                let page = "https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size";
                return Err(KeyError::RsaKey(
                    format!("{bits}-bit keys are insecure (see {page})").into(),
                ));
            }
            MIN_BITS..=MAX_BITS => None,
            _ => Some("public modulus too large"),
        };
        let refusal = refusal
            .or(self
                .modulus
                .last()
                .is_some_and(|low| low & 1 == 0)
                .then_some("public modulus is even"))
            .or((self.exponent < 2).then_some("public exponent too small or negative"))
            .or((self.exponent & 1 == 0).then_some("public exponent is even"))
            .or((self.exponent > (1 << 31) - 1).then_some("public exponent too large"));
        match refusal {
            Some(text) => Err(KeyError::RsaKey(text.into())),
            None if signature.len() != self.modulus.len() => Err(KeyError::RsaVerification),
            None => Ok(()),
        }
    }
}

/// DER `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn to_pkcs1(modulus: &[u8], exponent: u64) -> Result<Vec<u8>, der::Error> {
    #[derive(Sequence)]
    struct RsaPublicKey<'a> {
        modulus: UintRef<'a>,
        exponent: u64,
    }
    RsaPublicKey { modulus: UintRef::new(modulus)?, exponent }.to_der()
}

fn aws_digest(algorithm: DigestAlgorithm) -> &'static digest::Algorithm {
    match algorithm {
        DigestAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        DigestAlgorithm::Sha256 => &digest::SHA256,
        DigestAlgorithm::Sha384 => &digest::SHA384,
        DigestAlgorithm::Sha512 => &digest::SHA512,
    }
}
