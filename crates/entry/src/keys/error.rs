//! What can be wrong with a key or a signature. The texts are the reference server's where clients may have seen them.

use super::DigestAlgorithm;
use std::borrow::Cow;

/// A key or signature that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No PEM block in the key.
    #[error("invalid public key: failure decoding PEM")]
    NoPem,
    /// A PEM block of another kind.
    #[error("invalid public key: cannot handle type {0}")]
    WrongLabel(String),
    /// More certificates than a chain may have.
    #[error("too many certificates specified in PEM block")]
    TooManyCertificates,
    /// Something that is not PEM follows a block.
    #[error("error during PEM decoding")]
    PemTail,
    /// A certificate or SubjectPublicKeyInfo that does not parse, or a chain that does not hold.
    #[error("x509: {0}")]
    X509(Cow<'static, str>),
    /// An elliptic curve point that is compressed or not a point at all.
    #[error("ecdsa: invalid uncompressed public key")]
    CompressedPoint,
    /// A point that is not on its curve.
    #[error("{0} point not on curve")]
    PointNotOnCurve(&'static str),
    /// A key that parses but cannot verify signatures here.
    #[error("unsupported public key type")]
    UnsupportedKeyType,

    /// A digest that the key's algorithm does not take.
    #[error("unsupported hash algorithm: {found:?} not in [{supported}]", found = .found.to_string())]
    UnsupportedHash {
        /// The digest that was offered.
        found: DigestAlgorithm,
        /// Those that are taken, separated by spaces.
        supported: &'static str,
    },
    /// A digest of the wrong length for its algorithm.
    #[error("unexpected length of digest for hash function specified")]
    DigestLength,
    /// An RSA key that is refused before any signature is looked at.
    #[error("crypto/rsa: {0}")]
    RsaKey(Cow<'static, str>),
    /// An RSA signature that does not verify.
    #[error("crypto/rsa: verification error")]
    RsaVerification,
    /// A DER-encoded ECDSA signature that does not verify.
    #[error("invalid signature when validating ASN.1 encoded signature")]
    EcdsaDer,
    /// Bytes that are neither DER nor r||s.
    #[error("ecdsa: Invalid IEEE_P1363 encoded bytes")]
    EcdsaLength,
    /// An r||s ECDSA signature that does not verify.
    #[error("invalid signature when validating IEEE_P1363 encoded signature")]
    EcdsaFixed,
    /// An Ed25519 signature that does not verify.
    #[error("failed to verify signature")]
    Ed25519,
    /// An Ed25519ph signature that does not verify.
    #[error("failed to verify signature: ed25519: invalid signature")]
    Ed25519Prehash,
    /// An Ed25519ph signature of the wrong length.
    #[error("failed to verify signature: ed25519: bad signature length: {0}")]
    Ed25519PrehashLength(usize),
    /// An OpenPGP key or signature.
    #[error(transparent)]
    Pgp(#[from] super::pgp::PgpError),
    /// A digest was offered where the algorithm signs messages.
    #[error("message cannot be nil")]
    MessageNeeded,
    /// Anything else that is wrong with a key or signature; the text is complete.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
}

impl KeyError {
    /// A refusal whose text is complete.
    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        KeyError::Invalid(text.into())
    }

    /// A refusal with the prefix `x509: `.
    pub(crate) fn x509(text: impl Into<Cow<'static, str>>) -> Self {
        KeyError::X509(text.into())
    }
}
