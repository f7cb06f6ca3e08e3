//! Small writes that share a commit.
//!
//! Revoking a token, using an assertion, spending a code must be durable before it is answered, and a commit costs a trip to the
//! disk. Whatever arrives while one commit is on its way goes into the next one together: one trip for all of them.

use ambit_core::store::{Revocation, StoreError};
use ambit_protocol::id::{ApplicationId, SessionId, UserId};
use ambit_protocol::time::Timestamp;
use sqlx::{AnyConnection, AnyPool};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Result, is_its_own, unavailable};
use crate::once;
use crate::pool::{Engine, Pools};
use crate::retry::retrying;
use crate::sign_in::Step;
use crate::write::Write;

/// A small write.
#[derive(Debug)]
pub(crate) enum Small {
    SignIn(Box<Step>),
    Assertion { digest: Vec<u8>, expires_at: Timestamp },
    Revocation(Revocation),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done now.
    Done,
    /// It had been done before, and is not done again.
    DoneBefore(Timestamp),
    /// It was not to be done: somebody was quicker, or what it is about is not there.
    Refused,
}

impl Outcome {
    pub(crate) fn is_done(self) -> bool {
        self == Self::Done
    }

    /// Of a statement that changes one row or none.
    pub(crate) const fn of_rows(changed: u64) -> Self {
        if changed == 0 { Self::Refused } else { Self::Done }
    }
}

/// The row that a small write changes and others may change as well. Every node takes them in the order that is written
/// here, and of one kind in the order of their names, so that no two wait for each other; what ends sessions and grants, in
/// `sign_in`, keeps to it too. What a write adds beside it (a code's grant and refresh token) nobody else knows yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Interaction([u8; 32]),
    Session(SessionId),
    LogoutNotice(SessionId, ApplicationId),
    Code([u8; 32]),
    RefreshToken([u8; 32]),
    Consent(UserId, ApplicationId),
    OneTimeToken([u8; 32]),
    Assertion(Vec<u8>),
    RevocationCounter,
}

impl Small {
    fn place(&self) -> Place {
        match self {
            Self::SignIn(step) => step.place(),
            Self::Assertion { digest, .. } => Place::Assertion(digest.clone()),
            Self::Revocation(_) => Place::RevocationCounter,
        }
    }

    async fn run(&self, connection: &mut AnyConnection, engine: Engine) -> Result<Outcome> {
        match self {
            Self::SignIn(step) => step.run(connection, engine).await,
            Self::Assertion { digest, expires_at } => {
                let first = once::use_assertion(connection, digest, *expires_at).await?;
                Ok(if first { Outcome::Done } else { Outcome::Refused })
            }
            Self::Revocation(revocation) => once::revoke(connection, revocation).await.map(|()| Outcome::Done),
        }
    }
}

/// The way to the one task that commits small writes. The task ends when this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Grouped {
    queue: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    small: Small,
    answer: oneshot::Sender<Result<Outcome>>,
}

impl Grouped {
    pub(crate) fn start(pools: &Pools) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        tokio::spawn(serve(pools.engine, pools.writer.clone(), requests));
        Self { queue }
    }

    /// Does it durably, and tells what became of it. Whoever gives up waiting does not know whether it was done.
    pub(crate) async fn write(&self, small: Small) -> Result<Outcome> {
        let (answer, answered) = oneshot::channel();
        let closed = || unavailable("the store is closed");
        self.queue.send(Request { small, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

async fn serve(engine: Engine, pool: AnyPool, mut requests: mpsc::Receiver<Request>) {
    let mut group = Vec::new();
    while requests.recv_many(&mut group, GROUP).await > 0 {
        // The sort is stable: of two uses of one assertion the earlier is the first.
        group.sort_by_cached_key(|request| request.small.place());
        match retrying(|| commit(engine, &pool, &group)).await {
            // One of them cannot be done, and took the others with it: each by itself then.
            Err(error) if group.len() > 1 && is_its_own(&error) => {
                for request in group.drain(..) {
                    let alone = std::slice::from_ref(&request);
                    let outcome = retrying(|| commit(engine, &pool, alone)).await.map(|outcomes| outcomes[0]);
                    // Whoever does not wait any more has no use for the answer.
                    let _ = request.answer.send(outcome);
                }
            }
            Err(error) if group.len() == 1 => {
                let _ = group.remove(0).answer.send(Err(error));
            }
            Err(error) => {
                let error = std::sync::Arc::new(error);
                for request in group.drain(..) {
                    let _ = request.answer.send(Err(shared(&error)));
                }
            }
            Ok(outcomes) => {
                for (request, outcome) in group.drain(..).zip(outcomes) {
                    let _ = request.answer.send(Ok(outcome));
                }
            }
        }
    }
}

/// An outcome for each, in their order.
async fn commit(engine: Engine, pool: &AnyPool, group: &[Request]) -> Result<Vec<Outcome>> {
    let mut write = Write::begin(pool, engine.begin_write()).await?;
    let outcomes = run(write.enter()?, engine, group).await;
    write.finish(outcomes).await
}

async fn run(connection: &mut AnyConnection, engine: Engine, group: &[Request]) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(group.len());
    for request in group {
        outcomes.push(request.small.run(connection, engine).await?);
    }
    Ok(outcomes)
}

fn shared(error: &std::sync::Arc<StoreError>) -> StoreError {
    unavailable(std::sync::Arc::clone(error))
}

const QUEUE: usize = 1024;
const GROUP: usize = 256;
