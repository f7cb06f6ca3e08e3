//! Credentials of people: set, shown without what is secret of them, taken away.
//!
//! What is secret of one is sealed in the vault, bound to the credential it is of, and is not part of the change log.

use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::admin::tenant::MfaPolicy;
use ambit_protocol::admin::text::Name;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{CredentialId, UserId};
use ambit_protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::AuthenticationResult;
use zeroize::Zeroizing;

use super::administrator::SuperAdminWatch;
use super::{Conflict, Edit, RegistryError, see};
use crate::entropy::new_id;
use crate::keys::Vault;
use crate::passkey::{CounterBack, Passkey};
use crate::password::KeptPassword;
use crate::reach::Reach;
use crate::second_factor::{RecoveryCodes, ShownCodes, TotpSecret};
use crate::store::noun::{self, Noun as _};
use crate::store::{By, Filter, Reads, Row, StoreError};

/// By what a person can prove who they are, opened.
#[derive(Debug, Default)]
pub struct Credentials {
    /// Their password.
    pub password: Option<KeptPassword>,
    /// Their authenticator apps.
    pub totp: Vec<(CredentialId, TotpSecret)>,
    /// Their passkeys, in the order they were made, each with what may be shown of it.
    pub passkeys: Vec<(Credential, Passkey)>,
    /// Their recovery codes.
    pub recovery: Option<RecoveryCodes>,
}

/// What became of a passkey that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyUse {
    /// It counts, and what it changed is kept.
    Counted,
    /// It was taken away meanwhile.
    Gone,
    /// It signed more often, as was known meanwhile, than it says.
    CounterBack(CounterBack),
}

impl Credentials {
    /// Those of a person. What does not open is a failure, not a credential that is missing: else a lost key would turn a second
    /// factor off.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of(reads: &(impl Reads + ?Sized), vault: &Vault, user: UserId) -> Result<Self, StoreError> {
        let parent = user.to_string();
        let filter = Filter { parent: Some(&parent), ..Filter::default() };
        let mut found = Self::default();
        // Whoever signs in has no reach yet.
        for row in reads.list_rows(Resource::Credential, &filter, Reach::Platform).await? {
            let credential: Credential = noun::read(&row)?;
            let sealed = row.sealed.as_deref().unwrap_or_default();
            match credential.kind {
                CredentialKind::Password => found.password = Some(open(vault, &credential, sealed)?),
                CredentialKind::Totp => {
                    let octets: Vec<u8> = open(vault, &credential, sealed)?;
                    let octets = Zeroizing::new(octets);
                    let secret =
                        TotpSecret::from_bytes(&octets).ok_or_else(|| corrupt(&credential, "is of another length"))?;
                    found.totp.push((credential.id, secret));
                }
                CredentialKind::RecoveryCodes => found.recovery = Some(open(vault, &credential, sealed)?),
                CredentialKind::Passkey => {
                    let passkey = open(vault, &credential, sealed)?;
                    found.passkeys.push((credential, passkey));
                }
            }
        }
        Ok(found)
    }

    /// Whether they have set up something beside the password.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        !self.totp.is_empty() || !self.passkeys.is_empty()
    }

    /// Whether a code that is sent to their address is all by which they can prove who they are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.password.is_none() && !self.has_second_factor()
    }

    /// The passkey that its authenticator calls so.
    #[must_use]
    pub fn passkey(&self, id: &[u8]) -> Option<&(Credential, Passkey)> {
        self.passkeys.iter().find(|(_, passkey)| passkey.id() == id)
    }
}

/// Sets a person's password, in place of the one before.
///
/// # Errors
/// [`super::Forbidden`]; those of the store.
pub async fn set_password(
    edit: &Edit<'_>,
    vault: &Vault,
    user: &User,
    password: &KeptPassword,
) -> Result<Credential, RegistryError> {
    edit.require_covers(user)?;
    put_the_one(edit, vault, user, CredentialKind::Password, None, password).await
}

/// Adds an authenticator app.
///
/// # Errors
/// [`super::Forbidden`]; those of the store.
pub async fn enrol_totp(
    edit: &Edit<'_>,
    vault: &Vault,
    user: &User,
    secret: &TotpSecret,
) -> Result<Credential, RegistryError> {
    edit.require_covers(user)?;
    let credential = new(edit, user, CredentialKind::Totp, None);
    let sealed = seal(edit, vault, &credential, &secret.expose_bytes().as_slice())?;
    Ok(noun::insert(edit.tx, credential, Some(sealed)).await?)
}

