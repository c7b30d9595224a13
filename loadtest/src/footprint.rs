//! What a log takes: bytes on disk, and processor time.
//!
//! Border: asks Postgres and the system; both on this machine.

use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};

/// Clock ticks per second in `/proc/PID/stat`: 100 on every Linux that Rust's standard
/// library runs on (`USER_HZ`, proc(5)).
const TICKS: u64 = 100;

/// Bytes of one log's tables.
#[derive(Debug, Serialize)]
pub(crate) struct Footprint {
    pub(crate) relations: Vec<Relation>,
}

/// A table or an index.
#[derive(Debug, Serialize)]
pub(crate) struct Relation {
    pub(crate) name: String,
    pub(crate) bytes: i64,
    pub(crate) bytes_per_entry: f64,
}

impl Footprint {
    /// Lets Postgres do what it would do sooner or later, so that it does not do it during a
    /// measurement.
    ///
    /// No `CHECKPOINT`: behind one, each page that is touched first goes to the write-ahead log as a
    /// whole, and a log that just had one is not in the state that it is in most of the time.
    pub(crate) async fn settle(database: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(database).await?;
        sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Tables (with what is stored out of line) and indexes, by name.
    pub(crate) async fn of(database: &str, entries: u64) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(database).await?;
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT relname::text,
                    CASE relkind WHEN 'i' THEN pg_relation_size(oid) ELSE pg_table_size(oid) END
               FROM pg_class
              WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
                AND relname !~ '^(_sqlx|log|head)'
              ORDER BY relname",
        )
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        let relations = rows.into_iter().map(|(name, bytes)| Relation {
            name,
            bytes,
            bytes_per_entry: bytes as f64 / entries.max(1) as f64,
        });
        Ok(Self { relations: relations.collect() })
    }
}

/// The processes whose time is counted.
pub(crate) struct Processors {
    server: u32,
    postmaster: u32,
}

/// Processor time, user and system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) server: Duration,
    /// The postmaster, its children, and those that have ended.
    pub(crate) postgres: Duration,
}

impl Used {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgres: self.postgres.saturating_sub(before.postgres),
        }
    }
}

impl Processors {
    /// The server, and the Postgres behind `database`.
    pub(crate) async fn of(database: &str, server: Option<u32>) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect(database).await?;
        let backend: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
        let backend = Process::read(u32::try_from(backend)?).context("Postgres is elsewhere")?;
        connection.close().await?;
        let server = server.context("the server has ended")?;
        Ok(Self { server, postmaster: backend.parent })
    }

    pub(crate) fn read(&self) -> anyhow::Result<Used> {
        let server = Process::read(self.server).context("the server has ended")?;
        let postmaster = Process::read(self.postmaster).context("Postgres has ended")?;
        let all = std::fs::read_dir("/proc")?.filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Process::read(id).filter(|process| process.parent == self.postmaster)
        });
        let children: u64 = all.map(|process| process.ticks).sum();
        let postgres = postmaster.ticks + postmaster.ended_ticks + children;
        Ok(Used { server: time(server.ticks), postgres: time(postgres) })
    }
}

/// Processor time of this process, user and system, to a hundredth of a second.
pub(crate) fn own_processor_time() -> anyhow::Result<Duration> {
    let own = Process::read(std::process::id()).context("/proc has no entry of this process")?;
    Ok(time(own.ticks))
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / TICKS)
}

/// What `/proc/PID/stat` says.
struct Process {
    parent: u32,
    ticks: u64,
    /// Of children that have ended.
    ended_ticks: u64,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// The name, in brackets, may hold anything; the numbers come behind it.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Counted from the state, which is the third field of proc(5).
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            ticks: number(11)? + number(12)?,
            ended_ticks: number(13)? + number(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_skipped() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 100";
        let process = Process::parse(stat).unwrap();
        assert_eq!((process.parent, process.ticks, process.ended_ticks), (3, 33, 77));
        assert!(Process::parse("7 (a").is_none());
    }

    #[test]
    fn this_process_has_a_parent() {
        assert!(Process::read(std::process::id()).unwrap().parent > 0);
    }
}
