//! Pages that were copied into the database file and have not reached the disk.
//!
//! Border: syncs that file beside SQLite, changes nothing. SQLite itself syncs it only when it
//! has copied all there is, and under load there is always more unless the writer stands still.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::file::DatabaseFile;
use crate::store::StoreError;

/// The pages of one database file.
#[derive(Debug)]
pub(super) struct Pages {
    path: PathBuf,
    file: &'static File,
}

impl Pages {
    pub(super) fn of(database: &DatabaseFile) -> Self {
        Self { path: database.path().to_owned(), file: database.handle() }
    }

    /// Waits until all that was copied so far is on the disk.
    ///
    /// # Errors
    /// `Corrupt` when the system could not write, or nobody knows whether it did: it drops such
    /// pages and tells nobody twice, so that a later sync would succeed without them.
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        let file = self.file;
        let synced = tokio::task::spawn_blocking(move || file.sync_data());
        synced.await.map_err(io::Error::other).flatten().map_err(|error| {
            StoreError::Corrupt(format!(
                "what was copied into {} did not reach the disk: {error}",
                self.path.display()
            ))
        })
    }

    /// Of a device that can be opened and not synced.
    #[cfg(test)]
    pub(super) fn that_cannot_be_synced() -> Self {
        let path = PathBuf::from("/dev/null");
        let file = Box::leak(Box::new(File::open(&path).unwrap()));
        Self { path, file }
    }
}
