//! What rekor-cli's scripts rely on, as far as no server is needed.

mod envelopes;
mod floods;
mod lies;
mod log;
mod precedence;
mod queries;
mod shards;
mod texts;
mod uploads;

use super::*;

struct Ran {
    success: bool,
    out: String,
    err: String,
}

async fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let arguments = std::iter::once("rekor-cli").chain(arguments.iter().copied());
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err };
    let code =
        run(arguments.map(OsString::from).collect(), environment.collect(), &mut terminal).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { success: code == ExitCode::SUCCESS, out: text(out), err: text(err) }
}

async fn refusal(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let ran = run_with(arguments, environment).await;
    assert!(!ran.success && ran.out.is_empty(), "{arguments:?}: {}", ran.out);
    ran.err
}

/// Nobody listens there.
const NOWHERE: [&str; 2] = ["--rekor_server=http://127.0.0.1:9", "--retry=0"];

#[tokio::test]
async fn what_is_missing_is_said() {
    for (arguments, text) in [
        (&["get"][..], "either --uuid or --log-index must be specified"),
        (&["upload"], "either 'entry' or 'artifact' or 'artifact-hash' must be specified"),
        (&["verify"], "either 'entry' or 'artifact' or 'artifact-hash' must be specified"),
        (&["verify"], "or name a FILE, --uuid or --log-index"),
        (&["upload", "a.txt"], "must be specified\ndid you mean --artifact a.txt?\n"),
        (&["get", "7"], "must be specified\ndid you mean --log-index 7?\n"),
        (&["get", "abc"], "must be specified\ndid you mean --uuid abc?\n"),
        (&["search"], "at least one of"),
        (&["logproof"], "last-size must be specified"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["loginfo", "--format", "tle"], "unable to print transparency log entry"),
    ] {
        let said = refusal(arguments, &[]).await;
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn values_are_checked_wherever_they_come_from() {
    for (arguments, environment) in [
        (&["loginfo", "--format=bogus"][..], ("X", "")),
        (&["loginfo"], ("REKOR_FORMAT", "bogus")),
        (&["get"], ("REKOR_UUID", "abc")),
        (&["get", "--log-index=-1"], ("X", "")),
        (&["loginfo", "--timeout", "soon"], ("X", "")),
        (&["loginfo"], ("REKOR_RETRY", "-1")),
        (&["loginfo", "--rekor_server", "ftp://x"], ("X", "")),
        (&["search", "--sha", "12"], ("X", "")),
        (&["upload", "--type", "foo"], ("X", "")),
    ] {
        let said = refusal(arguments, &[environment]).await;
        assert!(said.contains("invalid"), "{arguments:?} {environment:?}: {said}");
    }
}

#[tokio::test]
async fn variables_of_other_commands_are_not_looked_at() {
    let said = refusal(&["loginfo", NOWHERE[0], NOWHERE[1]], &[("REKOR_UUID", "abc")]).await;
    assert!(said.contains("giving up after 1 attempt(s)"), "{said}");
    let said = refusal(&["logproof", "--last-size=2"], &[("REKOR_FIRST_SIZE", "none")]).await;
    assert!(said.contains("invalid value \"none\" of REKOR_FIRST_SIZE"), "{said}");
}

#[tokio::test]
async fn the_logs_key_is_pem_or_its_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let absent = format!("{path}-absent");
    let arguments = ["loginfo", NOWHERE[0], NOWHERE[1]];
    for (value, text) in [
        ("-----BEGIN PUBLIC KEY-----\n", "giving up after 1 attempt(s)"),
        (path, "giving up after 1 attempt(s)"),
        (&absent, "REKOR_REKOR_SERVER_PUBLIC_KEY is neither PEM text nor a file: \"/"),
    ] {
        let said = refusal(&arguments, &[("REKOR_REKOR_SERVER_PUBLIC_KEY", value)]).await;
        assert!(said.contains(text), "{value}: {said}");
    }
}

#[tokio::test]
async fn a_time_limit_may_be_longer_than_the_clock() {
    let said = refusal(&["loginfo", NOWHERE[0], NOWHERE[1], "--timeout=2600000000000000h"], &[]);
    assert!(said.await.contains("giving up after 1 attempt(s)"));
}

#[tokio::test]
async fn flags_win_over_environment_over_config_file() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    std::fs::write(
        folder.path().join(".rekor.yaml"),
        "rekor_server: http://127.0.0.1:1\nretry: 0\n",
    )
    .unwrap();
    let asked = |said: &str| said.split('"').nth(1).unwrap_or_default().to_owned();
    let config = refusal(&["loginfo"], &[("HOME", home)]).await;
    assert!(config.starts_with("Using config file: "), "{config}");
    assert!(asked(&config).starts_with("http://127.0.0.1:1/"), "{config}");
    let variable = ("REKOR_REKOR_SERVER", "http://127.0.0.1:9");
    let environment = refusal(&["loginfo"], &[("HOME", home), variable]).await;
    assert!(asked(&environment).starts_with("http://127.0.0.1:9/"), "{environment}");
    let flag = ["loginfo", "--rekor_server", "http://127.0.0.1:7/base"];
    let flags = refusal(&flag, &[("HOME", home), variable]).await;
    assert!(asked(&flags).starts_with("http://127.0.0.1:7/base/api"), "{flags}");
    let missing = refusal(&["loginfo", "--config", "/nonexistent.yaml"], &[]).await;
    assert!(missing.contains("/nonexistent.yaml"), "{missing}");
}

