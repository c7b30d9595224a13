//! One entry of the log as the API shows it.
//!
//! Border: its members, and the bytes that a SET covers. Nothing is signed or verified here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Base64;
use crate::bounded::{bounded_list, bounded_object};

/// Members of a [`LogEntry`] that are read at most; more than one is wrong already.
const MEMBERS: usize = 10;

/// Hashes of a proof that are read at most. A tree of 2^64 leaves is 64 levels high; none but a
/// proof of consistency can have more hashes than that, by a few.
pub(crate) const MAX_HASHES: usize = 128;

/// A JSON object with exactly one member: the 80-hex entry ID (16 hex of the
/// tree ID, 64 hex of the leaf hash) and its [`EntryBody`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct LogEntry(
    #[serde(deserialize_with = "bounded_object::<MEMBERS, _, _>")] pub BTreeMap<String, EntryBody>,
);

/// A [`LogEntry`] that does not hold exactly one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log entry holds exactly one member, this one holds {0}")]
pub struct LogEntryError(pub usize);

impl LogEntry {
    /// Wraps one entry under its 80-hex entry ID.
    #[must_use]
    pub fn new(entry_id: String, body: EntryBody) -> Self {
        Self(BTreeMap::from([(entry_id, body)]))
    }

    /// The one member: entry ID and body.
    ///
    /// # Errors
    /// [`LogEntryError`] when there is none or more than one.
    pub fn single(&self) -> Result<(&str, &EntryBody), LogEntryError> {
        match (self.0.len(), self.0.first_key_value()) {
            (1, Some((id, body))) => Ok((id, body)),
            (len, _) => Err(LogEntryError(len)),
        }
    }
}

/// The value of a [`LogEntry`] (Rekor's `LogEntryAnon`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EntryBody {
    /// The kept payload of an attestation; never in the answer to a POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<AttestationData>,
    /// The canonical leaf bytes, base64.
    pub body: Base64,
    /// Unix seconds at which the leaf was sequenced.
    pub integrated_time: i64,
    /// 64 hex: SHA-256 of the log key's DER SubjectPublicKeyInfo.
    #[serde(rename = "logID")]
    pub log_id: String,
    /// Virtual index, counted over all shards.
    pub log_index: u64,
    /// SET and inclusion proof; absent only in answers of foreign servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

/// The payload kept beside an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttestationData {
    /// The payload bytes, base64; absent when the payload is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Base64>,
}

/// What proves an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// RFC 6962 audit path with the checkpoint that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusion_proof: Option<InclusionProof>,
    /// Signature over [`SetPayload`], base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_entry_timestamp: Option<Base64>,
}

/// RFC 6962 audit path from one leaf to a signed root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InclusionProof {
    /// Signed note of the tree head at `tree_size`.
    #[serde(default)]
    pub checkpoint: String,
    /// Audit path, leaf to root, each 64 hex; `[]` for a tree of one leaf.
    #[serde(deserialize_with = "bounded_list::<MAX_HASHES, _, _>")]
    pub hashes: Vec<String>,
    /// Index inside the shard.
    pub log_index: u64,
    /// 64 hex.
    pub root_hash: String,
    /// Leaves in the tree that the path was computed for, at least 1.
    pub tree_size: u64,
}

/// The four members that a signed entry timestamp (SET) covers.
///
/// Serialised with `serde_json` this is RFC 8785 canonical JSON: members are in
/// sorted order, all texts are base64 or hex, and the integers stay below 2^53.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetPayload<'a> {
    /// The base64 text of the leaf bytes, as in the answer.
    pub body: &'a str,
    /// Unix seconds.
    pub integrated_time: i64,
    /// 64 hex.
    #[serde(rename = "logID")]
    pub log_id: &'a str,
    /// Virtual index.
    pub log_index: u64,
}

impl SetPayload<'_> {
    /// The bytes that are signed.
    #[must_use]
    pub fn to_signed_bytes(&self) -> Vec<u8> {
        format!("{{{}}}", self.members()).into_bytes()
    }

    /// What is between the braces.
    pub(crate) fn members(&self) -> String {
        let (body, log_id) = (self.body, self.log_id);
        let (time, index) = (self.integrated_time, self.log_index);
        // Base64 and hex need no JSON escapes, so the canonical form is this text.
        format!(
            "\"body\":\"{body}\",\"integratedTime\":{time},\"logID\":\"{log_id}\",\"logIndex\":{index}"
        )
    }
}

impl EntryBody {
    /// The bytes that this entry's SET signs.
    #[must_use]
    pub fn set_payload(&self) -> Vec<u8> {
        SetPayload {
            body: &self.body.to_text(),
            integrated_time: self.integrated_time,
            log_id: &self.log_id,
            log_index: self.log_index,
        }
        .to_signed_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_payload_is_the_documented_canonical_text() {
        let payload = SetPayload {
            body: "eyJuIjoxfQ==",
            integrated_time: 1_700_000_000,
            log_id: "7fc8c6a081b50b7383214b707f31309ffffe7e9a7948989be7b5d5cf969219d9",
            log_index: 6,
        };
        assert_eq!(payload.to_signed_bytes(), serde_json::to_vec(&payload).unwrap());
    }

    #[test]
    fn what_is_longer_than_it_can_be_is_refused() {
        let proof = |hashes: usize| {
            let hashes = vec![""; hashes];
            let proof = serde_json::json!({
                "hashes": hashes, "logIndex": 0, "rootHash": "", "treeSize": 1,
            });
            serde_json::from_value::<InclusionProof>(proof).map_err(|error| error.to_string())
        };
        assert_eq!(proof(MAX_HASHES).unwrap().hashes.len(), MAX_HASHES);
        let refused = proof(MAX_HASHES + 1).unwrap_err();
        assert_eq!(refused, "invalid length 129, expected a list of at most 128 items");
        let member =
            serde_json::json!({ "body": "", "integratedTime": 0, "logID": "", "logIndex": 0 });
        let entry = |members: usize| {
            let members = (0..members).map(|n| (n.to_string(), member.clone()));
            let entry = serde_json::Value::Object(members.collect());
            serde_json::from_value::<LogEntry>(entry).map_err(|error| error.to_string())
        };
        assert_eq!(entry(MEMBERS).unwrap().single(), Err(LogEntryError(MEMBERS)));
        let refused = entry(MEMBERS + 1).unwrap_err();
        assert_eq!(refused, "invalid length 11, expected an object of at most 10 members");
    }

    #[test]
    fn two_members_are_refused() {
        let text = r#"{"a":{"body":"","integratedTime":0,"logID":"","logIndex":0},
                       "b":{"body":"","integratedTime":0,"logID":"","logIndex":0}}"#;
        let entry: LogEntry = serde_json::from_str(text).unwrap();
        assert_eq!(entry.single(), Err(LogEntryError(2)));
    }
}
