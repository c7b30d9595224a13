//! Search, and consistency proofs.

use indelible::log::Options;
use serde_json::{Value, json};
use tlog::{Checkpoint, Hash, Note, verify_consistency};

use crate::harness::databases::TestDb;
use crate::harness::evidence::{certified, digest, dsse, hashedrekord, public_key_pem};
use crate::harness::served::{Served, Setup};

both! {
    every_criterion_finds_at_once,
    a_large_statement_is_found_by_each_digest_or_refused,
    criteria_combine,
    too_much_is_refused_with_the_bound,
    malformed_criteria_are_told_what_is_wrong,
    growth_is_proven_between_any_two_sizes,
}

const SEARCH: &str = "/api/v1/index/retrieve";

async fn found(served: &Served, query: Value) -> Vec<String> {
    let answer = served.post(SEARCH, query.to_string()).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let size = served.size().await.to_string();
    assert_eq!(answer.header("indelible-tree-size"), size);
    serde_json::from_value(answer.json()).expect("a list of IDs")
}

async fn added(served: &Served, proposal: &Value) -> String {
    let answer = served.add(proposal).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.header("etag").to_owned()
}

fn base64(text: impl AsRef<[u8]>) -> String {
    entry::base64::encode(text)
}

async fn every_criterion_finds_at_once(db: TestDb) {
    let served = Served::start(&db).await;
    let plain = added(&served, &hashedrekord(1)).await;
    let hash = digest(1);
    for spelled in [
        hash.clone(),
        format!("sha256:{hash}"),
        hash.to_uppercase(),
        format!("sha256:{}", hash.to_uppercase()),
    ] {
        assert_eq!(found(&served, json!({ "hash": spelled })).await, [plain.as_str()]);
    }
    let statement = br#"{"_type":"x","subject":[{"name":"a","digest":{"sha256":"aa","sha512":"bb"}}],
        "predicate":{"materials":[{"uri":"m","digest":{"sha1":"cccccccccccccccccccccccccccccccccccccccc"}}]}}"#;
    let envelope = dsse(statement);
    let attested = added(&served, &envelope).await;
    let text = envelope["spec"]["proposedContent"]["envelope"].as_str().unwrap();
    for digest in [tlog_sha256(statement), tlog_sha256(text.as_bytes())] {
        assert_eq!(found(&served, json!({ "hash": digest })).await, [attested.as_str()]);
    }
    assert_eq!(
        found(&served, json!({ "hash": "sha1:cccccccccccccccccccccccccccccccccccccccc" })).await,
        [attested.as_str()]
    );
    assert_eq!(found(&served, json!({ "subject": "sha256:aa" })).await, [attested.as_str()]);
    // Rekor finds only the first of these two by key.
    let key = json!({ "format": "x509", "content": base64(public_key_pem()) });
    assert_eq!(found(&served, json!({ "publicKey": key })).await, [plain, attested]);
    let (proposal, certificate) = certified();
    let certified = added(&served, &proposal).await;
    let key = json!({ "format": "x509", "content": base64(certificate) });
    for query in [
        json!({ "email": "signer@example.com" }),
        json!({ "email": "SIGNER@example.com" }),
        json!({ "subject": "https://ci.example/Run" }),
        json!({ "subject": "https://CI.example/run" }),
        json!({ "publicKey": key }),
    ] {
        assert_eq!(found(&served, query.clone()).await, [certified.as_str()], "{query}");
    }
}

