//! Reading entries: by index, by UUID, and several at once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::databases::TestDb;
use crate::harness::evidence::{dsse, hashedrekord};
use crate::harness::served::Served;

both! {
    an_empty_log_answers_every_read,
    entries_are_found_by_index_and_by_every_form_of_uuid,
    several_entries_are_looked_up_at_once,
    malformed_questions_are_told_what_is_wrong,
    payloads_are_kept_and_returned,
}

const ENTRIES: &str = "/api/v1/log/entries";
const RETRIEVE: &str = "/api/v1/log/entries/retrieve";

/// Adds three entries; their 80-digit IDs.
async fn three(served: &Served) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..3 {
        let answer = served.add(&hashedrekord(n)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        ids.push(answer.header("etag").to_owned());
    }
    ids
}

/// The IDs in an answer of `retrieve`.
fn ids(answer: &Value) -> Vec<String> {
    let entries = answer.as_array().expect("a list").iter();
    entries
        .map(|entry| entry.as_object().expect("an entry").keys().next().expect("an ID").clone())
        .collect()
}

async fn an_empty_log_answers_every_read(db: TestDb) {
    let served = Served::start(&db).await;
    let info = served.get("/api/v1/log").await;
    assert!(info.text.starts_with("{\"inactiveShards\":null,\"rootHash\":\"e3b0c44298fc1c14"));
    let info = info.json();
    assert_eq!(
        (info["treeSize"].as_u64(), info["treeID"].as_str()),
        (Some(0), Some(served.log.tree_id().to_string().as_str()))
    );
    let note = info["signedTreeHead"].as_str().unwrap();
    let text = format!(
        "log.example - {}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} log.example f8jGo",
        served.log.tree_id()
    );
    assert!(note.starts_with(&text), "{note}");
    assert_eq!(served.get("/api/v1/log?stable=true").await.json()["treeSize"], 0);
    let unknown = json!({ "entries": [hashedrekord(9)], "logIndexes": [0] });
    assert_eq!(served.post(RETRIEVE, unknown.to_string()).await.text, "[]\n");
    let proof = served.get("/api/v1/log/proof?lastSize=5").await;
    assert_eq!(
        proof.text,
        "{\"code\":400,\"message\":\"the tree size requested(5) was greater than what is currently observable(0)\"}\n"
    );
}

async fn entries_are_found_by_index_and_by_every_form_of_uuid(db: TestDb) {
    let served = Served::start(&db).await;
    let known = three(&served).await;
    for (index, id) in known.iter().enumerate() {
        let leaf = &id[16..];
        for path in [
            format!("{ENTRIES}?logIndex={index}"),
            format!("{ENTRIES}?logIndex=77&other=1&logIndex=%2B{index}"),
            format!("{ENTRIES}/{id}"),
            format!("{ENTRIES}/{leaf}"),
            format!("{ENTRIES}/{}", id.to_uppercase()),
        ] {
            let answer = served.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            let entry = &answer.json()[id];
            assert_eq!(entry["logIndex"].as_u64(), Some(index as u64), "{path}");
            let proof = &entry["verification"]["inclusionProof"];
            assert_eq!(
                (proof["treeSize"].as_u64(), proof["logIndex"].as_u64()),
                (Some(3), Some(index as u64))
            );
        }
    }
    let other_tree = format!("{:016x}{}", served.log.tree_id() ^ 1, &known[0][16..]);
    for path in [
        format!("{ENTRIES}?logIndex=3"),
        format!("{ENTRIES}?logIndex={}", i64::MAX),
        format!("{ENTRIES}/{}", "0".repeat(64)),
        format!("{ENTRIES}/{other_tree}"),
        format!("{ENTRIES}/{}", "0".repeat(80)),
    ] {
        let answer = served.get(&path).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
        assert!(!answer.headers.contains_key("content-type"), "{path}");
    }
    let overflowing = served.get(&format!("{ENTRIES}/{}{}", "f".repeat(16), &known[0][16..])).await;
    let message =
        "{\"code\":400,\"message\":\"validation error: ffffffffffffffff is not a valid TreeID\"}\n";
    assert_eq!((overflowing.status, overflowing.text.as_str()), (400, message));
    for (query, code, message) in [
        ("", 602, "logIndex in query is required"),
        ("?logIndex=", 602, "logIndex in query is required"),
        ("?logIndex=abc", 601, "logIndex in query must be of type int64: \"abc\""),
        ("?logIndex=1.5", 601, "logIndex in query must be of type int64: \"1.5\""),
        (
            "?logIndex=9223372036854775808",
            601,
            "logIndex in query must be of type int64: \"9223372036854775808\"",
        ),
        ("?logIndex=-1", 609, "logIndex in query should be greater than or equal to 0"),
    ] {
        let answer = served.get(&format!("{ENTRIES}{query}")).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.json(), json!({ "code": code, "message": message }));
        assert!(answer.text.ends_with('}'), "no final newline");
    }
    for uuid in ["x", &"0".repeat(63), &"0".repeat(79), &"g".repeat(64), "%FF"] {
        let answer = served.get(&format!("{ENTRIES}/{uuid}")).await;
        let message = "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'";
        assert_eq!(
            (answer.status, answer.json()),
            (422, json!({ "code": 605, "message": message }))
        );
    }
}

