//! The bodies of the fuzz targets: what must hold for any bytes.
//!
//! Border: one function per target, which returns when the bytes are refused and panics when a promise is broken. The
//! fuzzer (`fuzz_targets/`) and the ordinary test `crates/entry/tests/corpus_replay.rs` both run them.
//!
//! ```sh
//! cargo install cargo-fuzz
//! mkdir -p fuzz/corpus-new/x509
//! cargo +nightly fuzz run x509 fuzz/corpus-new/x509 fuzz/corpus/x509
//! ```
//!
//! The first folder takes what the fuzzer finds and is not committed; `fuzz/corpus` is small and written by
//! `fuzz/make-seeds.sh`. A new target is a function here with its line in [`TARGETS`], a file in `fuzz_targets/`, a
//! `[[bin]]` in `Cargo.toml`, and a folder of seeds.

use indelible_entry as entry;

use entry::keys::pkcs7::Pkcs7;
use entry::keys::x509::X509Verifier;
use entry::keys::{EvidenceKey as _, parse_key};
use entry::{KeyFormat, Policy, ProposedEntry, StoredBody, base64, pem as pem_blocks};
use serde_json::json;

/// A target's name, which is that of its corpus folder, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in alphabetical order.
pub const TARGETS: &[Target] = &[
    ("alpine", alpine),
    ("cose", cose),
    ("dsse", dsse),
    ("helm", helm),
    ("jar", jar),
    ("minisign", minisign),
    ("pem", pem),
    ("pgp", pgp),
    ("pkcs7", pkcs7),
    ("proposed_entry", proposed_entry),
    ("rfc3161", rfc3161),
    ("rpm", rpm),
    ("ssh", ssh),
    ("tuf", tuf),
    ("x509", x509),
];

/// The key that the seeds of [`dsse`] are signed with.
const ECDSA_TEST_KEY: &[u8] = include_bytes!("../keys/ecdsa-test-key.pub.pem");

/// Any bytes as a proposal: an accepted one has a body that reads back, and canonicalising it again gives the same bytes
/// or is refused. Nothing has expired.
pub fn proposed_entry(data: &[u8]) {
    let Ok(proposed) = ProposedEntry::parse(data) else { return };
    let Ok(verified) = proposed.verify(&Policy::default(), 0) else { return };
    let body = verified.body();
    StoredBody::parse(body).expect("an accepted entry has a readable body");
    let stored = ProposedEntry::parse(body).expect("a body is a well-formed entry");
    if let Ok(again) = stored.canonicalize(&Policy::default(), 0) {
        assert_eq!(again, body, "the stored form must read back as itself");
    }
}

/// Any text as a DSSE envelope, under a fixed key.
pub fn dsse(data: &[u8]) {
    let Ok(envelope) = std::str::from_utf8(data) else { return };
    let spec = json!({ "proposedContent": {
        "envelope": envelope,
        "verifiers": [base64::encode(ECDSA_TEST_KEY)],
    }});
    proposal("dsse", "0.0.1", &spec);
}

/// Any bytes as an Alpine package, under a fixed key.
pub fn alpine(data: &[u8]) {
    let key = include_bytes!("../corpus/alpine/key.pub");
    proposal("alpine", "0.0.1", &package(data, key));
}

/// Any bytes as an RPM package, under a fixed key.
pub fn rpm(data: &[u8]) {
    let key = include_bytes!("../corpus/rpm/key.pub");
    proposal("rpm", "0.0.1", &package(data, key));
}

fn package(content: &[u8], key: &[u8]) -> serde_json::Value {
    json!({
        "package": { "content": base64::encode(content) },
        "publicKey": { "content": base64::encode(key) },
    })
}

/// Any bytes as a signed JAR.
pub fn jar(data: &[u8]) {
    proposal("jar", "0.0.1", &json!({ "archive": { "content": base64::encode(data) } }));
}

/// Any bytes as a provenance file, under a fixed key.
pub fn helm(data: &[u8]) {
    let key = include_bytes!("../corpus/helm/key.pub");
    let spec = json!({
        "chart": { "provenance": { "content": base64::encode(data) } },
        "publicKey": { "content": base64::encode(key) },
    });
    proposal("helm", "0.0.1", &spec);
}

