//! The log on each database: rounds, duplicates, proofs, restarts, surprises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use indelible::log::{
    self, Clock, Log, Lookup, OpenError, Options, Receipt, SearchError, SubmitError, Submitted,
};
use indelible::signer::LogKey;
use indelible::store::Store;
use indelible_client::verify::{LogKey as VerifierKey, verify_entry};
use tlog::{Checkpoint, EntryRef, Hash, Note, verify_consistency};
use wire::{EntryBody, LogEntry, SearchOperator};

use crate::harness::databases::TestDb;
use crate::harness::evidence::{digest, dsse, leaf, public_key_pem, verified};
use crate::harness::faults::{FaultyStore, Method};
use crate::harness::logs::key;

both! {
    an_entry_that_was_read_before_is_proven_to_the_newest_head,
    every_receipt_verifies_across_tile_boundaries,
    sixty_four_writers_with_duplicates_share_one_order,
    equal_leaves_of_one_round_get_one_index,
    two_servers_on_one_database_do_not_fork,
    a_restart_keeps_everything,
    another_key_hostname_or_database_is_refused,
    time_never_goes_back,
    a_full_queue_refuses_at_once_and_changes_nothing,
    search_is_complete_when_the_receipt_is_there,
    a_search_that_finds_too_much_is_refused,
    payloads_are_kept_with_the_leaf,
    damage_is_found_and_named,
}

fn clock() -> Clock {
    Arc::new(|| 1_700_000_000)
}

pub(crate) async fn open_on(store: Arc<dyn Store>, options: Options) -> Log {
    log::open(store, key(), None, "log.example", options, clock()).await.expect("the log opens")
}

async fn open(db: &TestDb) -> Log {
    open_on(db.open().await, Options::default()).await
}

/// Submits and verifies the receipt offline; the entry ID, its body, and whether it is new.
pub(crate) async fn submit(log: &Log, n: u64) -> (String, EntryBody, bool) {
    let (receipt, new) = match log.submit(leaf(n)).await.expect("the log takes it") {
        Submitted::Created(receipt) => (receipt, true),
        Submitted::Duplicate(receipt) => (receipt, false),
    };
    let (id, body) = check(log, &receipt);
    (id, body, new)
}

/// The entry as a client reads it.
pub(crate) fn shown(receipt: &Receipt) -> LogEntry {
    let mut text = Vec::new();
    receipt.write(&mut text).expect("a text");
    assert!((text.len()..text.len() + 512).contains(&receipt.size()), "{}", receipt.size());
    serde_json::from_slice(&text).expect("an entry")
}

/// Everything that a client checks, with the client's own code.
pub(crate) fn check(log: &Log, receipt: &Receipt) -> (String, EntryBody) {
    let key = VerifierKey::from_pem(log.public_key_pem()).expect("the log's key");
    let entry = shown(receipt);
    verify_entry(&entry, &key).expect("the receipt verifies");
    let (id, body) = entry.single().expect("one entry");
    assert_eq!(id, receipt.entry_id());
    (id.to_owned(), body.clone())
}

pub(crate) async fn head(log: &Log) -> (u64, Hash) {
    let info = log.log_info().await.expect("the head");
    let note = Note::parse(&info.signed_tree_head).expect("a note");
    let checkpoint = Checkpoint::parse(&note.text).expect("a checkpoint");
    assert_eq!((checkpoint.size, checkpoint.root.to_string()), (info.tree_size, info.root_hash));
    (checkpoint.size, checkpoint.root)
}

