//! Copying the write-ahead log back, once it is asked for.
//!
//! Border: passes, syncs, and what the writer waits for. When it is worth it is known in
//! [`write_back`](super).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::super::file::DatabaseFile;
use super::super::pages::Pages;
use super::super::session::{self, store_error};
use super::super::wal::Wal;
use crate::store::StoreError;

/// Frames that are left for the writer to wait for, if the disk is faster than it.
const SHORT: i64 = 500;

/// Passes after which it waits for whatever is left.
const PASSES: u32 = 4;

/// Between two syncs while a pass copies; some ten megabytes come together in it.
const BETWEEN_SYNCS: Duration = Duration::from_millis(5);

/// How long the writer may be kept waiting for readers that stand in the way.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub(super) struct Copier {
    /// One connection, which waits for locks no longer than [`PATIENCE`].
    pub(super) own: SqlitePool,
    /// One connection, whose holder is the only one who can write.
    writer: SqlitePool,
    pub(super) wal: Arc<Wal>,
    pages: Arc<Pages>,
}

impl Copier {
    pub(super) fn of(database: &DatabaseFile, wal: Arc<Wal>, writer: SqlitePool) -> Self {
        let own = session::impatient(database.path(), PATIENCE);
        Self { own, writer, wal, pages: Arc::new(Pages::of(database)) }
    }

    /// Copies a log of so many frames back and lets the next commit begin from its front; how long
    /// it was then.
    ///
    /// # Errors
    /// `Corrupt` when it must not be copied any more; then nothing is committed any more either.
    pub(super) async fn shorten(&self, long: i64) -> Result<Length, StoreError> {
        self.copy_all(long).await.inspect_err(|error| self.heed(error))
    }

    fn heed(&self, error: &StoreError) {
        if let StoreError::Corrupt(why) = error {
            self.wal.condemn(why);
        }
    }

    async fn copy_all(&self, long: i64) -> Result<Length, StoreError> {
        let mut log = self.length().await?;
        metrics::gauge!("indelible_write_ahead_log_pages").set(log.frames as f64);
        // One that is copied begins anew with the next commit.
        if log.frames < long || log.behind == 0 {
            return Ok(log);
        }
        for _ in 0..PASSES {
            if log.behind <= SHORT {
                break;
            }
            let left = self.copy().await?;
            if left.behind > log.behind / 2 {
                // An old reader needs what is in the log.
                return Ok(left);
            }
            log = self.length().await?;
        }
        // SQLite itself does not queue for its lock, and may never get it from a busy writer.
        let _still = self.writer.acquire().await.map_err(store_error)?;
        self.ask("PRAGMA wal_checkpoint(RESTART)").await
    }

    /// Copies what is there, beside the writer, and has it reach the disk while it is copied: all of
    /// it at once at the end would hold up the writer's own syncs.
    async fn copy(&self) -> Result<Length, StoreError> {
        let all_copied = AtomicBool::new(false);
        let copying = async {
            let copied = self.ask("PRAGMA wal_checkpoint(PASSIVE)").await;
            all_copied.store(true, Ordering::Relaxed);
            copied
        };
        let syncing = async {
            loop {
                let last = all_copied.load(Ordering::Relaxed);
                // At once: the copy may go on for a while.
                self.pages.sync().await.inspect_err(|error| self.heed(error))?;
                if last {
                    return Ok(());
                }
                tokio::time::sleep(BETWEEN_SYNCS).await;
            }
        };
        // Both to their ends: an error of either must be heard.
        let (copied, synced) = tokio::join!(copying, syncing);
        synced.and(copied)
    }

    /// Copies all that readers do not stand in the way of, and leaves an empty log if there are none.
    /// SQLite itself syncs what it copies here, and says when that fails.
    ///
    /// # Errors
    /// As [`shorten`](Self::shorten).
    pub(super) async fn copy_rest(&self) -> Result<Length, StoreError> {
        // A round that nobody waits for any more may be at work, and must be looked at first.
        let mut writer = self.writer.acquire().await.map_err(store_error)?;
        let copied = self.ask_by(&mut writer, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        copied.inspect_err(|error| self.heed(error))
    }

    pub(super) async fn length(&self) -> Result<Length, StoreError> {
        self.ask("PRAGMA wal_checkpoint(NOOP)").await
    }

    async fn ask(&self, pragma: &'static str) -> Result<Length, StoreError> {
        self.ask_by(&mut *self.own.acquire().await.map_err(store_error)?, pragma).await
    }

    async fn ask_by(
        &self,
        connection: &mut SqliteConnection,
        pragma: &'static str,
    ) -> Result<Length, StoreError> {
        // A damaged log must not get into the database.
        self.wal.check()?;
        let answer = sqlx::query_as(pragma).fetch_one(connection).await;
        let (_busy, frames, copied): (i64, i64, i64) = answer.map_err(store_error)?;
        Ok(Length { frames, behind: frames - copied })
    }
}

/// The write-ahead log, in frames.
#[derive(Debug)]
pub(super) struct Length {
    pub(super) frames: i64,
    /// Not copied yet.
    pub(super) behind: i64,
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::sqlite::file::Use;

