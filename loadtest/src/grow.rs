//! What a log costs when it has grown.
//!
//! Border: one log on Postgres, filled to one size after another through the server itself,
//! and measured at each with a server that was just started. Rates on cores that everybody
//! shares are noisy; the processor time of server and database per operation is what shows
//! growth.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use entry::keys::x509::PublicKey;
use serde::Serialize;

use crate::evidence::{Entries, Evidence};
use crate::footprint::{Footprint, Processors};
use crate::report::{self, Outcome};
use crate::run::{self, Answer, Pace};
use crate::scenario::{Load, Scenario, Written};
use crate::server::Server;
use crate::suite;

/// Entries that are signed, posted and forgotten at a time.
const PORTION: u64 = 100_000;

/// Writers that fill the log.
const FILLERS: usize = 256;

/// Of so many additions that fill the log one is verified; of all of them the status counts.
const VERIFIED: usize = 16;

/// Reads all over the log before those that count as warm: 95 % of the tiles of ten million
/// entries were touched after 120,000.
const WARM_UP: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct GrowArgs {
    /// The server's binary [default: beside this one].
    #[arg(long)]
    server_binary: Option<PathBuf>,
    /// Postgres server on which databases may be created.
    #[arg(long)]
    postgres: String,
    /// Entries at which is measured, ascending.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000")]
    to: Vec<u64>,
    /// Seconds per scenario.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Do not let `indelible fsck` recompute the log at the end.
    #[arg(long)]
    no_fsck: bool,
    /// File for the JSON report.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

/// The log at every size.
#[derive(Debug, Serialize)]
pub(crate) struct GrowReport {
    /// Processor, as the system names it.
    machine: String,
    stages: Vec<Stage>,
}

/// The log at one size.
#[derive(Debug, Serialize)]
struct Stage {
    /// Entries when the measurements began.
    entries: u64,
    /// Entries per second while the log was filled up to here.
    filled_per_second: f64,
    /// From the start of the process to its first 200 of `/readyz`, in seconds.
    start_seconds: f64,
    operations: Vec<Operation>,
    /// Resident memory of the server after all of them, in MiB.
    resident_mib: Option<f64>,
    footprint: Footprint,
}

/// One scenario, with the processor time of each side.
#[derive(Debug, Serialize)]
struct Operation {
    outcome: Outcome,
    /// A server that was just started read for the first time.
    cold: bool,
    /// Microseconds of processor time per request, in the server.
    server_us: f64,
    /// In all processes of Postgres.
    postgres_us: f64,
}

/// Fills and measures.
pub(crate) async fn run(args: &GrowArgs, out: &mut dyn Write) -> anyhow::Result<GrowReport> {
    ensure!(args.to.is_sorted() && !args.to.is_empty(), "--to must ascend");
    let binary = match &args.server_binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("indelible"),
    };
    let database = suite::fresh_database(&args.postgres).await?;
    let mut server = Server::start(&binary, &database).await?;
    let key = suite::log_key(server.address).await?;
    let mut report = GrowReport { machine: report::machine(), stages: Vec::new() };
    let mut known = Written::default();
    for size in &args.to {
        let filled_per_second = fill(&server, &key, *size, &mut known, out).await?;
        Footprint::settle(&database).await?;
        server.kill().await?;
        let started = Instant::now();
        server.start_again().await?;
        let start_seconds = started.elapsed().as_secs_f64();
        let entries = suite::size(server.address).await?;
        let footprint = Footprint::of(&database, entries).await?;
        let duration = Duration::from_secs(args.seconds);
        let operations = operations(&server, &database, &key, duration, &mut known, out).await?;
        let resident_mib = server.resident_mib();
        report.stages.push(Stage {
            entries,
            filled_per_second,
            start_seconds,
            operations,
            resident_mib,
            footprint,
        });
    }
    if !args.no_fsck {
        let started = Instant::now();
        let said = server.fsck().await?;
        ensure!(said.is_none(), "fsck: {}", said.unwrap_or_default());
        writeln!(out, "fsck: the log is whole, after {:.0} s", started.elapsed().as_secs_f64())?;
    }
    Ok(report)
}

