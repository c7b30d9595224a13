//! What a `spec` lacks and what in it is not base64, as Rekor tells its clients.

use indelible_entry::{Policy, ProposedEntry, base64};
use serde_json::{Value, json};

fn refusal(kind: &str, spec: &Value) -> Option<String> {
    let proposal = json!({ "kind": kind, "apiVersion": "0.0.1", "spec": spec });
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
