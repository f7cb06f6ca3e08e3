//! A bounded cache that never keeps what a change has overtaken, and remembers for a while what is not there.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambit_core::store::StoreError;
use ambit_core::time::Clock;
use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;

/// How a cache is used, for those who watch.
#[derive(Debug, Clone, Copy)]
pub struct CacheUse {
    /// What it holds.
    pub name: &'static str,
    /// Look-ups that found the thing.
    pub hits: u64,
    /// Look-ups that found that there is no such thing.
    pub absent_hits: u64,
    /// Look-ups that had to load.
    pub misses: u64,
    /// How many things it holds.
    pub found: u64,
    /// How many names it holds of things that are not there.
    pub absent: u64,
}

/// What the caches of a registry share.
#[derive(Clone)]
pub(super) struct Shared {
    /// The newest revision of which all that it changed was forgotten.
    pub(super) seen: Arc<Mutex<u64>>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Things by name.
pub(super) struct Cache<V> {
    name: &'static str,
    found: quick_cache::sync::Cache<Arc<str>, Arc<V>>,
    /// Until when, by the steady clock. Anybody can name what is not there, so these are hashed with a secret.
    missing: quick_cache::sync::Cache<Arc<str>, Duration, UnitWeighter, RandomState>,
    shared: Shared,
    loading: Box<[tokio::sync::Mutex<()>]>,
    hasher: RandomState,
    hits: AtomicU64,
    absent_hits: AtomicU64,
    misses: AtomicU64,
}

impl<V: Send + Sync + 'static> Cache<V> {
    pub(super) fn new(name: &'static str, capacity: usize, missing: usize, shared: &Shared) -> Self {
        Self {
            name,
            found: quick_cache::sync::Cache::new(capacity),
            missing: quick_cache::sync::Cache::with(
                missing,
                missing as u64,
                UnitWeighter,
                RandomState::new(),
                DefaultLifecycle::default(),
            ),
            shared: shared.clone(),
            loading: (0..STRIPES).map(|_| tokio::sync::Mutex::new(())).collect(),
            hasher: RandomState::new(),
            hits: AtomicU64::new(0),
            absent_hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What is kept, or what `load` finds. Of those who ask for the same name at once, one loads and the others wait.
    pub(super) async fn get_or_load<F, Fut>(&self, key: &str, load: F) -> Result<Option<Arc<V>>, StoreError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Option<V>, StoreError>>,
    {
        match self.kept(key) {
            Some(kept) => Ok(kept),
            // Loading is rare and its future large: it must not make every request's future large, which are moved about.
            None => Box::pin(self.load(key, load)).await,
        }
    }

    /// What is known of a name without asking the store: that it is there, or that it is not.
    #[expect(clippy::option_option, reason = "known to be missing is not unknown")]
    fn kept(&self, key: &str) -> Option<Option<Arc<V>>> {
        if let Some(found) = self.found.get(key) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Some(Some(found));
        }
        let is_missing = self.missing.get(key).is_some_and(|until| self.shared.clock.steady() < until);
        if is_missing { &self.absent_hits } else { &self.misses }.fetch_add(1, Ordering::Relaxed);
        is_missing.then_some(None)
    }

    async fn load<F, Fut>(&self, key: &str, load: F) -> Result<Option<Arc<V>>, StoreError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Option<V>, StoreError>>,
    {
        #[expect(clippy::cast_possible_truncation, reason = "any of the stripes will do")]
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        let _alone = self.loading[stripe].lock().await;
        if let Some(found) = self.found.get(key) {
            return Ok(Some(found));
        }
        loop {
            let before = *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let loaded = load().await?.map(Arc::new);
            let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen != before {
                continue;
            }
            match &loaded {
                Some(found) => self.found.insert(key.into(), found.clone()),
                None => self.missing.insert(key.into(), self.shared.clock.steady() + MISSING_FOR),
            }
            return Ok(loaded);
        }
    }

    pub(super) fn forget(&self, key: &str) {
        self.found.remove(key);
        self.missing.remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.found.clear();
        self.missing.clear();
    }

    pub(super) fn cache_use(&self) -> CacheUse {
        CacheUse {
            name: self.name,
            hits: self.hits.load(Ordering::Relaxed),
            absent_hits: self.absent_hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            found: self.found.len() as u64,
            absent: self.missing.len() as u64,
        }
    }
}

const STRIPES: usize = 64;

/// What is registered on another node shows there within a quarter of a second; this is for names nobody registers.
const MISSING_FOR: Duration = Duration::from_mins(1);
