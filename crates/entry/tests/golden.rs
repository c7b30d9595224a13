//! Evidence made by the real tool of each format, with the canonical body, leaf hash and
//! search strings that it must have, and the refusals of what was done to it.
//!
//! `fixtures/*.json` lists the cases; `golden/` holds one file per case. After
//! `make-fixtures/` was run, `INDELIBLE_BLESS=1` writes the golden files anew: read the
//! difference before committing it, for these bytes are what a leaf hash is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indelible_entry as entry;

use entry::{EntryError, Inputs, KeyFormat, Kind, Payload, Policy, ProposedEntry, propose};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A case, as `make-fixtures/` describes it; paths are relative to `fixtures/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    kind: String,
    version: Option<String>,
    format: Option<String>,
    artifact: Option<String>,
    hash: Option<String>,
    signature: Option<String>,
    #[serde(default)]
    keys: Vec<String>,
    aad: Option<String>,
    /// Unix seconds at which the entry is verified.
    #[serde(default)]
    now: i64,
}

/// What a case must give.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Golden {
    leaf_hash: String,
    body: String,
    index_keys: Vec<String>,
    /// SHA-256 of the payload that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation: Option<String>,
    /// What was done to the evidence, and the error's text.
    refused: BTreeMap<String, String>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder("fixtures").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn cases() -> Vec<Case> {
    let lists = std::fs::read_dir(folder("fixtures")).expect("fixtures");
    let lists = lists.map(|list| list.expect("an entry").path());
    let mut cases = Vec::new();
    for list in lists.filter(|list| list.extension().is_some_and(|e| e == "json")) {
        let text = std::fs::read(&list).expect("a list of cases");
        let listed: Vec<Case> = serde_json::from_slice(&text).expect("cases");
        cases.extend(listed);
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

impl Case {
    fn kind(&self) -> Kind {
        self.kind.parse().expect("a kind")
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            artifact: self.artifact.as_deref().map(fixture),
            artifact_hash: self.hash.clone(),
            signature: self.signature.as_deref().map(fixture),
            public_keys: self.keys.iter().map(|key| fixture(key)).collect(),
            key_format: self.format.as_deref().map_or(KeyFormat::X509, |f| f.parse().unwrap()),
            aad: self.aad.as_deref().map(|aad| aad.as_bytes().to_vec()),
        }
    }

    fn proposal(&self, inputs: &Inputs) -> Result<ProposedEntry, String> {
        let version = self.version.as_deref().unwrap_or("0.0.1");
        let proposal = propose(self.kind(), version, inputs).map_err(|e| e.to_string())?;
        Ok(ProposedEntry::from_value(proposal).expect("a proposal is well formed"))
    }

    /// The error's text; it must be one that the client is told.
    fn refusal(&self, what: &str, inputs: &Inputs) -> String {
        let error = match self.proposal(inputs) {
            Err(text) => return text,
            Ok(proposal) => proposal.verify(&Policy::default(), self.now),
        };
        match error {
            Ok(_) => panic!("{}: accepted although {what}", self.name),
            Err(error) => {
                assert!(error.is_input(), "{}: {what}: {error}", self.name);
                error.to_string()
            }
        }
    }

    fn golden(&self, all: &[Case]) -> Golden {
        let inputs = self.inputs();
        let verified = self.proposal(&inputs).and_then(|proposal| {
            proposal.verify(&Policy::default(), self.now).map_err(|error| error.to_string())
        });
        let verified = verified.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let attestation = match verified.payload() {
            Payload::Kept(kept) => Some(hex::encode(kept.digest)),
            _ => None,
        };
        let refused = self.changes(&inputs, all).into_iter().map(|(what, changed)| {
            let refusal = self.refusal(what, &changed);
            (what.to_owned(), refusal)
        });
        Golden {
            leaf_hash: verified.leaf_hash().to_string(),
            body: String::from_utf8(verified.body().to_vec()).expect("UTF-8"),
            index_keys: verified.index_keys().to_vec(),
            attestation,
            refused: refused.collect(),
        }
    }

    /// Changes that no evidence survives.
    fn changes(&self, inputs: &Inputs, all: &[Case]) -> Vec<(&'static str, Inputs)> {
        let mut changes = Vec::new();
        let mut change = |what, change: &dyn Fn(&mut Inputs)| {
            let mut changed = inputs.clone();
            change(&mut changed);
            changes.push((what, changed));
        };
        if let Some(artifact) = &inputs.artifact {
            let middle = artifact.len() / 2;
            change("the artifact was cut", &|i| i.artifact.as_mut().unwrap().truncate(middle));
            change("the artifact is empty", &|i| i.artifact = Some(Vec::new()));
            // A JAR has bytes that nobody signs; its own tests change those that are.
            // So have others in the middle: certificates, reserved space.
            let last = artifact.len() - 1;
            let at = if matches!(self.kind(), Kind::Rfc3161 | Kind::Rpm) { last } else { middle };
            if self.kind() != Kind::Jar {
                change("the artifact was changed", &|i| i.artifact.as_mut().unwrap()[at] ^= 1);
            }
        }
        if let Some(signature) = &inputs.signature {
            let middle = signature.len() / 2;
            // The middle of an OpenPGP packet may be what nobody signs.
            let is_packet = inputs.key_format == KeyFormat::Pgp && !signature.starts_with(b"-");
            // An SSH signature holds a key that nobody compares, and what was signed at its end.
            let end = signature.windows(9).rposition(|line| line == b"\n-----END");
            let at = match (inputs.key_format, end) {
                (KeyFormat::Ssh, Some(end)) => end - 4,
                _ if is_packet => signature.len() - 1,
                _ => middle,
            };
            change("the signature was changed", &|i| {
                let byte = &mut i.signature.as_mut().unwrap()[at];
                *byte = if *byte == b'A' { b'B' } else { b'A' };
            });
            change("the signature was cut", &|i| i.signature.as_mut().unwrap().truncate(middle));
            change("the signature is empty", &|i| i.signature = Some(Vec::new()));
        }
        if let Some(other) = self.other_key(all) {
            change("the key is another's", &|i| i.public_keys = vec![other.clone()]);
            change("the key was cut", &|i| {
                let key = &mut i.public_keys[0];
                key.truncate(key.len() / 2);
            });
        }
        if let Some(hash) = &inputs.artifact_hash {
            let (algorithm, value) = hash.split_once(':').expect("an algorithm");
            let other = format!("{algorithm}:{}", value.replace(['0', '1', '2', '3'], "f"));
            change("the digest is another's", &|i| i.artifact_hash = Some(other.clone()));
        }
        changes
    }

    /// A key of another case of this kind and format.
    fn other_key(&self, all: &[Case]) -> Option<Vec<u8>> {
        let own = self.keys.first()?;
        // One signer's key in another wrapping still verifies.
        let wrapped =
            ["minisign/bare.pub", "x509/leaf.crt", "x509/chain.crt", "ssh/certificate.pub"];
        let format = self.inputs().key_format;
        let stored = |key: &str| entry::search_key_for_public_key(format, &fixture(key)).unwrap();
        let other = all.iter().filter(|c| c.format == self.format).find_map(|case| {
            let key = case.keys.first()?;
            let same = wrapped.contains(&own.as_str()) || wrapped.contains(&key.as_str());
            let is_other = !same && case.kind() == self.kind() && stored(own) != stored(key);
            is_other.then_some(key)
        });
        other.map(|key| fixture(key))
    }
}

#[test]
fn bodies_leaf_hashes_search_strings_and_refusals_are_golden() {
    let bless = std::env::var_os("INDELIBLE_BLESS").is_some();
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let path = folder("golden").join(format!("{}.json", case.name));
        let got = case.golden(&cases);
        if bless {
            let text = serde_json::to_string_pretty(&got).expect("JSON") + "\n";
            std::fs::write(&path, text).expect("a golden file");
        }
        let want = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let want: Golden = serde_json::from_slice(&want).expect("a golden file");
        if got != want {
            wrong.push(format!("{}: {got:#?}\ninstead of {want:#?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let golden = std::fs::read_dir(folder("golden")).expect("golden").count();
    assert_eq!(golden, cases.len(), "a golden file without its case");
}

#[test]
fn every_case_is_refused_when_its_kind_is_switched_off() {
    for case in cases() {
        let mut policy = Policy::default();
        policy.enabled_kinds.remove(&case.kind());
        let proposal = case.proposal(&case.inputs()).expect("a proposal");
        let refused = proposal.verify(&policy, case.now).unwrap_err();
        assert!(matches!(refused, EntryError::KindDisabled(kind) if kind == case.kind()));
    }
}

#[test]
fn stored_bodies_read_back_as_the_reference_does() {
    for case in cases() {
        let verified = case.proposal(&case.inputs()).expect("a proposal");
        let verified = verified.verify(&Policy::default(), case.now).expect("verified");
        let stored = ProposedEntry::parse(verified.body()).expect("a body is a proposal");
        let again = stored.canonicalize(&Policy::default(), case.now);
        match case.kind() {
            Kind::Hashedrekord | Kind::Dsse | Kind::Intoto | Kind::Rfc3161 | Kind::Tuf => {
                assert_eq!(again.expect(&case.name), verified.body(), "{}", case.name);
            }
            // Their content is gone.
            _ => assert!(again.is_err(), "{}: {again:?}", case.name),
        }
    }
}

#[test]
fn a_search_by_key_finds_every_case_that_has_one() {
    for case in cases() {
        let inputs = case.inputs();
        let verified = case.proposal(&inputs).expect("a proposal");
        let verified = verified.verify(&Policy::default(), case.now).expect("verified");
        for key in &inputs.public_keys {
            let searched = entry::search_key_for_public_key(inputs.key_format, key).expect("a key");
            let found = searched.iter().any(|s| verified.index_keys().contains(s));
            assert!(found, "{}: {searched:?} not in {:?}", case.name, verified.index_keys());
        }
    }
}

/// The members of a spec that a row of the table names. Panics unless each one down to the leaves, or one above it, is.
fn named(row: &str, path: &str, value: &Value) -> BTreeSet<String> {
    if row.contains(&format!("`{path}`")) {
        return BTreeSet::from([path.to_owned()]);
    }
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(members) if path.is_empty() => {
            members.iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| (format!("{path}.{name}"), value)).collect()
        }
        Value::Array(items) => items.iter().map(|item| (format!("{path}[]"), item)).collect(),
        _ => Vec::new(),
    };
    assert!(!inside.is_empty(), "{path} is not in: {row}");
    inside.into_iter().flat_map(|(path, value)| named(row, &path, value)).collect()
}

/// The members in one pair of parentheses with this one, which may be left out together.
fn optional<'r>(row: &'r str, path: &str) -> Option<Vec<&'r str>> {
    let groups = row.split('(').skip(1).filter_map(|group| group.split_once(')'));
    let mut groups = groups.map(|(group, _)| group);
    let group = groups.find(|group| group.contains(&format!("`{path}`")))?;
    Some(group.split('`').skip(1).step_by(2).collect())
}

