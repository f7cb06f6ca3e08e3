//! Tenants: made by the platform or, within its limits, by a partner.

use ambit_protocol::admin::administrator::Administrator;
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::Application;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::feature::TenantFeature;
use ambit_protocol::admin::group::Group;
use ambit_protocol::admin::partner::Partner;
use ambit_protocol::admin::tenant::{
    Branding, CreateTenant, PatchBranding, PatchTenant, PatchTenantSettings, Tenant, TenantSettings, TenantStatus,
};
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::admin::user::User;
use ambit_protocol::id::PartnerId;
use ambit_protocol::time::Timestamp;

use super::error::Usage;
use super::{Conflict, Edit, Faults, RegistryError, count_all, first_repeated};
use crate::entropy::new_id;
use crate::reach::{Owner, Reach};
use crate::store::noun;
use crate::store::{By, Filter};

/// Makes a tenant, with status `trial`. A partner's administrator makes it for the partner, within the partner's limit.
///
/// # Errors
/// [`Forbidden::AboveTenantOnly`](super::Forbidden::AboveTenantOnly); [`RegistryError::Invalid`] for a partner that is not
/// there; [`Conflict::LimitReached`]; [`Conflict::Taken`] for the slug.
pub async fn create(edit: &Edit<'_>, body: CreateTenant) -> Result<Tenant, RegistryError> {
    edit.require_above_tenant("make a tenant")?;
    let partner_id = edit.resolve_owner(None, body.partner_id).await?.partner_id();
    if let Some(partner) = partner_id {
        require_room_for_a_tenant(edit, partner).await?;
    }
    let tenant = Tenant {
        id: new_id(edit.now(), edit.entropy),
        name: body.name,
        slug: body.slug,
        partner_id,
        plan_tier: body.plan_tier,
        status: TenantStatus::Trial,
        settings: TenantSettings::default(),
        branding: Branding::default(),
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
        revision: 0,
    };
    Ok(noun::insert(edit.tx, tenant, None).await?)
}

/// Changes a tenant. What it pays for is not the tenant's own to change.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::AboveTenantOnly`](super::Forbidden::AboveTenantOnly) for the plan;
/// [`RegistryError::Invalid`] for settings out of bounds.
pub async fn patch(edit: &Edit<'_>, id: &str, body: PatchTenant) -> Result<Tenant, RegistryError> {
    let before: Tenant = edit.see(id).await?;
    edit.require_covers(&before)?;
    let mut after = before.clone();
    let PatchTenant { name, plan_tier, settings, branding } = body;
    after.name = name.unwrap_or(after.name);
    after.plan_tier = plan_tier.unwrap_or(after.plan_tier);
    if before.plan_tier != after.plan_tier {
        edit.require_above_tenant("change a tenant's plan")?;
    }
    if let Some(change) = settings {
        after.settings = change_settings(after.settings, change);
        check_settings(&after.settings, edit.settings.limits.list_entries)?;
    }
    if let Some(PatchBranding { logo_text, accent_color }) = branding {
        after.branding.logo_text = logo_text.unwrap_or(after.branding.logo_text);
        after.branding.accent_color = accent_color.unwrap_or(after.branding.accent_color);
    }
    edit.replace(&before, after).await
}

fn change_settings(before: TenantSettings, change: PatchTenantSettings) -> TenantSettings {
    let PatchTenantSettings {
        mfa,
        password_min_length,
        session_idle_secs,
        session_max_secs,
        email_code,
        self_registration,
        email_domains,
    } = change;
    TenantSettings {
        mfa: mfa.unwrap_or(before.mfa),
        password_min_length: password_min_length.unwrap_or(before.password_min_length),
        session_idle_secs: session_idle_secs.unwrap_or(before.session_idle_secs),
        session_max_secs: session_max_secs.unwrap_or(before.session_max_secs),
        email_code: email_code.unwrap_or(before.email_code),
        self_registration: self_registration.unwrap_or(before.self_registration),
        email_domains: email_domains.unwrap_or(before.email_domains),
    }
}

fn check_settings(settings: &TenantSettings, list_entries: usize) -> Result<(), RegistryError> {
    let mut faults = Faults::default();
    // NIST SP 800-63B-4 §3.1.1.2: at least 8 characters even where something else is asked for as well.
    faults.add_unless(
        (8..=64).contains(&settings.password_min_length),
        "/settings/password_min_length",
        "must be 8 to 64 characters",
    );
    faults.add_unless(
        (60..=MAX_SESSION_SECS).contains(&settings.session_max_secs),
        "/settings/session_max_secs",
        "must be 60 to 2592000 seconds",
    );
    faults.add_unless(
        (60..=settings.session_max_secs).contains(&settings.session_idle_secs),
        "/settings/session_idle_secs",
        "must be 60 seconds or more, and at most session_max_secs",
    );
    if settings.email_domains.len() > list_entries {
        let there = settings.email_domains.len();
        faults.add("/settings/email_domains", format!("has {there} entries, and list_entries allows {list_entries}"));
    }
    if let Some(place) = first_repeated(&settings.email_domains) {
        faults.add(format!("/settings/email_domains/{place}"), "is there twice");
    }
    faults.into_result()
}

