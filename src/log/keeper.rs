//! Keeping the last checkpoint outside the database.
//!
//! Border: when a place is written. Behind the commits and never in their way: as
//! soon as something is published, then at most once a second, after a failure
//! again until it succeeds, and always at a graceful stop. Each place has a keeper
//! of its own, so that one that hangs does not hold up another. What a note means
//! is judged in [`super::guard`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::guard::{GuardError, PlacedNote};
use super::tree::Tree;
use crate::last_checkpoint::{Cause, Place, PlaceError, Written};
use crate::signer::LogKey;
use crate::store::{Head, Identity};

/// Shortest time between two writes of a place. What was answered in the last such
/// span before a crash may be missing there.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a write is begun anew because another server was there first.
const TRIES: usize = 4;

/// Writes one place behind the commits.
pub(crate) struct Keeper {
    tree: Arc<Tree>,
    key: Arc<LogKey>,
    identity: Arc<Identity>,
    place: Place,
    published: watch::Receiver<()>,
    /// What this process wrote last.
    written: Arc<str>,
    /// Whether the last attempt failed.
    behind: bool,
}

impl Keeper {
    /// Writes the present head, so that a place that cannot be written is noticed
    /// before the first answer.
    pub(crate) async fn start(
        tree: Arc<Tree>,
        key: Arc<LogKey>,
        identity: Arc<Identity>,
        place: Place,
    ) -> Result<Self, GuardError> {
        let published = tree.published();
        let head = tree.snapshot().head.clone();
        keep(&place, &key, &identity, &head).await?;
        Ok(Self { tree, key, identity, place, published, written: head.checkpoint, behind: false })
    }

    /// Keeps the place until `stop` is sent or dropped, and writes it once more.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                // The tree is held, so its sender cannot be gone.
                _ = self.published.changed(), if !self.behind => {}
                () = std::future::ready(()), if self.behind => {}
                _ = &mut stop => break,
            }
            self.write().await;
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = &mut stop => break,
            }
        }
        self.write().await;
    }

    async fn write(&mut self) {
        let head = self.tree.snapshot().head.clone();
        if self.written == head.checkpoint {
            self.behind = false;
            return;
        }
        let place = self.place.name();
        match keep(&self.place, &self.key, &self.identity, &head).await {
            Ok(()) => {
                self.written = head.checkpoint;
                if std::mem::take(&mut self.behind) {
                    tracing::info!(%place, size = head.size, "the restore guard follows again");
                }
            }
            Err(error) => {
                metrics::counter!("indelible_failed_guard_writes", "target" => place.kind())
                    .increment(1);
                // It is tried again each second; that is one line, not many.
                if !std::mem::replace(&mut self.behind, true) {
                    tracing::error!(%place, %error, "the restore guard falls behind");
                }
            }
        }
    }
}

/// Writes the head, unless another server with the same place was further. What
/// this log did not sign is never written over.
async fn keep(
    place: &Place,
    key: &LogKey,
    identity: &Identity,
    head: &Head,
) -> Result<(), GuardError> {
    for _ in 0..TRIES {
        let kept = place.read().await?;
        if let Some(kept) = &kept {
            let name = place.name();
            let note = PlacedNote { place: name.clone(), note: kept.note.clone() };
            let seen = note.seen(key, Some(identity))?;
            if seen.size > head.size {
                return Ok(());
            }
            seen.check(head).map_err(|reason| GuardError::OtherCourse { place: name, reason })?;
        }
        match place.write(&head.checkpoint, kept.as_ref()).await? {
            Written::Done => return Ok(()),
            Written::Overtaken => {}
        }
    }
    Err(PlaceError { place: place.name(), cause: Cause::Contended }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::last_checkpoint::NoteFile;
    use tlog::Hash;

    fn head(key: &LogKey, size: u64, leaf: &[u8]) -> Head {
        let root = if size == 0 { Hash::EMPTY_ROOT } else { Hash::leaf(leaf) };
        let checkpoint = key.sign_checkpoint("log.example", 1, size, root).into();
        Head { size, root, checkpoint, time: 0 }
    }

    #[tokio::test]
    async fn only_a_smaller_head_of_the_same_log_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = NoteFile::at(folder.path().join("last-checkpoint"));
        let (place, key) = (Place::File(file.clone()), LogKey::generate().unwrap());
        let public_key = key.spki().to_vec();
        let hostname = "log.example".to_owned();
        let identity = Identity { tree_id: 1, hostname, public_key, created_at: 0 };
        let kept = || file.read().unwrap().unwrap();
        for (size, left) in [(2, 2), (1, 2), (3, 3), (3, 3)] {
            keep(&place, &key, &identity, &head(&key, size, b"x")).await.unwrap();
            assert_eq!(kept(), head(&key, left, b"x").checkpoint.to_string());
        }
        let refused = keep(&place, &key, &identity, &head(&key, 3, b"y")).await.unwrap_err();
        assert!(matches!(refused, GuardError::OtherCourse { .. }), "{refused}");
        assert_eq!(kept(), head(&key, 3, b"x").checkpoint.to_string());
        // Another key, and another log with this key.
        let other = key.sign_checkpoint("log.example", 2, 2, Hash::leaf(b"x"));
        for bad in [&*head(&LogKey::generate().unwrap(), 2, b"x").checkpoint, &other, "?"] {
            file.write(bad).unwrap();
            let refused = keep(&place, &key, &identity, &head(&key, 4, b"x")).await.unwrap_err();
            assert!(matches!(refused, GuardError::Foreign { .. }), "{refused}");
            assert_eq!(kept(), bad);
        }
    }
}
