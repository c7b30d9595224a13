//! A disk that is full soon: a small tmpfs.
//!
//! Mounting needs root (or a user namespace with it). Without, the stories fail and say so:
//! what was not tried must not look like a success.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const WATCHDOG: &str = r#"
dir=$(mktemp -d /tmp/indelible-disk-XXXXXX) || exit 1
mount -t tmpfs -o "size=$1,mode=1777" tmpfs "$dir" || exit 1
echo "$dir"
exec >&-
read -r _
umount -l "$dir"
rmdir "$dir"
"#;

/// Unmounted when it is dropped, and when this process ends.
pub(crate) struct SmallDisk {
    path: PathBuf,
    watchdog: Child,
}

impl SmallDisk {
    /// `size` as `mount` takes it.
    pub(crate) fn of(size: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(size).process_group(0);
        let mut watchdog =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh runs");
        let mut line = String::new();
        let output = watchdog.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("UTF-8");
        assert!(
            !line.is_empty(),
            "no small disk to fill: mounting a tmpfs failed (its reason is above). Run this test \
             as root, or in a container with CAP_SYS_ADMIN"
        );
        Self { path: PathBuf::from(line.trim()), watchdog }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills all but so many KiB with a file.
    pub(crate) fn fill(&self, but: u64) {
        use std::io::Write as _;
        self.make_room();
        let mut file = std::fs::File::create(self.ballast()).expect("a file");
        let mut written = 0_u64;
        while file.write_all(&[1; 4096]).is_ok() {
            written += 4096;
        }
        file.set_len(written.saturating_sub(but << 10)).expect("it shrinks");
    }

    /// Takes that file away.
    pub(crate) fn make_room(&self) {
        // There may be none yet.
        let _ = std::fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
