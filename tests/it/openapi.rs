//! The committed API document is the one that the router gives.

use serde_json::Value;

#[test]
fn the_committed_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    let committed = std::fs::read_to_string(path).expect("openapi/openapi.json");
    let current = indelible::http::openapi().to_pretty_json().expect("a document");
    assert!(
        committed.trim_end() == current,
        "openapi/openapi.json is not what the router gives: \
         run `cargo run -- openapi > openapi/openapi.json`"
    );
}

#[test]
fn the_pattern_of_a_version_is_the_one_that_is_checked() {
    let document = indelible::http::openapi().to_json().expect("a document");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let version = &document["components"]["schemas"]["Proposal"]["properties"]["apiVersion"];
    assert_eq!(version["pattern"], entry::VERSION_PATTERN);
}

#[test]
fn every_route_names_its_failures() {
    let document = indelible::http::openapi().to_json().expect("a document");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    for (route, method, statuses) in [
        ("/api/v1/log", "get", &["200", "406", "429", "500", "501", "503"][..]),
        ("/api/v1/log/publicKey", "get", &["200", "400", "406", "422", "429", "501"]),
        ("/api/v1/log/proof", "get", &["200", "400", "406", "422", "429", "500", "501", "503"]),
        (
            "/api/v1/log/entries",
            "post",
            &["201", "400", "408", "409", "413", "415", "422", "429", "500", "501", "503"],
        ),
        ("/api/v1/log/entries", "get", &["200", "404", "406", "422", "429", "500", "501", "503"]),
        (
            "/api/v1/log/entries/{entryUUID}",
            "get",
            &["200", "400", "404", "406", "422", "429", "500", "501", "503"],
        ),
        (
            "/api/v1/log/entries/retrieve",
            "post",
            &["200", "400", "408", "413", "415", "422", "429", "500", "501", "503"],
        ),
        (
            "/api/v1/index/retrieve",
            "post",
            &["200", "400", "408", "413", "415", "422", "429", "500", "501", "503"],
        ),
    ] {
        let responses = &document["paths"][route][method]["responses"];
        let named: Vec<&str> = responses
            .as_object()
            .unwrap_or_else(|| panic!("{method} {route}"))
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(named, statuses, "{method} {route}");
        for status in ["429", "503"].into_iter().filter(|status| named.contains(status)) {
            let headers = &responses[status]["headers"];
            assert!(headers["Retry-After"].is_object(), "{method} {route}: {status}");
        }
    }
    let described = document["info"]["description"].as_str().expect("a description");
    for limit in [
        "33,554,432",
        "4,194,304",
        "127 levels",
        "262,144",
        "64 signatures",
        "65,536",
        "100 headers",
    ] {
        assert!(described.contains(limit), "{limit}");
    }
}
