//! The real binary in a process of its own.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::databases::TestDb;

/// How long a process may take to say or do something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary.
const SERVER: &str = env!("CARGO_BIN_EXE_indelible");

/// Data directory and database of servers that follow one another.
pub(crate) struct Site {
    pub(crate) data: TempDir,
    /// As `--database` takes it.
    database: String,
    /// More of the environment.
    environment: Vec<(&'static str, String)>,
    /// Keeps the database, if it is one of the test server's.
    _kept: Option<TestDb>,
}

/// A running server; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// `http://127.0.0.1:port`
    pub(crate) url: String,
    /// `http://127.0.0.1:port` of the metrics.
    pub(crate) metrics: String,
    /// What it said before it listened.
    early: Vec<serde_json::Value>,
    lines: mpsc::Receiver<String>,
    /// Hung up when it is gone.
    gone: mpsc::Receiver<Infallible>,
}

impl Site {
    pub(crate) fn new(db: &TestDb) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        Self { data, database: db.setting(), environment: Vec::new(), _kept: Some(db.clone()) }
    }

    /// On a database that somebody else keeps.
    pub(crate) fn on(database: impl Into<String>) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        Self { data, database: database.into(), environment: Vec::new(), _kept: None }
    }

    /// With these variables in the environment from now on.
    pub(crate) fn set(&mut self, environment: Vec<(&'static str, String)>) {
        self.environment = environment;
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.data.path().join("log-key.pem")
    }

    /// The command with this site's settings and no other environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(SERVER);
        command.args(arguments);
        command
    }

    /// Any program with this site's settings and no other environment.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .env_clear()
            .env("INDELIBLE_DATA_DIR", self.data.path())
            .env("INDELIBLE_DATABASE", &self.database)
            .env("INDELIBLE_LISTEN", "127.0.0.1:0")
            .env("INDELIBLE_METRICS_LISTEN", "127.0.0.1:0")
            .env("INDELIBLE_LOG_FORMAT", "json")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        Self::launch(self.command(arguments))
    }

    /// Starts a server that may open so many files and no more.
    pub(crate) fn start_with_files(&self, open_files: u32, arguments: &[&str]) -> Process {
        let mut shell = self.program("/bin/sh");
        let limit = format!("ulimit -n {open_files} && exec \"$0\" \"$@\"");
        shell.args(["-c", &limit, SERVER]).args(arguments);
        Self::launch(shell)
    }

    fn launch(mut command: Command) -> Process {
        let mut child = command.spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("a pipe");
        let (sender, lines) = mpsc::channel();
        let (alive, gone) = mpsc::channel();
        std::thread::spawn(move || {
            // Its end of the pipe is closed with it.
            let _alive = alive;
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody may listen any more; the pipe is emptied all the same.
                let _ = sender.send(line);
            }
        });
        let (url, metrics) = (String::new(), String::new());
        let mut process = Process { child, url, metrics, early: Vec::new(), lines, gone };
        process.metrics = process.announced("metrics");
        process.url = process.announced("listening");
        process
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments))
    }

    /// Runs a server that is expected to refuse to start; what it says.
    pub(crate) fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "it started");
        String::from_utf8(output.stderr).expect("UTF-8")
    }
}

impl Process {
    /// The next log line that says this.
    pub(crate) fn line(&self, message: &str) -> serde_json::Value {
        self.lines_until(message, |_| {})
    }

    /// Why it said at the start that it only reads.
    pub(crate) fn sealed(&self) -> &str {
        let sealed = self.early.iter().find(|l| l["message"] == "the log is open for reading only");
        sealed.and_then(|line| line["reason"].as_str()).expect("it only reads")
    }

    /// What it said before it listened.
    pub(crate) fn early(&self) -> &[serde_json::Value] {
        &self.early
    }

    /// Whether a line at the start says this.
    pub(crate) fn said(&self, words: &str) -> bool {
        let messages = self.early.iter().filter_map(|line| line["message"].as_str());
        messages.into_iter().any(|message| message.contains(words))
    }

    fn lines_until(
        &self,
        message: &str,
        mut other: impl FnMut(&serde_json::Value),
    ) -> serde_json::Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let line = self.next_line(end).unwrap_or_else(|| panic!("no {message:?}"));
            let line: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if line["message"] == message {
                return line;
            }
            other(&line);
        }
    }

    /// Nothing when it is gone, or says nothing until then.
    fn next_line(&self, end: Instant) -> Option<String> {
        self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
    }

    fn announced(&mut self, message: &str) -> String {
        let mut early = Vec::new();
        let line = self.lines_until(message, |line| early.push(line.clone()));
        self.early.append(&mut early);
        format!("http://{}", line["address"].as_str().expect("an address"))
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// Files and sockets that it has open.
    pub(crate) fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        files.expect("a process").count()
    }

    /// A value of its metrics; 0 when it is not there yet.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = http.get(format!("{}/metrics", self.metrics)).send().await;
        let text = answer.expect("an answer").text().await.expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Waits until a value of its metrics satisfies this.
    pub(crate) async fn until_metric(&self, name: &str, fits: impl Fn(f64) -> bool) {
        let begun = Instant::now();
        while !fits(self.metric(name).await) {
            assert!(begun.elapsed() < PATIENCE, "{name} does not come to it");
        }
    }

    /// All that it says from now until it is gone.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        std::iter::from_fn(|| self.next_line(end)).collect()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it is gone");
    }

    /// `kill -TERM`, without waiting.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends any signal, such as `STOP` and `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let signal = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(signal.expect("kill runs").success());
    }

    /// Host and port of the API.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Waits until it is gone, which must come soon.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let gone = self.gone.recv_timeout(PATIENCE);
        assert_eq!(gone, Err(RecvTimeoutError::Disconnected), "it does not end");
        self.child.wait().expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end, which must come soon.
pub(crate) fn run(command: Command) -> Output {
    run_within(PATIENCE, command).expect("it ends")
}

/// Nothing, and the program is killed, if it takes longer: the time limit of a story is not looked
/// at while its thread is blocked.
pub(crate) fn run_within(limit: Duration, command: Command) -> Option<Output> {
    let mut command = tokio::process::Command::from(command);
    let output = async { timeout(limit, command.kill_on_drop(true).output()).await };
    let ended = tokio::task::block_in_place(|| Handle::current().block_on(output)).ok()?;
    Some(ended.expect("it runs"))
}

/// A port that nobody listens on.
pub(crate) fn dead_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("the file").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_not_end_is_not_waited_for() {
    let mut endless = Command::new("tail");
    endless.args(["-f", "/dev/null"]);
    assert!(run_within(Duration::from_millis(1), endless).is_none());
}
