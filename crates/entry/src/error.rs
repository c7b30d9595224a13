//! Why a proposed entry is refused.
//!
//! Border: kinds of refusal and their texts, which are Rekor's wherever its
//! clients may have seen them. Statuses are the server's affair.

use std::borrow::Cow;

use crate::Kind;
use crate::base64::Base64Error;
use crate::keys::x509::KeyAlgorithm;
use crate::keys::{DigestAlgorithm, KeyError};

/// Bytes that are no proposed entry.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, not an object, or a member of the wrong type.
    #[error("{0}")]
    Json(String),
    /// JSON that is larger or deeper than is read here, whatever it holds.
    #[error("{0}")]
    Limit(String),
    /// No `kind`.
    #[error("kind in body is required")]
    KindMissing,
    /// A `kind` that does not exist.
    #[error("invalid kind value: {0:?}")]
    KindUnknown(String),
    /// The name that Rekor gives to proposals of all kinds: taken where a kind is, but none.
    #[error("could not unmarshal entry for kind '{ANY_KIND}'")]
    KindAbstract,
    /// No `apiVersion`.
    #[error("apiVersion in body is required")]
    VersionMissing,
    /// An `apiVersion` that is no semantic version.
    #[error("apiVersion in body should match '{VERSION_PATTERN}'")]
    VersionPattern,
    /// No `spec`, or null.
    #[error("spec in body is required")]
    SpecMissing,
}

/// What Rekor calls a proposal of any kind.
pub(crate) const ANY_KIND: &str = "ProposedEntry";

/// The pattern of `apiVersion` (semver.org's regular expression), as error texts
/// and the API document quote it.
pub const VERSION_PATTERN: &str = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$";

/// A proposed entry that does not hold, or is not welcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// No implementation of this kind and version.
    #[error(
        "{kind} implementation for version '{version}' not found: unable to locate entry for \
         version {version}"
    )]
    Version {
        /// The kind.
        kind: Kind,
        /// The version that was asked for.
        version: String,
    },
    /// `spec` is no object.
    #[error("unsupported input type {0} for DecodeEntry")]
    SpecType(&'static str),
    /// Fields that are missing or have values outside their range, one line each.
    #[error("validation failure list:\n{0}")]
    Fields(String),
    /// A field that is not base64.
    #[error("failed parsing base64 data for {field}: {source}")]
    Base64 {
        /// The field in words.
        field: &'static str,
        /// Where it goes wrong.
        source: Base64Error,
    },
    /// The operator does not take this kind.
    #[error(
        "entry kind '{0}' is not enabled for submission on this server: its setting \
         enabled-entry-types leaves it out"
    )]
    KindDisabled(Kind),
    /// The stored form of an entry, or part of a proposal, where a whole proposal is needed.
    #[error("entry not insertable into log: {0}")]
    NotInsertable(Cow<'static, str>),
    /// A key and digest pair that the operator does not take.
    #[error(
        "entry algorithms are not allowed: the server's setting client-signing-algorithms has \
         none that pairs {key} with {digest}"
    )]
    AlgorithmNotAllowed {
        /// The signer's key.
        key: KeyAlgorithm,
        /// The digest that it signed.
        digest: DigestAlgorithm,
    },
    /// A signature that does not verify.
    #[error("verifying signature: {0}")]
    Signature(#[source] KeyError),
    /// A key that cannot be read or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The content does not have the digest that the proposal claims.
    #[error("SHA mismatch: {computed} != {claimed}")]
    DigestMismatch {
        /// Lower-case hex.
        computed: String,
        /// As submitted.
        claimed: String,
    },
    /// Anything else that is wrong with the entry; the text is complete.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// As [`Invalid`](Self::Invalid), but Rekor answers it with 500 although the
    /// client caused it.
    #[error("{0}")]
    Internal(Cow<'static, str>),
}

impl EntryError {
    /// Whether the client is told what is wrong (400); otherwise Rekor's 500.
    #[must_use]
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Internal(_))
    }

    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }

    pub(crate) fn not_insertable(text: impl Into<Cow<'static, str>>) -> Self {
        Self::NotInsertable(text.into())
    }
}
