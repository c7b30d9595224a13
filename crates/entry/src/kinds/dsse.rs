//! `dsse` 0.0.1: a DSSE envelope; signatures and keys are kept in the body, the
//! payload beside it.
//!
//! Border: one kind. The signatures are verified while reading.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::dsse::{Envelope, Key, Rule};
use crate::fields::{self, Digest, Fields, Problems};
use crate::keys::x509::X509Verifier;
use crate::{EntryError, Inputs, KeyError, KeyFormat, Kind, ProposeError};
use crate::{index_keys, statement};

/// Keys that a proposal may offer.
const MAX_VERIFIERS: usize = 64;

pub(super) fn read(spec: Fields<'_>, context: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let proposed = spec.object("proposedContent");
    let verifiers = match proposed.and_then(|proposed| proposed.array("verifiers")) {
        Some(items) => Some(verifiers(items)?),
        None => None,
    };
    let stored = Stored::read(spec, proposed, verifiers.as_deref(), context.problems())?;
    match (proposed, stored) {
        (Some(proposed), None) => {
            Ok(Box::new(Proposed::read(proposed, &verifiers.unwrap_or_default())?))
        }
        (None, Some(stored)) => stored.complete(),
        (None, None) => Err(EntryError::invalid(NEITHER)),
        (Some(_), Some(_)) => Err(EntryError::invalid(format!("{NEITHER} but not both"))),
    }
}

const NEITHER: &str =
    "either proposedContent or envelopeHash, payloadHash, and signatures must be present";

/// An envelope whose every signature was verified.
struct Proposed {
    envelope_text: String,
    payload_type: String,
    payload: Vec<u8>,
    /// Signature text and the key that verifies it, one per distinct text.
    signed: Vec<(String, usize)>,
    keys: Vec<Option<X509Verifier>>,
}

