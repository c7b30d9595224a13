//! `intoto` 0.0.2: a DSSE envelope around an in-toto statement, with its
//! signatures and keys in the body.
//!
//! Border: one version of one kind. The envelope is verified while reading.
//! Payload and signatures travel as base64 of the base64 text that a DSSE
//! envelope holds, which is why two layers are taken off here.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence, PayloadKeys};
use crate::base64;
use crate::dsse::{Envelope, Key, Rule, Signature};
use crate::fields::{self, Digest, Fields, Problems};
use crate::keys::x509::X509Verifier;
use crate::{EntryError, Inputs, KeyFormat, Kind, ProposeError};
use crate::{index_keys, statement};

struct Intoto {
    payload_type: String,
    signatures: Vec<Signed>,
    /// As the client says; Rekor never checks it, so the leaf must keep it as it is.
    envelope_hash: Option<Digest>,
    payload_hash: Option<Digest>,
    /// The decoded payload and the keys; `None` in the stored form.
    proposed: Option<(Vec<u8>, Vec<X509Verifier>)>,
}

/// One signature as it is kept.
struct Signed {
    keyid: String,
    /// The DSSE signature text.
    sig: Vec<u8>,
    /// The key file as submitted.
    public_key: Vec<u8>,
}

const AT: &str = "content.content.envelope.content.envelope";

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let content = spec.object("content");
    let envelope = content.and_then(|content| content.object("envelope"));
    let mut problems = Problems::default();
    problems.require("content", content.is_some());
    if content.is_some() {
        problems.require("content.content.envelope", envelope.is_some());
    }
    let payload_type = envelope.and_then(|envelope| envelope.text("payloadType"));
    let payload = fields::bytes(envelope, "payload", "envelope payload")?;
    if envelope.is_some() {
        problems.require(&format!("{AT}.payloadType"), payload_type.is_some());
    }
    let signatures = match envelope {
        Some(envelope) => read_signatures(envelope.array("signatures"), &mut problems)?,
        None => Vec::new(),
    };
    let mut digest = |name: &str| {
        let path = format!("content.content.{name}.content.{name}");
        Digest::read(content.and_then(|c| c.object(name)), &path, &["sha256"], &mut problems)
    };
    let (envelope_hash, payload_hash) = (digest("hash"), digest("payloadHash"));
    problems.none()?;
    let payload_type = payload_type.unwrap_or_default().to_owned();
    let mut entry =
        Intoto { payload_type, signatures, envelope_hash, payload_hash, proposed: None };
    if let Some(payload) = payload {
        entry.verify(&payload)?;
    }
    Ok(Box::new(entry))
}

fn read_signatures(
    items: Option<&[Value]>,
    problems: &mut Problems,
) -> Result<Vec<Signed>, EntryError> {
    let at = format!("{AT}.signatures");
    let Some(items) = items else {
        problems.require(&at, false);
        return Ok(Vec::new());
    };
    let items = fields::objects(items).collect::<Vec<_>>();
    problems.at_least_one(&at, items.len());
    let mut signatures = Vec::with_capacity(items.len().min(64));
    for (number, fields) in items.iter().enumerate() {
        let sig = fields.bytes("sig", "signature")?;
        let public_key = fields.bytes("publicKey", "public key")?;
        problems.require(&format!("{at}.{number}.publicKey"), public_key.is_some());
        problems.require(&format!("{at}.{number}.sig"), sig.is_some());
        if let (Some(sig), Some(public_key)) = (sig, public_key) {
            let keyid = fields.text("keyid").unwrap_or_default().to_owned();
            signatures.push(Signed { keyid, sig, public_key });
        }
    }
    Ok(signatures)
}

impl Intoto {
    /// Verifies the DSSE envelope that the doubly encoded fields make up.
    fn verify(&mut self, payload: &[u8]) -> Result<(), EntryError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let signature = |s: &Signed| Signature { keyid: s.keyid.clone(), sig: text(&s.sig) };
        let envelope = Envelope {
            payload_type: self.payload_type.clone(),
            payload: text(payload),
            signatures: self.signatures.iter().map(signature).collect(),
        };
        envelope.check_count()?;
        let keys: Vec<Key<'_>> = self.signatures.iter().map(|s| Key::new(&s.public_key)).collect();
        envelope.verify(&keys, Rule::EveryKey)?;
        let keys = keys.into_iter().map(Key::into_verifier).collect::<Result<Vec<_>, _>>()?;
        // Rekor hashes what the standard alphabet decodes to; the other one is refused.
        let payload = base64::decode(envelope.payload.as_bytes()).map_err(|error| {
            EntryError::invalid(format!("could not decode envelope payload: {error}"))
        })?;
        self.payload_hash = Some(Digest::sha256(&payload));
        self.proposed = Some((payload, keys));
        Ok(())
    }
}

