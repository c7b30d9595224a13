//! Growth of the log between two sizes.
//!
//! Border: its members; what they prove is computed in `tlog`.

use serde::{Deserialize, Serialize};

use crate::bounded::bounded_list;
use crate::log_entry::MAX_HASHES;

/// Answer of `GET /api/v1/log/proof`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsistencyProof {
    /// RFC 6962 consistency proof, each 64 hex; `[]` when both sizes are equal.
    #[serde(deserialize_with = "bounded_list::<MAX_HASHES, _, _>")]
    pub hashes: Vec<String>,
    /// 64 hex root of the tree's **current** size, not of `lastSize` (as Rekor
    /// answers; prove against a stored checkpoint, never against this).
    pub root_hash: String,
}
