//! Every scenario on every database, beside the machine's ceilings.
//!
//! Border: the order of things. One server, one load, one measurement at a time.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use entry::keys::x509::PublicKey;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use wire::LogInfo;

use crate::ceilings;
use crate::connection::{Call, Connection};
use crate::evidence::{Entries, Evidence};
use crate::receipts::Receipts;
use crate::report::{self, DatabaseReport, Latency, Outcome};
use crate::run::{self, Answer, Pace};
use crate::scenario::{Load, Scenario, Written};
use crate::server::Server;

/// A database to measure on.
pub(crate) enum Database<'a> {
    Sqlite,
    /// URL of a server on which databases may be created.
    Postgres(&'a str),
}

/// How long and with how many workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) workers: usize,
    pub(crate) duration: Duration,
}

/// Measures the ceilings, then every scenario.
pub(crate) async fn measure(
    binary: &Path,
    database: &Database<'_>,
    scale: Scale,
    out: &mut dyn Write,
) -> anyhow::Result<DatabaseReport> {
    let (name, url, setting) = match database {
        Database::Sqlite => ("sqlite", None, "sqlite".to_owned()),
        Database::Postgres(home) => {
            let url = fresh_database(home).await?;
            ("postgres", Some(url.clone()), url)
        }
    };
    writeln!(out, "\n== {name}")?;
    let ceilings = ceilings::measure(url.as_deref()).await?;
    let sync = Latency::of(&ceilings::sync_latency(Path::new("."))?);
    report::write_ceilings(out, &ceilings, sync)?;
    let server = Server::start(binary, &setting).await?;
    let outcomes = scenarios(&server, scale, out).await?;
    server.end().await?;
    let written = outcomes.iter().find(|o| o.evidence == Evidence::Certificate);
    let combined_ceiling = ceilings.combined();
    if let Some(written) = written {
        let share = 100.0 * written.per_second / combined_ceiling;
        writeln!(out, "certificate writes reach {share:.0} % of the combined ceiling")?;
    }
    Ok(DatabaseReport { database: name, ceilings, combined_ceiling, sync_ms: sync, outcomes })
}

