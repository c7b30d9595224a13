//! The server's settings: flags, environment, defaults.
//!
//! Border: the only reader of the environment and the command line. The doc
//! comment of each field is its manual; `indelible serve --help` prints it.

mod load;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use entry::{Kind, Policy, SigningAlgorithm};

pub use load::LoadArgs;

use crate::fsck;
use crate::http::{EnabledEndpoints, OnDuplicate};
use crate::last_checkpoint::LastCheckpoint;
use crate::log::Options;
use crate::store::postgres::Standby;
use crate::telemetry::LogFormat;

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
    Migrate(DatabaseArgs),
    /// Make a log key (ECDSA P-256, PKCS#8 PEM, mode 0600), then exit.
    Keygen {
        /// Folder for the key; made if absent.
        #[arg(long, env = "INDELIBLE_DATA_DIR", default_value = "./indelible-data")]
        data_dir: PathBuf,
        /// Where the key is.
        #[command(flatten)]
        key: KeyArgs,
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
    /// Ask a running server whether it is ready; exit 0 if so (container probe).
    Probe {
        /// Base URL of the server.
        #[arg(long, env = "INDELIBLE_PROBE_ADDRESS", default_value = "127.0.0.1:3000")]
        address: SocketAddr,
    },
}

/// Where the log lives.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgs {
    /// Folder for the log key and the embedded database; made if absent.
    #[arg(long, env = "INDELIBLE_DATA_DIR", default_value = "./indelible-data")]
    pub data_dir: PathBuf,
    /// `sqlite` (a file in the data directory), `sqlite:PATH`, or
    /// `postgres://user:password@host/name`.
    #[arg(long, env = "INDELIBLE_DATABASE", default_value = "sqlite", hide_env_values = true)]
    pub database: String,
    /// Connections to Postgres, at most.
    #[arg(long, env = "INDELIBLE_DATABASE_CONNECTIONS", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// Write only to a Postgres whose commits reach a second server before they are
    /// answered: one with synchronous_standby_names. Checked at the start and at each
    /// new connection.
    #[arg(long, env = "INDELIBLE_REQUIRE_SYNCHRONOUS_STANDBY")]
    pub require_synchronous_standby: bool,
}

/// How `fsck` goes about it.
#[derive(Clone, Debug, Args)]
pub struct FsckArgs {
    /// Go on where the last run was interrupted, or before its first finding. The
    /// place is kept in DATA_DIR/fsck-state.json.
    #[arg(long)]
    pub resume: bool,
    /// Entries that are checked per second, at most, to spare the disk.
    #[arg(long, value_name = "ENTRIES_PER_SECOND")]
    pub rate: Option<NonZeroU32>,
    /// Settings of `serve`.
    #[command(flatten)]
    pub settings: Settings,
}

/// Where the log key is.
#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    /// Key file [default: DATA_DIR/log-key.pem]. Made at the first start; keep a
    /// copy of it, a log without its key can never grow again.
    #[arg(long, env = "INDELIBLE_KEY")]
    pub key: Option<PathBuf>,
    /// File whose first line is the passphrase of the key file. The environment
    /// variable INDELIBLE_KEY_PASSPHRASE does the same.
    #[arg(long, env = "INDELIBLE_KEY_PASSPHRASE_FILE")]
    pub key_passphrase_file: Option<PathBuf>,
    /// Passphrase of the key file; only from the environment, since others can
    /// read a command line.
    #[arg(skip = std::env::var("INDELIBLE_KEY_PASSPHRASE").ok().filter(|text| !text.is_empty()))]
    pub passphrase: Option<String>,
}