#[tokio::test]
async fn arguments_that_go_tests_add_are_ignored() {
    let lenient = [
        "-test.coverprofile=x",
        "--format",
        "json",
        "loginfo",
        "surplus",
        "--store_tree_state",
        "false",
        NOWHERE[0],
        NOWHERE[1],
    ];
    let said = refusal(&lenient, &[]).await;
    assert!(said.contains("giving up after 1 attempt(s)"), "{said}");
}

/// Counts writes; all of them fail when the reader is gone.
struct Pipe {
    writes: usize,
    breaks: bool,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes += 1;
        if self.breaks { Err(ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_result_is_one_write_and_its_reader_may_leave() {
    for breaks in [false, true] {
        let (mut out, mut err) = (Pipe { writes: 0, breaks }, Vec::new());
        let mut terminal = Terminal { out: &mut out, err: &mut err };
        let arguments = ["rekor-cli", "version"].map(OsString::from).to_vec();
        let code = run(arguments, Environment::new(), &mut terminal).await;
        assert_eq!((code, out.writes, err), (ExitCode::SUCCESS, 1, Vec::new()), "{breaks}");
    }
}

#[test]
fn causes_are_said_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer: {0}")]
    struct Outer(#[source] std::fmt::Error);
    let cause = std::fmt::Error.to_string();
    let error = anyhow::Error::from(Outer(std::fmt::Error)).context("error");
    assert_eq!(explain(&error), format!("error: outer: {cause}"));
    let error = anyhow::Error::from(std::fmt::Error).context("file");
    assert_eq!(explain(&error), format!("file: {cause}"));
}

#[tokio::test]
async fn version_and_completions_need_no_server() {
    let version = run_with(&["version", "--json"], &[]).await;
    assert!(version.success);
    let lenient = ["--format", "json", "version", "surplus", "--retry=0", "--json", "more"];
    assert_eq!(run_with(&lenient, &[]).await.out, version.out);
    assert_eq!(run_with(&["version", "--json=true"], &[]).await.out, version.out);
    assert_eq!(
        run_with(&["version", "--json=false"], &[]).await.out,
        run_with(&["version"], &[]).await.out
    );
    let odd = refusal(&["version", "--json=2"], &[]).await;
    assert!(odd.contains("\"2\" for \"--json\" flag: must be true or false"), "{odd}");
    let version: serde_json::Value = serde_json::from_str(&version.out).unwrap();
    assert_eq!(version["gitVersion"], format!("v{}", env!("CARGO_PKG_VERSION")));
    // Registered for the name by which these tests call the program.
    for (shell, registers) in [
        ("bash", "-o default rekor-cli\n"),
        ("zsh", "#compdef rekor-cli\n"),
        ("fish", "complete -c rekor-cli "),
        ("powershell", "-CommandName 'rekor-cli' "),
    ] {
        let script = run_with(&["completion", shell], &[]).await;
        assert!(script.success && script.out.contains("loginfo"), "{shell}");
        assert!(script.out.contains(registers), "{shell}");
    }
    let odd = ["/bin/$(reboot)", "completion", "bash"].map(OsString::from);
    assert_eq!(command::called_by(&odd), "indelible-cli");
}

#[tokio::test]
async fn help_tells_what_may_be_set() {
    for command in [&["--help"][..], &["verify", "--help"], &["loginfo", "--help"]] {
        let help = run_with(command, &[]).await.out;
        assert!(help.contains("REKOR_REKOR_SERVER_PUBLIC_KEY"), "{help}");
    }
    let help = run_with(&["verify", "--help"], &[]).await.out;
    assert!(help.contains("[FILE]\n") && !help.contains("[FILE]..."), "{help}");
}

#[tokio::test]
async fn a_file_to_verify_is_never_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "content").unwrap();
    let file = file.to_str().unwrap();
    let absent = format!("{file}-absent");
    let uuid = "a".repeat(64);
    for (arguments, text) in [
        (&[file][..], "/api/v1/index/retrieve"),
        (&[&absent], "-absent\": No such file"),
        // One entry of the file.
        (&[file, "--uuid", &uuid], "/api/v1/log/entries/aaaa"),
        (&["--log-index=7", file], "/api/v1/log/entries?logIndex=7"),
        (&[file, "--artifact", "x"], "FILE and --artifact exclude each other"),
        (&[file, "--signature", "x"], "FILE and --signature exclude each other"),
        (&[file, "--type=rekord", "--uuid", &uuid], "FILE and --type exclude each other"),
        (&[file, file], "one FILE at a time"),
        (&["/a", "/b"], "one FILE at a time, not /a, /b"),
        // No file: ignored, and said so.
        (&["--uuid", &uuid, &absent], "-absent\" is ignored: "),
        (&["--uuid", &uuid, &absent], "/api/v1/log/entries/retrieve"),
    ] {
        let arguments = [&["verify"], arguments, &NOWHERE[..]].concat();
        let said = refusal(&arguments, &[]).await;
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
    // Environment and config file select, too, and never instead of the file.
    let config = folder.path().join(".rekor.yaml");
    let home = folder.path().to_str().unwrap();
    for (setting, value, word, text) in [
        ("uuid", uuid.as_str(), file, "/api/v1/log/entries/aaaa"),
        ("log-index", "7", file, "/api/v1/log/entries?logIndex=7"),
        ("artifact", file, file, "FILE and the setting artifact of environment or config file"),
        ("type", "rekord", file, "/api/v1/index/retrieve"),
        ("type", "rekord", &absent, "-absent\": No such file"),
        ("uuid", &uuid, "false", "\"false\" is ignored: "),
        ("uuid", &uuid, "false", "/api/v1/log/entries/retrieve"),
        ("log-index", "7", "true", "/api/v1/log/entries/retrieve"),
        // A download that failed.
        ("log-index", "7", &absent, "-absent\": No such file"),
    ] {
        let arguments = [&["verify", word], &NOWHERE[..]].concat();
        let variable = format!("REKOR_{}", setting.to_uppercase().replace('-', "_"));
        let said = refusal(&arguments, &[(&variable, value)]).await;
        assert!(said.contains(text), "{variable} {word}: {said}");
        std::fs::write(&config, format!("{setting}: \"{value}\"\n")).unwrap();
        let said = refusal(&arguments, &[("HOME", home)]).await;
        assert!(said.contains(text), "config {setting} {word}: {said}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_meant_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (file, empty) = (make("file", "content"), make("empty", ""));
    let private = make("private", "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n");
    let armored = make("armored", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n");
    let upload = |artifact: &str, signature: &str, key: &str, kind: &str| {
        let flags = [("artifact", artifact), ("signature", signature), ("public-key", key)];
        let flags = flags.map(|(flag, value)| format!("--{flag}={value}"));
        [&["upload".to_owned(), format!("--type={kind}")][..], &flags].concat()
    };
    let search = |key: &str| vec!["search".to_owned(), format!("--public-key={key}")];
    for (arguments, text) in [
        (upload(&file, &empty, &file, "hashedrekord"), "signature file \"*empty\" is empty"),
        (upload(&file, &file, &empty, "hashedrekord"), "public key file \"*empty\" is empty"),
        (upload(&empty, &file, &file, "rekord"), "artifact file \"*empty\" is empty"),
        (
            upload(&file, &file, &private, "rekord"),
            "public key file \"*private\" holds a private key",
        ),
        (search(&private), "public key file \"*private\" holds a private key"),
        (search(&armored), "public key file \"*armored\" holds a private key"),
        (search(&empty), "public key file \"*empty\" is empty"),
        (vec!["upload".to_owned(), format!("--entry={empty}")], "entry file \"*empty\" is empty"),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(NOWHERE).collect();
        let said = refusal(&arguments, &[]).await;
        let text = text.replace('*', &format!("{}/", folder.path().display()));
        assert!(said.contains(&text), "{arguments:?}: {said}");
    }
    // The digest of nothing can be signed like any other.
    let empty = refusal(
        &["upload", "--artifact", &empty, "--signature", &file, "--public-key", &file],
        &[],
    )
    .await;
    assert!(empty.contains("invalid public key"), "{empty}");
}