async fn several_entries_are_looked_up_at_once(db: TestDb) {
    let served = Served::start(&db).await;
    let known = three(&served).await;
    let (leaf, none) = (known[1][16..].to_owned(), "0".repeat(64));
    let other_tree = format!("{:016x}{leaf}", 7);
    for (query, expected) in [
        (json!({ "entryUUIDs": [known[0], known[2]] }), vec![0, 2]),
        (json!({ "entryUUIDs": [leaf, known[0], none] }), vec![0, 1]),
        (json!({ "entryUUIDs": [other_tree, known[2].to_uppercase()] }), vec![2]),
        (json!({ "logIndexes": [2, 0, 99, 0] }), vec![2, 0, 0]),
        (json!({ "entries": [hashedrekord(1), hashedrekord(50)] }), vec![1]),
        (
            json!({ "entries": [hashedrekord(1)], "logIndexes": [0], "entryUUIDs": [known[2], leaf] }),
            vec![2, 1, 1, 0],
        ),
        (json!({ "entries": [], "logIndexes": null }), vec![]),
    ] {
        let answer = served.post(RETRIEVE, query.to_string()).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let expected: Vec<_> = expected.into_iter().map(|at: usize| known[at].clone()).collect();
        assert_eq!(ids(&answer.json()), expected, "{query}");
    }
}

