//! The facts that decisions are made of, in memory.
//!
//! A snapshot holds what every decision needs: the catalogue and the keys. Clients, tenants, units, people and
//! the roles of administrators are loaded when they are first asked for and kept in bounded caches. Three things keep all of this at one revision, so that a token's `rev` is a
//! revision at which the same decision comes out again:
//!
//! 1. [`Registry::catch_up`] reads the change log behind what it has `seen`. Under one lock it raises `seen`, forgets what
//!    changed, and publishes the snapshot of that revision. It runs after each change made here and by the clock otherwise.
//! 2. A loader notes `seen`, loads, and keeps what it loaded only if `seen` is still the same; else it loads again. So nothing
//!    is kept that a change has overtaken.
//! 3. A request takes the snapshot first and its client, tenant and unit after it. What it takes is never older than the
//!    snapshot; if any of it was loaded at a newer revision, the registry catches up and the request takes all of it again.

mod acting;
mod cache;
mod load;
mod snapshot;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ambit_core::client::{Client, Facts, TenantFacts};
use ambit_core::governance::gates::Gates;
use ambit_core::keys::{KeyRing, Vault};
use ambit_core::person::Person;
use ambit_core::reach::{Owner, Reach};
use ambit_core::refusal::{AuthenticationFailure, Refusal};
use ambit_core::store::noun::{self, unit_key, user_key};
use ambit_core::store::{By, ChangeHead, RestoreEpoch, Store, StoreError};
use ambit_core::time::Clock;
use ambit_protocol::admin::administrator::{Administrator, Holder};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::{GroupId, Id as _, TenantId, UserId};
use ambit_protocol::jose::VerifyingKeys;
use arc_swap::ArcSwap;
use tokio::sync::Mutex;

pub use acting::{Acting, UnitName};
pub use cache::CacheUse;
use cache::{Cache, Shared};
pub use load::LoadError;
use load::{CachedClient, CachedTenant, CachedUnit, Origins};
pub use snapshot::{Document, Snapshot};

/// How much is kept in memory.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Clients.
    pub clients: usize,
    /// Tenants.
    pub tenants: usize,
    /// Units.
    pub units: usize,
    /// Those who call the admin API, with their administrators' roles.
    pub administrators: usize,
    /// People.
    pub people: usize,
    /// Names that nothing has: floods of invented ones are answered from here.
    pub missing: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            clients: 50_000,
            tenants: 10_000,
            units: 50_000,
            administrators: 10_000,
            people: 50_000,
            missing: 10_000,
        }
    }
}

/// The facts, and how they are kept true.
pub struct Registry {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    catching_up: Mutex<()>,
    seen: Arc<std::sync::Mutex<u64>>,
    /// By the steady clock, in milliseconds.
    refreshed_at: AtomicI64,
    clients: Cache<CachedClient>,
    tenants: Cache<CachedTenant>,
    tenant_ids: Cache<TenantId>,
    units: Cache<CachedUnit>,
    unit_ids: Cache<String>,
    roles: Cache<Vec<Administrator>>,
    people: Cache<Person>,
    origins: Cache<Origins>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("revision", &self.snapshot().revision).finish_non_exhaustive()
    }
}

