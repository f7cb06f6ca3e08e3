//! Administrators: which application holds which role, and the one super administrator that always remains.

use ambit_protocol::admin::administrator::{Administrator, AdministratorRole, CreateAdministrator};
use ambit_protocol::admin::application::{Application, ApplicationStatus, Level};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::client::TokenEndpointAuthMethod;
use ambit_protocol::id::ApplicationId;
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;

use super::builtin::ADMIN_WRITE;
use super::power::{is_within, reach_of_level, role_reach};
use super::{Conflict, Edit, Forbidden, RegistryError, application, secret};
use crate::entropy::new_id;
use crate::reach::{Owner, Reach};
use crate::store::noun;
use crate::store::{By, Filter};

/// Assigns a role to an application. From then on it administers by its roles only, no longer by its level.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Forbidden::Role`]: nobody assigns what reaches further than they do; [`Conflict::Taken`]
/// where it holds the role already; [`Conflict::LastSuperAdmin`]: a lesser role would take the last one away.
pub async fn create(edit: &Edit<'_>, body: CreateAdministrator) -> Result<Administrator, RegistryError> {
    edit.require_write()?;
    let application = match application::find(edit.tx, &body.application, edit.reach()).await {
        Err(RegistryError::NotFound { .. }) => {
            return Err(RegistryError::invalid("/application", format!("no application '{}' here", body.application)));
        }
        found => found?,
    };
    edit.require_covers(&application)?;
    let owner = held_in(edit, &body).await?;
    if body.expires_at.is_some_and(|end| end <= edit.now()) {
        return Err(RegistryError::invalid("/expires_at", "must be in the future"));
    }
    let assignment = Administrator {
        id: new_id(edit.now(), edit.entropy),
        application_id: application.id,
        role: body.role,
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        expires_at: body.expires_at,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    if !is_within(role_reach(&assignment), edit.reach()) {
        return Err(Forbidden::Role.into());
    }
    let level = reach_of_level(&application);
    if !level.is_some_and(|level| is_within(role_reach(&assignment), level)) {
        let message = format!("reaches further than the application's level, {}", application.level);
        return Err(RegistryError::invalid("/role", message));
    }
    let held = of_application(edit, application.id).await?;
    if held.iter().any(|other| is_same(other, &assignment) && other.expires_at == assignment.expires_at) {
        let key = format!("{} of {}", assignment.role, application.client_id);
        return Err(Conflict::Taken { resource: Resource::Administrator, key }.into());
    }
    let watch = SuperAdminWatch::before(edit, &application).await?;
    let assignment = noun::insert(edit.tx, assignment, None).await?;
    watch.after(edit).await?;
    Ok(assignment)
}

/// Takes a role away. An application whose last assignment goes administers by its level again: so whoever takes one away must
/// reach as far as that level.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::Role`]; [`Conflict::LastSuperAdmin`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let assignment: Administrator = edit.see(id).await?;
    edit.require_write()?;
    let holder: Option<Application> =
        noun::find(edit.tx, By::Id(&assignment.application_id.to_string()), Reach::Platform).await?;
    let Some(holder) = holder else {
        return Ok(noun::delete(edit.tx, &assignment).await?);
    };
    let reaches = reach_of_level(&holder).is_some_and(|level| is_within(level, edit.reach()));
    if !reaches {
        return Err(Forbidden::Role.into());
    }
    let watch = SuperAdminWatch::before(edit, &holder).await?;
    noun::delete(edit.tx, &assignment).await?;
    watch.after(edit).await
}

/// Watches over one application while it is changed: if it was a super administrator for good before and is none after, another
/// one must be there. Everything happens inside the transaction, so two who demote each other cannot both succeed.
#[derive(Debug)]
pub(super) struct SuperAdminWatch {
    id: ApplicationId,
    was_one: bool,
}

impl SuperAdminWatch {
    /// Before the change.
    pub(super) async fn before(edit: &Edit<'_>, application: &Application) -> Result<Self, RegistryError> {
        Ok(Self { id: application.id, was_one: is_super_admin_for_good(edit, application).await? })
    }

