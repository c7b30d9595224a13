//! Adding entries: the answer, the order of the refusals, duplicates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible::http::{EnabledEndpoints, OnDuplicate};
use indelible_client::verify::{LogKey, verify_entry};
use reqwest::Method;
use serde_json::{Value, json};
use tlog::Hash;
use wire::LogEntry;

use crate::harness::databases::TestDb;
use crate::harness::evidence::{digest, dsse, envelope, hashedrekord, public_key_pem};
use crate::harness::served::{Answer, Served, Setup};

both! {
    a_created_entry_is_named_three_times_and_verifies,
    refusals_come_in_order_and_add_nothing,
    evidence_that_does_not_hold_is_refused,
    duplicates_are_told_where_the_first_is,
    operators_switch_kinds_algorithms_and_operations_off,
}

const ENTRIES: &str = "/api/v1/log/entries";

fn entry(answer: &Answer) -> LogEntry {
    serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{e}: {}", answer.text))
}

async fn a_created_entry_is_named_three_times_and_verifies(db: TestDb) {
    let served = Served::start(&db).await;
    for (n, proposal) in [hashedrekord(1), dsse(b"{}")].into_iter().enumerate() {
        let answer = served.add(&proposal).await;
        assert_eq!((answer.status, answer.header("content-type")), (201, "application/json"));
        assert!(answer.text.ends_with("}\n") && answer.text.lines().count() == 1);
        let created = entry(&answer);
        let (id, body) = created.single().unwrap();
        assert_eq!(answer.header("etag"), id);
        assert_eq!(answer.header("location"), format!("{ENTRIES}/{id}"));
        assert_eq!(id[16..], Hash::leaf(&body.body.0).to_string());
        assert_eq!((body.log_index, body.integrated_time), (n as u64, 1_700_000_000));
        assert!(body.attestation.is_none(), "never in the answer to a POST");
        let key = LogKey::from_pem(served.log.public_key_pem()).unwrap();
        verify_entry(&created, &key).unwrap();
    }
    // A trailing slash gives the same, working location.
    let slash = served.post(&format!("{ENTRIES}/"), hashedrekord(2).to_string()).await;
    assert_eq!(served.get(slash.header("location")).await.status, 200);
}