    pub(in super::super) async fn writer_of_rows(path: &Path, rows: i64) -> SqlitePool {
        DatabaseFile::open(path, Use::Shared).unwrap();
        let prepared = session::prepare(path).await.unwrap();
        let writer = session::pool(path, 1);
        sqlx::query("CREATE TABLE noise (n)").execute(&writer).await.unwrap();
        drop(prepared);
        for n in 0..rows {
            sqlx::query("INSERT INTO noise VALUES ($1)").bind(n).execute(&writer).await.unwrap();
        }
        writer
    }

    async fn rows(reader: &mut sqlx::SqliteConnection) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM noise").fetch_one(reader).await.unwrap()
    }

    fn copier(path: &Path, writer: &SqlitePool) -> Copier {
        let database = DatabaseFile::open(path, Use::Shared).unwrap();
        Copier::of(&database, Arc::new(Wal::beside(database.clone())), writer.clone())
    }

    #[tokio::test]
    async fn a_long_log_begins_from_its_front_and_a_short_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 50).await;
        let copier = copier(&path, &writer);
        let long = copier.length().await.unwrap();
        assert!(long.frames >= 50 && long.behind >= 50);

        copier.shorten(long.frames + 1).await.unwrap();
        let same = copier.length().await.unwrap();
        assert_eq!((same.frames, same.behind), (long.frames, long.behind));

        copier.shorten(long.frames).await.unwrap();
        sqlx::query("INSERT INTO noise VALUES (50)").execute(&writer).await.unwrap();
        let short = copier.length().await.unwrap();
        assert!(short.frames < 10, "{}", short.frames);
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 51);
    }

    /// A log with more frames than are left for the writer to wait for.
    async fn too_long_to_wait_for(path: &Path) -> SqlitePool {
        let writer = writer_of_rows(path, 1).await;
        sqlx::query("INSERT INTO noise VALUES (zeroblob(4194304))").execute(&writer).await.unwrap();
        writer
    }

    #[tokio::test]
    async fn what_the_writer_need_not_wait_for_is_copied_and_synced_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = too_long_to_wait_for(&path).await;
        let copier = copier(&path, &writer);
        assert!(copier.length().await.unwrap().behind > SHORT);

        copier.shorten(1).await.unwrap();
        assert_eq!(copier.length().await.unwrap().behind, 0);
        assert!(path.metadata().unwrap().len() > 4_194_304);
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 2);
    }

    #[tokio::test]
    async fn a_sync_that_fails_ends_all_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = too_long_to_wait_for(&path).await;
        let mut copier = copier(&path, &writer);
        copier.pages = Arc::new(Pages::that_cannot_be_synced());

        let failed = copier.shorten(1).await;
        assert!(matches!(failed, Err(StoreError::Corrupt(_))), "{failed:?}");
        assert!(matches!(copier.wal.check(), Err(StoreError::Corrupt(_))));
        assert!(matches!(copier.wal.before_commit(), Err(StoreError::Corrupt(_))));
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 2);
    }

    #[tokio::test]
    async fn a_writer_that_is_busy_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 50).await;
        let copier = copier(&path, &writer);
        let mut round = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();

        let mut shorten = std::pin::pin!(copier.shorten(1));
        let asked = tokio::time::timeout(3 * PATIENCE, shorten.as_mut());
        asked.await.expect_err("it waits for longer than SQLite would");
        sqlx::query("INSERT INTO noise VALUES (50)").execute(&mut *round).await.unwrap();
        round.commit().await.unwrap();
        shorten.await.unwrap();
        sqlx::query("INSERT INTO noise VALUES (51)").execute(&writer).await.unwrap();
        assert!(copier.length().await.unwrap().frames < 10);
    }

    #[tokio::test]
    async fn a_reader_keeps_what_it_sees_and_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 50).await;
        let mut reader = session::pool(&path, 1).begin().await.unwrap();
        assert_eq!(rows(&mut reader).await, 50);
        sqlx::query("INSERT INTO noise VALUES (50)").execute(&writer).await.unwrap();

        copier(&path, &writer).shorten(1).await.unwrap();
        sqlx::query("INSERT INTO noise VALUES (51)").execute(&writer).await.unwrap();
        assert_eq!(rows(&mut reader).await, 50);
        assert_eq!(rows(&mut writer.acquire().await.unwrap()).await, 52);
    }
}
