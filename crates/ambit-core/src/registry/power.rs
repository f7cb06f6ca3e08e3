//! What a caller may do: how far they reach, whether they may write, and what they hold and so may pass on.
//!
//! 1. The application's level is the outermost bound.
//! 2. The roles assigned to it (`administrators`) narrow that; with none, it administers by its level.
//! 3. People administer by their roles alone, through an application: what both reach. Without a role, nothing.
//! 4. A tenant named with the token request narrows the reach to that tenant.
//! 5. What the token carries says which routes open; the routes see to that. Here it also bounds what may be passed on.

use ambit_protocol::admin::administrator::{Administrator, AdministratorRole};
use ambit_protocol::admin::application::{Application, Level};
use ambit_protocol::admin::scope::{Scope, Sensitivity};
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{PartnerId, TenantId, UserId};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;

use super::builtin::ADMIN_WRITE;
use super::{Edit, RegistryError};
use crate::reach::{Owner, Reach};
use crate::store::By;
use crate::store::noun::{self, Noun as _};

/// What a caller may do.
#[derive(Debug, Clone)]
pub struct Power {
    /// How far.
    pub reach: Reach,
    /// Whether to look or to change.
    pub access: Access,
    /// Who, as the change log has it.
    pub actor: String,
    held: Held,
}

/// Whether a caller looks or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Looks.
    Read,
    /// Changes.
    Write,
}

#[derive(Debug, Clone)]
enum Held {
    /// The server itself, at its first start.
    Everything,
    /// What the token carries.
    Carried(Vec<ScopeToken>),
}

impl Power {
    /// The server's own power, for what it does by itself: first start, demonstration data. Never for a request.
    #[must_use]
    pub fn system(actor: &str) -> Self {
        Self { reach: Reach::Platform, access: Access::Write, actor: actor.to_owned(), held: Held::Everything }
    }

    /// The power of a person over their own account: to write where they are registered, and to pass nothing on. What of it they
    /// may write, and of whom, the functions that take it say.
    #[must_use]
    pub fn of_oneself(user: &User) -> Self {
        let actor = format!("user:{}", user.id);
        Self { reach: reach_of_owner(user.owner()), access: Access::Write, actor, held: Held::Carried(vec![]) }
    }

    /// The power of an application that presents a token. None where its roles have all ended, or do not reach the tenant that
    /// the token names.
    #[must_use]
    pub fn of_client(
        application: &Application,
        assignments: &[Administrator],
        carried: Vec<ScopeToken>,
        tenant: Option<(TenantId, Option<PartnerId>)>,
        now: Timestamp,
    ) -> Option<Self> {
        let level = reach_of_level(application)?;
        // An application without any assignment administers by its level; one whose assignments have ended, not at all.
        let candidates =
            if assignments.is_empty() { vec![(level, Access::Write)] } else { by_role(assignments, level, now) };
        let (reach, access) = widest(candidates, tenant)?;
        Some(Self { reach, access, actor: format!("client:{}", application.client_id), held: Held::Carried(carried) })
    }

    /// The power of a person whose token an application presents: what their roles reach, their own and their groups', and the
    /// application as well. None where they have no such role, or where it has ended or does not reach the tenant of the token.
    #[must_use]
    pub fn of_person(
        user: UserId,
        application: &Application,
        assignments: &[Administrator],
        carried: Vec<ScopeToken>,
        tenant: Option<(TenantId, Option<PartnerId>)>,
        now: Timestamp,
    ) -> Option<Self> {
        let candidates = by_role(assignments, reach_of_level(application)?, now);
        let (reach, access) = widest(candidates, tenant)?;
        Some(Self { reach, access, actor: format!("user:{user}"), held: Held::Carried(carried) })
    }

    /// The same, for looking only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.access = Access::Read;
        self
    }
}

