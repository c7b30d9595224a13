//! A proposed entry: parsed from outside in, then verified by its kind.
//!
//! Border: the outer object (`kind`, `apiVersion`, `spec`) and the order of the
//! checks. What is inside `spec` is the kind's.

use serde::Deserialize as _;
use serde::de::MapAccess;
use serde_json::Value;

use crate::error::ANY_KIND;
use crate::json::{JsonError, Members, Object};
use crate::kinds::{self, Context, Evidence};
use crate::{EntryError, Kind, ParseError, Policy, VerifiedEntry, json};

/// Parsed JSON with a known kind, a well-formed version and a `spec`.
#[derive(Clone, Debug)]
pub struct ProposedEntry {
    kind: Kind,
    version: String,
    spec: Value,
}

impl ProposedEntry {
    /// Reads the first JSON value of `body`; bytes after it are ignored, as are
    /// unknown members. Member names match without case and the last one counts.
    /// Bytes that are not UTF-8 count as U+FFFD.
    ///
    /// # Errors
    /// [`ParseError`], the first that applies.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let read = json::first_value::<Object<UncheckedEntry>>(body);
        let read = read.map_err(|error| match error {
            JsonError::Syntax(error) => ParseError::Json(error.to_string()),
            limit @ (JsonError::TooMany | JsonError::TooDeep) => {
                ParseError::Limit(limit.to_string())
            }
        });
        read?.0.check()
    }

    /// As [`parse`](Self::parse), from JSON that was read before; among members whose names
    /// differ only in case it is left open which one counts.
    ///
    /// # Errors
    /// [`ParseError`], the first that applies.
    pub fn from_value(value: Value) -> Result<Self, ParseError> {
        let read = Object::<UncheckedEntry>::deserialize(value);
        read.map_err(|e| ParseError::Json(e.to_string()))?.0.check()
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The kind's version, such as `0.0.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Verifies and canonicalises the entry for insertion under `policy`; `now`
    /// is in Unix seconds (only TUF metadata expires).
    ///
    /// # Errors
    /// [`EntryError`], the first that applies in Rekor's order: version, fields
    /// and signature, kind enabled, insertable, algorithms, canonical form.
    pub fn verify(&self, policy: &Policy, now: i64) -> Result<VerifiedEntry, EntryError> {
        let evidence = self.read(policy, now)?;
        if !policy.enabled_kinds.contains(&self.kind) {
            return Err(EntryError::KindDisabled(self.kind));
        }
        evidence.insertable()?;
        evidence.allowed(policy)?;
        let canonical = evidence.canonicalize()?;
        let body = kinds::body(self.kind, &self.version, canonical.spec)?;
        let (keys, payload) = (canonical.index_keys, canonical.payload);
        VerifiedEntry::new(self.kind, body, keys, payload, policy)
    }

    /// The canonical body of a proposal or of a stored body, for a look-up:
    /// without the checks that only an insertion needs. Of the policy only the limits
    /// on sizes count.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn canonicalize(&self, policy: &Policy, now: i64) -> Result<Vec<u8>, EntryError> {
        let canonical = self.read(policy, now)?.canonicalize()?;
        kinds::body(self.kind, &self.version, canonical.spec)
    }

    fn read(&self, policy: &Policy, now: i64) -> Result<Box<dyn Evidence>, EntryError> {
        kinds::read(self.kind, &self.version, &self.spec, Context::new(policy, now))
    }

    pub(crate) fn spec(&self) -> &Value {
        &self.spec
    }
}

/// The outer object of a proposed entry, with members of the right types and nothing else
/// checked; absent and null ones alike are `None`.
#[derive(Clone, Debug, Default)]
pub struct UncheckedEntry {
    kind: Option<String>,
    version: Option<String>,
    spec: Option<Value>,
}