async fn every_receipt_verifies_across_tile_boundaries(db: TestDb) {
    let log = open(&db).await;
    assert_eq!(head(&log).await, (0, Hash::EMPTY_ROOT));
    let mut heads = vec![head(&log).await];
    let mut ids = Vec::new();
    for n in 0..520 {
        let (id, body, new) = submit(&log, n).await;
        assert!(new && body.log_index == n);
        ids.push(id);
        if [1, 2, 255, 256, 257, 511, 512, 513].contains(&(n + 1)) {
            heads.push(head(&log).await);
        }
    }
    heads.push(head(&log).await);
    for (at, id) in ids.iter().enumerate() {
        let by_index = log.entry(Lookup::Index(at as u64)).await.unwrap().expect("by index");
        assert_eq!(check(&log, &by_index).0, *id);
        let by_leaf = log.entry(Lookup::Uuid(id[16..].parse().unwrap())).await.unwrap();
        assert_eq!(check(&log, &by_leaf.expect("by leaf")).1.log_index, at as u64);
    }
    for (first, old) in &heads {
        for (last, new) in heads.iter().filter(|(last, _)| last >= first && *first > 0) {
            let proof = log.consistency(*first, *last).await.unwrap();
            let hashes: Vec<Hash> = proof.hashes.iter().map(|h| h.parse().unwrap()).collect();
            verify_consistency(*first, *last, old, new, &hashes).unwrap();
        }
    }
    assert!(log.entry(Lookup::Index(520)).await.unwrap().is_none());
    assert_eq!(log.check().await.unwrap(), 520);
    log.ready().await.unwrap();
}

async fn sixty_four_writers_with_duplicates_share_one_order(db: TestDb) {
    let log = open(&db).await;
    let writers = (0..64_u64).map(|writer| {
        let log = log.clone();
        // Every artifact is submitted by four writers.
        tokio::spawn(async move {
            let mut receipts = Vec::new();
            for step in 0..6 {
                receipts.push(submit(&log, (writer % 16) * 6 + step).await);
            }
            receipts
        })
    });
    let mut indexes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut created = 0;
    for writer in writers.collect::<Vec<_>>() {
        for (id, body, new) in writer.await.expect("a writer") {
            indexes.entry(id).or_default().insert(body.log_index);
            created += u64::from(new);
        }
    }
    assert!(indexes.values().all(|places| places.len() == 1), "one leaf, one index");
    let all: BTreeSet<u64> = indexes.values().flatten().copied().collect();
    assert_eq!(all, (0..96).collect(), "dense");
    assert_eq!((created, log.check().await.unwrap()), (96, 96));
}

async fn equal_leaves_of_one_round_get_one_index(db: TestDb) {
    let log = open(&db).await;
    let same: Vec<_> = (0..64)
        .map(|_| {
            tokio::spawn({
                let log = log.clone();
                async move { submit(&log, 7).await }
            })
        })
        .collect();
    let mut created = 0;
    for one in same {
        let (_, body, new) = one.await.expect("a writer");
        assert_eq!(body.log_index, 0);
        created += u32::from(new);
    }
    assert_eq!((created, head(&log).await.0), (1, 1));
}

async fn two_servers_on_one_database_do_not_fork(db: TestDb) {
    let logs = [open(&db).await, open(&db).await];
    let writers: Vec<_> = (0..16_u64)
        .map(|writer| {
            let log = logs[writer as usize % 2].clone();
            tokio::spawn(async move {
                let mut receipts = Vec::new();
                for step in 0..5 {
                    // Half of them are submitted to both servers.
                    receipts.push(submit(&log, (writer / 2) * 5 + step).await);
                }
                receipts
            })
        })
        .collect();
    let mut indexes: BTreeMap<String, u64> = BTreeMap::new();
    for writer in writers {
        for (id, body, _) in writer.await.expect("a writer") {
            assert_eq!(*indexes.entry(id).or_insert(body.log_index), body.log_index);
        }
    }
    assert_eq!(head(&logs[0]).await, head(&logs[1]).await);
    assert_eq!(indexes.values().copied().collect::<BTreeSet<_>>(), (0..40).collect());
    for (id, index) in &indexes {
        for log in &logs {
            let entry = log.entry(Lookup::Uuid(id.parse().unwrap())).await.unwrap().unwrap();
            assert_eq!(check(log, &entry).1.log_index, *index);
        }
    }
    assert_eq!(logs[1].check().await.unwrap(), 40);
}

async fn a_restart_keeps_everything(db: TestDb) {
    let log = open(&db).await;
    for n in 0..300 {
        submit(&log, n).await;
    }
    let (before, tree_id) = (head(&log).await, log.tree_id());
    log.close().await;
    assert!(matches!(log.submit(leaf(1000)).await, Err(SubmitError::ShuttingDown)));
    let log = open(&db).await;
    assert_eq!((head(&log).await, log.tree_id()), (before, tree_id));
    let (_, body, new) = submit(&log, 299).await;
    assert!(!new && body.log_index == 299);
    for n in 300..520 {
        assert_eq!(submit(&log, n).await.1.log_index, n);
    }
    assert_eq!(log.check().await.unwrap(), 520);
}