impl Proposed {
    fn read(proposed: Fields<'_>, verifiers: &[Vec<u8>]) -> Result<Self, EntryError> {
        let text = proposed.text("envelope").unwrap_or_default();
        if text.is_empty() {
            return Err(EntryError::invalid("proposed content envelope is missing"));
        }
        let envelope = Envelope::parse(text)?;
        if envelope.signatures.is_empty() {
            let none = "DSSE envelope must contain 1 or more signatures";
            return Err(EntryError::invalid(none));
        }
        let keys: Vec<Key<'_>> = verifiers.iter().map(|content| Key::new(content)).collect();
        let by = envelope.verify(&keys, Rule::StopWhenAllMatched)?;
        let mut signed: Vec<(String, usize)> =
            envelope.signatures.iter().map(|s| s.sig.clone()).zip(by.iter().copied()).collect();
        signed.sort();
        signed.dedup_by(|a, b| a.0 == b.0);
        let keys = keys.into_iter().enumerate().map(|(at, key)| {
            if by.contains(&at) { key.into_verifier().map(Some) } else { Ok(None) }
        });
        Ok(Self {
            envelope_text: text.to_owned(),
            payload: envelope.payload()?,
            payload_type: envelope.payload_type,
            signed,
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// Each signature text with its key.
    fn signed(&self) -> impl Iterator<Item = (&str, &X509Verifier)> {
        self.signed.iter().filter_map(|(sig, at)| Some((sig.as_str(), self.keys[*at].as_ref()?)))
    }
}

/// The verifiers; empty ones and elements of another type count as absent.
fn verifiers(items: &[Value]) -> Result<Vec<Vec<u8>>, EntryError> {
    let texts = items.iter().filter_map(Value::as_str).filter(|text| !text.is_empty());
    let texts: Vec<&str> = texts.collect();
    if texts.len() > MAX_VERIFIERS {
        return Err(EntryError::invalid(format!(
            "{} verifiers, at most {MAX_VERIFIERS} are taken",
            texts.len()
        )));
    }
    texts.into_iter().map(|text| fields::decode(text, "verifier")).collect()
}

impl Evidence for Proposed {
    fn insertable(&self) -> Result<(), EntryError> {
        Ok(())
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let signatures = self.signed().map(
            |(sig, key)| json!({ "signature": sig, "verifier": base64::encode(key.canonical()) }),
        );
        let (envelope, payload) =
            (Digest::sha256(self.envelope_text.as_bytes()), Digest::sha256(&self.payload));
        let spec = json!({
            "envelopeHash": envelope,
            "payloadHash": payload,
            "signatures": signatures.collect::<Vec<_>>(),
        });
        let mut keys = vec![payload.index_key(), envelope.index_key()];
        keys.extend(self.signed().flat_map(|(_, key)| index_keys::of_envelope_key(key)));
        keys.extend(statement::index_keys(&self.payload_type, &self.payload)?);
        Ok(Canonical { spec, index_keys: keys, payload: Some(self.payload.clone()) })
    }
}

/// The form that the log keeps, for look-ups.
struct Stored {
    envelope: Option<Digest>,
    payload: Option<Digest>,
    signatures: Vec<(String, Vec<u8>)>,
}

impl Stored {
    /// Checks the fields of both forms; `None` when no member of this form is there.
    fn read(
        spec: Fields<'_>,
        proposed: Option<Fields<'_>>,
        verifiers: Option<&[Vec<u8>]>,
        mut problems: Problems,
    ) -> Result<Option<Self>, EntryError> {
        let mut digest = |name: &str| {
            Digest::read(spec.object(name), &format!("{name}.{name}"), &["sha256"], &mut problems)
        };
        let (envelope, payload) = (digest("envelopeHash"), digest("payloadHash"));
        if let Some(proposed) = proposed {
            let at = "proposedContent.proposedContent";
            problems.require(&format!("{at}.envelope"), proposed.text("envelope").is_some());
            match verifiers {
                None => problems.require(&format!("{at}.verifiers"), false),
                Some(keys) => problems.at_least_one(&format!("{at}.verifiers"), keys.len()),
            }
        }
        let items = spec.array("signatures");
        let signatures = match items {
            Some(items) => read_stored_signatures(items, &mut problems)?,
            None => Vec::new(),
        };
        problems.none()?;
        let any = envelope.is_some() || payload.is_some() || items.is_some();
        Ok(any.then_some(Self { envelope, payload, signatures }))
    }

    fn complete(self) -> Result<Box<dyn Evidence>, EntryError> {
        let complete =
            self.envelope.is_some() && self.payload.is_some() && !self.signatures.is_empty();
        if complete { Ok(Box::new(self)) } else { Err(EntryError::invalid(NEITHER)) }
    }
}

fn read_stored_signatures(
    items: &[Value],
    problems: &mut Problems,
) -> Result<Vec<(String, Vec<u8>)>, EntryError> {
    let items: Vec<Fields<'_>> = fields::objects(items).collect();
    problems.at_least_one("signatures", items.len());
    let mut signatures = Vec::with_capacity(items.len());
    for (number, fields) in items.iter().enumerate() {
        let (signature, verifier) =
            (fields.text("signature"), fields.bytes("verifier", "verifier")?);
        let at = format!("signatures.{number}");
        problems.require(&format!("{at}.signature"), signature.is_some());
        let strict = signature.is_none_or(is_strict_base64);
        problems.matches(&format!("{at}.signature"), strict, BASE64_PATTERN);
        problems.require(&format!("{at}.verifier"), verifier.is_some());
        if let (Some(signature), Some(verifier)) = (signature, verifier) {
            signatures.push((signature.to_owned(), verifier));
        }
    }
    Ok(signatures)
}

/// What [`is_strict_base64`] demands, as Rekor writes it.
const BASE64_PATTERN: &str =
    r"^(?:[A-Za-z0-9+\/]{4})*(?:[A-Za-z0-9+\/]{2}==|[A-Za-z0-9+\/]{3}=|[A-Za-z0-9+\/]{4})$";

/// Whether the text is base64 of something, without line breaks.
fn is_strict_base64(text: &str) -> bool {
    !text.contains(['\r', '\n']) && base64::decode(text.as_bytes()).is_ok_and(|b| !b.is_empty())
}

impl Evidence for Stored {
    fn insertable(&self) -> Result<(), EntryError> {
        Err(EntryError::not_insertable("missing proposed content"))
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let mut signatures = self.signatures.clone();
        signatures.sort_by(|a, b| a.0.cmp(&b.0));
        let signatures = signatures.iter().map(|(signature, verifier)| {
            json!({ "signature": signature, "verifier": base64::encode(verifier) })
        });
        let spec = json!({
            "envelopeHash": self.envelope,
            "payloadHash": self.payload,
            "signatures": signatures.collect::<Vec<_>>(),
        });
        Ok(Canonical { spec, index_keys: Vec::new(), payload: None })
    }

    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let digests = [&self.payload, &self.envelope].into_iter().flatten();
        let mut keys: Vec<String> = digests.map(Digest::index_key).collect();
        for (_, verifier) in &self.signatures {
            keys.extend(index_keys::of_envelope_key(&X509Verifier::parse(verifier)?));
        }
        Ok(keys)
    }

    fn keeps_payload(&self) -> bool {
        true
    }

    fn payload_hash(&self) -> Option<&Digest> {
        self.payload.as_ref()
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Dsse, &[KeyFormat::X509])?;
    let verifiers = inputs.some_keys()?.iter().map(|key| -> Result<_, KeyError> {
        Ok(base64::encode(X509Verifier::parse(key)?.canonical()))
    });
    Ok(json!({ "proposedContent": {
        "envelope": inputs.text()?,
        "verifiers": verifiers.collect::<Result<Vec<_>, _>>()?,
    }}))
}
