//! Load that verifies every answer that it gets.
//!
//! `loadtest run` puts one kind of load on a server that is running; `loadtest
//! suite` starts servers of its own, runs every scenario on every database, and
//! measures beside them what the machine can do; `loadtest soak` lets two servers of its
//! own work for long, while faults come; `loadtest grow` fills a log and measures it at one
//! size after another. They print one line per result or write a report, and fail when an
//! answer was wrong or a goal missed.

mod ceilings;
mod connection;
mod evidence;
mod footprint;
mod grow;
#[cfg(test)]
mod paper_log;
mod receipts;
mod report;
mod run;
mod scenario;
mod server;
mod slow;
mod soak;
mod suite;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, Parser, Subcommand};
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{SignalKind, signal};

use evidence::Evidence;
use grow::GrowArgs;
use report::{Outcome, Report};
use run::Pace;
use scenario::Scenario;
use soak::SoakArgs;
use suite::{Database, Scale};

/// The server's, too, so that the ceilings are of a machine on which allocating is as cheap.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[derive(Debug, Parser)]
#[command(name = "loadtest", version, about = "Load that verifies every answer that it gets")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put one kind of load on a running server.
    Run(RunArgs),
    /// Start servers, run every scenario, measure the machine's ceilings.
    Suite(SuiteArgs),
    /// Load two servers on one database for long, while faults come.
    Soak(SoakArgs),
    /// Fill a log on Postgres, and measure it at one size after another.
    Grow(GrowArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Address of the server.
    #[arg(long, default_value = "127.0.0.1:3000")]
    server: SocketAddr,
    /// What is asked (reads by UUID and searches need `suite`).
    #[arg(long, value_enum, default_value_t = Scenario::Write)]
    scenario: Scenario,
    /// What is written.
    #[arg(long = "kind", value_enum, default_value_t = Evidence::Certificate)]
    evidence: Evidence,
    /// Requests that are under way at a time.
    #[arg(long, default_value_t = 64)]
    workers: usize,
    /// Requests per second in all; without it each worker waits for its answer.
    #[arg(long)]
    rate: Option<f64>,
    #[command(flatten)]
    output: Output,
    /// Fail below so many requests per second.
    #[arg(long)]
    min_rate: Option<f64>,
    /// Fail above this 99th percentile, in milliseconds.
    #[arg(long)]
    max_p99_ms: Option<f64>,
}

#[derive(Debug, Args)]
struct SuiteArgs {
    /// The server's binary [default: beside this one].
    #[arg(long)]
    server_binary: Option<PathBuf>,
    /// Postgres server on which databases may be created; without it only SQLite
    /// is measured.
    #[arg(long)]
    postgres: Option<String>,
    /// Leave SQLite out.
    #[arg(long)]
    no_sqlite: bool,
    /// Requests that are under way at a time.
    #[arg(long, default_value_t = 64)]
    workers: usize,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct Output {
    /// Seconds per scenario.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// File for the JSON report.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = tokio::select! {
        // First, so that no server is started before a signal is listened for.
        biased;
        stopped = stopped() => stopped,
        done = obey(Cli::parse().command) => done,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when stderr is closed, too.
            let _ = writeln!(std::io::stderr(), "loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(args) => run_one(&args).await,
        Command::Suite(args) => run_suite(&args).await,
        Command::Soak(args) => run_soak(&args).await,
        Command::Grow(args) => run_grow(&args).await,
    }
}

/// Fails at SIGINT or SIGTERM. Whoever started servers is dropped then, and they with it; a signal
/// that killed this process would leave them behind.
async fn stopped() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn run_one(args: &RunArgs) -> anyhow::Result<()> {
    let needs_suite = matches!(args.scenario, Scenario::ReadUuid | Scenario::Search);
    ensure!(!needs_suite, "this scenario needs entries of its own: use `loadtest suite`");
    let key = suite::log_key(args.server).await?;
    let duration = Duration::from_secs(args.output.seconds);
    let pace = Pace { workers: args.workers, rate: args.rate, duration };
    let what = (args.scenario, args.evidence);
    let (outcome, _) = suite::one(args.server, &key, what, pace, None).await?;
    outcome.write(&mut std::io::stdout())?;
    save(args.output.json.as_deref(), &outcome)?;
    check_goals(&outcome, args)
}

fn check_goals(outcome: &Outcome, args: &RunArgs) -> anyhow::Result<()> {
    ensure!(outcome.errors == 0, "{} requests failed", outcome.errors);
    if let Some(goal) = args.min_rate {
        let reached = outcome.per_second;
        ensure!(reached >= goal, "{reached:.0} requests per second, the goal is {goal:.0}");
    }
    if let Some(goal) = args.max_p99_ms {
        let reached = outcome.latency_ms.p99;
        ensure!(reached <= goal, "p99 is {reached:.1} ms, the goal is {goal:.1} ms");
    }
    Ok(())
}

async fn run_suite(args: &SuiteArgs) -> anyhow::Result<()> {
    let binary = match &args.server_binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("indelible"),
    };
    let scale = Scale { workers: args.workers, duration: Duration::from_secs(args.output.seconds) };
    let mut out = std::io::stdout();
    let mut report = Report { machine: report::machine(), databases: Vec::new() };
    writeln!(out, "{}", report.machine)?;
    if let Some(home) = &args.postgres {
        let measured = suite::measure(&binary, &Database::Postgres(home), scale, &mut out).await?;
        report.databases.push(measured);
    }
    if !args.no_sqlite {
        let measured = suite::measure(&binary, &Database::Sqlite, scale, &mut out).await?;
        report.databases.push(measured);
    }
    save(args.output.json.as_deref(), &report)?;
    let failed = report.databases.iter().flat_map(|d| &d.outcomes).map(|o| o.errors).sum::<usize>();
    ensure!(failed == 0, "{failed} requests failed");
    Ok(())
}

async fn run_soak(args: &SoakArgs) -> anyhow::Result<()> {
    let report = soak::run(args).await?;
    let text = report.markdown()?;
    save(args.json.as_deref(), &report)?;
    if let Some(path) = &args.markdown {
        std::fs::write(path, &text)?;
    }
    write!(std::io::stdout(), "{text}")?;
    ensure!(report.violations == 0, "{} violations", report.violations);
    Ok(())
}

async fn run_grow(args: &GrowArgs) -> anyhow::Result<()> {
    let report = grow::run(args, &mut std::io::stderr()).await?;
    write!(std::io::stdout(), "{}", report.markdown())?;
    save(args.json.as_deref(), &report)
}

fn save(path: Option<&Path>, report: &impl serde::Serialize) -> anyhow::Result<()> {
    if let Some(path) = path {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    }
    Ok(())
}
