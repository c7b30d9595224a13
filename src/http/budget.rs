//! Memory that clients make the server hold, within a bound that they share.
//!
//! Border: bytes and their shares of the bound, whatever they are. What waits for its client, to
//! come or to be taken, can be given up for what another client needs, the longest wait first:
//! so that making the server hold something keeps nobody else out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::unpoisoned::locked;

/// Unit of the bound, so that its count fits the semaphore.
const UNIT: usize = 16 << 10;

/// How long a client has at least before what it makes the server hold is given up.
const GRACE: Duration = Duration::from_secs(1);

/// A bound. Clones share it.
#[derive(Clone)]
pub(super) struct Budget(Arc<Shared>);

struct Shared {
    units: Arc<Semaphore>,
    most: usize,
    free_bytes: usize,
    waits: Mutex<Waits>,
}

/// What waits for clients, the longest wait first.
#[derive(Default)]
struct Waits {
    next: u64,
    waiting: BTreeMap<u64, (Instant, Arc<Slot>)>,
}

/// Empty when it was given up.
type Slot = Mutex<Option<Held>>;

/// Bytes with their share of a bound, which is returned when they are dropped.
#[derive(Default)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

/// Bytes that wait for their client. As soon as they have a share they may be given up.
pub(super) struct Waiting {
    budget: Budget,
    slot: Arc<Slot>,
    /// Of the present wait.
    number: Option<u64>,
    /// How many of the bytes were taken.
    taken: usize,
}

/// There is no room for the bytes, or it was needed for others.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the memory for large requests or answers is used up")]
pub(super) struct UsedUp;

impl Budget {
    /// Of so many bytes in all, and of one unit at least: without any, what is larger than all of
    /// the room and may have all of it would have no bound. The first `free_bytes` of each client
    /// do not count.
    pub(super) fn new(bytes: u64, free_bytes: usize) -> Self {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX) / UNIT;
        let units = units.clamp(1, Semaphore::MAX_PERMITS);
        let (most, waits) = (units.saturating_mul(UNIT), Mutex::default());
        Self(Arc::new(Shared { units: Arc::new(Semaphore::new(units)), most, free_bytes, waits }))
    }

    /// Bytes that everybody together may have a share of.
    pub(super) fn most(&self) -> usize {
        self.0.most
    }

    /// Makes the share large enough for `size` bytes in all.
    ///
    /// # Errors
    /// [`UsedUp`].
    pub(super) fn draw(&self, held: &mut Held, size: usize) -> Result<(), UsedUp> {
        held.add(self.take(size, held.units())?);
        Ok(())
    }

    /// Lets bytes wait for their client from now on.
    pub(super) fn wait(&self, held: Held) -> Waiting {
        let has_share = held.share.is_some();
        let slot = Arc::new(Mutex::new(Some(held)));
        let mut waiting = Waiting { budget: self.clone(), slot, number: None, taken: 0 };
        if has_share {
            waiting.begin();
        }
        waiting
    }

    /// What `size` bytes need beyond the units that they have.
    fn take(&self, size: usize, units: usize) -> Result<Option<OwnedSemaphorePermit>, UsedUp> {
        let needed = size.saturating_sub(self.0.free_bytes).div_ceil(UNIT);
        let more = u32::try_from(needed.saturating_sub(units)).map_err(|_| UsedUp)?;
        if more == 0 {
            return Ok(None);
        }
        loop {
            if let Ok(drawn) = Arc::clone(&self.0.units).try_acquire_many_owned(more) {
                return Ok(Some(drawn));
            }
            // Nobody loses anything for what there can never be room for.
            if needed.saturating_mul(UNIT) > self.0.most || !self.give_up_longest() {
                return Err(UsedUp);
            }
        }
    }

    /// Whether there was a wait that could be ended.
    fn give_up_longest(&self) -> bool {
        let slot = {
            let mut waits = locked(&self.0.waits);
            // Who comes behind the first has waited even less.
            match waits.waiting.first_entry() {
                Some(first) if first.get().0.elapsed() >= GRACE => first.remove().1,
                _ => return false,
            }
        };
        // Never with the other lock held. Its client may be done in this moment.
        let given_up = locked(&slot).take();
        drop(given_up);
        true
    }
}

