//! What `upload` says beside its result.

use std::path::Path;

use super::{NOWHERE, refusal};

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
