//! In-toto statements: the digests that they speak about.
//!
//! Border: index keys only. A payload that is no statement has none; nothing is
//! refused here.

use serde_json::Value;

use crate::json;

/// The DSSE payload type of in-toto statements.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Digests that one statement may add to the index.
const MAX_DIGESTS: usize = 4_096;

/// `algorithm:value` of every digest of every `subject` and of every
/// `predicate.materials`, at most 4,096.
pub(crate) fn index_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    of_lists(payload_type, payload, &["/subject", "/predicate/materials"])
}

/// As [`index_keys`], of the subjects only.
pub(crate) fn subject_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    of_lists(payload_type, payload, &["/subject"])
}

fn of_lists(payload_type: &str, payload: &[u8], lists: &[&str]) -> Vec<String> {
    if payload_type != PAYLOAD_TYPE {
        return Vec::new();
    }
    let Some(statement) = read(payload) else { return Vec::new() };
    let resources = lists
        .iter()
        .filter_map(|list| statement.pointer(list))
        .filter_map(Value::as_array)
        .flatten();
    resources
        .filter_map(|resource| resource.get("digest").and_then(Value::as_object))
        .flatten()
        .filter_map(|(algorithm, value)| Some(format!("{algorithm}:{}", value.as_str()?)))
        .take(MAX_DIGESTS)
        .collect()
}

fn read(payload: &[u8]) -> Option<Value> {
    json::document(std::str::from_utf8(payload).ok()?).ok()
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
    fn a_statement_cannot_flood_the_index() {
        let subject = r#"{"digest":{"sha256":"00"}},"#.repeat(5_000);
        let payload = format!(r#"{{"subject":[{subject}{{}}]}}"#);
        assert_eq!(index_keys(PAYLOAD_TYPE, payload.as_bytes()).len(), MAX_DIGESTS);
    }
}
