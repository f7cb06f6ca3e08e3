//! Units: parts of a tenant, in a tree.

use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::feature::UnitFeature;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::{CreateUnit, PatchUnit, Unit};
use ambit_protocol::id::UnitId;
use ambit_protocol::time::Timestamp;

use super::error::Usage;
use super::{Conflict, Edit, RegistryError};
use crate::entropy::new_id;
use crate::reach::Reach;
use crate::store::Filter;
use crate::store::noun;

/// Makes a unit of a tenant.
///
/// # Errors
/// [`RegistryError::NotFound`] for the tenant; [`RegistryError::Invalid`] for the parent; [`Conflict::Taken`] for the slug.
pub async fn create(edit: &Edit<'_>, tenant: &str, body: CreateUnit) -> Result<Unit, RegistryError> {
    let tenant: Tenant = edit.see(tenant).await?;
    edit.require_covers(&tenant)?;
    let unit = Unit {
        id: new_id(edit.now(), edit.entropy),
        tenant_id: tenant.id,
        partner_id: tenant.partner_id,
        name: body.name,
        slug: body.slug,
        kind: body.kind,
        parent_id: body.parent_id,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    check_parents(edit, &unit).await?;
    Ok(noun::insert(edit.tx, unit, None).await?)
}

/// Changes a unit.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`RegistryError::Invalid`] for the parent.
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchUnit) -> Result<Unit, RegistryError> {
    let before: Unit = edit.see(id).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    let PatchUnit { name, kind, parent_id } = body;
    after.name = name.unwrap_or(after.name);
    after.kind = kind.unwrap_or(after.kind);
    after.parent_id = parent_id.unwrap_or(after.parent_id);
    check_parents(edit, &after).await?;
    edit.replace(&before, after).await
}

/// Takes a unit away, with its feature switches. It must have no parts.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Conflict::InUse`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let unit: Unit = edit.see(id).await?;
    edit.require_covers(&unit)?;
    let of_tenant = unit.tenant_id.to_string();
    let siblings = Filter { parent: Some(&of_tenant), ..Filter::default() };
    let by: Vec<Usage> = noun::list::<Unit>(edit.tx, &siblings, Reach::Platform)
        .await?
        .into_iter()
        .filter(|other| other.parent_id == Some(unit.id))
        .map(|part| Usage {
            resource: Resource::Unit,
            id: part.id.to_string(),
            name: part.name.to_string(),
            field: "parent_id",
        })
        .collect();
    if !by.is_empty() {
        let (count, instead) = (by.len() as u64, "delete its parts first, or give them another parent");
        return Err(Conflict::InUse { resource: Resource::Unit, id: id.to_owned(), by, count, instead }.into());
    }
    let own = Filter { parent: Some(id), ..Filter::default() };
    for switch in noun::list::<UnitFeature>(edit.tx, &own, Reach::Platform).await? {
        noun::delete(edit.tx, &switch).await?;
    }
    Ok(noun::delete(edit.tx, &unit).await?)
}

/// A unit's parents are units of its tenant, not itself, and not too many.
async fn check_parents(edit: &Edit<'_>, unit: &Unit) -> Result<(), RegistryError> {
    let reach = Reach::Tenant(unit.tenant_id, unit.partner_id);
    let mut above: Option<UnitId> = unit.parent_id;
    for _ in 0..=edit.settings.limits.unit_depth {
        let Some(id) = above else { return Ok(()) };
        if id == unit.id {
            return Err(RegistryError::invalid("/parent_id", "would make the unit a part of itself"));
        }
        let parent: Unit = match super::see(edit.tx, &id.to_string(), reach).await {
            Err(RegistryError::NotFound { .. }) => {
                return Err(RegistryError::invalid("/parent_id", format!("no unit {id} in this tenant")));
            }
            found => found?,
        };
        above = parent.parent_id;
    }
    let max = edit.settings.limits.unit_depth;
    Err(RegistryError::invalid("/parent_id", format!("would stand below more than {max} units (unit_depth)")))
}
