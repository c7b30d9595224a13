//! Making or replacing a small file as a whole.
//!
//! Border: bytes and a path. What the file says, and when it is worth writing,
//! is known elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

/// Links behind one another that are followed, as the system itself does.
const MAX_LINKS: usize = 40;

/// A draft of this age belongs to nobody any more: its writer was killed.
const LEFT_OVER: Duration = Duration::from_secs(3_600);

/// Puts `bytes` in the place of the file, durably: a crash or a power failure at
/// any point leaves either the old file or the new one, never a part of it. A link
/// stays: what it leads to is replaced.
///
/// The folder must exist. Blocks for as long as the disk takes.
///
/// # Errors
/// What the system says. The old file is then still in place; or the new one is, if all that failed was to
/// make that durable.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = followed(path)?;
    let drafts = beside(&path, ".new-");
    // Two writers of one file must not write into each other's draft. A process ID does
    // not tell them apart: in a container it is mostly 1.
    let draft = beside(&path, &format!(".new-{}", Uuid::now_v7().simple()));
    let written = write(&draft, bytes).and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        // The draft is worth nothing; that it could not be written is what counts.
        let _ = fs::remove_file(&draft);
        return written;
    }
    sweep(folder(&path), drafts.file_name().unwrap_or_default());
    sync_folder(&path)
}

/// Makes a file that was not there and that only its owner may read, durably: a crash leaves either no
/// file or the whole one.
///
/// The folder must exist. Blocks for as long as the disk takes.
///
/// # Errors
/// What the system says, with `AlreadyExists` when there is a file.
pub(crate) fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let drafts = beside(path, ".new-");
    // The rest of its name is drawn at random: several may be made at a time.
    let mut draft = tempfile::Builder::new()
        .prefix(drafts.file_name().unwrap_or_default())
        .tempfile_in(folder(path))?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Where a path leads once its links are followed, whether there is a file or not.
///
/// # Errors
/// What the system says, and a ring of links.
pub(crate) fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder(&path).join(target),
            // No link, or nothing there yet.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("it is a link that leads to too many others"))
}

/// The path with more behind its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Makes a rename or removal in the folder of `path` durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// The folder that a path is in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes the drafts that were left over, as far as it can: the file itself is written.
fn sweep(folder: &Path, drafts: &OsStr) {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let of_ours = found.filter(|entry| {
        entry.file_name().as_encoded_bytes().starts_with(drafts.as_encoded_bytes())
    });
    for draft in of_ours {
        let changed = draft.metadata().and_then(|file| file.modified()).ok();
        if changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > LEFT_OVER) {
            let _ = fs::remove_file(draft.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::SystemTime;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_no_draft_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"a longer text").unwrap();
        replace(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert!(replace(&folder.path().join("absent/file"), b"x").is_err());
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_file_is_made_for_its_owner_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create_new(&path, b"one").unwrap();
        let taken = create_new(&path, b"two").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (link, target) = (folder.path().join("file"), disk.path().join("target"));
        symlink("second", &link).unwrap();
        symlink(&target, folder.path().join("second")).unwrap();
        for text in ["it was not there", "and now it is"] {
            replace(&link, text.as_bytes()).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new("second"));
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        assert_eq!((names(folder.path()).len(), names(disk.path()).len()), (2, 1));
        let ring = folder.path().join("ring");
        symlink(&ring, &ring).unwrap();
        assert!(replace(&ring, b"x").unwrap_err().to_string().contains("too many"));
    }

    #[test]
    fn a_draft_of_another_writer_is_not_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // As a process with this ID in another container would call it.
        let theirs = beside(&path, &format!(".new-{}", std::process::id()));
        fs::write(&theirs, "half").unwrap();
        replace(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read(&theirs).unwrap(), b"half");
        // It is left over when nobody has written to it for long.
        let long_ago = SystemTime::now() - LEFT_OVER * 2;
        for name in [&theirs, &beside(&path, ".set-aside-1")] {
            File::create(name).unwrap().set_modified(long_ago).unwrap();
        }
        replace(&path, b"again").unwrap();
        assert_eq!(names(folder.path()), ["file", "file.set-aside-1"]);
    }
}
