//! Who may keep a connection open when there are more than enough.
//!
//! Border: places and whose turn it is on each. A connection keeps the server waiting
//! while its client has not sent a whole request or not taken an answer; otherwise the
//! server is at work for it. Only the former can be closed for another one, and while
//! somebody waits for a place the next answer is the last one of its connection: so that
//! holding connections, idle, fast or slow, keeps nobody else out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::unpoisoned::locked;

/// How long a client has at least to take an answer, or to send its next request.
const GRACE: Duration = Duration::from_secs(1);

/// How often is looked for a place while there is none and nobody can be closed; and how long a
/// client that has just come has at least to send its first request. It is so short because
/// a crowd may come, of which nobody ever does.
const LOOK: Duration = Duration::from_millis(20);

/// The places of a listener. Clones share them.
#[derive(Clone)]
pub(super) struct Places(Arc<Shared>);

struct Shared {
    free: Arc<Semaphore>,
    /// Somebody waits for a place, and no answer has given way since.
    wanted: AtomicBool,
    waits: Mutex<Waits>,
}

/// Connections that wait for their clients, the longest wait first.
#[derive(Default)]
struct Waits {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    since: Instant,
    /// Has not had an answer yet: there is nothing that it could lose.
    unheard: bool,
    call: Arc<Call>,
}

/// Tells a connection which of its waits must end.
#[derive(Default)]
struct Call {
    wait: AtomicU64,
    notify: Notify,
}

/// One connection's place; free again when it is dropped.
pub(super) struct Place {
    turn: Turn,
    _permit: OwnedSemaphorePermit,
}

/// Whose turn it is on one connection. Clones share it.
#[derive(Clone)]
pub(super) struct Turn(Arc<OneTurn>);

struct OneTurn {
    places: Places,
    call: Arc<Call>,
    /// Number of the present wait for the client; `None` while the server is at work.
    wait: Mutex<Option<u64>>,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let free = Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared { free, wanted: AtomicBool::new(false), waits: Mutex::default() }))
    }

    /// A place: a free one, that of the connection that keeps the server waiting
    /// longest, or that of the next one that is answered. Waits while the server is at work
    /// for all of them.
    pub(super) async fn take(&self) -> Place {
        loop {
            if let Ok(permit) = Arc::clone(&self.0.free).try_acquire_owned() {
                return self.taken(permit);
            }
            if !self.close_longest() {
                self.0.wanted.store(true, Ordering::Relaxed);
            }
            let freed = Arc::clone(&self.0.free).acquire_owned();
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = tokio::time::timeout(LOOK, freed).await {
                return self.taken(permit);
            }
        }
    }

    fn taken(&self, permit: OwnedSemaphorePermit) -> Place {
        self.0.wanted.store(false, Ordering::Relaxed);
        let call = Arc::new(Call::default());
        let wait = Mutex::new(Some(self.begin(&call, true)));
        let turn = Turn(Arc::new(OneTurn { places: self.clone(), call, wait }));
        Place { turn, _permit: permit }
    }

    fn begin(&self, call: &Arc<Call>, unheard: bool) -> u64 {
        let mut waits = locked(&self.0.waits);
        let number = waits.next;
        waits.next += 1;
        let call = Arc::clone(call);
        waits.waiting.insert(number, Waiting { since: Instant::now(), unheard, call });
        number
    }

    fn end(&self, number: u64) {
        locked(&self.0.waits).waiting.remove(&number);
    }

    /// Asks the connection that keeps the server waiting longest to end, if there is one. One
    /// that may still be taking its answer is spared for a moment, and for a shorter one who has
    /// just come.
    fn close_longest(&self) -> bool {
        let mut waits = locked(&self.0.waits);
        let may_go = |waiting: &Waiting| {
            waiting.since.elapsed() >= if waiting.unheard { LOOK } else { GRACE }
        };
        // The first is mostly the one; the look ends soon, because what is behind the first
        // that is spared has waited even less, and only new connections can go before it.
        let found = waits.waiting.iter().take(64).find(|(_, waiting)| may_go(waiting));
        let number = found.map(|(number, _)| *number);
        let Some(waiting) = number.and_then(|number| waits.waiting.remove(&number)) else {
            return false;
        };
        waiting.call.wait.store(number.unwrap_or_default(), Ordering::Release);
        waiting.call.notify.notify_one();
        true
    }
}