async fn a_large_statement_is_found_by_each_digest_or_refused(db: TestDb) {
    let served = Served::start(&db).await;
    let statement = |subjects: usize| {
        let subject = |n: usize| format!(r#"{{"digest":{{"x":"{n}"}}}}"#);
        let subjects: Vec<String> = (0..subjects).map(subject).collect();
        let (subjects, beside) = (subjects.join(","), "0,".repeat(300_000));
        dsse(format!(r#"{{"predicate":[{beside}0],"subject":[{subjects}]}}"#).as_bytes())
    };
    let refused = served.add(&statement(8_192)).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("search strings, an entry may have 8192"), "{}", refused.text);
    assert_eq!(served.size().await, 0);
    let large = added(&served, &statement(8_000)).await;
    for n in ["x:0", "x:4096", "x:7999"] {
        assert_eq!(found(&served, json!({ "subject": n })).await, [large.as_str()]);
    }
}

fn tlog_sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

async fn criteria_combine(db: TestDb) {
    let served = Served::start(&db).await;
    let (one, two) =
        (added(&served, &hashedrekord(1)).await, added(&served, &hashedrekord(2)).await);
    let key = json!({ "format": "x509", "content": base64(public_key_pem()) });
    let (both, first) = (vec![one.clone(), two.clone()], vec![one.clone()]);
    for (query, expected) in [
        (json!({ "publicKey": key, "hash": digest(1) }), both.clone()),
        (json!({ "publicKey": key, "hash": digest(1), "operator": "or" }), both.clone()),
        (json!({ "publicKey": key, "hash": digest(1), "operator": "and" }), first.clone()),
        (json!({ "publicKey": key, "hash": digest(9), "operator": "and" }), vec![]),
        (json!({ "hash": digest(1), "operator": "and", "email": "" , "subject": null }), first),
        (json!({ "operator": "and" }), vec![]),
        (json!({ "email": "nobody@example.com", "hash": digest(2) }), vec![two.clone()]),
    ] {
        assert_eq!(found(&served, query.clone()).await, expected, "{query}");
    }
}

async fn too_much_is_refused_with_the_bound(db: TestDb) {
    let options = Options { max_found: 2, ..Options::default() };
    let served = Served::with(&db, Setup { options, ..Setup::default() }).await;
    let key = json!({ "format": "x509", "content": base64(public_key_pem()) });
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(added(&served, &hashedrekord(n)).await);
    }
    let refused = served.post(SEARCH, json!({ "publicKey": key }).to_string()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(400)));
    assert!(refused.text.contains("more than 2 entries are found"), "{}", refused.text);
    let narrowed = json!({ "publicKey": key, "hash": digest(1), "operator": "and" });
    assert_eq!(found(&served, narrowed).await, ids[1..2]);
}

async fn malformed_criteria_are_told_what_is_wrong(db: TestDb) {
    let served = Served::start(&db).await;
    let pattern =
        "^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";
    for (query, status, code, message) in [
        (
            json!({ "email": "x" }),
            422,
            601,
            "email in body must be of type email: \"x\"".to_owned(),
        ),
        (json!({ "hash": "abc" }), 422, 605, format!("hash in body should match '{pattern}'")),
        (
            json!({ "hash": format!("sha384:{}", "a".repeat(96)) }),
            422,
            605,
            format!("hash in body should match '{pattern}'"),
        ),
        (
            json!({ "operator": "AND" }),
            422,
            606,
            "operator in body should be one of [and or]".to_owned(),
        ),
        (
            json!({ "subject": "é".repeat(513) }),
            422,
            603,
            "subject in body should be at most 512 chars long".to_owned(),
        ),
        (
            json!({ "publicKey": {} }),
            422,
            602,
            "publicKey.publicKey.format in body is required".to_owned(),
        ),
        (
            json!({ "publicKey": { "format": "pkcs7" } }),
            422,
            606,
            "publicKey.publicKey.format in body should be one of [pgp x509 minisign ssh tuf]"
                .to_owned(),
        ),
        (
            json!({ "publicKey": { "format": "x509", "content": "" } }),
            400,
            400,
            "public key provided could not be parsed".to_owned(),
        ),
        (
            json!({ "publicKey": { "format": "x509", "content": base64("junk") } }),
            400,
            400,
            "public key provided could not be parsed".to_owned(),
        ),
        (
            json!({ "publicKey": { "format": "x509", "content": "*" } }),
            400,
            400,
            "parsing entry body from \"\" failed, because illegal base64 data at input byte 0"
                .to_owned(),
        ),
        // The order of the checks: the types of all members, then their values.
        (
            json!({ "email": "x", "subject": 5 }),
            400,
            400,
            "parsing entry body from \"\" failed, because subject: invalid type: integer `5`, \
             expected a string at line 1 column 24"
                .to_owned(),
        ),
        (
            json!({ "email": "x", "publicKey": { "content": "*" } }),
            400,
            400,
            "parsing entry body from \"\" failed, because illegal base64 data at input byte 0"
                .to_owned(),
        ),
        (
            json!({ "email": "x", "hash": "y", "operator": "z" }),
            422,
            601,
            "email in body must be of type email: \"x\"".to_owned(),
        ),
    ] {
        let answer = served.post(SEARCH, query.to_string()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (status, json!({ "code": code, "message": message })),
            "{query}"
        );
    }
    assert_eq!(served.post(SEARCH, "[]").await.status, 400);
    assert_eq!(
        served.post(SEARCH, json!({ "subject": "é".repeat(512) }).to_string()).await.status,
        200
    );
}

