//! Tokens whose signature was verified lately, so that the next request with the same token costs a short hash and not a
//! signature.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::verify::VerifiedToken;

/// A text that is presented for a token, as it is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) text: &'a str,
    signed: &'a str,
    signature: [u8; 32],
}

impl<'a> Presented<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        // RFC 7515 §7.1: what is signed, a dot and the signature.
        let (signed, signature) = text.rsplit_once('.').unwrap_or((text, ""));
        let mut octets = [0; 32];
        // SHA-256 has 32 octets.
        octets.copy_from_slice(digest::digest(&digest::SHA256, signature.as_bytes()).as_ref());
        Self { text, signed, signature: octets }
    }
}

/// What is kept of a token: what was signed, and the SHA-256 of its signature. Nobody can use it without that. The hash of the
/// whole would say as much, and take five times as long.
#[derive(PartialEq, Eq)]
struct Kept {
    signed: Box<str>,
    signature: [u8; 32],
}

impl Hash for Presented<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.signature.hash(state);
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.signature.hash(state);
    }
}

impl Equivalent<Kept> for Presented<'_> {
    fn equivalent(&self, kept: &Kept) -> bool {
        self.signature == kept.signature && *self.signed == *kept.signed
    }
}

/// A bounded memory of verified tokens. Only tokens that somebody with a trusted key signed get into it.
pub(crate) struct TokenCache(Cache<Kept, Entry>);

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

    pub(crate) fn find(&self, presented: Presented<'_>, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let entry = self.0.get(&presented)?;
        if now < entry.until {
            return Some(entry.token);
        }
        self.remove(presented);
        None
    }

    /// Keeps it for no longer than `at_most`.
    pub(crate) fn insert(
        &self,
        presented: Presented<'_>,
        token: Arc<VerifiedToken>,
        now: Timestamp,
        at_most: Duration,
    ) {
        let kept = Kept { signed: presented.signed.into(), signature: presented.signature };
        self.0.insert(kept, Entry { token, until: now + at_most });
    }

    pub(crate) fn remove(&self, presented: Presented<'_>) {
        self.0.remove(&presented);
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
