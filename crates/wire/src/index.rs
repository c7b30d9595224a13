//! Search of the index.
//!
//! Border: the question. Which keys answer it is known to the server.

use serde::{Deserialize, Serialize};

use crate::Base64;

/// Body of `POST /api/v1/index/retrieve`. Absent members are no criteria.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchIndex {
    /// An e-mail address (RFC 5322 mailbox), compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A digest: `sha1:`, `sha256:` or `sha512:` and hex, or bare hex of that length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// How several criteria combine; `or` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<SearchOperator>,
    /// A public key or certificate file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<SearchPublicKey>,
    /// A subject alternative name, at most 512 characters, compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// How several search criteria combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SearchOperator {
    /// Entries that match every criterion.
    And,
    /// Entries that match any criterion.
    Or,
}

/// The key criterion of [`SearchIndex`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchPublicKey {
    /// The key file, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Base64>,
    /// `pgp`, `x509`, `minisign`, `ssh` or `tuf`.
    pub format: String,
}