impl Registry {
    /// Loads the snapshot of now.
    ///
    /// # Errors
    /// [`LoadError`] where the store does not answer, or a key cannot be opened.
    pub async fn load(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        capacity: Capacity,
    ) -> Result<Self, LoadError> {
        let snapshot = Snapshot::load(&*store, &vault, &KeyRing::default()).await?;
        let seen = Arc::new(std::sync::Mutex::new(snapshot.revision));
        let refreshed_at = AtomicI64::new(steady_millis(&*clock));
        let shared = Shared { seen: seen.clone(), clock: clock.clone() };
        Ok(Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            catching_up: Mutex::new(()),
            clients: Cache::new("clients", capacity.clients, capacity.missing, &shared),
            tenants: Cache::new("tenants", capacity.tenants, capacity.missing, &shared),
            tenant_ids: Cache::new("tenant_slugs", capacity.tenants, capacity.missing, &shared),
            units: Cache::new("units", capacity.units, capacity.missing, &shared),
            unit_ids: Cache::new("unit_slugs", capacity.units, capacity.missing, &shared),
            roles: Cache::new("roles", capacity.administrators, capacity.missing, &shared),
            people: Cache::new("people", capacity.people, capacity.missing, &shared),
            origins: Cache::new("origins", 1, 1, &shared),
            seen,
            refreshed_at,
            store,
            vault,
            clock,
        })
    }

    /// The snapshot of the newest revision seen.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The keys of the newest revision seen. As the snapshot's, which need not be taken hold of for them.
    #[must_use]
    pub fn verifying_keys(&self) -> Arc<VerifyingKeys> {
        self.snapshot.load().keys.verifying().clone()
    }

    /// Whether and when the registry was restored from a backup.
    #[must_use]
    pub fn restored(&self) -> Option<RestoreEpoch> {
        self.snapshot.load().epoch
    }

    /// How long ago the store was last asked for changes. While it does not answer, decisions rest on facts that old.
    #[must_use]
    pub fn age_millis(&self) -> i64 {
        steady_millis(&*self.clock) - self.refreshed_at.load(Ordering::Relaxed)
    }

    /// How the caches are used.
    #[must_use]
    pub fn caches(&self) -> [CacheUse; 8] {
        [
            self.clients.cache_use(),
            self.tenants.cache_use(),
            self.tenant_ids.cache_use(),
            self.units.cache_use(),
            self.unit_ids.cache_use(),
            self.roles.cache_use(),
            self.people.cache_use(),
            self.origins.cache_use(),
        ]
    }

    /// A client by its `client_id`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(self.cached_client(client_id).await?.map(|cached| cached.client.clone()))
    }

    /// A tenant by its slug.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tenant(&self, slug: &str) -> Result<Option<Arc<TenantFacts>>, StoreError> {
        Ok(self.cached_tenant(slug).await?.map(|cached| cached.facts.clone()))
    }

    /// A tenant by its identifier.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tenant_by_id(&self, id: TenantId) -> Result<Option<Arc<TenantFacts>>, StoreError> {
        Ok(self.cached_tenant_by_id(id).await?.map(|cached| cached.facts.clone()))
    }

    /// The administrators' roles that are assigned to an application, a user or a group, ended ones included.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn roles(&self, holder: Holder) -> Result<Arc<Vec<Administrator>>, StoreError> {
        let key = holder.to_string();
        let roles = self.roles.get_or_load(&key, || load::roles(&*self.store, &key)).await?;
        Ok(roles.unwrap_or_default())
    }

    /// The administrators' roles that a person holds, themselves and by every group they are in; ended ones included.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn roles_of(&self, person: &Person) -> Result<Vec<Administrator>, StoreError> {
        let mut roles = self.roles(Holder::User(person.user.id)).await?.to_vec();
        for group in &person.groups {
            roles.extend_from_slice(&self.roles(Holder::Group(*group)).await?);
        }
        Ok(roles)
    }

    /// A person, with their groups and roles.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn person(&self, id: UserId) -> Result<Option<Arc<Person>>, StoreError> {
        let key = id.to_string();
        self.people.get_or_load(&key, || Person::find(&*self.store, &key)).await
    }

    /// Whether an application in use has the origin, as a browser sends it, among its `allowed_origins`: one of the tenant with
    /// this slug, or one of the platform's issuer.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has_script_origin(&self, tenant: Option<&str>, origin: &[u8]) -> Result<bool, StoreError> {
        let Ok(origin) = str::from_utf8(origin) else { return Ok(false) };
        let tenant = match tenant {
            None => None,
            Some(slug) => match self.tenant(slug).await? {
                Some(tenant) => Some(tenant.tenant.id),
                None => return Ok(false),
            },
        };
        let all = self.origins.get_or_load(ALL, || load::origins(&*self.store)).await?;
        Ok(all.is_some_and(|all| all.get(&tenant).is_some_and(|origins| origins.contains(origin))))
    }

    /// Whose address this is: of a tenant's people, or of those of the platform and of partners, who sign in together.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_user(&self, tenant: Option<TenantId>, email: &str) -> Result<Option<UserId>, StoreError> {
        // Not kept: whoever asks has a password to check next, which takes a thousand times as long.
        let key = user_key(tenant, email);
        let user = noun::find::<User>(&*self.store, By::NaturalKey(&key), Reach::Platform).await?;
        Ok(user.map(|user| user.id))
    }

    /// All that a decision for a client needs, as of one revision. The inner refusal says that the client, the tenant or the
    /// unit is not there, or not within the client's reach: all the same to it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn facts(&self, client_id: &str, acting: &Acting) -> Result<Result<Facts, Refusal>, StoreError> {
        loop {
            let snapshot = self.snapshot.load();
            let Some(client) = self.cached_client(client_id).await? else {
                return Ok(Err(Refusal::Unauthenticated(AuthenticationFailure::UnknownClient)));
            };
            let mut newest = client.loaded_at;
            let mut tenant = None;
            if let Some(slug) = &acting.tenant {
                let found = self.cached_tenant(slug).await?;
                let reached = found.filter(|found| is_reached(&client.client, found));
                let Some(found) = reached else { return Ok(Err(Refusal::TenantNotReached(slug.clone()))) };
                newest = newest.max(found.loaded_at);
                tenant = Some(found);
            }
            let mut unit = None;
            if let (Some(tenant), Some(name)) = (&tenant, &acting.unit) {
                let found = self.cached_unit(tenant.facts.tenant.id, name).await?;
                let Some(found) = found.filter(|found| found.unit.tenant_id == tenant.facts.tenant.id) else {
                    return Ok(Err(Refusal::UnitUnknown(name.as_str().to_owned())));
                };
                newest = newest.max(found.loaded_at);
                unit = Some(found);
            }
            if newest > snapshot.revision {
                Box::pin(self.catch_up()).await?;
                continue;
            }
            return Ok(Ok(Facts {
                revision: snapshot.revision,
                ceiling: client.ceiling(&snapshot.catalogue),
                catalogue: snapshot.catalogue.clone(),
                client: client.client.clone(),
                gates: Gates {
                    tenant: tenant.as_ref().map(|tenant| tenant.features.clone()),
                    unit: unit.as_ref().map(|unit| unit.flags.clone()),
                },
                tenant: tenant.map(|tenant| tenant.facts.clone()),
                unit: unit.map(|unit| unit.unit.clone()),
            }));
        }
    }

    /// Takes in what changed since. When this returns, every change that was committed before it was called is seen.
    ///
    /// # Errors
    /// Those of the store; then nothing was taken in.
    pub async fn catch_up(&self) -> Result<u64, StoreError> {
        let _alone = self.catching_up.lock().await;
        let now = steady_millis(&*self.clock);
        let mut heads = vec![];
        let mut newest = self.snapshot.load().revision;
        let mut rebuilt = None;
        loop {
            let more = self.store.changes_after(newest, CHANGES_AT_ONCE).await?;
            let Some(last) = more.last() else { break };
            newest = last.revision;
            // A catalogue that is read now may already hold a change behind these. It is labelled with a revision only once no
            // further change is found, so it never claims to be older than it is.
            if more.iter().any(|head| is_of_the_snapshot(head.resource)) {
                heads.extend(more);
                let keys = self.snapshot.load().keys.clone();
                let loaded = Snapshot::load(&*self.store, &self.vault, &keys).await;
                rebuilt = Some(loaded.map_err(|error| match error {
                    LoadError::Store(error) => error,
                    LoadError::Keys(error) => {
                        StoreError::Corrupt { resource: Resource::Key, id: error.kid.clone(), source: error.into() }
                    }
                })?);
            } else {
                heads.extend(more);
            }
        }
        if !heads.is_empty() {
            let stale = self.names_of(&heads).await?;
            let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *seen = newest;
            stale.forget(self);
            let current = self.snapshot.load();
            let next = match rebuilt {
                Some(snapshot) => snapshot.at(newest),
                None => current.at(newest),
            };
            self.snapshot.store(Arc::new(next));
        }
        self.refreshed_at.store(now, Ordering::Relaxed);
        Ok(newest)
    }

    async fn names_of(&self, heads: &[ChangeHead]) -> Result<Stale, StoreError> {
        let mut stale = Stale::default();
        for head in heads {
            match head.resource {
                Resource::Application => {
                    stale.clients.extend(head.natural_key.clone());
                    stale.origins = true;
                }
                Resource::Secret => match load::client_id_of(&*self.store, head.parent.as_deref()).await {
                    Ok(client_id) => stale.clients.extend(client_id),
                    // Whose it is cannot be read.
                    Err(StoreError::Corrupt { .. }) => stale.everything = true,
                    Err(error) => return Err(error),
                },
                Resource::Tenant => {
                    stale.tenants.push(head.resource_id.clone());
                    stale.tenant_slugs.extend(head.natural_key.clone());
                }
                Resource::TenantFeature => stale.tenants.extend(head.parent.clone()),
                Resource::Unit => {
                    stale.units.push(head.resource_id.clone());
                    stale.unit_keys.extend(head.natural_key.clone());
                }
                Resource::UnitFeature => stale.units.extend(head.parent.clone()),
                Resource::Administrator => stale.roles.extend(head.parent.clone()),
                Resource::User => stale.people.push(head.resource_id.clone()),
                // Whoever is in a group, or in a group of that, gets other roles: who that is, is not looked up.
                Resource::Group => stale.all_people = true,
                Resource::Membership => match head.parent.as_deref() {
                    Some(member) if !member.starts_with(GroupId::PREFIX) => stale.people.push(member.to_owned()),
                    _ => stale.all_people = true,
                },
                // A partner's status is in the facts of all its clients and tenants. It changes once in a year.
                Resource::Partner => stale.everything = true,
                _ => stale.everything |= head.resource.as_str() == "registry",
            }
        }
        Ok(stale)
    }

    async fn cached_client(&self, client_id: &str) -> Result<Option<Arc<CachedClient>>, StoreError> {
        self.clients.get_or_load(client_id, || load::client(&*self.store, client_id)).await
    }

    async fn cached_tenant(&self, slug: &str) -> Result<Option<Arc<CachedTenant>>, StoreError> {
        // A slug is fixed and an identifier never used again, so this pair outlives every change of the tenant.
        let id = self.tenant_ids.get_or_load(slug, || load::tenant_id(&*self.store, slug)).await?;
        match id {
            Some(id) => self.cached_tenant_by_id(*id).await,
            None => Ok(None),
        }
    }

    async fn cached_tenant_by_id(&self, id: TenantId) -> Result<Option<Arc<CachedTenant>>, StoreError> {
        let key = id.to_string();
        self.tenants.get_or_load(&key, || load::tenant(&*self.store, &key)).await
    }

    async fn cached_unit(&self, tenant: TenantId, name: &UnitName) -> Result<Option<Arc<CachedUnit>>, StoreError> {
        let id = match name {
            UnitName::Id(id) => Arc::new(id.clone()),
            UnitName::Slug(slug) => {
                let key = unit_key(tenant, slug);
                let id = self.unit_ids.get_or_load(&key, || load::unit_id(&*self.store, &key)).await?;
                let Some(id) = id else { return Ok(None) };
                id
            }
        };
        self.units.get_or_load(&id, || load::unit(&*self.store, &id)).await
    }
}

