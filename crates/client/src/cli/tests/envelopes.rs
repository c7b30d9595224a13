//! `verify FILE` about envelopes: what is signed in them, and what strangers may have added.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::{Inputs, KeyFormat, Kind};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, Signature, SigningKey};
use p256::elliptic_curve::Generate as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::log::{Log, pem, serve_log};
use super::{Ran, run_with};

const STATEMENT: &str =
    r#"{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"p???","subject":[]}"#;
const TYPE: &str = "application/vnd.in-toto+json";

/// A vendor's envelope around a statement, and the vendor's key.
fn envelope() -> (Value, String) {
    envelope_of(TYPE, STATEMENT)
}

/// An envelope around a payload of that type, and its signer's key.
fn envelope_of(payload_type: &str, payload: &str) -> (Value, String) {
    let key = SigningKey::generate();
    let lengths = (payload_type.len(), payload.len());
    let signed = format!("DSSEv1 {} {payload_type} {} {payload}", lengths.0, lengths.1);
    let signature: DerSignature = key.sign(signed.as_bytes());
    let signatures = json!([{ "keyid": "", "sig": STANDARD.encode(signature.as_bytes()) }]);
    let payload = STANDARD.encode(payload);
    let envelope =
        json!({ "payloadType": payload_type, "payload": payload, "signatures": signatures });
    (envelope, pem(&key))
}

/// What an entry of this kind is made of.
fn proposal(kind: Kind, version: &str, file: &[u8], key: &str) -> Value {
    let inputs = Inputs {
        artifact: Some(file.to_vec()),
        artifact_hash: None,
        signature: None,
        public_keys: vec![key.as_bytes().to_vec()],
        key_format: KeyFormat::X509,
        aad: None,
    };
    entry::propose(kind, version, &inputs).unwrap()
}

/// `verify FILE` against a log of one entry that holds what `proposal` says.
async fn verify(proposal: &Value, file: &[u8]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), file).unwrap();
    let mut log = Log::new("log.test", 7);
    log.add(proposal);
    let url = serve_log(&log.shared()).await;
    let arguments = ["verify", &path("file"), "--rekor_server", &url];
    run_with(&arguments, &[("HOME", &path("home"))]).await
}

#[tokio::test]
async fn an_uploader_names_no_file_in_a_signers_name() {
    let (vendors, key) = envelope();
    let mut lie = proposal(Kind::Intoto, "0.0.2", vendors.to_string().as_bytes(), &key);
    let evil = b"evil";
    lie["spec"]["content"]["hash"]["value"] = hex::encode(Sha256::digest(evil)).into();
    let ran = verify(&lie, evil).await;
    assert!(!ran.success, "{}", ran.out);
    let said = "The file is what the uploader called the envelope, which the log does not check\n";
    assert!(ran.out.contains("is NOT vouched for") && ran.out.contains(said), "{}", ran.out);
}