/// Settings of the server.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// Address and port of the API.
    #[arg(long, env = "INDELIBLE_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Address and port of the Prometheus metrics; `off` for none.
    #[arg(long, env = "INDELIBLE_METRICS_LISTEN", default_value = "127.0.0.1:2112",
          value_parser = listener)]
    pub metrics_listen: Listener,
    /// Where the log lives.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where the key is.
    #[command(flatten)]
    pub key: KeyArgs,
    /// File outside the database that remembers the last signed checkpoint
    /// [default: DATA_DIR/last-checkpoint]; `off` for none. A database that is behind
    /// it, or has another history, is read but not written. Best on another disk
    /// than the database, and never part of the database's backup.
    #[arg(long, env = "INDELIBLE_LAST_CHECKPOINT", value_name = "FILE")]
    pub last_checkpoint: Option<PathBuf>,
    /// Host name in the checkpoint's origin, fixed when the log is created
    /// [default for a new log: this machine's name].
    #[arg(long, env = "INDELIBLE_HOSTNAME")]
    pub hostname: Option<String>,
    /// Bounds on load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Largest attestation payload that is kept, in bytes. Larger ones are
    /// logged, and the answer says that the payload was not kept. 0 keeps none.
    #[arg(long, env = "INDELIBLE_MAX_ATTESTATION_BYTES", default_value_t = 4 << 20)]
    pub max_attestation_bytes: usize,
    /// Largest file of a JAR's META-INF, unpacked, in bytes; 0 for no limit but
    /// that of the request.
    #[arg(long, env = "INDELIBLE_MAX_JAR_METADATA_SIZE", default_value_t = 1 << 20)]
    pub max_jar_metadata_size: u64,
    /// Largest signature and metadata file of an Alpine package, unpacked, in
    /// bytes; 0 for no limit but the server's own (20 MiB and 256 MiB).
    #[arg(long, env = "INDELIBLE_MAX_APK_METADATA_SIZE", default_value_t = 1 << 20)]
    pub max_apk_metadata_size: u64,
    /// Entries that may wait to be appended; more are answered with 503.
    #[arg(long, env = "INDELIBLE_MAX_QUEUE", default_value_t = 4_096,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_queue: u32,
    /// Entries in one commit.
    #[arg(long, env = "INDELIBLE_MAX_ROUND", default_value_t = 1_024,
          value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub max_round: u32,
    /// Bytes of entries that were read lately and are kept in memory with their
    /// signed timestamps; 0 keeps none.
    #[arg(long, env = "INDELIBLE_ENTRY_CACHE_BYTES", default_value_t = 64 << 20)]
    pub entry_cache_bytes: u64,
    /// Threads that verify evidence [default: one per core].
    #[arg(long, env = "INDELIBLE_VERIFY_THREADS")]
    pub verify_threads: Option<usize>,
    /// What an equal entry is answered with: `conflict` as Rekor does (409 with
    /// its location, and the entry in the body), or `created` (201 with the
    /// entry), which makes every client's retry succeed.
    #[arg(long, env = "INDELIBLE_ON_DUPLICATE", value_enum, default_value_t = OnDuplicate::Conflict)]
    pub on_duplicate: OnDuplicate,
    /// Kinds that may be added, separated by commas [default: all]. Others stay
    /// readable.
    #[arg(long, env = "INDELIBLE_ENABLED_ENTRY_TYPES", value_delimiter = ',')]
    pub enabled_entry_types: Option<Vec<Kind>>,
    /// Key and hash pairs allowed in hashedrekord, by Rekor's names, separated
    /// by commas [default: Rekor's eight].
    #[arg(long, env = "INDELIBLE_CLIENT_SIGNING_ALGORITHMS", value_delimiter = ',')]
    pub client_signing_algorithms: Option<Vec<SigningAlgorithm>>,
    /// API operations that are served, by operationId, separated by commas
    /// [default: all]. Leave out `createLogEntry` for a read-only server.
    #[arg(long, env = "INDELIBLE_ENABLED_API_ENDPOINTS", value_delimiter = ',')]
    pub enabled_api_endpoints: Option<Vec<String>>,
    /// Log lines as `text` or `json`.
    #[arg(long, env = "INDELIBLE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Log filter, such as `info` or `indelible=debug`. The target `access` has a
    /// line per request: `info` for all, `warn` for refused ones, `error` for
    /// failed ones.
    #[arg(long = "log", env = "INDELIBLE_LOG", default_value = "info,access=warn")]
    pub log_filter: String,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    /// Listen here.
    At(SocketAddr),
    /// Do not listen.
    Off,
}

fn listener(text: &str) -> Result<Listener, std::net::AddrParseError> {
    match text {
        "off" => Ok(Listener::Off),
        address => address.parse().map(Listener::At),
    }
}

/// A database as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A Postgres URL.
    Postgres(String),
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// Neither of the known databases.
    #[error(
        "--database `{0}`: must be `sqlite`, `sqlite:PATH`, `postgres://…` or `postgresql://…`"
    )]
    Database(String),
    /// An operation that does not exist.
    #[error("--enabled-api-endpoints: {0}")]
    Endpoint(String),
    /// The passphrase file cannot be read.
    #[error("--key-passphrase-file {path}: {source}")]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DatabaseArgs {
    /// Which database is meant.
    ///
    /// # Errors
    /// [`SettingError::Database`].
    pub fn database(&self) -> Result<Database, SettingError> {
        let text = self.database.as_str();
        if text == "sqlite" {
            return Ok(Database::Sqlite(self.data_dir.join("log.sqlite")));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Database::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
            // Never echo what may be a mistyped URL with a password in it.
            _ => Err(SettingError::Database(text.split(':').next().unwrap_or_default().to_owned())),
        }
    }

    /// Whether Postgres must have a second server.
    #[must_use]
    pub fn standby(&self) -> Standby {
        if self.require_synchronous_standby { Standby::Synchronous } else { Standby::Optional }
    }
}

