//! Two servers on one database, for long, at half of what they can do, while faults come.
//!
//! Border: the order of things. The load comes in slices of a few seconds; while one runs,
//! the last is judged and the next is signed, which competes with the servers for the
//! processor. A request that fails is tolerated only while
//! a fault that concerns its server lasts; everything else is a violation.

mod faults;
mod report;
mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use entry::keys::x509::PublicKey;
use tokio::task::JoinHandle;

use crate::evidence::{Entries, Evidence};
use crate::receipts::Receipts;
use crate::report::{Latency, machine};
use crate::run::{self, Measured, Pace};
use crate::scenario::{Load, Scenario, Written};
use crate::server::{Server, resident_mib};
use crate::suite;
use faults::{Announced, Injector, SERVERS};
use report::{Slice, SoakReport};
use witness::Witness;

/// Length of a slice.
const SLICE: Duration = Duration::from_secs(5);

/// Requests under way at a time, to one server, of one kind.
const WORKERS: usize = 64;

/// What is soaked, and for how long.
#[derive(Debug, Args)]
pub(crate) struct SoakArgs {
    /// Postgres server on which databases may be created.
    #[arg(long)]
    postgres: String,
    /// Shell command that restarts that Postgres; without it, it is not restarted.
    #[arg(long)]
    restart_postgres: Option<String>,
    /// The server's binary [default: beside this one].
    #[arg(long)]
    server_binary: Option<PathBuf>,
    /// Seconds of load.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Seconds from one fault to the next [default: a quarter of the load, at most 300].
    #[arg(long)]
    fault_every: Option<u64>,
    /// Reads for each addition, anywhere in the log.
    ///
    /// They cost the servers as much as additions, and judging them as much again: with as many
    /// of them as additions, two cores are asked for more than they have.
    #[arg(long, default_value_t = 0.25)]
    reads: f64,
    /// File for the JSON report.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// File for the report in Markdown.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
}

/// Everything that the slices share.
struct Soak {
    key: Arc<PublicKey>,
    addresses: [SocketAddr; SERVERS],
    injector: Injector,
    witness: Witness,
    started: Instant,
    /// Additions per second, to each server.
    rate: f64,
    /// Reads for each of them.
    reads: f64,
    report: SoakReport,
}

/// A slice that is over but not judged.
struct Done {
    /// Of the soak, when it began.
    at: Duration,
    ended: Duration,
    soak_started: Instant,
    /// Server, what was asked, what came.
    runs: Vec<(usize, Arc<Load>, Measured)>,
    resident_mib: [Option<f64>; SERVERS],
}

/// What judging a slice gave.
struct Judged {
    slice: Slice,
    receipts: Receipts,
    violations: Vec<String>,
}

/// Soaks.
///
/// # Errors
/// When it cannot be done. What the servers did wrong is in the report.
pub(crate) async fn run(args: &SoakArgs) -> anyhow::Result<SoakReport> {
    let binary = match &args.server_binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("indelible"),
    };
    let url = suite::fresh_database(&args.postgres).await?;
    let first = Server::start(&binary, &url).await?;
    let second = first.start_beside().await?;
    let addresses = [first.address, second.address];
    let key = Arc::new(suite::log_key(addresses[0]).await?);
    let mut witness = Witness::default();
    let measured = measure(&key, addresses, &mut witness).await?;
    let quarter = (args.seconds / 4).clamp(1, 300);
    let every = Duration::from_secs(args.fault_every.unwrap_or(quarter));
    let started = Instant::now();
    let injector = Injector::start([first, second], args.restart_postgres.clone(), every, started);
    let report = SoakReport { machine: machine(), measured, ..SoakReport::default() };
    // Half of it: a quarter to each server.
    let rate = (measured / 2.0 / SERVERS as f64).max(1.0);
    let reads = args.reads;
    let mut soak = Soak { key, addresses, injector, witness, started, rate, reads, report };
    soak.load(Duration::from_secs(args.seconds)).await?;
    soak.finish().await
}

/// Additions per second that both servers take together, every client waiting for its
/// answer; what is answered is verified, too.
async fn measure(
    key: &PublicKey,
    addresses: [SocketAddr; SERVERS],
    witness: &mut Witness,
) -> anyhow::Result<f64> {
    let pace = Pace { workers: WORKERS / 2, rate: None, duration: SLICE };
    let count = 16_000 * usize::try_from(SLICE.as_secs())? / SERVERS;
    let mut running = Vec::new();
    for address in addresses {
        let load = Arc::new(additions(count)?);
        running.push((Arc::clone(&load), tokio::spawn(run::run(address, load, pace))));
    }
    let mut per_second = 0.0;
    for (load, run) in running {
        let measured = run.await??;
        anyhow::ensure!(measured.missed.is_empty(), "a request was not answered, without a fault");
        let mut receipts = Receipts::default();
        // A server that is asked for all that it can do may say that it is busy.
        for answer in measured.answers.iter().filter(|answer| answer.status.as_u16() != 503) {
            load.judge(answer, &mut receipts)?;
        }
        per_second += receipts.created.len() as f64 / measured.elapsed.as_secs_f64();
        receipts.check_signatures(key)?;
        witness.hear(receipts)?;
    }
    Ok(per_second)
}

