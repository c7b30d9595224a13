//! RSA signature verification (RFC 8017).
//!
//! Lives here: PKCS #1 v1.5 and PSS over a digest, with the reference's limits on keys. Not here: how keys are packed.
//!
//! aws-lc verifies moduli of 1024 to 8192 bits (SHA-384 and PSS from 2048 bits on, PSS with a salt as long as the digest);
//! smaller keys, other salts, MD5 and SHA-224 are computed here. The reference also takes larger moduli.

mod pss;

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
/// Smallest modulus in bits that aws-lc takes with SHA-384.
const MIN_BITS_SHA384: usize = 2_048;
/// What stands before a digest in a DER DigestInfo (RFC 8017 section 9.2): of those that aws-lc leaves to us.
const MD5_INFO: [u8; 18] = [
    0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00,
    0x04, 0x10,
];
const SHA224_INFO: [u8; 19] = [
    0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04, 0x05,
    0x00, 0x04, 0x1c,
];
const SHA384_INFO: [u8; 19] = [
    0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
    0x00, 0x04, 0x30,
];

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
        let own = |info: &[u8]| self.verify_pkcs1_digest_info(&[info, digest].concat(), signature);
        let (parameters, hash) = match algorithm {
            DigestAlgorithm::Md5 => return own(&MD5_INFO),
            DigestAlgorithm::Sha1 => (
                &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ),
            DigestAlgorithm::Sha224 => return own(&SHA224_INFO),
            DigestAlgorithm::Sha256 => {
                (&aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &digest::SHA256)
            }
            DigestAlgorithm::Sha384 if self.bits() < MIN_BITS_SHA384 => return own(&SHA384_INFO),
            DigestAlgorithm::Sha384 => (&aws::RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
            DigestAlgorithm::Sha512 => {
                (&aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, &digest::SHA512)
            }
        };
        self.verify_with(parameters, hash, digest, signature)
    }

    /// Verifies a PSS signature over a digest; MGF1 with the same digest, salt as long as the digest (RFC 8017 section
    /// 8.1.2). The modulus must have 2048 to 8192 bits.
    ///
    /// # Errors
    /// As [`verify_pkcs1`](Self::verify_pkcs1), and [`KeyError::UnsupportedHash`] for MD5, SHA-1 and SHA-224.
    pub fn verify_pss(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        self.check(algorithm, digest, signature)?;
        let (parameters, hash) = match algorithm {
            DigestAlgorithm::Sha256 => (&aws::RSA_PSS_2048_8192_SHA256, &digest::SHA256),
            DigestAlgorithm::Sha384 => (&aws::RSA_PSS_2048_8192_SHA384, &digest::SHA384),
            DigestAlgorithm::Sha512 => (&aws::RSA_PSS_2048_8192_SHA512, &digest::SHA512),
            DigestAlgorithm::Md5 | DigestAlgorithm::Sha1 | DigestAlgorithm::Sha224 => {
                return Err(KeyError::UnsupportedHash {
                    found: algorithm,
                    supported: "SHA-256 SHA-384 SHA-512",
                });
            }
        };
        self.verify_with(parameters, hash, digest, signature)
    }

    /// Verifies a PSS signature over a digest; MGF1 with the same digest, salt as long as its maker says. As in the
    /// reference, 0 stands for any salt, which must not be empty.
    ///
    /// # Errors
    /// As [`verify_pkcs1`](Self::verify_pkcs1).
    pub(crate) fn verify_pss_with_salt(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        salt: usize,
        signature: &[u8],
    ) -> Result<(), KeyError> {
        self.check(algorithm, digest, signature)?;
        // The usual salt, and aws-lc is many times faster.
        let usual = salt == 0 || salt == algorithm.size();
        if usual && self.verify_pss(algorithm, digest, signature).is_ok() {
            return Ok(());
        }
        let signed = self.open(signature)?;
        let found = pss::salt(&signed, self.bits() - 1, algorithm, digest);
        let holds = found.is_some_and(|found| if salt == 0 { found > 0 } else { found == salt });
        if holds { Ok(()) } else { Err(KeyError::RsaVerification) }
    }

    fn verify_with(
        &self,
        parameters: &'static aws::RsaParameters,
        hash: &'static digest::Algorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyError> {
        let key = aws::UnparsedPublicKey::new(parameters, &self.pkcs1);
        Digest::import_less_safe(digest, hash)
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
        if self.open(signature)? == block { Ok(()) } else { Err(KeyError::RsaVerification) }
    }

    /// What was signed (RSAVP1, RFC 8017 section 5.2.2), big-endian without leading zeros. [`check_key`](Self::check_key)
    /// bounds the work.
    fn open(&self, signature: &[u8]) -> Result<Vec<u8>, KeyError> {
        // A number that is reduced first would be a second signature over the same.
        if signature >= self.modulus.as_slice() {
            return Err(KeyError::RsaVerification);
        }
        let modulus = Modulus::new(&self.modulus).ok_or(KeyError::RsaVerification)?;
        Ok(modulus.residue(signature).power(&self.exponent.to_be_bytes()).to_bytes())
    }

    /// Whether the modulus is larger than what verifies here; the reference has no bound.
    pub(crate) fn is_too_large(&self) -> bool {
        self.bits() > MAX_BITS
    }

    /// Bits of the modulus.
    fn bits(&self) -> usize {
        self.modulus.first().map_or(0, |top| self.modulus.len() * 8 - top.leading_zeros() as usize)
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
        let bits = self.bits();
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

/// A key as PKCS #1 writes it (RFC 8017 appendix A.1.1).
#[derive(Sequence)]
pub(super) struct RsaPublicKey<'a> {
    pub(super) modulus: UintRef<'a>,
    pub(super) exponent: u64,
}

