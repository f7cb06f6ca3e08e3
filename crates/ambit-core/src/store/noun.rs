//! What is registered, as the store sees it: each noun says what it is looked up by, and is read and written as itself.

use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::admin::feature::{Feature, TenantFeature, UnitFeature};
use ambit_protocol::admin::group::{Group, Membership};
use ambit_protocol::admin::key::Key;
use ambit_protocol::admin::partner::Partner;
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::admin::secret::Secret;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{PartnerId, TenantId};
use ambit_protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{By, Filter, Reads, Row, StoreError, Transaction};
use crate::reach::{Owner, Reach};

/// A kind of thing that is registered.
pub trait Noun: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Which kind.
    const RESOURCE: Resource;

    /// Its identifier.
    fn id(&self) -> String;

    /// The name it is known by, unique among its kind.
    fn natural_key(&self) -> Option<String>;

    /// The identifier of the thing it is a part of.
    fn parent(&self) -> Option<String>;

    /// Who owns it.
    fn owner(&self) -> Owner;

    /// The revision of its last change.
    fn revision(&self) -> u64;

    /// Notes a change.
    fn stamp(&mut self, revision: u64, at: Timestamp);
}

/// The one thing, if it is there and within reach.
///
/// # Errors
/// Those of the store.
pub async fn find<N: Noun>(reads: &(impl Reads + ?Sized), by: By<'_>, reach: Reach) -> Result<Option<N>, StoreError> {
    reads.find_row(N::RESOURCE, by, reach).await?.map(|row| read(&row)).transpose()
}

