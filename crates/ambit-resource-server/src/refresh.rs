//! One document of an issuer, kept in memory and kept fresh.
//!
//! 1. While it is fresh (as long as the issuer says, within bounds), it is used.
//! 2. For [`Policy::revalidate`] longer it is used *and* fetched anew in the background.
//! 3. After that a request waits for the fetch. Where the last fetch failed nobody waits: what is there is used, at most
//!    [`Policy::max_age`] after the issuer last confirmed it, and fetching goes on in the background.
//! 4. Beyond that there is nothing, and whoever needs it is refused.
//!
//! At most one fetch runs at a time, and none starts within [`Policy::min_interval`] of the start of the one before,
//! whoever asks and however often. Those who wait are few (`MAX_WAITING`) and wait no longer than `WAIT_TIME`.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::fetch::{FetchError, fresh_until};
use crate::hooks::{BoxFuture, Clock};

/// How a document is had.
pub trait Load: fmt::Debug + Send + Sync + 'static {
    /// What it is, read.
    type Value: fmt::Debug + Send + Sync + 'static;

    /// What it is, for the log.
    const WHAT: &'static str;

    /// Fetches it. What is unchanged must come back as the same [`Arc`].
    fn load(&self, held: Option<Arc<Held<Self::Value>>>, now: Timestamp) -> BoxFuture<'_, Loading<Self::Value>>;
}

/// A document as it arrives, or why not.
pub type Loading<T> = Result<Loaded<T>, FetchError>;

/// A document as it arrived.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What it is, read.
    pub value: Arc<T>,
    /// Its `ETag`.
    pub etag: Option<String>,
    /// How long the issuer says it is fresh.
    pub max_age: Option<Duration>,
}

/// A document as it is kept.
#[derive(Debug)]
pub struct Held<T> {
    /// What it is, read.
    pub value: Arc<T>,
    /// Its `ETag`.
    pub etag: Option<String>,
    confirmed_at: Timestamp,
    fresh_until: Timestamp,
}

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// From the start of one fetch to the start of the next, at least.
    pub min_interval: Duration,
    /// How long one that is no longer fresh is used while it is fetched anew.
    pub revalidate: Duration,
    /// How long one is used that cannot be fetched anew.
    pub max_age: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(5),
            revalidate: Duration::from_mins(1),
            // An issuer that cannot be reached mints no tokens, and those it minted before live an hour.
            max_age: Duration::from_hours(2),
        }
    }
}

/// A document that is kept fresh. Cloning shares it.
#[derive(Debug)]
pub struct Refreshed<L: Load>(Arc<Inner<L>>);

#[derive(Debug)]
struct Inner<L: Load> {
    loader: L,
    policy: Policy,
    clock: Clock,
    held: ArcSwapOption<Held<L::Value>>,
    flight: Mutex<Flight>,
    landed: watch::Sender<()>,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Flight {
    running: bool,
    started_at: Option<Timestamp>,
    last_failed: bool,
}

impl<L: Load> Refreshed<L> {
    /// Nothing yet: the first who asks starts the first fetch.
    #[must_use]
    pub fn new(loader: L, policy: Policy, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            loader,
            policy,
            clock,
            held: ArcSwapOption::empty(),
            flight: Mutex::default(),
            landed: watch::Sender::new(()),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// What may be used now. None: [`Refreshed::refresh`] first, and if there is still nothing, there is nothing. Either
    /// way a fetch is on its way where one is due.
    pub fn current(&self, now: Timestamp) -> Option<Arc<L::Value>> {
        let held = self.0.held.load();
        let Some(held) = held.as_ref() else {
            self.start(&mut self.0.flight(), now);
            return None;
        };
        // A clock that went back makes nothing fresh for ever.
        if held.confirmed_at <= now && now < held.fresh_until {
            return Some(Arc::clone(&held.value));
        }
        let policy = self.0.policy;
        let age = distance(held.confirmed_at, now);
        let freshness = distance(held.confirmed_at, held.fresh_until);
        let may_wait = age > freshness + policy.revalidate && self.0.waiting.load(Ordering::Relaxed) < MAX_WAITING;
        let mut flight = self.0.flight();
        self.start(&mut flight, now);
        let must_wait = may_wait && !flight.last_failed;
        (age <= policy.max_age && !must_wait).then(|| Arc::clone(&held.value))
    }

    /// Waits for a fetch: for the one that runs, or for a new one where that may start.
    pub async fn refresh(&self) {
        let Some(_place) = Place::take(&self.0.waiting) else { return };
        let mut landed = {
            let mut flight = self.0.flight();
            self.start(&mut flight, self.0.clock.now());
            if !flight.running {
                return;
            }
            // Before the lock is gone, so that the landing cannot be missed.
            self.0.landed.subscribe()
        };
        // Neither outcome matters: the caller looks at what there is now.
        let _ = tokio::time::timeout(WAIT_TIME, landed.changed()).await;
    }

    /// Starts a fetch if none runs and the last one began long enough ago.
    fn start(&self, flight: &mut Flight, now: Timestamp) {
        let too_soon = flight.started_at.is_some_and(|at| distance(at, now) < self.0.policy.min_interval);
        if flight.running || too_soon {
            return;
        }
        // A task of its own: the request that happened to start it may go away.
        let Ok(runtime) = Handle::try_current() else { return };
        flight.running = true;
        flight.started_at = Some(now);
        let landing = Landing { inner: Arc::clone(&self.0), succeeded: false };
        runtime.spawn(landing.fly(now));
    }
}

impl<L: Load> Inner<L> {
    fn flight(&self) -> MutexGuard<'_, Flight> {
        // Each change of a flight is whole by itself: one that panicked left nothing half done.
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Load> Clone for Refreshed<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Ends a flight, also when it panics or its runtime is shut down.
struct Landing<L: Load> {
    inner: Arc<Inner<L>>,
    succeeded: bool,
}

impl<L: Load> Landing<L> {
    async fn fly(mut self, now: Timestamp) {
        let held = self.inner.held.load_full();
        match self.inner.loader.load(held, now).await {
            Ok(Loaded { value, etag, max_age }) => {
                // The moment the fetch began: what the issuer said later than that is newer, not older.
                let held = Held { value, etag, confirmed_at: now, fresh_until: fresh_until(now, max_age) };
                self.inner.held.store(Some(Arc::new(held)));
                self.succeeded = true;
            }
            Err(error) => tracing::warn!(%error, "{} not refreshed", L::WHAT),
        }
    }
}

impl<L: Load> Drop for Landing<L> {
    fn drop(&mut self) {
        let mut flight = self.inner.flight();
        flight.running = false;
        flight.last_failed = !self.succeeded;
        drop(flight);
        self.inner.landed.send_replace(());
    }
}

/// A place among those who wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        // Counted before it is compared, so that the limit holds under any number of threads.
        (waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn distance(a: Timestamp, b: Timestamp) -> Duration {
    Duration::from_millis(a.millis().abs_diff(b.millis()))
}

/// How many requests wait for one document at a time.
const MAX_WAITING: usize = 256;
/// How long a request waits for a document.
const WAIT_TIME: Duration = Duration::from_secs(5);