fn to_pkcs1(modulus: &[u8], exponent: u64) -> Result<Vec<u8>, der::Error> {
    RsaPublicKey { modulus: UintRef::new(modulus)?, exponent }.to_der()
}

/// A key of 1025 bits, whose PSS encoding is a byte shorter than its modulus, and signatures over `x`:
///
/// ```sh
/// openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1025 -out key.pem
/// printf x | openssl dgst -sha384 -sign key.pem
/// printf x | openssl dgst -sha256 -sign key.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:0
/// ```
#[cfg(test)]
mod tests {
    use super::*;

    const MODULUS: &str = "0178df18f4957e0f760af8eb091bb3046818d7908ff01eed982e1ebc1bc0117494025614fa384fb7755ebe\
        f29a7154f236fbf4b84d45c74f3f577e8876e6690f3f177a34ec4dc5b716d008e600a4979a4f2bde5e68c9\
        9a3559b2ee8b8b04be210616a15f3bd91155e4bd2df933c01d4898d3466b1530ab76c99909821e78d1b06f";
    const PKCS1_SHA384: &str = "00b1ffc1e56305578d4b501eb370ff360d60bcdc4c39b5d7e8d8b04bd22bf96a70219673fede4258f5780b\
        2d51998fd446bbf61085af9fc42a0f9423e9281adbdd2e0c1b0869685cffd4292fb105a2c567b65a90b527\
        d84f9a4ae6269ede1d49ef143b3a7514a49b1fe8d22931fb5ce93a562a0710acb93c618d10c1f0d0e73086";
    const PSS_SALT_0: &str = "0076f6104af887d5fc2ea3f66b98b3cd6afcd774753513943b941d5cac5b2edbfad9b814335ee6bf391e51\
        cdb473c707908d8cf5b97244af099ee43a975e3f48868c68939dd17736bf5be4a6707d07a20c0b1040d6f1\
        7b7ac46593bae25b068a7c01eb696eb1814795caae68fe293129034de5d92811c144da47dd49eeb273abb7";
    const PSS_SALT_1: &str = "00c07a3d8ac07a2fc20426f923eec40b4d065932171219abd92e935e8bcefef78f2db9ba2e87cc9c228820\
        0109cbce458bf1da48eb225eada3f943fee6d4ece4861e03c03ce2c86cab5bb1c2a41dfceb90e552955a4e\
        d1f97441a6ba050b7f8c83f22011b371fe24c0a3c7a8799feaaf751bc53e95e4976ae4b5ce047aa619f1f0";
    const PSS_SALT_94: &str = "00c866b919fc41f9a68b6af806f2ac6274c89067bd839eddc391683475fd2ea291b2e04838e9a9d92e8e73\
        e40574faeb878ffb4b0bc0ac15bcc23d1b801552d753de08dcd7210aa47566f536f33cf13b2e298230a093\
        0f54660673356502cdd3fcc41a5579debdc22fd7da960ec6b6d73a46c7619836ac3c6f56fae873758ac450";
    const PSS_SHA1_SALT_20: &str = "00a43bae09e28471243e1bb570648be1010dd264e5677263ae3b1dbcdd0f99b7ce223e2eca6aaf1d5b225c\
        2b252902b791fcb093225870ee72b1c0f2397e48cc568b239045aaecf05755701481370d566e9ab4bd22c9\
        c2d9882319a58870a2a853fba0aeea4d7cc196e263bf2007054542309a2b6f40970846d94406b1e26ee99b";

    fn key() -> RsaKey {
        RsaKey::new(&bytes(MODULUS), 65_537)
    }

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn small_keys_verify_sha384() {
        let algorithm = DigestAlgorithm::Sha384;
        let verify = |message: &[u8], signature: &[u8]| {
            key().verify_pkcs1(algorithm, &algorithm.digest(message), signature)
        };
        let signature = bytes(PKCS1_SHA384);
        assert_eq!(verify(b"x", &signature), Ok(()));
        assert_eq!(verify(b"y", &signature), Err(KeyError::RsaVerification));
        // The same number modulo the modulus.
        let mut carry = 0;
        let mut larger = signature;
        for (byte, other) in larger.iter_mut().zip(bytes(MODULUS)).rev() {
            let sum = u16::from(*byte) + u16::from(other) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert_eq!(verify(b"x", &larger), Err(KeyError::RsaVerification));
    }

    #[test]
    fn a_pss_salt_has_the_length_that_is_said() {
        let (sha1, sha256) = (DigestAlgorithm::Sha1, DigestAlgorithm::Sha256);
        for (algorithm, salt, signature, holds) in [
            (sha256, 1, PSS_SALT_1, true),
            (sha256, 94, PSS_SALT_94, true),
            (sha1, 20, PSS_SHA1_SALT_20, true),
            (sha256, 0, PSS_SALT_94, true),
            (sha256, 0, PSS_SALT_0, false),
            (sha256, 32, PSS_SALT_1, false),
            (sha256, 32, PSS_SALT_94, false),
            (sha256, 1, PKCS1_SHA384, false),
            (sha1, 94, PSS_SALT_94, false),
        ] {
            let verify = |message: &[u8], signature: &[u8]| {
                let digest = algorithm.digest(message);
                key().verify_pss_with_salt(algorithm, &digest, salt, signature).is_ok()
            };
            let mut signature = bytes(signature);
            assert_eq!(verify(b"x", &signature), holds, "{algorithm} {salt}");
            assert!(!verify(b"y", &signature), "{algorithm} {salt}");
            *signature.last_mut().unwrap() ^= 1;
            assert!(!verify(b"x", &signature), "{algorithm} {salt}");
        }
    }
}
