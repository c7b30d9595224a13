//! What `upload` says beside its result.

use std::path::Path;

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::lies::ask;
use super::log::{Log, Signed, serve};
use super::{NOWHERE, refusal};

#[tokio::test]
async fn an_attestation_that_is_not_kept_is_said() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let signed = Signed::new("a");
    let evidence = [("artifact", "file"), ("signature", "file.sig"), ("public-key", "key.pub")];
    let flags = evidence.map(|(flag, name)| format!("--{flag}={}", signed.path(name)));
    let [artifact, signature, key] = flags.each_ref().map(String::as_str);
    for (header, said) in [
        ("not-kept; size=5; limit=4", "the log does not keep the attestation; size=5; limit=4\n"),
        ("kept; size=5", ""),
    ] {
        let mut log = Log::new("log.test", 7);
        let own = log.add(&signed.proposal());
        let url = serve(move |asked| match (asked.path.as_str(), asked.is_post) {
            ("log/entries", true) => {
                let headers = [("Indelible-Attestation", header)];
                (StatusCode::CREATED, headers, Json(log.entry(own))).into_response()
            }
            _ => log.answer(asked),
        })
        .await;
        let ran = ask(&url, home, &["upload", artifact, signature, key]).await;
        assert!(ran.success && ran.out.starts_with("Created entry at index 0, "), "{}", ran.out);
        assert_eq!((ran.out.lines().count(), ran.err.as_str()), (1, said));
    }
}

#[tokio::test]
async fn a_key_of_another_format_is_told() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../entry/tests/fixtures");
    let file = |name: &str| fixtures.join(name).to_str().unwrap().to_owned();
    let (artifact, signature) = (file("pgp/artifact.txt"), file("pgp/rsa.sig"));
    for (kind, key, hint) in [
        ("rekord", "pgp/rsa.pub.asc", "\ndid you mean --pki-format pgp?\n"),
        ("rekord", "pgp/rsa.pub.gpg", "\ndid you mean --pki-format pgp?\n"),
        ("rekord", "minisign/minisign.pub", "\ndid you mean --pki-format minisign?\n"),
        ("hashedrekord", "pgp/rsa.pub.asc", "\ndid you mean --type rekord --pki-format pgp?\n"),
        ("rekord", "pgp/artifact.txt", "failure decoding PEM\n"),
    ] {
        let key = file(key);
        let flags = ["upload", "--type", kind, "--artifact", &artifact, "--signature", &signature];
        let flags = [&flags[..], &["--public-key", &key], &NOWHERE].concat();
        let said = refusal(&flags, &[]).await;
        assert!(said.contains("invalid public key"), "{kind} {key}: {said}");
        assert!(said.ends_with(hint), "{kind} {key}: {said}");
        let named = refusal(&[&flags[..], &["--pki-format=x509"]].concat(), &[]).await;
        assert!(!named.contains("did you mean"), "{kind} {key}: {named}");
    }
}
