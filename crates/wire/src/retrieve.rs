//! Look-up of several entries at once.
//!
//! Border: the question; what is asked for, and how much of it, is checked in the server.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/log/entries/retrieve`. At most ten items in all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchLogQuery {
    /// Proposed entries, looked up by the leaf hash of their canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub entries: Option<Vec<serde_json::Value>>,
    /// Leaf hashes (64 hex) or entry IDs (80 hex).
    #[serde(default, rename = "entryUUIDs", skip_serializing_if = "Option::is_none")]
    pub entry_uuids: Option<Vec<String>>,
    /// Virtual indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_indexes: Option<Vec<i64>>,
}
