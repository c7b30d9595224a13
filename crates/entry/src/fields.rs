//! Reading `spec` as leniently as Rekor does.
//!
//! Border: members by name and type. Names are case-sensitive, unknown ones are
//! ignored, and a member of the wrong type counts as absent. What must be there
//! is each kind's affair; [`Problems`] collects what is not.

use serde_json::{Map, Value};

use crate::EntryError;
use crate::base64;

/// Bytes that may be kept of any package, however small: those of common packages are below 16 KiB.
const MAX_KEPT: usize = 64 << 10;

/// A JSON object inside `spec`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The `spec` of an entry.
    pub(crate) fn of_spec(spec: &'a Value) -> Result<Self, EntryError> {
        let other = match spec {
            Value::Object(map) => return Ok(Self(map)),
            Value::Null => "<nil>",
            Value::Bool(_) => "bool",
            Value::Number(_) => "float64",
            Value::String(_) => "string",
            Value::Array(_) => "[]interface {}",
        };
        Err(EntryError::SpecType(other))
    }

    pub(crate) fn object(self, name: &str) -> Option<Self> {
        self.0.get(name).and_then(Value::as_object).map(Self)
    }

    /// A member of any type.
    pub(crate) fn value(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// Text as it is, also when empty.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn array(self, name: &str) -> Option<&'a [Value]> {
        self.0.get(name).and_then(Value::as_array).map(Vec::as_slice)
    }

    /// Base64 content; empty text counts as absent. `field` names it in the error.
    pub(crate) fn bytes(
        self,
        name: &str,
        field: &'static str,
    ) -> Result<Option<Vec<u8>>, EntryError> {
        match self.text(name) {
            None | Some("") => Ok(None),
            Some(text) => decode(text, field).map(Some),
        }
    }
}

/// As [`Fields::bytes`], of an object that may be absent itself.
pub(crate) fn bytes(
    object: Option<Fields<'_>>,
    name: &str,
    field: &'static str,
) -> Result<Option<Vec<u8>>, EntryError> {
    object.map_or(Ok(None), |object| object.bytes(name, field))
}

/// Decodes a base64 field; `field` names it in the error.
pub(crate) fn decode(text: &str, field: &'static str) -> Result<Vec<u8>, EntryError> {
    base64::decode(text.as_bytes()).map_err(|source| EntryError::Base64 { field, source })
}

/// The objects of an array; elements of another type count as absent.
pub(crate) fn objects(items: &[Value]) -> impl Iterator<Item = Fields<'_>> {
    items.iter().filter_map(Value::as_object).map(Fields)
}

/// What is wrong with a spec's fields, one line each.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    lines: Vec<String>,
    any_form: bool,
}

impl Problems {
    /// Of a body that the log has taken: values may have any form. Rekor takes some proposals whose stored form its
    /// own rules refuse.
    pub(crate) fn of_taken() -> Self {
        Self { any_form: true, ..Self::default() }
    }

    /// Notes that `path` is missing unless it is there.
    pub(crate) fn require(&mut self, path: &str, present: bool) {
        if !present {
            self.lines.push(format!("{path} in body is required"));
        }
    }

    /// Notes that `path` has a value outside `allowed`; absent values are no matter.
    pub(crate) fn one_of(&mut self, path: &str, value: Option<&str>, allowed: &[&str]) {
        if !self.any_form && value.is_some_and(|value| !allowed.contains(&value)) {
            self.lines.push(format!("{path} in body should be one of [{}]", allowed.join(" ")));
        }
    }

    /// Notes that the array at `path` is empty if it is.
    pub(crate) fn at_least_one(&mut self, path: &str, count: usize) {
        if count == 0 {
            self.lines.push(format!("{path} in body should have at least 1 items"));
        }
    }

    /// Notes that `path` has a value of another form unless it has this one.
    pub(crate) fn matches(&mut self, path: &str, holds: bool, pattern: &str) {
        if !self.any_form && !holds {
            self.lines.push(format!("{path} in body should match '{pattern}'"));
        }
    }

    /// Fails if anything was noted.
    pub(crate) fn none(self) -> Result<(), EntryError> {
        if self.lines.is_empty() { Ok(()) } else { Err(EntryError::Fields(self.lines.join("\n"))) }
    }
}

