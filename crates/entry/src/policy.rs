//! What an operator welcomes.
//!
//! Border: settings and the question whether an entry satisfies them; where they
//! come from is not known here.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::Kind;
use crate::keys::DigestAlgorithm;
use crate::keys::x509::KeyAlgorithm;

/// What evidence must satisfy beyond being true.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Kinds that may be added; reading is never restricted.
    pub enabled_kinds: BTreeSet<Kind>,
    /// Key and digest pairs that a `hashedrekord` may use.
    pub algorithms: BTreeSet<SigningAlgorithm>,
    /// Largest payload that is kept, in bytes; 0 keeps none.
    pub max_attestation_size: usize,
    /// Largest file of a JAR's `META-INF` in bytes, unpacked; 0 for no limit but the largest,
    /// 32 MiB.
    pub max_jar_metadata_size: u64,
    /// Largest signature and metadata file of an Alpine package in bytes, unpacked; 0
    /// for no limit of its own.
    pub max_apk_metadata_size: u64,
}

impl Default for Policy {
    /// Every kind, Rekor's eight algorithms, payloads up to 4 MiB, package metadata up to
    /// 1 MiB.
    fn default() -> Self {
        Self {
            enabled_kinds: Kind::ALL.into(),
            algorithms: SigningAlgorithm::DEFAULT.into(),
            max_attestation_size: 4 << 20,
            max_jar_metadata_size: 1 << 20,
            max_apk_metadata_size: 1 << 20,
        }
    }
}

impl Policy {
    /// Whether a `hashedrekord` may pair this key with this digest.
    #[must_use]
    pub fn allows(&self, key: KeyAlgorithm, digest: DigestAlgorithm) -> bool {
        self.algorithms.iter().any(|algorithm| algorithm.covers(key, digest))
    }
}

/// A pair of key and digest, by the name that Rekor's flag
/// `client-signing-algorithms` gives it. A `hashedrekord` does not say how an RSA key signed, and
/// its signatures are verified as PKCS #1 v1.5 under either name, as in Rekor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SigningAlgorithm {
    /// RSA PKCS #1 v1.5, 2048 bits, SHA-256.
    RsaPkcs1Sha256Bits2048,
    /// RSA PKCS #1 v1.5, 3072 bits, SHA-256.
    RsaPkcs1Sha256Bits3072,
    /// RSA PKCS #1 v1.5, 4096 bits, SHA-256.
    RsaPkcs1Sha256Bits4096,
    /// RSA PSS, 2048 bits, SHA-256: the same pair as with PKCS #1 v1.5.
    RsaPssSha256Bits2048,
    /// RSA PSS, 3072 bits, SHA-256.
    RsaPssSha256Bits3072,
    /// RSA PSS, 4096 bits, SHA-256.
    RsaPssSha256Bits4096,
    /// ECDSA P-256, SHA-256.
    EcdsaP256Sha256,
    /// ECDSA P-384, SHA-384.
    EcdsaP384Sha384,
    /// ECDSA P-384, SHA-256.
    EcdsaP384Sha256,
    /// ECDSA P-521, SHA-512.
    EcdsaP521Sha512,
    /// ECDSA P-521, SHA-256.
    EcdsaP521Sha256,
    /// Pure Ed25519: signs messages, so no `hashedrekord` can use it.
    Ed25519,
    /// Ed25519ph, SHA-512.
    Ed25519ph,
}

impl SigningAlgorithm {
    /// Rekor's default set.
    pub const DEFAULT: [Self; 8] = [
        Self::RsaPkcs1Sha256Bits2048,
        Self::RsaPkcs1Sha256Bits3072,
        Self::RsaPkcs1Sha256Bits4096,
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::EcdsaP521Sha512,
        Self::Ed25519,
        Self::Ed25519ph,
    ];

