//! Many entries about one file, by whoever: none hides another.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;

use super::Ran;
use super::lies::{ask, log};
use super::log::{Signed, serve};

/// `verify FILE` where a search for an algorithm finds what `found` says of the log's indices, the
/// file's own entry being the first; `None` is too many.
async fn verify(found: &'static (impl Fn(&str) -> Option<Vec<usize>> + Sync)) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let signed = Signed::new("file");
    let mut log = log(7, &[]);
    log.add(&signed.proposal());
    for _ in 0..110 {
        log.add(&Signed::new("other").proposal());
    }
    let url = serve(move |asked| {
        if asked.path != "index/retrieve" {
            return log.answer(asked);
        }
        let digest = asked.body["hash"].as_str().or(asked.body["subject"].as_str());
        let (algorithm, _) = digest.unwrap().split_once(':').unwrap();
        match found(algorithm) {
            Some(found) => {
                let ids = found.into_iter().map(|index| log.id(index).to_string());
                Json(ids.collect::<Vec<_>>()).into_response()
            }
            None => {
                let body = json!({ "code": 400, "message": "more than 10000" });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
        }
    })
    .await;
    ask(&url, home.path().to_str().unwrap(), &["verify", &signed.path("file")]).await
}

#[tokio::test]
async fn entries_under_one_digest_hide_none_under_another() {
    let many = verify(&|algorithm| match algorithm {
        "sha256" => Some(vec![0]),
        "sha512" => Some((1..111).collect()),
        _ => Some(Vec::new()),
    });
    let many = many.await;
    assert!(many.success, "{}", many.err);
    let said = "\n11 more entries were not looked at; --uuid or --log-index names a certain one\n";
    assert!(many.out.contains(said), "{}", many.out);
}

#[tokio::test]
async fn a_search_that_finds_too_many_is_said_and_the_others_go_on() {
    let ran = verify(&|algorithm| (algorithm == "sha256").then(|| vec![0])).await;
    assert!(ran.success, "{}", ran.err);
    let said = "\nToo many to be looked at; --uuid or --log-index names a certain one: sha512:";
    assert!(ran.out.contains(said) && ran.out.contains("more than 10000"), "{}", ran.out);

    let ran = verify(&|algorithm| (algorithm == "sha256").then(|| vec![1])).await;
    assert!(!ran.success, "{}", ran.out);
    let said = "none of the entries that were looked at vouches for ";
    assert!(ran.err.starts_with(said), "{}", ran.err);

    let ran = verify(&|_| None).await;
    assert!(!ran.success && ran.out.is_empty(), "{}", ran.out);
    assert!(ran.err.starts_with("too many entries in the log may be about "), "{}", ran.err);
    assert!(ran.err.ends_with("--uuid or --log-index names a certain one\n"), "{}", ran.err);
}
