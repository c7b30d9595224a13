//! The `indelible` command: reads the settings, builds the parts, runs them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Parser as _;
use indelible::config::{
    Cli, Command, Database, DatabaseArgs, FsckArgs, KeyArgs, Listener, Settings,
};
use indelible::folder;
use indelible::fsck::{self, Event, Meter};
use indelible::http::{self, App};
use indelible::log::{self, Accepted, Log, Opening};
use indelible::server::{self, ConnectionLimits};
use indelible::signer::LogKey;
use indelible::store::postgres::PostgresStore;
use indelible::store::sqlite::SqliteStore;
use indelible::store::{Audit, StoreError};
use indelible::telemetry;
use indelible::verifier::Verifier;
use tokio::net::TcpListener;

/// Exit code of `fsck` when nothing is wrong, as far as it could be compared.
const UNCOMPARED: u8 = 3;

/// The metrics are for a few that the operator knows.
const METRICS_CONNECTIONS: usize = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve(&cli.serve).await,
        Some(Command::Serve(settings)) => serve(&settings).await,
        Some(Command::Migrate(database)) => open_store(&database).await.map(|_| ()),
        Some(Command::Keygen { data_dir, key }) => keygen(&data_dir, &key),
        Some(Command::Fsck(args)) => match fsck(&args).await {
            Ok(Whole::Compared) => Ok(()),
            Ok(Whole::Uncompared) => return ExitCode::from(UNCOMPARED),
            Err(error) => Err(error),
        },
        Some(Command::AcceptRestore { size, settings }) => accept_restore(&settings, size).await,
        Some(Command::Openapi) => print_openapi(),
        Some(Command::Probe { address }) => probe(address).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: &Settings) -> anyhow::Result<()> {
    let lines = telemetry::init_beside(settings.log_format, &settings.log_filter)?;
    let endpoints = settings.endpoints()?;
    let metrics = telemetry::metrics()?;
    // Taken first, so that a second start on the same ports changes nothing.
    let listener = listen(settings.listen)?;
    let metrics_listener = match settings.metrics_listen {
        Listener::At(address) => Some(listen(address)?),
        Listener::Off => None,
    };
    let connections = settings.load.connection_limits().within_open_files();
    let log = open_log(settings).await?;
    let stop = shutdown()?;
    if let Some(listener) = metrics_listener {
        tracing::info!(address = %listener.local_addr()?, "metrics");
        let router = telemetry::metrics_router(metrics, &lines);
        let limits = ConnectionLimits { max_connections: METRICS_CONNECTIONS, ..connections };
        tokio::spawn(server::run(listener, router, limits, std::future::pending()));
    }
    tracing::info!(address = %listener.local_addr()?, "listening");
    let app = App {
        log: log.clone(),
        verifier: Verifier::new(
            settings.evidence.policy(),
            settings.work.verify_threads(),
            Arc::new(unix_now),
        ),
        limits: settings.load.http_limits(),
        endpoints,
        on_duplicate: settings.on_duplicate,
    };
    let mut ended = false;
    let stop = async {
        tokio::select! {
            () = stop => {}
            () = log.ended() => ended = true,
        }
    };
    server::run(listener, http::router(app), connections, stop).await;
    // What cannot be written may be damaged, and is left as it was found.
    if log.sealed().is_none() {
        log.close().await;
    }
    // Who runs the process starts it anew, and a start trusts nothing but the database.
    anyhow::ensure!(
        !ended,
        "the sequencer has panicked, see above: nothing could be added any more"
    );
    tracing::info!("stopped");
    Ok(())
}

/// A log without findings.
enum Whole {
    Compared,
    /// A place of the last checkpoint could not be read.
    Uncompared,
}

