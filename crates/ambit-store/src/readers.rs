//! The connections that read.
//!
//! Most of what is read is one row, and takes a worker of SQLite as long as a pool's question whether a connection is well, which is
//! asked each time that one comes back. So those whose read came to its end are kept at hand, and only those that somebody gave
//! up waiting for go back to the pool and are asked. A server on the network may end meanwhile: connections to PostgreSQL are
//! asked each time.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ambit_core::store::StoreError;
use sqlx::any::Any;
use sqlx::pool::PoolConnection;
use sqlx::{AnyConnection, AnyPool};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::config::StoreConfig;
use crate::error::{Result, unavailable};
use crate::pool::{Engine, acquire};
use crate::write::Write;

/// The connections that read.
pub(crate) struct Readers {
    engine: Engine,
    pool: AnyPool,
    /// So many short reads at a time. The pool has [`LONG`] connections more, so that one that may read finds one.
    short: Semaphore,
    long: Semaphore,
    /// None once they are closed.
    at_hand: Mutex<Option<Vec<PoolConnection<Any>>>>,
    wait: Duration,
}

/// Reads of everything at a time, whose connections are beside those of short reads.
pub(crate) const LONG: u32 = 2;

impl Readers {
    /// As many as the configuration says for short reads, of a pool that has [`LONG`] more.
    pub(crate) fn new(engine: Engine, pool: AnyPool, config: &StoreConfig) -> Self {
        let permits = |count: u32| Semaphore::new(count as usize);
        Self {
            engine,
            pool,
            short: permits(config.readers),
            long: permits(LONG),
            at_hand: Mutex::new(Some(Vec::new())),
            wait: config.wait,
        }
    }

    /// For one short read.
    pub(crate) async fn lend<T>(&self, read: impl AsyncFnOnce(&mut AnyConnection) -> Result<T>) -> Result<T> {
        let _permit = self.permit(&self.short).await?;
        let at_hand = self.at_hand().as_mut().and_then(Vec::pop);
        let mut connection = match at_hand {
            Some(connection) => connection,
            None => acquire(&self.pool).await?,
        };
        let outcome = read(&mut connection).await;
        if self.engine == Engine::Sqlite
            && outcome.is_ok()
            && let Some(at_hand) = self.at_hand().as_mut()
        {
            at_hand.push(connection);
        }
        outcome
    }

    /// One consistent state, for as long as it takes to read all of it.
    pub(crate) async fn snapshot<T, E: From<StoreError>>(
        &self,
        read: impl AsyncFnOnce(&mut AnyConnection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let _permit = self.permit(&self.long).await?;
        let mut snapshot = Write::begin(&self.pool, self.engine.begin_snapshot()).await?;
        let connection = snapshot.enter()?;
        sqlx::raw_sql(self.engine.patience()).execute(&mut *connection).await.map_err(unavailable)?;
        let outcome = read(connection).await?;
        snapshot.settle(Ok(()))?;
        snapshot.rollback().await?;
        Ok(outcome)
    }

    /// Closes them once nobody reads any more.
    pub(crate) async fn close(&self) {
        let at_hand = self.at_hand().take();
        let closing = self.pool.close();
        drop(at_hand);
        closing.await;
    }

    async fn permit<'a>(&self, of: &'a Semaphore) -> Result<SemaphorePermit<'a>> {
        timeout(self.wait, of.acquire()).await.map_err(unavailable)?.map_err(unavailable)
    }

    fn at_hand(&self) -> MutexGuard<'_, Option<Vec<PoolConnection<Any>>>> {
        // Nobody panics while holding it.
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        // Going back to a pool takes a runtime, and there may be none any more.
        for connection in self.at_hand().take().into_iter().flatten() {
            drop(connection.leak());
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Sql;
    use crate::{SqlStore, StoreConfig};

    async fn opened(folder: &tempfile::TempDir) -> SqlStore {
        let store = SqlStore::open(&StoreConfig::data_dir(folder.path())).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    async fn looks(store: &SqlStore) -> Result<u64> {
        ambit_core::store::Store::revision(store).await
    }

    fn at_hand(store: &SqlStore) -> usize {
        store.pools.readers.at_hand().as_ref().unwrap().len()
    }

    #[tokio::test]
    async fn only_a_connection_whose_read_came_to_its_end_is_kept_at_hand() {
        let folder = tempfile::tempdir().unwrap();
        let store = opened(&folder).await;
        let failed = store.read(async |connection| Sql::new("SELECT nothing").optional(connection).await).await;
        assert!(failed.is_err());
        assert_eq!(at_hand(&store), 0);
        looks(&store).await.unwrap();
        assert_eq!(at_hand(&store), 1);
        let given_up = store.read(async |_| std::future::pending::<Result<()>>().await);
        assert!(timeout(Duration::from_millis(1), given_up).await.is_err());
        assert_eq!(at_hand(&store), 0);
        looks(&store).await.unwrap();
    }

    #[tokio::test]
    async fn more_read_at_once_than_there_are_connections_and_long_reads_keep_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let store = opened(&folder).await;
        let readers = &store.pools.readers;
        let (first, second) = (Write::begin(&readers.pool, "BEGIN"), Write::begin(&readers.pool, "BEGIN"));
        let long = (first.await.unwrap(), second.await.unwrap());
        let all = futures_util::future::join_all((0..50).map(|_| looks(&store))).await;
        assert!(all.iter().all(Result::is_ok));
        assert!((1..=4).contains(&at_hand(&store)), "{}", at_hand(&store));
        drop(long);
        store.close().await;
        assert!(matches!(looks(&store).await, Err(StoreError::Unavailable(_))));
    }

    #[test]
    fn a_store_may_outlive_its_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = runtime.block_on(async {
            let store = opened(&folder).await;
            looks(&store).await.unwrap();
            store
        });
        assert_eq!(at_hand(&store), 1);
        drop(runtime);
        drop(store);
    }
}
