//! `cose` 0.0.1: a COSE_Sign1 message (RFC 9052 section 4.2), kept as attestation.
//!
//! Border: one kind. The message is verified while reading.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence, PayloadKeys};
use crate::base64;
use crate::cose::Sign1;
use crate::fields::{self, Digest, Fields, Problems};
use crate::keys::x509::X509Verifier;
use crate::{EntryError, Inputs, KeyFormat, Kind, ProposeError};
use crate::{index_keys, statement};

struct Cose {
    key: X509Verifier,
    /// Of message and payload, as the stored form names them.
    stored_digests: [Option<Digest>; 2],
    /// `None` in the stored form.
    message: Option<Message>,
    has_data: bool,
}

struct Message {
    bytes: Vec<u8>,
    payload_digest: Digest,
    statement_keys: Vec<String>,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let key = spec.bytes("publicKey", "public key")?;
    let message = spec.bytes("message", "message")?;
    let data = spec.object("data");
    let aad = fields::bytes(data, "aad", "aad")?;
    let mut problems = Problems::default();
    let mut hash = |name: &str| {
        let path = format!("data.data.{name}.data.{name}");
        Digest::read(data.and_then(|data| data.object(name)), &path, &["sha256"], &mut problems)
    };
    let stored_digests = [hash("envelopeHash"), hash("payloadHash")];
    problems.require("publicKey", key.is_some());
    problems.none()?;
    let key = key.ok_or_else(|| EntryError::invalid("missing public key"))?;
    let key = X509Verifier::parse(&key)?;
    let message = match message {
        Some(bytes) => Some(verify(bytes, &key, aad.as_deref().unwrap_or_default())?),
        None => None,
    };
    if message.is_none() && data.is_none() {
        return Err(EntryError::invalid("cose object data cannot be nil"));
    }
    if message.is_none() && stored_digests[0].is_none() {
        return Err(EntryError::invalid("envelope hash should have been previously computed"));
    }
    Ok(Box::new(Cose { key, stored_digests, message, has_data: data.is_some() }))
}

fn verify(bytes: Vec<u8>, key: &X509Verifier, aad: &[u8]) -> Result<Message, EntryError> {
    let sign1 = Sign1::parse(&bytes)?;
    sign1.verify(key.key(), aad)?;
    Ok(Message {
        payload_digest: Digest::sha256(sign1.payload()),
        statement_keys: statement_keys(&sign1)?,
        bytes,
    })
}

fn statement_keys(sign1: &Sign1) -> Result<Vec<String>, EntryError> {
    let content_type = sign1.content_type().unwrap_or_default();
    statement::subject_keys(content_type, sign1.payload())
}

impl Evidence for Cose {
    fn insertable(&self) -> Result<(), EntryError> {
        if self.message.is_none() {
            return Err(EntryError::not_insertable("missing COSE Sign1 message"));
        }
        if !self.has_data {
            return Err(EntryError::not_insertable("missing COSE data property"));
        }
        Ok(())
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let message = self.message.as_ref();
        let message = message.ok_or_else(|| EntryError::invalid("signed message uninitialized"))?;
        let envelope_digest = Digest::sha256(&message.bytes);
        let spec = json!({
            "data": { "envelopeHash": envelope_digest, "payloadHash": message.payload_digest },
            "publicKey": base64::encode(self.key.canonical()),
        });
        let mut keys = index_keys::of_key(&self.key);
        keys.extend([envelope_digest.index_key(), message.payload_digest.index_key()]);
        keys.extend(message.statement_keys.iter().cloned());
        Ok(Canonical { spec, index_keys: keys, payload: Some(message.bytes.clone()) })
    }

    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let mut keys = index_keys::of_key(&self.key);
        keys.extend(self.stored_digests.iter().flatten().map(Digest::index_key));
        Ok(keys)
    }

    fn keeps_payload(&self) -> bool {
        true
    }

    fn payload_hash(&self) -> Option<&Digest> {
        self.stored_digests[0].as_ref()
    }

    fn payload_keys(&self, payload: &[u8]) -> PayloadKeys {
        let keys = Sign1::parse(payload).and_then(|message| statement_keys(&message));
        PayloadKeys::Certain(keys.unwrap_or_default())
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Cose, &[KeyFormat::X509])?;
    let data = match &inputs.aad {
        Some(aad) => json!({ "aad": base64::encode(aad) }),
        None => json!({}),
    };
    Ok(json!({
        "data": data,
        "message": base64::encode(inputs.artifact()?),
        "publicKey": base64::encode(inputs.only_key()?),
    }))
}