async fn fsck(args: &FsckArgs) -> anyhow::Result<Whole> {
    let settings = &args.settings;
    telemetry::init(settings.log_format, &settings.log_filter)?;
    let (store, key) = open_existing(settings).await?;
    let mut meter = Meter::start();
    let places = settings.guard.places(&settings.database.data_dir)?;
    let mut tell = |event: Event<'_>| meter.tell(event);
    let report = fsck::run(&*store, &key, &places, &args.options(), &mut tell).await;
    let said = meter.finish();
    store.close().await;
    let fsck::Report { size, visited, findings, uncompared, unread, untold } = report?;
    said?;
    match findings.len() {
        0 => {}
        fsck::MAX_FINDINGS => anyhow::bail!("stopped at {} findings", fsck::MAX_FINDINGS),
        count if visited < size => anyhow::bail!(
            "findings in a log of {size} entries: {count}; entry {visited} and those behind it \
             could not be compared, as nothing tells its leaf hash"
        ),
        count => anyhow::bail!("findings in a log of {size} entries: {count}"),
    }
    tracing::info!(
        size,
        unread,
        untold,
        "every body, tile, index row and payload, the head and its signature are as they must be"
    );
    Ok(if uncompared.is_empty() { Whole::Compared } else { Whole::Uncompared })
}

async fn accept_restore(settings: &Settings, size: u64) -> anyhow::Result<()> {
    telemetry::init(settings.log_format, &settings.log_filter)?;
    let places = settings.guard.places(&settings.database.data_dir)?;
    anyhow::ensure!(
        !places.is_empty(),
        "there is nothing to accept: the last checkpoint is switched off"
    );
    let store = open_store(&settings.database).await?;
    let key = LogKey::load(
        &settings.key.path(&settings.database.data_dir),
        settings.key.passphrase()?.as_deref(),
    )?;
    let accepted = log::accept_restore(store.clone(), key, &places, size, unix_now()).await?;
    if !matches!(accepted, Accepted::OtherSize(_)) {
        store.close().await;
    }
    match accepted {
        Accepted::Nothing => {
            tracing::info!("nothing to accept: the database continues the last checkpoint");
        }
        Accepted::SetAside(former) => {
            for former in former {
                tracing::warn!(
                    size,
                    %former,
                    "accepted: the log continues from this database; the former checkpoint is kept"
                );
            }
        }
        Accepted::OtherSize(there) => anyhow::bail!(
            "the database holds {there} entries, not {size}: nothing was done; give --size {there} \
             if this is the database that you mean"
        ),
    }
    Ok(())
}

/// The store and the key of a log that is there; makes neither, and changes nothing.
async fn open_existing(settings: &Settings) -> anyhow::Result<(Arc<dyn Audit>, LogKey)> {
    let database = settings.database.database()?;
    if let Database::Sqlite(path) = &database {
        anyhow::ensure!(path.exists(), "there is no database {}", path.display());
    }
    let path = settings.key.path(&settings.database.data_dir);
    let key = LogKey::load(&path, settings.key.passphrase()?.as_deref())?;
    let store: Arc<dyn Audit> = match database {
        // Beside a server, if one is at work.
        Database::Sqlite(path) => {
            Arc::new(SqliteStore::open_to_read(&path).await.context("the database")?)
        }
        Database::Postgres(url) => {
            let connections = settings.database.database_connections;
            Arc::new(
                PostgresStore::connect_to_read(&url, connections).await.context("the database")?,
            )
        }
    };
    Ok((store, key))
}

async fn open_log(settings: &Settings) -> anyhow::Result<Log> {
    let store = open_store(&settings.database).await?;
    let path = settings.key.path(&settings.database.data_dir);
    let passphrase = settings.key.passphrase()?;
    let is_new = store.load().await?.is_none();
    let key = load_or_make_key(&path, passphrase.as_deref(), is_new)?;
    let opening = Opening {
        hostname: settings.hostname.as_deref(),
        default_hostname: &indelible::config::machine_name(),
        options: settings.work.log_options(),
        clock: Arc::new(unix_now),
        last_checkpoint: settings.guard.places(&settings.database.data_dir)?,
    };
    let log = log::open_guarded(store, key, opening).await?;
    if is_new && settings.hostname.is_none() {
        tracing::warn!(
            "this machine's name is in every checkpoint of the new log from now on; for a log that \
             outlives the machine begin once more with --hostname and another --data-dir"
        );
    }
    if let Some(sealed) = log.sealed() {
        tracing::error!(reason = %sealed, "the log is open for reading only");
    }
    Ok(log)
}