fn additions(count: usize) -> anyhow::Result<Load> {
    let entries = Entries::sign(Evidence::Certificate, count)?;
    Ok(Load { scenario: Scenario::Write, entries, written: Written::default() })
}

impl Soak {
    async fn load(&mut self, duration: Duration) -> anyhow::Result<()> {
        let count = (self.rate * SLICE.as_secs_f64()).ceil() as usize;
        let sign = move || (0..SERVERS).map(|_| additions(count)).collect::<Result<Vec<_>, _>>();
        let mut next = sign()?;
        let mut judging: Option<JoinHandle<Judged>> = None;
        while self.started.elapsed() < duration {
            let signing = tokio::task::spawn_blocking(sign);
            let done = self.slice(next).await?;
            if let Some(judged) = judging.take() {
                self.keep(judged.await?)?;
            }
            let (announced, key) = (self.injector.announced(), Arc::clone(&self.key));
            judging = Some(tokio::task::spawn_blocking(move || judge(&done, &announced, &key)));
            next = signing.await??;
        }
        if let Some(judged) = judging.take() {
            self.keep(judged.await?)?;
        }
        Ok(())
    }

    /// Additions and reads, to every server.
    async fn slice(&self, additions: Vec<Load>) -> anyhow::Result<Done> {
        let at = self.started.elapsed();
        let size = self.witness.size();
        let mut running = Vec::new();
        for (server, addition) in additions.into_iter().enumerate() {
            let entries = Entries::sign(Evidence::Certificate, 0)?;
            let written = Written { size, ..Written::default() };
            let reads = Load { scenario: Scenario::ReadIndex, entries, written };
            for (load, rate) in [(addition, self.rate), (reads, self.rate * self.reads)] {
                let load = Arc::new(load);
                let pace = Pace { workers: WORKERS, rate: Some(rate), duration: SLICE };
                let run = run::run(self.addresses[server], Arc::clone(&load), pace);
                running.push((server, load, tokio::spawn(run)));
            }
        }
        let mut runs = Vec::new();
        for (server, load, run) in running {
            runs.push((server, load, run.await??));
        }
        let resident_mib = self.injector.processes().map(|process| resident_mib(process?));
        let ended = self.started.elapsed();
        Ok(Done { at, ended, soak_started: self.started, runs, resident_mib })
    }

    fn keep(&mut self, judged: Judged) -> anyhow::Result<()> {
        let Judged { slice, receipts, violations } = judged;
        self.report.slices.push(slice);
        self.report.violate(violations);
        if let Err(error) = self.witness.hear(receipts) {
            self.report.violate([format!("{error:#}")]);
        }
        Ok(())
    }

    async fn finish(self) -> anyhow::Result<SoakReport> {
        let Self { addresses, injector, witness, started, rate, reads, mut report, .. } = self;
        report.seconds = started.elapsed().as_secs_f64();
        report.rate = rate * SERVERS as f64;
        report.reads = report.rate * reads;
        let (servers, announced) =
            injector.stop().await.context("a fault could not be injected")?;
        report.faults = announced.faults();
        report.violate(witness.examine(&addresses).await?);
        for server in servers.iter().take(1) {
            report.violate(server.fsck().await?.map(|said| format!("fsck: {said}")));
        }
        report.promises = witness.promises();
        report.checkpoints = witness.checkpoints();
        Ok(report)
    }
}

/// Judges every answer of a slice.
fn judge(done: &Done, announced: &Announced, key: &PublicKey) -> Judged {
    let mut receipts = Receipts::default();
    let mut violations = Vec::new();
    let mut slice = Slice::new(done.at, done.resident_mib);
    for (server, load, measured) in &done.runs {
        let begin = measured.started.duration_since(done.soak_started);
        let excused = |due: Duration, took: Duration| {
            announced.excuses(*server, begin + due, begin + due + took)
        };
        for answer in &measured.answers {
            let Err(error) = load.judge(answer, &mut receipts) else { continue };
            if answer.status.as_u16() == 503 && excused(answer.due, answer.took) {
                slice.excused += 1;
            } else {
                violations.push(format!("server {server}, {:?}: {error:#}", load.scenario));
            }
        }
        for missed in &measured.missed {
            if excused(missed.due, missed.took) {
                slice.excused += 1;
            } else {
                let error = measured.first_error.as_deref().unwrap_or_default();
                violations.push(format!("server {server}: no answer, such as {error}"));
            }
        }
        slice.add(load.scenario == Scenario::Write, measured);
    }
    if let Err(error) = receipts.check_signatures(key) {
        violations.push(format!("{error:#}"));
    }
    slice.faults = announced.during(done.at, done.ended);
    Judged { slice, receipts, violations }
}

impl Slice {
    fn add(&mut self, additions: bool, measured: &Measured) {
        let latency = Latency::of(&measured.latency);
        let (count, worst) = if additions {
            (&mut self.additions, &mut self.addition_ms)
        } else {
            (&mut self.reads, &mut self.read_ms)
        };
        *count += measured.answers.len();
        // Of two servers the worse one is shown.
        *worst = worst.map_or(Some(latency), |worst: Latency| Some(worst.max(latency)));
    }
}
