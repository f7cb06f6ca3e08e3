//! Tokens whose signature was verified lately, so that the next request with the same token costs a short hash and not a
//! signature.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest;
use quick_cache::sync::Cache;

use crate::verify::VerifiedToken;

/// The text of a token, in the two parts by which it is found.
#[derive(Clone, Copy)]
pub(crate) struct TokenText<'a> {
    pub(crate) whole: &'a str,
    signed: &'a str,
    signature: SignatureHash,
}

type SignatureHash = [u8; 32];

impl<'a> TokenText<'a> {
    pub(crate) fn new(whole: &'a str) -> Self {
        // RFC 7515 §7.1: what is signed, a dot and the signature.
        let (signed, text) = whole.rsplit_once('.').unwrap_or((whole, ""));
        let mut signature = [0; 32];
        // SHA-256 has 32 octets.
        signature.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self { whole, signed, signature }
    }
}

/// A bounded memory of verified tokens. Only tokens that somebody with a trusted key signed get into it.
///
/// Of the text is kept what was signed, and the SHA-256 of the signature: nobody can use that. The hash of the whole would say as
/// much, and take five times as long.
pub(crate) struct TokenCache(Cache<SignatureHash, Entry>);

#[derive(Clone)]
struct Entry {
    signed: Arc<str>,
    token: Arc<VerifiedToken>,
    until: Timestamp,
}

impl TokenCache {
    /// For so many tokens; none at all with 0.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(crate) fn find(&self, text: TokenText<'_>, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let entry = self.0.get(&text.signature).filter(|entry| *entry.signed == *text.signed)?;
        if now < entry.until {
            return Some(entry.token);
        }
        self.remove(text);
        None
    }

    /// Keeps it for no longer than `at_most`.
    pub(crate) fn insert(&self, text: TokenText<'_>, token: Arc<VerifiedToken>, now: Timestamp, at_most: Duration) {
        self.0.insert(text.signature, Entry { signed: text.signed.into(), token, until: now + at_most });
    }

    pub(crate) fn remove(&self, text: TokenText<'_>) {
        self.0.remove(&text.signature);
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
