//! Copying the write-ahead log back into the database while rounds go on.
//!
//! Border: one task with a connection of its own; it decides when, SQLite does the work. Left to
//! itself, SQLite copies on the thread of the commit that made the log too long, and everybody
//! waits for hundreds of megabytes. Here most of it is copied and [synced](super::pages) beside the
//! writer, in passes that each leave what was written meanwhile, and the writer waits for the
//! little rest only.
//! See <https://sqlite.org/c3ref/wal_checkpoint_v2.html>.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::pages::Pages;
use super::session::store_error;
use super::wal::Wal;
use crate::store::StoreError;

/// Between two looks at the length of the log.
const LOOK: Duration = Duration::from_millis(250);

/// Frames (pages of 4 kB) from which on the log is copied back.
///
/// New index keys fall on random pages; a long log writes each page back once for many
/// changes. This length (400 MB) is 1.7 times the throughput of the usual 1,000 frames at a
/// million entries.
const LONG: i64 = 100_000;

/// Frames that the writer may wait for.
const SHORT: i64 = 500;

/// Frames at which the writer copies after all, because this task fell behind or cannot work.
pub(super) const FAR_TOO_LONG: &str = "200000";

/// How long the writer may be kept waiting for readers that stand in the way.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// The task, once there is something to copy; dropping this ends it.
#[derive(Debug)]
pub(super) struct WriteBack {
    own: SqlitePool,
    wal: Arc<Wal>,
    pages: Arc<Pages>,
    task: OnceLock<AbortHandle>,
}

impl WriteBack {
    /// On a pool of its own, whose connections wait for locks no longer than [`PATIENCE`].
    pub(super) fn new(own: SqlitePool, wal: Arc<Wal>, pages: Arc<Pages>) -> Self {
        Self { own, wal, pages, task: OnceLock::new() }
    }

    /// Begins with the first commit: who only reads, such as `fsck` beside a running server,
    /// leaves a log alone that may be damaged.
    pub(super) fn begin(&self) {
        self.task.get_or_init(|| {
            let (own, wal, pages) =
                (self.own.clone(), Arc::clone(&self.wal), Arc::clone(&self.pages));
            tokio::spawn(run(own, wal, pages)).abort_handle()
        });
    }

    /// Ends it, and waits until its connection is closed.
    pub(super) async fn stop(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
        self.own.close().await;
    }
}

impl Drop for WriteBack {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

async fn run(own: SqlitePool, wal: Arc<Wal>, pages: Arc<Pages>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        looks.tick().await;
        // A damaged log must not get into the database.
        if wal.check().is_err() {
            return;
        }
        let done = shorten(&own, &pages, LONG).await;
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(%error, "the write-ahead log cannot be copied back beside the writer");
        }
        failing = done.is_err();
    }
}

/// Copies a log of so many frames back and lets the next commit begin from its front.
async fn shorten(own: &SqlitePool, pages: &Arc<Pages>, long: i64) -> Result<(), StoreError> {
    let mut log = length(own).await?;
    // One that is copied begins anew with the next commit.
    if log.frames < long || log.behind == 0 {
        return Ok(());
    }
    while log.behind > SHORT {
        let before = log.behind;
        copy(own, pages).await?;
        log = length(own).await?;
        if log.behind > before / 2 {
            // An old reader needs what is in the log, or the writer is as fast as this is.
            break;
        }
    }
    if log.behind <= 4 * SHORT {
        ask(own, "PRAGMA wal_checkpoint(RESTART)").await?;
    }
    Ok(())
}

/// Copies what is there, beside the writer, and has it reach the disk while it is copied: all of
/// it at once at the end would hold up the writer's own syncs.
async fn copy(own: &SqlitePool, pages: &Arc<Pages>) -> Result<(), StoreError> {
    let mut copy = pin!(ask(own, "PRAGMA wal_checkpoint(PASSIVE)"));
    let copied = loop {
        tokio::select! {
            copied = &mut copy => break copied,
            synced = pages.sync() => synced?,
        }
    };
    copied?;
    pages.sync().await
}

async fn length(own: &SqlitePool) -> Result<Length, StoreError> {
    ask(own, "PRAGMA wal_checkpoint(NOOP)").await
}

/// The write-ahead log, in frames.
struct Length {
    frames: i64,
    /// Not copied yet.
    behind: i64,
}

async fn ask(own: &SqlitePool, pragma: &'static str) -> Result<Length, StoreError> {
    let answer = sqlx::query_as(pragma).fetch_one(own).await;
    let (_busy, frames, copied): (i64, i64, i64) = answer.map_err(store_error)?;
    Ok(Length { frames, behind: frames - copied })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::sqlite::session;

    async fn writer_of_rows(path: &Path, rows: i64) -> SqlitePool {
        session::prepare(path).await.unwrap();
        let writer = session::pool(path, 1);
        sqlx::query("CREATE TABLE noise (n)").execute(&writer).await.unwrap();
        for n in 0..rows {
            sqlx::query("INSERT INTO noise VALUES ($1)").bind(n).execute(&writer).await.unwrap();
        }
        writer
    }

    async fn rows(reader: &mut sqlx::SqliteConnection) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM noise").fetch_one(reader).await.unwrap()
    }

    #[tokio::test]
    async fn a_long_log_begins_from_its_front_and_a_short_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 50).await;
        let own = session::impatient(&path, PATIENCE);
        let long = length(&own).await.unwrap();
        assert!(long.frames >= 50 && long.behind >= 50);

        let pages = Arc::new(Pages::of(&path));
        shorten(&own, &pages, long.frames + 1).await.unwrap();
        let same = length(&own).await.unwrap();
        assert_eq!((same.frames, same.behind), (long.frames, long.behind));

        shorten(&own, &pages, long.frames).await.unwrap();
        sqlx::query("INSERT INTO noise VALUES (50)").execute(&writer).await.unwrap();
        let short = length(&own).await.unwrap();
        assert!(short.frames < 10, "{}", short.frames);
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 51);
    }

    #[tokio::test]
    async fn what_the_writer_need_not_wait_for_is_copied_and_synced_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 1).await;
        sqlx::query("INSERT INTO noise VALUES (zeroblob(4194304))").execute(&writer).await.unwrap();
        let own = session::impatient(&path, PATIENCE);
        let long = length(&own).await.unwrap();
        assert!(long.behind > SHORT, "{}", long.behind);

        let pages = Arc::new(Pages::of(&path));
        shorten(&own, &pages, long.frames).await.unwrap();
        assert!(pages.are_synced_here());
        assert_eq!(length(&own).await.unwrap().behind, 0);
        assert!(path.metadata().unwrap().len() > 4_194_304);
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 2);
    }

    #[tokio::test]
    async fn a_reader_keeps_what_it_sees_and_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 50).await;
        let mut reader = session::pool(&path, 1).begin().await.unwrap();
        assert_eq!(rows(&mut reader).await, 50);
        sqlx::query("INSERT INTO noise VALUES (50)").execute(&writer).await.unwrap();

        let own = session::impatient(&path, PATIENCE);
        shorten(&own, &Arc::new(Pages::of(&path)), 1).await.unwrap();
        sqlx::query("INSERT INTO noise VALUES (51)").execute(&writer).await.unwrap();
        assert_eq!(rows(&mut reader).await, 50);
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 52);
    }
}
