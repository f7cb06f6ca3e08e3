//! Loading one client, tenant or unit with everything about it that a decision needs.

use std::sync::Arc;

use ambit_core::client::{Client, ClientKeys, StoredSecret, TenantFacts};
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::governance::ceiling::Ceiling;
use ambit_core::keys::KeyRingError;
use ambit_core::reach::Reach;
use ambit_core::secret::SecretHash;
use ambit_core::store::noun::{self, Noun};
use ambit_core::store::{By, Filter, Store, StoreError};
use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::application::{Application, ApplicationStatus};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::feature::{TenantFeature, UnitFeature};
use ambit_protocol::admin::key::Key;
use ambit_protocol::admin::partner::{Partner, PartnerStatus};
use ambit_protocol::admin::secret::Secret;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::text::FeatureKey;
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::id::{PartnerId, TenantId};
use ambit_protocol::jose::VerifyingKeys;
use arc_swap::ArcSwapOption;
use hashbrown::{HashMap, HashSet};

use crate::logs::with_causes;

/// Why the facts could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A signing key cannot be opened.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

/// A client and its ceiling in the catalogue it was last used with.
pub(super) struct CachedClient {
    pub(super) client: Arc<Client>,
    pub(super) loaded_at: u64,
    ceiling: ArcSwapOption<(Arc<Catalogue>, Arc<Ceiling>)>,
}

impl CachedClient {
    /// What the client may have in a catalogue.
    pub(super) fn ceiling(&self, catalogue: &Arc<Catalogue>) -> Arc<Ceiling> {
        if let Some(made) = &*self.ceiling.load()
            && Arc::ptr_eq(&made.0, catalogue)
        {
            return made.1.clone();
        }
        let ceiling = Arc::new(Ceiling::new(&self.client.application, catalogue));
        self.ceiling.store(Some(Arc::new((catalogue.clone(), ceiling.clone()))));
        ceiling
    }
}

/// A tenant and the features that are on for it.
pub(super) struct CachedTenant {
    pub(super) facts: Arc<TenantFacts>,
    pub(super) features: Arc<HashSet<FeatureKey>>,
    pub(super) loaded_at: u64,
}

/// The origins whose scripts may call for applications in use, by the issuer of these: a tenant's, or the platform's.
pub(super) type Origins = HashMap<Option<TenantId>, HashSet<String>>;

/// A unit and the flags that are set for it.
pub(super) struct CachedUnit {
    pub(super) unit: Arc<Unit>,
    pub(super) flags: Arc<HashMap<FeatureKey, bool>>,
    pub(super) loaded_at: u64,
}

pub(super) async fn client(store: &dyn Store, client_id: &str) -> Result<Option<CachedClient>, StoreError> {
    let found = noun::find::<Application>(store, By::NaturalKey(client_id), Reach::Platform).await?;
    let Some(application) = found else { return Ok(None) };
    let id = application.id.to_string();
    let filter = Filter { parent: Some(&id), ..Filter::default() };
    let mut secrets = vec![];
    for row in store.list_rows(Resource::Secret, &filter, Reach::Platform).await? {
        let secret: Secret = noun::read(&row)?;
        let corrupt = || StoreError::Corrupt {
            resource: Resource::Secret,
            id: row.id.clone(),
            source: "its hash has not 32 octets".into(),
        };
        let hash = row.sealed.as_deref().and_then(SecretHash::from_bytes).ok_or_else(corrupt)?;
        secrets.push(StoredSecret { id: secret.id, hash, expires_at: secret.expires_at });
    }
    let registered = application.jwks.as_ref().map(VerifyingKeys::new).transpose().map_err(|error| {
        StoreError::Corrupt { resource: Resource::Application, id: id.clone(), source: error.into() }
    })?;
    let keys = match (registered, &application.jwks_uri) {
        (Some(keys), _) => Some(ClientKeys::Registered(keys)),
        (None, Some(uri)) => Some(ClientKeys::Published(uri.clone())),
        (None, None) => None,
    };
    let partner_status = partner_status(store, application.partner_id).await?;
    Ok(Some(CachedClient {
        client: Arc::new(Client { application, secrets, keys, partner_status }),
        loaded_at: store.revision().await?,
        ceiling: ArcSwapOption::empty(),
    }))
}

pub(super) async fn client_id_of(store: &dyn Store, application: Option<&str>) -> Result<Option<String>, StoreError> {
    let Some(id) = application else { return Ok(None) };
    let found = noun::find::<Application>(store, By::Id(id), Reach::Platform).await?;
    Ok(found.map(|application| application.client_id.to_string()))
}

