//! Signing keys: one signs, one stands ready and is known already, those before it still verify.
//!
//! 1. Each algorithm in use has an *active* key and a *next* one. Both are published, so the next key is known to caches long
//!    before it signs, and in an emergency there is one to go on with.
//! 2. When the active key is old enough it retires, and the next one takes its place: by schedule ([`due`]) or by command, and
//!    by either only when the next one has been published for [`KeyTimes::publish_ahead`].
//! 3. A retiring key stays published for [`KeyTimes::overlap`], which is longer than any token lives, and is then removed.
//! 4. A revoked key is withdrawn at once.

use std::time::Duration;

use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::key::{Key, KeyState};
use ambit_protocol::jose::jwk_set::MAX_KEYS;
use ambit_protocol::jose::signer::SigningError;
use ambit_protocol::jose::{Algorithm, SigningKey};
use ambit_protocol::time::Timestamp;

use super::{Conflict, Edit, RegistryError};
use crate::entropy::{Entropy, new_id};
use crate::keys::{Vault, VaultError, purpose};
use crate::reach::Reach;
use crate::store::noun::{self, Noun as _};
use crate::store::{Filter, Row, StoreError};

/// The spans of time in the life of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// How old an active key becomes.
    pub rotate: Duration,
    /// How long a key is published, at least, before it signs.
    pub publish_ahead: Duration,
    /// How long a key stays published after it signed last.
    pub overlap: Duration,
}

/// The least [`KeyTimes::overlap`]: the longest that a token may live, and an hour for clocks that differ.
pub const LEAST_OVERLAP: Duration = Duration::from_secs(super::MAX_TOKEN_LIFETIME_SECS as u64 + 3600);

/// What is to be done about the keys now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// An algorithm that is in use lacks an active or a next key.
    Publish(Algorithm),
    /// The active key of an algorithm is old enough, and its next one was published long enough.
    Rotate(Algorithm),
    /// A retiring key was published long enough after it signed last.
    Remove,
}

/// What is to be done about the keys now. `in_use` are the algorithms that something is to be signed with.
#[must_use]
pub fn due(keys: &[Key], in_use: &[Algorithm], times: &KeyTimes, now: Timestamp) -> Vec<Due> {
    let find = |algorithm, state| keys.iter().find(|key| key.algorithm == algorithm && key.state == state);
    let mut due = vec![];
    for algorithm in Algorithm::ALL {
        let (active, next) = (find(algorithm, KeyState::Active), find(algorithm, KeyState::Next));
        match (active, next) {
            (None, None) if !in_use.contains(&algorithm) => {}
            (None, _) | (_, None) => due.push(Due::Publish(algorithm)),
            (Some(active), Some(next)) => {
                let is_old = active.activated_at.is_none_or(|since| since + times.rotate <= now);
                if is_old && next.created_at + times.publish_ahead <= now {
                    due.push(Due::Rotate(algorithm));
                }
            }
        }
    }
    if keys.iter().any(|key| is_over(key, now)) {
        due.push(Due::Remove);
    }
    due
}

/// Whether a key has signed nothing for so long that no token of its is left.
fn is_over(key: &Key, now: Timestamp) -> bool {
    key.state == KeyState::Retiring && key.remove_at.is_some_and(|end| end <= now)
}

/// Whether the next key may sign before caches can know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// It was published for [`KeyTimes::publish_ahead`], or the rotation is refused.
    CachesFirst,
    /// It signs at once.
    AtOnce,
}

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

/// Publishes a key of an algorithm that lacks one: as the active one where none signs, as the next one where none stands ready.
/// Where neither is missing, because somebody else was faster, the key is dropped.
///
/// Which algorithms there are is for the owners of APIs to say; nothing is withdrawn by it. So it asks for no power of its own.
///
/// # Errors
/// [`Conflict::LimitReached`] where no more keys can be published.
pub async fn publish(edit: &Edit<'_>, new: NewKey) -> Result<Option<Key>, RegistryError> {
    let mut key = new.key;
    if find(edit, key.algorithm, KeyState::Active).await?.is_none() {
        // A key that stands ready signs first: it is known already. The new one takes its place.
        if activate_next(edit, key.algorithm).await?.is_none() {
            key.state = KeyState::Active;
            key.activated_at = Some(edit.now());
        }
    } else if find(edit, key.algorithm, KeyState::Next).await?.is_some() {
        return Ok(None);
    }
    insert(edit, key, new.sealed).await.map(Some)
}

/// Rotates: the active key of the new key's algorithm retires, the next one becomes active, the new one is next. Where there
/// was no next one, the new one is published as such and nothing else happens; where none signs, it signs.
///
/// # Errors
/// [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly); [`Conflict::NextKeyYoung`] where the next key was not published
/// long enough, unless that is to be put up with; [`Conflict::LimitReached`].
pub async fn rotate(edit: &Edit<'_>, new: NewKey, times: &KeyTimes, haste: Haste) -> Result<Vec<Key>, RegistryError> {
    edit.require_platform("rotate signing keys")?;
    let algorithm = new.key.algorithm;
    let active = find(edit, algorithm, KeyState::Active).await?;
    let next = find(edit, algorithm, KeyState::Next).await?;
    let (Some((mut active, row)), Some((next, _))) = (active, next) else {
        return Ok(publish(edit, new).await?.into_iter().collect());
    };
    let signs_from = next.created_at + times.publish_ahead;
    if haste == Haste::CachesFirst && signs_from > edit.now() {
        let conflict = Conflict::NextKeyYoung { id: next.id.to_string(), published_at: next.created_at, signs_from };
        return Err(conflict.into());
    }
    active.state = KeyState::Retiring;
    active.retired_at = Some(edit.now());
    active.remove_at = Some(edit.now() + times.overlap.max(LEAST_OVERLAP));
    let mut changed = vec![noun::update(edit.tx, active, row.sealed).await?];
    changed.extend(activate_next(edit, algorithm).await?);
    changed.push(insert(edit, new.key, new.sealed).await?);
    Ok(changed)
}

