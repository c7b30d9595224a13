//! Three servers on one Postgres, while servers and connections die.
//!
//! Postgres only: an SQLite file has one server.
//!
//! The ordinary run takes some ten seconds; `INDELIBLE_SOAK_SECONDS` makes it longer and
//! `INDELIBLE_SOAK_SEED` gives it another course.

#![expect(clippy::print_stdout, reason = "a failed run tells its seed, and how much was tried")]

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible_client::Client;
use tempfile::TempDir;

use crate::harness::databases::{TestDb, to_its_end_after};
use crate::harness::process::{PATIENCE, Process, Site, run_within};
use crate::harness::proxy::{Proxy, Way};
use crate::harness::receipts::{Receipts, client};

/// Entries that must be answered between two faults, so that each meets a busy log.
const BETWEEN: u64 = 40;

/// How long a client waits for a server that may be stopped.
const LIMIT: Duration = Duration::from_secs(5);

/// Connections of each server: few, so that a cut meets the one that commits.
const CONNECTIONS: &str = "4";

fn setting<T: FromStr>(name: &str, otherwise: T) -> T {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// SplitMix64: the same course for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// One server of the log, with a wire of its own to the database.
struct Replica {
    site: Site,
    proxy: Proxy,
    process: Option<Process>,
    /// It keeps the last checkpoint in a file that others keep, too.
    shares_guard: bool,
}

/// What the servers have in common beside the database.
#[derive(Clone)]
struct Shared(Arc<TempDir>);

impl Shared {
    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

impl Replica {
    async fn new(db: &TestDb, shares_guard: bool) -> Self {
        let proxy = Proxy::to(db.port()).await;
        Self { site: Site::on(proxy.instead(db.url())), proxy, process: None, shares_guard }
    }

    fn start(&mut self, shared: &Shared, listen: &str) {
        let (key, kept) = (shared.file("log-key.pem"), shared.file("last-checkpoint"));
        let mut arguments =
            vec!["--key", &key, "--listen", listen, "--database-connections", CONNECTIONS];
        arguments.extend(["--hostname", "log.example", "--log", "info,access=off"]);
        if self.shares_guard {
            arguments.extend(["--last-checkpoint", &kept]);
        }
        self.process = Some(self.site.start(&arguments));
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }
}

/// Three servers that are started at once on an empty database, with one key.
async fn three(db: &TestDb, shared: &Shared) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for number in 0..3 {
        replicas.push(Replica::new(db, number < 2).await);
    }
    // In threads, as a start waits for the process, and the proxies run in this runtime.
    let starts = replicas.into_iter().map(|mut replica| {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || {
            replica.start(&shared, "127.0.0.1:0");
            replica
        })
    });
    let mut started = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        started.push(start.await.expect("it starts"));
    }
    started
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_never_lose_or_fork_the_log() {
    let asked = Duration::from_secs(setting("INDELIBLE_SOAK_SECONDS", 8));
    // As long again for what is asked for at the end, and for the audit: both grow with the log.
    to_its_end_after(3 * asked, faults_for(asked)).await;
}

