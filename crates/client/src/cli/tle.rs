//! The form `tle`: Sigstore's `TransparencyLogEntry` (protobuf-specs,
//! `sigstore_rekor.proto`) as proto-JSON.
//!
//! Border: printing; 64-bit integers are strings and bytes are base64 there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::StoredBody;
use indelible_client::verify::VerifiedReceipt;
use serde_json::json;
use wire::EntryBody;

use super::Terminal;

/// Prints a verified entry.
pub(super) fn print(
    receipt: &VerifiedReceipt,
    shown: &EntryBody,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let body = StoredBody::parse(&receipt.body)?;
    let set = shown.verification.as_ref().and_then(|v| v.signed_entry_timestamp.as_ref());
    let hashes: Vec<String> = receipt.path.iter().map(|hash| STANDARD.encode(hash)).collect();
    let head = receipt.head.checkpoint();
    let entry = json!({
        "logIndex": receipt.log_index.to_string(),
        "logId": { "keyId": STANDARD.encode(hex::decode(&shown.log_id)?) },
        "kindVersion": { "kind": body.kind.as_str(), "version": body.version },
        "integratedTime": receipt.integrated_time.to_string(),
        "inclusionPromise": {
            "signedEntryTimestamp": set.map(|set| STANDARD.encode(&set.0)),
        },
        "inclusionProof": {
            "logIndex": receipt.tree_index.to_string(),
            "rootHash": STANDARD.encode(head.root),
            "treeSize": head.size.to_string(),
            "hashes": hashes,
            "checkpoint": { "envelope": receipt.head.note() },
        },
        "canonicalizedBody": STANDARD.encode(&receipt.body),
    });
    Ok(writeln!(terminal.out, "{entry}")?)
}
