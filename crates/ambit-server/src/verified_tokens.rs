//! Tokens whose signature was verified lately: a token that comes again costs a hash instead of a signature.

use std::sync::Arc;

use ambit_core::keys::KeyRing;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::time::Timestamp;
use ambit_protocol::verify::{self, Accepted, TokenError, Validation};
use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};

use crate::state::App;

/// Verified tokens by the hash of their text. Whether one has expired or was revoked is looked at each time.
pub struct VerifiedTokens {
    claims: moka::sync::Cache<[u8; 32], Arc<AccessTokenClaims>>,
    keys: ArcSwapOption<KeyRing>,
}

impl std::fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedTokens").field("count", &self.claims.entry_count()).finish_non_exhaustive()
    }
}

impl VerifiedTokens {
    /// Keeps so many at most.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self { claims: moka::sync::Cache::new(capacity), keys: ArcSwapOption::empty() }
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
        // A key that was withdrawn takes the tokens with it that it had verified.
        if !self.keys.load().as_ref().is_some_and(|known| Arc::ptr_eq(known, &keys)) {
            self.claims.invalidate_all();
            self.keys.store(Some(keys.clone()));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = self.claims.get(&hash) {
            if claims.exp + verify::LEEWAY_SECS <= now.secs() {
                return Err(TokenError::Expired { at: claims.expires_at() });
            }
            return Ok(claims);
        }
        let ours = |issuer: &str| app.is_own_issuer(issuer);
        let any = |_: &str| true;
        let validation = Validation::new(Accepted::Where(&ours), Accepted::Where(&any), now);
        let verified = verify::access_token(token, keys.verifying(), &validation)?;
        let claims = Arc::new(verified.into_claims());
        self.claims.insert(hash, claims.clone());
        Ok(claims)
    }
}
