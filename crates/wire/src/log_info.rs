//! The state of the log.
//!
//! Border: its members; whether the log signed them is checked by `indelible_client::verify`.

use serde::{Deserialize, Deserializer, Serialize};

/// Answer of `GET /api/v1/log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LogInfo {
    /// Frozen shards, oldest first; `null` on the wire when there are none.
    #[serde(default, serialize_with = "null_when_empty", deserialize_with = "empty_when_null")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<InactiveShard>>))]
    pub inactive_shards: Vec<InactiveShard>,
    /// 64 hex root of the active tree; SHA-256 of nothing when it is empty.
    pub root_hash: String,
    /// Signed note of the active tree's head.
    pub signed_tree_head: String,
    /// Active tree ID, decimal (a string because it needs 63 bits).
    #[serde(rename = "treeID")]
    pub tree_id: String,
    /// Leaves in the active tree.
    pub tree_size: u64,
}

/// One frozen shard inside [`LogInfo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InactiveShard {
    /// 64 hex root of the shard.
    pub root_hash: String,
    /// Signed note of the shard's last head.
    pub signed_tree_head: String,
    /// Tree ID, decimal.
    #[serde(rename = "treeID")]
    pub tree_id: String,
    /// Leaves in the shard.
    pub tree_size: u64,
}

fn null_when_empty<S: serde::Serializer>(
    shards: &[InactiveShard],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if shards.is_empty() { serializer.serialize_none() } else { shards.serialize(serializer) }
}

fn empty_when_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<InactiveShard>, D::Error> {
    Ok(Option::<Vec<InactiveShard>>::deserialize(deserializer)?.unwrap_or_default())
}
