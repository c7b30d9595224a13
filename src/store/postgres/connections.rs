//! The connections of one purpose: made when they are needed, used again, closed.
//!
//! Border: what a connection is before and after its use. The use itself is a [`Lent`](super::lent).
//!
//! There are never more of them than places: who asks for one takes a place first, and holds it
//! until the connection is back, or is closed. The pool's own count would forget one that is being made
//! or closed, and Postgres has only so many for all who share it.
//!
//! The driver brings a pool of its own, which asks each connection that comes back whether it
//! lives: a second round trip for every statement, and without a limit on the wait. Here a
//! connection that ended well is taken back as it is, and is asked only if it was not used
//! for a while.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::durability::{Durability, Standby};
use super::session::{ACQUIRE, prepare, store_error};
use crate::store::StoreError;
use crate::store::failure::NoAnswer;

/// A connection that was not taken for longer is tried out before it is used.
const FRESH: Duration = Duration::from_secs(1);
/// One for reading that was not taken for longer is made anew: a firewall in between may have forgotten
/// it without a word. That of the writer is tried out, as a new one is judged, and warned of, anew.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How long one may take to say that it lives, or to be closed.
pub(super) const ALIVE: Duration = Duration::from_secs(3);
/// One that is older is made anew: it keeps what it has cached, and an address may have moved.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Between two attempts to reach a server that is only just starting.
const STARTING: Duration = Duration::from_millis(100);

/// What connections are for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Rounds. Whenever such a connection is made anew, it may lead to another server, or to one
    /// with other settings: they are looked at again.
    Writing(Standby),
    Reading,
    /// As for reading, but what cannot be read is what is looked for.
    Auditing,
}

/// Makes them.
#[derive(Debug)]
pub(super) struct Maker {
    options: PgConnectOptions,
    purpose: Purpose,
    /// When one was last found to be silent. Those that were not taken since most likely are, too, and
    /// to wait for each of them would be longer than anybody waits.
    silent: Mutex<Option<Instant>>,
}

/// As many as there may be at most. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pool: Pool<Maker>,
    places: Arc<Semaphore>,
    purpose: Purpose,
}

/// Room for one connection, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Connections {
    /// None is made yet.
    ///
    /// # Errors
    /// `Unavailable` when the pool cannot be built, which its settings here never cause.
    pub(super) fn new(
        options: &PgConnectOptions,
        purpose: Purpose,
        most: usize,
    ) -> Result<Self, StoreError> {
        let maker = Maker { options: options.clone(), purpose, silent: Mutex::default() };
        // Those that were used last are fresh, and in the caches of both sides.
        let pool = Pool::builder(maker).max_size(most).queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        Ok(Self { pool, places: Arc::new(Semaphore::new(most)), purpose })
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Waits in line for a place; who is dropped leaves the line.
    ///
    /// # Errors
    /// `Unavailable` when none is free in time.
    pub(super) async fn place(&self) -> Result<Place, StoreError> {
        let taking = timeout(ACQUIRE, Arc::clone(&self.places).acquire_owned());
        let taken = taking.await.map_err(|_| NoAnswer(ACQUIRE))?;
        taken.map_err(|closed| StoreError::Unavailable(Box::new(closed)))
    }

    /// A connection for who has a place.
    ///
    /// # Errors
    /// `Unavailable` when none is there, or can be made, in time.
    pub(super) async fn take(&self, _: &Place) -> Result<Object<Maker>, StoreError> {
        let taken = timeout(ACQUIRE, self.pool.get()).await.map_err(|_| NoAnswer(ACQUIRE))?;
        taken.map_err(|error| match error {
            PoolError::Backend(error) => store_error(error),
            other => StoreError::Unavailable(Box::new(other)),
        })
    }

    /// A new one, whatever is there: where one was found broken, the others most likely are.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) async fn take_new(&self, place: &Place) -> Result<Object<Maker>, StoreError> {
        self.pool.retain(|_, _| false);
        self.take(place).await
    }

    /// Gives out no more, and closes those that are not in use.
    pub(super) async fn close(&self) {
        self.places.close();
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        for connection in idle {
            // One that does not take its leave is dropped.
            let _ = timeout(ALIVE, connection.close()).await;
        }
    }
}

impl Manager for Maker {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.connect().await?;
        prepare(&mut connection).await?;
        if let Purpose::Writing(standby) = self.purpose {
            let durability = Durability::read(&mut connection).await?;
            let judged = durability.judge(standby);
            judged.map_err(|refused| sqlx::Error::Configuration(refused.into()))?;
        }
        Ok(connection)
    }

    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if self.is_given_up(metrics) {
            return Err(sqlx::Error::PoolTimedOut.into());
        }
        if metrics.last_used() > FRESH {
            let lives = timeout(ALIVE, connection.ping()).await;
            lives.map_err(|_| self.is_silent())??;
        }
        Ok(())
    }
}

impl Maker {
    /// Whether one is not even tried out.
    fn is_given_up(&self, metrics: &Metrics) -> bool {
        let taken = metrics.recycled.unwrap_or(metrics.created);
        let silent = *self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = !matches!(self.purpose, Purpose::Writing(_));
        metrics.age() > LIFETIME
            || (reads && metrics.last_used() > FORGOTTEN)
            || silent.is_some_and(|silent| taken < silent)
    }

    fn is_silent(&self) -> sqlx::Error {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        sqlx::Error::PoolTimedOut
    }

    /// Goes on trying while a server starts; the caller bounds it.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        loop {
            match PgConnection::connect_with(&self.options).await {
                Err(sqlx::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
                // cannot_connect_now
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57P03") => {}
                other => return other,
            }
            sleep(STARTING).await;
        }
    }
}
