//! Administrators: which application, user or group holds which role, and the one super administrator that always remains.

use ambit_protocol::admin::administrator::{Administrator, AdministratorRole, CreateAdministrator, Holder};
use ambit_protocol::admin::application::{Application, ApplicationStatus, Level};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::admin::group::{Group, Member};
use ambit_protocol::admin::user::{User, UserStatus};
use ambit_protocol::client::TokenEndpointAuthMethod;
use ambit_protocol::id::{GroupId, UserId};
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;
use hashbrown::HashSet;

use super::builtin::ADMIN_WRITE;
use super::group::memberships;
use super::power::{is_within, reach_of_level, reach_of_owner, role_reach};
use super::{Conflict, Edit, Forbidden, RegistryError, application, secret};
use crate::entropy::new_id;
use crate::reach::{Owner, Reach};
use crate::store::noun::{self, Noun as _};
use crate::store::{By, Filter};

/// Assigns a role. An application that has one administers by its roles only from then on, no longer by its level.
///
/// # Errors
/// [`RegistryError::Invalid`]; [`Forbidden::Role`]: nobody assigns what reaches further than they do; [`Conflict::Taken`]
/// where it is held already; [`Conflict::LastSuperAdmin`]: a lesser role would take an application's last one away.
pub async fn create(edit: &Edit<'_>, body: CreateAdministrator) -> Result<Administrator, RegistryError> {
    edit.require_write()?;
    let candidate = Candidate::find(edit, &body).await?;
    let owner = held_in(edit, &body).await?;
    if body.expires_at.is_some_and(|end| end <= edit.now()) {
        return Err(RegistryError::invalid("/expires_at", "must be in the future"));
    }
    let assignment = Administrator {
        id: new_id(edit.now(), edit.entropy),
        holder: candidate.holder(),
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
    // So whoever may change a holder, or the members of a group that is one, reaches as far as every role it holds.
    if !candidate.reach().is_some_and(|reach| is_within(role_reach(&assignment), reach)) {
        return Err(RegistryError::invalid("/role", candidate.says_too_far()));
    }
    let held = held_by(edit, assignment.holder).await?;
    if held.iter().any(|other| is_same(other, &assignment) && other.expires_at == assignment.expires_at) {
        let key = format!("{} of {}", assignment.role, candidate.name());
        return Err(Conflict::Taken { resource: Resource::Administrator, key }.into());
    }
    let watch = match &candidate {
        Candidate::Application(application) => SuperAdminWatch::of_application(edit, application).await?,
        // One role more takes nothing from people.
        Candidate::User(_) | Candidate::Group(_) => SuperAdminWatch::NOTHING,
    };
    let assignment = noun::insert(edit.tx, assignment, None).await?;
    watch.after(edit).await?;
    Ok(assignment)
}

/// Takes a role away. An application whose last assignment goes administers by its level again: so whoever takes one away must
/// reach as far as that level. People have no level to fall back to: whoever reaches as far as the role takes it away.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::Role`]; [`Conflict::LastSuperAdmin`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let assignment: Administrator = edit.see(id).await?;
    edit.require_covers(&assignment)?;
    let watch = match assignment.holder {
        Holder::Application(id) => {
            let holder: Option<Application> = noun::find(edit.tx, By::Id(&id.to_string()), Reach::Platform).await?;
            match holder {
                Some(holder) if !reach_of_level(&holder).is_some_and(|level| is_within(level, edit.reach())) => {
                    return Err(Forbidden::Role.into());
                }
                Some(holder) => SuperAdminWatch::of_application(edit, &holder).await?,
                None => SuperAdminWatch::NOTHING,
            }
        }
        Holder::User(_) | Holder::Group(_) => SuperAdminWatch::of_people(edit, assignment.owner()).await?,
    };
    noun::delete(edit.tx, &assignment).await?;
    watch.after(edit).await
}

/// Who is to hold a role.
enum Candidate {
    Application(Box<Application>),
    User(User),
    Group(Group),
}

