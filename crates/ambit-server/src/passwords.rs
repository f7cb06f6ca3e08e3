//! Where passwords are hashed: on a few threads of their own, of low priority, behind a bounded queue.
//!
//! One hash takes tens of milliseconds and 19 MiB, thousands of times as much as a service's token. So however many sign in at
//! once, so many at a time are looked at, the others wait for a while, and who would wait too long is told to come again. Tokens
//! of services are made on other threads, and what those need comes first.

use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambit_core::entropy::Entropy;
use ambit_core::password::{self, HashError, KeptPassword, Password, Verdict};
use tokio::sync::oneshot;

use crate::config::Passwords as Settings;

/// The threads.
#[derive(Debug)]
pub struct Passwords {
    jobs: SyncSender<Job>,
    patience: Duration,
}

/// Why nothing can be said about a password.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Too many are waiting, or it took too long.
    #[error("too many passwords are being looked at")]
    Busy,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] HashError),
}

enum Job {
    Verify(Password, KeptPassword, oneshot::Sender<Result<Verdict, HashError>>),
    Hash(Password, oneshot::Sender<Result<KeptPassword, HashError>>),
}

impl Passwords {
    /// Starts the threads. They end when this is dropped.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(settings: &Settings, entropy: &Arc<dyn Entropy>) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(settings.queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        for number in 0..settings.workers.min(processors) {
            let (waiting, entropy) = (Arc::clone(&waiting), Arc::clone(entropy));
            std::thread::Builder::new().name(format!("passwords-{number}")).spawn(move || work(&waiting, &*entropy))?;
        }
        Ok(Self { jobs, patience: settings.patience })
    }

    /// Whether a password is the one that is kept. Where nothing is kept, the work is done all the same, and it is wrong.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn verify(&self, password: Password, kept: Option<KeptPassword>) -> Result<Verdict, Unanswered> {
        let is_there = kept.is_some();
        let kept = kept.unwrap_or_else(KeptPassword::nobodys);
        let verdict = self.answer(|answer| Job::Verify(password, kept, answer)).await?;
        Ok(if is_there { verdict } else { Verdict::Wrong })
    }

    /// What is to be kept of a password.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn hash(&self, password: Password) -> Result<KeptPassword, Unanswered> {
        self.answer(|answer| Job::Hash(password, answer)).await
    }

    async fn answer<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, HashError>>) -> Job) -> Result<T, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.jobs.try_send(job(answer)).map_err(|_| Unanswered::Busy)?;
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(answer)) => Ok(answer?),
            // A thread that panicked has said so in the log, and has dropped its answer.
            Ok(Err(_)) | Err(_) => Err(Unanswered::Busy),
        }
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, entropy: &dyn Entropy) {
    // Where the system does not let a thread stand back, it does the same work, only less politely.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "passwords are hashed at the priority of everything else");
    }
    loop {
        // Nobody panics while holding it, and the lock is let go before the work begins.
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic of one job, which the hook has logged, must not take the thread from all those behind it.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.run(entropy)));
        drop(done);
    }
}

impl Job {
    fn run(self, entropy: &dyn Entropy) {
        // Whoever has gone meanwhile costs nothing more; whoever goes during the work is not missed.
        match self {
            Self::Verify(password, kept, answer) if !answer.is_closed() => {
                drop(answer.send(password::verify(&password, &kept)));
            }
            Self::Hash(password, answer) if !answer.is_closed() => {
                drop(answer.send(password::hash(&password, entropy)));
            }
            Self::Verify(..) | Self::Hash(..) => {}
        }
    }
}

/// The most there is: whoever wakes to answer a request and has just answered another has used a little more than its share
/// by then, the less the lower the priority of who hashes, and is only let in before the next tick once that is made up for.
/// Where requests keep a processor busy all the time, one part in seventy is left for passwords.
const NICENESS: i32 = 19;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn pool(workers: usize, queue: usize, patience: Duration) -> Passwords {
        Passwords::start(&Settings { workers, queue, patience }, &(Arc::new(SystemEntropy) as Arc<dyn Entropy>))
            .expect("threads")
    }

    fn password(text: &str) -> Password {
        Password::new(text).expect("a password")
    }

    #[tokio::test]
    async fn a_password_is_hashed_and_verified_and_nobodys_is_wrong() {
        let pool = pool(2, 8, Duration::from_mins(1));
        let kept = pool.hash(password("a long enough password")).await.unwrap();
        let verify = |text, kept| pool.verify(password(text), kept);
        assert_eq!(verify("a long enough password", Some(kept.clone())).await.unwrap(), Verdict::Right);
        assert_eq!(verify("another long password", Some(kept)).await.unwrap(), Verdict::Wrong);
        assert_eq!(verify("a long enough password", None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once_and_what_was_given_up_costs_nothing() {
        // No thread takes anything out of the queue.
        let pool = pool(0, 2, Duration::from_millis(20));
        let all = futures_util::future::join_all((0..5).map(|_| pool.hash(password("x")))).await;
        assert!(all.iter().all(|answer| matches!(answer, Err(Unanswered::Busy))));
        // The two that had a place have given up, and a thread that comes to them does nothing for them.
        let (answer, answered) = oneshot::channel();
        drop(answered);
        let started =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Job::Hash(password("x"), answer).run(&Forbidden)));
        assert!(started.is_ok());
    }

    /// attacks.md C10 247: how long it takes would tell who has a password.
    #[tokio::test]
    async fn nobodys_password_is_as_much_work_as_anybodys() {
        let kept = pool(1, 1, Duration::from_mins(1)).hash(password("x")).await.unwrap();
        // No thread does any, and whoever needs some is not answered.
        let pool = pool(0, 2, Duration::from_millis(20));
        for kept in [Some(kept), None] {
            assert!(matches!(pool.verify(password("x"), kept).await, Err(Unanswered::Busy)));
        }
    }

    /// Randomness that nobody may ask for.
    #[derive(Debug)]
    struct Forbidden;

    impl Entropy for Forbidden {
        fn fill(&self, _: &mut [u8]) {
            panic!("nothing is to be hashed");
        }
    }
}