/// Moves a tenant to another status. Where it stands there already, nothing happens.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::AboveTenantOnly`](super::Forbidden::AboveTenantOnly): nobody lifts their own
/// suspension; [`Conflict::TenantTransition`].
pub async fn set_status(edit: &Edit<'_>, id: &str, to: TenantStatus) -> Result<Tenant, RegistryError> {
    let before: Tenant = edit.see(id).await?;
    edit.require_above_tenant("change a tenant's status")?;
    edit.require_covers(&before)?;
    let from = before.status;
    if from != to && !from.may_become(to) {
        let allowed = TenantStatus::ALL.into_iter().filter(|next| from.may_become(*next)).collect();
        return Err(Conflict::TenantTransition { from, to, allowed }.into());
    }
    let after = Tenant { status: to, ..before.clone() };
    edit.replace(&before, after).await
}

/// Takes a tenant away. It must be empty: nothing below it disappears by the way, except its feature switches.
///
/// # Errors
/// [`RegistryError::NotFound`]; [`Forbidden::AboveTenantOnly`](super::Forbidden::AboveTenantOnly); [`Conflict::InUse`].
pub async fn delete(edit: &Edit<'_>, id: &str) -> Result<(), RegistryError> {
    let tenant: Tenant = edit.see(id).await?;
    edit.require_above_tenant("delete a tenant")?;
    edit.require_covers(&tenant)?;
    let own = Filter { tenant: Some(tenant.id), ..Filter::default() };
    let mut by = vec![];
    let mut count = 0;
    for (resource, there) in [
        (Resource::Unit, count_all::<Unit>(edit.tx, &own).await?),
        (Resource::Application, count_all::<Application>(edit.tx, &own).await?),
        (Resource::Api, count_all::<Api>(edit.tx, &own).await?),
        (Resource::User, count_all::<User>(edit.tx, &own).await?),
        (Resource::Group, count_all::<Group>(edit.tx, &own).await?),
        (Resource::Administrator, count_all::<Administrator>(edit.tx, &own).await?),
    ] {
        count += there;
        if there > 0 {
            by.push(Usage { resource, id: String::new(), name: format!("{there} of its own"), field: "tenant_id" });
        }
    }
    if count > 0 {
        let instead = "delete what belongs to it first, or set its status to churned";
        return Err(Conflict::InUse { resource: Resource::Tenant, id: id.to_owned(), by, count, instead }.into());
    }
    for switch in noun::list::<TenantFeature>(edit.tx, &own, Reach::Platform).await? {
        noun::delete(edit.tx, &switch).await?;
    }
    Ok(noun::delete(edit.tx, &tenant).await?)
}

/// Whether a tenant may have one application more, as its partner limits it.
///
/// # Errors
/// [`Conflict::LimitReached`].
pub(super) async fn require_room_for_an_application(edit: &Edit<'_>, owner: Owner) -> Result<(), RegistryError> {
    let Owner::Tenant(tenant, Some(partner)) = owner else { return Ok(()) };
    let Some(max) = partner_of(edit, partner).await?.and_then(|partner| partner.max_applications_per_tenant) else {
        return Ok(());
    };
    let filter = Filter { tenant: Some(tenant), ..Filter::default() };
    within("max_applications_per_tenant", max, count_all::<Application>(edit.tx, &filter).await?)
}

/// Whether a tenant may have one user more, as its partner limits it.
///
/// # Errors
/// [`Conflict::LimitReached`].
pub(super) async fn require_room_for_a_user(edit: &Edit<'_>, owner: Owner) -> Result<(), RegistryError> {
    let Owner::Tenant(tenant, Some(partner)) = owner else { return Ok(()) };
    let Some(max) = partner_of(edit, partner).await?.and_then(|partner| partner.max_users_per_tenant) else {
        return Ok(());
    };
    let filter = Filter { tenant: Some(tenant), ..Filter::default() };
    within("max_users_per_tenant", max, count_all::<User>(edit.tx, &filter).await?)
}

async fn require_room_for_a_tenant(edit: &Edit<'_>, id: PartnerId) -> Result<(), RegistryError> {
    let Some(max) = partner_of(edit, id).await?.and_then(|partner| partner.max_tenants) else { return Ok(()) };
    let filter = Filter { partner: Some(id), ..Filter::default() };
    within("max_tenants", max, count_all::<Tenant>(edit.tx, &filter).await?)
}

/// The partner, whose limits hold for callers who cannot see it too.
async fn partner_of(edit: &Edit<'_>, id: PartnerId) -> Result<Option<Partner>, RegistryError> {
    Ok(noun::find(edit.tx, By::Id(&id.to_string()), Reach::Platform).await?)
}

fn within(limit: &'static str, max: u32, count: u64) -> Result<(), RegistryError> {
    if count < u64::from(max) {
        return Ok(());
    }
    Err(Conflict::LimitReached { limit, max: max.into(), count }.into())
}

/// The longest that a session may go on, in seconds: 30 days (NIST SP 800-63B-4 §2.1.3).
const MAX_SESSION_SECS: u32 = 2_592_000;
