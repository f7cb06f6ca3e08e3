//! One open transaction on one connection.

use sqlx::any::Any;
use sqlx::pool::PoolConnection;
use sqlx::{AnyConnection, AnyPool};
use tokio::runtime::Handle;

use crate::error::{Result, unavailable};
use crate::pool::acquire;

/// A transaction that is rolled back unless it is committed.
///
/// Before anything is done with the connection the transaction counts as broken, and as whole again only when that was
/// answered. So whatever is interrupted half-way, be it by an error or because nobody waits any more, cannot be committed
/// by what follows; and its connection is closed rather than handed to the next. (SQLite may already have rolled back by
/// itself when a disk is full, and PostgreSQL answers COMMIT of a failed transaction with success.)
#[derive(Debug)]
pub(crate) struct Write {
    connection: Option<PoolConnection<Any>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Broken,
    Done,
}

impl Write {
    /// Begins, with the engine's own words for it.
    pub(crate) async fn begin(pool: &AnyPool, begin: &'static str) -> Result<Self> {
        let connection = acquire(pool).await?;
        let mut write = Self { connection: Some(connection), state: State::Broken };
        write.execute(begin).await?;
        write.state = State::Whole;
        Ok(write)
    }

    /// The connection, for work whose outcome is then told by [`Self::settle`].
    pub(crate) fn enter(&mut self) -> Result<&mut AnyConnection> {
        if self.state != State::Whole {
            return Err(unavailable("the transaction was broken off before"));
        }
        self.state = State::Broken;
        self.connection()
    }

    /// The work is over. Whoever answers anything but `Unavailable` found out before it wrote.
    pub(crate) fn settle<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if !matches!(outcome, Err(ambit_core::store::StoreError::Unavailable(_))) {
            self.state = State::Whole;
        }
        outcome
    }

    /// Makes it durable. After an error it is not known whether it is.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.enter()?;
        self.execute("COMMIT").await?;
        self.state = State::Done;
        Ok(())
    }

    /// Leaves no trace of it.
    pub(crate) async fn rollback(mut self) -> Result<()> {
        self.enter()?;
        self.execute("ROLLBACK").await?;
        self.state = State::Done;
        Ok(())
    }

    /// Commits what went well and rolls back what did not.
    pub(crate) async fn finish<T>(mut self, outcome: Result<T>) -> Result<T> {
        match self.settle(outcome) {
            Ok(value) => self.commit().await.map(|()| value),
            // Dropped here.
            Err(error) => Err(error),
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<()> {
        let connection = self.connection()?;
        sqlx::raw_sql(statement).execute(connection).await.map_err(unavailable)?;
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut AnyConnection> {
        match &mut self.connection {
            Some(connection) => Ok(&mut *connection),
            None => Err(unavailable("the transaction is over")),
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::Done, _) => {}
            (State::Whole, Ok(runtime)) => {
                runtime.spawn(async move {
                    if sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await.is_err() {
                        connection.close_on_drop();
                    }
                });
            }
            (State::Whole | State::Broken, _) => connection.close_on_drop(),
        }
    }
}