/// The database, for this process alone if it is a file. It is never dropped: whoever closes such a
/// file last copies its write-ahead log into it and removes that, which only who found the log whole
/// may do, by closing the store.
async fn open_store(args: &DatabaseArgs) -> anyhow::Result<Arc<dyn Audit>> {
    folder::make(&args.data_dir)
        .with_context(|| format!("the data directory {}", args.data_dir.display()))?;
    let unavailable = |error: StoreError| anyhow::Error::new(error).context("the database");
    let store: Arc<dyn Audit> = match args.database()? {
        Database::Sqlite(path) => {
            Arc::new(SqliteStore::open_alone(&path).await.map_err(unavailable)?)
        }
        Database::Postgres(url) => Arc::new(
            PostgresStore::connect_to(&url, args.database_connections, args.standby())
                .await
                .map_err(unavailable)?,
        ),
    };
    std::mem::forget(Arc::clone(&store));
    Ok(store)
}

/// A new log gets a new key unless one lies ready; an old log never does.
fn load_or_make_key(path: &Path, passphrase: Option<&str>, is_new: bool) -> anyhow::Result<LogKey> {
    if path.exists() {
        return Ok(LogKey::load(path, passphrase)?);
    }
    if !is_new {
        anyhow::bail!(
            "the database holds a log, but its key file {} is not there: restore that file from \
             your backup, or name it with --key; a new key is never made for an old log",
            path.display()
        );
    }
    make_key(path, passphrase)
}

fn make_key(path: &Path, passphrase: Option<&str>) -> anyhow::Result<LogKey> {
    match LogKey::generate()?.save_new(path, passphrase) {
        Ok(()) => {
            tracing::info!(path = %path.display(), encrypted = passphrase.is_some(), "log key made");
        }
        // Another process made one in this moment.
        Err(_) if path.exists() => {}
        Err(error) => return Err(error.into()),
    }
    // The one that the next start will find, whosever it is.
    Ok(LogKey::load(path, passphrase)?)
}

fn keygen(data_dir: &Path, args: &KeyArgs) -> anyhow::Result<()> {
    let path = args.path(data_dir);
    if path.exists() {
        anyhow::bail!("{} is there already; it is never overwritten", path.display());
    }
    make_key(&path, args.passphrase()?.as_deref())?;
    Ok(())
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    indelible::server::listen(address).with_context(|| {
        format!("listening on {address} (--listen and --metrics-listen name other addresses)")
    })
}

async fn probe(address: SocketAddr) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    anyhow::ensure!(&status == b"HTTP/1.1 200", "not ready: {}", String::from_utf8_lossy(&status));
    Ok(())
}

fn print_openapi() -> anyhow::Result<()> {
    use std::io::Write as _;
    let document = http::openapi().to_pretty_json()?;
    Ok(writeln!(std::io::stdout(), "{document}")?)
}

fn report(error: &anyhow::Error) {
    use std::io::Write as _;
    // Nothing is left to do when stderr is closed, too.
    let _ = writeln!(std::io::stderr(), "indelible: {}", explain(error));
}

/// An error and its causes, outermost first. Many errors have their cause's text in their own; it
/// is said once.
fn explain(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.ends_with(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Completes at SIGINT or SIGTERM. From now on neither kills the process: who has seen that
/// the server listens may ask it to stop.
fn shutdown() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("interrupted, finishing what is under way"),
            _ = terminate.recv() => tracing::info!("terminated, finishing what is under way"),
        }
    })
}