async fn scenarios(
    server: &Server,
    scale: Scale,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<Outcome>> {
    let Scale { workers, duration } = scale;
    let closed = |workers| Pace { workers, rate: None, duration };
    let mut outcomes = Vec::new();
    let key = log_key(server.address).await?;
    let written = fill(server.address, &key, Written::default()).await?;
    let mut plan = vec![
        (Scenario::Write, Evidence::Certificate, closed(workers)),
        (Scenario::Write, Evidence::Key, closed(workers)),
        (Scenario::Write, Evidence::Dsse, closed(workers)),
        (Scenario::Write, Evidence::Certificate, closed(1)),
        (Scenario::Write, Evidence::Certificate, closed(4 * workers)),
        (Scenario::Write, Evidence::Certificate, closed(16 * workers)),
        (Scenario::Write, Evidence::Key, closed(4 * workers)),
        (Scenario::Slow, Evidence::Certificate, closed(workers)),
        (Scenario::Duplicates, Evidence::Certificate, closed(workers)),
        (Scenario::ReadUuid, Evidence::Certificate, closed(workers)),
        (Scenario::ReadIndex, Evidence::Certificate, closed(workers)),
        (Scenario::Consistency, Evidence::Certificate, closed(workers)),
        (Scenario::Search, Evidence::Certificate, closed(workers)),
        (Scenario::Mixed, Evidence::Certificate, closed(workers)),
    ];
    let mut written = Some(written);
    let mut half = None;
    while !plan.is_empty() {
        let (scenario, evidence, pace) = plan.remove(0);
        let (outcome, again) =
            one(server.address, &key, (scenario, evidence), pace, written.take()).await?;
        written = Some(again);
        let outcome = Outcome { server_mib: server.resident_mib(), ..outcome };
        outcome.write(out)?;
        if half.is_none() {
            // At half of what was just reached, requests come at fixed moments.
            half = Some(outcome.per_second / 2.0);
            plan.push((scenario, evidence, Pace { rate: half, ..closed(2 * workers) }));
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Runs one scenario and verifies everything that was answered.
pub(crate) async fn one(
    server: SocketAddr,
    key: &PublicKey,
    (scenario, evidence): (Scenario, Evidence),
    pace: Pace,
    written: Option<Written>,
) -> anyhow::Result<(Outcome, Written)> {
    let seconds = pace.duration.as_secs_f64();
    let rate = pace.rate.unwrap_or(if matches!(evidence, Evidence::Dsse | Evidence::Intoto) {
        6_000.0
    } else {
        16_000.0
    });
    let count = if scenario.writes() { (seconds * rate) as usize } else { 0 };
    let entries = Entries::sign(evidence, count)?;
    let written = match written {
        Some(written) => Written { size: size(server).await?, ..written },
        None => Written { size: size(server).await?, ..Written::default() },
    };
    let load = Arc::new(Load { scenario, entries, written });
    let measured = run::run(server, Arc::clone(&load), pace).await?;
    let judged = judge(&load, &measured.answers)?;
    let verified = judged.receipts.check_signatures(key)?;
    let outcome = Outcome::new((scenario, evidence), pace, &measured, judged.wrong, verified);
    let mut load = Arc::into_inner(load).context("a worker kept its load")?;
    load.written.asked += measured.answers.len();
    load.written.keep_heads(&judged.receipts)?;
    Ok((outcome, load.written))
}

/// What became of the answers of a run.
pub(crate) struct Judged {
    pub(crate) receipts: Receipts,
    /// The reason for each answer that was wrong.
    pub(crate) wrong: Vec<String>,
}

/// Judges every answer, on as many threads as there are cores.
pub(crate) fn judge(load: &Load, answers: &[Answer]) -> anyhow::Result<Judged> {
    let threads = std::thread::available_parallelism()?.get();
    let share = answers.len().div_ceil(threads).max(1);
    let judge_some = |answers: &[Answer]| {
        let mut judged = Judged { receipts: Receipts::default(), wrong: Vec::new() };
        for answer in answers {
            if let Err(error) = load.judge(answer, &mut judged.receipts) {
                judged.wrong.push(format!("{error:#}"));
            }
        }
        judged
    };
    let parts = std::thread::scope(|scope| {
        let parts = answers.chunks(share);
        let started: Vec<_> = parts.map(|part| scope.spawn(move || judge_some(part))).collect();
        started.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut all = Judged { receipts: Receipts::default(), wrong: Vec::new() };
    for part in parts {
        let part = part.map_err(|_| anyhow::anyhow!("a judging thread panicked"))?;
        all.receipts.merge(part.receipts)?;
        all.wrong.extend(part.wrong);
    }
    Ok(all)
}

/// Writes entries for the reads to ask for; what else is known of the log stays.
pub(crate) async fn fill(
    server: SocketAddr,
    key: &PublicKey,
    mut known: Written,
) -> anyhow::Result<Written> {
    let entries = Entries::sign(Evidence::Certificate, 2_000)?;
    let digests: Vec<String> = (0..entries.len()).map(|n| entries.digest(n)).collect();
    let written = Written::default();
    let load = Arc::new(Load { scenario: Scenario::Write, entries, written });
    let pace = Pace { workers: 16, rate: None, duration: Duration::from_secs(60) };
    let measured = run::run(server, Arc::clone(&load), pace).await?;
    let Judged { receipts, wrong } = judge(&load, &measured.answers)?;
    let first = measured.first_error.or(wrong.into_iter().next());
    anyhow::ensure!(first.is_none(), "filling the log: {}", first.unwrap_or_default());
    receipts.check_signatures(key)?;
    known.keep_heads(&receipts)?;
    let mut connection = Connection::new(server)?;
    let mut ids = Vec::with_capacity(digests.len());
    for digest in &digests {
        let question = format!("{{\"hash\":\"{digest}\"}}").into();
        let call = Call::post("/api/v1/index/retrieve", question);
        let found: Vec<String> = serde_json::from_slice(&connection.call(call).await?.1)?;
        ids.push(found.into_iter().next().context("an entry cannot be found")?);
    }
    Ok(Written { ids, digests, ..known })
}

/// Leaves in the log.
pub(crate) async fn size(server: SocketAddr) -> anyhow::Result<u64> {
    let (_, answer) = Connection::new(server)?.call(Call::get("/api/v1/log".to_owned())).await?;
    Ok(serde_json::from_slice::<LogInfo>(&answer)?.tree_size)
}

/// The key that the server says it signs with.
pub(crate) async fn log_key(server: SocketAddr) -> anyhow::Result<PublicKey> {
    let call = Call::get("/api/v1/log/publicKey".to_owned());
    let (_, pem) = Connection::new(server)?.call(call).await?;
    Ok(PublicKey::from_pem(pem)?)
}

/// A new database beside the one that the URL names.
pub(crate) async fn fresh_database(home: &str) -> anyhow::Result<String> {
    let name = format!("loadtest_{}", std::process::id());
    let mut connection = PgConnection::connect(home).await?;
    let order = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(order)).execute(&mut connection).await?;
    let order = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(order)).execute(&mut connection).await?;
    connection.close().await?;
    let (address, query) = match home.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (home, String::new()),
    };
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    Ok(format!("{server}/{name}{query}"))
}