impl Evidence for Intoto {
    fn insertable(&self) -> Result<(), EntryError> {
        // It is there if its text is, and that may be nothing but line breaks.
        if self.proposed.is_none() {
            return Err(EntryError::not_insertable("missing envelope content"));
        }
        if self.payload_type.is_empty() {
            return Err(EntryError::not_insertable("missing payloadType content"));
        }
        Ok(())
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let missing = |what: &'static str| EntryError::Internal(what.into());
        let hash = self.envelope_hash.as_ref().ok_or_else(|| missing("missing envelope digest"))?;
        let payload_hash =
            self.payload_hash.as_ref().ok_or_else(|| missing("missing payload digest"))?;
        let signatures = self.signatures.iter().map(|signed| {
            let mut kept = json!({
                "publicKey": base64::encode(&signed.public_key),
                "sig": base64::encode(&signed.sig),
            });
            if !signed.keyid.is_empty() {
                kept["keyid"] = json!(signed.keyid);
            }
            kept
        });
        let spec = json!({ "content": {
            "envelope": {
                "payloadType": self.payload_type,
                "signatures": signatures.collect::<Vec<_>>(),
            },
            "hash": hash,
            "payloadHash": payload_hash,
        }});
        let mut keys = digest_keys(payload_hash, hash);
        let Some((payload, verifiers)) = &self.proposed else {
            return Ok(Canonical { spec, index_keys: keys, payload: None });
        };
        keys.extend(verifiers.iter().flat_map(|key| index_keys::of_envelope_key(key)));
        keys.extend(statement::index_keys(&self.payload_type, payload)?);
        Ok(Canonical { spec, index_keys: keys, payload: Some(payload.clone()) })
    }

    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let digests = self.payload_hash.as_ref().zip(self.envelope_hash.as_ref());
        let mut keys = digests.map_or_else(Vec::new, |(payload, hash)| digest_keys(payload, hash));
        for signed in &self.signatures {
            keys.extend(index_keys::of_envelope_key(&X509Verifier::parse(&signed.public_key)?));
        }
        Ok(keys)
    }

    fn keeps_payload(&self) -> bool {
        true
    }

    fn payload_hash(&self) -> Option<&Digest> {
        self.payload_hash.as_ref()
    }

    fn payload_keys(&self, payload: &[u8]) -> PayloadKeys {
        PayloadKeys::Certain(statement::index_keys(&self.payload_type, payload).unwrap_or_default())
    }
}

fn digest_keys(payload: &Digest, envelope: &Digest) -> Vec<String> {
    let mut keys = vec![payload.index_key()];
    // Not indexed by Rekor, so that a search by the envelope's digest finds nothing there.
    if envelope.value.len() == 64 && hex::decode(&envelope.value).is_ok() {
        keys.push(envelope.index_key());
    }
    keys
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Intoto, &[KeyFormat::X509])?;
    let text = inputs.text()?;
    let envelope = Envelope::parse(text)?;
    let keys: Vec<Key<'_>> = inputs.some_keys()?.iter().map(|key| Key::new(key)).collect();
    let by = envelope.verify(&keys, Rule::EveryKey)?;
    let signatures = envelope.signatures.iter().zip(by).map(|(signature, at)| {
        let key = keys[at].verifier()?;
        let mut signed = json!({
            "publicKey": base64::encode(key.canonical()),
            "sig": base64::encode(&signature.sig),
        });
        if !signature.keyid.is_empty() {
            signed["keyid"] = json!(signature.keyid);
        }
        Ok(signed)
    });
    Ok(json!({ "content": {
        "envelope": {
            "payload": base64::encode(&envelope.payload),
            "payloadType": envelope.payload_type,
            "signatures": signatures.collect::<Result<Vec<_>, EntryError>>()?,
        },
        "hash": Digest::sha256(text.as_bytes()),
    }}))
}
