//! Checking an entry's signature again.
//!
//! Border: putting the parts that the log keeps, the payload and the file
//! together into the proposal that they once were, and letting `entry` verify it.
//! The log checked every signature when it took the entry; not every kind keeps
//! what is needed to do it again.

use entry::{EntryError, Kind, Policy, ProposedEntry, StoredBody};
use serde_json::{Value, json};

/// The payload type of in-toto statements, which `dsse` bodies do not keep.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// No kind that is verified here asks for the time.
const ANY_TIME: i64 = 0;

/// What a second look at a signature gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// It verifies.
    Verified,
    /// It does not; the reason.
    False(String),
    /// It cannot be checked again; the reason. The log's receipt says that it was
    /// checked when the entry was added.
    NotChecked(String),
}

pub(super) fn check(
    body: &StoredBody,
    payload: Option<&[u8]>,
    content: Option<&[u8]>,
) -> SignatureCheck {
    let no_payload = || not_checked("the log keeps no payload of this entry");
    match body.kind {
        Kind::Hashedrekord => verify(proposal(body, body.spec.clone())),
        Kind::Rekord => match content {
            Some(content) => verify(rekord(body, content)),
            None => not_checked("the file was not read"),
        },
        Kind::Intoto if body.version == "0.0.1" => not_checked("the entry keeps no signature"),
        Kind::Intoto => match payload {
            Some(payload) => verify(intoto(body, payload)),
            None => no_payload(),
        },
        Kind::Dsse => match payload {
            Some(payload) => dsse(body, payload),
            None => no_payload(),
        },
        kind => not_checked(&format!("this client does not verify {kind} entries")),
    }
}

fn not_checked(reason: &str) -> SignatureCheck {
    SignatureCheck::NotChecked(reason.to_owned())
}

fn verify(proposal: Value) -> SignatureCheck {
    let entry = match ProposedEntry::from_value(proposal) {
        Ok(entry) => entry,
        Err(error) => return SignatureCheck::False(error.to_string()),
    };
    match entry.canonicalize(&Policy::default(), ANY_TIME) {
        Ok(_) => SignatureCheck::Verified,
        // What this client cannot read is not thereby false.
        Err(error @ EntryError::Version { .. }) => SignatureCheck::NotChecked(error.to_string()),
        Err(error) => SignatureCheck::False(error.to_string()),
    }
}

fn proposal(body: &StoredBody, spec: Value) -> Value {
    json!({ "apiVersion": body.version, "kind": body.kind.as_str(), "spec": spec })
}

fn rekord(body: &StoredBody, content: &[u8]) -> Value {
    let mut spec = body.spec.clone();
    if let Some(data) = spec.get_mut("data").and_then(Value::as_object_mut) {
        data.insert("content".to_owned(), json!(entry::base64::encode(content)));
    }
    proposal(body, spec)
}

/// The payload is encoded twice, as are the signatures in the body.
fn intoto(body: &StoredBody, payload: &[u8]) -> Value {
    let mut spec = body.spec.clone();
    let envelope = spec.pointer_mut("/content/envelope").and_then(Value::as_object_mut);
    if let Some(envelope) = envelope {
        let twice = entry::base64::encode(entry::base64::encode(payload));
        envelope.insert("payload".to_owned(), json!(twice));
    }
    proposal(body, spec)
}

fn dsse(body: &StoredBody, payload: &[u8]) -> SignatureCheck {
    let items = body.spec.get("signatures").and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let signatures: Vec<Value> =
        items.iter().map(|item| json!({ "keyid": "", "sig": item["signature"] })).collect();
    let mut verifiers: Vec<&Value> = Vec::new();
    for item in items {
        if !verifiers.contains(&&item["verifier"]) {
            verifiers.push(&item["verifier"]);
        }
    }
    let envelope = json!({
        "payloadType": IN_TOTO,
        "payload": entry::base64::encode(payload),
        "signatures": signatures,
    });
    let spec = json!({
        "proposedContent": { "envelope": envelope.to_string(), "verifiers": verifiers },
    });
    match verify(proposal(body, spec)) {
        // Either the signature is false, or the payload is no in-toto statement.
        SignatureCheck::False(_) => not_checked(
            "the entry does not keep the payload's type, and it is not that of in-toto statements",
        ),
        checked => checked,
    }
}