/// Adds a passkey.
///
/// # Errors
/// [`super::Forbidden`]; [`Conflict::Taken`] where it is somebody's already, theirs or another's;
/// [`Conflict::LimitReached`]; those of the store.
pub async fn enrol_passkey(
    edit: &Edit<'_>,
    vault: &Vault,
    user: &User,
    passkey: &Passkey,
    name: Option<Name>,
) -> Result<Credential, RegistryError> {
    edit.require_covers(user)?;
    let count = Credentials::of(edit.tx, vault, user.id).await?.passkeys.len() as u64;
    if count >= MOST_PASSKEYS {
        return Err(Conflict::LimitReached { limit: "passkeys of a user", max: MOST_PASSKEYS, count }.into());
    }
    let credential = Credential {
        name,
        webauthn_id: Some(passkey.spelt_id()),
        backed_up: Some(passkey.is_backed_up()),
        ..new(edit, user, CredentialKind::Passkey, None)
    };
    let sealed = seal(edit, vault, &credential, passkey)?;
    Ok(noun::insert(edit.tx, credential, Some(sealed)).await?)
}

/// Keeps what the use of a passkey changed. It is looked at inside the transaction, so that of two copies of it that sign with the
/// same count one is the first.
///
/// # Errors
/// [`super::Forbidden`]; those of the store.
pub async fn use_passkey(
    edit: &Edit<'_>,
    vault: &Vault,
    user: &User,
    id: CredentialId,
    shown: &AuthenticationResult,
) -> Result<PasskeyUse, RegistryError> {
    edit.require_covers(user)?;
    let Some((credential, row)) = find_own(edit, user, CredentialKind::Passkey, &id.to_string()).await? else {
        return Ok(PasskeyUse::Gone);
    };
    let passkey: Passkey = open(vault, &credential, row.sealed.as_deref().unwrap_or_default())?;
    let after = match passkey.after(shown) {
        Ok(after) => after,
        Err(back) => return Ok(PasskeyUse::CounterBack(back)),
    };
    let credential = Credential { backed_up: Some(after.is_backed_up()), last_used_at: Some(edit.now()), ..credential };
    let sealed = seal(edit, vault, &credential, &after)?;
    noun::update(edit.tx, credential, Some(sealed)).await?;
    Ok(PasskeyUse::Counted)
}

/// Calls one of a person's own passkeys something else.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`super::Forbidden`]; those of the store.
pub async fn name_passkey(edit: &Edit<'_>, user: &User, id: &str, name: Name) -> Result<Credential, RegistryError> {
    edit.require_covers(user)?;
    let found = find_own(edit, user, CredentialKind::Passkey, id).await?;
    let (credential, row) = found.ok_or_else(|| not_found(id))?;
    Ok(noun::update(edit.tx, Credential { name: Some(name), ..credential }, row.sealed).await?)
}

/// Takes one of a person's own second factors away, a passkey or an authenticator app, and with the last one the recovery codes
/// that stand in for it. `false` where their tenant asks everybody for a second factor and this is their last. It is looked at
/// inside the transaction, so that of two who take one each the second keeps the last.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`super::Forbidden`]; those of the store.
pub async fn remove_own_factor(
    edit: &Edit<'_>,
    user: &User,
    kind: CredentialKind,
    id: &str,
    mfa: MfaPolicy,
) -> Result<bool, RegistryError> {
    if find_own(edit, user, kind, id).await?.is_none() {
        return Err(not_found(id));
    }
    let person = user.id.to_string();
    let there: Vec<Credential> = list(edit.tx, &person, edit.reach()).await?;
    let is_second = |it: &Credential| matches!(it.kind, CredentialKind::Passkey | CredentialKind::Totp);
    let is_last = !there.iter().any(|it| is_second(it) && it.id.to_string() != id);
    if is_last && mfa == MfaPolicy::Required {
        return Ok(false);
    }
    delete(edit, &person, id).await?;
    if let Some(codes) = there.iter().find(|it| is_last && it.kind == CredentialKind::RecoveryCodes) {
        delete(edit, &person, &codes.id.to_string()).await?;
    }
    Ok(true)
}

/// Makes recovery codes, in place of those before.
///
/// # Errors
/// [`super::Forbidden`]; those of the store.
pub async fn make_recovery_codes(
    edit: &Edit<'_>,
    vault: &Vault,
    user: &User,
) -> Result<(Credential, ShownCodes), RegistryError> {
    edit.require_covers(user)?;
    let (codes, shown) = RecoveryCodes::generate(edit.entropy);
    let kind = CredentialKind::RecoveryCodes;
    let credential = put_the_one(edit, vault, user, kind, Some(codes.left()), &codes).await?;
    Ok((credential, shown))
}