    const NAMES: [(Self, &'static str); 13] = [
        (Self::RsaPkcs1Sha256Bits2048, "rsa-sign-pkcs1-2048-sha256"),
        (Self::RsaPkcs1Sha256Bits3072, "rsa-sign-pkcs1-3072-sha256"),
        (Self::RsaPkcs1Sha256Bits4096, "rsa-sign-pkcs1-4096-sha256"),
        (Self::RsaPssSha256Bits2048, "rsa-sign-pss-2048-sha256"),
        (Self::RsaPssSha256Bits3072, "rsa-sign-pss-3072-sha256"),
        (Self::RsaPssSha256Bits4096, "rsa-sign-pss-4096-sha256"),
        (Self::EcdsaP256Sha256, "ecdsa-sha2-256-nistp256"),
        (Self::EcdsaP384Sha384, "ecdsa-sha2-384-nistp384"),
        (Self::EcdsaP384Sha256, "ecdsa-sha2-256-nistp384"),
        (Self::EcdsaP521Sha512, "ecdsa-sha2-512-nistp521"),
        (Self::EcdsaP521Sha256, "ecdsa-sha2-256-nistp521"),
        (Self::Ed25519, "ed25519"),
        (Self::Ed25519ph, "ed25519-ph"),
    ];

    fn covers(self, key: KeyAlgorithm, digest: DigestAlgorithm) -> bool {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        let rsa = |bits: usize| (KeyAlgorithm::Rsa { modulus_bytes: bits / 8 }, Sha256);
        let pair = match self {
            Self::RsaPkcs1Sha256Bits2048 | Self::RsaPssSha256Bits2048 => rsa(2048),
            Self::RsaPkcs1Sha256Bits3072 | Self::RsaPssSha256Bits3072 => rsa(3072),
            Self::RsaPkcs1Sha256Bits4096 | Self::RsaPssSha256Bits4096 => rsa(4096),
            Self::EcdsaP256Sha256 => (KeyAlgorithm::P256, Sha256),
            Self::EcdsaP384Sha384 => (KeyAlgorithm::P384, Sha384),
            Self::EcdsaP384Sha256 => (KeyAlgorithm::P384, Sha256),
            Self::EcdsaP521Sha512 => (KeyAlgorithm::P521, Sha512),
            Self::EcdsaP521Sha256 => (KeyAlgorithm::P521, Sha256),
            Self::Ed25519 => return false,
            Self::Ed25519ph => (KeyAlgorithm::Ed25519, Sha512),
        };
        pair == (key, digest)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(algorithm, _)| algorithm == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// A name that is no signing algorithm of this server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown signing algorithm {0:?}; known are {known}", known = known_names())]
pub struct UnknownAlgorithm(pub String);

fn known_names() -> String {
    SigningAlgorithm::NAMES.map(|(_, name)| name).join(", ")
}

impl FromStr for SigningAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name);
        known.map(|(algorithm, _)| *algorithm).ok_or_else(|| UnknownAlgorithm(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let manual = include_str!("../../../docs/evidence.md");
        for (algorithm, name) in SigningAlgorithm::NAMES {
            assert_eq!((algorithm.to_string().as_str(), name.parse()), (name, Ok(algorithm)));
            assert!(manual.contains(&format!("`{name}`")), "{name} is not in docs/evidence.md");
        }
        let unknown = "rsa".parse::<SigningAlgorithm>().unwrap_err().to_string();
        assert!(unknown.contains("ed25519-ph"), "{unknown}");
    }

    #[test]
    fn a_pair_has_the_name_of_either_padding() {
        let digest = DigestAlgorithm::Sha256;
        for bits in [2048, 3072, 4096] {
            let key = KeyAlgorithm::Rsa { modulus_bytes: bits / 8 };
            for padding in ["pkcs1", "pss"] {
                let name = format!("rsa-sign-{padding}-{bits}-sha256");
                let algorithms = [name.parse().unwrap()].into();
                let policy = Policy { algorithms, ..Policy::default() };
                assert!(policy.allows(key, digest), "{name}");
                assert!(!policy.allows(KeyAlgorithm::Rsa { modulus_bytes: 128 }, digest));
            }
        }
    }

    #[test]
    fn the_default_pairs_each_curve_with_its_own_digest() {
        let policy = Policy::default();
        let rsa = |bits: usize| KeyAlgorithm::Rsa { modulus_bytes: bits / 8 };
        for (key, digest, allowed) in [
            (KeyAlgorithm::P256, DigestAlgorithm::Sha256, true),
            (KeyAlgorithm::P256, DigestAlgorithm::Sha512, false),
            (KeyAlgorithm::P384, DigestAlgorithm::Sha384, true),
            (KeyAlgorithm::P384, DigestAlgorithm::Sha256, false),
            (KeyAlgorithm::P521, DigestAlgorithm::Sha512, true),
            (KeyAlgorithm::Ed25519, DigestAlgorithm::Sha512, true),
            (KeyAlgorithm::Ed25519, DigestAlgorithm::Sha256, false),
            (rsa(2048), DigestAlgorithm::Sha256, true),
            (rsa(2048), DigestAlgorithm::Sha512, false),
            (rsa(1024), DigestAlgorithm::Sha256, false),
        ] {
            assert_eq!(policy.allows(key, digest), allowed, "{key:?} {digest}");
        }
    }
}