/// Withdraws a key in an emergency: its tokens are refused at once. `new` takes its place, at the end of the line: where it
/// signed, the next key signs from now on, however young it is.
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
        changed.extend(publish(edit, new).await?);
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
    for key in noun::list_whole::<Key>(edit.tx, &Filter::default(), Reach::Platform).await? {
        if is_over(&key, edit.now()) {
            noun::delete(edit.tx, &key).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Registers a key. A set with more keys than consumers read would be none at all.
async fn insert(edit: &Edit<'_>, key: Key, sealed: Vec<u8>) -> Result<Key, RegistryError> {
    let keys: Vec<Key> = noun::list_whole(edit.tx, &Filter::default(), Reach::Platform).await?;
    let published = keys.iter().filter(|key| key.state != KeyState::Revoked).count();
    if published >= MAX_KEYS {
        let (max, count) = (MAX_KEYS as u64, published as u64);
        return Err(Conflict::LimitReached { limit: "published keys", max, count }.into());
    }
    Ok(noun::insert(edit.tx, key, Some(sealed)).await?)
}

async fn activate_next(edit: &Edit<'_>, algorithm: Algorithm) -> Result<Option<Key>, RegistryError> {
    let Some((mut next, row)) = find(edit, algorithm, KeyState::Next).await? else { return Ok(None) };
    next.state = KeyState::Active;
    next.activated_at = Some(edit.now());
    Ok(Some(noun::update(edit.tx, next, row.sealed).await?))
}

/// The oldest key of an algorithm in a state. One that is not as it was written signs nothing, and is in no state.
async fn find(edit: &Edit<'_>, algorithm: Algorithm, state: KeyState) -> Result<Option<(Key, Row)>, RegistryError> {
    for row in edit.tx.list_rows_apart(Key::RESOURCE, &Filter::default(), Reach::Platform).await? {
        match row.and_then(|row| Ok((noun::read::<Key>(&row)?, row))) {
            Ok((key, row)) if key.algorithm == algorithm && key.state == state => return Ok(Some((key, row))),
            Ok(_) | Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);
    const TIMES: KeyTimes =
        KeyTimes { rotate: Duration::from_hours(240), publish_ahead: DAY, overlap: Duration::from_hours(48) };
    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn key(algorithm: Algorithm, state: KeyState, at: Timestamp) -> Key {
        let jwk = SigningKey::generate(Algorithm::EdDsa).expect("a key").public_jwk("k");
        let active = (state != KeyState::Next).then_some(at);
        let remove_at = (state == KeyState::Retiring).then(|| at + TIMES.overlap);
        let id = "key_01h455vb4pex5vsknk084sn02q".parse().expect("an identifier");
        Key {
            id,
            algorithm,
            state,
            jwk,
            activated_at: active,
            retired_at: None,
            remove_at,
            created_at: at,
            updated_at: at,
            revision: 1,
        }
    }

    fn pair(active_since: Timestamp, next_since: Timestamp) -> [Key; 2] {
        [key(Algorithm::Es256, KeyState::Active, active_since), key(Algorithm::Es256, KeyState::Next, next_since)]
    }

    #[test]
    fn a_key_is_replaced_at_its_age_and_not_a_millisecond_before() {
        let keys = pair(START, START);
        let end = START + TIMES.rotate;
        assert_eq!(due(&keys, &[], &TIMES, end - Duration::from_millis(1)), []);
        assert_eq!(due(&keys, &[], &TIMES, end), [Due::Rotate(Algorithm::Es256)]);
    }

    #[test]
    fn however_old_the_active_key_is_the_next_one_is_published_ahead() {
        let end = START + TIMES.rotate;
        let keys = pair(START, end);
        assert_eq!(due(&keys, &[], &TIMES, end + DAY - Duration::from_millis(1)), []);
        assert_eq!(due(&keys, &[], &TIMES, end + DAY), [Due::Rotate(Algorithm::Es256)]);
    }

    #[test]
    fn what_is_in_use_or_has_half_of_its_keys_gets_the_other_half() {
        let all = [Due::Publish(Algorithm::Es256), Due::Publish(Algorithm::Rs256)];
        assert_eq!(due(&[], &[Algorithm::Rs256, Algorithm::Es256], &TIMES, START), all);
        for state in [KeyState::Active, KeyState::Next] {
            let half = [key(Algorithm::EdDsa, state, START)];
            assert_eq!(due(&half, &[], &TIMES, START), [Due::Publish(Algorithm::EdDsa)]);
        }
        // Those that are gone or going need no successors of their own.
        let gone = [KeyState::Retiring, KeyState::Revoked].map(|state| key(Algorithm::Ps256, state, START));
        assert_eq!(due(&gone, &[], &TIMES, START), []);
    }

    #[test]
    fn a_retiring_key_goes_at_its_time() {
        let keys = [key(Algorithm::Es256, KeyState::Retiring, START)];
        let end = START + TIMES.overlap;
        assert_eq!(due(&keys, &[], &TIMES, end - Duration::from_millis(1)), []);
        assert_eq!(due(&keys, &[], &TIMES, end), [Due::Remove]);
    }
}
