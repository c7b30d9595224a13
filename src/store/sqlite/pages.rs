//! Pages that were copied into the database file and have not reached the disk.
//!
//! Border: syncs that file beside SQLite, changes nothing. SQLite itself syncs it only when it
//! has copied all there is, for which the writer must stand still.

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

    /// Waits until all that was copied so far is on the disk.
    ///
    /// # Errors
    /// `Unavailable` with what the system says; SQLite's next sync hears of it as well.
    pub(super) async fn sync(self: &Arc<Self>) -> Result<(), StoreError> {
        let pages = Arc::clone(self);
        let synced = tokio::task::spawn_blocking(move || pages.file()?.sync_data());
        let synced = synced.await.map_err(io::Error::other).flatten();
        synced.map_err(|error| StoreError::Unavailable(Box::new(error)))
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
