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

use entry::keys::EvidenceKey;
use entry::keys::pgp::PgpKeyring;
use entry::keys::x509::X509Verifier;
use entry::{Policy, ProposedEntry, StoredBody, base64, pem as pem_blocks};
use serde_json::json;

/// A target's name, which is that of its corpus folder, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in alphabetical order.
pub const TARGETS: &[Target] = &[
    ("dsse", dsse),
    ("pem", pem),
    ("pgp", pgp),
    ("proposed_entry", proposed_entry),
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
    if let Ok(again) = stored.canonicalize(0) {
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

/// Any bytes as an OpenPGP key file: the stored form is a fixed point.
pub fn pgp(data: &[u8]) {
    let Ok(keys) = PgpKeyring::parse(data) else { return };
    let again = PgpKeyring::parse(keys.canonical()).expect("the stored form is a key");
    assert_eq!(again.canonical(), keys.canonical());
    assert_eq!(again.subjects(), keys.subjects());
    assert_eq!(again.fingerprints(), keys.fingerprints());
    // Accepted or not, it must not panic.
    let _ = keys.verify_artifact(b"artifact", data);
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