pub(super) async fn tenant_id(store: &dyn Store, slug: &str) -> Result<Option<TenantId>, StoreError> {
    let found = noun::find::<Tenant>(store, By::NaturalKey(slug), Reach::Platform).await?;
    Ok(found.map(|tenant| tenant.id))
}

pub(super) async fn tenant(store: &dyn Store, id: &str) -> Result<Option<CachedTenant>, StoreError> {
    let Some(tenant) = noun::find::<Tenant>(store, By::Id(id), Reach::Platform).await? else { return Ok(None) };
    let filter = Filter { parent: Some(id), ..Filter::default() };
    let features = noun::list::<TenantFeature>(store, &filter, Reach::Platform).await?;
    let partner_status = partner_status(store, tenant.partner_id).await?;
    Ok(Some(CachedTenant {
        facts: Arc::new(TenantFacts { tenant, partner_status }),
        features: Arc::new(features.into_iter().filter(|flag| flag.enabled).map(|flag| flag.key).collect()),
        loaded_at: store.revision().await?,
    }))
}

pub(super) async fn unit_id(store: &dyn Store, key: &str) -> Result<Option<String>, StoreError> {
    let found = noun::find::<Unit>(store, By::NaturalKey(key), Reach::Platform).await?;
    Ok(found.map(|unit| unit.id.to_string()))
}

pub(super) async fn unit(store: &dyn Store, id: &str) -> Result<Option<CachedUnit>, StoreError> {
    let Some(unit) = noun::find::<Unit>(store, By::Id(id), Reach::Platform).await? else { return Ok(None) };
    let filter = Filter { parent: Some(id), ..Filter::default() };
    let flags = noun::list::<UnitFeature>(store, &filter, Reach::Platform).await?;
    Ok(Some(CachedUnit {
        unit: Arc::new(unit),
        flags: Arc::new(flags.into_iter().map(|flag| (flag.key, flag.enabled)).collect()),
        loaded_at: store.revision().await?,
    }))
}

pub(super) async fn roles(store: &dyn Store, holder: &str) -> Result<Option<Vec<Administrator>>, StoreError> {
    let filter = Filter { parent: Some(holder), ..Filter::default() };
    // Whoever has no role was found to have none.
    noun::list(store, &filter, Reach::Platform).await.map(Some)
}

/// Of all applications at once. Whoever asks is a script of any origin, and those that nobody registered must not cost the store
/// anything.
pub(super) async fn origins(store: &dyn Store) -> Result<Option<Origins>, StoreError> {
    let filter = Filter { mentions: Some(r#""allowed_origins":[""#), ..Filter::default() };
    let mut origins = Origins::default();
    for application in readable::<Application>(store, &filter).await? {
        if application.status == ApplicationStatus::Active {
            let own = application.allowed_origins.iter().map(|origin| origin.as_str().to_owned());
            origins.entry(application.tenant_id).or_default().extend(own);
        }
    }
    Ok(Some(origins))
}

/// The things that can be read, where one fewer opens nothing to anybody. What cannot be read stands in the log.
pub(super) async fn readable<N: Noun>(store: &dyn Store, filter: &Filter<'_>) -> Result<Vec<N>, StoreError> {
    let all = noun::list_apart(store, filter, Reach::Platform).await?;
    let loudly = |error: &StoreError| {
        tracing::error!(error = %with_causes(error), "left out: `ambit doctor` names all that is damaged");
    };
    Ok(all.into_iter().filter_map(|found| found.inspect_err(loudly).ok()).collect())
}

/// The signing keys, each with its sealed half, and the names of those that cannot be read.
pub(super) async fn keys(store: &dyn Store) -> Result<(Vec<(Key, Option<Vec<u8>>)>, Vec<String>), StoreError> {
    let (mut keys, mut damaged) = (vec![], vec![]);
    for row in store.list_rows_apart(Key::RESOURCE, &Filter::default(), Reach::Platform).await? {
        match row.and_then(|row| Ok((noun::read::<Key>(&row)?, row.sealed))) {
            Ok(key) => keys.push(key),
            Err(error) => {
                tracing::error!(error = %with_causes(&error), "a signing key cannot be read");
                if let StoreError::Corrupt { id, .. } = error {
                    damaged.push(id);
                }
            }
        }
    }
    Ok((keys, damaged))
}

async fn partner_status(store: &dyn Store, id: Option<PartnerId>) -> Result<PartnerStatus, StoreError> {
    let Some(id) = id else { return Ok(PartnerStatus::Active) };
    let partner = noun::find::<Partner>(store, By::Id(&id.to_string()), Reach::Platform).await?;
    // A partner that is gone is in business with nobody.
    Ok(partner.map_or(PartnerStatus::Suspended, |partner| partner.status))
}
