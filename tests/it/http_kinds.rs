//! Every kind and key format over HTTP: logged, fetched, found, met again.
//!
//! The evidence is that of the golden tests of the crate `indelible-entry`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::{Inputs, KeyFormat, propose};
use serde_json::{Value, json};

use crate::harness::databases::TestDb;
use crate::harness::served::Served;

both! {
    every_kind_is_logged_fetched_and_found,
    every_kind_says_what_is_wrong_with_it,
}

fn evidence(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/entry/tests").join(name)
}

fn json_file(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn cases() -> Vec<Value> {
    let lists = ["fixtures/cases.json", "fixtures/pgp.json"].map(|list| json_file(&evidence(list)));
    lists.iter().flat_map(|list| list.as_array().expect("a list").clone()).collect()
}

fn inputs(case: &Value) -> Inputs {
    let text = |member: &str| case[member].as_str();
    let file = |name: &str| std::fs::read(evidence("fixtures").join(name)).expect("a fixture");
    let keys = case["keys"].as_array().into_iter().flatten();
    Inputs {
        artifact: text("artifact").map(file),
        artifact_hash: text("hash").map(str::to_owned),
        signature: text("signature").map(file),
        public_keys: keys.map(|key| file(key.as_str().expect("a path"))).collect(),
        key_format: text("format").map_or(KeyFormat::X509, |f| f.parse().expect("a format")),
        aad: text("aad").map(|aad| aad.as_bytes().to_vec()),
    }
}

fn proposal(case: &Value) -> Value {
    let kind = case["kind"].as_str().expect("a kind").parse().expect("a kind");
    let version = case["version"].as_str().unwrap_or("0.0.1");
    propose(kind, version, &inputs(case)).expect("a proposal")
}

async fn found(served: &Served, query: Value) -> Vec<String> {
    let answer = served.post("/api/v1/index/retrieve", query.to_string()).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    serde_json::from_value(answer.json()).expect("a list of IDs")
}

async fn every_kind_is_logged_fetched_and_found(db: TestDb) {
    let served = Served::start(&db).await;
    for case in cases() {
        let name = case["name"].as_str().expect("a name");
        let golden = json_file(&evidence("golden").join(format!("{name}.json")));
        let proposal = proposal(&case);
        let added = served.add(&proposal).await;
        // Two wrappings of one key may make one entry.
        assert!([201, 409].contains(&added.status), "{name}: {} {}", added.status, added.text);
        let leaf = golden["leaf_hash"].as_str().expect("a leaf hash");
        let location = added.header("location").to_owned();
        assert!(location.ends_with(leaf), "{name}: {location}");

        let fetched = served.get(&location).await.json();
        let (id, entry) = fetched.as_object().and_then(|o| o.iter().next()).expect("one entry");
        let body = STANDARD.decode(entry["body"].as_str().expect("a body")).expect("base64");
        assert_eq!(String::from_utf8(body).ok().as_deref(), golden["body"].as_str(), "{name}");
        assert_eq!(entry["attestation"].is_object(), golden["attestation"].is_string(), "{name}");

        for key in golden["index_keys"].as_array().expect("search strings") {
            let key = key.as_str().expect("a string");
            let found = found(&served, json!({ "subject": key })).await;
            assert!(found.contains(id), "{name} is not found under {key}");
        }
        let inputs = inputs(&case);
        for key in &inputs.public_keys {
            let query = json!({ "publicKey": {
                "format": inputs.key_format.as_str(), "content": STANDARD.encode(key),
            }});
            assert!(found(&served, query).await.contains(id), "{name} is not found by its key");
        }
        let query = json!({ "entries": [proposal] }).to_string();
        let met = served.post("/api/v1/log/entries/retrieve", query).await;
        assert_eq!((met.status, met.json()[0].get(id).is_some()), (200, true), "{name}");
    }
    assert_eq!(served.log.check().await.expect("a whole log"), served.size().await);
}

/// What is put in place of a case's evidence so that it no longer holds.
enum Wrong {
    Artifact(&'static str),
    Key(&'static str),
}

fn wrong(case: &Value) -> Wrong {
    let name = case["name"].as_str().expect("a name");
    match (case["kind"].as_str().expect("a kind"), case["format"].as_str()) {
        ("jar", _) => Wrong::Artifact("jar/changed.jar"),
        ("rfc3161", _) => Wrong::Artifact("rfc3161/rejected.tsr"),
        ("tuf", _) => Wrong::Key("x509/artifact"),
        (_, Some("pgp")) if name == "rekord-pgp-p256" => Wrong::Key("pgp/rsa.pub.gpg"),
        (_, Some("pgp")) => Wrong::Key("pgp/p256.pub.gpg"),
        (_, Some(_)) => Wrong::Key("x509/artifact"),
        _ if name == "hashedrekord-4096" => Wrong::Key("x509/2048.pub"),
        _ => Wrong::Key("x509/4096.pub"),
    }
}

async fn every_kind_says_what_is_wrong_with_it(db: TestDb) {
    let served = Served::start(&db).await;
    for case in cases() {
        let proposal = match wrong(&case) {
            Wrong::Artifact(file) => {
                let mut case = case.clone();
                case["artifact"] = json!(file);
                proposal(&case)
            }
            Wrong::Key(file) => with_key(proposal(&case), file),
        };
        let refused = served.add(&proposal).await;
        let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.status, 400, "{}: {message}", case["name"]);
        assert!(message.starts_with("error processing entry: "), "{}: {message}", case["name"]);
    }
    assert_eq!(served.size().await, 0);
}

/// The proposal with a file in place of its first key.
fn with_key(mut proposal: Value, file: &str) -> Value {
    let key = std::fs::read(evidence("fixtures").join(file)).expect("a key");
    let places = [
        "/publicKey/content",
        "/signature/publicKey/content",
        "/proposedContent/verifiers/0",
        "/content/envelope/signatures/0/publicKey",
        "/root/content",
        "/publicKey",
    ];
    let spec = &mut proposal["spec"];
    let place = places
        .into_iter()
        .find(|place| spec.pointer(place).is_some_and(|v| !v["content"].is_string()));
    let place = place.and_then(|place| spec.pointer_mut(place)).expect("a key in the proposal");
    *place = json!(STANDARD.encode(key));
    proposal
}
