//! One signed TUF document.
//!
//! Border: `signed` and `signatures`; members beside them are dropped, everything inside
//! `signed` is kept.

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::super::KeyError;
use super::members::{Members, any_case};
use super::{canonical, expiry};
use crate::json;

/// Signatures that a document may have; each may cost a verification.
const MAX_SIGNATURES: usize = 256;

/// A document as read, nothing verified.
#[derive(Debug)]
pub(crate) struct Document {
    signed: Map<String, Value>,
    signatures: Vec<Signature>,
    version: i64,
}

#[derive(Debug)]
pub(super) struct Signature {
    pub(super) key_id: String,
    pub(super) bytes: Vec<u8>,
}

impl Document {
    /// Reads JSON text.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(text).map_err(invalid)?;
        Self::new(json::document_as(text).map_err(invalid)?)
    }

    /// Reads JSON that was parsed before.
    pub(crate) fn from_value(value: &Value) -> Result<Self, KeyError> {
        Self::new(Members::deserialize(value).map_err(invalid)?)
    }

    fn new(members: Members) -> Result<Self, KeyError> {
        let Value::Object(signed) = members.signed else {
            return Err(KeyError::invalid("tuf: the document has no signed object"));
        };
        let signatures = match &members.signatures {
            Value::Null => &[][..],
            Value::Array(signatures) => signatures,
            _ => return Err(KeyError::invalid("tuf: signatures is no array")),
        };
        if signatures.len() > MAX_SIGNATURES {
            let count = signatures.len();
            let text = format!("tuf: {count} signatures, at most {MAX_SIGNATURES} are taken");
            return Err(KeyError::invalid(text));
        }
        let signatures = signatures.iter().map(Signature::read).collect::<Result<_, _>>()?;
        let version = read_version(signed.get("version"))?;
        if !matches!(signed.get("spec_version"), None | Some(Value::Null | Value::String(_))) {
            return Err(KeyError::invalid("tuf: spec_version is no text"));
        }
        Ok(Self { signed, signatures, version })
    }

    pub(super) fn signed(&self, member: &str) -> Option<&Value> {
        self.signed.get(member)
    }

    pub(super) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// `signed._type`.
    pub(crate) fn role(&self) -> Result<&str, KeyError> {
        let role = self.signed("_type").and_then(Value::as_str);
        role.ok_or_else(|| KeyError::invalid("tuf: no _type"))
    }

    /// `signed.version` as it is stored; 0 if absent.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// What the signatures are made over.
    pub(super) fn signed_bytes(&self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = Vec::new();
        canonical::write_object(&self.signed, &mut bytes)?;
        Ok(bytes)
    }

    /// The document without what is dropped.
    pub(crate) fn to_value(&self) -> Value {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|s| json!({ "keyid": s.key_id, "sig": hex::encode(&s.bytes) }))
            .collect();
        json!({ "signatures": signatures, "signed": self.signed })
    }

    /// The stored form: RFC 8785 JSON of `signatures` and `signed`.
    pub(crate) fn to_canonical(&self) -> Result<Vec<u8>, KeyError> {
        serde_json_canonicalizer::to_vec(&self.to_value()).map_err(invalid)
    }

    pub(super) fn check_expiry(&self, now: i64) -> Result<(), KeyError> {
        let expires = self.signed("expires").and_then(Value::as_str);
        let expires = expires.ok_or_else(|| KeyError::invalid("tuf: no expires"))?;
        let at = expiry::unix_second(expires)
            .ok_or_else(|| KeyError::invalid(format!("tuf: expires {expires:.40?} is no time")))?;
        if at <= now {
            return Err(KeyError::invalid(format!("expired at {expires}")));
        }
        Ok(())
    }
}

impl Signature {
    /// Reads an element of `signatures`: a null is an empty signature, as for Rekor.
    fn read(value: &Value) -> Result<Self, KeyError> {
        let object = match value {
            Value::Null => return Ok(Self { key_id: String::new(), bytes: Vec::new() }),
            Value::Object(object) => object,
            _ => return Err(KeyError::invalid("tuf: a signature is no object")),
        };
        let text = |name: &str| match any_case(object, name) {
            None => Ok(""),
            Some(Value::Null) if name == "keyid" => Ok(""),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(KeyError::invalid(format!("tuf: a signature's {name} is no text"))),
        };
        let bytes = hex::decode(text("sig")?)
            .map_err(|error| KeyError::invalid(format!("tuf: signature: {error}")))?;
        Ok(Self { key_id: text("keyid")?.to_owned(), bytes })
    }
}

fn invalid(error: impl std::fmt::Display) -> KeyError {
    KeyError::invalid(format!("tuf: {error}"))
}

/// The version as it is stored.
fn read_version(version: Option<&Value>) -> Result<i64, KeyError> {
    let number = match version {
        None | Some(Value::Null) => return Ok(0),
        Some(Value::Number(number)) if number.is_u64() => number,
        Some(_) => return Err(KeyError::invalid("tuf: version is no whole number from 0 on")),
    };
    canonical::whole(number)?.parse().map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(signed: &str, signature: &str) -> Result<Document, KeyError> {
        let text = format!(r#"{{"Signed":{{{signed}}},"signatures":[{signature}],"x":1}}"#);
        Document::parse(text.as_bytes())
    }

    #[test]
    fn what_is_not_signed_matches_without_case_and_is_dropped() {
        let document = read(r#""A":1"#, r#"null,{"KeyID":"k","SIG":"AB","x":1}"#).unwrap();
        let stored =
            r#"{"signatures":[{"keyid":"","sig":""},{"keyid":"k","sig":"ab"}],"signed":{"A":1}}"#;
        assert_eq!(document.to_canonical().unwrap(), stored.as_bytes());
    }

    #[test]
    fn versions_are_whole_numbers_as_stored() {
        let version = |text: &str| read(&format!(r#""version":{text}"#), "").map(|d| d.version());
        for (text, read) in [("null", 0), ("7", 7), ("9007199254740993", 9_007_199_254_740_992)] {
            assert_eq!(version(text).unwrap(), read);
        }
        for text in ["-1", "1.0", "1e2", r#""1""#, "true", "9223372036854775807"] {
            assert!(version(text).is_err(), "{text}");
        }
    }

    #[test]
    fn members_of_another_type_are_refused() {
        for signature in
            ["1", r#"{"keyid":1}"#, r#"{"sig":null}"#, r#"{"sig":1}"#, r#"{"sig":"z"}"#]
        {
            assert!(read("", signature).is_err(), "{signature}");
        }
        assert!(read(r#""spec_version":1"#, "").is_err());
        assert!(read(r#""spec_version":null"#, "{}").is_ok());
        assert!(Document::parse(b"{}").is_err());
        assert!(Document::parse(b"{\"signed\":{},\"x\":\"\xff\"}").is_err());
    }
}
