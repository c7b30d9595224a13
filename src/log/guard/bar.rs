//! What bars a running log from signing.
//!
//! Border: what the [keepers](crate::log::keeper) find at their places, as whoever signs must
//! know it. Knows no place and no database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Sealed, WentBack};
use crate::store::Head;

/// Told by the keepers, asked by the sequencer before each round.
#[derive(Default)]
pub(crate) struct Bar {
    /// Why nothing may be added, if so. It is never taken back: a person decides.
    sealed: OnceLock<Arc<Sealed>>,
    /// Leaves of the largest head that was found at a place.
    signed: AtomicU64,
}

/// Leaves that the database has, if it is the only one of its log: a note is written behind the
/// commit, so a head that is read after the note is not smaller.
#[derive(Clone, Copy)]
pub(crate) struct AtLeast(u64);

impl Bar {
    /// Of a log that was closed before it began.
    pub(crate) fn closed(sealed: Sealed) -> Self {
        Self { sealed: OnceLock::from(Arc::new(sealed)), ..Self::default() }
    }

    /// Why the log takes no entries, if so.
    pub(crate) fn sealed(&self) -> Option<&Arc<Sealed>> {
        self.sealed.get()
    }

    /// Closes the running log to writes, for good. Of several reasons the first one stays.
    pub(crate) fn seal(&self, sealed: Sealed) {
        tracing::error!(
            reason = %sealed,
            "two databases of this log are written: it is open for reading only from now on; stop \
             the servers on the one that is wrong"
        );
        let _ = self.sealed.set(Arc::new(sealed));
        metrics::gauge!("indelible_sealed").set(1.0);
    }

    /// A head of so many leaves was found at a place.
    pub(crate) fn saw(&self, size: u64) {
        self.signed.fetch_max(size, Ordering::Relaxed);
    }

    /// What a head must have that is read after this.
    pub(crate) fn at_least(&self) -> AtLeast {
        AtLeast(self.signed.load(Ordering::Relaxed))
    }
}

impl AtLeast {
    /// Whether the database may be signed on top of this head, which was read since.
    pub(crate) fn check(self, head: &Head) -> Result<(), WentBack> {
        match head.size < self.0 {
            true => Err(WentBack::Behind { seen: self.0, found: head.size }),
            false => Ok(()),
        }
    }
}
