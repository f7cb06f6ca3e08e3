//! An application's secrets: at most two live ones, made here, shown once, kept as a hash.

use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::secret::{CreateSecret, CreatedSecret, Secret};
use ambit_protocol::time::Timestamp;

use super::administrator::SuperAdminWatch;
use super::{Conflict, Edit, RegistryError, application};
use crate::entropy::new_id;
use crate::reach::Reach;
use crate::secret::ClientSecret;
use crate::store::noun::{self, Noun as _};
use crate::store::{Filter, Reads, Row};

/// Makes a new secret. With `overlap_secs` the others stop working after so many seconds, or when they were to anyway; without,
/// they go on.
///
/// # Errors
/// [`RegistryError::NotFound`] for the application; [`RegistryError::Invalid`]; [`Conflict::TwoSecrets`];
/// [`Conflict::PublicClient`]; [`Conflict::LastSuperAdmin`].
pub async fn create(edit: &Edit<'_>, application: &str, body: CreateSecret) -> Result<CreatedSecret, RegistryError> {
    let application = application::find(edit.tx, application, edit.reach()).await?;
    edit.require_covers(&application)?;
    if !application.kind.is_confidential() {
        return Err(Conflict::PublicClient.into());
    }
    let now = edit.now();
    if body.expires_at.is_some_and(|end| end <= now) {
        return Err(RegistryError::invalid("/expires_at", "must be in the future"));
    }
    let watch = SuperAdminWatch::of_application(edit, &application).await?;
    let mut live_after = 0;
    for (secret, row) in rows(edit, &application).await? {
        if !is_live(&secret, now) {
            // What has ended is in the change log; here it would only hide what works.
            noun::delete(edit.tx, &secret).await?;
            continue;
        }
        let end = body.overlap_secs.map(|secs| now.plus_secs(secs.into()));
        let expires_at = match (secret.expires_at, end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if expires_at.is_some_and(|end| end <= now) {
            noun::delete(edit.tx, &secret).await?;
            continue;
        }
        live_after += 1;
        if expires_at != secret.expires_at {
            noun::update(edit.tx, Secret { expires_at, ..secret }, row.sealed).await?;
        }
    }
    if live_after >= MAX_LIVE {
        return Err(Conflict::TwoSecrets.into());
    }
    let generated = ClientSecret::generate(edit.entropy);
    let secret = keep(edit, &application, &generated, body.expires_at).await?;
    watch.after(edit).await?;
    Ok(CreatedSecret { secret, client_secret: generated.expose_secret().to_owned() })
}

/// Withdraws a secret: it stops working at once. The last live one goes only if that is said.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Conflict::LastSecret`]; [`Conflict::LastSuperAdmin`].
pub async fn delete(edit: &Edit<'_>, application: &str, id: &str, even_the_last: bool) -> Result<(), RegistryError> {
    let application = application::find(edit.tx, application, edit.reach()).await?;
    edit.require_covers(&application)?;
    let secrets = rows(edit, &application).await?;
    let (secret, _) = secrets
        .iter()
        .find(|(secret, _)| secret.id.to_string() == id)
        .ok_or_else(|| RegistryError::NotFound { resource: Resource::Secret, id: id.to_owned() })?;
    let now = edit.now();
    let another_is_live = secrets.iter().any(|(other, _)| other.id != secret.id && is_live(other, now));
    let is_needed = application::uses_secret(application.token_endpoint_auth_method);
    if is_needed && is_live(secret, now) && !another_is_live && !even_the_last {
        return Err(Conflict::LastSecret.into());
    }
    let watch = SuperAdminWatch::of_application(edit, &application).await?;
    noun::delete(edit.tx, secret).await?;
    watch.after(edit).await
}

/// The secrets of an application, without the secrets, in the order they were made.
///
/// # Errors
/// [`RegistryError::NotFound`] for the application.
pub async fn list(
    reads: &(impl Reads + ?Sized),
    application: &str,
    reach: Reach,
) -> Result<Vec<Secret>, RegistryError> {
    let application = application::find(reads, application, reach).await?;
    let parent = application.id.to_string();
    Ok(noun::list(reads, &Filter { parent: Some(&parent), ..Filter::default() }, reach).await?)
}

/// Keeps the hash of a secret.
pub(super) async fn keep(
    edit: &Edit<'_>,
    application: &Application,
    secret: &ClientSecret,
    expires_at: Option<Timestamp>,
) -> Result<Secret, RegistryError> {
    let kept = Secret {
        id: new_id(edit.now(), edit.entropy),
        application_id: application.id,
        hint: secret.hint(),
        tenant_id: application.tenant_id,
        partner_id: application.partner_id,
        expires_at,
        last_used_at: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    Ok(noun::insert(edit.tx, kept, Some(secret.hash().as_bytes().to_vec())).await?)
}

/// Whether an application has a secret that works now.
pub(super) async fn has_live_one(edit: &Edit<'_>, application: &Application) -> Result<bool, RegistryError> {
    let now = edit.now();
    Ok(rows(edit, application).await?.iter().any(|(secret, _)| is_live(secret, now)))
}

/// Whether an application has a secret that never stops working by itself.
pub(super) async fn has_lasting_one(edit: &Edit<'_>, application: &Application) -> Result<bool, RegistryError> {
    Ok(rows(edit, application).await?.iter().any(|(secret, _)| secret.expires_at.is_none()))
}

async fn rows(edit: &Edit<'_>, application: &Application) -> Result<Vec<(Secret, Row)>, RegistryError> {
    let parent = application.id.to_string();
    let filter = Filter { parent: Some(&parent), ..Filter::default() };
    let rows = edit.tx.list_rows(Secret::RESOURCE, &filter, Reach::Platform).await?;
    rows.into_iter().map(|row| Ok((noun::read(&row)?, row))).collect()
}

fn is_live(secret: &Secret, now: Timestamp) -> bool {
    secret.expires_at.is_none_or(|end| now < end)
}

/// Two: the one in use, and the one that replaces it.
const MAX_LIVE: usize = 2;
