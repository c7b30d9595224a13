//! Postgres clusters that a story may stop, kill, copy and promote.
//!
//! Unlike [`super::postgres`], which serves all stories, each belongs to one. The directory is
//! cleaned up by a shell that waits for its input to end, however this process ends.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::postgres::{MISSING, free_port, programs, unprivileged};

const WATCHDOG: &str = r#"
dir=$(mktemp -d /tmp/indelible-test-XXXXXX) || exit 1
echo "$dir"
exec >&-
read -r _
"$1/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// How long anything may take that a cluster is asked for.
const PATIENCE: Duration = Duration::from_secs(60);

/// One server with its data.
pub(crate) struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    pub(crate) port: u16,
    /// `-c name=value`, at each start.
    settings: Vec<String>,
    watchdog: Child,
}

impl Cluster {
    /// A new cluster with these settings (`name=value`), running.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let cluster = Self::prepare(settings);
        cluster.run(
            "initdb",
            &[
                "-D",
                cluster.data().to_str().expect("UTF-8"),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                // Small, so that a small disk holds some.
                "--wal-segsize=1",
            ],
        );
        cluster.up();
        cluster
    }

    /// A standby that follows this cluster, running, and known to it as `standby`.
    pub(crate) fn standby(&self) -> Self {
        let standby = Self::prepare(&["cluster_name=standby"]);
        let primary = format!("host=127.0.0.1 port={} user=postgres", self.port);
        let data = standby.data();
        standby.run(
            "pg_basebackup",
            &[
                "-D",
                data.to_str().expect("UTF-8"),
                "-d",
                &primary,
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
        );
        standby.up();
        standby
    }

    fn prepare(settings: &[&str]) -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{MISSING}"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(&programs);
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut watchdog = as_postgres(command).spawn().expect("sh runs");
        let mut line = String::new();
        let output = watchdog.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a directory");
        let directory = PathBuf::from(line.trim());
        assert!(directory.is_dir(), "no directory for a cluster: {line:?}");
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self { programs, directory, port: free_port(), settings, watchdog }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts it (again) and waits until it takes connections.
    pub(crate) fn up(&self) {
        let mut options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c shared_buffers=32MB",
            self.port,
            self.directory.display()
        );
        for setting in &self.settings {
            options.push_str(&format!(" -c {setting}"));
        }
        let log = self.directory.join("log");
        self.control(&["-l", log.to_str().expect("UTF-8"), "-o", &options, "start"]);
    }

    /// `fast` ends sessions, `immediate` is a crash with a word of farewell.
    pub(crate) fn stop(&self, mode: &str) {
        self.control(&["-m", mode, "stop"]);
    }

    /// Starts it again, whether it has ended itself or tries to.
    pub(crate) fn revive(&self) {
        // It may be gone already.
        let data = self.data();
        let data = data.to_str().expect("UTF-8");
        let _ = self.try_run("pg_ctl", &["-D", data, "-w", "-s", "-m", "immediate", "stop"]);
        self.up();
    }

    /// A directory that Postgres owns, on another disk.
    pub(crate) fn folder_on(&self, disk: &Path) -> PathBuf {
        let folder = disk.join("postgres");
        let mut make = Command::new("mkdir");
        make.arg(&folder);
        assert!(as_postgres(make).status().expect("mkdir runs").success());
        folder
    }

    /// Puts the write-ahead log of a stopped cluster on another disk.
    pub(crate) fn move_wal(&self, disk: &Path) {
        let (here, there) = (self.data().join("pg_wal"), disk.join("pg_wal"));
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(&here).arg(&there);
        assert!(as_postgres(copy).status().expect("cp runs").success());
        std::fs::remove_dir_all(&here).expect("it is removed");
        std::os::unix::fs::symlink(&there, &here).expect("a link");
    }

    /// Whom commits wait for, from now on; nobody if it is empty.
    pub(crate) async fn name_standby(&self, name: &str) {
        self.set("synchronous_standby_names", name).await;
    }

    /// Changes a default under those that are connected.
    pub(crate) async fn set(&self, setting: &str, value: &str) {
        let order = format!("ALTER SYSTEM SET {setting} = '{value}'");
        self.order("postgres", &[&order, "SELECT pg_reload_conf()"]).await;
        let begun = Instant::now();
        loop {
            // A new connection has the new value once the others were told of it.
            let mut connection = self.console("postgres").await;
            let set = sqlx::query_as("SELECT current_setting($1) = $2").bind(setting).bind(value);
            let (set,): (bool,) = set.fetch_one(&mut connection).await.expect("an answer");
            connection.close().await.expect("it closes");
            if set {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{setting} is never {value}");
        }
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        self.control(&["promote"]);
    }

    /// `kill -9` of the whole of it, and waits until it is gone.
    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let pid = pid.lines().next().expect("a number").to_owned();
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &pid]).output();
        let children = String::from_utf8(children.expect("ps runs").stdout).expect("numbers");
        let mut command = Command::new("kill");
        command.arg("-9").arg(&pid).args(children.split_whitespace());
        // A child may end by itself in this moment; the first one must be hit.
        let _ = command.stderr(Stdio::null()).status().expect("kill runs");
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "it does not die");
        }
    }

    fn control(&self, arguments: &[&str]) {
        let data = self.data();
        let mut all = vec!["-D", data.to_str().expect("UTF-8"), "-w", "-t", "60", "-s"];
        all.extend_from_slice(arguments);
        self.run("pg_ctl", &all);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        if let Err(said) = self.try_run(program, arguments) {
            panic!("{program} {arguments:?}: {said}");
        }
    }

    /// Where only links to the common programs are in `PATH`, the others lie beside their targets.
    fn program(&self, name: &str) -> PathBuf {
        let here = self.programs.join(name);
        if here.is_file() {
            return here;
        }
        let target = self.programs.join("initdb").canonicalize().expect("a program");
        target.with_file_name(name)
    }

    /// An error is what the program had to say, and what the server wrote.
    fn try_run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let report = self.directory.join("report");
        // Into a file, as a server that is started here would keep a pipe open.
        let mut command = Command::new("sh");
        command.arg("-c").arg("exec \"$0\" \"$@\" >\"$REPORT\" 2>&1");
        command.arg(self.program(program)).args(arguments);
        command.env("REPORT", &report).stdin(Stdio::null());
        if as_postgres(command).status().expect("sh runs").success() {
            return Ok(());
        }
        Err(format!("{}\n{}", std::fs::read_to_string(report).unwrap_or_default(), self.log()))
    }

    /// What it wrote into its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Runs orders one by one in a database.
    pub(crate) async fn order(&self, database: &str, orders: &[&str]) {
        let mut connection = self.console(database).await;
        for order in orders {
            let order = sqlx::raw_sql(AssertSqlSafe(*order));
            order.execute(&mut connection).await.expect("it is done");
        }
        connection.close().await.expect("it closes");
    }

    /// A new, empty database `log`; its URL.
    pub(crate) async fn database(&self) -> String {
        self.order("postgres", &["CREATE DATABASE log"]).await;
        self.url("log")
    }

    pub(crate) async fn console(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.expect("it answers")
    }

    /// Asks until the answer is yes.
    pub(crate) async fn until(&self, database: &str, question: &'static str) {
        let mut connection = self.console(database).await;
        let begun = Instant::now();
        loop {
            let (yes,): (bool,) =
                sqlx::query_as(question).fetch_one(&mut connection).await.expect("an answer");
            if yes {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never: {question}");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Postgres refuses to run as root.
fn as_postgres(mut command: Command) -> Command {
    command.current_dir("/tmp").env("LC_ALL", "C");
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    command
}
