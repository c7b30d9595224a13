//! The published vector: good as it is, refused after every single change.

use wire::{Base64, EntryBody, InclusionProof, LogEntry, Verification};

use super::*;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQgBAalfFEgfs7qr262Wk07y7dIGG\n\
    vl4aj9GhJUDlz7EPEI2QCKZcWaWm9o7R5ynyvTayfhUFRneiiISyUsR+kw==\n\
    -----END PUBLIC KEY-----\n";

const ID: &str = "0000000000003039fb5d93e6cf90bc9470cd9ea9d9e12348993db3e854ab2b7660e3594767045f6c";

const NOTE: &str = "log.example - 12345\n3\nLP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n\n\
    \u{2014} log.example f8jGoDBFAiEAnXanb20FxffcKolNp4KhxR+eKRdN6dkeAQdEvqudDpMCIFB7NCWtL64I2j/\
    DsTKcnpOj6h5hOU28HgmdxXq/Wqyd\n";

const SET: &str = "MEUCIC1HLq0Yq2M6jYMt+jqb9FytiH/OtyJGHxUrjOYc1KyIAiEA7o1FER9yAuc8Adtld/TJziQafezFncH37T04xttdFok=";

const ROOT: &str = "2cfef7627597e00b564975774ad728ef210706759fca6d64138c6dfc1cbf2cda";

fn key() -> LogKey {
    LogKey::from_pem(KEY).unwrap()
}

