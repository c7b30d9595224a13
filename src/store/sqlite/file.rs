//! The database file itself: which one it is, and what its header says.
//!
//! Border: looks at it beside SQLite, and changes nothing but to make an empty one where there is
//! none. SQLite asks for a file by its name once, never again whether the name still leads there,
//! and takes any write-ahead log that lies beside it for the file's own
//! (<https://sqlite.org/howtocorrupt.html>).

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// One database file, open as long as the process lives.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFile {
    /// Without links, as SQLite resolves it: the neighbours are beside the file, not the link.
    path: PathBuf,
    /// Never closed: when a process closes any of its handles of a file, the system drops all
    /// locks that it has on that file, those of SQLite's connections too
    /// (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    file: &'static File,
    inode: Inode,
}

/// Device and number: another file of the same name has others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode(u64, u64);

/// What a file begins with (<https://sqlite.org/fileformat2.html#the_database_header>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// Written by way of a write-ahead log.
    Wal,
    /// Of a database that had none since it was made, as a copy by `VACUUM INTO`, or of none.
    Other,
}

impl DatabaseFile {
    /// Opens the file, or makes an empty one.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let options = File::options().read(true).write(true).create(true).mode(0o644).to_owned();
        let file: &File = Box::leak(Box::new(options.open(path).map_err(unavailable)?));
        let path = path.canonicalize().map_err(unavailable)?;
        let metadata = file.metadata().map_err(unavailable)?;
        Ok(Self { path, file, inode: Inode::of(&metadata) })
    }

    /// Where it is, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn handle(&self) -> &'static File {
        self.file
    }

    /// Its neighbour of this name.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.path, suffix)
    }

    /// What has become of it since it was opened, if anything. Pages that were written over while
    /// the header stayed are not seen here; SQLite says so when it reads them.
    ///
    /// # Errors
    /// When nobody can tell.
    pub(super) fn damage(&self) -> io::Result<Option<&'static str>> {
        match std::fs::metadata(&self.path) {
            Ok(now) if Inode::of(&now) != self.inode => {
                Ok(Some("another file is in the place of the database"))
            }
            // While connections are open, nobody can end the use of a write-ahead log.
            Ok(_) => Ok((Header::of(self.file)? != Header::Wal)
                .then_some("something else was written over the database")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some("the database is gone")),
            Err(error) => Err(error),
        }
    }
}

impl Inode {
    pub(super) fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino())
    }

    /// Of what is there now, if that can be told.
    pub(super) fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

impl Header {
    fn of(file: &File) -> io::Result<Self> {
        let mut bytes = [0; 20];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Self::Other),
            Err(error) => return Err(error),
        }
        // Page size, then how it is to be written and read.
        let [name @ .., _, _, write, read] = bytes;
        Ok(match (&name, write, read) {
            (b"SQLite format 3\0", 2, 2) => Self::Wal,
            _ => Self::Other,
        })
    }
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn unavailable(error: io::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}