async fn head(served: &Served) -> (u64, Hash) {
    let info = served.get("/api/v1/log").await.json();
    let note = Note::parse(info["signedTreeHead"].as_str().unwrap()).unwrap();
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    (checkpoint.size, checkpoint.root)
}

async fn growth_is_proven_between_any_two_sizes(db: TestDb) {
    let served = Served::start(&db).await;
    let mut heads = Vec::new();
    for n in 0..6 {
        served.add(&hashedrekord(n)).await;
        heads.push(head(&served).await);
    }
    let latest = heads[5].1.to_string();
    for (first, old) in &heads {
        for (last, new) in heads.iter().filter(|(last, _)| last >= first) {
            let path = format!("/api/v1/log/proof?firstSize={first}&lastSize={last}");
            let proof = served.get(&path).await.json();
            let hashes: Vec<Hash> = serde_json::from_value::<Vec<String>>(proof["hashes"].clone())
                .unwrap()
                .iter()
                .map(|hash| hash.parse().unwrap())
                .collect();
            verify_consistency(*first, *last, old, new, &hashes).unwrap();
            assert_eq!(proof["rootHash"].as_str(), Some(latest.as_str()), "of the current size");
        }
    }
    let tree = served.log.tree_id();
    assert_eq!(
        served.get(&format!("/api/v1/log/proof?firstSize=&lastSize=6&treeID={tree}")).await.status,
        200
    );
    for (query, status, code, message) in [
        ("firstSize=2&lastSize=1", 400, 400, "firstSize(2) must be less than lastSize(1)"),
        (
            "lastSize=7",
            400,
            400,
            "the tree size requested(7) was greater than what is currently observable(6)",
        ),
        (
            "lastSize=1&treeID=99999999999999999999",
            400,
            400,
            "invalid tree ID specified: 99999999999999999999",
        ),
        (
            "lastSize=1&treeID=999999999999999999",
            400,
            400,
            "no log range found for tree ID 999999999999999999",
        ),
        ("lastSize=1&treeID=x", 422, 605, "treeID in query should match '^[0-9]+$'"),
        (
            "firstSize=0&lastSize=1",
            422,
            609,
            "firstSize in query should be greater than or equal to 1",
        ),
        ("firstSize=1", 422, 602, "lastSize in query is required"),
        ("lastSize=x", 422, 601, "lastSize in query must be of type int64: \"x\""),
    ] {
        let answer = served.get(&format!("/api/v1/log/proof?{query}")).await;
        assert_eq!(
            (answer.status, answer.json()),
            (status, json!({ "code": code, "message": message })),
            "{query}"
        );
    }
}
