//! Two servers on one database, for long, at half of what they can do, while faults come.
//!
//! Border: the order of things. The load comes in slices of a few seconds, each due at its
//! moment whether or not those before it are over; what is late is late from that moment on.
//! While one runs, a former one is judged and the next is signed, which competes with the
//! servers for the processor. A request that fails is tolerated only if it was under way while
//! a fault that concerns its server lasted; everything else is a violation.

mod capacity;
mod examination;
mod faults;
mod report;
mod slice;
mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use entry::keys::x509::PublicKey;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::evidence::{Entries, Evidence};
use crate::report::machine;
use crate::scenario::{Load, Scenario, Written};
use crate::server::Server;
use crate::suite;
use capacity::Capacity;
use examination::Examination;
use faults::{Course, Injector, SERVERS};
use report::SoakReport;
use slice::{Due, Judged};
use witness::Witness;

/// Length of a slice.
const SLICE: Duration = Duration::from_secs(5);

/// Requests under way at a time, to one server, of one kind, in one slice.
const WORKERS: usize = 64;

/// Slices that are under way at a time, or wait for their judgement: each keeps its evidence and
/// all of its answers in memory. One that has to wait for a place is charged for it.
const SLICES: usize = 4;

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
    /// Part that is asked for of what servers, database and generator can do together.
    ///
    /// What the servers add while the generator only asks is measured before, and so is what it takes to
    /// sign an entry and to judge a receipt: during the load all of that is done on the same cores.
    #[arg(long, default_value_t = 0.5)]
    share: f64,
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

/// What is asked of each server in a second.
#[derive(Clone, Copy, Debug)]
struct Demand {
    additions: u32,
    reads: u32,
}

/// Everything that the slices share.
struct Soak {
    key: Arc<PublicKey>,
    addresses: [SocketAddr; SERVERS],
    course: Arc<Course>,
    witness: Witness,
    started: Instant,
    demand: Demand,
    report: SoakReport,
}

/// Soaks.
///
/// # Errors
/// When it cannot begin. What went wrong from then on is in the report.
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
    let mut report = SoakReport { machine: machine(), ..SoakReport::default() };
    let mut witness = Witness::default();
    let capacity = Capacity::measure(&key, addresses, &mut witness, &mut report).await?;
    let quarter = (args.seconds / 4).clamp(1, 300);
    let every = Duration::from_secs(args.fault_every.unwrap_or(quarter));
    let together = capacity.together(args.reads);
    let additions = (together * args.share / SERVERS as f64).max(1.0) as u32;
    let demand = Demand { additions, reads: (f64::from(additions) * args.reads) as u32 };
    let signed = sign(demand, SLICE).await??;
    let started = Instant::now();
    let injector = Injector::start([first, second], args.restart_postgres.clone(), every, started);
    (report.capacity, report.together) = (capacity, together);
    report.ask(demand);
    let course = injector.course();
    let mut soak = Soak { key, addresses, course, witness, started, demand, report };
    soak.load(Duration::from_secs(args.seconds), signed).await;
    Ok(soak.finish(injector).await)
}

fn additions(count: usize) -> anyhow::Result<Load> {
    let entries = Entries::sign(Evidence::Certificate, count)?;
    Ok(Load { scenario: Scenario::Write, entries, written: Written::default() })
}

/// The additions of a slice for each server, signed beside everything else.
fn sign(demand: Demand, length: Duration) -> JoinHandle<anyhow::Result<Vec<Load>>> {
    let count = demand.additions as usize * length.as_secs() as usize;
    tokio::task::spawn_blocking(move || (0..SERVERS).map(|_| additions(count)).collect())
}

impl Soak {
    /// Slice after slice; the additions of the first one are signed already.
    async fn load(&mut self, duration: Duration, mut signed: Vec<Load>) {
        let mut under_way = JoinSet::new();
        let judges = Arc::new(Semaphore::new(1));
        let mut at = Duration::ZERO;
        loop {
            tokio::time::sleep_until((self.started + at).into()).await;
            while under_way.len() >= SLICES {
                self.keep(under_way.join_next().await);
            }
            while let Some(done) = under_way.try_join_next() {
                self.keep(Some(done));
            }
            let length = SLICE.min(duration - at);
            under_way.spawn(self.due(at, length).run(signed, Arc::clone(&judges)));
            at += length;
            if at >= duration || self.course.is_broken_off() {
                break;
            }
            signed = match sign(self.demand, SLICE).await.map_err(Into::into).flatten() {
                Ok(signed) => signed,
                Err(error) => break self.report.violate([format!("signing: {error:#}")]),
            };
        }
        while let Some(done) = under_way.join_next().await {
            self.keep(Some(done));
        }
        self.report.slices.sort_by(|a, b| a.at.total_cmp(&b.at));
    }

    fn due(&self, at: Duration, length: Duration) -> Due {
        Due {
            at,
            length,
            soak_started: self.started,
            addresses: self.addresses,
            demand: self.demand,
            size: self.witness.size(),
            course: Arc::clone(&self.course),
            key: Arc::clone(&self.key),
        }
    }

    fn keep(&mut self, done: Option<Result<Judged, JoinError>>) {
        match done {
            None => {}
            Some(Err(error)) => self.report.violate([format!("a slice was not judged: {error}")]),
            Some(Ok(Judged { slice, receipts, verified, violations })) => {
                self.report.slices.push(slice);
                self.report.receipts += verified;
                self.report.violate(violations);
                self.report.contradict(self.witness.hear(&receipts));
            }
        }
    }

    /// Stops the faults, and asks whether the promises are kept.
    async fn finish(mut self, injector: Injector) -> SoakReport {
        self.report.seconds = self.started.elapsed().as_secs_f64();
        let (servers, ended) = injector.stop().await;
        self.report.violate(ended.err().map(|error| format!("a fault, and then: {error:#}")));
        self.report.faults = self.course.announced().faults();
        self.examine().await;
        if let Some([server, _]) = &servers {
            self.report.fsck(server.fsck().await);
        }
        self.report.entries = self.witness.entries().len();
        self.report.heads = self.witness.heads().len();
        self.report
    }

    /// Asks each server for what was promised.
    async fn examine(&mut self) {
        let examination = Arc::new(Examination::of(&self.witness));
        let asking = self.addresses.map(|address| {
            tokio::spawn(Arc::clone(&examination).ask(address, Arc::clone(&self.key)))
        });
        for (server, asked) in asking.into_iter().enumerate() {
            match asked.await {
                Ok((examined, answers)) => {
                    let broken = answers.broken.iter();
                    self.report.violate(broken.map(|broken| format!("server {server}: {broken}")));
                    self.report.examined.push(examined);
                    self.report.contradict(self.witness.hear(&answers.receipts));
                }
                Err(error) => self.report.violate([format!("server {server}: {error}")]),
            }
        }
    }
}

#[cfg(test)]
mod tests;
