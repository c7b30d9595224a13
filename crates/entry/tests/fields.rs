//! What a `spec` lacks and what in it is not base64, as Rekor tells its clients.

use indelible_entry::{Policy, ProposedEntry, base64};
use serde_json::{Value, json};

fn refusal(kind: &str, spec: &Value) -> Option<String> {
    refusal_of(kind, "0.0.1", spec)
}

fn refusal_of(kind: &str, version: &str, spec: &Value) -> Option<String> {
    let proposal = json!({ "kind": kind, "apiVersion": version, "spec": spec });
    let proposed = ProposedEntry::from_value(proposal).expect("a well-formed proposal");
    proposed.verify(&Policy::default(), 0).err().map(|error| error.to_string())
}

#[test]
fn a_jar_with_a_signature_has_a_whole_one() {
    let archive =
        json!({ "content": base64::encode(include_bytes!("fixtures/jar/rsa.jar").as_slice()) });
    let jar = |signature: Value| {
        refusal("jar", &json!({ "archive": archive, "signature": signature })).unwrap_or_default()
    };
    assert_eq!(jar(Value::Null), "");
    assert_eq!(jar(json!({ "content": "AAAA", "publicKey": { "content": "AAAA" } })), "");
    assert_eq!(
        jar(json!({})),
        "validation failure list:\n\
         signature.signature.content in body is required\n\
         signature.signature.publicKey in body is required"
    );
    for key in [json!({}), json!({ "content": "" }), json!({ "content": 5 })] {
        assert_eq!(
            jar(json!({ "content": "AAAA", "publicKey": key })),
            "validation failure list:\n\
             signature.signature.publicKey.signature.publicKey.content in body is required"
        );
    }
    assert_eq!(
        jar(json!({ "content": "AAAA", "publicKey": { "content": "!" } })),
        "failed parsing base64 data for public key content: illegal base64 data at input byte 0"
    );
}

/// Every kind with all that it requires missing, one level after the other.
#[test]
fn what_is_missing_is_listed_in_the_order_of_the_names() {
    let no_hash = json!({ "hash": { "algorithm": "md5" } });
    let hash_of = |at: &str, allowed: &str| {
        format!(
            "{at}.algorithm in body should be one of [{allowed}]|{at}.value in body is required"
        )
    };
    let required = |paths: &[&str]| {
        paths.iter().map(|path| format!("{path} in body is required")).collect::<Vec<_>>().join("|")
    };
    let envelope = "content.content.envelope.content.envelope";
    for (kind, version, spec, lines) in [
        ("alpine", "0.0.1", json!({}), required(&["package", "publicKey"])),
        (
            "alpine",
            "0.0.1",
            json!({ "package": no_hash, "publicKey": {} }),
            hash_of("package.package.hash.package.hash", "sha256")
                + "|"
                + &required(&["publicKey.publicKey.content"]),
        ),
        (
            "cose",
            "0.0.1",
            json!({ "data": { "envelopeHash": {}, "payloadHash": 5 } }),
            required(&[
                "data.data.envelopeHash.data.envelopeHash.algorithm",
                "data.data.envelopeHash.data.envelopeHash.value",
                "publicKey",
            ]),
        ),
        (
            "dsse",
            "0.0.1",
            json!({ "payloadHash": { "value": "" }, "proposedContent": {}, "signatures": [{}] }),
            required(&[
                "payloadHash.payloadHash.algorithm",
                "proposedContent.proposedContent.envelope",
                "proposedContent.proposedContent.verifiers",
                "signatures.0.signature",
                "signatures.0.verifier",
            ]),
        ),
        ("hashedrekord", "0.0.1", json!({}), required(&["data", "signature"])),
        (
            "hashedrekord",
            "0.0.1",
            json!({ "data": no_hash }),
            hash_of("data.data.hash.data.hash", "sha256 sha384 sha512")
                + "|"
                + &required(&["signature"]),
        ),
        ("helm", "0.0.1", json!({}), required(&["chart", "publicKey"])),
        (
            "intoto",
            "0.0.1",
            json!({ "content": { "hash": {} } }),
            required(&[
                "content.content.hash.content.hash.algorithm",
                "content.content.hash.content.hash.value",
                "publicKey",
            ]),
        ),
        (
            "intoto",
            "0.0.2",
            json!({ "content": { "envelope": { "payloadType": "t" }, "hash": {} } }),
            required(&[
                &format!("{envelope}.signatures"),
                "content.content.hash.content.hash.algorithm",
                "content.content.hash.content.hash.value",
            ]),
        ),
        (
            "intoto",
            "0.0.2",
            json!({ "content": { "envelope": { "signatures": [{}] } } }),
            required(&[
                &format!("{envelope}.payloadType"),
                &format!("{envelope}.signatures.0.publicKey"),
                &format!("{envelope}.signatures.0.sig"),
            ]),
        ),
        (
            "intoto",
            "0.0.2",
            json!({ "content": { "envelope": { "payloadType": "t", "signatures": [] } } }),
            format!("{envelope}.signatures in body should have at least 1 items"),
        ),
        ("jar", "0.0.1", json!({}), required(&["archive"])),
        ("rekord", "0.0.1", json!({}), required(&["data", "signature"])),
        (
            "rekord",
            "0.0.1",
            json!({ "data": no_hash, "signature": {} }),
            hash_of("data.data.hash.data.hash", "sha256")
                + "|"
                + &required(&[
                    "signature.signature.content",
                    "signature.signature.format",
                    "signature.signature.publicKey",
                ]),
        ),
        ("rfc3161", "0.0.1", json!({ "tsr": {} }), required(&["tsr.tsr.content"])),
        ("rpm", "0.0.1", json!({}), required(&["package", "publicKey"])),
        ("tuf", "0.0.1", json!({ "root": {} }), required(&["metadata", "root.root.content"])),
    ] {
        let expected = format!("validation failure list:\n{}", lines.replace('|', "\n"));
        assert_eq!(refusal_of(kind, version, &spec), Some(expected), "{kind} {spec}");
    }
}