    /// After it.
    ///
    /// # Errors
    /// [`Conflict::LastSuperAdmin`].
    pub(super) async fn after(self, edit: &Edit<'_>) -> Result<(), RegistryError> {
        if !self.was_one {
            return Ok(());
        }
        let now: Option<Application> = noun::find(edit.tx, By::Id(&self.id.to_string()), Reach::Platform).await?;
        if let Some(now) = now
            && is_super_admin_for_good(edit, &now).await?
        {
            return Ok(());
        }
        let mut after = None;
        loop {
            let filter = Filter {
                // Inside a JSON string a quote is escaped: this text is the member itself.
                mentions: Some(r#""level":"platform""#),
                after: after.as_deref(),
                limit: Some(PAGE),
                ..Filter::default()
            };
            let page: Vec<Application> = noun::list(edit.tx, &filter, Reach::Platform).await?;
            for other in &page {
                if other.id != self.id && is_super_admin_for_good(edit, other).await? {
                    return Ok(());
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.id.to_string()),
                _ => return Err(Conflict::LastSuperAdmin.into()),
            }
        }
    }
}

/// Whether an application administers the whole platform, now and without an end in sight: nothing that it rests on expires.
async fn is_super_admin_for_good(edit: &Edit<'_>, application: &Application) -> Result<bool, RegistryError> {
    let may = application.level == Level::Platform
        && application.status == ApplicationStatus::Active
        && application.grant_types.contains(&GrantType::ClientCredentials)
        && application.allowed_scopes.iter().any(|scope| scope.as_str() == ADMIN_WRITE);
    if !may {
        return Ok(false);
    }
    let authenticates = match application.token_endpoint_auth_method {
        TokenEndpointAuthMethod::PrivateKeyJwt => application.jwks.as_ref().is_some_and(|jwks| !jwks.keys().is_empty()),
        TokenEndpointAuthMethod::ClientSecretBasic | TokenEndpointAuthMethod::ClientSecretPost => {
            secret::has_lasting_one(edit, application).await?
        }
        TokenEndpointAuthMethod::None => false,
    };
    if !authenticates {
        return Ok(false);
    }
    let held = of_application(edit, application.id).await?;
    Ok(held.is_empty() || held.iter().any(|it| it.role == AdministratorRole::SuperAdmin && it.expires_at.is_none()))
}

async fn of_application(edit: &Edit<'_>, id: ApplicationId) -> Result<Vec<Administrator>, RegistryError> {
    let id = id.to_string();
    Ok(noun::list(edit.tx, &Filter { parent: Some(&id), ..Filter::default() }, Reach::Platform).await?)
}

/// Where a role is held: the role says which kind of owner, the body which one.
async fn held_in(edit: &Edit<'_>, body: &CreateAdministrator) -> Result<Owner, RegistryError> {
    let missing = |pointer| Err(RegistryError::invalid(pointer, format!("is missing: {} of what?", body.role)));
    let not_with = |pointer| Err(RegistryError::invalid(pointer, format!("does not go with {}", body.role)));
    match (body.role, body.tenant_id, body.partner_id) {
        (AdministratorRole::SuperAdmin | AdministratorRole::PartnerAdmin, Some(_), _) => not_with("/tenant_id"),
        (AdministratorRole::SuperAdmin, None, Some(_)) => not_with("/partner_id"),
        (AdministratorRole::PartnerAdmin, None, None) => missing("/partner_id"),
        (AdministratorRole::TenantAdmin, None, _) => missing("/tenant_id"),
        (AdministratorRole::SuperAdmin, None, None) | (AdministratorRole::Auditor, None, None) => Ok(Owner::Platform),
        (_, tenant, partner) => edit.resolve_owner(tenant, partner).await,
    }
}

fn is_same(a: &Administrator, b: &Administrator) -> bool {
    (a.application_id, a.role, a.tenant_id, a.partner_id) == (b.application_id, b.role, b.tenant_id, b.partner_id)
}

const PAGE: u32 = 500;
