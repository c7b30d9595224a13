//! What a signer submits.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/log/entries`: a proposed entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Version of the kind, such as `0.0.1`.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^\d+\.\d+\.\d+"))]
    pub api_version: String,
    /// Name of the kind, such as `hashedrekord`.
    pub kind: String,
    /// What the kind demands; see ARCHITECTURE.md.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub spec: serde_json::Value,
}
