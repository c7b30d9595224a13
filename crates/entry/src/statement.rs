//! In-toto statements: the digests that they speak about.
//!
//! Border: index keys only. A payload that is no statement has none; nothing is
//! refused here.

use std::collections::BTreeMap;

use serde::de::MapAccess;
use serde_json::Value;

use crate::json::{self, Members, Object, Slot};
use crate::utf8;

/// The DSSE payload type of in-toto statements.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Digests that one statement may add to the index.
const MAX_DIGESTS: usize = 4_096;

/// `algorithm:value` of every digest of every `subject` and of every
/// `predicate.materials`, at most 4,096.
pub(crate) fn index_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    let Some(statement) = read(payload_type, payload) else { return Vec::new() };
    bounded([statement.subjects, statement.predicate.materials].into_iter().flatten())
}

/// As [`index_keys`], of the subjects only.
pub(crate) fn subject_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    let Some(statement) = read(payload_type, payload) else { return Vec::new() };
    bounded(statement.subjects.into_iter())
}

fn bounded(resources: impl Iterator<Item = Resource>) -> Vec<String> {
    let digests = resources.flat_map(|resource| resource.digests.0);
    digests.map(|(algorithm, value)| format!("{algorithm}:{value}")).take(MAX_DIGESTS).collect()
}

fn read(payload_type: &str, payload: &[u8]) -> Option<Statement> {
    if payload_type != PAYLOAD_TYPE {
        return None;
    }
    json::document_as::<Object<_>>(&utf8::lossy(payload)).ok().map(|read| read.0)
}

#[derive(Default)]
struct Statement {
    subjects: Vec<Resource>,
    predicate: Predicate,
}

#[derive(Default)]
struct Predicate {
    materials: Vec<Resource>,
}

/// A subject or a material.
#[derive(Default)]
struct Resource {
    digests: Digests,
}

/// Values by algorithm.
#[derive(Default)]
struct Digests(BTreeMap<String, String>);

impl Members for Statement {
    const EXPECTED: &'static str = "an in-toto statement";
    const LENIENT: bool = true;

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "subject" => map.next_value_seed(Slot::List(&mut self.subjects))?,
            "predicate" => map.next_value_seed(Slot::Object(&mut self.predicate))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Members for Predicate {
    const EXPECTED: &'static str = "a predicate";
    const LENIENT: bool = true;

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name != "materials" {
            return Ok(false);
        }
        map.next_value_seed(Slot::List(&mut self.materials))?;
        Ok(true)
    }
}

impl Members for Resource {
    const EXPECTED: &'static str = "a subject or a material";
    const LENIENT: bool = true;

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name != "digest" {
            return Ok(false);
        }
        map.next_value_seed(Slot::Object(&mut self.digests))?;
        Ok(true)
    }
}

impl Members for Digests {
    const EXPECTED: &'static str = "digests by algorithm";
    const LENIENT: bool = true;
    const EXACT: bool = true;

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let value = match map.next_value()? {
            Value::String(value) => value,
            Value::Null => String::new(),
            _ => return Ok(true),
        };
        self.0.insert(name.to_owned(), value);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_materials_are_found() {
        let payload =
            br#"{"subject":[{"name":"a","digest":{"sha256":"AB","sha512":"cd"}},{"name":"b"}],
            "predicate":{"materials":[{"uri":"u","digest":{"sha1":"ef"}},7]}}"#;
        let keys = index_keys(PAYLOAD_TYPE, payload);
        assert_eq!(keys, ["sha256:AB", "sha512:cd", "sha1:ef"]);
        assert!(index_keys("text/plain", payload).is_empty());
        assert!(index_keys(PAYLOAD_TYPE, b"no json").is_empty());
        assert!(index_keys(PAYLOAD_TYPE, br#"{"subject":{"digest":{}}}"#).is_empty());
    }

    #[test]
    fn statements_are_read_as_leniently_as_by_the_reference() {
        for (payload, keys) in [
            (&br#"{"SUBJECT":[{"Digest":{"a":"1"}}],"Predicate":{"MATERIALS":[{"DIGEST":{"b":"2"}}]}}"#[..], &["a:1", "b:2"][..]),
            (br#"{"subject":[{"digest":{"a":"1"}}],"Subject":[{"digest":{"b":"2"}},{"digest":[]}]}"#, &["a:1", "b:2"]),
            (br#"{"subject":[{"digest":{"a":"1"}}],"Subject":[]}"#, &[]),
            (br#"{"subject":[{"name":1e999,"digest":{"a":"1","b":2}}],"predicate":{"x":1e999}}"#, &["a:1"]),
            (b"{\"subject\":[{\"name\":\"\xff\",\"digest\":{\"a\":\"1\"}}],\"predicate\":7}", &["a:1"]),
        ] {
            assert_eq!(index_keys(PAYLOAD_TYPE, payload), keys, "{}", payload.escape_ascii());
        }
    }

    #[test]
    fn digests_are_told_apart_by_their_exact_names_and_the_last_one_counts() {
        for (digest, keys) in [
            (
                r#""\u017fha256":"aa","sha256":"bb","sha256":"cc""#,
                &["sha256:cc", "\u{17f}ha256:aa"][..],
            ),
            (r#""SHA256":"aa","sha256":"bb""#, &["SHA256:aa", "sha256:bb"]),
            (r#""a":"1","a":null"#, &["a:"]),
            (r#""a":"1"},"digest":{"b":"2","a":"3""#, &["a:3", "b:2"]),
        ] {
            let payload = format!(r#"{{"subject":[{{"digest":{{{digest}}}}}]}}"#);
            assert_eq!(index_keys(PAYLOAD_TYPE, payload.as_bytes()), keys, "{digest}");
        }
    }

    #[test]
    fn a_statement_cannot_flood_the_index() {
        let subject = r#"{"digest":{"sha256":"00"}},"#.repeat(5_000);
        let payload = format!(r#"{{"subject":[{subject}{{}}]}}"#);
        assert_eq!(index_keys(PAYLOAD_TYPE, payload.as_bytes()).len(), MAX_DIGESTS);
    }
}
