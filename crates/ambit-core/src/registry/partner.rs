//! Partners: made by the platform, limited by it.

use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::group::Group;
use ambit_protocol::admin::partner::{CreatePartner, Partner, PartnerStatus, PatchPartner};
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::User;
use ambit_protocol::time::Timestamp;

use super::{Conflict, Edit, RegistryError, count_all};
use crate::entropy::new_id;
use crate::reach::Reach;
use crate::registry::error::Usage;
use crate::store::Filter;
use crate::store::noun;

/// Makes a partner.
///
/// # Errors
/// [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly); [`Conflict::Taken`] for the slug.
pub async fn create(edit: &Edit<'_>, body: CreatePartner) -> Result<Partner, RegistryError> {
    edit.require_platform("make a partner")?;
    let partner = Partner {
        id: new_id(edit.now(), edit.entropy),
        name: body.name,
        slug: body.slug,
        status: PartnerStatus::Active,
        contact_email: body.contact_email,
        max_tenants: body.max_tenants,
        max_users_per_tenant: body.max_users_per_tenant,
        max_applications_per_tenant: body.max_applications_per_tenant,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    Ok(noun::insert(edit.tx, partner, None).await?)
}

/// Changes a partner. A partner's own administrator may change how it is called and reached; its limits and its status are the
/// platform's.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly) for limits and status.
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchPartner) -> Result<Partner, RegistryError> {
    let before: Partner = edit.see(id).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    let PatchPartner { name, status, contact_email, max_tenants, max_users_per_tenant, max_applications_per_tenant } =
        body;
    after.name = name.unwrap_or(after.name);
    after.contact_email = contact_email.unwrap_or(after.contact_email);
    after.status = status.unwrap_or(after.status);
    after.max_tenants = max_tenants.unwrap_or(after.max_tenants);
    after.max_users_per_tenant = max_users_per_tenant.unwrap_or(after.max_users_per_tenant);
    after.max_applications_per_tenant = max_applications_per_tenant.unwrap_or(after.max_applications_per_tenant);
    // A partner that could raise its own limits would have none.
    if bounds(&before) != bounds(&after) {
        edit.require_platform("change a partner's status and limits")?;
    }
    edit.replace(&before, after).await
}

/// Takes a partner away. It must be empty: nothing below it disappears by the way.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::PlatformOnly`](super::Forbidden::PlatformOnly); [`Conflict::InUse`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let partner: Partner = edit.see(id).await?;
    edit.require_platform("delete a partner")?;
    let filter = Filter { partner: Some(partner.id), limit: Some(SHOWN), ..Filter::default() };
    let mut by = vec![];
    let mut count = count_all::<Tenant>(edit.tx, &filter).await?;
    for tenant in noun::list::<Tenant>(edit.tx, &filter, Reach::Platform).await? {
        by.push(Usage {
            resource: Resource::Tenant,
            id: tenant.id.to_string(),
            name: tenant.name.to_string(),
            field: "partner_id",
        });
    }
    let own = Filter { partner: Some(partner.id), ..Filter::default() };
    for (resource, there) in [
        (Resource::Application, count_all::<Application>(edit.tx, &own).await?),
        (Resource::Api, count_all::<Api>(edit.tx, &own).await?),
        (Resource::User, count_all::<User>(edit.tx, &own).await?),
        (Resource::Group, count_all::<Group>(edit.tx, &own).await?),
        (Resource::Administrator, count_all::<Administrator>(edit.tx, &own).await?),
    ] {
        count += there;
        if there > 0 {
            let name = format!("{there} of its own or of its tenants");
            by.push(Usage { resource, id: String::new(), name, field: "partner_id" });
        }
    }
    if count > 0 {
        let instead = "delete what belongs to it first, or set its status to suspended";
        return Err(Conflict::InUse { resource: Resource::Partner, id: id.to_owned(), by, count, instead }.into());
    }
    Ok(noun::delete(edit.tx, &partner).await?)
}

const fn bounds(partner: &Partner) -> (PartnerStatus, [Option<u32>; 3]) {
    let limits = [partner.max_tenants, partner.max_users_per_tenant, partner.max_applications_per_tenant];
    (partner.status, limits)
}

/// How many of its tenants a refusal names.
const SHOWN: u32 = 20;