impl FsckArgs {
    /// What the audit is asked to do.
    #[must_use]
    pub fn options(&self) -> fsck::Options {
        let state = self.settings.database.data_dir.join("fsck-state.json");
        fsck::Options { state, resume: self.resume, rate: self.rate }
    }
}

impl KeyArgs {
    /// The key file.
    #[must_use]
    pub fn path(&self, data_dir: &Path) -> PathBuf {
        self.key.clone().unwrap_or_else(|| data_dir.join("log-key.pem"))
    }

    /// The passphrase, if there is one.
    ///
    /// # Errors
    /// [`SettingError::Passphrase`].
    pub fn passphrase(&self) -> Result<Option<String>, SettingError> {
        let Some(path) = &self.key_passphrase_file else {
            return Ok(self.passphrase.clone());
        };
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingError::Passphrase { path: path.clone(), source })?;
        Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
    }
}

impl Settings {
    /// Where the last signed checkpoint is kept, unless that is switched off.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<LastCheckpoint> {
        match &self.last_checkpoint {
            None => Some(LastCheckpoint::at(self.database.data_dir.join("last-checkpoint"))),
            Some(path) if path.as_os_str() == "off" => None,
            Some(path) => Some(LastCheckpoint::at(path)),
        }
    }

    /// What evidence must satisfy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy {
            max_attestation_size: self.max_attestation_bytes,
            max_jar_metadata_size: self.max_jar_metadata_size,
            max_apk_metadata_size: self.max_apk_metadata_size,
            ..Policy::default()
        };
        if let Some(kinds) = &self.enabled_entry_types {
            policy.enabled_kinds = kinds.iter().copied().collect::<BTreeSet<_>>();
        }
        if let Some(algorithms) = &self.client_signing_algorithms {
            policy.algorithms = algorithms.iter().copied().collect();
        }
        policy
    }

    /// Which operations are served.
    ///
    /// # Errors
    /// [`SettingError::Endpoint`] naming the unknown one.
    pub fn endpoints(&self) -> Result<EnabledEndpoints, SettingError> {
        match &self.enabled_api_endpoints {
            None => Ok(EnabledEndpoints::all()),
            Some(names) => EnabledEndpoints::from_names(names.iter().map(String::as_str))
                .map_err(|unknown| SettingError::Endpoint(unknown.to_string())),
        }
    }

    /// Bounds of the write path.
    #[must_use]
    pub fn log_options(&self) -> Options {
        Options {
            max_queue: self.max_queue as usize,
            max_round: self.max_round as usize,
            max_recent_bytes: self.entry_cache_bytes,
            ..Options::default()
        }
    }

    /// Threads that verify evidence.
    #[must_use]
    pub fn verify_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        self.verify_threads.unwrap_or_else(cores)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn database(text: &str) -> Result<Database, SettingError> {
        let args = DatabaseArgs {
            data_dir: PathBuf::from("/data"),
            database: text.to_owned(),
            database_connections: 2,
            require_synchronous_standby: false,
        };
        args.database()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
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

    #[test]
    fn the_last_checkpoint_is_in_the_data_directory_unless_said_otherwise() {
        let file = |arguments: &[&str]| {
            let all = ["indelible", "--data-dir", "/data"].iter().chain(arguments);
            let kept = Cli::parse_from(all).serve.last_checkpoint();
            kept.map(|kept| kept.path().to_owned())
        };
        assert_eq!(file(&[]), Some("/data/last-checkpoint".into()));
        assert_eq!(file(&["--last-checkpoint", "/mnt/x"]), Some("/mnt/x".into()));
        assert_eq!(file(&["--last-checkpoint", "off"]), None);
    }

    #[test]
    fn databases_are_told_apart_and_passwords_not_repeated() {
        assert_eq!(database("sqlite").unwrap(), Database::Sqlite("/data/log.sqlite".into()));
        assert_eq!(database("sqlite:/x/y.db").unwrap(), Database::Sqlite("/x/y.db".into()));
        assert!(matches!(database("postgres://h/db").unwrap(), Database::Postgres(_)));
        let refused = database("mysql://user:secret@host/db").unwrap_err().to_string();
        assert!(refused.contains("`mysql`") && !refused.contains("secret"), "{refused}");
    }
}
