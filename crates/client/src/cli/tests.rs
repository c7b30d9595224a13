//! What rekor-cli's scripts rely on, as far as no server is needed.

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
    let version: serde_json::Value = serde_json::from_str(&version.out).unwrap();
    assert_eq!(version["gitVersion"], format!("v{}", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = run_with(&["completion", shell], &[]).await;
        assert!(script.success && script.out.contains("loginfo"), "{shell}");
    }
    assert!(run_with(&["--help"], &[]).await.out.contains("logproof"));
}