#[tokio::test]
async fn an_envelope_is_vouched_for_as_far_as_it_is_signed() {
    let (vendors, key) = envelope();
    let with = |at: &str, name: &str, value: &str| {
        let mut changed = vendors.clone();
        changed.pointer_mut(at).unwrap()[name] = value.into();
        changed.to_string()
    };
    let (signed, more) =
        ("The file is the signed envelope\n", "other parts of the file are not signed");
    for (file, vouched) in [
        (vendors.to_string(), true),
        (format!("{vendors} \n"), true),
        (with("/signatures/0", "keyid", "SHA256:ab+/="), true),
        (with("/signatures/0", "cert", &key), true),
        (with("/signatures/0", "cert", "evil"), false),
        (with("/signatures/0", "keyid", "$(evil)"), false),
        (with("/signatures/0", "evil", ""), false),
        (with("", "scripts", "evil"), false),
        (vendors.to_string().replacen("{", r#"{"PAYLOAD":"ZXZpbA==","#, 1), false),
    ] {
        for (kind, version) in
            [(Kind::Dsse, "0.0.1"), (Kind::Intoto, "0.0.1"), (Kind::Intoto, "0.0.2")]
        {
            if (kind, version) == (Kind::Intoto, "0.0.1") && !file.contains(r#""keyid":"""#) {
                // It demands the key's own ID.
                continue;
            }
            let ran =
                verify(&proposal(kind, version, file.as_bytes(), &key), file.as_bytes()).await;
            assert_eq!(ran.success, vouched, "{kind} {version} {file}: {}{}", ran.out, ran.err);
            let said = match (vouched, version) {
                (true, _) => signed,
                (false, "0.0.2") => "what the uploader called the envelope",
                (false, _) => more,
            };
            assert!(ran.out.contains(said), "{kind} {version} {file}: {}", ran.out);
        }
    }
}

#[tokio::test]
async fn an_envelope_may_be_in_the_other_base64() {
    let (mut vendors, key) = envelope();
    let payload = vendors["payload"].as_str().unwrap().replace('/', "_");
    assert_ne!(vendors["payload"], payload);
    vendors["payload"] = payload.into();
    let file = vendors.to_string();
    let ran = verify(&proposal(Kind::Dsse, "0.0.1", file.as_bytes(), &key), file.as_bytes()).await;
    assert!(ran.success && ran.out.contains("The file is the signed envelope\n"), "{}", ran.out);
}

#[tokio::test]
async fn an_envelope_that_was_laid_out_anew_is_known_by_its_parts() {
    let (vendors, key) = envelope();
    let logged = proposal(Kind::Intoto, "0.0.2", vendors.to_string().as_bytes(), &key);
    let index = |file: &str| {
        let mut named = logged.clone();
        named["spec"]["content"]["hash"]["value"] = hex::encode(Sha256::digest(file)).into();
        named
    };
    let anew = format!("{vendors:#}");
    let ran = verify(&index(&anew), anew.as_bytes()).await;
    assert!(ran.success, "{}", ran.out);
    // Another statement, type or signature is another envelope.
    for (member, other) in [
        ("payload", json!("e30=")),
        ("payloadType", json!("text/plain")),
        ("signatures", json!([])),
    ] {
        let mut changed = vendors.clone();
        changed[member] = other;
        let changed = changed.to_string();
        let ran = verify(&index(&changed), changed.as_bytes()).await;
        assert!(!ran.success, "{member}: {}", ran.out);
    }
}

#[tokio::test]
async fn a_message_is_vouched_for_if_all_of_it_is_signed() {
    let read = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../entry/tests/fixtures/cose");
        std::fs::read(folder.join(name)).unwrap()
    };
    let key = String::from_utf8(read("prime256v1.pub")).unwrap();
    let message = read("es256.cbor");
    // The map behind the protected header; a key ID in it.
    let at = 3 + usize::from(message[2] & 0x1f);
    assert_eq!(message[at], 0xa0);
    let more = [&message[..at], b"\xa1\x04\x44evil", &message[at + 1..]].concat();
    for (file, vouched) in [(message, true), (more, false)] {
        let ran = verify(&proposal(Kind::Cose, "0.0.1", &file, &key), &file).await;
        assert_eq!(ran.success, vouched, "{}{}", ran.out, ran.err);
    }
}

#[tokio::test]
async fn only_what_was_signed_as_a_statement_names_subjects() {
    const LIST: &str = "application/vnd.example.blocklist+json";
    let (statement, list) = ("https://in-toto.io/Statement/v1", "blocklist");
    let file = b"subject";
    let digest = hex::encode(Sha256::digest(file));
    let subject = r#"subject "a" of a "p" statement (sha256)"#;
    let unnamed = "not named by anything that can be seen in the entry";
    for (kind, version, payload_type, says, vouched) in [
        (Kind::Dsse, "0.0.1", TYPE, list, true),
        (Kind::Dsse, "0.0.1", LIST, statement, false),
        (Kind::Intoto, "0.0.2", TYPE, list, true),
        (Kind::Intoto, "0.0.2", LIST, statement, false),
        // It keeps no type.
        (Kind::Intoto, "0.0.1", TYPE, statement, true),
        (Kind::Intoto, "0.0.1", LIST, list, false),
    ] {
        let payload = json!({
            "_type": says, "predicateType": "p",
            "subject": [{ "name": "a", "digest": { "sha256": digest } }],
        });
        let (envelope, key) = envelope_of(payload_type, &payload.to_string());
        let mut proposal = proposal(kind, version, envelope.to_string().as_bytes(), &key);
        let ran = verify(&proposal, file).await;
        assert_eq!(ran.success, vouched, "{kind} {version} {payload_type}: {}", ran.out);
        let said = if vouched { subject } else { unnamed };
        assert!(ran.out.contains(&format!("The file is {said}\n")), "{kind}: {}", ran.out);
        if (version, vouched) == ("0.0.2", false) {
            proposal["spec"]["content"]["hash"]["value"] = digest.as_str().into();
            let ran = verify(&proposal, file).await;
            let claimed = ran.out.contains("what the uploader called the envelope");
            assert!(!ran.success && claimed, "{}", ran.out);
        }
    }
}

/// A byte string of CBOR that is neither very short nor long.
fn bytes(content: &[u8]) -> Vec<u8> {
    match u16::try_from(content.len()).unwrap().to_be_bytes() {
        [0, length] => [&[0x58, length], content].concat(),
        [high, low] => [&[0x59, high, low], content].concat(),
    }
}

/// A COSE_Sign1 message of that content type, and its key.
fn message(content_type: &str, payload: &[u8]) -> (Vec<u8>, String) {
    let key = SigningKey::generate();
    let length = u8::try_from(content_type.len()).unwrap();
    // The algorithm, ES256, and the content type.
    let header = [&[0xa2, 1, 0x26, 3, 0x78, length], content_type.as_bytes()].concat();
    let (header, payload) = (bytes(&header), bytes(payload));
    let signed = [b"\x84\x6aSignature1", header.as_slice(), &[0x40], &payload].concat();
    let signature: Signature = key.sign(&signed);
    let signature = bytes(&signature.to_bytes());
    ([&[0xd2, 0x84], header.as_slice(), &[0xa0], &payload, &signature].concat(), pem(&key))
}

#[tokio::test]
async fn a_statement_in_a_message_names_its_subjects() {
    let digest = |file: &[u8]| json!({ "sha256": hex::encode(Sha256::digest(file)) });
    let statement = json!({
        "predicateType": "p", "subject": [{ "name": "a", "digest": digest(b"subject") }],
        "predicate": { "materials": [{ "digest": digest(b"material") }] },
    });
    let statement = statement.to_string();
    for (content_type, file, vouched, said) in [
        (TYPE, &b"subject"[..], true, r#"subject "a" of a "p" statement (sha256)"#),
        (TYPE, b"material", false, r#"a material of a "p" statement (sha256)"#),
        ("text/plain;charset=UTF-8", b"subject", false, "not named by anything"),
    ] {
        let (message, key) = message(content_type, statement.as_bytes());
        let ran = verify(&proposal(Kind::Cose, "0.0.1", &message, &key), file).await;
        assert_eq!(ran.success, vouched, "{content_type}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(&format!("The file is {said}")), "{content_type}: {}", ran.out);
    }
}
