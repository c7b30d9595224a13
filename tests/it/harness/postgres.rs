//! A Postgres cluster of our own, for as long as this process lives.
//!
//! The cluster is started by a shell that then waits for its input to end. The
//! other end of that pipe is ours, so however this process ends (return, panic,
//! abort, SIGKILL) the shell wakes up, stops Postgres and removes its directory.
//!
//! `INDELIBLE_TEST_POSTGRES=postgres://…` names a server to use instead; its user
//! must be allowed to create databases, and some stories need a superuser.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// `$1` directory of the programs, `$2` port. Durable as in production (fsync is
/// on by default), without `initdb`'s own sync, as an empty cluster is no loss.
const WATCHDOG: &str = r#"
dir=$(mktemp -d /tmp/indelible-test-XXXXXX) || exit 1
{
    "$1/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync &&
    "$1/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start -o "-p $2 -k $dir \
        -c listen_addresses=127.0.0.1 -c max_connections=400 -c shared_buffers=64MB"
} >"$dir/start" 2>&1 && echo ready || cat "$dir/start" "$dir/log" 2>/dev/null
exec >&- 
read -r _
"$1/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// Why there is no cluster, and what to do.
pub(super) const MISSING: &str = "\
    no Postgres to test on: initdb, pg_ctl and postgres were found neither in PATH nor in \
    /usr/lib/postgresql/*/bin.\n\
    Install the package `postgresql` (Debian, Ubuntu), `postgresql-server` (Fedora) or \
    `postgresql` (Homebrew, Alpine, Arch), or set \
    INDELIBLE_TEST_POSTGRES=postgres://user@host/postgres to a server of yours.";

/// Ports are free when we ask and may be taken when Postgres comes.
const ATTEMPTS: usize = 3;

/// A running server.
pub(crate) struct Server {
    /// `postgres://…` up to and without the database, and what follows it.
    base: String,
    parameters: String,
    /// Database to give orders from.
    home: String,
    /// Holds the pipe; `None` when the server is not ours.
    _watchdog: Option<Child>,
}

impl Server {
    /// The server of this process, started by whoever asks first.
    pub(crate) fn of_this_process() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| match std::env::var("INDELIBLE_TEST_POSTGRES") {
            Ok(url) => Self::existing(&url),
            Err(_) => Self::start(),
        })
    }

    /// URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.base, self.parameters)
    }

    /// URL of the database that creates and drops others.
    pub(crate) fn home_url(&self) -> String {
        self.url(&self.home)
    }

    fn existing(url: &str) -> Self {
        let (address, parameters) = url.split_at(url.find('?').unwrap_or(url.len()));
        let scheme = address.find("://").map_or(0, |at| at + 3);
        let (base, home) = match address[scheme..].find('/') {
            Some(slash) => (&address[..scheme + slash], &address[scheme + slash + 1..]),
            None => (address, ""),
        };
        Self {
            base: base.to_owned(),
            parameters: parameters.to_owned(),
            home: if home.is_empty() { "postgres" } else { home }.to_owned(),
            _watchdog: None,
        }
    }

    fn start() -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{MISSING}"));
        let mut reports = Vec::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            match watchdog(&programs, port) {
                Ok(child) => {
                    return Self {
                        base: format!("postgres://postgres@127.0.0.1:{port}"),
                        parameters: String::new(),
                        home: "postgres".to_owned(),
                        _watchdog: Some(child),
                    };
                }
                Err(report) => reports.push(report),
            }
        }
        panic!("Postgres in {} does not start:\n{}", programs.display(), reports.join("\n---\n"));
    }
}

/// Starts the shell; an error is what the programs had to say.
fn watchdog(programs: &Path, port: u16) -> Result<Child, String> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(programs).arg(port.to_string());
    // Its own process group: Ctrl-C at the terminal is for us, and the shell must
    // live long enough to clean up.
    command.process_group(0).current_dir("/tmp").env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    let mut child = command.spawn().map_err(|error| format!("sh: {error}"))?;
    let mut report = String::new();
    for line in child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let line = line.map_err(|error| error.to_string())?;
        if line == "ready" {
            return Ok(child);
        }
        report.push_str(&line);
        report.push('\n');
    }
    drop(child.stdin.take());
    child.wait().map_err(|error| error.to_string())?;
    Err(report)
}

/// The directory that holds `initdb`, `pg_ctl` and `postgres`; the newest version
/// where several are installed.
pub(super) fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path()).collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        std::cmp::Reverse(name.and_then(|name| name.parse::<u32>().ok()))
    });
    let installed = versions.into_iter().map(|version| version.join("bin"));
    let complete = |dir: &PathBuf| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|name| dir.join(name).is_file())
    };
    in_path.into_iter().chain(installed).find(complete)
}

/// Postgres refuses to run as root; then it runs as its own user.
pub(super) fn unprivileged() -> Option<(u32, u32)> {
    if number_from_id(&["-u"]) != Some(0) {
        return None;
    }
    let user = number_from_id(&["-u", "postgres"]);
    let group = number_from_id(&["-g", "postgres"]);
    let both = user.zip(group);
    Some(both.expect("running as root, and there is no user `postgres` to run Postgres as"))
}

fn number_from_id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
    listener.local_addr().expect("a bound address").port()
}
