//! What can be wrong with OpenPGP keys and signatures. The texts are the reference server's where clients may have seen
//! them.

use std::borrow::Cow;

/// Why a packet or what it says is not accepted. A key ring skips keys with the first two; the others end the reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Well-formed, but of a version or algorithm that is not served.
    #[error("openpgp: unsupported feature: {0}")]
    Unsupported(Cow<'static, str>),
    /// Malformed, or out of place.
    #[error("openpgp: invalid data: {0}")]
    Structural(Cow<'static, str>),
    /// A signature that does not verify.
    #[error("openpgp: invalid signature: {0}")]
    Signature(Cow<'static, str>),
    /// A key and a signature that do not fit together.
    #[error("openpgp: invalid argument: {0}")]
    Argument(Cow<'static, str>),
    /// Bytes that end too early, or points that are none.
    #[error("{0}")]
    Broken(&'static str),
    /// Keys that the reference verifies and nothing here does. A ring without them would be another entry.
    #[error("openpgp: {0} are not served")]
    NotServed(&'static str),
    /// More than is looked at.
    #[error("openpgp: more than {limit} {what}")]
    TooMuch {
        /// What is counted.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl Fault {
    /// The bytes end inside of something.
    pub(super) const TRUNCATED: Self = Self::Broken("unexpected EOF");

    pub(super) fn unsupported(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported(text.into())
    }

    pub(super) fn structural(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Structural(text.into())
    }

    /// What is wrong with a key one of whose signatures has this fault. Faults that end the reading stay what they are.
    pub(super) fn of_key(self, text: impl FnOnce(&Self) -> String) -> Self {
        match self {
            Self::NotServed(_) | Self::TooMuch { .. } => self,
            fault => Self::structural(text(&fault)),
        }
    }

    pub(super) fn signature(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Signature(text.into())
    }
}

/// Why an OpenPGP key or signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PgpError {
    /// Less than fourteen bytes.
    #[error("unable to read PGP public key: EOF")]
    ShortKey,
    /// Armor around something else than a key.
    #[error("invalid PGP type detected")]
    NotKeyArmor,
    /// Armor of a key that does not hold together.
    #[error("invalid PGP public key provided: EOF")]
    BrokenKeyArmor,
    /// An armored key that cannot be read.
    #[error("error reading PGP public key: {0}")]
    Key(#[source] Fault),
    /// A binary key that cannot be read.
    #[error("error reading binary PGP public key: {0}")]
    BinaryKey(#[source] Fault),
    /// No keys, or only secret ones.
    #[error("no PGP public keys could be read")]
    NoPublicKeys,

    /// Armor around something else than a signature.
    #[error("invalid PGP signature provided")]
    NotSignatureArmor,
    /// No packet that can be read.
    #[error("invalid PGP signature: EOF")]
    NoSignature,
    /// A packet before the signature that cannot be read.
    #[error("invalid PGP signature: {0}")]
    Signature(#[source] Fault),
    /// The first packet is no signature.
    #[error("valid PGP signature was not detected")]
    NotSignature,
    /// The first packet cannot be read.
    #[error("error reading PGP signature: {0}")]
    FirstPacket(#[source] Fault),
    /// The signature does not verify, or says what is not accepted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// No key of the ring that may sign made any of the signatures.
    #[error("openpgp: signature made by unknown entity")]
    UnknownIssuer,
    /// The key, its user ID or the subkey was revoked when it signed.
    #[error("openpgp: signature made by revoked key")]
    Revoked,
    /// The key had expired, or did not exist, when it signed.
    #[error("openpgp: key expired")]
    KeyExpired,
    /// The signature, or one that vouches for its key, was not valid when it was made.
    #[error("openpgp: signature expired")]
    SignatureExpired,

    /// A package's signature tag that holds no signature with an issuer.
    #[error("no supported PGP signature packet found")]
    NoIssuer,
    /// Bytes after a package's signature packet.
    #[error("trailing garbage after PGP signature packet")]
    TrailingGarbage,
    /// The key that made a package's signature is not in the ring.
    #[error("keyid {0:08x} not found")]
    KeyNotFound(u64),

    /// The input is larger than is looked at.
    #[error("PGP data of {size} bytes is larger than {limit}")]
    TooLarge {
        /// Bytes of the input.
        size: usize,
        /// Bytes that it may have.
        limit: usize,
    },
}