impl Place {
    /// The handle by which it is told whose turn it is. At first it is the client's.
    pub(super) fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// Completes when the place is needed for another connection and the server still
    /// waits for this one's client.
    pub(super) async fn given_up(&self) {
        loop {
            let OneTurn { call, wait, .. } = &*self.turn.0;
            call.notify.notified().await;
            // A request may have come in that very moment: it is served, and another
            // connection is called.
            if *locked(wait) == Some(call.wait.load(Ordering::Acquire)) {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turn.is_the_servers();
    }
}

impl Turn {
    /// A whole request is there: the server is at work.
    pub(super) fn is_the_servers(&self) {
        if let Some(number) = locked(&self.0.wait).take() {
            self.0.places.end(number);
        }
    }

    /// Whether the place is needed for another connection, so that this answer must be the last.
    /// One answer is enough for each who waits.
    pub(super) fn gives_way(&self) -> bool {
        let wanted = &self.0.places.0.wanted;
        // Read first: nobody waits mostly, and then all cores may keep it in their caches.
        wanted.load(Ordering::Relaxed) && wanted.swap(false, Ordering::Relaxed)
    }

    /// The answer is ready: the client has to take it, and to send another request.
    pub(super) fn is_the_clients(&self) {
        let mut wait = locked(&self.0.wait);
        if let Some(number) = wait.take() {
            self.0.places.end(number);
        }
        *wait = Some(self.0.places.begin(&self.0.call, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_wait_is_ended_and_work_never_is() {
        let places = Places::new(3);
        let (first, second, third) =
            (places.take().await, places.take().await, places.take().await);
        first.turn().is_the_servers();
        // The first is at work, so the second goes; its place is the fourth's.
        let fourth = {
            let others = places.clone();
            let fourth = tokio::spawn(async move { others.take().await });
            second.given_up().await;
            drop(second);
            fourth.await.unwrap()
        };
        third.turn().is_the_servers();
        fourth.turn().is_the_servers();
        // All are at work: a new one waits until one is done.
        let others = places.clone();
        let fifth = tokio::spawn(async move { others.take().await });
        places.close_longest();
        for at_work in [&first, &third, &fourth] {
            let given_up = tokio::time::timeout(Duration::ZERO, at_work.given_up()).await;
            assert!(given_up.is_err(), "at work");
        }
        assert!(!fifth.is_finished());
        drop(third);
        let _fifth = fifth.await.unwrap();
        assert_eq!(locked(&places.0.waits).waiting.len(), 1, "only the fifth waits");
    }

    #[tokio::test]
    async fn while_somebody_waits_one_answer_gives_way() {
        let places = Places::new(2);
        let (first, second) = (places.take().await, places.take().await);
        for place in [&first, &second] {
            place.turn().is_the_servers();
            assert!(!place.turn().gives_way(), "nobody waits");
        }
        let others = places.clone();
        let third = tokio::spawn(async move { others.take().await });
        while !first.turn().gives_way() {
            tokio::task::yield_now().await;
        }
        drop(first);
        let _third = third.await.unwrap();
        assert!(!second.turn().gives_way(), "one was enough");
    }

    #[tokio::test]
    async fn who_has_just_been_answered_is_spared_and_goes_later() {
        let places = Places::new(1);
        let first = places.take().await;
        first.turn().is_the_servers();
        first.turn().is_the_clients();
        places.close_longest();
        assert_eq!(locked(&places.0.waits).waiting.len(), 1, "it takes its answer");
        let others = places.clone();
        let second = tokio::spawn(async move { others.take().await });
        first.given_up().await;
        drop(first);
        second.await.unwrap();
    }
}