/// Any bytes as a COSE_Sign1 message, under a fixed key.
pub fn cose(data: &[u8]) {
    let key = include_bytes!("../corpus/cose/key.pub");
    let spec = json!({
        "data": {},
        "message": base64::encode(data),
        "publicKey": base64::encode(key),
    });
    proposal("cose", "0.0.1", &spec);
}

/// Any bytes as a timestamp response.
pub fn rfc3161(data: &[u8]) {
    proposal("rfc3161", "0.0.1", &json!({ "tsr": { "content": base64::encode(data) } }));
}

/// Any bytes as a minisign key, and as a signature of it.
pub fn minisign(data: &[u8]) {
    let fixed = include_bytes!("../corpus/minisign/key.pub");
    key_and_signature(KeyFormat::Minisign, data, fixed);
}

/// Any bytes as an SSH key, and as a signature of a fixed one.
pub fn ssh(data: &[u8]) {
    key_and_signature(KeyFormat::Ssh, data, include_bytes!("../corpus/ssh/key.pub"));
}

/// Any bytes as an OpenPGP key, and as a signature of a fixed one.
pub fn pgp(data: &[u8]) {
    key_and_signature(KeyFormat::Pgp, data, include_bytes!("../corpus/pgp/key.pub"));
}

/// Any bytes as signed data: the stored form, without its content, is a fixed point.
pub fn pkcs7(data: &[u8]) {
    let Ok(block) = Pkcs7::parse(data) else { return };
    let stored = block.detached().expect("what was read can be written").0;
    let again = Pkcs7::parse(&stored).expect("the stored form is signed data");
    assert_eq!(again.detached().expect("stored once, stored again").0, stored);
    assert_eq!(again.canonical(), block.canonical());
    let _ = (block.verify(b"artifact"), block.subjects(), block.fingerprints(), block.signers());
}

/// Any bytes as a TUF root: the stored form is a fixed point.
pub fn tuf(data: &[u8]) {
    let Ok(root) = parse_key(KeyFormat::Tuf, data) else { return };
    let again = parse_key(KeyFormat::Tuf, root.canonical()).expect("the stored form is a root");
    assert_eq!(again.canonical(), root.canonical());
}

/// Any bytes as a key: the stored form is a fixed point. And as a signature of the fixed
/// key: accepted or not, it must not panic.
fn key_and_signature(format: KeyFormat, data: &[u8], fixed: &[u8]) {
    let key = parse_key(format, fixed).expect("the fixed key is one");
    let _ = key.verify_artifact(b"artifact", data);
    let Ok(key) = parse_key(format, data) else { return };
    let again = parse_key(format, key.canonical()).expect("the stored form is a key");
    assert_eq!(again.canonical(), key.canonical());
    assert_eq!(again.subjects(), key.subjects());
    assert_eq!(again.fingerprints(), key.fingerprints());
    let _ = key.verify_artifact(b"artifact", data);
}

/// Any bytes as PEM: what is found is found again in the form that is stored.
pub fn pem(data: &[u8]) {
    let mut rest = data;
    while let Some((block, after)) = pem_blocks::decode(rest) {
        assert!(after.len() < rest.len(), "each block takes bytes");
        let stored = pem_blocks::encode(&block.label, &block.bytes);
        assert_eq!(pem_blocks::decode(stored.as_bytes()), Some((block, &b""[..])));
        rest = after;
    }
}

/// Any bytes as a key, certificate or chain: the stored form is a fixed point.
pub fn x509(data: &[u8]) {
    let Ok(verifier) = X509Verifier::parse(data) else { return };
    let again = X509Verifier::parse(verifier.canonical()).expect("the stored form is a key");
    assert_eq!(again.canonical(), verifier.canonical());
    assert_eq!(again.subjects(), verifier.subjects());
    assert_eq!(again.fingerprints(), verifier.fingerprints());
    // Accepted or not, it must not panic.
    let _ = verifier.verify_artifact(b"artifact", data);
}

/// Runs a spec as a proposal of its kind.
fn proposal(kind: &str, version: &str, spec: &serde_json::Value) {
    let body = json!({ "apiVersion": version, "kind": kind, "spec": spec });
    proposed_entry(body.to_string().as_bytes());
}
