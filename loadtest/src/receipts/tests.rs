use super::*;
use crate::paper_log::PaperLog;

const BODIES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Judges an answer after a true one of the same head.
fn judge(entry: &LogEntry, asked: Asked<'_>) -> Result<(), String> {
    let log = PaperLog::new(&BODIES);
    let (mut receipts, mut second) = (Receipts::default(), Receipts::default());
    receipts.check(&log.entry(0, 5, &note()), Asked::Index(0)).unwrap();
    let judged = receipts.check(entry, asked).and_then(|_| {
        // As another thread would have met it.
        second.check(entry, asked)?;
        receipts.merge(second)?;
        receipts.check_signatures(&log.key())
    });
    judged.map(drop).map_err(|error| error.to_string())
}

/// One note for all answers: signing again would make another one.
fn note() -> String {
    static NOTE: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let log = PaperLog::new(&BODIES);
        log.note(log.head(5))
    });
    NOTE.clone()
}

fn changed(mut entry: LogEntry, change: impl FnOnce(&mut EntryBody)) -> LogEntry {
    change(entry.0.values_mut().next().unwrap());
    entry
}

fn proof(body: &mut EntryBody) -> &mut wire::InclusionProof {
    body.verification.as_mut().unwrap().inclusion_proof.as_mut().unwrap()
}

#[test]
fn what_is_true_is_accepted() {
    let log = PaperLog::new(&BODIES);
    let entry = log.entry(3, 5, &note());
    for asked in [Asked::Index(3), Asked::Id(&log.id(3)), Asked::Posted("d")] {
        assert_eq!(judge(&entry, asked), Ok(()), "{asked:?}");
    }
}

#[test]
fn every_lie_is_told() {
    let log = PaperLog::new(&BODIES);
    let true_entry = || log.entry(3, 5, &note());
    let other = PaperLog::new(&["v", "w", "x", "y", "z"]);
    let (index, id, other_id) = (Asked::Index(3), log.id(3), log.id(2));
    for (lie, entry, asked, told) in [
        (
            "an entry of another tree under the signed head",
            other.entry(3, 5, &note()),
            index,
            "the checkpoint is not the proof's head",
        ),
        (
            "another head of the same size",
            other.entry(3, 5, &other.note(other.head(5))),
            index,
            "two heads of size 5",
        ),
        (
            "a head that is not the proof's",
            log.entry(3, 4, &note()),
            index,
            "the checkpoint is not the proof's head",
        ),
        ("another index than asked for", true_entry(), Asked::Index(2), "entry 3 for index 2"),
        ("another entry than asked for", true_entry(), Asked::Id(&other_id), "for 00000000"),
        (
            "another entry than posted",
            true_entry(),
            Asked::Posted("a"),
            "not the one that was posted",
        ),
        (
            "an index that is not the proof's",
            changed(true_entry(), |body| body.log_index = 2),
            Asked::Id(&id),
            "the proof is of another index",
        ),
        (
            "a proof of another index",
            changed(true_entry(), |body| proof(body).log_index = 2),
            index,
            "the proof is of another index",
        ),
        (
            "another body",
            changed(true_entry(), |body| body.body.0.push(b'!')),
            index,
            "does not hash to the entry's ID",
        ),
        (
            "a path without its end",
            changed(true_entry(), |body| drop(proof(body).hashes.pop())),
            index,
            "2 hashes",
        ),
        (
            "no proof",
            changed(true_entry(), |body| body.verification = None),
            index,
            "no inclusion proof",
        ),
        (
            "another time than signed",
            changed(true_entry(), |body| body.integrated_time += 1),
            index,
            "timestamp does not verify",
        ),
        (
            "a head that nobody signed",
            log.entry(3, 4, &log.note(log.head(4)).replacen("paper", "false", 1)),
            index,
            "a checkpoint's signature",
        ),
    ] {
        let judged = judge(&entry, asked).expect_err(lie);
        assert!(judged.contains(told), "{lie}: {judged}");
    }
}

#[test]
fn an_index_is_given_once() {
    let log = PaperLog::new(&BODIES);
    let mut receipts = Receipts::default();
    let entry = log.entry(3, 5, &note());
    let index = receipts.check(&entry, Asked::Posted("d")).unwrap();
    receipts.created.push(index);
    assert!(receipts.check_signatures(&log.key()).is_ok());
    receipts.created.push(3);
    assert!(receipts.check_signatures(&log.key()).is_err());
}

#[test]
fn a_consistency_proof_is_held_against_signed_roots() {
    let log = PaperLog::new(&BODIES);
    let other = PaperLog::new(&["a", "b", "x", "d", "e"]);
    let heads = Some((log.head(3), log.head(5)));
    let mut receipts = Receipts::default();
    receipts.check_consistency(&log.consistency(3, 5), heads).unwrap();
    receipts.check_consistency(&log.consistency(3, 5), None).unwrap();
    for lie in [other.consistency(3, 5), log.consistency(2, 5)] {
        assert!(receipts.check_consistency(&lie, heads).is_err(), "{lie:?}");
    }
    let checked = receipts.check_signatures(&log.key()).unwrap();
    assert_eq!((checked.consistency_proofs, checked.unknown_heads), (1, 1));
}