/// All things that pass the filter, within reach, by identifier.
///
/// # Errors
/// Those of the store.
pub async fn list<N: Noun>(
    reads: &(impl Reads + ?Sized),
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<N>, StoreError> {
    reads.list_rows(N::RESOURCE, filter, reach).await?.iter().map(read).collect()
}

/// The same, but each by itself: what cannot be read takes nothing else with it.
///
/// # Errors
/// Those of the store.
pub async fn list_apart<N: Noun>(
    reads: &(impl Reads + ?Sized),
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<Result<N, StoreError>>, StoreError> {
    let rows = reads.list_rows_apart(N::RESOURCE, filter, reach).await?;
    Ok(rows.into_iter().map(|row| read(&row?)).collect())
}

/// The same, but without those that are not as they were written: nobody builds on them, and they take nothing else with them.
///
/// # Errors
/// Those of the store but [`StoreError::Corrupt`].
pub async fn list_whole<N: Noun>(
    reads: &(impl Reads + ?Sized),
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<N>, StoreError> {
    let all = list_apart(reads, filter, reach).await?.into_iter();
    all.filter(|found| !matches!(found, Err(StoreError::Corrupt { .. }))).collect()
}

/// How many things pass the filter, within reach.
///
/// # Errors
/// Those of the store.
pub async fn count<N: Noun>(
    reads: &(impl Reads + ?Sized),
    filter: &Filter<'_>,
    reach: Reach,
) -> Result<u64, StoreError> {
    reads.count_rows(N::RESOURCE, filter, reach).await
}

/// Adds a thing, stamped with the transaction's revision and time, and answers it as it is kept.
///
/// # Errors
/// Those of the store; [`StoreError::Conflict`] where its name is taken.
pub async fn insert<N: Noun>(
    transaction: &dyn Transaction,
    mut noun: N,
    sealed: Option<Vec<u8>>,
) -> Result<N, StoreError> {
    noun.stamp(transaction.revision(), transaction.context().at);
    transaction.insert_row(row(&noun, sealed)?).await?;
    Ok(noun)
}

/// Replaces a thing, stamped with the transaction's revision and time, and answers it as it is kept.
///
/// # Errors
/// Those of the store.
pub async fn update<N: Noun>(
    transaction: &dyn Transaction,
    mut noun: N,
    sealed: Option<Vec<u8>>,
) -> Result<N, StoreError> {
    noun.stamp(transaction.revision(), transaction.context().at);
    transaction.update_row(row(&noun, sealed)?).await?;
    Ok(noun)
}

/// Takes a thing away.
///
/// # Errors
/// Those of the store.
pub async fn delete<N: Noun>(transaction: &dyn Transaction, noun: &N) -> Result<(), StoreError> {
    transaction.delete_row(N::RESOURCE, &noun.id()).await
}

/// The thing in a row.
///
/// # Errors
/// [`StoreError::Corrupt`] where the document cannot be read.
pub fn read<N: Noun>(row: &Row) -> Result<N, StoreError> {
    serde_json::from_str(&row.document).map_err(|error| StoreError::Corrupt {
        resource: N::RESOURCE,
        id: row.id.clone(),
        source: error.into(),
    })
}

/// The row of a thing, as it stands.
///
/// # Errors
/// [`StoreError::Corrupt`] where it cannot be written as a document.
pub fn row<N: Noun>(noun: &N, sealed: Option<Vec<u8>>) -> Result<Row, StoreError> {
    let document = serde_json::to_string(noun).map_err(|error| StoreError::Corrupt {
        resource: N::RESOURCE,
        id: noun.id(),
        source: error.into(),
    })?;
    let owner = noun.owner();
    Ok(Row {
        resource: N::RESOURCE,
        id: noun.id(),
        natural_key: noun.natural_key(),
        parent: noun.parent(),
        tenant_id: owner.tenant_id(),
        partner_id: owner.partner_id(),
        revision: noun.revision(),
        document,
        sealed,
    })
}

/// Says how a noun is looked up. Every noun carries `revision`, `created_at` and `updated_at`; `created_at` is set once.
macro_rules! noun {
    ($type:ident { id: $id:expr, natural_key: $natural_key:expr, parent: $parent:expr, owner: $owner:expr }) => {
        impl Noun for $type {
            const RESOURCE: Resource = Resource::$type;

            fn id(&self) -> String {
                let of: fn(&Self) -> String = $id;
                of(self)
            }

            fn natural_key(&self) -> Option<String> {
                let of: fn(&Self) -> Option<String> = $natural_key;
                of(self)
            }

            fn parent(&self) -> Option<String> {
                let of: fn(&Self) -> Option<String> = $parent;
                of(self)
            }

            fn owner(&self) -> Owner {
                let of: fn(&Self) -> (Option<TenantId>, Option<PartnerId>) = $owner;
                let (tenant, partner) = of(self);
                Owner::from_ids(tenant, partner)
            }

            fn revision(&self) -> u64 {
                self.revision
            }

            fn stamp(&mut self, revision: u64, at: Timestamp) {
                self.revision = revision;
                self.updated_at = at;
                if self.created_at == Timestamp::default() {
                    self.created_at = at;
                }
            }
        }
    };
}

noun!(Partner {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(it.slug.to_string()),
    parent: |_| None,
    owner: |it| (None, Some(it.id))
});
noun!(Tenant {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(it.slug.to_string()),
    parent: |it| it.partner_id.map(|id| id.to_string()),
    owner: |it| (Some(it.id), it.partner_id)
});
noun!(Unit {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(unit_key(it.tenant_id, it.slug.as_str())),
    parent: |it| Some(it.tenant_id.to_string()),
    owner: |it| (Some(it.tenant_id), it.partner_id)
});
noun!(Feature {
    id: |it| it.key.to_string(),
    natural_key: |it| Some(it.key.to_string()),
    parent: |_| None,
    owner: |_| (None, None)
});
noun!(TenantFeature {
    id: |it| format!("{}/{}", it.tenant_id, it.key),
    natural_key: |_| None,
    parent: |it| Some(it.tenant_id.to_string()),
    owner: |it| (Some(it.tenant_id), it.partner_id)
});
noun!(UnitFeature {
    id: |it| format!("{}/{}", it.unit_id, it.key),
    natural_key: |_| None,
    parent: |it| Some(it.unit_id.to_string()),
    owner: |it| (Some(it.tenant_id), it.partner_id)
});
noun!(Api {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(it.identifier.to_string()),
    parent: |_| None,
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Scope {
    id: |it| it.name.to_string(),
    natural_key: |it| Some(it.name.to_string()),
    parent: |it| it.api.map(|id| id.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Application {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(it.client_id.to_string()),
    parent: |_| None,
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Secret {
    id: |it| it.id.to_string(),
    natural_key: |_| None,
    parent: |it| Some(it.application_id.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Administrator {
    id: |it| it.id.to_string(),
    natural_key: |_| None,
    // Who holds the role: so the roles of each are found.
    parent: |it| Some(it.holder.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Key { id: |it| it.id.to_string(), natural_key: |_| None, parent: |_| None, owner: |_| (None, None) });

noun!(User {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(user_key(it.tenant_id, it.email.as_str())),
    parent: |it| it.tenant_id.map(|id| id.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Group {
    id: |it| it.id.to_string(),
    natural_key: |it| Some(group_key(Owner::from_ids(it.tenant_id, it.partner_id), it.name.as_str())),
    parent: |it| it.tenant_id.map(|id| id.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});
// By identifier the members of a group follow each other; by parent the groups of a member are found.
noun!(Membership {
    id: |it| format!("{}/{}", it.group_id, it.member),
    natural_key: |_| None,
    parent: |it| Some(it.member.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});
noun!(Credential {
    id: |it| it.id.to_string(),
    natural_key: |it| match it.kind {
        // Of these a user has one: two that are made at once cannot both be.
        CredentialKind::Password | CredentialKind::RecoveryCodes => Some(format!("{}/{}", it.user_id, it.kind)),
        // WebAuthn Level 3 §7.1: "Verify that the credentialId is not yet registered for any user."
        CredentialKind::Passkey => it.webauthn_id.as_ref().map(|id| format!("{}/{id}", it.kind)),
        CredentialKind::Totp => None,
    },
    parent: |it| Some(it.user_id.to_string()),
    owner: |it| (it.tenant_id, it.partner_id)
});

/// The name a user is known by: the address is unique within its tenant, whatever the case of its letters. People of the
/// platform and of partners sign in at the platform's issuer, and so have the addresses there in common.
#[must_use]
pub fn user_key(tenant: Option<TenantId>, email: &str) -> String {
    let issuer = tenant.map_or_else(|| PLATFORM.to_owned(), |id| id.to_string());
    format!("{issuer}/{}", email.to_lowercase())
}

/// The name a group is known by: unique among the groups of its owner.
#[must_use]
pub fn group_key(owner: Owner, name: &str) -> String {
    let owner = match owner {
        Owner::Platform => PLATFORM.to_owned(),
        Owner::Partner(partner) => partner.to_string(),
        Owner::Tenant(tenant, _) => tenant.to_string(),
    };
    format!("{owner}/{name}")
}

/// The name a unit is known by: its slug is unique within its tenant only.
#[must_use]
pub fn unit_key(tenant: TenantId, slug: &str) -> String {
    format!("{tenant}/{slug}")
}

/// In place of a tenant's identifier.
const PLATFORM: &str = "platform";
