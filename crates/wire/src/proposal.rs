//! What a signer submits.
//!
//! Border: kind, version and a `spec` that nobody has read yet; crate `entry` does.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/log/entries`: a proposed entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Version of the kind, such as `0.0.1`.
    // The attribute takes no constant; a test holds it against the pattern that is checked.
    #[cfg_attr(
        feature = "openapi",
        schema(
            pattern = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$"
        )
    )]
    pub api_version: String,
    /// Name of the kind, such as `hashedrekord`.
    pub kind: String,
    /// What the kind demands: docs/evidence.md in the server's repository lists the members.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub spec: serde_json::Value,
}
