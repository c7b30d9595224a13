//! ECDSA verification on the NIST curves.
//!
//! Lives here: points, both signature encodings, and the digest's conversion to the curve's size. Not here: which digest a
//! format uses. High S is accepted: the reference has no low-S rule.

pub(crate) mod portable;

use super::KeyError;
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    EcdsaVerificationAlgorithm, ParsedPublicKey,
};
use der::asn1::{IntRef, ObjectIdentifier, UintRef};
use der::{Decode as _, Encode as _, Sequence};
use p224::NistP224;

/// A NIST curve (FIPS 186-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp224r1.
    P224,
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

impl Curve {
    /// The curve of a named-curve object identifier (RFC 5480 section 2.1.1.1).
    pub(crate) fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        let all = [Self::P224, Self::P256, Self::P384, Self::P521];
        all.into_iter().find(|curve| curve.oid() == *oid)
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P224 => ObjectIdentifier::new_unwrap("1.3.132.0.33"),
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }

    /// One verification algorithm per curve that aws-lc has, whose digest is no longer
    /// than the curve's order, so that one parsed key serves digests of any length.
    fn aws_lc(self) -> Option<(&'static EcdsaVerificationAlgorithm, &'static digest::Algorithm)> {
        match self {
            Self::P224 => None,
            Self::P256 => Some((&ECDSA_P256_SHA256_ASN1, &digest::SHA256)),
            Self::P384 => Some((&ECDSA_P384_SHA384_ASN1, &digest::SHA384)),
            Self::P521 => Some((&ECDSA_P521_SHA512_ASN1, &digest::SHA512)),
        }
    }

    /// The curve's usual name, for example `P256`.
    pub fn name(self) -> &'static str {
        match self {
            Curve::P224 => "P224",
            Curve::P256 => "P256",
            Curve::P384 => "P384",
            Curve::P521 => "P521",
        }
    }

    /// Bytes of one coordinate.
    pub fn field_len(self) -> usize {
        match self {
            Curve::P224 => 28,
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }
}

/// An ECDSA public key: a point on a NIST curve.
#[derive(Debug)]
pub struct EcdsaKey {
    curve: Curve,
    point: Vec<u8>,
    verifier: Verifier,
}

#[derive(Debug)]
enum Verifier {
    /// With the digest that signatures are said to be over.
    AwsLc(ParsedPublicKey, &'static digest::Algorithm),
    P224(Box<ecdsa::VerifyingKey<NistP224>>),
}

impl EcdsaKey {
    /// Takes a point in SEC 1 uncompressed form: `04 || x || y`.
    ///
    /// # Errors
    /// [`KeyError::CompressedPoint`] for any other form, [`KeyError::PointNotOnCurve`].
    pub fn from_uncompressed(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        if point.first() != Some(&4) || point.len() != 1 + 2 * curve.field_len() {
            return Err(KeyError::CompressedPoint);
        }
        let verifier = match curve.aws_lc() {
            Some((algorithm, digest)) => {
                ParsedPublicKey::new(algorithm, point).map(|key| Verifier::AwsLc(key, digest)).ok()
            }
            None => ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(|key| Verifier::P224(Box::new(key)))
                .ok(),
        };
        let verifier = verifier.ok_or(KeyError::PointNotOnCurve(curve.name()))?;
        Ok(Self { curve, point: point.to_vec(), verifier })
    }

    /// The key's curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The point in SEC 1 uncompressed form.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// Verifies a signature over a digest of any algorithm. The signature is DER, or r||s in two equal halves.
    ///
    /// # Errors
    /// [`KeyError::EcdsaDer`], [`KeyError::EcdsaFixed`], or [`KeyError::EcdsaLength`] when it is neither form.
    pub fn verify_digest(&self, digest: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        if is_integer_pair(signature) {
            return if self.verify_der(digest, signature) {
                Ok(())
            } else {
                Err(KeyError::EcdsaDer)
            };
        }
        let length = signature.len();
        if length == 0 || length > 132 || !length.is_multiple_of(2) {
            return Err(KeyError::EcdsaLength);
        }
        let (r, s) = signature.split_at(length / 2);
        if self.verify_numbers(digest, r, s) { Ok(()) } else { Err(KeyError::EcdsaFixed) }
    }

