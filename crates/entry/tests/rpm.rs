//! Packages made by rpmbuild and signed by rpmsign, as `rpm` entries.

mod fixture;

use fixture::{file, inputs, proposal, verify};
use indelible_entry::keys::parse_key;
use indelible_entry::{
    KeyFormat, Kind, Policy, ProposeError, ProposedEntry, StoredBody, VerifiedEntry, propose,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Packages with the keys that signed them.
const PACKAGES: [(&str, &str); 5] = [
    ("header-rsa", "rsa"),
    ("whole-rsa", "rsa"),
    ("header-ed25519", "ed25519"),
    ("whole-dsa", "dsa"),
    ("header-subkey", "subkey"),
];

fn rpm(package: &[u8], key: &str) -> Result<VerifiedEntry, String> {
    verify(proposal(Kind::Rpm, package, &file(key), None))
}

#[test]
fn the_names_are_those_of_the_package() {
    let entry = rpm(&file("whole-rsa.rpm"), "two.pub.gpg").unwrap();
    let body = StoredBody::parse(entry.body()).unwrap();
    let headers = &body.spec["package"]["headers"];
    let md5 = headers["RPMSIGTAG_MD5"].as_str().expect("rpmbuild writes one");
    let expected = json!({
        "Architecture": "noarch",
        "Epoch": "3",
        "Name": "whole-rsa",
        "RPMSIGTAG_MD5": md5,
        "Release": "2",
        "Version": "1.0",
    });
    assert_eq!(*headers, expected);
    assert!(md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit()));
}

#[test]
fn entries_are_found_by_key_address_and_package() {
    let entry = rpm(&file("header-rsa.rpm"), "two.pub.asc").unwrap();
    let key = parse_key(KeyFormat::Pgp, &file("two.pub.asc")).unwrap();
    let mut expected = vec![
        hex::encode(Sha256::digest(key.canonical())),
        "ed25519@example.com".to_owned(),
        "rsa@example.com".to_owned(),
        format!("sha256:{}", hex::encode(Sha256::digest(file("header-rsa.rpm")))),
    ];
    expected.sort_unstable();
    assert_eq!(entry.index_keys(), expected);
}

#[test]
fn wrong_keys_and_unsigned_packages_are_refused() {
    let error = rpm(&file("header-rsa.rpm"), "ed25519.pub.asc").unwrap_err();
    let id = error.strip_prefix("keyid ").and_then(|rest| rest.strip_suffix(" not found"));
    assert_eq!(id.map(str::len), Some(16), "{error}");
    let key = parse_key(KeyFormat::Pgp, &file("rsa.pub.asc")).unwrap();
    assert!(key.fingerprints()[0].ends_with(id.unwrap()));
    let error = rpm(&file("unsigned.rpm"), "rsa.pub.asc").unwrap_err();
    assert_eq!(error, "no supported PGP signature found in RPM");
    assert_eq!(rpm(&[0; 200], "rsa.pub.asc").unwrap_err(), "file is not an RPM");
}

#[test]
fn any_changed_or_missing_byte_behind_the_signatures_is_refused() {
    for (package, key) in PACKAGES {
        let (whole, key) = (file(&format!("{package}.rpm")), format!("{key}.pub.asc"));
        let refused = |package: &[u8], at: usize| assert!(rpm(package, &key).is_err(), "{at}");
        // The general header is behind the second magic.
        let magic = [0x8e, 0xad, 0xe8, 0x01];
        let second = whole.windows(4).rposition(|window| window == magic).expect("two headers");
        for at in (second..whole.len()).step_by(97) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            refused(&changed, at);
        }
        for size in (0..whole.len()).step_by(61) {
            refused(&whole[..size], size);
        }
    }
}

#[test]
fn what_is_claimed_must_be_so() {
    let mut claimed = proposal(Kind::Rpm, &file("header-rsa.rpm"), &file("rsa.pub.asc"), None);
    let hash = &mut claimed["spec"]["package"]["hash"]["value"];
    *hash = "0".repeat(64).into();
    assert!(verify(claimed.clone()).unwrap_err().starts_with("SHA mismatch: "));
    claimed["spec"]["package"]["hash"]["value"] = "00".into();
    assert_eq!(verify(claimed.clone()).unwrap_err(), "invalid value for hash");
    claimed["spec"]["package"]["hash"]["algorithm"] = "sha512".into();
    let text = "validation failure list:\n\
                package.package.hash.package.hash.algorithm in body should be one of [sha256]";
    assert_eq!(verify(claimed.clone()).unwrap_err(), text);
    claimed["spec"]["package"]["hash"].take();
    let unclaimed = verify(claimed).unwrap();
    assert_eq!(unclaimed.body(), rpm(&file("header-rsa.rpm"), "rsa.pub.asc").unwrap().body());
}

#[test]
fn a_format_need_not_be_named() {
    let mut evidence = inputs(&file("header-rsa.rpm"), &file("rsa.pub.asc"), None);
    evidence.key_format = KeyFormat::X509;
    verify(propose(Kind::Rpm, "0.0.1", &evidence).unwrap()).unwrap();
}

#[test]
fn missing_parts_are_named() {
    let refused = |spec| verify(json!({"kind": "rpm", "apiVersion": "0.0.1", "spec": spec}));
    let missing =
        "validation failure list:\npackage in body is required\npublicKey in body is required";
    assert_eq!(refused(json!({})).unwrap_err(), missing);
    let error = refused(json!({"package": {}, "publicKey": {"content": "AAAA"}})).unwrap_err();
    assert_eq!(error, "'content' must be specified for package");
    let mut two = inputs(b"x", b"y", None);
    two.public_keys.push(b"y".to_vec());
    assert!(matches!(propose(Kind::Rpm, "0.0.1", &two), Err(ProposeError::Keys(2))));
    two.key_format = KeyFormat::Ssh;
    assert!(matches!(propose(Kind::Rpm, "0.0.1", &two), Err(ProposeError::Format { .. })));
}

#[test]
fn a_stored_body_is_no_proposal() {
    let entry = rpm(&file("header-rsa.rpm"), "rsa.pub.asc").unwrap();
    let stored = ProposedEntry::parse(entry.body()).unwrap();
    let error = stored.verify(&Policy::default(), 0).unwrap_err().to_string();
    assert_eq!(error, "entry not insertable into log: missing package content");
    assert!(
        stored
            .canonicalize(&Policy::default(), 0)
            .unwrap_err()
            .to_string()
            .starts_with("SHA mismatch: e3b0c442")
    );
}
