//! Provenance files signed by GnuPG, as `helm` entries.

mod fixture;

use fixture::{file, inputs, proposal, verify};
use indelible_entry::keys::parse_key;
use indelible_entry::{
    EntryError, KeyFormat, Kind, Policy, ProposeError, ProposedEntry, StoredKeys, VerifiedEntry,
    propose,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

fn helm(provenance: &[u8], key: &str) -> Result<VerifiedEntry, String> {
    verify(proposal(Kind::Helm, provenance, &file(key), None))
}

#[test]
fn the_signature_is_stored_in_bare_armor() {
    let provenance = String::from_utf8(file("rsa.prov")).unwrap();
    let body = helm(provenance.as_bytes(), "rsa.pub.asc").unwrap();
    let crlf = provenance.replace('\n', "\r\n");
    let commented = provenance.replace("SIGNATURE-----\n\n", "SIGNATURE-----\nVersion: 1\n\n");
    assert_ne!(commented, provenance);
    for same in [crlf, commented, format!("before\n{provenance}after")] {
        assert_eq!(helm(same.as_bytes(), "rsa.pub.gpg").unwrap().body(), body.body());
    }
}

#[test]
fn entries_are_found_by_key_address_and_chart() {
    let entry = helm(&file("rsa.prov"), "rsa.pub.asc").unwrap();
    let key = parse_key(KeyFormat::Pgp, &file("rsa.pub.asc")).unwrap();
    let mut expected = vec![
        hex::encode(Sha256::digest(key.canonical())),
        "rsa@example.com".to_owned(),
        "sha256:6dec7ea21e655d5796c1e214cfb75b73428b2abfa2e66c8f7bc64ff4a7b3b29f".to_owned(),
    ];
    expected.sort_unstable();
    assert_eq!(entry.index_keys(), expected);
}

#[test]
fn wrong_keys_and_changed_texts_are_refused() {
    let unknown = "openpgp: signature made by unknown entity";
    assert_eq!(helm(&file("rsa.prov"), "ed25519.pub.asc").unwrap_err(), unknown);
    let provenance = String::from_utf8(file("rsa.prov")).unwrap();
    let changed = provenance.replace("sha256:6", "sha256:7");
    let error = helm(changed.as_bytes(), "rsa.pub.asc").unwrap_err();
    assert_eq!(error, "openpgp: invalid signature: RSA verification failure");
    let end = provenance.rfind("-----END").expect("an end");
    for size in 0..end {
        assert!(helm(&provenance.as_bytes()[..size], "rsa.pub.asc").is_err(), "{size}");
    }
}

#[test]
fn files_without_a_digest_are_refused() {
    let error = helm(&file("onepart.prov"), "rsa.pub.asc").unwrap_err();
    let text = "error occurred parsing message block: message block must have at least two parts";
    assert_eq!(error, text);
    let error = helm(&file("artifact.txt"), "rsa.pub.asc").unwrap_err();
    assert_eq!(error, "unable to decode provenance file");
    // The reference answers this one as its own fault.
    let proposal = proposal(Kind::Helm, &file("nohash.prov"), &file("rsa.pub.asc"), None);
    let error =
        ProposedEntry::from_value(proposal).unwrap().verify(&Policy::default(), 0).unwrap_err();
    assert!(matches!(error, EntryError::Internal(_)), "{error}");
}

#[test]
fn a_format_need_not_be_named() {
    let mut evidence = inputs(&file("rsa.prov"), &file("rsa.pub.asc"), None);
    evidence.key_format = KeyFormat::X509;
    verify(propose(Kind::Helm, "0.0.1", &evidence).unwrap()).unwrap();
}

#[test]
fn missing_parts_are_named() {
    let refused = |spec| verify(json!({"kind": "helm", "apiVersion": "0.0.1", "spec": spec}));
    let missing =
        "validation failure list:\nchart in body is required\npublicKey in body is required";
    assert_eq!(refused(json!({})).unwrap_err(), missing);
    let missing = "validation failure list:\nchart.chart.provenance in body is required\n\
                   publicKey.publicKey.content in body is required";
    assert_eq!(refused(json!({"chart": {}, "publicKey": {}})).unwrap_err(), missing);
    let error = refused(json!({"chart": {"provenance": {}}, "publicKey": {"content": "AAAA"}}));
    assert_eq!(error.unwrap_err(), "'content' must be specified for provenance");
    let mut two = inputs(b"x", b"y", None);
    two.public_keys.push(b"y".to_vec());
    assert!(matches!(propose(Kind::Helm, "0.0.1", &two), Err(ProposeError::Keys(2))));
    two.key_format = KeyFormat::Ssh;
    assert!(matches!(propose(Kind::Helm, "0.0.1", &two), Err(ProposeError::Format { .. })));
}

#[test]
fn a_stored_body_is_no_proposal() {
    let entry = helm(&file("rsa.prov"), "rsa.pub.asc").unwrap();
    let stored = ProposedEntry::parse(entry.body()).unwrap();
    let error = stored.verify(&Policy::default(), 0).unwrap_err().to_string();
    assert_eq!(error, "entry not insertable into log: missing provenance content");
    let error = stored.canonicalize(&Policy::default(), 0).unwrap_err().to_string();
    assert_eq!(error, "provenance file contains no content");
}

/// Whatever a provenance file names is stored, and no look-up may name all of it.
#[test]
fn an_audit_finds_digests_of_any_algorithm() {
    let entry = helm(&file("rsa.prov"), "rsa.pub.asc").unwrap();
    let body = std::str::from_utf8(entry.body()).unwrap();
    for (algorithm, key) in [("sha512", "sha512:6d"), ("SHA256", "sha256:6d"), ("", ":6d")] {
        let body = body.replacen(r#""sha256""#, &format!("{algorithm:?}"), 1);
        let stored = StoredKeys::of(body.as_bytes(), None).unwrap();
        assert!(stored.certain.iter().any(|stored| stored.starts_with(key)), "{stored:?}");
        assert_eq!(stored.certain.len(), entry.index_keys().len());
        let proposed = ProposedEntry::parse(body.as_bytes()).unwrap();
        let refusal = proposed.canonicalize(&Policy::default(), 0).unwrap_err().to_string();
        assert!(refusal.contains("should be one of [sha256]"), "{refusal}");
    }
}
