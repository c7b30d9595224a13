//! Copying the write-ahead log back into the database while rounds go on.
//!
//! Border: one task; it decides when, the [copier](Copier) how. Left to
//! itself, SQLite copies on the thread of the commit that made the log too long, and everybody
//! waits for hundreds of megabytes. Here most of it is copied and [synced](super::pages) beside the
//! writer, in passes that each leave what was written meanwhile, and the writer waits for the
//! little rest only. SQLite's own copying is turned off, as it tells nobody when a sync fails; one
//! that fails here ends all writing: what it was to keep may be gone already.
//! See <https://sqlite.org/c3ref/wal_checkpoint_v2.html>.

mod copier;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use self::copier::Copier;
use super::file::DatabaseFile;
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

/// Frames at which a log that only grows is warned of for the first time; then at each doubling.
const GROWING: i64 = 4 * LONG;

/// The task, once there is something to copy; dropping this ends it.
#[derive(Debug)]
pub(super) struct WriteBack {
    copier: Copier,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Nobody else writes the database.
    alone: bool,
}

impl WriteBack {
    /// Of this database, whose log is `wal` and which `writer` alone writes.
    pub(super) fn of(database: &DatabaseFile, wal: Arc<Wal>, writer: SqlitePool) -> Self {
        let alone = database.is_alone();
        Self { copier: Copier::of(database, wal, writer), task: Mutex::default(), alone }
    }

    /// Call it before each commit. Begins with the first: who only reads, such as `fsck` beside a
    /// running server, leaves a log alone that may be damaged. Begins anew after a panic, as nobody
    /// else would copy.
    pub(super) fn begin(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(self.copier.clone().run()));
        }
    }

    /// Ends it once the pass that it is at is synced: whoever closes the database must know whether
    /// it was.
    pub(super) async fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.copier.own.close().await;
        if let Some(task) = task {
            // A panic was reported by the panic hook.
            let _ = task.await;
        }
    }

    /// Copies what is left, before a server closes the database. SQLite has the last one to close
    /// it do that, and of one that only reads, such as `fsck`, nobody would hear that it does not.
    /// Beside others that write, the log must not be emptied between their commits and their looks
    /// at it.
    pub(super) async fn finish(&self) {
        if !self.alone {
            return;
        }
        match self.copier.copy_rest().await {
            Ok(log) if log.behind > 0 => tracing::warn!(
                pages = log.behind,
                "a reader keeps the write-ahead log from being copied back; the database file \
                 is not whole without it"
            ),
            Ok(_) => {}
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%error, "the write-ahead log is not copied back");
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the write-ahead log may not be copied back; the database file is not whole \
                     without it"
                );
            }
        }
    }
}

impl Drop for WriteBack {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Copier {
    /// Until its connection is closed, or the log must not be copied.
    async fn run(self) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut failing, mut growing) = (false, GROWING);
        while self.wal.check().is_ok() {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.own.close_event() => return,
            }
            let done = self.shorten(LONG).await;
            match &done {
                Err(error @ StoreError::Corrupt(_)) => {
                    tracing::error!(%error, "nothing is written any more");
                }
                Err(error) if !failing && !self.own.is_closed() => {
                    tracing::warn!(%error, "the write-ahead log cannot be copied back");
                }
                // A reader that stays in one transaction, or a disk that takes nothing.
                Ok(log) if log.behind >= growing => {
                    tracing::warn!(pages = log.behind, "the write-ahead log only grows");
                    growing = 2 * log.behind;
                }
                Ok(log) if log.behind < LONG => growing = GROWING,
                Err(_) | Ok(_) => {}
            }
            failing = done.is_err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::copier::tests::writer_of_rows;
    use super::*;
    use crate::store::sqlite::file::Use;

    #[tokio::test]
    async fn nobody_else_copies_and_a_task_that_is_gone_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let writer = writer_of_rows(&path, 1_100).await;
        let database = DatabaseFile::open(&path, Use::Shared).unwrap();
        let wal = Arc::new(Wal::beside(database.clone()));
        let write_back = WriteBack::of(&database, wal, writer);
        // SQLite's own limit is 1,000 frames.
        let log = write_back.copier.length().await.unwrap();
        assert!(log.behind == log.frames && log.frames > 1_000, "{log:?}");

        write_back.begin();
        let first = write_back.task.lock().unwrap().as_ref().unwrap().abort_handle();
        write_back.begin();
        assert_eq!(write_back.task.lock().unwrap().as_ref().unwrap().id(), first.id());
        first.abort();
        while !first.is_finished() {
            tokio::task::yield_now().await;
        }
        write_back.begin();
        assert_ne!(write_back.task.lock().unwrap().as_ref().unwrap().id(), first.id());
        write_back.stop().await;
    }
}