#[test]
fn base64_is_judged_before_anything_that_is_missing() {
    let key = json!({ "publicKey": { "content": "!" } });
    let envelope = |envelope: Value| json!({ "content": { "envelope": envelope } });
    for (kind, version, spec, field) in [
        ("hashedrekord", "0.0.1", json!({ "signature": { "content": "!" } }), "signature content"),
        ("hashedrekord", "0.0.1", json!({ "signature": key }), "public key content"),
        ("rekord", "0.0.1", json!({ "signature": key }), "public key content"),
        ("rekord", "0.0.1", json!({ "data": { "content": "!" } }), "content"),
        ("dsse", "0.0.1", json!({ "proposedContent": { "verifiers": ["!"] } }), "verifier"),
        ("dsse", "0.0.1", json!({ "signatures": [{ "verifier": "!" }] }), "verifier"),
        ("intoto", "0.0.2", envelope(json!({ "payload": "!" })), "envelope payload"),
        ("intoto", "0.0.2", envelope(json!({ "signatures": [{ "sig": "!" }] })), "signature"),
        ("cose", "0.0.1", json!({ "message": "!" }), "message"),
    ] {
        let expected =
            format!("failed parsing base64 data for {field}: illegal base64 data at input byte 0");
        assert_eq!(refusal_of(kind, version, &spec), Some(expected), "{kind} {spec}");
    }
}

#[test]
fn a_stored_signature_of_dsse_is_whole_and_strict_base64() {
    let stored = |signature: &str| {
        let hash = json!({ "algorithm": "sha256", "value": "00" });
        let signatures = json!([{ "signature": signature, "verifier": "AAAA" }]);
        json!({ "envelopeHash": hash, "payloadHash": hash, "signatures": signatures })
    };
    for good in ["AAAA", "AAA=", "AA==", "AAAAAB=="] {
        let refused = refusal("dsse", &stored(good)).expect("it is no proposal");
        assert_eq!(refused, "entry not insertable into log: missing proposed content");
    }
    for bad in ["", "AA", "AA=", "AA==\n", "A-_A", "AAAA\r\nAAAA"] {
        let refused = refusal("dsse", &stored(bad)).expect("it is no signature");
        assert_eq!(
            refused,
            "validation failure list:\nsignatures.0.signature in body should match \
             '^(?:[A-Za-z0-9+\\/]{4})*(?:[A-Za-z0-9+\\/]{2}==|[A-Za-z0-9+\\/]{3}=|[A-Za-z0-9+\\/]{4})$'"
        );
    }
}

#[test]
fn a_digest_of_a_hashedrekord_that_is_no_hex_is_told_by_its_first_bad_byte() {
    let key = base64::encode(include_bytes!("fixtures/x509/prime256v1.pub").as_slice());
    for (bad, shown) in
        [("z", "U+007A 'z'"), (" ", "U+0020 ' '"), ("\n", "U+000A"), ("é", "U+00C3 'Ã'")]
    {
        let value = format!("{}{bad}{}", "a".repeat(64 - bad.len() - 1), "x");
        let spec = json!({
            "data": { "hash": { "algorithm": "sha256", "value": value } },
            "signature": { "content": "AAAA", "publicKey": { "content": key } },
        });
        let expected = format!("encoding/hex: invalid byte: {shown}");
        assert_eq!(refusal("hashedrekord", &spec), Some(expected));
    }
}
