//! `intoto` 0.0.1: a DSSE envelope around an in-toto statement, one key; no
//! signature is kept in the body.
//!
//! Border: one version of one kind. The envelope is verified while reading.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::dsse::Envelope;
use crate::fields::{Digest, Fields, Problems};
use crate::keys::x509::X509Verifier;
use crate::{EntryError, Inputs, KeyFormat, Kind, ProposeError};
use crate::{index_keys, statement};

struct Intoto {
    key: X509Verifier,
    envelope_hash: Digest,
    /// Absent in the stored form of very old entries.
    payload_hash: Option<Digest>,
    /// `None` in the stored form.
    proposed: Option<Proposed>,
}

struct Proposed {
    envelope: Envelope,
    payload: Vec<u8>,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let content = spec.object("content");
    let key = spec.bytes("publicKey", "public key")?;
    let mut problems = Problems::default();
    problems.require("content", content.is_some());
    let mut digest = |name: &str| {
        let path = format!("content.content.{name}.content.{name}");
        Digest::read(content.and_then(|c| c.object(name)), &path, &["sha256"], &mut problems)
    };
    let (stored_hash, stored_payload_hash) = (digest("hash"), digest("payloadHash"));
    problems.require("publicKey", key.is_some());
    problems.none()?;
    let missing = |what: &'static str| EntryError::invalid(what);
    let content = content.ok_or_else(|| missing("missing content in intoto v0.0.1 entry"))?;
    let key = key.ok_or_else(|| missing("missing public key in intoto v0.0.1 entry"))?;
    let key = X509Verifier::parse(&key)?;
    match content.text("envelope").filter(|text| !text.is_empty()) {
        Some(text) => read_proposal(key, text),
        None => read_stored(key, stored_hash, stored_payload_hash),
    }
}

fn read_proposal(key: X509Verifier, text: &str) -> Result<Box<dyn Evidence>, EntryError> {
    let envelope = Envelope::parse(text)?;
    envelope.verify_any(&key, key.key().ssh_fingerprint().as_deref())?;
    // Rekor hashes what the standard alphabet decodes to; the other one is refused.
    let payload = base64::decode(envelope.payload.as_bytes())
        .map_err(|error| EntryError::invalid(error.to_string()))?;
    Ok(Box::new(Intoto {
        key,
        envelope_hash: Digest::sha256(text.as_bytes()),
        payload_hash: Some(Digest::sha256(&payload)),
        proposed: Some(Proposed { envelope, payload }),
    }))
}

fn read_stored(
    key: X509Verifier,
    hash: Option<Digest>,
    payload_hash: Option<Digest>,
) -> Result<Box<dyn Evidence>, EntryError> {
    let hash = hash.ok_or_else(|| EntryError::invalid("missing hash value for envelope"))?;
    check_hex(&hash, "envelope")?;
    if let Some(hash) = &payload_hash {
        check_hex(hash, "payload")?;
    }
    Ok(Box::new(Intoto { key, envelope_hash: hash, payload_hash, proposed: None }))
}

fn check_hex(hash: &Digest, what: &str) -> Result<(), EntryError> {
    if hash.value.len() == 64 && hex::decode(&hash.value).is_ok() {
        return Ok(());
    }
    Err(EntryError::invalid(format!(
        "validation error on {what} hash: {:?} is not the hex of a SHA-256",
        hash.value
    )))
}

impl Evidence for Intoto {
    fn insertable(&self) -> Result<(), EntryError> {
        let Some(Proposed { envelope, .. }) = &self.proposed else {
            return Err(EntryError::not_insertable("missing envelope content"));
        };
        if envelope.payload.is_empty()
            || envelope.payload_type.is_empty()
            || envelope.signatures.is_empty()
        {
            return Err(EntryError::not_insertable("invalid DSSE envelope"));
        }
        Ok(())
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let mut content = json!({ "hash": self.envelope_hash });
        if let Some(hash) = &self.payload_hash {
            content["payloadHash"] = json!(hash);
        }
        let spec = json!({
            "content": content,
            "publicKey": base64::encode(self.key.canonical()),
        });
        let mut keys = vec![self.envelope_hash.index_key()];
        keys.extend(self.payload_hash.as_ref().map(Digest::index_key));
        keys.extend(index_keys::of_envelope_key(&self.key));
        let Some(Proposed { envelope, payload }) = &self.proposed else {
            return Ok(Canonical { spec, index_keys: keys, payload: None });
        };
        keys.extend(statement::index_keys(&envelope.payload_type, payload)?);
        Ok(Canonical { spec, index_keys: keys, payload: Some(payload.clone()) })
    }

    fn keeps_payload(&self) -> bool {
        true
    }

    fn payload_hash(&self) -> Option<&Digest> {
        self.payload_hash.as_ref()
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Intoto, &[KeyFormat::X509])?;
    let key = X509Verifier::parse(inputs.only_key()?)?;
    Ok(json!({
        "content": { "envelope": inputs.text()? },
        "publicKey": base64::encode(key.canonical()),
    }))
}
