//! Reads that several callers share.
//!
//! Border: who waits for which read, and for how long. What is read is the caller's.
//!
//! If each caller stood in line for a read of its own, then while the database is silent each of
//! them would add to the wait of those behind it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// What a read will have led to.
type Flight<T> = watch::Receiver<Option<T>>;

/// Reads of one kind, one at a time.
pub(super) struct Flights<T> {
    /// How long a caller waits.
    patience: Duration,
    /// The read that begins when the one under way has ended. Whoever asks shares it. The one
    /// under way is joined by nobody: it may miss what was written before they asked.
    next: Mutex<Option<Flight<T>>>,
    /// Held by the one under way.
    alone: tokio::sync::Mutex<()>,
}

/// Why a caller goes without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoFlight {
    /// It may end later, and well.
    #[error("a read that others wait for, too, gave no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The reader panicked, or the process ends.
    #[error("a read that others wait for, too, ended without an answer")]
    Lost,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, next: Mutex::new(None), alone: tokio::sync::Mutex::new(()) }
    }

    /// What `read` leads to, or that of another caller which begins after this call. It runs to
    /// its end, whether or not anybody waits for it any more.
    ///
    /// # Errors
    /// [`NoFlight`].
    pub(super) async fn share<R>(self: &Arc<Self>, read: R) -> Result<T, NoFlight>
    where
        R: Future<Output = T> + Send + 'static,
    {
        let mut flight = self.board(read);
        let landed = timeout(self.patience, flight.wait_for(Option::is_some)).await;
        let landed = landed.map_err(|_| NoFlight::Late(self.patience))?;
        landed.map_err(|_| NoFlight::Lost)?.clone().ok_or(NoFlight::Lost)
    }

    /// As [`share`](Self::share), for who need not wait.
    pub(super) fn board<R>(self: &Arc<Self>, read: R) -> Flight<T>
    where
        R: Future<Output = T> + Send + 'static,
    {
        let mut next = self.next();
        if let Some(flight) = &*next {
            return flight.clone();
        }
        let (landed, flight) = watch::channel(None);
        *next = Some(flight.clone());
        let flights = Arc::clone(self);
        tokio::spawn(async move {
            let _alone = flights.alone.lock().await;
            flights.next().take();
            landed.send_replace(Some(read.await));
        });
        flight
    }

    fn next(&self) -> std::sync::MutexGuard<'_, Option<Flight<T>>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Reads that wait to be let go, and tell how many have begun before.
    struct Airport {
        flights: Arc<Flights<u32>>,
        begun: Arc<AtomicU32>,
        gate: Arc<Semaphore>,
    }

    impl Airport {
        fn new(patience: Duration) -> Self {
            let (begun, gate) = (Arc::default(), Arc::new(Semaphore::new(0)));
            Self { flights: Arc::new(Flights::new(patience)), begun, gate }
        }

        fn board(&self) -> Flight<u32> {
            self.flights.board(self.read())
        }

        fn read(&self) -> impl Future<Output = u32> + Send + 'static {
            let (begun, gate) = (Arc::clone(&self.begun), Arc::clone(&self.gate));
            async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.expect("a gate").forget();
                number
            }
        }

        async fn until_begun(&self, count: u32) {
            while self.begun.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn landed(mut flight: Flight<u32>) -> u32 {
        flight.wait_for(Option::is_some).await.expect("a read").expect("its result")
    }

    #[tokio::test]
    async fn who_asks_while_a_read_is_under_way_shares_the_next_one() {
        let airport = Airport::new(Duration::MAX);
        let first = airport.board();
        airport.until_begun(1).await;
        let later = [(); 40].map(|()| airport.board());
        airport.gate.add_permits(1);
        assert_eq!(landed(first).await, 0);
        airport.until_begun(2).await;
        let last = airport.board();
        airport.gate.add_permits(2);
        for flight in later {
            assert_eq!(landed(flight).await, 1);
        }
        assert_eq!(landed(last).await, 2);
    }

    #[tokio::test]
    async fn a_read_goes_on_without_those_who_asked() {
        let airport = Airport::new(Duration::ZERO);
        let late = airport.flights.share(airport.read()).await;
        assert_eq!(late, Err(NoFlight::Late(Duration::ZERO)));
        airport.until_begun(1).await;
        let next = airport.board();
        airport.gate.add_permits(2);
        assert_eq!(landed(next).await, 1);
    }

    #[tokio::test]
    async fn a_read_that_breaks_is_no_concern_of_the_next_one() {
        let flights = Arc::new(Flights::new(Duration::MAX));
        let broken = flights.share(async { panic!("planned") }).await;
        assert_eq!(broken, Err(NoFlight::Lost));
        assert_eq!(flights.share(async { 7 }).await, Ok(7));
    }
}
