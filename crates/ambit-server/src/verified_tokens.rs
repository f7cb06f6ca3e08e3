//! Tokens whose signature was verified lately: a token that comes again costs a hash instead of a signature.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ambit_core::keys::KeyRing;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, TokenError, Validation};
use aws_lc_rs::digest::{SHA256, digest};

use crate::registry::CacheUse;
use crate::state::App;

/// Verified tokens by the hash of their text. Whether one has expired or was revoked is looked at each time.
pub struct VerifiedTokens {
    verified: moka::sync::Cache<[u8; 32], Verified>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A token's claims, and the keys among which its own was when it was verified.
#[derive(Clone)]
struct Verified {
    claims: Arc<AccessTokenClaims>,
    keys: Arc<KeyRing>,
}

impl std::fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedTokens").field("count", &self.verified.entry_count()).finish_non_exhaustive()
    }
}

impl VerifiedTokens {
    /// Keeps so many at most.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self { verified: moka::sync::Cache::new(capacity), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The claims of a token of ours that has not expired; for whom it is does not matter here.
    pub fn verify(&self, app: &App, token: &str, now: Timestamp) -> Option<Arc<AccessTokenClaims>> {
        self.try_verify(app, token, now).ok()
    }

    /// The same, with what is wrong.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn try_verify(&self, app: &App, token: &str, now: Timestamp) -> Result<Arc<AccessTokenClaims>, TokenError> {
        let keys = app.registry.snapshot().keys.clone();
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        // A key that was withdrawn takes the tokens with it that it had verified: what was verified under other keys than those of
        // now counts for nothing, also where a slower request puts it in after they changed.
        if let Some(verified) = self.verified.get(&hash).filter(|verified| Arc::ptr_eq(&verified.keys, &keys)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            let claims = verified.claims;
            if claims.exp + verify::LEEWAY_SECS <= now.secs() {
                return Err(TokenError::Expired { at: claims.expires_at() });
            }
            return Ok(claims);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let ours = |issuer: &str| app.is_own_issuer(issuer);
        let any = |_: &str| true;
        let validation = Validation::new(Accepted::Where(&ours), Accepted::Where(&any), now);
        let claims = Arc::new(verify::access_token(token, keys.verifying(), &validation)?.into_claims());
        self.verified.insert(hash, Verified { claims: claims.clone(), keys });
        Ok(claims)
    }

    /// How it is used.
    #[must_use]
    pub fn cache_use(&self) -> CacheUse {
        self.verified.run_pending_tasks();
        CacheUse {
            name: "verified_tokens",
            hits: self.hits.load(Ordering::Relaxed),
            absent_hits: 0,
            misses: self.misses.load(Ordering::Relaxed),
            found: self.verified.entry_count(),
            absent: 0,
        }
    }
}
