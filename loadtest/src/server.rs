//! A server of our own to load: the release binary on a database of its own, or on one
//! that it shares.
//!
//! Border: starting, killing and stopping a process.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::connection::{Call, Connection};

/// How long a server may take until it is ready, and all that it waits for: in soaks Postgres
/// recovered for up to 29 s.
const READY: Duration = Duration::from_secs(120);

/// How long a server may take to end that nobody asks any more.
const END: Duration = Duration::from_secs(60);

/// How long `fsck` may take. Ten million entries took it two minutes.
const FSCK: Duration = Duration::from_secs(3_600);

/// A running server; stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Child,
    place: Place,
}

/// Where a server runs, through all of its lives.
struct Place {
    binary: PathBuf,
    database: String,
    key: PathBuf,
    data: TempDir,
}

impl Server {
    /// Starts `binary` with a fresh data directory in the working directory (so on
    /// a real disk) and `database` as its `--database`, and waits until it is ready.
    pub(crate) async fn start(binary: &Path, database: &str) -> anyhow::Result<Self> {
        let data = TempDir::new_in(".")?;
        let key = data.path().join("log-key.pem");
        let (binary, database) = (binary.to_owned(), database.to_owned());
        Self::at(free_address()?, Place { binary, database, key, data }).await
    }

    /// Starts another server of the same log: its database and key, a data directory of
    /// its own.
    pub(crate) async fn start_beside(&self) -> anyhow::Result<Self> {
        let Place { binary, database, key, .. } = &self.place;
        let (binary, database, key) = (binary.clone(), database.clone(), key.clone());
        let data = TempDir::new_in(".")?;
        Self::at(free_address()?, Place { binary, database, key, data }).await
    }

    async fn at(address: SocketAddr, place: Place) -> anyhow::Result<Self> {
        let process = place.spawn(address)?;
        let mut server = Self { address, process, place };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("killing a server")
    }

    /// Ends it with SIGTERM, as an operator would: a server that counts what it does for the
    /// compiler writes it down only then.
    ///
    /// # Errors
    /// When it does not end in order within a minute.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        let id = self.process.id().context("the server has ended")?;
        let sent = Command::new("kill").arg(id.to_string()).status().await?;
        ensure!(sent.success(), "kill {id}: {sent}");
        let ended =
            timeout(END, self.process.wait()).await.context("the server does not end")??;
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }

    /// Starts it again where it was, and waits until it is ready.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process = self.place.spawn(self.address)?;
        self.wait_until_ready().await
    }

    pub(crate) async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        self.ready_within(READY).await
    }

    async fn ready_within(&mut self, limit: Duration) -> anyhow::Result<()> {
        let ready = timeout(limit, self.becomes_ready()).await;
        ready.with_context(|| format!("the server was not ready within {limit:?}"))?
    }

    async fn becomes_ready(&mut self) -> anyhow::Result<()> {
        let mut connection = Connection::new(self.address)?;
        loop {
            ensure!(self.process.try_wait()?.is_none(), "the server ended while it started");
            let answer = connection.call(Call::get("/readyz".to_owned())).await;
            if answer.is_ok_and(|(status, _)| status.is_success()) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What `indelible fsck` says against the log; nothing when all is well.
    pub(crate) async fn fsck(&self) -> anyhow::Result<Option<String>> {
        let mut command = self.place.command("fsck");
        let output = timeout(FSCK, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
        let output = output.context("fsck takes too long")?.context("running fsck")?;
        if output.status.success() {
            return Ok(None);
        }
        let said = [output.stdout, output.stderr].concat();
        Ok(Some(String::from_utf8_lossy(&said).into_owned()))
    }

    /// The process's ID while it runs.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Option<f64> {
        resident_mib(self.process.id()?)
    }
}

impl Place {
    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg(subcommand)
            .args(["--hostname", "loadtest.example", "--log", "error,access=off"])
            .args(["--database", &self.database])
            .arg("--data-dir")
            .arg(self.data.path())
            .arg("--key")
            .arg(&self.key);
        command
    }

    fn spawn(&self, address: SocketAddr) -> anyhow::Result<Child> {
        self.command("serve")
            .args(["--listen", &address.to_string(), "--metrics-listen", "off"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))
    }
}

/// Resident memory of a process in MiB; `None` when there is no such process.
pub(crate) fn resident_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// An address that nobody listens on at this moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
        // Connections are made, and nobody takes them.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut process = Command::new("cat");
        let process = process.stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let data = TempDir::new().unwrap();
        let (binary, database, key) = (PathBuf::new(), String::new(), PathBuf::new());
        let place = Place { binary, database, key, data };
        let mut server = Server { address: silent.local_addr().unwrap(), process, place };
        let ended = server.ready_within(Duration::from_millis(1)).await;
        assert_eq!(ended.unwrap_err().to_string(), "the server was not ready within 1ms");
    }
}
