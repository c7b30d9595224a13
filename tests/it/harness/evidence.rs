//! Signed evidence for stories: one key, any number of different artifacts.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::{Policy, ProposedEntry, VerifiedEntry};
use indelible::log::Leaf;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The signer of all evidence of this process.
static SIGNER: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate);

/// The signer's public key, PEM.
pub(crate) fn public_key_pem() -> String {
    let key = p256::PublicKey::from(SIGNER.verifying_key());
    key.to_public_key_pem(LineEnding::LF).expect("a public key has a PEM form")
}

/// Digest of the n-th artifact, hex.
pub(crate) fn digest(n: u64) -> String {
    hex::encode(Sha256::digest(n.to_be_bytes()))
}

/// A valid hashedrekord for the n-th artifact; equal for equal n.
pub(crate) fn hashedrekord(n: u64) -> Value {
    let digest = Sha256::digest(n.to_be_bytes());
    let signature: DerSignature = SIGNER.sign_prehash(&digest).expect("P-256 signs 32 bytes");
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex::encode(digest) } },
            "signature": {
                "content": STANDARD.encode(signature.as_bytes()),
                "publicKey": { "content": STANDARD.encode(public_key_pem()) },
            },
        },
    })
}

/// A signed DSSE envelope over this payload, as JSON text.
pub(crate) fn envelope(payload_type: &str, payload: &[u8]) -> String {
    let mut pae =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    pae.extend_from_slice(payload);
    let signature: DerSignature =
        SIGNER.sign_prehash(&Sha256::digest(pae)).expect("P-256 signs 32 bytes");
    json!({
        "payloadType": payload_type,
        "payload": STANDARD.encode(payload),
        "signatures": [{ "keyid": "", "sig": STANDARD.encode(signature.as_bytes()) }],
    })
    .to_string()
}

/// A valid dsse proposal around an in-toto statement.
pub(crate) fn dsse(payload: &[u8]) -> Value {
    json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": { "proposedContent": {
            "envelope": envelope("application/vnd.in-toto+json", payload),
            "verifiers": [STANDARD.encode(public_key_pem())],
        } },
    })
}

/// Verified under the default policy.
pub(crate) fn verified(proposal: Value) -> VerifiedEntry {
    let proposal = ProposedEntry::from_value(proposal).expect("a proposal");
    proposal.verify(&Policy::default(), 0).expect("valid evidence")
}

/// The n-th hashedrekord, ready to append.
pub(crate) fn leaf(n: u64) -> Leaf {
    Leaf::from(verified(hashedrekord(n)))
}

/// A hashedrekord under the test certificate, which names `Signer@Example.com` and
/// `HTTPS://ci.example/Run`, and that certificate.
pub(crate) fn certified() -> (Value, &'static str) {
    use pkcs8::DecodePrivateKey as _;
    let key = include_str!("../fixtures/signer-test-key.pem");
    let certificate = include_str!("../fixtures/signer-test-certificate.pem");
    let key = SigningKey::from_pkcs8_pem(key).expect("the test key is a key");
    let digest = Sha256::digest(b"certified");
    let signature: DerSignature = key.sign_prehash(&digest).expect("P-256 signs 32 bytes");
    let proposal = json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex::encode(digest) } },
            "signature": {
                "content": STANDARD.encode(signature.as_bytes()),
                "publicKey": { "content": STANDARD.encode(certificate) },
            },
        },
    });
    (proposal, certificate)
}