async fn another_key_hostname_or_database_is_refused(db: TestDb) {
    let log = open(&db).await;
    submit(&log, 1).await;
    let (tree_id, log_id) = (log.tree_id(), log.log_id().to_owned());
    log.close().await;
    let reopen = |key: LogKey, hostname: Option<&'static str>| {
        let db = db.clone();
        async move {
            let store = db.open().await;
            log::open(store, key, hostname, "x", Options::default(), clock()).await
        }
    };
    let other = LogKey::generate().unwrap();
    let refused = reopen(other, None).await.err().expect("another key is refused");
    let sentence = refused.to_string();
    assert!(matches!(refused, OpenError::OtherKey { .. }));
    assert!(sentence.contains(&tree_id.to_string()) && sentence.contains(&log_id), "{sentence}");
    let refused = reopen(key(), Some("other.example")).await.err().expect("another hostname");
    assert!(refused.to_string().contains("log.example"), "{refused}");
    assert!(reopen(key(), Some("log.example")).await.is_ok());
    db.tamper("UPDATE log SET tree_id = tree_id + 1").await;
    let refused = reopen(key(), None).await.err().expect("an edited database");
    assert!(matches!(refused, OpenError::OtherTree { .. }), "{refused}");
}

async fn time_never_goes_back(db: TestDb) {
    let now = Arc::new(AtomicI64::new(2_000));
    let hand = Arc::clone(&now);
    let clock: Clock = Arc::new(move || hand.load(Ordering::SeqCst));
    let store = db.open().await;
    let log =
        log::open(store, key(), None, "log.example", Options::default(), clock).await.unwrap();
    assert_eq!(submit(&log, 1).await.1.integrated_time, 2_000);
    now.store(1_000, Ordering::SeqCst);
    assert_eq!(submit(&log, 2).await.1.integrated_time, 2_000);
    now.store(2_001, Ordering::SeqCst);
    assert_eq!(submit(&log, 3).await.1.integrated_time, 2_001);
}

async fn a_full_queue_refuses_at_once_and_changes_nothing(db: TestDb) {
    let options = Options { max_queue: 2, max_round: 1, ..Options::default() };
    let log = open_on(db.open().await, options).await;
    let many: Vec<_> = (0..64)
        .map(|n| {
            let (log, leaf) = (log.clone(), leaf(n));
            tokio::spawn(async move { log.submit(leaf).await })
        })
        .collect();
    let (mut taken, mut refused) = (0, 0);
    for one in many {
        match one.await.expect("a writer") {
            Ok(_) => taken += 1,
            Err(SubmitError::Full { retry_after, .. }) => {
                assert!(retry_after.as_secs() >= 1);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0, "64 at once do not fit into a queue of two");
    assert_eq!(log.check().await.unwrap(), taken);
}

async fn search_is_complete_when_the_receipt_is_there(db: TestDb) {
    let log = open(&db).await;
    let hash = |n: u64| vec![format!("sha256:{}", digest(n)).to_uppercase()];
    let key = entry::search_key_for_public_key(entry::KeyFormat::X509, public_key_pem().as_bytes())
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(submit(&log, n).await.0);
        let found = log.search(vec![hash(n)], SearchOperator::Or).await.unwrap();
        assert_eq!(found, [ids[n as usize].clone()]);
    }
    let by_key = log.search(vec![key.clone()], SearchOperator::And).await.unwrap();
    assert_eq!(by_key, ids, "in index order");
    let both = log.search(vec![key.clone(), hash(3)], SearchOperator::And).await.unwrap();
    assert_eq!(both, [ids[3].clone()]);
    let any = log.search(vec![hash(4), hash(0), hash(4)], SearchOperator::Or).await.unwrap();
    assert_eq!(any, [ids[0].clone(), ids[4].clone()]);
    let none = log.search(vec![key, hash(99)], SearchOperator::And).await.unwrap();
    assert!(none.is_empty());
    assert!(log.search(Vec::new(), SearchOperator::And).await.unwrap().is_empty());
}

async fn a_search_that_finds_too_much_is_refused(db: TestDb) {
    let options = Options { max_found: 3, ..Options::default() };
    let log = open_on(db.open().await, options).await;
    let hash = |n: u64| vec![format!("sha256:{}", digest(n))];
    let key = entry::search_key_for_public_key(entry::KeyFormat::X509, public_key_pem().as_bytes())
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(submit(&log, n).await.0);
    }
    assert_eq!(log.search(vec![key.clone()], SearchOperator::Or).await.unwrap(), ids);
    for n in 3..5 {
        ids.push(submit(&log, n).await.0);
    }
    let refused = |criteria: Vec<Vec<String>>, operator| {
        let log = log.clone();
        async move {
            let found = log.search(criteria, operator).await;
            matches!(found, Err(SearchError::TooMany { most: 3 }))
        }
    };
    assert!(refused(vec![key.clone()], SearchOperator::Or).await);
    assert!(refused(vec![key.clone()], SearchOperator::And).await);
    assert!(refused(vec![hash(0), key.clone()], SearchOperator::Or).await);
    // Popular is what all of them have in common; the other criterion singles out.
    for criteria in [vec![key.clone(), hash(4)], vec![hash(4), key.clone()]] {
        assert_eq!(log.search(criteria, SearchOperator::And).await.unwrap(), ids[4..5]);
    }
    let none = log.search(vec![key.clone(), hash(9)], SearchOperator::And).await.unwrap();
    assert!(none.is_empty());
    // Each is few, and all together are too many.
    let four: Vec<_> = (0..4).map(hash).collect();
    assert_eq!(log.search(four[..3].to_vec(), SearchOperator::Or).await.unwrap(), ids[..3]);
    assert!(refused(four.clone(), SearchOperator::Or).await);
    assert!(refused(vec![four.concat()], SearchOperator::And).await);
}

