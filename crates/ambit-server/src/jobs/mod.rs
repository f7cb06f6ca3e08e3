//! What the server does by the clock: a list of jobs. Each is a function that does its work once, at a moment it is handed: the
//! settled one, since what a job does is not undone when a clock is set right.
//!
//! 1. Each job has a turn of its own, so that one that takes long or fails holds no other up.
//! 2. A run that fails, or meets a fault of the program, is counted and logged, and the next turn tries again. While it goes on
//!    failing the log is told ever more rarely.
//! 3. All nodes have all jobs. What only one may do is decided in a transaction, where the second one finds it done.

mod certificate;
mod expired;
mod journal;
mod keys;
mod logout;
mod refresh;

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::state::App;
pub(crate) use keys::ensure_algorithm;

/// Something that is done again and again.
#[derive(Debug)]
pub struct Job {
    /// Its name, in the log and in the metrics.
    pub name: &'static str,
    /// How often.
    pub every: Duration,
    /// Does it once.
    pub run: fn(&App, Timestamp) -> BoxFuture<'_, Result<(), JobError>>,
}

/// Why a job could not do its work.
pub type JobError = Box<dyn Error + Send + Sync>;

/// Every job. Each has a test that runs it once with a moved clock.
pub static JOBS: [Job; 6] = [
    // A change on one node decides tokens on the others within a quarter of a second.
    Job { name: "refresh", every: Duration::from_millis(250), run: |app, _| refresh::refresh(app).boxed() },
    // OpenID Connect Back-Channel Logout 1.0: an application learns of a logout within a second or two.
    Job { name: "logout", every: Duration::from_secs(1), run: |app, _| logout::tell(app).boxed() },
    Job { name: "certificate", every: Duration::from_secs(5), run: |app, _| certificate::refresh(app).boxed() },
    Job { name: "keys", every: Duration::from_mins(1), run: |app, now| keys::look_after(app, now).boxed() },
    Job { name: "expired", every: Duration::from_mins(1), run: |app, now| expired::forget(app, now).boxed() },
    Job { name: "journal", every: Duration::from_mins(1), run: |app, now| journal::purge(app, now).boxed() },
];

/// Runs all jobs until it is dropped.
pub async fn run(app: App) {
    let mut turns = JoinSet::new();
    for job in &JOBS {
        turns.spawn(take_turns(app.clone(), job));
    }
    // No turn ends by itself: this waits until it is dropped, and takes them along.
    while turns.join_next().await.is_some() {}
}

async fn take_turns(app: App, job: &'static Job) {
    let mut turns = tokio::time::interval(job.every);
    // After a run that took longer than its turn nothing is made up for.
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures: u64 = 0;
    loop {
        turns.tick().await;
        match attempt(&app, job).await {
            Ok(()) if failures > 0 => {
                tracing::info!(job = job.name, failures, "a job does its work again");
                failures = 0;
            }
            Ok(()) => {}
            Err(error) => {
                failures += 1;
                if failures.is_power_of_two() {
                    tracing::error!(job = job.name, failures, error = &*error, "a job failed and is tried again");
                }
            }
        }
    }
}

/// Runs a job once, and counts how that ended.
///
/// # Errors
/// Those of the job; a fault of the program among them.
pub async fn attempt(app: &App, job: &Job) -> Result<(), JobError> {
    let now = app.settled.moment(&*app.clock);
    // What it left half done is in a transaction that is dropped.
    let outcome = AssertUnwindSafe((job.run)(app, now)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err("a fault in the program; it has its own line in the log".into()));
    app.metrics.job_ran(job, outcome.is_ok().then(|| app.clock.now()));
    outcome
}
