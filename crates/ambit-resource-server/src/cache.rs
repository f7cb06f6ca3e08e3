//! Tokens whose signature was verified lately, so that the next request with the same token costs a look and not a
//! signature.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use quick_cache::sync::Cache;

use crate::verify::VerifiedToken;

/// A bounded memory of verified tokens. Only tokens that somebody with a trusted key signed get into it.
///
/// They are found by their whole text. To hash it so that no two texts have one hash would take longer than all else that is
/// done for a token that was seen before.
pub(crate) struct TokenCache(Cache<Box<str>, Entry>);

#[derive(Clone)]
struct Entry {
    token: Arc<VerifiedToken>,
    until: Timestamp,
}

impl TokenCache {
    /// For so many tokens; none at all with 0.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(crate) fn find(&self, text: &str, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let entry = self.0.get(text)?;
        if now < entry.until {
            return Some(entry.token);
        }
        self.remove(text);
        None
    }

    /// Keeps it for no longer than `at_most`.
    pub(crate) fn insert(&self, text: &str, token: Arc<VerifiedToken>, now: Timestamp, at_most: Duration) {
        self.0.insert(text.into(), Entry { token, until: now + at_most });
    }

    pub(crate) fn remove(&self, text: &str) {
        self.0.remove(text);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("entries", &self.len()).finish_non_exhaustive()
    }
}
