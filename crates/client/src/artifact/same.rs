//! Whether two entries hold the same evidence.
//!
//! Border: two bodies, as data. Their bytes may differ nevertheless: a log may write a key anew in
//! its own way (the user IDs of an OpenPGP key, say, have no order there).

use entry::{Kind, StoredBody};
use serde_json::Value;

use super::signer::{self, Signer};
use super::{envelope, mention};

/// Whether both are of one kind, name or hold the same content, and have the same keys and,
/// where a signature is kept as it came, the same signatures.
#[must_use]
pub fn same_evidence(one: &StoredBody, other: &StoredBody) -> bool {
    one.kind == other.kind
        && same_content(one, other)
        && same_keys(&signer::all(one), &signer::all(other))
        && signatures(one) == signatures(other)
}

/// Every place where the kind names or holds content is the same, and not all are empty.
fn same_content(one: &StoredBody, other: &StoredBody) -> bool {
    let mut places = compared(one.kind);
    let content = |body: &StoredBody, at: &str| body.spec.pointer(at).cloned();
    places.clone().any(|at| content(one, at).is_some())
        && places.all(|at| content(one, at) == content(other, at))
}

/// What two bodies of a kind must have in common.
fn compared(kind: Kind) -> impl Iterator<Item = &'static str> + Clone {
    let signed = match kind {
        // Of the files that a provenance names, Rekor takes the digest of any one. All of them are
        // in what was signed.
        Kind::Helm => None,
        _ => mention::signed_place(kind),
    };
    signed.into_iter().chain(envelope::place(kind)).chain(documents(kind).iter().copied())
}

fn same_keys(one: &[Signer], other: &[Signer]) -> bool {
    let within = |some: &[Signer], all: &[Signer]| {
        some.iter().all(|signer| all.iter().any(|other| other.is_same(signer)))
    };
    within(one, other) && within(other, one)
}

/// Where a kind's spec keeps documents, or a signature that stands for one, whole.
fn documents(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Helm => &["/chart/provenance/signature/content"],
        Kind::Rfc3161 => &["/tsr/content"],
        Kind::Tuf => &["/metadata/content", "/root/content"],
        _ => &[],
    }
}

/// The signatures of a body that are those of the proposal, byte by byte.
fn signatures(body: &StoredBody) -> Vec<&Value> {
    let each = |at: &str, name: &'static str| {
        let items = body.spec.pointer(at).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(move |item| item.get(name)).collect()
    };
    let is_x509 = || body.spec.pointer("/signature/format").is_some_and(|format| format == "x509");
    match body.kind {
        Kind::Rekord if !is_x509() => Vec::new(),
        Kind::Hashedrekord | Kind::Rekord => {
            body.spec.pointer("/signature/content").into_iter().collect()
        }
        Kind::Dsse => each("/signatures", "signature"),
        Kind::Intoto => each("/content/envelope/signatures", "sig"),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn golden() -> Vec<(String, StoredBody)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../entry/tests/golden");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let read = |path: std::path::PathBuf| {
            let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let body = StoredBody::parse(golden["body"].as_str()?.as_bytes()).ok()?;
            Some((path.file_stem()?.to_str()?.to_owned(), body))
        };
        files.filter_map(read).collect()
    }

    #[test]
    fn every_kind_is_told_apart() {
        let golden = golden();
        assert!(golden.len() > 50, "{}", golden.len());
        for (name, body) in &golden {
            assert!(same_evidence(body, body), "{name}");
            for at in compared(body.kind) {
                let mut changed = body.clone();
                let Some(value) = changed.spec.pointer_mut(at) else { continue };
                *value = Value::String("other".to_owned());
                assert!(!same_evidence(body, &changed), "{name} {at}");
            }
        }
        for (kind, name) in
            [(Kind::Hashedrekord, "/signature/content"), (Kind::Dsse, "/signatures/0/signature")]
        {
            let (_, body) = golden.iter().find(|(_, body)| body.kind == kind).unwrap();
            let mut changed = body.clone();
            *changed.spec.pointer_mut(name).unwrap() = Value::String("other".to_owned());
            assert!(!same_evidence(body, &changed), "{kind}");
        }
    }

    #[test]
    fn another_file_of_a_provenance_is_the_same_evidence() {
        let golden = golden();
        let (_, body) = golden.iter().find(|(_, body)| body.kind == Kind::Helm).unwrap();
        let mut changed = body.clone();
        let digest = changed.spec.pointer_mut("/chart/hash/value").unwrap();
        *digest = Value::String("0".repeat(64));
        assert_ne!(*body, changed);
        assert!(same_evidence(body, &changed));
        let signature = "/chart/provenance/signature/content";
        *changed.spec.pointer_mut(signature).unwrap() = Value::String("other".to_owned());
        assert!(!same_evidence(body, &changed));
    }

    #[test]
    fn another_form_of_a_key_is_the_same_evidence() {
        let golden = golden();
        let is_pgp = |body: &StoredBody| {
            body.spec.pointer("/signature/format").is_some_and(|format| format == "pgp")
        };
        let (_, body) = golden.iter().find(|(_, body)| is_pgp(body)).unwrap();
        let mut rewritten = body.clone();
        let key = rewritten.spec.pointer_mut("/signature/publicKey/content").unwrap();
        let armored = entry::base64::decode(key.as_str().unwrap().as_bytes()).unwrap();
        let armored = String::from_utf8(armored).unwrap();
        let commented = armored.replacen("\n\n", "\nComment: another\n\n", 1);
        assert_ne!(commented, armored);
        *key = Value::String(entry::base64::encode(commented));
        assert_ne!(*body, rewritten);
        assert!(same_evidence(body, &rewritten));
        let bare = entry::base64::encode("no key");
        *rewritten.spec.pointer_mut("/signature/publicKey/content").unwrap() = bare.into();
        assert!(!same_evidence(body, &rewritten));
    }
}
