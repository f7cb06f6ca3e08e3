//! Trying again, where that is safe: the whole transaction was rolled back because another stood in its way.

use std::time::Duration;

use crate::error::{Result, is_contention, unavailable};

/// Runs `attempt` until it does not fail by contention, five times at most, with growing pauses of random length.
pub(crate) async fn retrying<T, F>(mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tries = 0;
    loop {
        match attempt().await {
            Err(error) if tries < RETRIES && is_contention(&error) => {
                tracing::debug!(tries, "a transaction gave way to another and is tried again");
                tokio::time::sleep(pause(tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

/// Waits for `work`, but no longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(unavailable(format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// Between half and the whole of 5, 10, 20, 40 ms: two that collided do not collide again in step.
#[expect(clippy::disallowed_methods, reason = "the length of a pause decides nothing that is replayed or tested")]
fn pause(tries: u32) -> Duration {
    let longest = 5_000_u64 << tries;
    // Without randomness the pause is merely not spread.
    let spread = getrandom::u64().unwrap_or(0) % (longest / 2);
    Duration::from_micros(longest - spread)
}

const RETRIES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_short() {
        for tries in 0..RETRIES {
            let longest = Duration::from_millis(5 << tries);
            let pause = pause(tries);
            assert!(pause <= longest && pause > longest / 2);
        }
    }

    #[tokio::test]
    async fn what_takes_too_long_is_unavailable() {
        let forever = std::future::pending::<Result<()>>();
        assert!(matches!(
            within(Duration::from_millis(1), forever).await,
            Err(ambit_core::store::StoreError::Unavailable(_))
        ));
    }

    #[tokio::test]
    async fn other_errors_are_not_tried_again() {
        let mut tries = 0;
        let failed: Result<()> = retrying(|| {
            tries += 1;
            async { Err(unavailable("no")) }
        })
        .await;
        assert!(failed.is_err());
        assert_eq!(tries, 1);
    }
}
