//! A Postgres of its own that is restarted, crowded, filled up and lost.
//!
//! In each story writers go on while it happens. They are refused with 503 (or get no answer),
//! and go on by themselves; in the end everything that was ever answered is held against the log.

#![expect(clippy::print_stdout, reason = "a failed run tells its seed, and how much was tried")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible_client::Client;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::harness::cluster::Cluster;
use crate::harness::process::{Process, Site};
use crate::harness::proxy::{Proxy, Way};
use crate::harness::receipts::{Receipts, client};
use crate::harness::small_disk::SmallDisk;

once! {
    a_restart_under_writes_loses_nothing,
    a_server_without_a_connection_refuses_and_comes_back,
    a_silent_wire_is_given_up_in_time,
    a_full_disk_of_data_stops_writes_and_not_reads,
    a_full_disk_of_the_write_ahead_log_loses_nothing,
    a_failover_to_a_synchronous_standby_loses_nothing,
    a_commit_that_no_standby_has_is_not_answered,
    a_demanded_standby_is_demanded_in_every_round,
}

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(90);

/// What docs/reliability.md promises while the wire is silent: to entries that are under way, and to
/// all that comes later.
const UNDER_WAY: Duration = Duration::from_secs(50);
const LATER: Duration = Duration::from_secs(10);

/// What this machine may take for itself.
const SLACK: Duration = Duration::from_secs(5);

/// Numbers of artifacts that no writer comes to.
const BY_HAND: u64 = 1 << 40;

/// A server on a database, with writers.
struct Story {
    site: Site,
    process: Process,
    client: Client,
    receipts: Arc<Receipts>,
    writers: JoinSet<()>,
    /// Entries that were added by hand.
    by_hand: u64,
}

impl Story {
    async fn begin(database: &str) -> Self {
        let site = Site::on(database);
        let (process, site) = start(site).await;
        let client = client(&process.url, LIMIT);
        let receipts = Receipts::of(&client).await;
        let writers = receipts.write(4, std::slice::from_ref(&client));
        receipts.more(20).await;
        Self { site, process, client, receipts, writers, by_hand: 0 }
    }

    /// Adds entries by hand until one is refused, with 503 and in good time.
    async fn refused(&mut self) {
        loop {
            let n = BY_HAND + self.by_hand;
            self.by_hand += 1;
            if let Err(status) = self.receipts.attempt(n, &self.client).await {
                assert_eq!(status, Some(503), "a refusal, not silence");
                return;
            }
        }
    }

    /// Everything was kept, what was refused by hand is answered, and nothing else is there.
    async fn end(self) {
        self.receipts.more(20).await;
        self.receipts.finish(self.writers).await;
        for n in 0..self.by_hand {
            self.receipts.attempt(BY_HAND + n, &self.client).await.expect("it is answered at last");
        }
        println!("{} entries, {} refusals", self.receipts.answered(), self.receipts.refused());
        self.receipts.hold(&self.client).await;
        drop(self.process);
        drop(self.site);
    }
}

/// In a thread, as a proxy on the way may run in this runtime.
async fn start(site: Site) -> (Process, Site) {
    let starting = tokio::task::spawn_blocking(move || {
        (site.start(&["--database-connections", "4", "--log", "info,access=off"]), site)
    });
    starting.await.expect("it starts")
}

async fn a_restart_under_writes_loses_nothing() {
    let cluster = Cluster::start(&[]);
    let mut story = Story::begin(&cluster.database().await).await;
    for mode in ["fast", "immediate"] {
        cluster.stop(mode);
        cluster.up();
        story.receipts.more(20).await;
    }
    cluster.kill();
    story.refused().await;
    cluster.up();
    story.end().await;
}

