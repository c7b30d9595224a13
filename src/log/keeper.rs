//! Keeping the last checkpoint outside the database.
//!
//! Border: when a place is written. Behind the commits and never in their way: as
//! soon as something is published, then at most once a second, after a failure
//! again until it succeeds, and always at a graceful stop. Each place has a keeper
//! of its own, so that one that hangs does not hold up another. What a note means
//! is judged in [`super::guard`].
//!
//! Servers on one database may share a place. What another one wrote is held against
//! the tree before it is written over, since it may be of a second database.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::guard::{Bar, GuardError, PlacedNote, Sealed};
use super::tree::Tree;
use crate::last_checkpoint::{Cause, Kept, Place, PlaceError, Written};
use crate::signer::LogKey;
use crate::store::{Head, Identity};

/// Shortest time between two writes of a place. What was answered in the last such
/// span before a crash may be missing there.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a write is begun anew because another server was there first.
const TRIES: usize = 4;

/// The log whose head is kept, the same for every place.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) tree: Arc<Tree>,
    pub(crate) key: Arc<LogKey>,
    pub(crate) identity: Arc<Identity>,
    /// Where it is told what the places say against going on.
    pub(crate) bar: Arc<Bar>,
}

/// Writes one place behind the commits.
#[derive(Clone)]
pub(crate) struct Keeper {
    course: Course,
    place: Place,
    published: watch::Receiver<()>,
    /// What this process wrote last, or left to a server that was further.
    written: Arc<str>,
    /// Whether the last attempt failed.
    behind: bool,
}

impl Keeper {
    /// Writes the present head, unless it is there, and reads it back, so that a place that keeps nothing is
    /// noticed before the first answer.
    pub(crate) async fn start(course: Course, place: Place) -> Result<Self, GuardError> {
        metrics::counter!("indelible_failed_guard_writes", "target" => place.name().kind())
            .increment(0);
        let (published, written) = (course.tree.published(), Arc::from(""));
        let mut keeper = Self { course, place, published, written, behind: false };
        keeper.keep().await?;
        keeper.read_back().await?;
        Ok(keeper)
    }

    /// Keeps the place until the sender of `stop` is gone. A panic, which is a fault of Indelible and
    /// was reported by the panic hook, is one more failure: if nobody kept the place from then on,
    /// nothing would tell.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<()>) {
        loop {
            let is_last = stop.has_changed().is_err();
            let keeping = tokio::spawn(self.clone().keep_on(stop.clone()));
            if !keeping.await.is_err_and(|error| error.is_panic()) || is_last {
                return;
            }
            self.count_failure();
            self.behind = true;
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Keeps the place until the sender of `stop` is gone, and writes it once more. Ends
    /// early when it finds another course of the log there: that is left as it is.
    async fn keep_on(mut self, mut stop: watch::Receiver<()>) {
        loop {
            tokio::select! {
                // The tree is held, so its sender cannot be gone.
                _ = self.published.changed(), if !self.behind => {}
                () = std::future::ready(()), if self.behind => {}
                _ = stop.changed() => break,
            }
            if self.write().await.is_break() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.changed() => break,
            }
        }
        let _ = self.write().await;
    }

    /// Writes the place unless that is done already; breaks when it closed the log.
    async fn write(&mut self) -> ControlFlow<()> {
        let size = {
            let head = &self.course.tree.snapshot().head;
            if self.written == head.checkpoint {
                self.behind = false;
                return ControlFlow::Continue(());
            }
            head.size
        };
        let place = self.place.name();
        let Err(error) = self.keep().await else {
            if std::mem::take(&mut self.behind) {
                tracing::info!(%place, size, "the restore guard follows again");
            }
            return ControlFlow::Continue(());
        };
        self.count_failure();
        if let GuardError::OtherCourse(sealed) = error {
            self.course.bar.seal(*sealed);
            return ControlFlow::Break(());
        }
        // It is tried again each second; that is one line, not many.
        if !std::mem::replace(&mut self.behind, true) {
            tracing::error!(%place, %error, "the restore guard falls behind");
        }
        ControlFlow::Continue(())
    }

    /// Writes the head, unless it is there, or another server with the same place was further. What
    /// this log did not sign, or signed in another course, is never written over.
    async fn keep(&mut self) -> Result<(), GuardError> {
        for _ in 0..TRIES {
            let head = self.course.tree.snapshot().head.clone();
            let kept = self.place.read().await?;
            let is_left = match &kept {
                // As at a start after a graceful stop, which may be on a disk that is full by now.
                Some(kept) if *kept.note == *head.checkpoint => {
                    self.place.settle().await?;
                    true
                }
                Some(kept) if *kept.note != *self.written => !self.continues(kept, &head).await?,
                _ => false,
            };
            if is_left || self.place.write(&head.checkpoint, kept.as_ref()).await? == Written::Done
            {
                self.written = head.checkpoint;
                return Ok(());
            }
        }
        Err(self.failed(Cause::Contended))
    }

    /// Whether the tree continues the note; not yet, when the note is further. Most
    /// likely another server on this database was faster, and the sequencer finds
    /// that out before it signs anything more.
    async fn continues(&self, kept: &Kept, head: &Head) -> Result<bool, GuardError> {
        let Course { tree, key, identity, bar } = &self.course;
        let note = PlacedNote { place: self.place.name(), note: kept.note.clone() };
        let seen = note.seen(key, Some(identity))?;
        if seen.size > head.size {
            bar.saw(seen.size);
            tree.saw_note(note.note);
            return Ok(false);
        }
        let PlacedNote { place, .. } = note;
        match seen.check_tree(tree).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(reason)) => {
                let sealed = Sealed { reason, seen, place, size: head.size };
                Err(GuardError::OtherCourse(Box::new(sealed)))
            }
            Err(source) => Err(GuardError::Untold { place, source }),
        }
    }

    /// Some take a note and keep none, or go on giving out the one before it.
    async fn read_back(&self) -> Result<(), GuardError> {
        let Course { tree, key, identity, .. } = &self.course;
        let kept = self.place.read().await?.ok_or_else(|| self.failed(Cause::NotKept))?;
        let note = PlacedNote { place: self.place.name(), note: kept.note };
        match note.seen(key, Some(identity))?.size < tree.snapshot().head.size {
            true => Err(self.failed(Cause::NotKept)),
            false => Ok(()),
        }
    }

    fn count_failure(&self) {
        let target = self.place.name().kind();
        metrics::counter!("indelible_failed_guard_writes", "target" => target).increment(1);
    }

    fn failed(&self, cause: Cause) -> GuardError {
        PlaceError { place: self.place.name(), cause }.into()
    }
}
