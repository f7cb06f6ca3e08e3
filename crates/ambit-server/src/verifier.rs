//! Verifies our own tokens: at the gate of the admin API, for introspection and for revocation, with one memory of those
//! that were verified lately.
//!
//! Keys, bundles and revocations are those that this process has in memory; nothing is fetched. A key that is revoked takes
//! the tokens with it that it had verified, and a revoked token is good nowhere.

use std::sync::Arc;

use ambit_core::tokens::introspect::is_lost_in_restore;
use ambit_protocol::claims::AccessTokenClaims;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::time::Timestamp;
use ambit_resource_server::{
    BuildError, Bundles, Carried, Implied, Issuer, Keys, TokenStatus, TokenVerifier, Withdrawn,
};

use crate::registry::Registry;
use crate::revocations::Revocations;

/// A verifier of the tokens of this server: the platform's and every tenant's. `moment` tells by which moment they expire.
///
/// # Errors
/// [`BuildError`], where the address of the server is no issuer.
pub fn verifier(
    base_url: &str,
    registry: Arc<Registry>,
    revocations: Arc<Revocations>,
    moment: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> Result<TokenVerifier, BuildError> {
    let memory = Memory { registry, revocations };
    let issuer = Issuer::new(base_url).with_tenants().keys(memory.clone()).bundles(memory.clone());
    TokenVerifier::builder().issuer(issuer).status(memory).clock(moment).cache_capacity(REMEMBERED).build()
}

/// What this process knows.
#[derive(Debug, Clone)]
struct Memory {
    registry: Arc<Registry>,
    revocations: Arc<Revocations>,
}

impl Keys for Memory {
    fn current(&self, _: Timestamp) -> Option<Arc<VerifyingKeys>> {
        Some(self.registry.verifying_keys())
    }
}

impl Bundles for Memory {
    fn implies(&self, carried: Carried<'_>, scope: &str, _: Timestamp) -> Implied {
        let snapshot = self.registry.snapshot();
        if snapshot.catalogue.implies(|bundle| carried.contains(bundle), scope) { Implied::Yes } else { Implied::No }
    }
}

impl TokenStatus for Memory {
    fn check(&self, claims: &AccessTokenClaims, _: Timestamp) -> Result<(), Withdrawn> {
        if self.revocations.is_revoked(&claims.jti) {
            return Err(Withdrawn::Revoked);
        }
        // What a person lent ends as a whole.
        if claims.grant_id.as_ref().is_some_and(|grant| self.revocations.is_revoked(grant)) {
            return Err(Withdrawn::Revoked);
        }
        if is_lost_in_restore(claims, self.registry.restored()) {
            return Err(Withdrawn::LostInRestore);
        }
        Ok(())
    }
}

/// How many verified tokens are remembered.
const REMEMBERED: usize = 20_000;
