//! What administrators do to the registry, one file per noun: every rule of administration is here, whichever door a change
//! comes through.
//!
//! 1. An [`Edit`] is one change being made: the open transaction, the [`Power`] behind it, the [`Settings`] it stays within.
//! 2. What is outside the caller's reach does not exist: it is [`RegistryError::NotFound`], never forbidden.
//! 3. What is seen but owned above the caller (a platform's API, say) may be used and not changed.
//! 4. A change is checked on the thing as it would be afterwards, at creation and at every later change alike, so that no
//!    rule can be walked around by an update.
//! 5. Nobody grants what they do not hold ([`power`]), and one super administrator always remains ([`administrator`]).
//!
//! An error leaves the transaction to be dropped: nothing of the change happens.

pub mod administrator;
mod allowed_scopes;
pub mod api;
pub mod application;
pub mod builtin;
pub mod credential;
pub mod error;
pub mod feature;
pub mod group;
pub mod key;
pub mod partner;
pub mod power;
mod role;
pub mod scope;
pub mod secret;
pub mod tenant;
pub mod unit;
pub mod user;

pub use error::{Conflict, Forbidden, RegistryError};
pub use power::{Access, Power, may_look_at};

use std::fmt;

use ambit_protocol::admin::partner::Partner;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::id::{PartnerId, TenantId};
use ambit_protocol::problem::FieldError;
use ambit_protocol::time::Timestamp;

use crate::entropy::Entropy;
use crate::limits::Limits;
use crate::reach::{Owner, Reach};
use crate::store::noun::{self, Noun};
use crate::store::{By, Filter, Reads, Transaction};

/// One change of the registry being made.
#[derive(Clone, Copy)]
pub struct Edit<'a> {
    /// The open transaction. Whoever opened it commits it, or drops it where a function here fails.
    pub tx: &'a dyn Transaction,
    /// Who makes the change, and how far that goes.
    pub power: &'a Power,
    /// What the registry stays within.
    pub settings: &'a Settings,
    /// For identifiers and secrets.
    pub entropy: &'a dyn Entropy,
}

impl fmt::Debug for Edit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").field("power", self.power).field("settings", self.settings).finish_non_exhaustive()
    }
}

/// What the registry stays within.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How much of everything there may be.
    pub limits: Limits,
    /// The public URL of this server, without a slash at the end. Identifiers of APIs below it are the server's own.
    pub base_url: String,
    /// Whether what the server calls for an application (its `jwks_uri`, its `backchannel_logout_uri`) may lead to this machine
    /// itself. For tests and development.
    pub loopback_uris: bool,
}

impl Edit<'_> {
    /// The moment of the change.
    pub(crate) fn now(&self) -> Timestamp {
        self.tx.context().at
    }

    /// How far the caller reaches.
    pub(crate) const fn reach(&self) -> Reach {
        self.power.reach
    }

    /// The caller may change things at all.
    pub(crate) fn require_write(&self) -> Result<(), Forbidden> {
        match self.power.access {
            Access::Write => Ok(()),
            Access::Read => Err(Forbidden::ReadOnly),
        }
    }

    /// Only the platform's administrators do this.
    pub(crate) fn require_platform(&self, what: &'static str) -> Result<(), Forbidden> {
        self.require_write()?;
        match self.reach() {
            Reach::Platform => Ok(()),
            Reach::Partner(_) | Reach::Tenant(..) => Err(Forbidden::PlatformOnly { what }),
        }
    }

    /// Only administrators above the tenant do this: its partner's, or the platform's.
    pub(crate) fn require_above_tenant(&self, what: &'static str) -> Result<(), Forbidden> {
        self.require_write()?;
        match self.reach() {
            Reach::Platform | Reach::Partner(_) => Ok(()),
            Reach::Tenant(..) => Err(Forbidden::AboveTenantOnly { what }),
        }
    }

    /// What is seen may be changed only by those whose reach covers its owner.
    pub(crate) fn require_covers<N: Noun>(&self, thing: &N) -> Result<(), Forbidden> {
        self.require_write()?;
        if self.reach().covers(thing.owner()) { Ok(()) } else { Err(Forbidden::OwnedAbove { resource: N::RESOURCE }) }
    }

    /// The thing, seen by the caller.
    pub(crate) async fn see<N: Noun>(&self, id: &str) -> Result<N, RegistryError> {
        see(self.tx, id, self.reach()).await
    }

    /// Replaces a thing, unless nothing about it changed: then there is no new revision either.
    pub(crate) async fn replace<N: Noun + PartialEq>(&self, before: &N, after: N) -> Result<N, RegistryError> {
        if *before == after {
            return Ok(after);
        }
        Ok(noun::update(self.tx, after, None).await?)
    }

    /// Who is to own a new thing: as the body says, or the top of the caller's reach. An owner outside the reach does not
    /// exist, and is a mistake in the body.
    pub(crate) async fn resolve_owner(
        &self,
        tenant: Option<TenantId>,
        partner: Option<PartnerId>,
    ) -> Result<Owner, RegistryError> {
        if let Some(id) = tenant {
            let tenant = find_tenant(self.tx, id, self.reach()).await?;
            if partner.is_some_and(|partner| tenant.partner_id != Some(partner)) {
                return Err(RegistryError::invalid("/partner_id", "is not the partner of that tenant"));
            }
            return Ok(Owner::Tenant(tenant.id, tenant.partner_id));
        }
        match (partner, self.reach()) {
            (Some(partner), Reach::Tenant(..)) => {
                Err(RegistryError::invalid("/partner_id", format!("no partner {partner} here")))
            }
            (Some(partner), reach) => Ok(Owner::Partner(find_partner(self.tx, partner, reach).await?.id)),
            (None, reach) => Ok(reach.owner()),
        }
    }
}

