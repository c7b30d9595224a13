//! How much may be under way at a time.
//!
//! Border: one bound for additions, one for look-ups that read evidence, both held from
//! the moment that the whole body is there. The rest of the connections is left for plain
//! reads, whatever waits for verification, for the sequencer or for the index.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::ApiError;

/// The bounds of a listener.
pub(super) struct Admission {
    writes: Semaphore,
    searches: Semaphore,
}

impl Admission {
    pub(super) fn new(max_writes: usize, max_searches: usize) -> Self {
        let semaphore = |count: usize| Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS));
        Self { writes: semaphore(max_writes), searches: semaphore(max_searches) }
    }

    /// Room for an addition, until it is dropped.
    ///
    /// # Errors
    /// 503 when there is none.
    pub(super) fn write(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.writes.try_acquire().map_err(|_| {
            ApiError::busy("the log is busy: too many entries are being added; nothing was added")
        })
    }

    /// Room for a search, until it is dropped.
    ///
    /// # Errors
    /// 503 when there is none.
    pub(super) fn search(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.searches
            .try_acquire()
            .map_err(|_| ApiError::busy("the log is busy: too many searches at a time"))
    }
}