/// Others hold every connection that is free, and then ours are lost.
async fn a_server_without_a_connection_refuses_and_comes_back() {
    let cluster = Cluster::start(&["max_connections=12", "superuser_reserved_connections=0"]);
    let mut story = Story::begin(&cluster.database().await).await;
    let mut crowd = Vec::new();
    let mut first = cluster.console("postgres").await;
    while let Ok(another) = PgConnection::connect(&cluster.url("postgres")).await {
        crowd.push(another);
    }
    // It has its own connections, and the one that writes is not lent to anybody.
    for _ in 0..20 {
        let n = BY_HAND + story.by_hand;
        story.by_hand += 1;
        story.receipts.attempt(n, &story.client).await.expect("writes go on");
    }
    crowd.pop().expect("somebody else is there").close().await.expect("it closes");
    let shoot = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE application_name = 'indelible'";
    while crowd.len() < 11 {
        sqlx::query(shoot).execute(&mut first).await.expect("they are shot");
        if let Ok(another) = PgConnection::connect(&cluster.url("postgres")).await {
            crowd.push(another);
        }
    }
    story.refused().await;
    for one in crowd {
        one.close().await.expect("it closes");
    }
    story.end().await;
}

/// Bytes vanish in both directions and nobody is told, as behind a router that fell over.
async fn a_silent_wire_is_given_up_in_time() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database().await;
    let proxy = Proxy::to(cluster.port).await;
    let mut story = Story::begin(&proxy.instead(&url)).await;
    proxy.swallow(&[Way::Asked, Way::Answered]);
    // Behind the writers' rounds that are under way, and then when it is known that nobody is there.
    for promised in [UNDER_WAY, LATER] {
        let readers = read_head(&story.client, 40);
        let begun = Instant::now();
        story.refused().await;
        let refused = begun.elapsed();
        let mut longest = Duration::ZERO;
        for (status, waited) in readers.join_all().await {
            assert_eq!(status, Some(503), "after {waited:?}");
            longest = longest.max(waited);
        }
        println!("refused within {refused:?}, the head within {longest:?}");
        assert!(refused < promised + SLACK, "{refused:?} instead of {promised:?}");
        assert!(longest < LATER + SLACK, "{longest:?} instead of {LATER:?}");
    }
    proxy.swallow(&[]);
    story.end().await;
}

/// So many who ask for the head at once; what each of them was refused with, and after how long.
fn read_head(client: &Client, readers: usize) -> JoinSet<(Option<u16>, Duration)> {
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        let client = client.clone();
        tasks.spawn(async move {
            let begun = Instant::now();
            let refused = client.log_info().await.expect_err("there is no head to be had");
            (refused.status(), begun.elapsed())
        });
    }
    tasks
}

async fn a_full_disk_of_data_stops_writes_and_not_reads() {
    let disk = SmallDisk::of("64m");
    let cluster = Cluster::start(&[]);
    let place = cluster.folder_on(disk.path());
    let place = format!("CREATE TABLESPACE small LOCATION '{}'", place.display());
    let database = "CREATE DATABASE log TABLESPACE small";
    cluster.order("postgres", &[&place, database]).await;
    let mut story = Story::begin(&cluster.url("log")).await;
    disk.fill(0);
    story.refused().await;
    let first = story.client.entry_by_index(0).await;
    assert!(first.is_ok(), "reads go on: {first:?}");
    assert!(cluster.log().contains("No space left on device"));
    disk.make_room();
    story.end().await;
    drop(cluster);
}

/// Without room for its write-ahead log Postgres ends itself; who starts it again is the operator.
async fn a_full_disk_of_the_write_ahead_log_loses_nothing() {
    let disk = SmallDisk::of("48m");
    let cluster = Cluster::start(&["max_wal_size=8MB", "min_wal_size=2MB", "wal_recycle=off"]);
    let database = cluster.database().await;
    cluster.stop("fast");
    cluster.move_wal(disk.path());
    cluster.up();
    let mut story = Story::begin(&database).await;
    disk.fill(0);
    story.refused().await;
    assert!(cluster.log().contains("No space left on device"));
    disk.make_room();
    cluster.revive();
    story.end().await;
    drop(cluster);
}

/// A primary with a standby that has everything which was answered.
async fn pair() -> (Cluster, Cluster, String) {
    let primary = Cluster::start(&[]);
    let url = primary.database().await;
    let standby = primary.standby();
    primary.name_standby("standby").await;
    primary
        .until(
            "postgres",
            "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')",
        )
        .await;
    (primary, standby, url)
}