    /// Verifies a signature whose numbers are big-endian, without a sign and of any length.
    pub(crate) fn verify_numbers(&self, digest: &[u8], r: &[u8], s: &[u8]) -> bool {
        match &self.verifier {
            Verifier::AwsLc(..) => {
                der_signature(r, s).is_ok_and(|signature| self.verify_der(digest, &signature))
            }
            Verifier::P224(key) => portable::verify(key, digest, r, s),
        }
    }

    /// Verifies a strictly DER-encoded signature.
    pub(crate) fn verify_der(&self, digest: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            Verifier::AwsLc(key, algorithm) => {
                let digest = fit(digest, algorithm.output_len());
                Digest::import_less_safe(&digest, algorithm)
                    .and_then(|digest| key.verify_digest_sig(&digest, signature))
                    .is_ok()
            }
            Verifier::P224(key) => Numbers::from_der(signature)
                .is_ok_and(|n| portable::verify(key, digest, n.r.as_bytes(), n.s.as_bytes())),
        }
    }
}

/// Brings a digest to `length` bytes without changing the number that ECDSA makes of it (FIPS 186-5 section 6.4): longer
/// digests are cut on the right as the standard says, shorter ones get zeros on the left.
pub(super) fn fit(digest: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length.saturating_sub(digest.len())];
    out.extend_from_slice(&digest[..digest.len().min(length)]);
    out
}

/// SEQUENCE { INTEGER, INTEGER } (RFC 3279 section 2.2.3).
#[derive(Sequence)]
struct Integers<'a> {
    r: IntRef<'a>,
    s: IntRef<'a>,
}

/// The same with numbers that have no sign.
#[derive(Sequence)]
struct Numbers<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Whether the bytes are two DER integers in a sequence: only then is a signature
/// judged as DER.
fn is_integer_pair(signature: &[u8]) -> bool {
    Integers::from_der(signature).is_ok()
}