impl Candidate {
    /// As the body names them, seen by the caller and theirs to change.
    async fn find(edit: &Edit<'_>, body: &CreateAdministrator) -> Result<Self, RegistryError> {
        let missing = |pointer, noun, name: &str| RegistryError::invalid(pointer, format!("no {noun} '{name}' here"));
        match (&body.application, body.user, body.group) {
            (Some(name), None, None) => match application::find(edit.tx, name, edit.reach()).await {
                Err(RegistryError::NotFound { .. }) => Err(missing("/application", "application", name)),
                found => {
                    let application = found?;
                    edit.require_covers(&application)?;
                    Ok(Self::Application(Box::new(application)))
                }
            },
            (None, Some(id), None) => match edit.see::<User>(&id.to_string()).await {
                Err(RegistryError::NotFound { id, .. }) => Err(missing("/user", "user", &id)),
                found => {
                    let user = found?;
                    edit.require_covers(&user)?;
                    Ok(Self::User(user))
                }
            },
            (None, None, Some(id)) => match edit.see::<Group>(&id.to_string()).await {
                Err(RegistryError::NotFound { id, .. }) => Err(missing("/group", "group", &id)),
                found => {
                    let group = found?;
                    edit.require_covers(&group)?;
                    Ok(Self::Group(group))
                }
            },
            _ => Err(RegistryError::invalid("", "names who is to hold the role: an application, a user or a group")),
        }
    }

    const fn holder(&self) -> Holder {
        match self {
            Self::Application(application) => Holder::Application(application.id),
            Self::User(user) => Holder::User(user.id),
            Self::Group(group) => Holder::Group(group.id),
        }
    }

    /// The furthest that a role of theirs may reach.
    fn reach(&self) -> Option<Reach> {
        match self {
            Self::Application(application) => reach_of_level(application),
            Self::User(user) => Some(reach_of_owner(user.owner())),
            Self::Group(group) => Some(reach_of_owner(group.owner())),
        }
    }

    fn says_too_far(&self) -> String {
        match self {
            Self::Application(application) => {
                format!("reaches further than the application's level, {}", application.level)
            }
            Self::User(_) => "reaches further than the tenant or the partner that the user belongs to".to_owned(),
            Self::Group(_) => "reaches further than the tenant or the partner that the group belongs to".to_owned(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Application(application) => application.client_id.as_str(),
            Self::User(user) => user.email.as_str(),
            Self::Group(group) => group.name.as_str(),
        }
    }
}

/// Whether anybody administers the whole platform for good: an application, or a person, whether an application lets them in yet or
/// not. Where nobody does, the first one is to be set up.
///
/// # Errors
/// Those of the store.
pub async fn is_there_a_super_admin(edit: &Edit<'_>) -> Result<bool, RegistryError> {
    Ok(someone_is_one_for_good(edit).await? || some_person_is_one_for_good(edit).await?)
}

/// Watches over a change that may take the last super administrator away: if one was there for good before and none is after,
/// it is refused. Everything happens inside the transaction, so two who demote each other cannot both succeed.
#[derive(Debug)]
pub(super) struct SuperAdminWatch {
    one_was_there: bool,
}

impl SuperAdminWatch {
    /// For a change that takes nothing away.
    pub(super) const NOTHING: Self = Self { one_was_there: false };

    /// Before a change of an application, or of what it rests on.
    pub(super) async fn of_application(edit: &Edit<'_>, application: &Application) -> Result<Self, RegistryError> {
        let one_was_there = is_super_admin_for_good(edit, application).await?
            || (is_door_for_people(application) && some_person_is_one_for_good(edit).await?);
        Ok(Self { one_was_there })
    }

    /// Before a change of a user, a group, a membership or a credential, by its owner.
    pub(super) async fn of_people(edit: &Edit<'_>, owner: Owner) -> Result<Self, RegistryError> {
        // A role that reaches everything is held by the platform's own people only.
        Ok(Self { one_was_there: owner == Owner::Platform && someone_is_one_for_good(edit).await? })
    }

