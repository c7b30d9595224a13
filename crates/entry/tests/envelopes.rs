//! Spellings of envelopes that Rekor takes, as `dsse` and `intoto` entries.

use std::path::Path;

use indelible_entry::{Policy, ProposedEntry, VerifiedEntry, base64};
use serde_json::{Value, json};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn verify(kind: &str, version: &str, spec: Value) -> Result<VerifiedEntry, String> {
    let proposal = json!({ "kind": kind, "apiVersion": version, "spec": spec });
    let proposed = ProposedEntry::from_value(proposal).map_err(|error| error.to_string())?;
    proposed.verify(&Policy::default(), 0).map_err(|error| error.to_string())
}

fn dsse(envelope: &str, verifiers: Value) -> Result<VerifiedEntry, String> {
    let proposed = json!({ "envelope": envelope, "verifiers": verifiers });
    verify("dsse", "0.0.1", json!({ "proposedContent": proposed }))
}

fn intoto(envelope: &str, key: &str) -> Result<VerifiedEntry, String> {
    verify("intoto", "0.0.1", json!({ "content": { "envelope": envelope }, "publicKey": key }))
}

fn one() -> (String, String) {
    let envelope = String::from_utf8(fixture("dsse/one.json")).expect("text");
    (envelope.trim_end().to_owned(), base64::encode(fixture("x509/prime256v1.pub")))
}

/// The envelope with more members behind its own.
fn with(envelope: &str, members: &str) -> String {
    format!("{},{members}}}", envelope.strip_suffix('}').expect("an object"))
}

#[test]
fn the_last_member_of_an_envelope_counts_in_whatever_case() {
    let (envelope, key) = one();
    for same in [r#""payload":null"#, r#""x":[1e999,-1E999]"#, r#""signatures":[{"keyid":""}]"#] {
        let envelope = with(&envelope, same);
        dsse(&envelope, json!([key])).unwrap();
        intoto(&envelope, &key).unwrap();
    }
    for other in [r#""PAYLOAD":"AAAA""#, r#""payloadTYPE":"x""#, r#""signatures":null"#] {
        let envelope = with(&envelope, other);
        assert!(dsse(&envelope, json!([key])).is_err(), "{other}");
        assert!(intoto(&envelope, &key).is_err(), "{other}");
    }
}

#[test]
fn null_is_an_empty_signature() {
    let (envelope, key) = one();
    let (head, tail) = envelope.rsplit_once(']').expect("signatures");
    let envelope = format!("{head},null]{tail}");
    intoto(&envelope, &key).unwrap();
    let refused = dsse(&envelope, json!([key])).unwrap_err();
    assert_eq!(refused, "all signatures must have a key that verifies it");
}

#[test]
fn what_is_not_base64_in_an_envelope_is_told_by_each_kind_in_its_words() {
    let (envelope, key) = one();
    let reason = "unable to base64 decode payload (is payload in the right format?)";
    for changed in [r#""payload":"!!""#, r#""signatures":[{"sig":"!!"}]"#] {
        let envelope = with(&envelope, changed);
        assert_eq!(intoto(&envelope, &key).unwrap_err(), reason, "{changed}");
        let refused = dsse(&envelope, json!([key])).unwrap_err();
        assert_eq!(refused, format!("could not verify envelope: {reason}"), "{changed}");
    }
}

/// As OpenSSL makes one.
const X25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEABvjB9QN+Y2vYl34jlIkJvYANqwqyAD3W4fxcHU+sl0A=
-----END PUBLIC KEY-----
";

#[test]
fn a_key_that_cannot_be_read_differs_from_one_that_verifies_nothing() {
    let (envelope, _) = one();
    for (key, refusal) in [
        (X25519, "could not load verifier: unsupported public key type"),
        ("no key", "could not parse public key as x509: "),
    ] {
        let refused = dsse(&envelope, json!([base64::encode(key)])).unwrap_err();
        assert!(refused.starts_with(refusal), "{refused}");
    }
}

#[test]
fn elements_that_are_no_verifier_count_as_absent() {
    let (envelope, key) = one();
    let body = dsse(&envelope, json!([key])).unwrap().body().to_vec();
    for nothing in [json!(null), json!(""), json!(5), json!({}), json!([key])] {
        for verifiers in [json!([key, nothing]), json!([nothing, key])] {
            assert_eq!(dsse(&envelope, verifiers).unwrap().body(), body, "{nothing}");
        }
        let refused = dsse(&envelope, json!([nothing])).unwrap_err();
        assert!(refused.ends_with("verifiers in body should have at least 1 items"), "{refused}");
    }
    assert!(dsse(&envelope, json!([key, "!"])).is_err());
}

#[test]
fn elements_that_are_no_signature_count_as_absent() {
    let (envelope, key) = one();
    let envelope: Value = serde_json::from_str(&envelope).expect("an envelope");
    let encoded = |text: &Value| base64::encode(text.as_str().expect("text"));
    let signature = json!({ "sig": encoded(&envelope["signatures"][0]["sig"]), "publicKey": key });
    let entry = |signatures: Value| {
        let envelope = json!({
            "payload": encoded(&envelope["payload"]),
            "payloadType": envelope["payloadType"],
            "signatures": signatures,
        });
        let hash = json!({ "algorithm": "sha256", "value": "00" });
        verify("intoto", "0.0.2", json!({ "content": { "envelope": envelope, "hash": hash } }))
    };
    let body = entry(json!([signature])).unwrap().body().to_vec();
    assert_eq!(entry(json!([null, signature, "x", 5, []])).unwrap().body(), body);
    assert!(entry(json!([signature, {}])).is_err());
    assert!(entry(json!([null])).is_err());
}
