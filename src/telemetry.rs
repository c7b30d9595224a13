//! Log lines and metrics.
//!
//! Border: how they are written and served. What is worth a line or a number is
//! said where it happens, by the macros of `tracing` and `metrics`.

use std::io::IsTerminal as _;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::ValueEnum;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why log lines or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the log lines cannot be read.
    #[error("the log filter `{filter}`")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A subscriber is there already.
    #[error("log lines cannot be set up")]
    Lines(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A recorder is there already.
    #[error("metrics cannot be set up")]
    Metrics(#[from] BuildError),
}

/// Sends log lines to standard error from now on; whoever logs waits until the line is written.
///
/// # Errors
/// [`TelemetryError::Filter`] and [`TelemetryError::Lines`].
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    install(format, filter, std::io::stderr)
}

/// As [`init`], through a thread of its own: whoever reads standard error may stop reading, and
/// nobody who logs waits for it.
///
/// # Errors
/// [`TelemetryError::Filter`] and [`TelemetryError::Lines`].
pub fn init_beside(format: LogFormat, filter: &str) -> Result<LogLines, TelemetryError> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_WAITING_LINES)
        .lossy(true)
        .thread_name("log-lines")
        .finish(std::io::stderr());
    let lost = writer.error_counter();
    install(format, filter, writer)?;
    Ok(LogLines { lost, _guard: guard })
}

/// Log lines that are written beside the work. Dropping it writes what waits, for a second at most.
pub struct LogLines {
    lost: ErrorCounter,
    _guard: WorkerGuard,
}

/// Lines that wait to be written, some hundred bytes each; more are lost, and counted.
const MAX_WAITING_LINES: usize = 8_192;

fn install<W>(format: LogFormat, filter: &str, writer: W) -> Result<(), TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // It would say so on standard error, and panic when that is what failed.
        .log_internal_errors(false)
        .with_writer(writer);
    let done = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    done.map_err(TelemetryError::Lines)
}

/// Buckets of `rekor_latency_by_api` in nanoseconds: ten steps from 1 ms to 60 s,
/// each 3.4 times the last, as Rekor has them.
fn latency_buckets() -> Vec<f64> {
    let (first, last, steps) = (1e6_f64, 60e9_f64, 10_i32);
    let factor = (last / first).powf(1.0 / f64::from(steps - 1));
    (0..steps).map(|step| first * factor.powi(step)).collect()
}

/// Buckets of `rekor_api_latency`: Prometheus' own, which are meant for seconds, though it counts
/// nanoseconds. Rekor has them so; `rekor_latency_by_api` is the useful one.
const API_LATENCY_BUCKETS: [f64; 11] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often histograms are condensed; without that they keep each value that nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Collects metrics from now on, whether they are served or not. Needs a runtime.
///
/// # Errors
/// [`TelemetryError::Metrics`].
pub fn metrics() -> Result<PrometheusHandle, TelemetryError> {
    let seconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
    let leaves = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("rekor_latency_by_api".into()), &latency_buckets())?
        .set_buckets_for_metric(Matcher::Full("rekor_api_latency".into()), &API_LATENCY_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)?
        .set_buckets_for_metric(Matcher::Suffix("_leaves".into()), &leaves)?
        .install_recorder()?;
    describe();
    tokio::spawn(condense(handle.clone()));
    Ok(handle)
}

async fn condense(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    unlabelled("rekor_new_entries", "Entries added to the log");
    metrics::describe_counter!("rekor_qps_by_api", "Requests by path, method and status");
    metrics::describe_histogram!("rekor_latency_by_api", "Nanoseconds by path and method");
    metrics::describe_histogram!("rekor_api_latency", "Nanoseconds by path and status");
    metrics::describe_histogram!("rekor_api_latency_summary", "Nanoseconds by path and status");
    metrics::describe_histogram!("indelible_round_seconds", "Duration of a sequencer round");
    metrics::describe_histogram!("indelible_round_leaves", "Submissions in a sequencer round");
    unlabelled("indelible_failed_rounds", "Rounds that were not committed");
    unlabelled(
        "indelible_lost_rounds",
        "Attempts at a round that another server made void, or a leaf that is known",
    );
    unlabelled(
        "indelible_turns",
        "Attempts at a round that stood in line with those of other servers",
    );
    metrics::describe_gauge!("indelible_tree_size", "Leaves in the published tree");
    metrics::describe_gauge!(
        "indelible_write_ahead_log_pages",
        "Pages of 4 kB in SQLite's write-ahead log, copied back or not"
    );
    metrics::describe_gauge!("indelible_sealed", "1 while the restore guard refuses writes");
    metrics::describe_counter!(
        "indelible_failed_guard_writes",
        "Times that the last checkpoint could not be kept outside the database, by target: file, http, s3"
    );
    metrics::describe_counter!(
        "indelible_limited_requests",
        "Requests refused with 429, by class: write, read, search"
    );
    unlabelled(
        "indelible_evicted_connections",
        "Connections that were closed to make room: they kept the server waiting, or were answered next",
    );
    unlabelled(
        "indelible_lost_log_lines",
        "Log lines that were not written because nobody read standard error",
    );
    metrics::describe_gauge!("rekor_build_info", "1, with the version as label");
    let (version, unknown) = (env!("CARGO_PKG_VERSION"), "unknown");
    metrics::gauge!("rekor_build_info", "build_date" => unknown, "goversion" => "none",
        "revision" => unknown, "version" => version)
    .set(1.0);
}

/// A counter that is there from the start: a rate needs to see it before the first event. One with
/// labels begins where their values are known.
fn unlabelled(name: &'static str, description: &'static str) {
    metrics::describe_counter!(name, description);
    metrics::counter!(name).absolute(0);
}

/// Serves what was collected, as Prometheus text at `/metrics`.
pub fn metrics_router(handle: PrometheusHandle, lines: &LogLines) -> Router {
    let lost = lines.lost.clone();
    let render = move || async move {
        metrics::counter!("indelible_lost_log_lines").absolute(lost.dropped_lines() as u64);
        ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
    };
    Router::new().route("/metrics", get(render))
}