    /// After it.
    ///
    /// # Errors
    /// [`Conflict::LastSuperAdmin`].
    pub(super) async fn after(self, edit: &Edit<'_>) -> Result<(), RegistryError> {
        if !self.one_was_there || someone_is_one_for_good(edit).await? {
            return Ok(());
        }
        Err(Conflict::LastSuperAdmin.into())
    }
}

/// Whether anybody at all administers the whole platform, now and without an end in sight: an application, or a person with an
/// application that lets them in.
async fn someone_is_one_for_good(edit: &Edit<'_>) -> Result<bool, RegistryError> {
    let mut lets_people_in = false;
    let mut after = None;
    loop {
        let filter = Filter {
            // Inside a JSON string a quote is escaped: this text is the member itself.
            mentions: Some(r#""level":"platform""#),
            after: after.as_deref(),
            limit: Some(PAGE),
            ..Filter::default()
        };
        let page = noun::list_apart::<Application>(edit.tx, &filter, Reach::Platform).await?;
        let is_whole = page.len() == PAGE as usize;
        // Whoever's row cannot be read administers nothing with it.
        let page: Vec<Application> = page.into_iter().flatten().collect();
        for application in &page {
            if is_super_admin_for_good(edit, application).await? {
                return Ok(true);
            }
            lets_people_in |= is_door_for_people(application);
        }
        match page.last() {
            Some(last) if is_whole => after = Some(last.id.to_string()),
            _ => return Ok(lets_people_in && some_person_is_one_for_good(edit).await?),
        }
    }
}

/// Whether people administer the whole platform by an application, once they are signed in.
fn is_door_for_people(application: &Application) -> bool {
    application.level == Level::Platform
        && application.status == ApplicationStatus::Active
        && application.grant_types.contains(&GrantType::AuthorizationCode)
        && !application.redirect_uris.is_empty()
        && application.allowed_scopes.iter().any(|scope| scope.as_str() == ADMIN_WRITE)
}

/// Whether some person holds the role without an end, themselves or by a group, and can sign in.
async fn some_person_is_one_for_good(edit: &Edit<'_>) -> Result<bool, RegistryError> {
    let filter = Filter { mentions: Some(r#""role":"super_admin""#), ..Filter::default() };
    let assignments: Vec<Administrator> = noun::list(edit.tx, &filter, Reach::Platform).await?;
    for assignment in assignments {
        if assignment.role != AdministratorRole::SuperAdmin || assignment.expires_at.is_some() {
            continue;
        }
        let is_one = match assignment.holder {
            Holder::Application(_) => false,
            Holder::User(id) => signs_in_for_good(edit, id).await?,
            Holder::Group(id) => someone_in_it_signs_in_for_good(edit, id).await?,
        };
        if is_one {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn someone_in_it_signs_in_for_good(edit: &Edit<'_>, group: GroupId) -> Result<bool, RegistryError> {
    let mut met: HashSet<GroupId> = [group].into_iter().collect();
    let mut groups = vec![group];
    while let Some(group) = groups.pop() {
        for membership in memberships(edit.tx, group).await? {
            match membership.member {
                Member::User(id) if signs_in_for_good(edit, id).await? => return Ok(true),
                Member::User(_) => {}
                Member::Group(nested) => groups.extend(met.insert(nested).then_some(nested)),
            }
        }
    }
    Ok(false)
}

/// Whether a user may sign in and has something to do it with: a password or a passkey, neither of which ends by itself.
async fn signs_in_for_good(edit: &Edit<'_>, id: UserId) -> Result<bool, RegistryError> {
    let id = id.to_string();
    let user: Option<User> = noun::find(edit.tx, By::Id(&id), Reach::Platform).await?;
    if user.is_none_or(|user| user.status != UserStatus::Active) {
        return Ok(false);
    }
    let own = Filter { parent: Some(&id), ..Filter::default() };
    let credentials: Vec<Credential> = noun::list(edit.tx, &own, Reach::Platform).await?;
    Ok(credentials.iter().any(|it| matches!(it.kind, CredentialKind::Password | CredentialKind::Passkey)))
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
    let held = held_by(edit, Holder::Application(application.id)).await?;
    Ok(held.is_empty() || held.iter().any(|it| it.role == AdministratorRole::SuperAdmin && it.expires_at.is_none()))
}

async fn held_by(edit: &Edit<'_>, holder: Holder) -> Result<Vec<Administrator>, RegistryError> {
    let id = holder.to_string();
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
    (a.holder, a.role, a.tenant_id, a.partner_id) == (b.holder, b.role, b.tenant_id, b.partner_id)
}

const PAGE: u32 = 500;