async fn payloads_are_kept_with_the_leaf(db: TestDb) {
    let log = open(&db).await;
    let statement = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"00"}}]}"#;
    let submitted = log.submit(verified(dsse(statement)).into()).await.unwrap();
    let Submitted::Created(entry) = submitted else { panic!("not created") };
    let (id, body) = check(&log, &entry);
    assert!(body.attestation.is_none(), "never in the answer to a POST");
    let read = log.entry(Lookup::Uuid(id.parse::<EntryRef>().unwrap())).await.unwrap().unwrap();
    let kept = check(&log, &read).1.attestation.and_then(|kept| kept.data).expect("a payload");
    assert_eq!(kept.0, statement);
    let found = log.search(vec![vec!["sha256:00".to_owned()]], SearchOperator::Or).await.unwrap();
    assert_eq!(found, [id]);
}

async fn damage_is_found_and_named(db: TestDb) {
    let log = open(&db).await;
    for n in 0..260 {
        submit(&log, n).await;
    }
    let column = if db.setting().starts_with("postgres") { "'x'::bytea" } else { "x'78'" };
    db.tamper(&format!("UPDATE entries SET body = {column} WHERE idx = 17")).await;
    let found = log.check().await.expect_err("a changed body").to_string();
    assert!(found.contains("index 17"), "{found}");
    log.close().await;
    db.tamper("UPDATE head SET size = 259").await;
    let store = db.open().await;
    let refused = log::open(store, key(), None, "x", Options::default(), clock()).await;
    assert!(refused.err().expect("a head that lies").to_string().contains("259"));
}

async fn an_entry_that_was_read_before_is_proven_to_the_newest_head(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    let log = open_on(store.clone(), Options::default()).await;
    let (id, _, _) = submit(&log, 0).await;
    let read = async || {
        let receipt = log.entry(Lookup::Index(0)).await.expect("it is read").expect("it is there");
        let entry = shown(&receipt);
        let (shown, body) = entry.single().expect("one entry");
        assert_eq!(shown, id);
        let verification = body.verification.clone().expect("a receipt");
        let proof = verification.inclusion_proof.expect("a proof");
        (proof.tree_size, verification.signed_entry_timestamp.expect("a SET").0)
    };
    let (size, set) = read().await;
    submit(&log, 1).await;
    let calls = store.calls(Method::Entry);
    // The timestamp covers nothing that changes; the proof follows the tree.
    assert_eq!((size, read().await), (1, (2, set)));
    assert_eq!(store.calls(Method::Entry), calls, "it came out of memory");
}