/// What a bundle of changes makes stale, by the keys of the caches.
#[derive(Default)]
struct Stale {
    clients: Vec<String>,
    tenants: Vec<String>,
    tenant_slugs: Vec<String>,
    units: Vec<String>,
    unit_keys: Vec<String>,
    roles: Vec<String>,
    people: Vec<String>,
    origins: bool,
    all_people: bool,
    everything: bool,
}

impl Stale {
    fn forget(&self, registry: &Registry) {
        if self.everything {
            registry.clients.forget_all();
            registry.tenants.forget_all();
            registry.tenant_ids.forget_all();
            registry.units.forget_all();
            registry.unit_ids.forget_all();
            registry.roles.forget_all();
        }
        if self.everything || self.origins {
            registry.origins.forget_all();
        }
        if self.everything || self.all_people {
            registry.people.forget_all();
        }
        self.clients.iter().for_each(|key| registry.clients.forget(key));
        self.tenants.iter().for_each(|key| registry.tenants.forget(key));
        self.tenant_slugs.iter().for_each(|key| registry.tenant_ids.forget(key));
        self.units.iter().for_each(|key| registry.units.forget(key));
        self.unit_keys.iter().for_each(|key| registry.unit_ids.forget(key));
        self.roles.iter().for_each(|key| registry.roles.forget(key));
        self.people.iter().for_each(|key| registry.people.forget(key));
    }
}

const fn is_of_the_snapshot(resource: Resource) -> bool {
    !matches!(
        resource,
        Resource::Application
            | Resource::Secret
            | Resource::Tenant
            | Resource::TenantFeature
            | Resource::Unit
            | Resource::UnitFeature
            | Resource::Partner
            | Resource::Administrator
            | Resource::User
            | Resource::Group
            | Resource::Membership
            | Resource::Credential
            | Resource::Grant
    )
}

/// A platform application reaches every tenant, a partner's its partner's tenants, a tenant's its own.
fn is_reached(client: &Client, tenant: &CachedTenant) -> bool {
    let tenant = &tenant.facts.tenant;
    match client.owner() {
        Owner::Platform => true,
        Owner::Partner(partner) => tenant.partner_id == Some(partner),
        Owner::Tenant(own, _) => tenant.id == own,
    }
}

fn steady_millis(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.steady().as_millis()).unwrap_or(i64::MAX)
}

/// The one name in the cache of origins.
const ALL: &str = "all";
const CHANGES_AT_ONCE: u32 = 1_000;
