//! Making a folder that is still there after a power failure.
//!
//! Border: the folder and those above it; what is put into it is known elsewhere.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::durable;

/// Makes the folder and those above it that are absent, each durably: what is synced in a folder is
/// gone with its name when that was not synced.
///
/// # Errors
/// What the system says.
pub fn make(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make(above)?;
    }
    match fs::create_dir(path) {
        // Another process made it in this moment.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => durable::sync_folder(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make(&deep).unwrap();
        make(&deep).unwrap();
        assert!(deep.is_dir());
        fs::write(folder.path().join("file"), "x").unwrap();
        assert!(make(&folder.path().join("file")).is_err());
        assert!(make(&folder.path().join("file/d")).is_err());
    }
}