/// Posts entries until the log has `size`; returns the rate, signatures left out.
async fn fill(
    server: &Server,
    key: &PublicKey,
    size: u64,
    known: &mut Written,
    out: &mut dyn Write,
) -> anyhow::Result<f64> {
    let (mut posted, mut took) = (0_u64, Duration::ZERO);
    loop {
        let there = suite::size(server.address).await?;
        let missing = size.saturating_sub(there).min(PORTION);
        if missing == 0 {
            return Ok(posted as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE));
        }
        let entries = Entries::sign(Evidence::Key, usize::try_from(missing)?)?;
        let load =
            Arc::new(Load { scenario: Scenario::Write, entries, written: Written::default() });
        let pace = Pace { workers: FILLERS, rate: None, duration: Duration::from_secs(600) };
        let measured = run::run(server.address, Arc::clone(&load), pace).await?;
        let refused = measured.answers.iter().find(|answer| !answer.status.is_success());
        if let Some(answer) = refused {
            anyhow::bail!("filling: {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        ensure!(measured.missed.is_empty(), "filling: {:?}", measured.first_error);
        let sample: Vec<Answer> = measured.answers.into_iter().step_by(VERIFIED).collect();
        let judged = suite::judge(&load, &sample)?;
        ensure!(judged.wrong.is_empty(), "filling: {}", judged.wrong.join(", "));
        judged.receipts.check_signatures(key)?;
        known.keep_heads(&judged.receipts)?;
        posted += missing;
        took += measured.elapsed;
        let rate = missing as f64 / measured.elapsed.as_secs_f64();
        writeln!(out, "filled to {} of {size}, {rate:.0}/s", there + missing)?;
    }
}

async fn operations(
    server: &Server,
    database: &str,
    key: &PublicKey,
    duration: Duration,
    known: &mut Written,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<Operation>> {
    let processors = Processors::of(database, server.process_id()).await?;
    let mut written = Some(suite::fill(server.address, key, std::mem::take(known)).await?);
    let mut operations = Vec::new();
    for (scenario, workers, cold) in [
        (Scenario::ReadIndex, 64, true),
        (Scenario::Write, 64, false),
        (Scenario::Write, 1, false),
        (Scenario::ReadIndex, 64, false),
        (Scenario::ReadUuid, 64, false),
        (Scenario::Consistency, 64, false),
        (Scenario::Search, 64, false),
    ] {
        if (scenario, cold) == (Scenario::ReadIndex, false) {
            let pace = Pace { workers, rate: None, duration: WARM_UP };
            let what = (scenario, Evidence::Certificate);
            written = Some(suite::one(server.address, key, what, pace, written.take()).await?.1);
        }
        let pace = Pace { workers, rate: None, duration };
        let what = (scenario, Evidence::Certificate);
        let before = processors.read()?;
        let (outcome, again) = suite::one(server.address, key, what, pace, written.take()).await?;
        let used = processors.read()?.since(before);
        written = Some(again);
        outcome.write(out)?;
        ensure!(outcome.errors == 0, "{} requests failed", outcome.errors);
        let requests = outcome.requests.max(1) as f64;
        operations.push(Operation {
            cold,
            server_us: used.server.as_secs_f64() * 1e6 / requests,
            postgres_us: used.postgres.as_secs_f64() * 1e6 / requests,
            outcome,
        });
    }
    *known = written.unwrap_or_default();
    Ok(operations)
}

impl GrowReport {
    /// Tables with a column for each size.
    pub(crate) fn markdown(&self) -> String {
        let mut rows = vec![
            self.row("entries", |stage| stage.entries.to_string()),
            format!("|{}", "---|".repeat(self.stages.len() + 1)),
            self.row("filled, raw keys, 256 clients", |stage| {
                format!("{:.0}/s", stage.filled_per_second)
            }),
            self.row("start-up", |stage| format!("{:.2} s", stage.start_seconds)),
            self.row("resident memory after it all", |stage| {
                stage.resident_mib.map_or_else(|| "?".to_owned(), |mib| format!("{mib:.0} MiB"))
            }),
        ];
        let first = self.stages.first().map_or(&[][..], |stage| &stage.operations);
        for (at, operation) in first.iter().enumerate() {
            let Outcome { scenario, workers, .. } = &operation.outcome;
            let first = if operation.cold { ", not read before" } else { "" };
            let name = format!("{}, {workers} clients{first}", report::name(scenario));
            rows.push(self.row(&format!("{name}: rate, p50 / p99 ms"), |stage| {
                stage.operations.get(at).map_or_else(String::new, Operation::rate)
            }));
            rows.push(self.row(&format!("{name}: µs in server + Postgres"), |stage| {
                stage.operations.get(at).map_or_else(String::new, Operation::cost)
            }));
        }
        let relations = self.stages.first().map_or(&[][..], |stage| &stage.footprint.relations);
        for (at, relation) in relations.iter().enumerate() {
            rows.push(self.row(&format!("bytes per entry, `{}`", relation.name), |stage| {
                let found = stage.footprint.relations.get(at);
                found.map_or_else(String::new, |found| format!("{:.0}", found.bytes_per_entry))
            }));
        }
        rows.join("\n") + "\n"
    }

    fn row(&self, name: &str, cell: impl Fn(&Stage) -> String) -> String {
        let cells: Vec<String> = self.stages.iter().map(cell).collect();
        format!("| {name} | {} |", cells.join(" | "))
    }
}

impl Operation {
    fn rate(&self) -> String {
        let Outcome { per_second, latency_ms, .. } = &self.outcome;
        format!("{per_second:.0}/s, {:.1} / {:.1}", latency_ms.p50, latency_ms.p99)
    }

    fn cost(&self) -> String {
        format!("{:.0} + {:.0}", self.server_us, self.postgres_us)
    }
}