/// Takes a member out, of each object in a list, and objects that have no other.
fn remove(value: &mut Value, path: &str) {
    let Some(members) = value.as_object_mut() else { return };
    let Some((name, rest)) = path.split_once('.') else {
        members.remove(path);
        return;
    };
    match members.get_mut(name.trim_end_matches("[]")) {
        Some(Value::Array(items)) => items.iter_mut().for_each(|item| remove(item, rest)),
        Some(value) => remove(value, rest),
        None => {}
    }
    if members.get(name).is_some_and(|value| *value == json!({})) {
        members.remove(name);
    }
}

#[test]
fn the_members_of_proposals_are_documented_and_which_may_be_left_out() {
    let document = include_str!("../../../docs/evidence.md");
    let (_, table) = document.split_once("\n## Proposals\n").expect("the section");
    for case in cases() {
        let version = case.version.as_deref().unwrap_or("0.0.1");
        let kind = match case.kind() {
            Kind::Intoto => format!("| `intoto` {version} |"),
            kind => format!("| `{kind}` |"),
        };
        let row = table.lines().find(|line| line.starts_with(&kind)).expect("a row");
        let proposal = propose(case.kind(), version, &case.inputs()).expect("a proposal");
        let named = named(row, "", &proposal["spec"]);
        let members = row.split('`').skip(1).step_by(2).filter(|name| name.contains('.'));
        for path in members.filter(|path| !named.contains(*path)) {
            assert!(optional(row, path).is_some(), "{} has no {path}", case.name);
        }
        for path in named {
            let group = optional(row, &path);
            let mut rest = proposal.clone();
            for path in group.as_deref().unwrap_or(&[path.as_str()]) {
                remove(&mut rest["spec"], path);
            }
            assert_ne!(rest, proposal, "{}: {path}", case.name);
            let verified = ProposedEntry::from_value(rest)
                .is_ok_and(|proposal| proposal.verify(&Policy::default(), case.now).is_ok());
            assert_eq!(verified, group.is_some(), "{} without {path}", case.name);
        }
    }
}

