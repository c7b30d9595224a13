//! Key material and the verification of signatures with it (RFC 9580 sections 5.2.3 and 5.5.5).
//!
//! Border: numbers and points. What is hashed, and whether a key may sign, is not known here.

use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use ecdsa::VerifyingKey;
use ed25519_dalek::{PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH};
use k256::Secp256k1;

use super::brainpool512::BrainpoolP512Key;
use super::error::Fault;
use super::hash::Hash;
use super::octets::Octets;
use crate::keys::dsa::{DsaKey, NoDsaKey};
use crate::keys::ecdsa::{Curve, EcdsaKey, portable};
use crate::keys::ed25519::Ed25519Key;
use crate::keys::rsa::RsaKey;

/// Numbers of the public-key algorithms (RFC 9580 section 9.1).
pub(super) mod algorithm {
    pub(crate) const RSA: u8 = 1;
    pub(crate) const RSA_ENCRYPT_ONLY: u8 = 2;
    pub(crate) const RSA_SIGN_ONLY: u8 = 3;
    pub(crate) const ELGAMAL: u8 = 16;
    pub(crate) const DSA: u8 = 17;
    pub(crate) const ECDH: u8 = 18;
    pub(crate) const ECDSA: u8 = 19;
    pub(crate) const EDDSA: u8 = 22;
    pub(crate) const X25519: u8 = 25;
    pub(crate) const X448: u8 = 26;
    pub(crate) const ED25519: u8 = 27;
    pub(crate) const ED448: u8 = 28;

    /// Whether keys of the algorithm may sign.
    pub(crate) fn can_sign(algorithm: u8) -> bool {
        matches!(algorithm, RSA | RSA_SIGN_ONLY | DSA | ECDSA | EDDSA | ED25519 | ED448)
    }
}

/// Bytes of an Ed448 signature (RFC 8032).
const ED448_SIGNATURE: usize = 114;