impl Members for UncheckedEntry {
    const EXPECTED: &'static str = "an object with kind, apiVersion and spec";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "kind" => self.kind = text(map.next_value()?, "kind")?.or(self.kind.take()),
            // Unlike a kind, a version is taken back by null.
            "apiversion" => self.version = text(map.next_value()?, "apiVersion")?,
            "spec" => self.spec = Some(map.next_value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl UncheckedEntry {
    /// Checks what each entry has, of whatever kind.
    ///
    /// # Errors
    /// [`ParseError`], the first that applies, but neither [`ParseError::Json`] nor [`ParseError::Limit`].
    pub fn check(self) -> Result<ProposedEntry, ParseError> {
        let kind = self.kind.filter(|kind| !kind.is_empty()).ok_or(ParseError::KindMissing)?;
        let kind = match kind.parse() {
            Ok(kind) => Some(kind),
            Err(_) if kind == ANY_KIND => None,
            Err(_) => return Err(ParseError::KindUnknown(kind)),
        };
        let version = self.version.filter(|v| !v.is_empty()).ok_or(ParseError::VersionMissing)?;
        if !is_semver(&version) {
            return Err(ParseError::VersionPattern);
        }
        let spec = self.spec.filter(|spec| !spec.is_null()).ok_or(ParseError::SpecMissing)?;
        // Rekor misses the kind only when it looks for what reads it.
        let kind = kind.ok_or(ParseError::KindAbstract)?;
        Ok(ProposedEntry { kind, version, spec })
    }
}

fn text<E: serde::de::Error>(value: Value, name: &str) -> Result<Option<String>, E> {
    match value {
        Value::String(text) => Ok(Some(text)),
        Value::Null => Ok(None),
        other => Err(E::custom(format!("{name} must be a string, not {other}"))),
    }
}

/// Whether the text is a semantic version 2.0.0 (the grammar of `VERSION_PATTERN`).
fn is_semver(text: &str) -> bool {
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    let (core, pre) = match rest.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (rest, None),
    };
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let number =
        |part: &str| !part.is_empty() && digits(part) && (part == "0" || !part.starts_with('0'));
    let mut core_parts = core.split('.');
    let three = (0..3).all(|_| core_parts.next().is_some_and(number));
    three
        && core_parts.next().is_none()
        && pre.is_none_or(|pre| pre.split('.').all(|p| word(p) && (!digits(p) || number(p))))
        && build.is_none_or(|build| build.split('.').all(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        ProposedEntry::parse(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn members_match_without_case_and_the_last_one_counts() {
        let body = br#"{"KIND":"rpm","kind":"dsse","x":[1e3],"ApiVersion":"0.0.1","spec":{}} junk"#;
        let proposed = ProposedEntry::parse(body).unwrap();
        assert_eq!((proposed.kind(), proposed.version()), (Kind::Dsse, "0.0.1"));
        let kind = r#"{"kind":"dsse","kind":null,"apiVersion":"0.0.1","apiversion":null}"#;
        assert_eq!(refusal(kind), "apiVersion in body is required");
    }

    #[test]
    fn what_is_missing_is_named_in_order() {
        for empty in ["null", "{}", r#"{"kind":""}"#, r#"{"kind":null}"#] {
            assert_eq!(refusal(empty), "kind in body is required");
        }
        assert_eq!(refusal(r#"{"kind":"foo"}"#), r#"invalid kind value: "foo""#);
        assert_eq!(refusal(r#"{"kind":"dsse"}"#), "apiVersion in body is required");
        let version = refusal(r#"{"kind":"dsse","apiVersion":"1"}"#);
        assert!(version.starts_with("apiVersion in body should match '^(0|"), "{version}");
        let spec = r#"{"kind":"dsse","apiVersion":"0.0.1","spec":null}"#;
        assert_eq!(refusal(spec), "spec in body is required");
    }

    #[test]
    fn the_name_of_all_kinds_is_refused_last() {
        assert_eq!(refusal(r#"{"kind":"ProposedEntry"}"#), "apiVersion in body is required");
        let spec = r#"{"kind":"ProposedEntry","apiVersion":"0.0.1"}"#;
        assert_eq!(refusal(spec), "spec in body is required");
        let whole = r#"{"kind":"ProposedEntry","apiVersion":"0.0.9","spec":{}}"#;
        assert_eq!(refusal(whole), "could not unmarshal entry for kind 'ProposedEntry'");
        assert_eq!(
            refusal(r#"{"kind":"proposedEntry"}"#),
            r#"invalid kind value: "proposedEntry""#
        );
    }

    #[test]
    fn what_is_no_object_is_json_trouble() {
        for body in ["", "{", "[]", "1", r#""x""#, r#"{"kind":1}"#, r#"{"apiVersion":{}}"#] {
            let parsed = ProposedEntry::parse(body.as_bytes());
            assert!(matches!(parsed, Err(ParseError::Json(_))), "{body}: {parsed:?}");
        }
    }

    #[test]
    fn json_beyond_the_limits_is_told_from_no_json() {
        let deep = format!(r#"{{"spec":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert_eq!(refusal(&deep), "JSON of more than 127 levels");
        let many = format!(r#"{{"spec":[{}0]}}"#, "0,".repeat(json::MAX_VALUES));
        assert_eq!(refusal(&many), "more than 262144 JSON values");
        for beyond in [deep, many, format!(r#"{{"spec":{}"#, "[".repeat(100_000))] {
            let parsed = ProposedEntry::parse(beyond.as_bytes());
            assert!(matches!(parsed, Err(ParseError::Limit(_))), "{parsed:?}");
        }
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        let body = br#"{"kind":"hashedrekord","apiVersion":"0.0.9","spec":{}}"#;
        let refused = ProposedEntry::parse(body).unwrap().verify(&Policy::default(), 0);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "hashedrekord implementation for version '0.0.9' not found: unable to locate entry \
             for version 0.0.9"
        );
    }

    #[test]
    fn semantic_versions_are_told_from_others() {
        for good in ["0.0.1", "1.2.3-a.1", "1.0.0--", "1.0.0+01.a", "10.20.30-0a+b"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["", "1", "1.2", "1.2.3.4", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "v1.0.0"] {
            assert!(!is_semver(bad), "{bad}");
        }
    }
}
