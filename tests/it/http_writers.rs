//! Many writers at once, and databases that break under them, seen through HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indelible::log::Options;
use indelible_client::verify::{LogKey, verify_entry};
use indelible_client::{Client, Uploaded};

use crate::harness::databases::TestDb;
use crate::harness::evidence::hashedrekord;
use crate::harness::faults::{Fault, FaultyStore, Method};
use crate::harness::served::{Served, Setup};
use crate::log_story::{open_on, submit};

both! {
    sixty_four_writers_get_receipts_that_verify,
    every_broken_store_call_is_answered_and_harmless,
}

/// Uploads and verifies; the entry's ID and index.
async fn upload(client: &Client, key: &LogKey, n: u64) -> (String, u64, bool) {
    let (entry, new) = match client.upload(&hashedrekord(n)).await.expect("an answer") {
        Uploaded::Created { entry, .. } => (entry, true),
        Uploaded::Exists { id, entry, .. } => {
            let entry = *entry.expect("the conflict carries the entry");
            assert_eq!(entry.single().unwrap().0, id.to_string());
            (entry, false)
        }
    };
    let receipt = verify_entry(&entry, key).expect("the receipt verifies");
    (receipt.entry_id.to_string(), receipt.log_index, new)
}

async fn sixty_four_writers_get_receipts_that_verify(db: TestDb) {
    let served = Served::start(&db).await;
    let key = Arc::new(LogKey::from_pem(served.log.public_key_pem()).unwrap());
    let writers: Vec<_> = (0..64_u64)
        .map(|writer| {
            let (client, key) = (served.client(), Arc::clone(&key));
            tokio::spawn(async move {
                let mut receipts = Vec::new();
                // Every artifact is uploaded by four writers.
                for step in 0..4 {
                    receipts.push(upload(&client, &key, (writer % 16) * 4 + step).await);
                }
                receipts
            })
        })
        .collect();
    let mut places: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut created = 0;
    for writer in writers {
        for (id, index, new) in writer.await.expect("a writer") {
            places.entry(id).or_default().insert(index);
            created += u64::from(new);
        }
    }
    assert!(places.values().all(|indexes| indexes.len() == 1), "one leaf, one index");
    assert_eq!(places.values().flatten().copied().collect::<BTreeSet<_>>(), (0..64).collect());
    assert_eq!((created, served.log.check().await.unwrap()), (64, 64));
    served.stop().await;
}

async fn every_broken_store_call_is_answered_and_harmless(db: TestDb) {
    let store = FaultyStore::new(db.open().await);
    // What is remembered would not be looked up.
    let options = Options { max_added: 0, ..Options::default() };
    let served = Served::on(store.clone(), Setup { options, ..Setup::default() }).await;
    let key = LogKey::from_pem(served.log.public_key_pem()).unwrap();
    let other = open_on(db.open().await, Options::default()).await;
    let mut n = 0;
    for fault in [Fault::Refused, Fault::DoneButReportedAsFailed] {
        // The last one: the commit's outcome is unknown, and so is the head at first.
        for broken in
            [&[Method::FindLeaves][..], &[Method::Commit], &[Method::Commit, Method::Settle]]
        {
            if broken[0] == Method::FindLeaves {
                // Leaves are looked up without a turn in the round after one that met a known leaf.
                n += 1;
                upload(&served.client(), &key, n).await;
                upload(&served.client(), &key, n).await;
            }
            n += 1;
            for method in broken {
                store.fail(*method, 1, fault);
            }
            // Whatever is answered, trying again gives the entry, once.
            let first = served.add(&hashedrekord(n)).await;
            let done = broken[0] == Method::Commit && fault == Fault::DoneButReportedAsFailed;
            let expected = if done { 201 } else { 503 };
            assert_eq!(first.status, expected, "{broken:?} {fault:?}: {}", first.text);
            assert!(done || !first.header("retry-after").is_empty());
            store.every_fault_came();
            let (_, index, _) = upload(&served.client(), &key, n).await;
            assert_eq!(index, n - 1, "{broken:?} {fault:?}");
            assert_eq!(served.log.check().await.unwrap(), n);
        }
        // An entry that was read before comes out of memory.
        let unread = format!("/api/v1/log/entries?logIndex={}", n - 1);
        // Another server's head is shown once it has settled.
        n += 1;
        submit(&other, n).await;
        for (method, path) in [
            (Method::UntilSettled, "/api/v1/log"),
            (Method::Entry, unread.as_str()),
            (Method::Head, "/api/v1/log"),
            (Method::Ping, "/readyz"),
        ] {
            store.fail(method, 1, fault);
            let answer = served.get(path).await;
            assert_eq!(answer.status, 503, "{method:?} {fault:?}: {}", answer.text);
            assert!(!answer.text.contains("fault"), "causes stay inside: {}", answer.text);
            assert_eq!(served.get(path).await.status, 200, "{path}");
        }
        // Of what was never read by its leaf: once to answer who adds it again, once for a list.
        let entry = hashedrekord(n);
        store.fail(Method::Entry, 1, fault);
        let failed = served.add(&entry).await;
        let message = failed.json()["message"].clone();
        assert_eq!(
            (failed.status, message.as_str()),
            (503, Some("unexpected result from transparency log"))
        );
        store.fail(Method::Entry, 1, fault);
        let list = format!(r#"{{"logIndexes":[{}]}}"#, n - 1);
        let failed = served.post("/api/v1/log/entries/retrieve", list).await;
        let message = failed.json()["message"].clone();
        let expected = format!("error getting log entry for {}", n - 1);
        assert_eq!((failed.status, message.as_str()), (503, Some(expected.as_str())));
        store.every_fault_came();
        store.fail(Method::Search, 1, fault);
        let query = r#"{"subject":"x"}"#;
        let failed = served.post("/api/v1/index/retrieve", query).await;
        let message = failed.json()["message"].clone();
        assert_eq!(
            (failed.status, message.as_str()),
            (503, Some("unexpected result from searching index"))
        );
        assert_eq!(served.post("/api/v1/index/retrieve", query).await.status, 200);
    }
    store.every_fault_came();
}