/// The thing of an identifier or natural key, if it is within reach.
///
/// # Errors
/// [`RegistryError::NotFound`], and those of the store.
pub async fn see<N: Noun>(reads: &(impl Reads + ?Sized), id: &str, reach: Reach) -> Result<N, RegistryError> {
    noun::find(reads, By::Id(id), reach)
        .await?
        .ok_or_else(|| RegistryError::NotFound { resource: N::RESOURCE, id: id.to_owned() })
}

/// The tenant that a body names.
async fn find_tenant(reads: &(impl Reads + ?Sized), id: TenantId, reach: Reach) -> Result<Tenant, RegistryError> {
    noun::find(reads, By::Id(&id.to_string()), reach)
        .await?
        .ok_or_else(|| RegistryError::invalid("/tenant_id", format!("no tenant {id} here")))
}

/// The partner that a body names.
async fn find_partner(reads: &(impl Reads + ?Sized), id: PartnerId, reach: Reach) -> Result<Partner, RegistryError> {
    noun::find(reads, By::Id(&id.to_string()), reach)
        .await?
        .ok_or_else(|| RegistryError::invalid("/partner_id", format!("no partner {id} here")))
}

/// How many things pass a filter, the caller's reach aside: for quotas and for "is it empty".
async fn count_all<N: Noun>(reads: &(impl Reads + ?Sized), filter: &Filter<'_>) -> Result<u64, RegistryError> {
    // Quotas count what is there, not what the caller may see.
    Ok(noun::count::<N>(reads, filter, Reach::Platform).await?)
}

/// Collects the faults of a body, so that all of them are told at once.
#[derive(Debug, Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.into(), message: message.into() });
    }

    fn add_unless(&mut self, holds: bool, pointer: &str, message: &str) {
        if !holds {
            self.add(pointer, message);
        }
    }

    fn into_result(self) -> Result<(), RegistryError> {
        if self.0.is_empty() { Ok(()) } else { Err(RegistryError::Invalid(self.0)) }
    }
}

/// How long tokens may live, in seconds.
fn check_lifetime(faults: &mut Faults, lifetime_secs: Option<u32>) {
    faults.add_unless(
        lifetime_secs.is_none_or(|secs| (60..=MAX_TOKEN_LIFETIME_SECS).contains(&secs)),
        "/token_lifetime_secs",
        "must be 60 to 86400 seconds",
    );
}

/// The first name that a list has twice, with its place.
fn first_repeated<T: std::hash::Hash + Eq>(list: &[T]) -> Option<usize> {
    let mut seen = hashbrown::HashSet::with_capacity(list.len());
    list.iter().position(|item| !seen.insert(item))
}

/// The longest that a token may live, in seconds: a day.
pub const MAX_TOKEN_LIFETIME_SECS: u32 = 86_400;
