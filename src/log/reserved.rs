//! Bytes of leaves that wait for a round.
//!
//! Border: counting, within a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes counted as waiting until the round is done.
pub(crate) struct Reserved {
    counter: Arc<AtomicUsize>,
    bytes: usize,
}

impl Reserved {
    /// `None` when the bound would be passed; a leaf alone in the queue always fits.
    pub(super) fn take(counter: &Arc<AtomicUsize>, bytes: usize, max: usize) -> Option<Self> {
        let before = counter.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Self { counter: Arc::clone(counter), bytes };
        (before == 0 || before.saturating_add(bytes) <= max).then_some(reserved)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
