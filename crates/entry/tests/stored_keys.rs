//! What can be computed from a stored body is what was indexed with it.

use std::collections::BTreeSet;
use std::path::Path;

use indelible_entry::{KeyFormat, Kind, Payload, Policy, ProposedEntry, StoredKeys, base64};
use indelible_entry::{pem, search_key_for_public_key};
use serde_json::{Value, json};

#[test]
fn search_strings_of_every_kind_follow_from_what_is_stored() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/proposed_entry");
    let mut kinds = BTreeSet::new();
    for seed in std::fs::read_dir(folder).expect("seeds") {
        let path = seed.expect("a seed").path();
        let proposal = std::fs::read(&path).expect("a seed");
        let proposal = ProposedEntry::parse(&proposal).expect("a proposal");
        kinds.insert(format!("{} {}", proposal.kind(), proposal.version()));
        let verified = proposal.verify(&Policy::default(), 0).expect("valid evidence");
        let indexed: BTreeSet<&String> = verified.index_keys().iter().collect();
        let payload = match verified.payload() {
            Payload::Kept(kept) => Some(kept.data.as_slice()),
            Payload::None | Payload::TooLarge { .. } => None,
        };
        let keys = StoredKeys::of(verified.body(), payload)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let computed: BTreeSet<&String> = keys.certain.iter().chain(&keys.together).collect();
        let lost: Vec<_> = indexed.difference(&computed).collect();
        let invented: Vec<_> = computed.difference(&indexed).collect();
        assert!(invented.is_empty(), "{}: {invented:?}", path.display());
        // A key that was not submitted in its canonical form was indexed by both.
        assert!(lost.len() <= 1, "{}: {lost:?}", path.display());
        assert!(lost.is_empty() || proposal.kind().as_str() == "hashedrekord", "{lost:?}");
        assert_eq!(keys.keeps_payload, payload.is_some(), "{}", path.display());
        let digest = payload.map(|_| keys.payload_hash.expect("the body records it"));
        assert!(digest.is_none_or(|digest| indexed.contains(&format!("sha256:{digest}"))));
        let alone = StoredKeys::of(verified.body(), None).expect("without the payload");
        assert!(alone.together.is_empty() && alone.certain.len() <= keys.certain.len());
        if payload.is_none() {
            let foreign = br#"{"subject":[{"digest":{"sha256":"00aa"}}]}"#;
            assert_eq!(StoredKeys::of(verified.body(), Some(foreign)).expect("a body"), alone);
        }
    }
    for kind in Kind::ALL {
        assert!(kinds.iter().any(|name| name.starts_with(kind.as_str())), "{kind} has no seed");
    }
}

/// Anybody can put anybody's certificate into a signature block, and be it in front.
#[test]
fn a_jar_is_found_by_the_certificates_that_signed_it_alone() {
    let jar = include_bytes!("fixtures/jar/bystander.jar");
    let proposal = format!(
        r#"{{"kind":"jar","apiVersion":"0.0.1","spec":{{"archive":{{"content":"{}"}}}}}}"#,
        base64::encode(jar)
    );
    let proposal = ProposedEntry::parse(proposal.as_bytes()).expect("a proposal");
    let verified = proposal.verify(&Policy::default(), 0).expect("valid evidence");
    let stored = StoredKeys::of(verified.body(), None).expect("a body");
    let indexed: BTreeSet<&String> = verified.index_keys().iter().collect();
    assert_eq!(indexed, stored.certain.iter().collect());
    // Digests of the block and the archive; certificate and address of each signer.
    assert_eq!(indexed.len(), 2 + 2 * 2, "{indexed:?}");
    for (name, signed) in [("bystander", false), ("first", true), ("second", true)] {
        assert_eq!(indexed.contains(&format!("{name}@example.com")), signed, "{name}");
    }
    let body: Value = serde_json::from_slice(verified.body()).expect("JSON");
    let key = body["spec"]["signature"]["publicKey"]["content"].as_str().expect("the stored key");
    let key = base64::decode(key.as_bytes()).expect("base64");
    assert_eq!(pem::decode(&key).expect("PEM").0.label, "CERTIFICATE");
    let searched = search_key_for_public_key(KeyFormat::X509, &key).expect("a certificate");
    assert!(!indexed.contains(&searched[0]), "the stored key signed nothing");
}

/// Rekor takes these signatures as they are, and its own rules refuse what it stores of them.
#[test]
fn a_signature_that_no_look_up_may_name_hides_nothing_from_an_audit() {
    let fixture = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        std::fs::read(path).expect("a fixture")
    };
    let envelope = String::from_utf8(fixture("dsse/one.json")).expect("text");
    let envelope: Value = serde_json::from_str(&envelope).expect("JSON");
    let sig = envelope["signatures"][0]["sig"].as_str().expect("text");
    let url_safe = sig.replace('+', "-").replace('/', "_");
    assert_ne!(url_safe, sig);
    for other in [url_safe, format!("{sig}\n"), sig.replacen('M', "\r\nM", 1)] {
        let mut envelope = envelope.clone();
        envelope["signatures"][0]["sig"] = json!(other);
        let verifier = base64::encode(fixture("x509/prime256v1.pub"));
        let spec = json!({ "envelope": envelope.to_string(), "verifiers": [verifier] });
        let spec = json!({ "proposedContent": spec });
        let proposal = json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": spec });
        let entry = ProposedEntry::from_value(proposal).expect("a proposal");
        let entry = entry.verify(&Policy::default(), 0).expect("valid evidence");
        let Payload::Kept(payload) = entry.payload() else { panic!("no payload") };
        let stored = StoredKeys::of(entry.body(), Some(&payload.data)).expect("a body");
        let found: BTreeSet<&String> = stored.certain.iter().chain(&stored.together).collect();
        assert_eq!(found, entry.index_keys().iter().collect(), "{other:?}");
        assert_eq!(stored.payload_hash, Some(hex::encode(payload.digest)));
        // A look-up is answered as by Rekor.
        let looked_up = ProposedEntry::parse(entry.body()).expect("a body");
        let refusal = looked_up.canonicalize(&Policy::default(), 0).expect_err("refused");
        assert!(refusal.to_string().contains("signatures.0.signature in body should match"));
    }
}

/// As a statement it would have been refused, so it was declared to be something else.
#[test]
fn a_payload_with_more_digests_than_an_entry_may_have_adds_none() {
    let golden = include_bytes!("golden/dsse-0.0.1.json");
    let golden: Value = serde_json::from_slice(golden).expect("JSON");
    let body = golden["body"].as_str().expect("a body").as_bytes();
    let certain = StoredKeys::of(body, None).expect("a body").certain.len();
    for (count, together) in [(8_192 - certain, 8_192 - certain), (8_193 - certain, 0)] {
        // Those that differ in case alone are one.
        let digests = (0..count).flat_map(|n| [format!("a{n}"), format!("A{n}")]);
        let subjects = digests.map(|value| json!({ "digest": { "sha256": value } }));
        let payload = json!({ "subject": subjects.collect::<Vec<_>>() }).to_string();
        let stored = StoredKeys::of(body, Some(payload.as_bytes())).expect("a body");
        assert_eq!((stored.certain.len(), stored.together.len()), (certain, together));
    }
}

#[test]
fn bytes_that_are_no_body_have_no_strings() {
    for body in [&b""[..], b"{}", b"\xff", br#"{"kind":"dsse","apiVersion":"0.0.1","spec":{}}"#] {
        assert!(StoredKeys::of(body, Some(b"payload")).is_err());
    }
}
