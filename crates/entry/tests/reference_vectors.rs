//! Inputs with the results that the reference server gives for them.
//!
//! The vectors are somebody else's and not part of this repository. The
//! environment variable `INDELIBLE_REFERENCE_VECTORS` names a folder that holds
//! `vectors.json` and the files that it speaks of; without it `scripts/test` says that this was
//! not run, and the golden bodies of this repository stand alone.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::{Inputs, KeyFormat, Policy, ProposedEntry, propose};
use indelible_entry as entry;
use serde_json::Value;
use sha2::{Digest as _, Sha512};

#[test]
#[ignore = "needs INDELIBLE_REFERENCE_VECTORS"]
fn canonical_bodies_and_index_keys_equal_the_references() {
    let folder = std::env::var_os("INDELIBLE_REFERENCE_VECTORS");
    let folder = PathBuf::from(folder.expect("INDELIBLE_REFERENCE_VECTORS names a folder"));
    let vectors = std::fs::read(folder.join("vectors.json")).expect("vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&vectors).expect("a list of vectors");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for vector in &vectors {
        checked += 1;
        if let Err(reason) = check(&folder, vector) {
            wrong.push(format!("{}: {reason}", text(vector, "name")));
        }
    }
    assert!(checked > 0, "there are no vectors");
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(folder: &Path, vector: &Value) -> Result<(), String> {
    let kind = text(vector, "kind").parse().expect("a kind");
    let proposal = propose(kind, text(vector, "api_version"), &inputs(folder, vector))
        .map_err(|error| format!("not proposed: {error}"))?;
    let proposed = ProposedEntry::from_value(proposal).map_err(|error| error.to_string())?;
    // Vectors with dates in them were made with the expiry check off: the epoch is before every expiry.
    let verified = proposed.verify(&Policy::default(), 0).map_err(|error| error.to_string())?;
    if let Some(body) = vector.get("body").and_then(Value::as_str) {
        let (got, want) = (verified.body(), STANDARD.decode(body).expect("base64"));
        if got != want {
            let (got, want) = (String::from_utf8_lossy(got), String::from_utf8_lossy(&want));
            return Err(format!("body\n {got}\ninstead of\n {want}"));
        }
    }
    let leaf = verified.leaf_hash().to_string();
    if leaf != text(vector, "leaf_hash") {
        return Err(format!("leaf hash {leaf}"));
    }
    for key in vector["index_keys"].as_array().expect("index keys") {
        let key = key.as_str().expect("a string").to_lowercase();
        if !verified.index_keys().contains(&key) {
            return Err(format!("not found under {key}"));
        }
    }
    Ok(())
}

fn inputs(folder: &Path, vector: &Value) -> Inputs {
    let file =
        |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let optional = |member: &str| vector.get(member).and_then(Value::as_str).map(file);
    let keys = vector.get("public_key").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let format = vector.get("pki_format").and_then(Value::as_str).unwrap_or("x509");
    Inputs {
        artifact: optional("artifact"),
        artifact_hash: vector.get("hash").and_then(Value::as_str).map(|algorithm| {
            assert_eq!(algorithm, "sha512", "the only one that vectors ask for");
            let artifact = optional("artifact").expect("an artifact to hash");
            format!("sha512:{}", hex::encode(Sha512::digest(artifact)))
        }),
        signature: optional("signature"),
        public_keys: keys.iter().map(|key| file(key.as_str().expect("a path"))).collect(),
        key_format: format.parse().unwrap_or(KeyFormat::X509),
        aad: vector
            .get("aad")
            .and_then(Value::as_str)
            .map(|aad| STANDARD.decode(aad).expect("aad")),
    }
}

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap_or_else(|| panic!("{member} is no string"))
}
