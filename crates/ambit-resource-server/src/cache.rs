//! Tokens whose signature was verified lately, so that the next request with the same token costs a hash and not a
//! signature.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest;
use moka::Expiry;
use moka::sync::Cache;

use crate::verify::VerifiedToken;

/// The SHA-256 of a token's text: two tokens with the same one would have to be two texts with the same hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(token: &str) -> Self {
        let mut octets = [0; 32];
        // SHA-256 has 32 octets.
        octets.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(octets)
    }
}

/// A bounded memory of verified tokens. Only tokens that somebody with a trusted key signed get into it.
pub(crate) struct TokenCache(Cache<Digest, Entry, BuildHasherDefault<FirstOctets>>);

#[derive(Clone)]
struct Entry {
    token: Arc<VerifiedToken>,
    keep_for: Duration,
}

impl TokenCache {
    /// For so many tokens; none at all with 0.
    pub(crate) fn new(capacity: u64) -> Self {
        Self(
            Cache::builder()
                .max_capacity(capacity)
                .expire_after(UntilExpiry)
                .build_with_hasher(BuildHasherDefault::default()),
        )
    }

    pub(crate) fn find(&self, digest: Digest) -> Option<Arc<VerifiedToken>> {
        self.0.get(&digest).map(|entry| entry.token)
    }

    /// Keeps it until it expires, and no longer than `at_most`.
    pub(crate) fn insert(&self, digest: Digest, token: Arc<VerifiedToken>, now: Timestamp, at_most: Duration) {
        let left = token.claims().exp.saturating_sub(now.secs());
        let keep_for = Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(at_most);
        if !keep_for.is_zero() {
            self.0.insert(digest, Entry { token, keep_for });
        }
    }

    pub(crate) fn remove(&self, digest: Digest) {
        self.0.invalidate(&digest);
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("entries", &self.0.entry_count()).finish_non_exhaustive()
    }
}

/// When an entry leaves: this frees memory. Whether a token is still good is asked at each use, by the API's own clock.
struct UntilExpiry;

impl Expiry<Digest, Entry> for UntilExpiry {
    fn expire_after_create(&self, _: &Digest, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.keep_for)
    }
}

/// A SHA-256 needs no hashing: its first octets are as good.
#[derive(Default)]
pub(crate) struct FirstOctets(u64);

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_ne_bytes(first));
    }
}

impl Hasher for FirstOctets {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, first: u64) {
        self.0 = first;
    }
}
