//! How much may be under way at a time.
//!
//! Border: one bound for additions, one for look-ups that read evidence, both held from
//! the moment that the whole body is there. The rest of the connections is left for plain
//! reads, whatever waits for verification, for the sequencer or for the index. Room goes with the
//! body to whatever thread reads it: a client that hangs up frees its connection at once, and
//! what it sent still waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// The bounds of a listener.
pub(super) struct Admission {
    writes: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

impl Admission {
    pub(super) fn new(max_writes: usize, max_searches: usize) -> Self {
        let semaphore =
            |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Self { writes: semaphore(max_writes), searches: semaphore(max_searches) }
    }

    /// Room for an addition, until it is dropped.
    ///
    /// # Errors
    /// 503 when there is none.
    pub(super) fn write(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.writes).try_acquire_owned().map_err(|_| {
            ApiError::busy("the log is busy: too many entries are being added; nothing was added")
        })
    }

    /// Room for a search, until it is dropped.
    ///
    /// # Errors
    /// 503 when there is none.
    pub(super) fn search(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.searches)
            .try_acquire_owned()
            .map_err(|_| ApiError::busy("the log is busy: too many searches at a time"))
    }
}