/// A digest as a spec names it: `{"algorithm": …, "value": …}`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Digest {
    /// `sha256`, or what the kind allows.
    pub(crate) algorithm: String,
    /// Hex as submitted or as computed.
    pub(crate) value: String,
}

impl Digest {
    /// The lower-case hex SHA-256 of these bytes.
    pub(crate) fn sha256(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        let value = hex::encode(sha2::Sha256::digest(bytes));
        Self { algorithm: "sha256".to_owned(), value }
    }

    /// Reads and checks a digest object: both members there, algorithm among `allowed`.
    pub(crate) fn read(
        object: Option<Fields<'_>>,
        path: &str,
        allowed: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let object = object?;
        let (algorithm, value) = (object.text("algorithm"), object.text("value"));
        problems.require(&format!("{path}.algorithm"), algorithm.is_some());
        problems.one_of(&format!("{path}.algorithm"), algorithm, allowed);
        problems.require(&format!("{path}.value"), value.is_some());
        Some(Self { algorithm: algorithm?.to_owned(), value: value?.to_owned() })
    }

    /// The form in the index: `algorithm:value`.
    pub(crate) fn index_key(&self) -> String {
        format!("{}:{}", self.algorithm, self.value)
    }
}

/// An artifact that travels with its proposal: `content`, and the digest that the client
/// claims, if it does.
#[derive(Debug)]
pub(crate) struct Artifact {
    /// Absent in the stored form.
    content: Option<Vec<u8>>,
    claimed: Option<Digest>,
}

impl Artifact {
    /// Reads `content` and `hash` of the member `name`.
    pub(crate) fn read(
        object: Option<Fields<'_>>,
        name: &str,
        problems: &mut Problems,
    ) -> Result<Self, EntryError> {
        let content = bytes(object, "content", "content")?;
        let path = format!("{name}.{name}.hash.{name}.hash");
        let hash = object.and_then(|object| object.object("hash"));
        let claimed = Digest::read(hash, &path, &["sha256"], problems);
        Ok(Self { content, claimed })
    }

    /// Refuses a claimed digest that is no SHA-256, and neither content nor digest.
    /// `what` names the artifact in the error.
    pub(crate) fn checked(self, what: &str) -> Result<Self, EntryError> {
        let is_hex =
            |digest: &Digest| digest.value.len() == 64 && hex::decode(&digest.value).is_ok();
        match &self.claimed {
            Some(claimed) if !is_hex(claimed) => Err(EntryError::invalid("invalid value for hash")),
            None if self.content.is_none() => {
                Err(EntryError::invalid(format!("'content' must be specified for {what}")))
            }
            _ => Ok(self),
        }
    }

    /// Refuses the stored form.
    pub(crate) fn insertable(&self, reason: &'static str) -> Result<(), EntryError> {
        match self.content {
            Some(_) => Ok(()),
            None => Err(EntryError::not_insertable(reason)),
        }
    }

    /// The bytes; empty in the stored form.
    pub(crate) fn content(&self) -> &[u8] {
        self.content.as_deref().unwrap_or_default()
    }

    /// The SHA-256 of the content, which must be the claimed one, if any.
    pub(crate) fn digest(&self) -> Result<Digest, EntryError> {
        let computed = Digest::sha256(self.content());
        match &self.claimed {
            Some(claimed) if claimed.value != computed.value => Err(EntryError::DigestMismatch {
                computed: computed.value,
                claimed: claimed.value.clone(),
            }),
            _ => Ok(computed),
        }
    }

    /// Refuses to keep far more of the content than was submitted: packed, a few bytes can be a
    /// thousand times as many, and an entry is for ever.
    pub(crate) fn bound_kept(&self, kept: &Value) -> Result<(), EntryError> {
        let (kept, submitted) = (kept.to_string().len(), self.content().len());
        let limit = submitted.saturating_mul(4).max(MAX_KEPT);
        if kept > limit {
            let text = format!(
                "{kept} bytes to be kept of a package of {submitted} bytes exceed max allowed size {limit}"
            );
            return Err(EntryError::invalid(text));
        }
        Ok(())
    }

    /// The search string of the digest that the stored form names.
    pub(crate) fn stored_key(&self) -> Option<String> {
        self.claimed.as_ref().map(Digest::index_key)
    }

    /// The member of a proposal.
    pub(crate) fn propose(content: &[u8]) -> Value {
        serde_json::json!({ "content": base64::encode(content), "hash": Digest::sha256(content) })
    }
}