/// Encodes two big-endian numbers as SEQUENCE { INTEGER, INTEGER }.
fn der_signature(r: &[u8], s: &[u8]) -> Result<Vec<u8>, der::Error> {
    Numbers { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::DigestAlgorithm;
    use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyUncompressedBin};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
    };
    use ecdsa::signature::hazmat::PrehashSigner as _;

    const MESSAGE: &[u8] = b"message";

    fn signed(curve: Curve) -> (EcdsaKey, Vec<u8>, Vec<u8>) {
        let (signing, digest): (&'static EcdsaSigningAlgorithm, _) = match curve {
            Curve::P224 => return signed_p224(),
            Curve::P256 => (&ECDSA_P256_SHA256_ASN1_SIGNING, DigestAlgorithm::Sha256),
            Curve::P384 => (&ECDSA_P384_SHA384_ASN1_SIGNING, DigestAlgorithm::Sha384),
            Curve::P521 => (&ECDSA_P521_SHA512_ASN1_SIGNING, DigestAlgorithm::Sha512),
        };
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let point: EcPublicKeyUncompressedBin<'_> =
            AsBigEndian::as_be_bytes(pair.public_key()).unwrap();
        let key = EcdsaKey::from_uncompressed(curve, point.as_ref()).unwrap();
        let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap().as_ref().to_vec();
        (key, digest.digest(MESSAGE), signature)
    }

    fn signed_p224() -> (EcdsaKey, Vec<u8>, Vec<u8>) {
        let signer = ecdsa::SigningKey::<NistP224>::from_slice(&[7; 28]).unwrap();
        let point = signer.verifying_key().to_sec1_point(false);
        let key = EcdsaKey::from_uncompressed(Curve::P224, point.as_bytes()).unwrap();
        let digest = DigestAlgorithm::Sha256.digest(MESSAGE);
        let signature: ecdsa::Signature<NistP224> = signer.sign_prehash(&digest).unwrap();
        let (r, s) = signature.split_bytes();
        (key, digest, der_signature(&r, &s).unwrap())
    }

    /// r and s of a DER signature.
    fn parts(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let Integers { r, s } = Integers::from_der(der).unwrap();
        let magnitude =
            |n: IntRef<'_>| n.as_bytes().strip_prefix(&[0]).unwrap_or(n.as_bytes()).to_vec();
        (magnitude(r), magnitude(s))
    }

    fn padded(number: &[u8], length: usize) -> Vec<u8> {
        [vec![0; length - number.len()], number.to_vec()].concat()
    }

    #[test]
    fn both_encodings_verify_on_each_curve() {
        for curve in [Curve::P224, Curve::P256, Curve::P384, Curve::P521] {
            let (key, digest, der) = signed(curve);
            key.verify_digest(&digest, &der).unwrap();
            let (r, s) = parts(&der);
            let fixed = [padded(&r, curve.field_len()), padded(&s, curve.field_len())].concat();
            key.verify_digest(&digest, &fixed).unwrap();
            let mut wrong = digest.clone();
            wrong[0] ^= 1;
            assert_eq!(key.verify_digest(&wrong, &der), Err(KeyError::EcdsaDer));
            assert_eq!(key.verify_digest(&wrong, &fixed), Err(KeyError::EcdsaFixed));
        }
    }

    #[test]
    fn zero_padded_halves_verify_up_to_132_bytes() {
        for curve in [Curve::P224, Curve::P256] {
            let (key, digest, der) = signed(curve);
            let (r, s) = parts(&der);
            key.verify_digest(&digest, &[padded(&r, 66), padded(&s, 66)].concat()).unwrap();
            let long = [padded(&r, 67), padded(&s, 67)].concat();
            assert_eq!(key.verify_digest(&digest, &long), Err(KeyError::EcdsaLength));
        }
    }

    #[test]
    fn bytes_that_are_neither_form_are_named() {
        let (key, digest, der) = signed(Curve::P256);
        assert_eq!(key.verify_digest(&digest, b""), Err(KeyError::EcdsaLength));
        assert_eq!(key.verify_digest(&digest, b"abc"), Err(KeyError::EcdsaLength));
        assert_eq!(key.verify_digest(&digest, &[0; 64]), Err(KeyError::EcdsaFixed));
        assert!(key.verify_digest(&digest, &der[..der.len() - 1]).is_err());
    }

    #[test]
    fn malleable_der_is_refused() {
        for curve in [Curve::P224, Curve::P256] {
            let (key, digest, der) = signed(curve);
            let trailing = [&der[..], &[0]].concat();
            assert_ne!(key.verify_digest(&digest, &trailing), Ok(()));
            let mut inside = [&der[..], &[0x05, 0x00]].concat();
            inside[1] += 2;
            assert_ne!(key.verify_digest(&digest, &inside), Ok(()));
            let long_length = [&[0x30, 0x81, der[1]], &der[2..]].concat();
            assert_ne!(key.verify_digest(&digest, &long_length), Ok(()));
        }
    }

    #[test]
    fn digests_of_other_lengths_are_cut_or_extended() {
        assert_eq!(fit(&[1, 2, 3], 2), [1, 2]);
        assert_eq!(fit(&[1, 2], 4), [0, 0, 1, 2]);
        // A digest and the same number with zeros in front must be the same to the verifier.
        let (key, digest, der) = signed(Curve::P521);
        key.verify_digest(&[vec![0; 2], digest.clone()].concat(), &der).unwrap_err();
        key.verify_digest(&digest, &der).unwrap();
    }

    #[test]
    fn only_uncompressed_points_on_the_curve_are_keys() {
        for curve in [Curve::P224, Curve::P256] {
            let (key, ..) = signed(curve);
            let refusal = |point: &[u8]| EcdsaKey::from_uncompressed(curve, point).unwrap_err();
            let mut compressed = key.point()[..=curve.field_len()].to_vec();
            compressed[0] = 2;
            assert_eq!(refusal(&compressed), KeyError::CompressedPoint);
            let mut off = key.point().to_vec();
            *off.last_mut().unwrap() ^= 1;
            assert_eq!(refusal(&off), KeyError::PointNotOnCurve(curve.name()));
        }
        let (key, ..) = signed(Curve::P256);
        assert!(EcdsaKey::from_uncompressed(Curve::P384, key.point()).is_err());
    }
}