fn vector() -> (String, EntryBody) {
    let set: Base64 = serde_json::from_value(SET.into()).unwrap();
    let body = EntryBody {
        attestation: None,
        body: Base64(br#"{"n":1}"#.to_vec()),
        integrated_time: 1_700_000_000,
        log_id: "7fc8c6a081b50b7383214b707f31309ffffe7e9a7948989be7b5d5cf969219d9".to_owned(),
        log_index: 6,
        verification: Some(Verification {
            inclusion_proof: Some(InclusionProof {
                checkpoint: NOTE.to_owned(),
                hashes: vec![
                    "f94070abfd2da0bf72902eb13a808e794f954d9e2745c682a158f6ed0d4ac036".to_owned(),
                    "3d1de776df086c1ae9f7049d2bb0c0475ad14185f987e064e8d10dcb2db4a322".to_owned(),
                ],
                log_index: 1,
                root_hash: ROOT.to_owned(),
                tree_size: 3,
            }),
            signed_entry_timestamp: Some(set),
        }),
    };
    (ID.to_owned(), body)
}

/// Verifies the vector after one change.
fn changed(
    change: impl FnOnce(&mut String, &mut EntryBody),
) -> Result<VerifiedReceipt, VerifyError> {
    let (mut id, mut body) = vector();
    change(&mut id, &mut body);
    verify_entry(&LogEntry::new(id, body), &key())
}

fn proof(body: &mut EntryBody) -> &mut InclusionProof {
    body.verification.as_mut().unwrap().inclusion_proof.as_mut().unwrap()
}

#[test]
fn the_vector_holds() {
    let receipt = changed(|_, _| ()).unwrap();
    assert_eq!(receipt.entry_id.to_string(), ID);
    assert_eq!((receipt.log_index, receipt.tree_index), (6, 1));
    assert_eq!(receipt.integrated_time, 1_700_000_000);
    assert_eq!(receipt.head.note(), NOTE);
    assert_eq!(receipt.steps().last().unwrap().parent.to_string(), ROOT);
    assert_eq!(hex::encode(key().key_hash()), "7fc8c6a0");
    assert_eq!(key().to_pem(), KEY);
    let upper = changed(|id, body| {
        *id = id.to_uppercase();
        proof(body).root_hash = ROOT.to_uppercase();
    });
    assert!(upper.is_ok(), "hex has no case");
}

/// A predicate on the refusal, so that each change is refused for its own reason.
type Refusal = fn(&VerifyError) -> bool;

#[test]
fn every_single_change_is_refused() {
    type Change = fn(&mut String, &mut EntryBody);
    let cases: &[(&str, Change, Refusal)] = &[
        ("tree", |id, _| id.replace_range(15..16, "8"), |e| matches!(e, VerifyError::Tree { .. })),
        ("leaf", |id, _| id.replace_range(79..80, "d"), |e| matches!(e, VerifyError::Leaf { .. })),
        ("bare leaf", |id, _| *id = id[16..].to_owned(), |e| matches!(e, VerifyError::EntryId(_))),
        ("body", |_, b| b.body.0[5] = b'2', |e| matches!(e, VerifyError::Leaf { .. })),
        ("time", |_, b| b.integrated_time += 1, |e| matches!(e, VerifyError::Timestamp(_))),
        ("index", |_, b| b.log_index = 7, |e| matches!(e, VerifyError::Timestamp(_))),
        (
            "log",
            |_, b| b.log_id.replace_range(0..1, "8"),
            |e| matches!(e, VerifyError::LogId { .. }),
        ),
        ("no verification", |_, b| b.verification = None, |e| matches!(e, VerifyError::Missing(_))),
        (
            "no SET",
            |_, b| b.verification.as_mut().unwrap().signed_entry_timestamp = None,
            |e| matches!(e, VerifyError::Missing(_)),
        ),
        (
            "SET",
            |_, b| {
                let set = b.verification.as_mut().unwrap().signed_entry_timestamp.as_mut();
                set.unwrap().0[40] ^= 1;
            },
            |e| matches!(e, VerifyError::Timestamp(_)),
        ),
        (
            "no proof",
            |_, b| b.verification.as_mut().unwrap().inclusion_proof = None,
            |e| matches!(e, VerifyError::Missing(_)),
        ),
        ("place", |_, b| proof(b).log_index = 0, |e| matches!(e, VerifyError::Inclusion(_))),
        ("size", |_, b| proof(b).tree_size = 4, |e| matches!(e, VerifyError::Head { .. })),
        (
            "root",
            |_, b| proof(b).root_hash.replace_range(0..1, "3"),
            |e| matches!(e, VerifyError::Inclusion(_)),
        ),
        ("no root", |_, b| proof(b).root_hash.clear(), |e| matches!(e, VerifyError::Hash { .. })),
        ("order", |_, b| proof(b).hashes.reverse(), |e| matches!(e, VerifyError::Inclusion(_))),
        (
            "hash",
            |_, b| proof(b).hashes[1].replace_range(0..1, "4"),
            |e| matches!(e, VerifyError::Inclusion(_)),
        ),
        (
            "hash text",
            |_, b| proof(b).hashes[0].truncate(63),
            |e| matches!(e, VerifyError::Hash { .. }),
        ),
        ("fewer", |_, b| proof(b).hashes.truncate(1), |e| matches!(e, VerifyError::Inclusion(_))),
        (
            "more",
            |_, b| proof(b).hashes.push(ROOT.to_owned()),
            |e| matches!(e, VerifyError::Inclusion(_)),
        ),
        (
            "no checkpoint",
            |_, b| proof(b).checkpoint.clear(),
            |e| matches!(e, VerifyError::Missing(_)),
        ),
        (
            "attestation",
            |_, b| b.attestation = Some(wire::AttestationData { data: None }),
            |e| matches!(e, VerifyError::Attestation(_)),
        ),
    ];
    for (name, change, expected) in cases {
        let error = changed(change).expect_err(name);
        assert!(expected(&error), "{name}: {error}");
    }
}

#[test]
fn every_single_change_of_the_checkpoint_is_refused() {
    let cases: &[(&str, &str, Refusal)] = &[
        ("log.example - 1", "log.exampla - 1", |e| matches!(e, VerifyError::Unsigned { .. })),
        ("- 12345\n", "- 12346\n", |e| matches!(e, VerifyError::Signature(_))),
        ("\n3\n", "\n4\n", |e| matches!(e, VerifyError::Signature(_))),
        ("LP73", "LP74", |e| matches!(e, VerifyError::Signature(_))),
        ("LNo=\n", "LNo=\nmore\n", |e| matches!(e, VerifyError::Signature(_))),
        ("\u{2014} log.example", "\u{2014} log.exampla", |e| {
            matches!(e, VerifyError::Unsigned { .. })
        }),
        ("\u{2014} log.example", "\u{2014} log", |e| matches!(e, VerifyError::Unsigned { .. })),
        ("f8jG", "f8jH", |e| matches!(e, VerifyError::Unsigned { .. })),
        ("AiEAnX", "AiEAnY", |e| matches!(e, VerifyError::Signature(_))),
        ("\n\n", "\n", |e| matches!(e, VerifyError::Note(_))),
        ("\n3\n", "\nthree\n", |e| matches!(e, VerifyError::Checkpoint(_))),
    ];
    for (from, to, expected) in cases {
        assert!(NOTE.contains(from), "{from:?}");
        let note = NOTE.replacen(from, to, 1);
        let error = verify_checkpoint(&note, &key()).expect_err(to);
        assert!(expected(&error), "{from:?} -> {to:?}: {error}");
    }
}

#[test]
fn lines_of_others_neither_help_nor_harm() {
    let other = "\u{2014} witness.example AAAAAAAA\n";
    assert!(verify_checkpoint(&format!("{NOTE}{other}"), &key()).is_ok());
    let (text, _) = NOTE.split_once("\n\n").unwrap();
    let error = verify_checkpoint(&format!("{text}\n\n{other}"), &key()).unwrap_err();
    assert!(matches!(error, VerifyError::Unsigned { .. }), "{error}");
    let mut twice = NOTE.to_owned();
    let (_, line) = NOTE.split_once("\n\n").unwrap();
    twice.push_str(&line.replace("AiEAnX", "AiEAnY"));
    let error = verify_checkpoint(&twice, &key()).unwrap_err();
    assert!(matches!(error, VerifyError::Signature(_)), "every line of the key must hold");
}

#[test]
fn another_key_verifies_nothing() {
    let other = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";
    let (id, body) = vector();
    let other = LogKey::from_pem(other).unwrap();
    let refused = verify_entry(&LogEntry::new(id, body), &other).unwrap_err();
    assert!(matches!(refused, VerifyError::LogId { .. }), "{refused}");
    assert!(matches!(verify_checkpoint(NOTE, &other), Err(VerifyError::Unsigned { .. })));
}

#[test]
fn growth_needs_its_proof() {
    let leaves: Vec<Hash> =
        (0..3).map(|n| Hash::leaf(format!("{{\"n\":{n}}}").as_bytes())).collect();
    let head = |size: usize| tlog::Checkpoint {
        origin: "log.example - 12345".to_owned(),
        size: size as u64,
        root: tlog::root_of_leaves(&leaves[..size]),
        extensions: Vec::new(),
    };
    let verify = |older: &tlog::Checkpoint, newer: &tlog::Checkpoint, hashes: &[Hash]| {
        let hashes = hashes.iter().map(Hash::to_string).collect();
        let sent = wire::ConsistencyProof { hashes, root_hash: String::new() };
        verify_consistency(older, newer, &read_proof(&sent).unwrap())
    };
    assert_eq!(head(3).root.to_string(), ROOT);
    assert!(verify(&head(2), &head(3), &leaves[2..]).is_ok());
    assert!(verify(&head(0), &head(3), &[]).is_ok());
    assert!(verify(&head(2), &head(3), &leaves[1..2]).is_err());
    assert!(verify(&head(3), &head(2), &leaves[2..]).is_err());
    let mut forked = head(2);
    forked.root = leaves[0];
    let refused = verify(&forked, &head(3), &leaves[2..]).unwrap_err();
    assert!(matches!(refused, VerifyError::Consistency(_)));
}
