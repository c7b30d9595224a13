//! What can be computed from a stored body is what was indexed with it.

use std::collections::BTreeSet;
use std::path::Path;

use indelible_entry::{KeyFormat, Kind, Payload, Policy, ProposedEntry, StoredKeys, base64};
use indelible_entry::{pem, search_key_for_public_key};

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
        let digest = payload.map(|_| keys.payload_hash.expect("the body records it"));
        assert!(digest.is_none_or(|digest| indexed.contains(&format!("sha256:{digest}"))));
        let alone = StoredKeys::of(verified.body(), None).expect("without the payload");
        assert!(alone.together.is_empty() && alone.certain.len() <= keys.certain.len());
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
    let body: serde_json::Value = serde_json::from_slice(verified.body()).expect("JSON");
    let key = body["spec"]["signature"]["publicKey"]["content"].as_str().expect("the stored key");
    let key = base64::decode(key.as_bytes()).expect("base64");
    assert_eq!(pem::decode(&key).expect("PEM").0.label, "CERTIFICATE");
    let searched = search_key_for_public_key(KeyFormat::X509, &key).expect("a certificate");
    assert!(!indexed.contains(&searched[0]), "the stored key signed nothing");
}

#[test]
fn bytes_that_are_no_body_have_no_strings() {
    for body in [&b""[..], b"{}", b"\xff", br#"{"kind":"dsse","apiVersion":"0.0.1","spec":{}}"#] {
        assert!(StoredKeys::of(body, Some(b"payload")).is_err());
    }
}
