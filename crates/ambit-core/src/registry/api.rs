//! APIs: protected resource servers, and who owns them.

use ambit_protocol::admin::api::{Api, CreateApi, PatchApi};
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::admin::text::ClientId;
use ambit_protocol::time::Timestamp;

use super::error::Usage;
use super::{Conflict, Edit, Faults, RegistryError, builtin, check_lifetime, count_all, first_repeated};
use crate::entropy::new_id;
use crate::reach::Reach;
use crate::store::noun;
use crate::store::{By, Filter, Reads};

/// Registers an API for the owner that the body names, or for the top of the caller's reach.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Conflict::Taken`] for the identifier.
pub async fn create(edit: &Edit<'_>, body: CreateApi) -> Result<Api, RegistryError> {
    edit.require_write()?;
    let owner = edit.resolve_owner(body.tenant_id, body.partner_id).await?;
    let mut faults = Faults::default();
    check_lifetime(&mut faults, body.token_lifetime_secs);
    // What lies below our own URL is ours: the issuers and the admin API are audiences too.
    let is_ours = !edit.settings.base_url.is_empty()
        && body
            .identifier
            .as_str()
            .strip_prefix(&edit.settings.base_url)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    faults.add_unless(!is_ours, "/identifier", "lies below this server's own URL, which only its own audiences do");
    check_resource_servers(edit, &mut faults, &body.resource_servers, &[]).await?;
    faults.into_result()?;
    insert(edit, body, owner).await
}

/// The same, for identifiers of the server's own.
pub(super) async fn insert(edit: &Edit<'_>, body: CreateApi, owner: crate::reach::Owner) -> Result<Api, RegistryError> {
    let api = Api {
        id: new_id(edit.now(), edit.entropy),
        identifier: body.identifier,
        name: body.name,
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        token_lifetime_secs: body.token_lifetime_secs,
        signing_algorithm: body.signing_algorithm,
        resource_servers: body.resource_servers,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    Ok(noun::insert(edit.tx, api, None).await?)
}

/// Changes an API.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::OwnedAbove`](super::Forbidden::OwnedAbove); [`RegistryError::Invalid`].
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchApi) -> Result<Api, RegistryError> {
    let before: Api = edit.see(id).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    let PatchApi { name, token_lifetime_secs, signing_algorithm, resource_servers } = body;
    after.name = name.unwrap_or(after.name);
    after.token_lifetime_secs = token_lifetime_secs.unwrap_or(after.token_lifetime_secs);
    after.signing_algorithm = signing_algorithm.unwrap_or(after.signing_algorithm);
    after.resource_servers = resource_servers.unwrap_or(after.resource_servers);
    let mut faults = Faults::default();
    check_lifetime(&mut faults, after.token_lifetime_secs);
    check_resource_servers(edit, &mut faults, &after.resource_servers, &before.resource_servers).await?;
    faults.into_result()?;
    edit.replace(&before, after).await
}

/// Takes an API away. It must have no scopes.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::OwnedAbove`](super::Forbidden::OwnedAbove); [`Conflict::BuiltIn`];
/// [`Conflict::InUse`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let api: Api = edit.see(id).await?;
    edit.require_covers(&api)?;
    if builtin::admin_api_id(edit.tx).await? == Some(api.id) {
        let (what, why) = ("the admin API".to_owned(), "it administers this server");
        return Err(Conflict::BuiltIn { what, why }.into());
    }
    let of_api = Filter { parent: Some(id), ..Filter::default() };
    let count = count_all::<Scope>(edit.tx, &of_api).await?;
    if count > 0 {
        // Who owns the API owns its scopes, so all of them may be named.
        let by = noun::list::<Scope>(edit.tx, &Filter { limit: Some(20), ..of_api }, Reach::Platform)
            .await?
            .into_iter()
            .map(|scope| {
                let name = scope.name.to_string();
                Usage { resource: Resource::Scope, id: name.clone(), name, field: "api" }
            })
            .collect();
        let instead = "delete its scopes first";
        return Err(Conflict::InUse { resource: Resource::Api, id: id.to_owned(), by, count, instead }.into());
    }
    Ok(noun::delete(edit.tx, &api).await?)
}

/// The API of a registry identifier or an `aud` identifier, if it is within reach.
///
/// # Errors
/// Those of the store.
pub async fn find(reads: &(impl Reads + ?Sized), name: &str, reach: Reach) -> Result<Option<Api>, RegistryError> {
    let by = if name.parse::<ambit_protocol::id::ApiId>().is_ok() { By::Id(name) } else { By::NaturalKey(name) };
    Ok(noun::find(reads, by, reach).await?)
}

/// Who serves an API may ask about tokens for it, so it must be an application that is there, that the caller administers, and
/// that can authenticate. What stood in the list before may stay.
async fn check_resource_servers(
    edit: &Edit<'_>,
    faults: &mut Faults,
    after: &[ClientId],
    before: &[ClientId],
) -> Result<(), RegistryError> {
    let max = edit.settings.limits.list_entries;
    if after.len() > max {
        faults.add("/resource_servers", format!("has {} entries, and list_entries allows {max}", after.len()));
        return Ok(());
    }
    if let Some(place) = first_repeated(after) {
        faults.add(format!("/resource_servers/{place}"), "is there twice");
    }
    for (place, client_id) in after.iter().enumerate().filter(|(_, client_id)| !before.contains(client_id)) {
        let application: Option<Application> =
            noun::find(edit.tx, By::NaturalKey(client_id.as_str()), edit.reach()).await?;
        let message = match application {
            None => format!("no application '{client_id}' here"),
            Some(application) if !application.kind.is_confidential() => {
                format!("application '{client_id}' cannot authenticate: its type keeps no secret")
            }
            Some(_) => continue,
        };
        faults.add(format!("/resource_servers/{place}"), message);
    }
    Ok(())
}