/// Uses one of a person's recovery codes up. `false` where it is none. It is looked at inside the transaction, so that of two who
/// send the same one is the first.
///
/// # Errors
/// [`super::Forbidden`]; those of the store.
pub async fn use_recovery_code(edit: &Edit<'_>, vault: &Vault, user: &User, code: &str) -> Result<bool, RegistryError> {
    edit.require_covers(user)?;
    let codes = Credentials::of(edit.tx, vault, user.id).await?.recovery;
    let Some(left) = codes.and_then(|codes| codes.without(code)) else { return Ok(false) };
    put_the_one(edit, vault, user, CredentialKind::RecoveryCodes, Some(left.left()), &left).await?;
    Ok(true)
}

/// A person's credentials, in the order they were made.
///
/// # Errors
/// [`RegistryError::NotFound`] for the user.
pub async fn list(reads: &(impl Reads + ?Sized), user: &str, reach: Reach) -> Result<Vec<Credential>, RegistryError> {
    let user: User = see(reads, user, reach).await?;
    let parent = user.id.to_string();
    Ok(noun::list(reads, &Filter { parent: Some(&parent), ..Filter::default() }, reach).await?)
}

/// Takes a credential away: it proves nothing any more. Answers whose it was.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`super::Forbidden`]; [`Conflict::LastSuperAdmin`] where nobody
/// could administer the platform any more.
pub async fn delete(edit: &Edit<'_>, user: &str, id: &str) -> Result<User, RegistryError> {
    let user: User = edit.see(user).await?;
    edit.require_covers(&user)?;
    let credential: Credential = edit.see(id).await?;
    if credential.user_id != user.id {
        return Err(not_found(id));
    }
    let watch = SuperAdminWatch::of_people(edit, user.owner()).await?;
    noun::delete(edit.tx, &credential).await?;
    watch.after(edit).await?;
    Ok(user)
}

/// A person's credential of a kind, with what is sealed of it.
async fn find_own(
    edit: &Edit<'_>,
    user: &User,
    kind: CredentialKind,
    id: &str,
) -> Result<Option<(Credential, Row)>, StoreError> {
    let Some(row) = edit.tx.find_row(Resource::Credential, By::Id(id), edit.reach()).await? else { return Ok(None) };
    let credential: Credential = noun::read(&row)?;
    Ok((credential.user_id == user.id && credential.kind == kind).then_some((credential, row)))
}

fn not_found(id: &str) -> RegistryError {
    RegistryError::NotFound { resource: Resource::Credential, id: id.to_owned() }
}

/// Keeps the one credential of a kind that there can be.
async fn put_the_one(
    edit: &Edit<'_>,
    vault: &Vault,
    user: &User,
    kind: CredentialKind,
    remaining: Option<u32>,
    content: &impl Serialize,
) -> Result<Credential, RegistryError> {
    let parent = user.id.to_string();
    let filter = Filter { parent: Some(&parent), ..Filter::default() };
    let there = noun::list::<Credential>(edit.tx, &filter, Reach::Platform).await?;
    let before = there.into_iter().find(|credential| credential.kind == kind);
    let is_new = before.is_none();
    let credential = Credential { remaining, ..before.unwrap_or_else(|| new(edit, user, kind, remaining)) };
    let sealed = Some(seal(edit, vault, &credential, content)?);
    if is_new {
        return Ok(noun::insert(edit.tx, credential, sealed).await?);
    }
    Ok(noun::update(edit.tx, credential, sealed).await?)
}

fn new(edit: &Edit<'_>, user: &User, kind: CredentialKind, remaining: Option<u32>) -> Credential {
    Credential {
        id: new_id(edit.now(), edit.entropy),
        user_id: user.id,
        tenant_id: user.tenant_id,
        partner_id: user.partner_id,
        kind,
        name: None,
        remaining,
        webauthn_id: None,
        backed_up: None,
        last_used_at: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    }
}

fn seal(
    edit: &Edit<'_>,
    vault: &Vault,
    credential: &Credential,
    content: &impl Serialize,
) -> Result<Vec<u8>, StoreError> {
    let plain = Zeroizing::new(serde_json::to_vec(content).map_err(|error| corrupt(credential, error))?);
    vault.seal(&purpose(credential), &plain, edit.entropy).map_err(|error| corrupt(credential, error))
}

fn open<T: DeserializeOwned>(vault: &Vault, credential: &Credential, sealed: &[u8]) -> Result<T, StoreError> {
    let plain = vault.open(&purpose(credential), sealed).map_err(|error| corrupt(credential, error))?;
    serde_json::from_slice(&plain).map_err(|error| corrupt(credential, error))
}

/// A credential's secret opens for that credential and person only: put into another's row, it is worth nothing.
fn purpose(credential: &Credential) -> String {
    format!("credential {} {} {}", credential.user_id, credential.id, credential.kind)
}

fn corrupt(credential: &Credential, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt { resource: Credential::RESOURCE, id: credential.id.to_string(), source: source.into() }
}

/// As many devices as nobody has, and few enough to be looked through at each sign-in.
const MOST_PASSKEYS: u64 = 20;