impl Held {
    fn units(&self) -> usize {
        self.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn add(&mut self, drawn: Option<OwnedSemaphorePermit>) {
        match (&mut self.share, drawn) {
            (_, None) => {}
            (Some(share), Some(drawn)) => share.merge(drawn),
            (share @ None, drawn) => *share = drawn,
        }
    }
}

impl Waiting {
    /// More bytes have come. That they come does not make the wait any shorter: a client could
    /// send one now and then for ever.
    ///
    /// # Errors
    /// [`UsedUp`].
    pub(super) fn extend(&mut self, data: &[u8]) -> Result<(), UsedUp> {
        let (len, units) = {
            let slot = locked(&self.slot);
            let held = slot.as_ref().ok_or(UsedUp)?;
            (held.bytes.len(), held.units())
        };
        let drawn = self.budget.take(len + data.len(), units)?;
        let has_share = units > 0 || drawn.is_some();
        {
            let mut slot = locked(&self.slot);
            let held = slot.as_mut().ok_or(UsedUp)?;
            held.add(drawn);
            held.bytes.extend_from_slice(data);
        }
        if has_share && self.number.is_none() {
            self.begin();
        }
        Ok(())
    }

    /// The next bytes for the client, at most so many; none when all are taken, and then nothing
    /// is held any more. The wait begins anew.
    ///
    /// # Errors
    /// [`UsedUp`].
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Bytes>, UsedUp> {
        let mut slot = locked(&self.slot);
        let held = slot.as_mut().ok_or(UsedUp)?;
        let left = &held.bytes[self.taken..];
        // A copy, so that what the connection holds does not hold the rest as well.
        let piece = Bytes::copy_from_slice(&left[..left.len().min(most)]);
        self.taken += piece.len();
        if self.taken == held.bytes.len() {
            *held = Held::default();
            self.taken = 0;
        }
        drop(slot);
        if self.number.is_some() {
            self.end();
            self.begin();
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// All bytes have come.
    ///
    /// # Errors
    /// [`UsedUp`] when they were given up.
    pub(super) fn done(self) -> Result<Held, UsedUp> {
        locked(&self.slot).take().ok_or(UsedUp)
    }

    fn begin(&mut self) {
        let mut waits = locked(&self.budget.0.waits);
        let number = waits.next;
        waits.next += 1;
        waits.waiting.insert(number, (Instant::now(), Arc::clone(&self.slot)));
        self.number = Some(number);
    }

    fn end(&mut self) {
        if let Some(number) = self.number.take() {
            locked(&self.budget.0.waits).waiting.remove(&number);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of four units, the first bytes of each beside.
    fn budget() -> Budget {
        Budget::new(64 << 10, 100)
    }

    /// So many units as if their wait had begun long ago.
    fn old(budget: &Budget, units: usize) -> Waiting {
        let mut waiting = budget.wait(Held::default());
        waiting.extend(&vec![b'x'; 100 + units * UNIT]).unwrap();
        let since = Instant::now().checked_sub(GRACE).unwrap();
        let number = waiting.number.unwrap();
        locked(&budget.0.waits).waiting.get_mut(&number).unwrap().0 = since;
        waiting
    }

    #[test]
    fn the_longest_wait_is_given_up_and_what_is_done_never_is() {
        let budget = budget();
        let (first, second) = (old(&budget, 1), old(&budget, 1));
        let done = old(&budget, 1).done().unwrap();
        let mut new = budget.wait(Held::default());
        new.extend(&vec![b'x'; 100 + 2 * UNIT]).unwrap();
        assert!(first.done().is_err(), "it has waited longest");
        let second = second.done().unwrap();
        assert!(new.extend(b"x").is_err(), "nothing else has waited for long");
        drop(done);
        new.extend(b"x").unwrap();
        drop((new, second));
        assert_eq!(budget.0.units.available_permits(), 4);
        assert!(locked(&budget.0.waits).waiting.is_empty());
    }

    #[test]
    fn what_is_taken_from_is_spared() {
        let budget = budget();
        let mut waiting = old(&budget, 4);
        assert_eq!(waiting.next(10).unwrap().unwrap().len(), 10);
        assert!(budget.draw(&mut Held::default(), 101).is_err());
        let mut taken = 10;
        while let Some(piece) = waiting.next(UNIT).unwrap() {
            taken += piece.len();
        }
        assert_eq!(taken, 100 + 4 * UNIT);
        budget.draw(&mut Held::default(), 100 + 4 * UNIT).expect("all of it is taken");
    }

    #[test]
    fn small_ones_need_no_share() {
        let budget = budget();
        let _all = old(&budget, 4).done().unwrap();
        let mut small = budget.wait(Held::default());
        small.extend(&[b'x'; 100]).unwrap();
        assert!(small.extend(b"x").is_err());
        assert_eq!(small.done().unwrap().bytes.len(), 100);
    }

    #[test]
    fn nobody_loses_anything_for_what_there_is_never_room_for() {
        let budget = budget();
        let all = old(&budget, 4);
        assert!(budget.take(101 + 4 * UNIT, 0).is_err());
        assert_eq!(all.done().unwrap().units(), 4);
    }
}