/// Refusals of evidence that was made to be refused.
#[test]
fn evidence_that_was_made_wrong_is_refused_for_its_reason() {
    for (kind, artifact, signature, format, keys, reason) in [
        (
            "rekord",
            "ssh/artifact",
            "ssh/sha256.sig",
            "ssh",
            "ssh/ed25519-256.pub",
            "did not verify",
        ),
        (
            "rekord",
            "ssh/artifact",
            "ssh/namespace.sig",
            "ssh",
            "ssh/ed25519-256.pub",
            "namespace: git",
        ),
        (
            "rekord",
            "x509/artifact",
            "x509/secp384r1.sig",
            "x509",
            "x509/secp384r1.pub",
            "ASN.1 encoded",
        ),
        (
            "hashedrekord",
            "x509/artifact",
            "x509/secp224r1.sig",
            "x509",
            "x509/secp224r1.pub",
            "none that pairs P-224 with SHA-256",
        ),
        (
            "cose",
            "cose/es256.cbor",
            "",
            "x509",
            "x509/secp224r1.pub",
            "unsupported elliptic curve P-224",
        ),
        (
            "cose",
            "cose/es384.cbor",
            "",
            "x509",
            "cose/secp384r1.pub",
            "unsupported elliptic curve P-384",
        ),
        ("cose", "cose/aad.cbor", "", "x509", "cose/prime256v1.pub", "verification error"),
        ("cose", "cose/es256.cbor", "", "x509", "cose/2048.pub", "verifier PS256: header ES256"),
        (
            "cose",
            "cose/ps256.cbor",
            "",
            "x509",
            "chains/issuer-rsa1024.crt",
            "RSA key must be at least 2048 bits long",
        ),
        ("rfc3161", "rfc3161/rejected.tsr", "", "x509", "", "tsr status not granted: 2"),
        ("rfc3161", "rfc3161/token.der", "", "x509", "", "asn1"),
        (
            "rfc3161",
            "rfc3161/prime256v1-sha224.tsr",
            "",
            "x509",
            "",
            "unsupported public key algorithm",
        ),
        ("jar", "jar/rsa-sha224.jar", "", "x509", "", "unsupported public key algorithm"),
        ("jar", "jar/ec-sha224.jar", "", "x509", "", "unsupported public key algorithm"),
        ("jar", "jar/changed.jar", "", "x509", "", "Sha-256-Digest mismatch"),
        ("jar", "jar/main.jar", "", "x509", "", "Manifest-Main-Attributes mismatch"),
        ("jar", "jar/unsigned.jar", "", "x509", "", "JAR contains no signatures"),
        ("jar", "jar/twice.jar", "", "x509", "", "multiple signatures detected in JAR"),
        ("alpine", "alpine/changed.apk", "", "x509", "alpine/2048.pub", "checksum for data.tar.gz"),
        (
            "alpine",
            "alpine/bomb.apk",
            "",
            "x509",
            "alpine/2048.pub",
            "control.tar.gz exceeds max allowed size 33554432",
        ),
        (
            "tuf",
            "tuf/mixed/snapshot.json",
            "",
            "tuf",
            "tuf/ed25519/root.json",
            "did not meet threshold",
        ),
    ] {
        let some = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        let case = Case {
            name: artifact.to_owned(),
            kind: kind.to_owned(),
            version: None,
            format: some(format),
            artifact: some(artifact),
            hash: None,
            signature: some(signature),
            keys: some(keys).into_iter().collect(),
            aad: None,
            now: 1_800_000_000,
        };
        let refusal = case.refusal("it was made wrong", &case.inputs());
        assert!(refusal.contains(reason), "{artifact}: {refusal}");
    }
}

#[test]
fn tuf_metadata_expires() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "tuf-timestamp-ed25519").expect("the case");
    let late = Case { now: 4_923_072_000, ..case.clone() };
    let refusal = late.refusal("it has expired", &late.inputs());
    assert_eq!(refusal, "expired at 2126-01-01T00:00:00Z");
}

#[test]
fn limits_are_the_operators() {
    let cases = cases();
    for (name, reason) in [
        ("jar-rsa", "uncompressed jar metadata of size"),
        ("alpine-2048", "decompressed size (17) for signature.tar.gz exceeds max allowed size 16"),
    ] {
        let case = cases.iter().find(|case| case.name == name).expect("the case");
        let proposal = case.proposal(&case.inputs()).expect("a proposal");
        let tight =
            Policy { max_jar_metadata_size: 16, max_apk_metadata_size: 16, ..Policy::default() };
        let refusal = proposal.verify(&tight, 0).unwrap_err().to_string();
        assert!(refusal.contains(reason), "{refusal}");
        let loose =
            Policy { max_jar_metadata_size: 0, max_apk_metadata_size: 0, ..Policy::default() };
        assert!(proposal.verify(&loose, 0).is_ok(), "{name}");
    }
}
