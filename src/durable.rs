//! Replacing a small file as a whole.
//!
//! Border: bytes and a path. What the file says, and when it is worth writing,
//! is known elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Puts `bytes` in the place of the file, durably: a crash or a power failure at
/// any point leaves either the old file or the new one, never a part of it.
///
/// The folder must exist. Blocks for as long as the disk takes.
///
/// # Errors
/// What the system says; the old file is then still in place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Two processes that replace one file must not write into each other's draft.
    name.push(format!(".new-{}", std::process::id()));
    let beside = path.with_file_name(name);
    let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The draft is worth nothing; that it could not be written is what counts.
        let _ = fs::remove_file(&beside);
        return written;
    }
    sync_folder(path)
}

/// Makes a rename or removal in the folder of `path` durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_no_draft_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"a longer text").unwrap();
        replace(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert!(replace(&folder.path().join("absent/file"), b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
