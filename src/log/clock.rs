//! This server's clock beside others.
//!
//! Border: compares and tells; the times of entries are chosen in [`Round`](super::round::Round).

use std::sync::Arc;

use crate::store::MAX_AHEAD;

/// Unix seconds now; handed in by `main`, so that tests own the time.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A clock that entries get no times from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock is {0} s ahead of the database's: set both; nothing is added meanwhile"
)]
pub struct Ahead(i64);

impl Ahead {
    /// Holds `now` against the database's clock, if it has one of its own.
    ///
    /// # Errors
    /// When it is so far ahead that the store would refuse a round.
    pub(super) fn check(now: i64, database: Option<i64>) -> Result<(), Self> {
        let ahead = database.map_or(0, |database| now.saturating_sub(database));
        if ahead > MAX_AHEAD { Err(Self(ahead)) } else { Ok(()) }
    }
}

/// How far the log's time is ahead of this server's clock: said when it begins and ends, not in each
/// round.
///
/// Rounds go on. Nobody can tell which of the two is wrong, and a log whose time was set far ahead
/// once could not be written for as long.
#[derive(Debug, Default)]
pub(crate) struct Behind(bool);

impl Behind {
    pub(super) fn tell(&mut self, seconds: i64) {
        let behind = seconds > MAX_AHEAD;
        if behind == self.0 {
            return;
        }
        self.0 = behind;
        if behind {
            tracing::warn!(
                seconds,
                "this machine's clock is behind the log's last time, which new entries get until it \
                 is reached: set the clock, unless it is right"
            );
        } else {
            tracing::info!("this machine's clock has reached the log's last time");
        }
    }
}
