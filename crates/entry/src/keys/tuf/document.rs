//! One signed TUF document.
//!
//! Border: `signed` and `signatures`; members beside them are dropped, everything inside
//! `signed` is kept.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::KeyError;
use super::canonical;
use crate::json;

/// Signatures that a document may have; each may cost a verification.
const MAX_SIGNATURES: usize = 256;

/// A document as read, nothing verified.
#[derive(Debug)]
pub(crate) struct Document {
    signed: Map<String, Value>,
    signatures: Vec<Signature>,
}

#[derive(Debug)]
pub(super) struct Signature {
    pub(super) key_id: String,
    pub(super) bytes: Vec<u8>,
}

impl Document {
    /// Reads JSON text.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        let value = json::document(text).map_err(|error| KeyError::invalid(error.to_string()))?;
        Self::from_value(value)
    }

    /// Reads JSON that was parsed before.
    pub(crate) fn from_value(mut value: Value) -> Result<Self, KeyError> {
        let Some(Value::Object(signed)) = value.get_mut("signed").map(Value::take) else {
            return Err(KeyError::invalid("tuf: the document has no signed object"));
        };
        let signatures = match value.get("signatures") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(signatures)) => signatures,
            Some(_) => return Err(KeyError::invalid("tuf: signatures is no array")),
        };
        if signatures.len() > MAX_SIGNATURES {
            let count = signatures.len();
            let text = format!("tuf: {count} signatures, at most {MAX_SIGNATURES} are taken");
            return Err(KeyError::invalid(text));
        }
        let signatures = signatures.iter().map(Signature::read).collect::<Result<_, _>>()?;
        Ok(Self { signed, signatures })
    }

    pub(super) fn signed(&self, member: &str) -> Option<&Value> {
        self.signed.get(member)
    }

    pub(super) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// `signed._type` in lower case.
    pub(crate) fn role(&self) -> Result<String, KeyError> {
        let role = self.signed("_type").and_then(Value::as_str);
        role.map(str::to_lowercase).ok_or_else(|| KeyError::invalid("tuf: no _type"))
    }

    /// `signed.version`; 0 if absent.
    pub(crate) fn version(&self) -> i64 {
        self.signed("version").and_then(Value::as_i64).unwrap_or_default()
    }

    /// What the signatures are made over.
    pub(super) fn signed_bytes(&self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = Vec::new();
        canonical::write(&Value::Object(self.signed.clone()), &mut bytes)?;
        Ok(bytes)
    }

    /// The stored form: RFC 8785 JSON of `signatures` and `signed`.
    pub(crate) fn to_canonical(&self) -> Result<Vec<u8>, KeyError> {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|s| json!({ "keyid": s.key_id, "sig": hex::encode(&s.bytes) }))
            .collect();
        serde_json_canonicalizer::to_vec(&json!({
            "signatures": signatures,
            "signed": self.signed,
        }))
        .map_err(|error| KeyError::invalid(format!("tuf: {error}")))
    }

    pub(super) fn check_expiry(&self, now: i64) -> Result<(), KeyError> {
        let expires = self.signed("expires").and_then(Value::as_str);
        let expires = expires.ok_or_else(|| KeyError::invalid("tuf: no expires"))?;
        let at: Timestamp = expires
            .parse()
            .map_err(|_| KeyError::invalid(format!("tuf: expires {expires:.40?} is no time")))?;
        if at.as_second() <= now {
            return Err(KeyError::invalid(format!("expired at {expires}")));
        }
        Ok(())
    }
}

impl Signature {
    fn read(value: &Value) -> Result<Self, KeyError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let key_id = text("keyid").unwrap_or_default().to_owned();
        let bytes = hex::decode(text("sig").unwrap_or_default())
            .map_err(|error| KeyError::invalid(format!("tuf: signature: {error}")))?;
        Ok(Self { key_id, bytes })
    }
}
