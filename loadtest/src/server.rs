//! A server of our own to load: the release binary on a database of its own.
//!
//! Border: starting and stopping a process.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::connection::{Call, Connection};

/// A running server; stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Child,
    _data: TempDir,
}

impl Server {
    /// Starts `binary` with a fresh data directory in the working directory (so on
    /// a real disk) and `database` as its `--database`, and waits until it is ready.
    pub(crate) async fn start(binary: &Path, database: &str) -> anyhow::Result<Self> {
        let data = TempDir::new_in(".")?;
        let address = free_address()?;
        let process = Command::new(binary)
            .arg("serve")
            .args(["--listen", &address.to_string(), "--metrics-listen", "off"])
            .args(["--hostname", "loadtest.example", "--log", "error"])
            .args(["--database", database])
            .arg("--data-dir")
            .arg(data.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut server = Self { address, process, _data: data };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut connection = Connection::new(self.address)?;
        for _ in 0..600 {
            ensure!(self.process.try_wait()?.is_none(), "the server ended while it started");
            let answer = connection.call(Call::get("/readyz".to_owned())).await;
            if answer.is_ok_and(|(status, _)| status.is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the server was not ready within 30 s")
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Option<f64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }
}

/// An address that nobody listens on at this moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