async fn a_failover_to_a_synchronous_standby_loses_nothing() {
    let (primary, standby, url) = pair().await;
    let proxy = Proxy::to(primary.port).await;
    let mut story = Story::begin(&proxy.instead(&url)).await;
    story.receipts.more(50).await;
    primary.kill();
    story.refused().await;
    // The address moves before the standby is promoted: no connection may settle there.
    proxy.switch(standby.port);
    story.refused().await;
    standby.promote();
    story.end().await;
}

/// A commit that waits for its standby when Postgres is restarted is visible afterwards, and
/// nowhere else. It was not answered, so it may be lost with that server, and nothing of it shows.
async fn a_commit_that_no_standby_has_is_not_answered() {
    let (primary, standby, url) = pair().await;
    let proxy = Proxy::to(primary.port).await;
    let (process, site) = start(Site::on(proxy.instead(&url))).await;
    let client = client(&process.url, LIMIT);
    let receipts = Receipts::of(&client).await;
    for n in 0..3 {
        receipts.attempt(n, &client).await.expect("both are there");
    }
    standby.stop("fast");
    let late = {
        let (receipts, client) = (Arc::clone(&receipts), client.clone());
        tokio::spawn(async move { receipts.attempt(3, &client).await })
    };
    primary
        .until(
            "postgres",
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')",
        )
        .await;
    primary.stop("fast");
    primary.up();
    primary.until("log", "SELECT size = 4 FROM head").await;
    assert_eq!(late.await.expect("it ends"), Err(Some(503)));
    // It is visible, and "it exists" would be as much of a promise as a receipt.
    assert_eq!(receipts.attempt(3, &client).await, Err(Some(503)));
    // So would be the head that has it, and whoever is shown one may hold us to it.
    let ready = reqwest::get(format!("{}/readyz", process.url)).await.expect("an answer");
    assert_eq!(ready.status(), 200);
    assert_eq!(client.log_info().await.expect("reads go on").tree_size, 3);
    client.entry_by_index(2).await.expect("reads go on");
    let unsettled = client.entry_by_index(3).await.expect_err("it is no promise");
    assert_eq!(unsettled.status(), Some(503), "{unsettled}");
    let (elsewhere, key) = (Site::on(proxy.instead(&url)), site.key_file().display().to_string());
    let refusal = tokio::task::spawn_blocking(move || elsewhere.refusal(&["--key", &key])).await;
    let refusal = refusal.expect("it ends");
    assert!(refusal.contains("shows a head of 4 entries"), "{refusal}");

    primary.kill();
    standby.up();
    standby.promote();
    proxy.switch(standby.port);
    standby.until("log", "SELECT size = 3 FROM head").await;
    while receipts.attempt(3, &client).await.is_err() {}
    receipts.attempt(4, &client).await.expect("it goes on");
    receipts.hold(&client).await;
}

async fn a_demanded_standby_is_demanded_in_every_round() {
    let primary = Cluster::start(&[]);
    let url = primary.database().await;
    let demand = "--require-synchronous-standby";
    let refusal = Site::on(&url).refusal(&[demand]);
    assert!(refusal.contains("synchronous_standby_names is empty"), "{refusal}");

    let standby = primary.standby();
    primary.until("postgres", "SELECT EXISTS (SELECT FROM pg_stat_replication)").await;
    let site = Site::on(&url);
    assert!(site.start(&[]).said("a standby follows asynchronously"));
    primary.name_standby("standby").await;
    let process = site.start(&[demand]);
    assert!(!process.said("asynchronously"));
    let client = client(&process.url, LIMIT);
    let receipts = Receipts::of(&client).await;
    receipts.attempt(0, &client).await.expect("both are there");

    // Somebody takes the standby away; the next round notices, and so does the next connection.
    primary.name_standby("").await;
    assert_eq!(receipts.attempt(1, &client).await, Err(Some(503)));
    primary.stop("fast");
    primary.up();
    assert_eq!(receipts.attempt(1, &client).await, Err(Some(503)));
    primary.name_standby("standby").await;
    while receipts.attempt(1, &client).await.is_err() {}
    receipts.hold(&client).await;
    drop(standby);
}