async fn malformed_questions_are_told_what_is_wrong(db: TestDb) {
    let served = Served::start(&db).await;
    let known = three(&served).await;
    let overflowing = format!("{}{}", "f".repeat(16), &known[0][16..]);
    let zero = "0".repeat(80);
    let eleven: Vec<u64> = (0..11).collect();
    let six: Vec<u64> = (0..6).collect();
    let five = vec![known[0].clone(); 5];
    let abstract_kind = json!({ "kind": "ProposedEntry", "apiVersion": "0.0.1", "spec": {} });
    for (query, status, code, message) in [
        (json!({ "entryUUIDs": [known[0], overflowing] }), 400, 400, format!("invalid entryID {overflowing}")),
        (json!({ "entryUUIDs": [zero] }), 400, 400, format!("invalid entryID {zero}")),
        (json!({ "entryUUIDs": ["x"] }), 422, 605, "entryUUIDs.0 in body should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'".to_owned()),
        (json!({ "entryUUIDs": [] }), 422, 612, "entryUUIDs in body should have at least 1 items".to_owned()),
        (json!({ "logIndexes": [] }), 422, 612, "logIndexes in body should have at least 1 items".to_owned()),
        (json!({ "logIndexes": eleven }), 422, 611, "logIndexes in body should have at most 10 items".to_owned()),
        (json!({ "logIndexes": [1, -1] }), 422, 609, "logIndexes.1 in body should be greater than or equal to 0".to_owned()),
        (json!({ "logIndexes": six, "entryUUIDs": five }), 422, 422, "more than max allowed 10 entries in request".to_owned()),
        (json!({ "entries": [{ "kind": "dsse", "apiVersion": "0.0.1" }] }), 422, 602, "entries.0.spec in body is required".to_owned()),
        (json!({ "entries": [{ "kind": "foo" }] }), 400, 400, "parsing entry body from \"\" failed, because invalid kind value: \"foo\"".to_owned()),
        (json!({ "entries": [{}] }), 400, 400, "parsing entry body from \"\" failed, because kind in body is required".to_owned()),
        (json!({ "logIndexes": ["1"] }), 400, 400, "parsing entry body from \"\" failed, because logIndexes: invalid type: string \"1\", expected i64 at line 1 column 18".to_owned()),
        (json!({ "entries": [{ "kind": "ProposedEntry" }] }), 422, 602, "entries.0.apiVersion in body is required".to_owned()),
        (json!({ "entries": [abstract_kind] }), 400, 400, "could not unmarshal entry for kind 'ProposedEntry'".to_owned()),
        (json!({ "entries": [abstract_kind], "logIndexes": [-1] }), 422, 609, "logIndexes.0 in body should be greater than or equal to 0".to_owned()),
        // The types of all members come first, then their values in this order.
        (json!({ "entries": [{ "kind": "hashedrekord" }], "logIndexes": ["x"] }), 400, 400, "parsing entry body from \"\" failed, because logIndexes: invalid type: string \"x\", expected i64 at line 1 column 54".to_owned()),
        (json!({ "entryUUIDs": ["x"], "entries": [{ "kind": "foo" }] }), 400, 400, "parsing entry body from \"\" failed, because invalid kind value: \"foo\"".to_owned()),
        (json!({ "entries": vec![json!({ "kind": "hashedrekord" }); 11] }), 422, 611, "entries in body should have at most 10 items".to_owned()),
        (json!({ "entries": [{ "kind": "hashedrekord" }], "entryUUIDs": [] }), 422, 602, "entries.0.apiVersion in body is required".to_owned()),
        (json!({ "entryUUIDs": ["x"], "logIndexes": [] }), 422, 605, "entryUUIDs.0 in body should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'".to_owned()),
    ] {
        let answer = served.post(RETRIEVE, query.to_string()).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
        assert_eq!(answer.json(), json!({ "code": code, "message": message }), "{query}");
    }
    let truncated = served.post(RETRIEVE, "{\"entryUUIDs\":[").await;
    assert!(
        truncated.status == 400
            && truncated.text.starts_with(
                "{\"code\":400,\"message\":\"parsing entry body from \\\"\\\" failed, because"
            ),
        "{}",
        truncated.text
    );
    // The bare reason, without the prefix that a submission gets.
    let mut wrong = hashedrekord(1);
    wrong["spec"]["data"]["hash"]["value"] = json!("ab");
    let refused = served.post(RETRIEVE, json!({ "entries": [wrong] }).to_string()).await;
    assert_eq!(
        (refused.status, refused.json()["message"].as_str()),
        (400, Some("invalid value for hash"))
    );
}

async fn payloads_are_kept_and_returned(db: TestDb) {
    let policy = entry::Policy { max_attestation_size: 30, ..entry::Policy::default() };
    let setup = crate::harness::served::Setup { policy, ..Default::default() };
    let served = Served::with(&db, setup).await;
    let kept = served.add(&dsse(b"{\"exactly\":\"thirty bytes\"}    ")).await;
    assert_eq!((kept.status, kept.header("indelible-attestation")), (201, "kept; size=30"));
    let id = kept.header("etag");
    assert!(kept.json()[id]["attestation"].is_null());
    let read = served.get(&format!("{ENTRIES}/{id}")).await.json();
    let data = read[id]["attestation"]["data"].as_str().unwrap();
    assert_eq!(
        entry::base64::decode(data.as_bytes()).unwrap(),
        b"{\"exactly\":\"thirty bytes\"}    "
    );
    let large = served.add(&dsse(b"{\"exactly\":\"thirty-one bytes\"} ")).await;
    assert_eq!(
        (large.status, large.header("indelible-attestation")),
        (201, "not-kept; size=31; limit=30")
    );
    let read = served.get(large.header("location")).await.json();
    assert!(read[large.header("etag")]["attestation"].is_null());
    let plain = served.add(&hashedrekord(1)).await;
    assert_eq!((plain.status, plain.header("indelible-attestation")), (201, ""));
    // What comes again is kept no better than the first time.
    let prefer = [("content-type", "application/json"), ("prefer", "return=representation")];
    let again = dsse(b"{\"exactly\":\"thirty-one bytes\"} ").to_string();
    let again = served.send(Method::POST, ENTRIES, &prefer, again).await;
    assert_eq!((again.status, again.header("indelible-attestation")), (201, ""));
    // A duplicate shows no payload either.
    let again = served.add(&dsse(b"{\"exactly\":\"thirty bytes\"}    ")).await;
    assert_eq!((again.status, again.json()["entry"][id]["attestation"].is_null()), (409, true));
}
