//! The settings: flags, environment, defaults.
//!
//! Border: the only reader of the environment and the command line. The doc
//! comment of each field is its manual; `indelible serve --help` prints it. Each
//! group of options has a room of its own below.

mod audit;
mod database;
mod evidence;
mod guard;
mod key;
mod load;
mod log_lines;
mod settings;
mod work;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

pub use audit::FsckArgs;
pub use database::{Database, DatabaseArgs};
pub use evidence::EvidenceArgs;
pub use guard::GuardArgs;
pub use key::KeyArgs;
pub use load::LoadArgs;
pub use log_lines::LogLineArgs;
pub use settings::{Listener, Settings};
pub use work::WorkArgs;

use crate::last_checkpoint::AddressError;

/// A transparency log for signed software: Sigstore Rekor's API on an embedded
/// SQLite database or on Postgres, in one binary. Without a subcommand: serve.
#[derive(Debug, Parser)]
#[command(name = "indelible", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of `serve`, the default.
    #[command(flatten)]
    pub serve: Settings,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server (the default).
    Serve(Box<Settings>),
    /// Create or update the database schema, then exit.
    Migrate {
        /// Where the log lives.
        #[command(flatten)]
        database: DatabaseArgs,
        /// How log lines are written.
        #[command(flatten)]
        log_lines: LogLineArgs,
    },
    /// Make a log key (ECDSA P-256, PKCS#8 PEM, mode 0600), then exit.
    Keygen {
        /// Folder for the key; made if absent.
        #[arg(long, env = "INDELIBLE_DATA_DIR", default_value = "./indelible-data")]
        data_dir: PathBuf,
        /// Where the key is.
        #[command(flatten)]
        key: KeyArgs,
        /// How log lines are written.
        #[command(flatten)]
        log_lines: LogLineArgs,
    },
    /// Recompute everything from the stored bodies and name what differs, then exit.
    ///
    /// Compared are leaf hashes, tiles, index rows, kept payloads, times, the head's root and
    /// signature, and the last checkpoint outside the database. Each finding is one sentence on
    /// standard output; the exit code is 0 only without any. It never writes to the log, and a server
    /// may go on meanwhile: what is checked ends at the head at the start.
    #[command(visible_alias = "check")]
    Fsck(Box<FsckArgs>),
    /// Continue from a database that lacks what the log has signed, then exit.
    ///
    /// A server that finds its database behind the last checkpoint only reads. If what is missing
    /// cannot be restored, this command sets that checkpoint aside and the next start writes again.
    /// Who holds a checkpoint, proof or receipt of the lost entries will see that the log forked;
    /// tell them, or begin a new log instead.
    AcceptRestore {
        /// Entries in the database, to be sure that this is the one that you have looked at.
        #[arg(long)]
        size: u64,
        /// Settings of `serve`.
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Print the OpenAPI 3.1 document.
    Openapi,
    /// Ask a running server whether it is ready (`/readyz`); exit 0 if so.
    Probe {
        /// Whether it lives (`/healthz`), ready or not: for whoever restarts it if it does not.
        #[arg(long)]
        live: bool,
        /// Address and port of the server's API.
        #[arg(long, env = "INDELIBLE_PROBE_ADDRESS", default_value = "127.0.0.1:3000")]
        address: SocketAddr,
    },
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// Neither of the known databases. Holds no more of the text than its scheme.
    #[error(
        "--database{}: must be `sqlite`, `sqlite:PATH`, `postgres://…` or `postgresql://…`",
        .0.as_ref().map(|scheme| format!(" `{scheme}:…`")).unwrap_or_default()
    )]
    Database(Option<String>),
    /// A file has no second server.
    #[error("--require-synchronous-standby needs Postgres (--database)")]
    StandbyOfFile,
    /// A body of the largest size could never be read.
    #[error(
        "--max-request-bytes {request} is more than --max-bodies-bytes {bodies}, which all bodies \
         together may have"
    )]
    Bodies {
        /// Of one body.
        request: u64,
        /// Of all together.
        bodies: u64,
    },
    /// An operation that does not exist.
    #[error("--enabled-api-endpoints: {0}")]
    Endpoint(String),
    /// The last checkpoint cannot be kept there.
    #[error("--last-checkpoint-url {0}")]
    LastCheckpointUrl(#[from] AddressError),
    /// The token file cannot be read.
    #[error("--last-checkpoint-token-file {path}: {source}")]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The passphrase file cannot be read.
    #[error("--key-passphrase-file {path}: {source}")]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// This machine's name, for the origin of a new log.
#[must_use]
pub fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// A variable of the environment, unless it is empty: for what others could read on a
/// command line.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The first line of a file that holds one secret. An empty one is none: most likely the secret is
/// not there yet.
fn first_line(path: &Path) -> std::io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(std::io::Error::new(ErrorKind::InvalidData, "its first line is empty")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_secret_is_the_first_line_and_never_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            first_line(&path).ok()
        };
        assert_eq!(read("a b\r\nc").as_deref(), Some("a b"));
        assert_eq!((read(""), read("\nsecret\n")), (None, None));
    }

    #[test]
    fn serve_is_the_default_and_takes_the_same_flags() {
        let bare = Cli::parse_from(["indelible", "--hostname", "log.example"]);
        assert!(bare.command.is_none());
        assert_eq!(bare.serve.hostname.as_deref(), Some("log.example"));
        let named = Cli::parse_from(["indelible", "serve", "--hostname", "log.example"]);
        let Some(Command::Serve(settings)) = named.command else { panic!("not serve") };
        assert_eq!(settings.hostname.as_deref(), Some("log.example"));
    }
}
