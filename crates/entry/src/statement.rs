//! In-toto statements: the digests that they speak about.
//!
//! Border: index keys only. A payload that is no statement has none; refused is one with
//! more digests than anybody can be asked to index.

mod resources;

use resources::{MAX_DIGESTS, Part, Resources, Statement};

use crate::{EntryError, json, utf8};

/// The DSSE payload type of in-toto statements.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// `algorithm:value` of every digest of every `subject` and of every
/// `predicate.materials`.
///
/// # Errors
/// More than 65,536 of one of the two, equal ones included.
pub(crate) fn index_keys(payload_type: &str, payload: &[u8]) -> Result<Vec<String>, EntryError> {
    let unread = || Statement { materials: Some(Resources::default()), ..Statement::default() };
    keys(payload_type, payload, unread)
}

/// As [`index_keys`], of the subjects only.
///
/// # Errors
/// As [`index_keys`].
pub(crate) fn subject_keys(payload_type: &str, payload: &[u8]) -> Result<Vec<String>, EntryError> {
    keys(payload_type, payload, Statement::default)
}

fn keys(
    payload_type: &str,
    payload: &[u8],
    unread: impl Fn() -> Statement,
) -> Result<Vec<String>, EntryError> {
    if payload_type != PAYLOAD_TYPE {
        return Ok(Vec::new());
    }
    let text = utf8::lossy(payload);
    let read = match read(&text, unread())? {
        // None of them is a digest, and one that a double does not hold is no reason to stop.
        None => read(&json::without_numbers(&text), unread())?,
        read => read,
    };
    let read = read.unwrap_or_default();
    let materials = read.materials.unwrap_or_default();
    Ok(read.subjects.into_keys().chain(materials.into_keys()).collect())
}

/// `None` of what is no statement.
fn read(text: &str, mut statement: Statement) -> Result<Option<Statement>, EntryError> {
    let read = json::document_over(Part::Statement(&mut statement), text);
    if statement.has_too_many() {
        let text = format!("in-toto statement: more than {MAX_DIGESTS} digests in one list");
        return Err(EntryError::invalid(text));
    }
    Ok(read.is_ok().then_some(statement))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(payload: &[u8]) -> Vec<String> {
        index_keys(PAYLOAD_TYPE, payload).unwrap()
    }

    #[test]
    fn subjects_and_materials_are_found() {
        let payload =
            br#"{"subject":[{"name":"a","digest":{"sha256":"AB","sha512":"cd"}},{"name":"b"}],
            "predicate":{"materials":[{"uri":"u","digest":{"sha1":"ef"}},7]}}"#;
        let keys = keys_of(payload);
        assert_eq!(keys, ["sha256:AB", "sha512:cd", "sha1:ef"]);
        assert!(index_keys("text/plain", payload).unwrap().is_empty());
        assert!(keys_of(b"no json").is_empty());
        assert!(keys_of(br#"{"subject":{"digest":{}}}"#).is_empty());
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
            assert_eq!(keys_of(payload), keys, "{}", payload.escape_ascii());
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
            assert_eq!(keys_of(payload.as_bytes()), keys, "{digest}");
        }
    }

    #[test]
    fn nothing_beside_a_digest_hides_it() {
        let zeros = "0,".repeat(262_145);
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for beside in [format!("[{zeros}0]"), deep, "1e999".to_owned(), "9".repeat(400)] {
            for statement in [
                r#"{"subject":[{"digest":{"sha256":"a1e2"}}],"predicate":{"x":?}}"#,
                r#"{"subject":[{"x":?,"digest":{"sha256":"a1e2"}}],"predicate":?}"#,
                r#"{"subject":?,"subject":[?,{"digest":?},{"digest":{"x":?,"sha256":"a1e2"}}]}"#,
            ] {
                let payload = statement.replace('?', &beside);
                let start = &payload[..100.min(payload.len())];
                assert_eq!(keys_of(payload.as_bytes()), ["sha256:a1e2"], "{start}");
            }
        }
    }

    #[test]
    fn what_has_malformed_numbers_is_no_statement() {
        let statement = r#"{"subject":[{"x":1e999,"digest":{"sha256":"aa"}}],"x":?}"#;
        let keys = |number| keys_of(statement.replace('?', number).as_bytes());
        for number in ["-0.5E-999", "1e999", "0"] {
            assert_eq!(keys(number), ["sha256:aa"], "{number}");
        }
        for number in ["01", "-", "1.", "1e", "1.2.3", "[1-2]", "+1"] {
            assert!(keys(number).is_empty(), "{number}");
        }
    }

    #[test]
    fn no_digest_is_left_out_and_too_many_are_refused() {
        let statement = |list: &str, count: usize| {
            let digests = r#"{"digest":{"sha256":"00"}},"#.repeat(count);
            let predicate = format!(r#""predicate":{{"materials":[{list}{{}}]}}"#);
            format!(r#"{{"subject":[{digests}{{"digest":{{"a":"1"}}}}],{predicate}}}"#)
        };
        assert_eq!(keys_of(statement("", 5_000).as_bytes())[4_999..], ["sha256:00", "a:1"]);
        let material = r#"{"digest":{"b":""}},"#.repeat(MAX_DIGESTS + 1);
        for payload in [statement(&material, 0), statement("", MAX_DIGESTS)] {
            let refusal = index_keys(PAYLOAD_TYPE, payload.as_bytes()).unwrap_err().to_string();
            assert_eq!(refusal, "in-toto statement: more than 65536 digests in one list");
        }
        let subjects = subject_keys(PAYLOAD_TYPE, statement(&material, 0).as_bytes()).unwrap();
        assert_eq!(subjects, ["a:1"]);
    }
}
