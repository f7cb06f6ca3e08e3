//! Small writes that share a commit.
//!
//! Revoking a token or using an assertion must be durable before it is answered, and a commit costs a trip to the disk.
//! Whatever arrives while one commit is on its way goes into the next one together: one trip for all of them.

use ambit_core::store::{Revocation, StoreError};
use ambit_protocol::time::Timestamp;
use sqlx::{AnyConnection, AnyPool};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Result, unavailable};
use crate::once;
use crate::pool::{Engine, Pools};
use crate::retry::retrying;
use crate::write::Write;

/// A small write.
#[derive(Debug)]
pub(crate) enum Small {
    /// Ordered first: see [`ordered`].
    Assertion {
        digest: Vec<u8>,
        expires_at: Timestamp,
    },
    Revocation(Revocation),
}

/// The way to the one task that commits small writes. The task ends when this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Grouped {
    queue: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    small: Small,
    answer: oneshot::Sender<Result<bool>>,
}

impl Grouped {
    pub(crate) fn start(pools: &Pools) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        tokio::spawn(serve(pools.engine, pools.writer.clone(), requests));
        Self { queue }
    }

    /// Does it durably; whether it was the first time. Whoever gives up waiting does not know whether it was done.
    pub(crate) async fn write(&self, small: Small) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        let closed = || unavailable("the store is closed");
        self.queue.send(Request { small, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

async fn serve(engine: Engine, pool: AnyPool, mut requests: mpsc::Receiver<Request>) {
    let mut group = Vec::new();
    while requests.recv_many(&mut group, GROUP).await > 0 {
        ordered(&mut group);
        match retrying(|| commit(engine, &pool, &group)).await {
            Ok(outcomes) => {
                for (request, first) in group.drain(..).zip(outcomes) {
                    // Whoever does not wait any more has no use for the answer.
                    let _ = request.answer.send(Ok(first));
                }
            }
            Err(error) => {
                let error = std::sync::Arc::new(error);
                for request in group.drain(..) {
                    let _ = request.answer.send(Err(shared(&error)));
                }
            }
        }
    }
}

async fn commit(engine: Engine, pool: &AnyPool, group: &[Request]) -> Result<Vec<bool>> {
    let mut write = Write::begin(pool, engine.begin_write()).await?;
    let outcomes = run(write.enter()?, group).await;
    write.finish(outcomes).await
}

async fn run(connection: &mut AnyConnection, group: &[Request]) -> Result<Vec<bool>> {
    let mut outcomes = Vec::with_capacity(group.len());
    for request in group {
        outcomes.push(match &request.small {
            Small::Assertion { digest, expires_at } => once::use_assertion(connection, digest, *expires_at).await?,
            Small::Revocation(revocation) => {
                once::revoke(connection, revocation).await?;
                true
            }
        });
    }
    Ok(outcomes)
}

/// Every node takes locks in this order, so that no two wait for each other: assertions by their digest, then the counter
/// of revocations. The sort is stable: of two uses of one assertion the earlier is the first.
fn ordered(group: &mut [Request]) {
    group.sort_by(|one, other| match (&one.small, &other.small) {
        (Small::Assertion { digest: one, .. }, Small::Assertion { digest: other, .. }) => one.cmp(other),
        (Small::Assertion { .. }, Small::Revocation(_)) => std::cmp::Ordering::Less,
        (Small::Revocation(_), Small::Assertion { .. }) => std::cmp::Ordering::Greater,
        (Small::Revocation(_), Small::Revocation(_)) => std::cmp::Ordering::Equal,
    });
}

fn shared(error: &std::sync::Arc<StoreError>) -> StoreError {
    unavailable(std::sync::Arc::clone(error))
}

const QUEUE: usize = 1024;
const GROUP: usize = 256;