async fn refusals_come_in_order_and_add_nothing(db: TestDb) {
    let served = Served::start(&db).await;
    let semver = entry::VERSION_PATTERN.replace('&', "\\u0026").replace('\\', "\\\\");
    for (body, status, expected) in [
        (r#"{"kind""#, 500, None),
        ("[]", 500, None),
        (r#"{"kind":7}"#, 500, None),
        (r#"{"kind":"hashedrekord","apiVersion":{}}"#, 500, None),
        ("null", 422, Some(r#"{"code":602,"message":"kind in body is required"}"#.to_owned())),
        (r#"{"apiVersion":"x"}"#, 422, Some(r#"{"code":602,"message":"kind in body is required"}"#.to_owned())),
        (r#"{"kind":"<foo>"}"#, 422, Some(r#"{"code":422,"message":"invalid kind value: \"\u003cfoo\u003e\""}"#.to_owned())),
        (r#"{"kind":"dsse"}"#, 422, Some(r#"{"code":602,"message":"apiVersion in body is required"}"#.to_owned())),
        (r#"{"kind":"dsse","apiVersion":"1"}"#, 422, Some(format!(r#"{{"code":605,"message":"apiVersion in body should match '{semver}'"}}"#))),
        (r#"{"kind":"dsse","apiVersion":"0.0.1","spec":null}"#, 422, Some(r#"{"code":602,"message":"spec in body is required"}"#.to_owned())),
        (r#"{"kind":"ProposedEntry"}"#, 422, Some(r#"{"code":602,"message":"apiVersion in body is required"}"#.to_owned())),
        (r#"{"kind":"ProposedEntry","apiVersion":"0.0.1","spec":null}"#, 422, Some(r#"{"code":602,"message":"spec in body is required"}"#.to_owned())),
        (r#"{"kind":"ProposedEntry","apiVersion":"0.0.1","spec":{}}"#, 400, Some("{\"code\":400,\"message\":\"error processing entry: could not unmarshal entry for kind 'ProposedEntry'\"}\n".to_owned())),
        (r#"{"kind":"hashedrekord","apiVersion":"0.0.9","spec":{}}"#, 400, Some("{\"code\":400,\"message\":\"error processing entry: hashedrekord implementation for version '0.0.9' not found: unable to locate entry for version 0.0.9\"}\n".to_owned())),
        (r#"{"kind":"hashedrekord","apiVersion":"0.0.1","spec":"x"}"#, 400, Some("{\"code\":400,\"message\":\"error processing entry: unsupported input type string for DecodeEntry\"}\n".to_owned())),
        (r#"{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{}}"#, 400, Some("{\"code\":400,\"message\":\"error processing entry: validation failure list:\\ndata in body is required\\nsignature in body is required\"}\n".to_owned())),
    ] {
        let answer = served.post(ENTRIES, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        match expected {
            Some(expected) => assert_eq!(answer.text, expected, "{body}"),
            None => assert_eq!(answer.json()["code"].as_u64(), Some(500), "{body}"),
        }
    }
    assert_eq!(served.size().await, 0);
}

/// The proposal with the value at a JSON pointer replaced.
fn with(mut proposal: Value, at: &str, value: Value) -> Value {
    *proposal.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = value;
    proposal
}

async fn evidence_that_does_not_hold_is_refused(db: TestDb) {
    let served = Served::start(&db).await;
    let key = "/spec/signature/publicKey/content";
    let hash = "/spec/data/hash/value";
    let pem = |text: &str| json!(STANDARD.encode(text));
    let other_key = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    for (proposal, reason) in [
        (
            with(hashedrekord(1), hash, json!(digest(2))),
            "verifying signature: invalid signature when validating ASN.1 encoded signature",
        ),
        (with(hashedrekord(1), hash, json!("ab")), "invalid value for hash"),
        (
            with(hashedrekord(1), hash, json!("z".repeat(64))),
            "error processing entry: encoding/hex: invalid byte: U+007A 'z'",
        ),
        (
            with(hashedrekord(1), "/spec/data/hash/algorithm", json!("md5")),
            "data.data.hash.data.hash.algorithm in body should be one of [sha256 sha384 sha512]",
        ),
        (
            with(hashedrekord(1), "/spec/signature/content", json!("*")),
            "failed parsing base64 data for signature content: illegal base64 data at input byte 0",
        ),
        (with(hashedrekord(1), key, pem("no key")), "invalid public key: failure decoding PEM"),
        (
            with(hashedrekord(1), key, pem(other_key)),
            "unsupported hash algorithm: \"SHA-256\" not in [SHA-512]",
        ),
        (
            with(
                hashedrekord(1),
                key,
                pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ),
            "x509: malformed certificate",
        ),
        (
            with(
                hashedrekord(1),
                key,
                pem("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n"),
            ),
            "cannot handle type RSA PUBLIC KEY",
        ),
        (
            with(dsse(b"{}"), "/spec/proposedContent/envelope", json!("{}")),
            "DSSE envelope must contain 1 or more signatures",
        ),
        (
            with(
                dsse(b"{}"),
                "/spec/proposedContent/envelope",
                json!(envelope("text/plain", b"{}").replace("text", "html")),
            ),
            "could not verify envelope",
        ),
        (
            with(dsse(b"{}"), "/spec/proposedContent/verifiers", json!([])),
            "proposedContent.proposedContent.verifiers in body should have at least 1 items",
        ),
        (
            json!({"kind":"dsse","apiVersion":"0.0.1","spec":{"signatures":null}}),
            "either proposedContent or envelopeHash, payloadHash, and signatures must be present",
        ),
    ] {
        let answer = served.add(&proposal).await;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, 400, "{message}");
        assert!(
            message.starts_with("error processing entry: ") && message.contains(reason),
            "{message}"
        );
    }
    assert_eq!(served.size().await, 0);
}

async fn duplicates_are_told_where_the_first_is(db: TestDb) {
    let served = Served::start(&db).await;
    let first = served.add(&hashedrekord(1)).await;
    let id = first.header("etag").to_owned();
    let again = served.add(&hashedrekord(1)).await;
    assert_eq!((again.status, again.header("etag")), (409, ""));
    assert_eq!(again.header("location"), format!("{ENTRIES}/{id}"));
    let body = again.json();
    let message =
        format!("an equivalent entry already exists in the transparency log with UUID {id}");
    assert_eq!(
        (body["code"].as_u64(), body["message"].as_str()),
        (Some(409), Some(message.as_str()))
    );
    assert_eq!(
        body["entry"][&id]["body"],
        first.json()[&id]["body"],
        "with everything of the lost 201"
    );
    for (prefers, status) in [
        ("return=representation", 201),
        ("wait=10, Return = \"representation\"; x=y", 201),
        ("return=minimal", 409),
        ("x; return=representation", 409),
    ] {
        let headers = [("content-type", "application/json"), ("prefer", prefers)];
        let preferred =
            served.send(Method::POST, ENTRIES, &headers, hashedrekord(1).to_string()).await;
        assert_eq!(preferred.status, status, "{prefers}");
        assert_eq!(preferred.header("etag"), if status == 201 { &id } else { "" }, "{prefers}");
    }
    let setup = Setup { on_duplicate: OnDuplicate::Created, ..Setup::default() };
    let lenient = Served::with(&db, setup).await;
    assert_eq!(lenient.add(&hashedrekord(1)).await.status, 201);
    assert_eq!(served.size().await, 1);
    // The same signature under the key's other spelling is the same leaf.
    let pem = public_key_pem().replace('\n', "\r\n");
    let spelled =
        with(hashedrekord(1), "/spec/signature/publicKey/content", json!(STANDARD.encode(pem)));
    assert_eq!(served.add(&spelled).await.status, 409);
}

async fn operators_switch_kinds_algorithms_and_operations_off(db: TestDb) {
    let policy =
        entry::Policy { enabled_kinds: [entry::Kind::Dsse].into(), ..entry::Policy::default() };
    let served = Served::with(&db, Setup { policy, ..Setup::default() }).await;
    let refused = served.add(&hashedrekord(1)).await;
    let expected = "error processing entry: entry kind 'hashedrekord' is not enabled for submission on this server: its setting enabled-entry-types leaves it out";
    assert_eq!((refused.status, refused.json()["message"].as_str()), (400, Some(expected)));
    let algorithms = [entry::SigningAlgorithm::Ed25519ph].into();
    let policy = entry::Policy { algorithms, ..entry::Policy::default() };
    let served = Served::with(&db, Setup { policy, ..Setup::default() }).await;
    let refused = served.add(&hashedrekord(1)).await;
    let expected = "error processing entry: entry algorithms are not allowed: the server's setting client-signing-algorithms has none that pairs P-256 with SHA-256";
    assert_eq!((refused.status, refused.json()["message"].as_str()), (400, Some(expected)));
    let endpoints = EnabledEndpoints::from_names(["getPublicKey"]).unwrap();
    let served = Served::with(&db, Setup { endpoints, ..Setup::default() }).await;
    for (answer, name) in [
        (served.add(&hashedrekord(1)).await, "Create Entry"),
        (served.get("/api/v1/log/entries?logIndex=0").await, "Get Log Entry by Index"),
        (served.get(&format!("{ENTRIES}/{}", "0".repeat(64))).await, "Get Log Entry by UUID"),
        (served.post("/api/v1/log/entries/retrieve", "{}").await, "Search Log Query"),
        (served.post("/api/v1/index/retrieve", "{}").await, "Search Index"),
        (served.get("/api/v1/log/proof?lastSize=1").await, "Get Log Proof"),
    ] {
        let message = format!("{name} API not enabled in this Rekor instance");
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (501, Some(message.as_str()))
        );
    }
    let info = served.get("/api/v1/log").await;
    let text = "\"operation tlog.GetLogInfo has not yet been implemented\"\n";
    assert_eq!((info.status, info.text.as_str()), (501, text));
    // Bad input is still told first, but only what is no proposal at all.
    assert_eq!(served.post(ENTRIES, r#"{"kind":"x"}"#).await.status, 422);
    let key = "/spec/signature/publicKey/content";
    let abstract_kind = json!({ "kind": "ProposedEntry", "apiVersion": "0.0.1", "spec": {} });
    for proposal in [with(hashedrekord(1), key, json!("*")), abstract_kind] {
        assert_eq!(served.add(&proposal).await.status, 501, "{proposal}");
    }
    assert_eq!(served.get("/api/v1/log/entries?logIndex=x").await.status, 422);
    assert_eq!(served.get("/api/v1/log/publicKey").await.status, 200);
}