impl Edit<'_> {
    /// Whether the caller may pass a scope on (attack: a delegated administrator who climbs). Asked of scopes that give power:
    /// those of the admin API, privileged ones, and bundles that include a privileged one. Whoever administers the scope's
    /// API may pass on what they own; anybody else only what their own token holds.
    pub(super) async fn may_pass_on(&self, scope: &Scope) -> Result<bool, RegistryError> {
        if self.reach().covers(scope.owner()) {
            return Ok(true);
        }
        let Held::Carried(carried) = &self.power.held else { return Ok(true) };
        let is_admin = super::builtin::admin_api_id(self.tx).await?.is_some_and(|id| scope.api == Some(id));
        if !is_admin && !self.gives_power(scope).await? {
            return Ok(true);
        }
        // `admin:write` opens everything that any scope of the admin API opens.
        Ok((is_admin && carried.iter().any(|it| it.as_str() == ADMIN_WRITE)) || self.holds(carried, scope).await?)
    }

    async fn gives_power(&self, scope: &Scope) -> Result<bool, RegistryError> {
        if scope.sensitivity == Sensitivity::Privileged {
            return Ok(true);
        }
        for member in &scope.includes {
            let member: Option<Scope> = noun::find(self.tx, By::NaturalKey(member.as_str()), Reach::Platform).await?;
            if member.is_some_and(|member| member.sensitivity == Sensitivity::Privileged) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Holding a scope (scopes.md §2): carried itself, or included in a carried bundle while no feature gates it.
    async fn holds(&self, carried: &[ScopeToken], scope: &Scope) -> Result<bool, RegistryError> {
        if carried.contains(&scope.name) {
            return Ok(true);
        }
        if scope.feature.is_some() {
            return Ok(false);
        }
        for name in carried {
            let bundle: Option<Scope> = noun::find(self.tx, By::NaturalKey(name.as_str()), Reach::Platform).await?;
            if bundle.is_some_and(|bundle| bundle.api == scope.api && bundle.includes.contains(&scope.name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether roles let somebody look at what an owner has, by the admin API: it is no secret to them on another page either.
#[must_use]
pub fn may_look_at(owner: Owner, assignments: &[Administrator], now: Timestamp) -> bool {
    by_role(assignments, Reach::Platform, now).into_iter().any(|(reach, _)| reach.covers(owner))
}

/// What roles that have not ended reach, within the level of the application.
fn by_role(assignments: &[Administrator], level: Reach, now: Timestamp) -> Vec<(Reach, Access)> {
    assignments
        .iter()
        .filter(|assignment| assignment.expires_at.is_none_or(|end| now < end))
        .filter_map(|assignment| Some((intersection(level, role_reach(assignment))?, access_of(assignment.role))))
        .collect()
}

/// The widest counts, and of two as wide the one that may write; the earliest among equals.
fn widest(candidates: Vec<(Reach, Access)>, tenant: Option<(TenantId, Option<PartnerId>)>) -> Option<(Reach, Access)> {
    candidates
        .into_iter()
        .filter_map(|(reach, access)| match tenant {
            None => Some((reach, access)),
            Some((tenant, partner)) => Some((reach.narrowed_to(tenant, partner)?, access)),
        })
        .reduce(|best, next| if rank(next) > rank(best) { next } else { best })
}

/// How far an application's level lets it reach. None for a row whose level and owner contradict each other.
#[must_use]
pub const fn reach_of_level(application: &Application) -> Option<Reach> {
    match (application.level, application.tenant_id, application.partner_id) {
        (Level::Platform, ..) => Some(Reach::Platform),
        (Level::Partner, _, Some(partner)) => Some(Reach::Partner(partner)),
        (Level::Tenant, Some(tenant), partner) => Some(Reach::Tenant(tenant, partner)),
        (Level::Partner, _, None) | (Level::Tenant, None, _) => None,
    }
}

/// How far those reach who stand where an owner does.
#[must_use]
pub const fn reach_of_owner(owner: Owner) -> Reach {
    match owner {
        Owner::Platform => Reach::Platform,
        Owner::Partner(partner) => Reach::Partner(partner),
        Owner::Tenant(tenant, partner) => Reach::Tenant(tenant, partner),
    }
}

/// How far a role reaches.
#[must_use]
pub const fn role_reach(assignment: &Administrator) -> Reach {
    match (assignment.tenant_id, assignment.partner_id) {
        (Some(tenant), partner) => Reach::Tenant(tenant, partner),
        (None, Some(partner)) => Reach::Partner(partner),
        (None, None) => Reach::Platform,
    }
}

/// How far a reach goes, as a level.
#[must_use]
pub const fn level_of(reach: Reach) -> Level {
    match reach {
        Reach::Platform => Level::Platform,
        Reach::Partner(_) => Level::Partner,
        Reach::Tenant(..) => Level::Tenant,
    }
}

/// Whether one reach lies within another.
#[must_use]
pub fn is_within(inner: Reach, outer: Reach) -> bool {
    match inner {
        Reach::Platform => outer == Reach::Platform,
        Reach::Partner(partner) => outer.covers(Owner::Partner(partner)),
        Reach::Tenant(tenant, partner) => outer.covers(Owner::Tenant(tenant, partner)),
    }
}

fn intersection(a: Reach, b: Reach) -> Option<Reach> {
    if is_within(a, b) {
        Some(a)
    } else if is_within(b, a) {
        Some(b)
    } else {
        None
    }
}

const fn access_of(role: AdministratorRole) -> Access {
    match role {
        AdministratorRole::SuperAdmin | AdministratorRole::PartnerAdmin | AdministratorRole::TenantAdmin => {
            Access::Write
        }
        AdministratorRole::Auditor => Access::Read,
    }
}

const fn rank((reach, access): (Reach, Access)) -> (u8, u8) {
    let width = match reach {
        Reach::Platform => 2,
        Reach::Partner(_) => 1,
        Reach::Tenant(..) => 0,
    };
    (width, access as u8)
}
