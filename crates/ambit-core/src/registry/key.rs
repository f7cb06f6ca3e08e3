//! Signing keys: one signs, one stands ready and is known already, those before it still verify.

use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::key::{Key, KeyState};
use ambit_protocol::jose::signer::SigningError;
use ambit_protocol::jose::{Algorithm, SigningKey};
use ambit_protocol::time::Timestamp;

use super::{Conflict, Edit, RegistryError};
use crate::entropy::{Entropy, new_id};
use crate::keys::{Vault, VaultError, purpose};
use crate::reach::Reach;
use crate::store::noun::{self, Noun as _};
use crate::store::{Filter, Row, StoreError};

/// How long a retiring key stays published: the longest that a token may live, and the difference of clocks.
pub const VERIFY_SECS: u32 = super::MAX_TOKEN_LIFETIME_SECS + 60;

/// A key made ahead of the transaction that registers it: an RSA key takes a while, and nobody should wait for it.
#[derive(Debug)]
pub struct NewKey {
    key: Key,
    sealed: Vec<u8>,
}

/// Why no key could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NewKeyError {
    /// The crypto library refused.
    #[error("a signing key could not be made")]
    Signing(#[from] SigningError),
    /// The private half could not be encrypted.
    #[error("a signing key could not be encrypted")]
    Vault(#[from] VaultError),
}

impl NewKey {
    /// Makes a key. Takes a while for RSA.
    ///
    /// # Errors
    /// Those of the crypto library.
    pub fn make(
        algorithm: Algorithm,
        now: Timestamp,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<Self, NewKeyError> {
        let id = new_id(now, entropy);
        let signing = SigningKey::generate(algorithm)?;
        let key = Key {
            id,
            algorithm,
            state: KeyState::Next,
            jwk: signing.public_jwk(&id.to_string()),
            activated_at: None,
            retired_at: None,
            remove_at: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            revision: 0,
        };
        let sealed = vault.seal(&purpose(&key), signing.to_pkcs8()?.expose_secret(), entropy)?;
        Ok(Self { key, sealed })
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm
    }
}

/// Registers a key as the next one of its algorithm, or as the active one where there is none.
///
/// # Errors
/// [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly).
pub async fn add(edit: &Edit<'_>, new: NewKey) -> Result<Key, RegistryError> {
    edit.require_platform("add a signing key")?;
    let mut key = new.key;
    if find(edit, key.algorithm, KeyState::Active).await?.is_none() {
        key.state = KeyState::Active;
        key.activated_at = Some(edit.now());
    }
    Ok(noun::insert(edit.tx, key, Some(new.sealed)).await?)
}

/// Rotates: the active key of the new key's algorithm retires, the next one becomes active, the new one is next. Where there
/// was no next one, the new one signs at once.
///
/// `verify_secs` is how long tokens of the retiring key may live: so long it stays published.
///
/// # Errors
/// [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly).
pub async fn rotate(edit: &Edit<'_>, new: NewKey, verify_secs: u32) -> Result<Vec<Key>, RegistryError> {
    edit.require_platform("rotate signing keys")?;
    let algorithm = new.key.algorithm;
    let mut changed = vec![];
    if let Some((mut active, row)) = find(edit, algorithm, KeyState::Active).await? {
        active.state = KeyState::Retiring;
        active.retired_at = Some(edit.now());
        active.remove_at = Some(edit.now().plus_secs(verify_secs.into()));
        changed.push(noun::update(edit.tx, active, row.sealed).await?);
    }
    changed.extend(activate_next(edit, algorithm).await?);
    changed.push(add(edit, new).await?);
    Ok(changed)
}

/// Withdraws a key in an emergency: its tokens are refused at once. `new` takes its place, at the end of the line.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly); [`Conflict::KeyState`] where it
/// is revoked already.
pub async fn revoke(edit: &Edit<'_>, id: &str, new: NewKey) -> Result<Vec<Key>, RegistryError> {
    let seen: Key = edit.see(id).await?;
    edit.require_platform("revoke a signing key")?;
    let before = seen.state;
    if before == KeyState::Revoked {
        let conflict = Conflict::KeyState { id: id.to_owned(), state: "revoked", wanted: "revoked" };
        return Err(conflict.into());
    }
    if new.algorithm() != seen.algorithm {
        let source = "the replacement signs with another algorithm".into();
        return Err(StoreError::Corrupt { resource: Resource::Key, id: id.to_owned(), source }.into());
    }
    let mut key = seen;
    key.state = KeyState::Revoked;
    key.retired_at = key.retired_at.or(Some(edit.now()));
    key.remove_at = None;
    let algorithm = key.algorithm;
    // The private half is not needed again, and its ciphertext is worth having to nobody but a thief.
    let mut changed = vec![noun::update(edit.tx, key, None).await?];
    if before == KeyState::Active {
        changed.extend(activate_next(edit, algorithm).await?);
    }
    if before != KeyState::Retiring {
        changed.push(add(edit, new).await?);
    }
    Ok(changed)
}

/// Takes away the retiring keys whose last tokens have expired. Answers how many went.
///
/// # Errors
/// [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly).
pub async fn remove_retired(edit: &Edit<'_>) -> Result<usize, RegistryError> {
    edit.require_platform("remove signing keys")?;
    let mut removed = 0;
    for key in noun::list::<Key>(edit.tx, &Filter::default(), Reach::Platform).await? {
        if key.state == KeyState::Retiring && key.remove_at.is_some_and(|end| end <= edit.now()) {
            noun::delete(edit.tx, &key).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

async fn activate_next(edit: &Edit<'_>, algorithm: Algorithm) -> Result<Option<Key>, RegistryError> {
    let Some((mut next, row)) = find(edit, algorithm, KeyState::Next).await? else { return Ok(None) };
    next.state = KeyState::Active;
    next.activated_at = Some(edit.now());
    Ok(Some(noun::update(edit.tx, next, row.sealed).await?))
}

/// The oldest key of an algorithm in a state.
async fn find(edit: &Edit<'_>, algorithm: Algorithm, state: KeyState) -> Result<Option<(Key, Row)>, RegistryError> {
    for row in edit.tx.list_rows(Key::RESOURCE, &Filter::default(), Reach::Platform).await? {
        let key: Key = noun::read(&row)?;
        if key.algorithm == algorithm && key.state == state {
            return Ok(Some((key, row)));
        }
    }
    Ok(None)
}
