//! A bounded cache that never keeps what a change has overtaken, and remembers for a while what is not there.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambit_core::store::StoreError;

/// Things by name.
pub(super) struct Cache<V> {
    found: moka::sync::Cache<Arc<str>, Arc<V>>,
    missing: moka::sync::Cache<Arc<str>, ()>,
    seen: Arc<Mutex<u64>>,
    loading: Box<[tokio::sync::Mutex<()>]>,
    hasher: RandomState,
}

impl<V: Send + Sync + 'static> Cache<V> {
    pub(super) fn new(capacity: u64, missing: u64, seen: Arc<Mutex<u64>>) -> Self {
        Self {
            found: moka::sync::Cache::new(capacity),
            missing: moka::sync::Cache::builder().max_capacity(missing).time_to_live(MISSING_FOR).build(),
            seen,
            loading: (0..STRIPES).map(|_| tokio::sync::Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// What is kept, or what `load` finds. Of those who ask for the same name at once, one loads and the others wait.
    pub(super) async fn get_or_load<F, Fut>(&self, key: &str, load: F) -> Result<Option<Arc<V>>, StoreError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Option<V>, StoreError>>,
    {
        if let Some(found) = self.found.get(key) {
            return Ok(Some(found));
        }
        if self.missing.contains_key(key) {
            return Ok(None);
        }
        #[expect(clippy::cast_possible_truncation, reason = "any of the stripes will do")]
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        let _alone = self.loading[stripe].lock().await;
        if let Some(found) = self.found.get(key) {
            return Ok(Some(found));
        }
        loop {
            let before = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let loaded = load().await?.map(Arc::new);
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen != before {
                continue;
            }
            match &loaded {
                Some(found) => self.found.insert(key.into(), found.clone()),
                None => self.missing.insert(key.into(), ()),
            }
            return Ok(loaded);
        }
    }

    pub(super) fn forget(&self, key: &str) {
        self.found.invalidate(key);
        self.missing.invalidate(key);
    }

    pub(super) fn forget_all(&self) {
        self.found.invalidate_all();
        self.missing.invalidate_all();
    }

    pub(super) fn len(&self) -> u64 {
        self.found.entry_count()
    }
}

const STRIPES: usize = 64;

/// What is registered on another node shows there within a quarter of a second; this is for names nobody registers.
const MISSING_FOR: Duration = Duration::from_mins(1);
