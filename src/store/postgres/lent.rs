//! A connection that is used for a while, and comes back in good order or not at all.
//!
//! Border: time limits and the way back; what is asked is the callers'.
//!
//! Whatever is dropped in the midst of a statement or a transaction is closed: the next one who
//! took it would wait for somebody else's answer, or hold somebody else's lock. Postgres, though, works on
//! at a statement that nobody waits for, and does not notice before its end that the connection is gone. So
//! whatever a client can ask for, and hang up on, goes on [without it](Outliving).

use std::time::Duration;

use deadpool::managed::Object;
use sqlx::postgres::{PgArguments, PgDatabaseError, PgRow, PgSeverity};
use sqlx::query::QueryAs;
use sqlx::{Connection as _, Execute as _, FromRow, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::connections::{ALIVE, Connections, Maker, Place, Purpose};
use super::outliving::Outliving;
use super::session::{audit_error, store_error};
use crate::store::StoreError;
use crate::store::failure::NoAnswer;

/// Runs a statement that may run twice, as it changes nothing: a connection that was cut since
/// its last use, as by a restart of Postgres, is then no concern of the caller. Once it has a
/// connection's place it is asked to its end, whether the caller is dropped or not.
pub(super) async fn ask_twice<O>(
    limit: Duration,
    connections: &Connections,
    mut query: QueryAs<'_, Postgres, O, PgArguments>,
) -> Result<Vec<O>, StoreError>
where
    O: Send + Unpin + for<'r> FromRow<'r, PgRow> + 'static,
{
    let arguments = query.take_arguments().map_err(sqlx::Error::Encode).map_err(store_error)?;
    let arguments = arguments.unwrap_or_default();
    let sql = query.sql();
    let place = connections.place().await?;
    let connections = connections.clone();
    Outliving::new(async move {
        let ask = || sqlx::query_as_with(sql.clone(), arguments.clone());
        let mut lent = Lent::at(place, &connections).await?;
        match lent.fetch(limit, ask()).await {
            Err(error) => lent.instead(error, &connections).await?.fetch(limit, ask()).await,
            rows => rows,
        }
    })
    .await
}

/// Goes back to the others when it is dropped, or is closed if anything is unfinished on it.
pub(super) struct Lent {
    connection: Option<Object<Maker>>,
    /// Behind the connection, as it is dropped after it.
    place: Option<Place>,
    purpose: Purpose,
    /// An answer is missing.
    asking: bool,
    /// It broke.
    lost: bool,
    /// A transaction is open.
    open: bool,
}

impl Lent {
    /// # Errors
    /// `Unavailable` when none is free in time.
    pub(super) async fn from(connections: &Connections) -> Result<Self, StoreError> {
        Self::at(connections.place().await?, connections).await
    }

    async fn at(place: Place, connections: &Connections) -> Result<Self, StoreError> {
        let connection = connections.take(&place).await?;
        Ok(Self::of(connection, place, connections.purpose()))
    }

    fn of(connection: Object<Maker>, place: Place, purpose: Purpose) -> Self {
        let (connection, place) = (Some(connection), Some(place));
        Self { connection, place, purpose, asking: false, lost: false, open: false }
    }

    /// If this one broke while it was asked, which is how one that was cut since its last use is
    /// found out: a new one in its place, on which to ask again. Only for what may be asked
    /// twice.
    ///
    /// # Errors
    /// `Unavailable` when none can be made in time; `error` when this one is in order.
    pub(super) async fn instead(
        mut self,
        error: StoreError,
        connections: &Connections,
    ) -> Result<Self, StoreError> {
        let Some(place) = self.place.take_if(|_| self.lost) else { return Err(error) };
        drop(self);
        let connection = connections.take_new(&place).await?;
        Ok(Self::of(connection, place, connections.purpose()))
    }

    /// Runs a statement to its end, that is past its commit when no transaction is open.
    pub(super) async fn fetch<O>(
        &mut self,
        limit: Duration,
        query: QueryAs<'_, Postgres, O, PgArguments>,
    ) -> Result<Vec<O>, StoreError>
    where
        O: Send + Unpin + for<'r> FromRow<'r, PgRow>,
    {
        let answer = timeout(limit, query.fetch_all(self.ask()?)).await;
        self.answered(answer.map_err(|_| NoAnswer(limit)))
    }

    /// Begins a transaction with statements that give rows.
    pub(super) async fn begin(
        &mut self,
        limit: Duration,
        orders: &'static str,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.open = true;
        let answer = timeout(limit, sqlx::raw_sql(orders).fetch_all(self.ask()?)).await;
        self.answered(answer.map_err(|_| NoAnswer(limit)))
    }

    /// Gives an order that has no rows to answer.
    pub(super) async fn order(
        &mut self,
        limit: Duration,
        order: &'static str,
    ) -> Result<(), StoreError> {
        let answer = timeout(limit, sqlx::raw_sql(order).execute(self.ask()?)).await;
        self.answered(answer.map_err(|_| NoAnswer(limit))).map(drop)
    }

    /// Ends the transaction with `COMMIT` or `ROLLBACK`.
    pub(super) async fn end(
        mut self,
        limit: Duration,
        order: &'static str,
    ) -> Result<(), StoreError> {
        self.order(limit, order).await?;
        self.open = false;
        Ok(())
    }

    fn ask(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.asking = true;
        let connection = self.connection.as_deref_mut();
        connection.ok_or_else(|| store_error(sqlx::Error::PoolClosed))
    }

    fn answered<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, NoAnswer>,
    ) -> Result<T, StoreError> {
        let answer = answer?;
        self.asking = false;
        self.lost = answer.as_ref().is_err_and(|error| !goes_on(error));
        answer.map_err(match self.purpose {
            Purpose::Auditing => audit_error,
            Purpose::Writing(_) | Purpose::Reading => store_error,
        })
    }
}

/// Whether the connection is of use after this error: Postgres itself refused a statement, and
/// did not end the session.
fn goes_on(error: &sqlx::Error) -> bool {
    let reported = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
    reported.is_some_and(|e| !matches!(e.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.asking && !self.lost && !self.open {
            return;
        }
        let Some(connection) = self.connection.take().map(Object::take) else { return };
        let place = self.place.take();
        // It takes its leave if it can, so that Postgres does not report a lost client.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(ALIVE, connection.close()).await;
                drop(place);
            });
        }
    }
}
