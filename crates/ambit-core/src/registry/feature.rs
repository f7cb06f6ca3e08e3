//! Features and their two levels: per tenant, by a platform administrator; per unit, by the tenant's.

use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::feature::{CreateFeature, Feature, FeatureStatus, PatchFeature, TenantFeature, UnitFeature};
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::time::Timestamp;

use super::error::Usage;
use super::{Conflict, Edit, RegistryError, see};
use crate::reach::Reach;
use crate::store::noun;
use crate::store::{By, Filter, Reads};

/// Makes a feature.
///
/// # Errors
/// [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly); [`Conflict::Taken`] for the key.
pub async fn create(edit: &Edit<'_>, body: CreateFeature) -> Result<Feature, RegistryError> {
    edit.require_platform("make a feature")?;
    let feature = Feature {
        key: body.key,
        title: body.title,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    Ok(noun::insert(edit.tx, feature, None).await?)
}

/// Changes a feature's title.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly).
pub async fn patch(edit: &Edit<'_>, key: &str, body: PatchFeature) -> Result<Feature, RegistryError> {
    let before: Feature = edit.see(key).await?;
    edit.require_platform("change a feature")?;
    let after = Feature { title: body.title.unwrap_or_else(|| before.title.clone()), ..before.clone() };
    edit.replace(&before, after).await
}

/// Takes a feature away. No scope may be gated by it, and it must be set nowhere.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly); [`Conflict::InUse`].
pub async fn delete(edit: &Edit<'_>, key: &str) -> Result<(), RegistryError> {
    let feature: Feature = edit.see(key).await?;
    edit.require_platform("delete a feature")?;
    let quoted = format!("\"{key}\"");
    let mentions = Filter { mentions: Some(&quoted), ..Filter::default() };
    let mut by = vec![];
    for scope in noun::list::<Scope>(edit.tx, &mentions, Reach::Platform).await? {
        if scope.feature.as_ref() == Some(&feature.key) {
            let name = scope.name.to_string();
            by.push(Usage { resource: Resource::Scope, id: name.clone(), name, field: "feature" });
        }
    }
    for switch in noun::list::<TenantFeature>(edit.tx, &mentions, Reach::Platform).await? {
        if switch.key == feature.key {
            let id = switch.tenant_id.to_string();
            by.push(Usage { resource: Resource::Tenant, name: id.clone(), id, field: "features" });
        }
    }
    for switch in noun::list::<UnitFeature>(edit.tx, &mentions, Reach::Platform).await? {
        if switch.key == feature.key {
            let id = switch.unit_id.to_string();
            by.push(Usage { resource: Resource::Unit, name: id.clone(), id, field: "features" });
        }
    }
    if !by.is_empty() {
        let (count, instead) = (by.len() as u64, "switch it off where it is on");
        by.truncate(20);
        return Err(Conflict::InUse { resource: Resource::Feature, id: key.to_owned(), by, count, instead }.into());
    }
    Ok(noun::delete(edit.tx, &feature).await?)
}

/// Sets level 1: whether a feature is on for a tenant. `None` unsets it, which means off.
///
/// # Errors
/// [`RegistryError::NotFound`] for the tenant or the feature; [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly).
pub async fn set_for_tenant(
    edit: &Edit<'_>,
    tenant: &str,
    key: &str,
    enabled: Option<bool>,
) -> Result<FeatureStatus, RegistryError> {
    let tenant: Tenant = edit.see(tenant).await?;
    let feature: Feature = edit.see(key).await?;
    edit.require_platform("switch a feature on or off for a tenant (level 1)")?;
    let id = format!("{}/{}", tenant.id, feature.key);
    let before: Option<TenantFeature> = noun::find(edit.tx, By::Id(&id), Reach::Platform).await?;
    match (before, enabled) {
        (None, None) => {}
        (Some(before), None) => noun::delete(edit.tx, &before).await?,
        (Some(before), Some(enabled)) => {
            let after = TenantFeature { enabled, ..before.clone() };
            edit.replace(&before, after).await?;
        }
        (None, Some(enabled)) => {
            let switch = TenantFeature {
                tenant_id: tenant.id,
                partner_id: tenant.partner_id,
                key: feature.key.clone(),
                enabled,
                created_at: Timestamp::default(),
                updated_at: Timestamp::default(),
                revision: 0,
            };
            noun::insert(edit.tx, switch, None).await?;
        }
    }
    status_for_tenant(edit.tx, &tenant, feature).await
}

/// Sets level 2: whether a feature is on for a unit. `None` unsets it, so that it follows the tenant.
///
/// # Errors
/// [`RegistryError::NotFound`] for the unit or the feature; [`Conflict::FeatureOffForTenant`].
pub async fn set_for_unit(
    edit: &Edit<'_>,
    unit: &str,
    key: &str,
    enabled: Option<bool>,
) -> Result<FeatureStatus, RegistryError> {
    let unit: Unit = edit.see(unit).await?;
    let feature: Feature = edit.see(key).await?;
    edit.require_covers(&unit)?;
    // Level 2 is there to narrow what level 1 grants. Unsetting needs no grant.
    if enabled.is_some() && !is_on_for_tenant(edit.tx, &unit.tenant_id.to_string(), &feature).await? {
        return Err(Conflict::FeatureOffForTenant { feature: feature.key.to_string() }.into());
    }
    let id = format!("{}/{}", unit.id, feature.key);
    let before: Option<UnitFeature> = noun::find(edit.tx, By::Id(&id), Reach::Platform).await?;
    match (before, enabled) {
        (None, None) => {}
        (Some(before), None) => noun::delete(edit.tx, &before).await?,
        (Some(before), Some(enabled)) => {
            let after = UnitFeature { enabled, ..before.clone() };
            edit.replace(&before, after).await?;
        }
        (None, Some(enabled)) => {
            let switch = UnitFeature {
                unit_id: unit.id,
                tenant_id: unit.tenant_id,
                partner_id: unit.partner_id,
                key: feature.key.clone(),
                enabled,
                created_at: Timestamp::default(),
                updated_at: Timestamp::default(),
                revision: 0,
            };
            noun::insert(edit.tx, switch, None).await?;
        }
    }
    status_for_unit(edit.tx, &unit, feature).await
}

/// How a feature stands for a tenant.
///
/// # Errors
/// Those of the store.
pub async fn status_for_tenant(
    reads: &(impl Reads + ?Sized),
    tenant: &Tenant,
    feature: Feature,
) -> Result<FeatureStatus, RegistryError> {
    let tenant_enabled = is_on_for_tenant(reads, &tenant.id.to_string(), &feature).await?;
    let Feature { key, title, .. } = feature;
    Ok(FeatureStatus { key, title, tenant_enabled, unit_enabled: None, open: tenant_enabled })
}

/// How a feature stands for a unit: both levels, and what comes of them.
///
/// # Errors
/// Those of the store.
pub async fn status_for_unit(
    reads: &(impl Reads + ?Sized),
    unit: &Unit,
    feature: Feature,
) -> Result<FeatureStatus, RegistryError> {
    let tenant_enabled = is_on_for_tenant(reads, &unit.tenant_id.to_string(), &feature).await?;
    let switch: Option<UnitFeature> =
        noun::find(reads, By::Id(&format!("{}/{}", unit.id, feature.key)), Reach::Platform).await?;
    let unit_enabled = switch.map(|switch| switch.enabled);
    let Feature { key, title, .. } = feature;
    Ok(FeatureStatus { key, title, tenant_enabled, unit_enabled, open: tenant_enabled && unit_enabled != Some(false) })
}

/// How a page of features stands for a tenant.
///
/// # Errors
/// [`RegistryError::NotFound`] for the tenant.
pub async fn list_for_tenant(
    reads: &(impl Reads + ?Sized),
    tenant: &str,
    page: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<FeatureStatus>, RegistryError> {
    let tenant: Tenant = see(reads, tenant, reach).await?;
    let mut statuses = vec![];
    for feature in noun::list::<Feature>(reads, page, reach).await? {
        statuses.push(status_for_tenant(reads, &tenant, feature).await?);
    }
    Ok(statuses)
}

/// How a page of features stands for a unit.
///
/// # Errors
/// [`RegistryError::NotFound`] for the unit.
pub async fn list_for_unit(
    reads: &(impl Reads + ?Sized),
    unit: &str,
    page: &Filter<'_>,
    reach: Reach,
) -> Result<Vec<FeatureStatus>, RegistryError> {
    let unit: Unit = see(reads, unit, reach).await?;
    let mut statuses = vec![];
    for feature in noun::list::<Feature>(reads, page, reach).await? {
        statuses.push(status_for_unit(reads, &unit, feature).await?);
    }
    Ok(statuses)
}

async fn is_on_for_tenant(
    reads: &(impl Reads + ?Sized),
    tenant: &str,
    feature: &Feature,
) -> Result<bool, RegistryError> {
    let switch: Option<TenantFeature> =
        noun::find(reads, By::Id(&format!("{tenant}/{}", feature.key)), Reach::Platform).await?;
    Ok(switch.is_some_and(|switch| switch.enabled))
}