async fn faults_for(asked: Duration) {
    let seconds = asked.as_secs();
    let seed = setting("INDELIBLE_SOAK_SEED", 1);
    println!("INDELIBLE_SOAK_SECONDS={seconds} INDELIBLE_SOAK_SEED={seed}");
    let db = TestDb::postgres().await;
    let shared = Shared(Arc::new(tempfile::tempdir().expect("a directory")));
    let mut replicas = three(&db, &shared).await;
    let clients: Vec<Client> =
        replicas.iter().map(|replica| client(&replica.process().url, LIMIT)).collect();
    let receipts = Receipts::of(&clients[0]).await;
    let writers = receipts.write(6, &clients);
    let mut watcher = receipts.watch(&clients);
    receipts.more(20).await;

    let mut dice = Dice(seed);
    let begun = Instant::now();
    let mut done = [0_u32; 6];
    // Each kind of fault comes at least twice, however short the run is; and so do cuts that met
    // a commit, which depends on whose turn it is.
    for turn in 0.. {
        let enough = turn >= 2 * done.len() && (cuts(&replicas) >= 2 || turn >= 10 * done.len());
        if enough && begun.elapsed() > asked {
            break;
        }
        let kinds = done.len();
        let fault = if turn < 2 * kinds { turn % kinds } else { dice.below(kinds as u64) as usize };
        let victim = dice.below(3) as usize;
        receipts.more(BETWEEN).await;
        match fault {
            0 => replicas = kill_and_restart(replicas, victim, &shared, &receipts).await,
            1 => stop_for_a_while(&replicas[victim], &receipts).await,
            2 => cut(&replicas[victim], Way::Asked, dice.below(6_000), &receipts).await,
            3 => cut(&replicas[victim], Way::Answered, dice.below(200), &receipts).await,
            4 => mute(&replicas[victim], &receipts).await,
            _ => {
                replicas[victim].proxy.cut();
                receipts.more(5).await;
            }
        }
        done[fault] += 1;
    }

    receipts.finish(writers).await;
    watcher.join_next().await.expect("a watcher").expect("the log only grew");
    let cuts = cuts(&replicas);
    println!(
        "{} entries; kills, stops, cuts of questions, of answers, silences, cuts of all: {done:?}, \
         {cuts} in mid-commit; {} refusals",
        receipts.answered(),
        receipts.refused()
    );
    assert!(cuts >= 2, "only {cuts} cuts met a commit");
    assert!(receipts.answered() > 600, "only {} entries", receipts.answered());
    for (replica, client) in replicas.iter().zip(&clients) {
        assert!(client.log_info().await.is_ok(), "{} is not back", replica.process().url);
    }
    receipts.hold(&clients[0]).await;
    let replica = replicas.swap_remove(0);
    let kept = shared.file("last-checkpoint");
    let check = replica.site.command(&[
        "fsck",
        "--key",
        &shared.file("log-key.pem"),
        "--last-checkpoint",
        &kept,
    ]);
    // In a thread, as the proxy that it goes through runs here.
    let check = tokio::task::spawn_blocking(move || run_within(PATIENCE + asked, check));
    let check = check.await.expect("it runs").expect("it ends");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// How many connections were cut in mid-commit.
fn cuts(replicas: &[Replica]) -> u64 {
    replicas.iter().map(|replica| replica.proxy.cuts()).sum()
}

/// `kill -9`, some writes without it, and a start on the same port.
async fn kill_and_restart(
    mut replicas: Vec<Replica>,
    victim: usize,
    shared: &Shared,
    receipts: &Receipts,
) -> Vec<Replica> {
    let mut replica = replicas.remove(victim);
    let process = replica.process.take().expect("it runs");
    let listen = process.address().to_owned();
    process.kill();
    receipts.more(10).await;
    let shared = shared.clone();
    let starting = tokio::task::spawn_blocking(move || {
        replica.start(&shared, &listen);
        replica
    });
    replicas.insert(victim, starting.await.expect("it starts again"));
    replicas
}

/// A server that sleeps while the others commit many rounds, and wakes with an old head.
async fn stop_for_a_while(replica: &Replica, receipts: &Receipts) {
    replica.process().signal("STOP");
    receipts.more(30).await;
    replica.process().signal("CONT");
    receipts.more(5).await;
}

/// What the database answers is lost, a commit's success among it, and then the connections.
async fn mute(replica: &Replica, receipts: &Receipts) {
    replica.proxy.swallow(&[Way::Answered]);
    receipts.more(10).await;
    replica.proxy.swallow(&[]);
    replica.proxy.cut();
    receipts.more(5).await;
}

/// A commit whose question or answer is cut off at some byte.
async fn cut(replica: &Replica, way: Way, bytes: u64, receipts: &Receipts) {
    replica.proxy.cut_after(way, u32::try_from(bytes).expect("small"));
    receipts.more(15).await;
    replica.proxy.mend();
}
