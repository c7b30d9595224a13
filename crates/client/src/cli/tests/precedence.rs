//! Which setting counts where several are there.

use super::{NOWHERE, refusal, run_with};

/// Evidence that nobody has.
const ABSENT: [&str; 3] = ["--artifact=/absent", "--signature=/absent", "--public-key=/absent"];

#[tokio::test]
async fn a_bad_variable_is_no_matter_beside_a_good_flag() {
    let (good, bad) = ("a".repeat(64), format!("{}\n{}", "a".repeat(64), "b".repeat(64)));
    for (arguments, variable, bad) in [
        (&["loginfo", "--format=json"][..], "REKOR_FORMAT", "bogus"),
        (&["get", "--uuid", &good], "REKOR_UUID", &bad),
        (&["loginfo", "--timeout=5s"], "REKOR_TIMEOUT", "soon"),
    ] {
        let with_flag = [arguments, &NOWHERE[..]].concat();
        let said = refusal(&with_flag, &[(variable, bad)]).await;
        assert!(said.contains("giving up after 1 attempt(s)"), "{variable}: {said}");
        let said = refusal(&[arguments[0], NOWHERE[0]], &[(variable, bad)]).await;
        assert!(said.contains(&format!(" of {variable}: ")), "{variable}: {said}");
    }
}

#[tokio::test]
async fn a_whole_entry_never_stands_in_for_an_artifact() {
    let entry = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(entry.path(), "{}").unwrap();
    let entry = entry.path().to_str().unwrap();
    let verify = [&["verify"], &ABSENT[..], &NOWHERE[..]].concat();
    let said = refusal(&verify, &[("REKOR_ENTRY", entry)]).await;
    assert!(said.contains("file \"/absent\": No such file"), "{said}");
    let flag = [&verify[..], &["--entry", entry]].concat();
    let said = refusal(&flag, &[]).await;
    let note = "--entry is not looked at: the setting artifact says which entry is meant\n";
    assert!(said.starts_with(note) && said.contains("file \"/absent\": No such file"), "{said}");
    // An upload is of the whole entry, whatever else is named.
    let upload = [&["upload"], &ABSENT[..], &NOWHERE[..]].concat();
    let said = refusal(&upload, &[("REKOR_ENTRY", entry)]).await;
    assert!(said.contains("giving up after 1 attempt(s)"), "{said}");
}

#[tokio::test]
async fn what_is_verified_instead_of_an_artifact_is_said() {
    let uuid = "a".repeat(64);
    let note = |flag: &str, by: &str| {
        format!("--{flag} is not looked at: the setting {by} says which entry is meant\n")
    };
    let verify = [&["verify"], &ABSENT[..], &NOWHERE[..]].concat();
    let indexed = [&verify[..], &["--log-index=7"]].concat();
    for (arguments, variable, notes) in [
        (&verify, ("REKOR_UUID", uuid.as_str()), note("artifact", "uuid")),
        (&verify, ("REKOR_LOG_INDEX", "7"), note("artifact", "log-index")),
        (&indexed, ("REKOR_UUID", &uuid), note("log-index", "uuid") + &note("artifact", "uuid")),
    ] {
        let said = refusal(arguments, &[variable]).await;
        assert!(said.starts_with(&notes), "{variable:?}: {said}");
        assert!(said.contains("/api/v1/log/entries/retrieve"), "{variable:?}: {said}");
    }
    let quiet = refusal(&["verify", "--log-index=7", NOWHERE[0], NOWHERE[1]], &[]).await;
    assert!(!quiet.contains("is not looked at"), "{quiet}");
}

#[tokio::test]
async fn an_empty_value_is_unset_or_refused() {
    let home = tempfile::tempdir().unwrap();
    let config = "email: \"\"\nartifact: \"\"\npublic-key: [\"\"]\n";
    std::fs::write(home.path().join(".rekor.yaml"), config).unwrap();
    let home = home.path().to_str().unwrap();
    let search = ["search", "--operator=and", NOWHERE[0], NOWHERE[1]];
    let ran = run_with(&search, &[("HOME", home), ("REKOR_EMAIL", "")]).await;
    assert!(!ran.success && ran.err.contains("at least one of --sha"), "{}", ran.err);
    let said = refusal(&["search", "--operator=and", "--email", ""], &[]).await;
    assert!(said.contains("\"\" for \"--email\" flag: must not be empty"), "{said}");
}
