//! Pages that were copied into the database file and have not reached the disk.
//!
//! Border: syncs that file beside SQLite, changes nothing. SQLite itself syncs it only when it
//! has copied all there is, and under load there is always more unless the writer stands still.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::store::StoreError;

/// The pages of one database file.
#[derive(Debug)]
pub(super) struct Pages {
    path: PathBuf,
    /// Never closed: when a process closes any of its handles of a file, the system drops all
    /// locks that it has on that file, those of SQLite's connections too
    /// (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    file: OnceLock<&'static File>,
}

impl Pages {
    pub(super) fn of(database: &Path) -> Self {
        Self { path: database.to_owned(), file: OnceLock::new() }
    }

    /// Waits until all that was copied so far is on the disk. A file that cannot be opened is left
    /// to SQLite, which has it open.
    ///
    /// # Errors
    /// `Corrupt` when the system could not write, or nobody knows whether it did: it drops such
    /// pages and tells nobody twice, so that a later sync would succeed without them.
    pub(super) async fn sync(self: &Arc<Self>) -> Result<(), StoreError> {
        let pages = Arc::clone(self);
        let synced = tokio::task::spawn_blocking(move || match pages.file() {
            Ok(file) => file.sync_data(),
            Err(error) => {
                tracing::debug!(%error, "the database file is not synced beside the writer");
                Ok(())
            }
        });
        synced.await.map_err(io::Error::other).flatten().map_err(|error| {
            StoreError::Corrupt(format!(
                "what was copied into {} did not reach the disk: {error}",
                self.path.display()
            ))
        })
    }

    fn file(&self) -> io::Result<&'static File> {
        if let Some(open) = self.file.get() {
            return Ok(open);
        }
        let open: &File = Box::leak(Box::new(File::open(&self.path)?));
        Ok(self.file.get_or_init(|| open))
    }

    /// Whether anything was.
    #[cfg(test)]
    pub(super) fn are_synced_here(&self) -> bool {
        self.file.get().is_some()
    }
}
