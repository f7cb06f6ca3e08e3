//! Revoked tokens, in memory until they expire. The store has them all; what another node revokes shows here within a quarter
//! of a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use ambit_core::store::{Revocation, Store, StoreError};
use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

/// The revoked tokens that have not expired.
#[derive(Debug, Default)]
pub struct Revocations {
    until: RwLock<HashMap<u128, i64>>,
    sequence: AtomicU64,
}

impl Revocations {
    /// Whether a token was revoked.
    #[must_use]
    pub fn is_revoked(&self, jti: &str) -> bool {
        self.until.read().unwrap_or_else(PoisonError::into_inner).contains_key(&key(jti))
    }

    /// Notes a revocation that is durable.
    pub fn insert(&self, revocation: &Revocation) {
        let mut until = self.until.write().unwrap_or_else(PoisonError::into_inner);
        until.insert(key(&revocation.jti), revocation.expires_at.millis());
    }

    /// Takes in what was revoked since, here or on another node.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn catch_up(&self, store: &dyn Store) -> Result<(), StoreError> {
        loop {
            let after = self.sequence.load(Ordering::Acquire);
            let more = store.revocations_after(after, AT_ONCE).await?;
            let Some((last, _)) = more.last() else { return Ok(()) };
            for (_, revocation) in &more {
                self.insert(revocation);
            }
            self.sequence.fetch_max(*last, Ordering::AcqRel);
        }
    }

    /// Forgets the tokens that have expired by themselves.
    pub fn forget_expired(&self, now: Timestamp) {
        self.until.write().unwrap_or_else(PoisonError::into_inner).retain(|_, expires_at| *expires_at > now.millis());
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.until.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Our own identifiers are UUIDs; anything else is hashed to the same size.
fn key(jti: &str) -> u128 {
    Uuid::parse_str(jti).map_or_else(
        |_| {
            let hash = digest(&SHA256, jti.as_bytes());
            hash.as_ref()[..16].iter().fold(0, |key, byte| key << 8 | u128::from(*byte))
        },
        |uuid| uuid.as_u128(),
    )
}

const AT_ONCE: u32 = 1_000;
