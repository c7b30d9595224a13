//! The `indelible` command: reads the settings, builds the parts, runs them.

#[path = "main/ending.rs"]
mod ending;
#[path = "main/opening.rs"]
mod opening;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use clap::Parser as _;
use indelible::causes::explain;
use indelible::config::{Cli, Command, DatabaseArgs, FsckArgs, Listener, LogLineArgs, Settings};
use indelible::fsck::{self, Event, Meter};
use indelible::http::{self, App};
use indelible::log::{self, Accepted};
use indelible::server::{self, ConnectionLimits};
use indelible::signer::LogKey;
use indelible::telemetry;
use indelible::verifier::Verifier;
use tikv_jemallocator::Jemalloc;
use tokio::net::TcpListener;

use opening::{keygen, open_existing, open_log, open_store, unix_now};

/// Not the C library's, in which threads wait for each other when one frees what another one
/// allocated. That is the rule here, and costs a quarter of the reads.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Exit code of `fsck` when nothing is wrong, as far as it could be compared.
const UNCOMPARED: u8 = 3;

/// The metrics are for a few that the operator knows.
const METRICS_CONNECTIONS: usize = 64;

/// How long the end waits for calls to a disk that are on their way. One that hangs ends with the
/// process.
const ON_THEIR_WAY: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report(&error.into());
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(until_told(cli));
    runtime.shutdown_timeout(ON_THEIR_WAY);
    code
}

/// A server ends in order when a signal says so, any other command at once.
async fn until_told(cli: Cli) -> ExitCode {
    if matches!(cli.command, None | Some(Command::Serve(_))) {
        return run(cli).await;
    }
    ending::unless_told(Box::pin(run(cli))).await.unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    })
}

async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        None => serve(&cli.serve).await,
        Some(Command::Serve(settings)) => serve(&settings).await,
        Some(Command::Migrate { database, log_lines }) => migrate(&database, &log_lines).await,
        Some(Command::Keygen { data_dir, key, log_lines }) => {
            write_lines(&log_lines).and_then(|()| keygen(&data_dir, &key))
        }
        Some(Command::Fsck(args)) => match fsck(&args).await {
            Ok(Whole::Compared) => Ok(()),
            Ok(Whole::Uncompared) => return ExitCode::from(UNCOMPARED),
            Err(error) => Err(error),
        },
        Some(Command::AcceptRestore { size, settings }) => accept_restore(&settings, size).await,
        Some(Command::Openapi) => print_openapi(),
        Some(Command::Probe { live, address }) => probe(address, live).await,
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
    let LogLineArgs { format, filter } = &settings.log_lines;
    let lines = telemetry::init_beside(*format, filter)?;
    let (stop, insist) = ending::of_server()?;
    let mut stop = std::pin::pin!(stop);
    let endpoints = settings.endpoints()?;
    let metrics = telemetry::metrics()?;
    // Taken first, so that a second start on the same ports changes nothing.
    let listener = listen(settings.listen)?;
    let metrics_listener = match settings.metrics_listen {
        Listener::At(address) => Some(listen(address)?),
        Listener::Off => None,
    };
    let others = METRICS_CONNECTIONS + settings.database.database_connections as usize;
    let connections = settings.load.connection_limits().within_open_files(others);
    let limits = settings.load.http_limits(&connections)?;
    let Some(log) = open_log(settings, &mut stop).await? else {
        tracing::info!("stopped before the log was open");
        return Ok(());
    };
    if let Some(listener) = metrics_listener {
        serve_metrics(listener, telemetry::metrics_router(metrics, &lines), connections)?;
    }
    tracing::info!(address = %listener.local_addr()?, "listening");
    let app = App {
        log: log.clone(),
        verifier: Verifier::new(
            settings.evidence.policy(),
            settings.work.verify_threads(),
            Arc::new(unix_now),
        ),
        limits,
        endpoints,
        on_duplicate: settings.on_duplicate,
    };
    let mut ended = false;
    let stop = async {
        tokio::select! {
            () = &mut stop => {}
            () = log.ended() => ended = true,
        }
    };
    let finished = async {
        server::run(listener, http::router(app), connections, stop).await;
        log.close().await;
    };
    tokio::select! {
        () = finished => {}
        () = insist => anyhow::bail!("interrupted again: not all that was under way is finished"),
    }
    // Who runs the process starts it anew, and a start trusts nothing but the database.
    anyhow::ensure!(
        !ended,
        "the sequencer has panicked, see above: nothing could be added any more"
    );
    tracing::info!("stopped");
    Ok(())
}

fn serve_metrics(
    listener: TcpListener,
    router: Router,
    connections: ConnectionLimits,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "metrics");
    let few = ConnectionLimits { max_connections: METRICS_CONNECTIONS, ..connections };
    tokio::spawn(server::run(listener, router, few, std::future::pending()));
    Ok(())
}

async fn migrate(database: &DatabaseArgs, log_lines: &LogLineArgs) -> anyhow::Result<()> {
    write_lines(log_lines)?;
    open_store(database).await?;
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
    write_lines(&settings.log_lines)?;
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
    let said = match unread {
        0 => "every body, tile, index row and payload, the head and its signature are as they must be"
            .to_owned(),
        _ => format!(
            "every body, tile and payload, the head and its signature are as they must be, and so \
             is every index row but for those of bodies that could not be read again, which were \
             not looked up: {unread}"
        ),
    };
    tracing::info!(size, unread, untold, "{said}");
    Ok(if uncompared.is_empty() { Whole::Compared } else { Whole::Uncompared })
}

async fn accept_restore(settings: &Settings, size: u64) -> anyhow::Result<()> {
    write_lines(&settings.log_lines)?;
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

/// For a command that ends by itself.
fn write_lines(args: &LogLineArgs) -> anyhow::Result<()> {
    Ok(telemetry::init(args.format, &args.filter)?)
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    indelible::server::listen(address).with_context(|| {
        format!("listening on {address} (--listen and --metrics-listen name other addresses)")
    })
}

async fn probe(address: SocketAddr, live: bool) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (path, not) = if live { ("/healthz", "not alive") } else { ("/readyz", "not ready") };
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    anyhow::ensure!(&status == b"HTTP/1.1 200", "{not}: {}", String::from_utf8_lossy(&status));
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
    let _ = writeln!(std::io::stderr(), "indelible: {}", explain(error.as_ref()));
}