/// What signatures are checked with.
#[derive(Debug)]
pub(super) enum Material {
    Rsa(RsaKey),
    Dsa(Box<DsaKey>),
    Nist(Box<EcdsaKey>),
    Secp256k1(Box<VerifyingKey<Secp256k1>>),
    BrainpoolP256(Box<VerifyingKey<BrainpoolP256r1>>),
    BrainpoolP384(Box<VerifyingKey<BrainpoolP384r1>>),
    BrainpoolP512(Box<BrainpoolP512Key>),
    Ed25519(Ed25519Key),
    /// Keys that encrypt.
    Mute,
    /// Numbers for which no signature of the algorithm holds.
    Invalid(&'static str),
    /// Keys that sign what nothing here verifies, by name.
    NotServed(&'static str),
}

impl Material {
    /// Takes the SEC 1 point of an ECDSA key on the curve with this object identifier (DER content).
    pub(super) fn ecdsa(oid: &[u8], point: &[u8]) -> Result<Self, Fault> {
        let broken = Fault::Broken("ecdsa: failed to parse EC point");
        let nist = |curve| EcdsaKey::from_uncompressed(curve, point).map(Box::new);
        if point.first() != Some(&4) {
            return Err(broken);
        }
        let material = match oid {
            oid::P256 => nist(Curve::P256).map(Self::Nist).ok(),
            oid::P384 => nist(Curve::P384).map(Self::Nist).ok(),
            oid::P521 => nist(Curve::P521).map(Self::Nist).ok(),
            oid::SECP256K1 => {
                VerifyingKey::from_sec1_bytes(point).map(|key| Self::Secp256k1(Box::new(key))).ok()
            }
            oid::BRAINPOOL_P256 => VerifyingKey::from_sec1_bytes(point)
                .map(|key| Self::BrainpoolP256(Box::new(key)))
                .ok(),
            oid::BRAINPOOL_P384 => VerifyingKey::from_sec1_bytes(point)
                .map(|key| Self::BrainpoolP384(Box::new(key)))
                .ok(),
            oid::BRAINPOOL_P512 => BrainpoolP512Key::from_uncompressed(point)
                .map(|key| Self::BrainpoolP512(Box::new(key))),
            _ => None,
        };
        material.ok_or(broken)
    }

    pub(super) fn rsa(modulus: &[u8], exponent: u64) -> Self {
        let key = RsaKey::new(modulus, exponent);
        if key.is_too_large() {
            Self::NotServed("RSA keys of more than 8192 bits")
        } else {
            Self::Rsa(key)
        }
    }

    pub(super) fn dsa(p: &[u8], q: &[u8], g: &[u8], y: &[u8]) -> Self {
        match DsaKey::new(p, q, g, y) {
            Ok(key) => Self::Dsa(Box::new(key)),
            Err(NoDsaKey::Invalid) => Self::Invalid("DSA"),
            Err(NoDsaKey::NotServed) => {
                Self::NotServed("DSA keys of more than 4096 bits or with even numbers")
            }
        }
    }

    pub(super) const ED448: Self = Self::NotServed("Ed448 keys");

    pub(super) fn ed25519(point: &[u8]) -> Result<Self, Fault> {
        let point: [u8; PUBLIC_KEY_LENGTH] =
            point.try_into().map_err(|_| Fault::Broken("eddsa: failed to parse EC point"))?;
        Ok(Self::Ed25519(Ed25519Key::new(point)))
    }

    /// Whether verifying takes well below a millisecond.
    pub(super) fn is_fast(&self) -> bool {
        !matches!(
            self,
            Self::Dsa(_)
                | Self::Secp256k1(_)
                | Self::BrainpoolP256(_)
                | Self::BrainpoolP384(_)
                | Self::BrainpoolP512(_)
        )
    }

    /// Verifies the algorithm-specific part of a signature over a digest.
    pub(super) fn verify(
        &self,
        algorithm: u8,
        hash: Hash,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Fault> {
        let mut numbers = Octets::new(signature);
        let (name, holds) = match self {
            Self::Rsa(key) => ("RSA", verify_rsa(key, hash, digest, numbers.mpi()?)),
            Self::Dsa(key) => ("DSA", key.verify(digest, numbers.mpi()?, numbers.mpi()?)),
            Self::Nist(key) => {
                ("ECDSA", key.verify_numbers(digest, numbers.mpi()?, numbers.mpi()?))
            }
            Self::Secp256k1(key) => {
                ("ECDSA", portable::verify(key, digest, numbers.mpi()?, numbers.mpi()?))
            }
            Self::BrainpoolP256(key) => {
                ("ECDSA", portable::verify(key, digest, numbers.mpi()?, numbers.mpi()?))
            }
            Self::BrainpoolP384(key) => {
                ("ECDSA", portable::verify(key, digest, numbers.mpi()?, numbers.mpi()?))
            }
            Self::BrainpoolP512(key) => {
                ("ECDSA", key.verify(digest, numbers.mpi()?, numbers.mpi()?))
            }
            Self::Ed25519(key) if algorithm == algorithm::ED25519 => {
                ("Ed25519", key.verify(digest, numbers.take(SIGNATURE_LENGTH)?).is_ok())
            }
            Self::Ed25519(key) => {
                let halves = [pad::<32>(numbers.mpi()?), pad::<32>(numbers.mpi()?)];
                let signature = match halves {
                    [Some(r), Some(s)] => [r, s].concat(),
                    _ => Vec::new(),
                };
                ("EdDSA", key.verify(digest, &signature).is_ok())
            }
            Self::Mute => {
                let text = "Unsupported public key algorithm used in signature";
                return Err(Fault::signature(text));
            }
            Self::Invalid(name) => (*name, false),
            Self::NotServed(keys) => return Err(Fault::NotServed(keys)),
        };
        if holds { Ok(()) } else { Err(Fault::signature(format!("{name} verification failure"))) }
    }
}

/// Reads over the algorithm-specific part of a signature (section 5.2.3).
pub(super) fn skip_numbers(algorithm: u8, octets: &mut Octets<'_>) -> Result<(), Fault> {
    match algorithm {
        algorithm::RSA | algorithm::RSA_SIGN_ONLY => octets.mpi().map(drop),
        algorithm::ED25519 => octets.take(SIGNATURE_LENGTH).map(drop),
        algorithm::ED448 => octets.take(ED448_SIGNATURE).map(drop),
        _ => octets.mpi().and_then(|_| octets.mpi()).map(drop),
    }
}

fn verify_rsa(key: &RsaKey, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
    let size = key.modulus().len();
    // Leading zeros are not written in an MPI, but RFC 8017 wants them.
    let mut padded = vec![0; size.saturating_sub(signature.len())];
    padded.extend_from_slice(signature);
    match hash.shared() {
        Some(algorithm) => key.verify_pkcs1(algorithm, digest, &padded).is_ok(),
        None => key.verify_pkcs1_digest_info(&hash.digest_info(digest), &padded).is_ok(),
    }
}

/// Brings a big-endian number to `N` bytes; `None` if it needs more.
fn pad<const N: usize>(number: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    let at = N.checked_sub(number.len())?;
    padded[at..].copy_from_slice(number);
    Some(padded)
}

/// Object identifiers of curves (RFC 9580 section 9.2), DER content.
pub(super) mod oid {
    pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    pub(crate) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    pub(crate) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
    pub(crate) const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];
    pub(crate) const BRAINPOOL_P256: &[u8] =
        &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07];
    pub(crate) const BRAINPOOL_P384: &[u8] =
        &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b];
    pub(crate) const BRAINPOOL_P512: &[u8] =
        &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0d];
    pub(crate) const CURVE25519: &[u8] =
        &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01];
    pub(crate) const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
    pub(crate) const X448: &[u8] = &[0x2b, 0x65, 0x6f];
    pub(crate) const ED448: &[u8] = &[0x2b, 0x65, 0x71];

    /// Curves of ECDSA keys, which ECDH keys may have too.
    pub(crate) const ECDSA: [&[u8]; 7] =
        [P256, P384, P521, SECP256K1, BRAINPOOL_P256, BRAINPOOL_P384, BRAINPOOL_P512];
}
