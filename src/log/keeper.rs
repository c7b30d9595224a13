//! Keeping the last checkpoint outside the database.
//!
//! Border: when the file is written. Behind the commits and never in their way:
//! as soon as something is published, then at most once a second, and always at a
//! graceful stop. What the file means is judged in [`super::guard`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::guard::Seen;
use super::tree::Tree;
use crate::last_checkpoint::{FileError, LastCheckpoint};
use crate::signer::LogKey;
use crate::store::Head;

/// Shortest time between two writes of the file. What was answered in the last
/// such span before a crash may be missing from the file.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes the file behind the commits.
pub(crate) struct Keeper {
    tree: Arc<Tree>,
    key: Arc<LogKey>,
    file: LastCheckpoint,
    /// What this process wrote last.
    written: Option<Arc<str>>,
}

impl Keeper {
    /// Writes the present head, so that a file that cannot be written is noticed
    /// before the first answer.
    pub(crate) fn start(
        tree: Arc<Tree>,
        key: Arc<LogKey>,
        file: LastCheckpoint,
    ) -> Result<Self, FileError> {
        let head = tree.snapshot().head.clone();
        keep(&file, &key, &head)?;
        Ok(Self { tree, key, file, written: Some(head.checkpoint) })
    }

    /// Keeps the file until `stop` is sent or dropped, and writes it once more.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                () = self.tree.published() => self.write().await,
                _ = &mut stop => break,
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = &mut stop => break,
            }
        }
        self.write().await;
    }

    async fn write(&mut self) {
        let head = self.tree.snapshot().head.clone();
        if self.written.as_ref() == Some(&head.checkpoint) {
            return;
        }
        let (file, key, note) = (self.file.clone(), Arc::clone(&self.key), head.checkpoint.clone());
        let written = tokio::task::spawn_blocking(move || keep(&file, &key, &head)).await;
        match written {
            Ok(Ok(())) => self.written = Some(note),
            Ok(Err(error)) => {
                tracing::error!(%error, "the restore guard falls behind");
                metrics::counter!("indelible_failed_guard_writes").increment(1);
            }
            // The panic hook has reported it.
            Err(_) => {}
        }
    }
}

/// Writes the head, unless another server on the same file was further.
fn keep(file: &LastCheckpoint, key: &LogKey, head: &Head) -> Result<(), FileError> {
    let further = Seen::read(file, key).is_ok_and(|seen| seen.is_some_and(|s| s.size > head.size));
    if further { Ok(()) } else { file.write(&head.checkpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog::Hash;

    #[test]
    fn a_smaller_head_is_not_written_over_a_larger_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = LastCheckpoint::at(folder.path().join("last-checkpoint"));
        let key = LogKey::generate().unwrap();
        let head = |key: &LogKey, size| {
            let root = Hash::leaf(b"x");
            let checkpoint = key.sign_checkpoint("log.example", 1, size, root).into();
            Head { size, root, checkpoint, time: 0 }
        };
        let kept = || file.read().unwrap().unwrap();
        for (size, left) in [(2, 2), (1, 2), (3, 3)] {
            keep(&file, &key, &head(&key, size)).unwrap();
            assert_eq!(kept(), head(&key, left).checkpoint.to_string());
        }
        // What this log did not sign says nothing about it.
        file.write(&head(&LogKey::generate().unwrap(), 9).checkpoint).unwrap();
        keep(&file, &key, &head(&key, 4)).unwrap();
        assert_eq!(kept(), head(&key, 4).checkpoint.to_string());
    }
}
