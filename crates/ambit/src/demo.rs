//! `ambit serve --demo`: the retail catalogue, a partner, tenants, units and applications, and commands to paste.
//!
//! Everything goes through the same operations as a request of an administrator would.

use ambit_core::entropy::Entropy;
use ambit_core::limits::Limits;
use ambit_core::reach::Reach;
use ambit_core::registry::{
    Edit, Power, RegistryError, Settings, application, builtin, feature, partner, tenant, unit,
};
use ambit_core::store::{By, ChangeContext, Store, StoreError, noun};
use ambit_protocol::admin::application::CreatedApplication;
use ambit_protocol::admin::tenant::{Tenant, TenantStatus};
use ambit_protocol::time::Timestamp;
use serde_json::json;

/// What was made, to be shown once.
#[derive(Debug)]
pub struct Demo {
    applications: Vec<CreatedApplication>,
    tenant: Tenant,
}

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The registry refuses.
    #[error("the demonstration data could not be made: {0}")]
    Registry(#[from] RegistryError),
    /// The store does not answer.
    #[error("the demonstration data could not be made")]
    Store(#[from] StoreError),
    /// A body of ours does not read as one.
    #[error("the demonstration data could not be made: {0}")]
    Body(#[from] serde_json::Error),
}

/// Makes the demonstration data. None where it is there already: its secrets were shown then.
pub async fn install(
    store: &dyn Store,
    base_url: &str,
    limits: Limits,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Option<Demo>, DemoError> {
    if noun::find::<Tenant>(store, By::NaturalKey(TENANT), Reach::Platform).await?.is_some() {
        return Ok(None);
    }
    let settings = Settings { limits, base_url: base_url.to_owned(), ..Settings::default() };
    let power = Power::system("demo");
    let transaction = store.begin(ChangeContext { actor: "system".to_owned(), at: now, trace_id: None }).await?;
    let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy };
    builtin::install_retail(&edit).await?;

    let partner = partner::create(&edit, body(json!({
        "name": "Northern Tills", "slug": "northern-tills", "contact_email": "hello@tills.example", "max_tenants": 10,
    }))?).await?;
    let chain = tenant::create(
        &edit,
        body(json!({
            "name": "Acme Stores", "slug": TENANT, "partner_id": partner.id, "plan_tier": "gold",
        }))?,
    )
    .await?;
    let chain_id = chain.id.to_string();
    let chain = tenant::set_status(&edit, &chain_id, TenantStatus::Active).await?;
    let second = tenant::create(&edit, body(json!({ "name": "Corner Shops", "slug": "corner" }))?).await?;
    unit::create(&edit, &chain_id, body(json!({ "name": "Acme North", "slug": "north", "kind": "retailer" }))?).await?;
    unit::create(&edit, &chain_id, body(json!({ "name": "Acme South", "slug": "south", "kind": "retailer" }))?).await?;
    unit::create(
        &edit,
        &second.id.to_string(),
        body(json!({ "name": "Corner One", "slug": "one", "kind": "retailer" }))?,
    )
    .await?;
    feature::set_for_tenant(&edit, &chain_id, builtin::DIGITAL_RECEIPTS, Some(true)).await?;

    let mut applications = vec![];
    for application in [
        json!({ "name": "Operator", "client_id": "operator", "type": "service", "level": "platform",
                "allowed_scopes": ["openid", "admin:read", "admin:write"] }),
        json!({ "name": "Nightly report", "client_id": "report", "type": "service", "level": "platform",
                "allowed_scopes": ["admin.read", "offers:read"] }),
        json!({ "name": "Till", "client_id": "till", "type": "device", "level": "tenant", "tenant_id": chain.id,
                "allowed_scopes": ["pos.read", "pos.write"] }),
        json!({ "name": "Platform service", "client_id": "platform-service", "type": "service", "level": "platform",
                "allowed_scopes": ["platform.read", "platform.write", "pos.read"] }),
    ] {
        applications.push(application::create(&edit, body(application)?).await?);
    }
    transaction.commit().await?;
    Ok(Some(Demo { applications, tenant: chain }))
}

impl Demo {
    /// Credentials and commands, for the terminal of whoever started the demonstration.
    pub fn shown(&self, base_url: &str) -> String {
        let mut text = String::from("Demonstration data was made. The secrets are shown this once:\n\n");
        for made in &self.applications {
            let application = &made.application;
            let scopes: Vec<&str> = application.allowed_scopes.iter().map(AsRef::as_ref).collect();
            text.push_str(&format!(
                "  {:<17} {}  ({})\n",
                application.client_id,
                made.client_secret.as_deref().unwrap_or("-"),
                scopes.join(" "),
            ));
        }
        let secret = |client_id: &str| {
            self.applications
                .iter()
                .find(|made| made.application.client_id.as_str() == client_id)
                .and_then(|made| made.client_secret.as_deref())
                .unwrap_or_default()
        };
        let tenant = &self.tenant;
        text.push_str(&format!(
            r#"
Paste, one after another:

# A till's token. Its chain has digital receipts, so pos:receipts:read comes with pos.read:
curl -s {base_url}/tenants/{slug}/connect/token -d grant_type=client_credentials -d client_id=till -d client_secret={till} -d "scope=pos.read pos.write"

# A misspelt scope, and what the answer says:
curl -s {base_url}/connect/token -u report:{report} -d grant_type=client_credentials -d scope=admin

# A token that lacks the scope for the admin API, and the 403 with the reason and the fix:
TOKEN=$(curl -s {base_url}/connect/token -u report:{report} -d grant_type=client_credentials | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s {base_url}/api/v1/admin/applications -H "Authorization: Bearer $TOKEN"

# The operator fixes it; the old token stays as it is, a new one has the scope:
ADMIN_TOKEN=$(curl -s {base_url}/connect/token -u operator:{operator} -d grant_type=client_credentials | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s -X POST {base_url}/api/v1/admin/applications/report/allowed_scopes -H "Authorization: Bearer $ADMIN_TOKEN" -H "Content-Type: application/json" -d '{{"scope":"admin:read"}}'
curl -s {base_url}/api/v1/admin/applications -H "Authorization: Bearer $TOKEN"
TOKEN=$(curl -s {base_url}/connect/token -u report:{report} -d grant_type=client_credentials -d scope=admin:read | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s {base_url}/api/v1/admin/applications -H "Authorization: Bearer $TOKEN"

# Digital receipts off for the chain: the scope is left out, and the answer says so:
curl -s -X PUT {base_url}/api/v1/admin/tenants/{tenant_id}/features/digital-receipts -H "Authorization: Bearer $ADMIN_TOKEN" -H "Content-Type: application/json" -d '{{"enabled":false}}'
curl -s {base_url}/tenants/{slug}/connect/token -d grant_type=client_credentials -d client_id=till -d client_secret={till} -d "scope=pos.read"

# What a client may ask for, and why it got what it got:
curl -s {base_url}/tenants/{slug}/connect/scopes -u till:{till}
curl -s {base_url}/tenants/{slug}/connect/explain -u till:{till} -H "Content-Type: application/json" -d '{{"question":"request","scope":"pos:receipts:read"}}'

The admin API is described at {base_url}/api/v1/docs, every error at {base_url}/errors/."#,
            slug = tenant.slug,
            tenant_id = tenant.id,
            till = secret("till"),
            report = secret("report"),
            operator = secret("operator"),
        ));
        text
    }
}

fn body<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}

const TENANT: &str = "acme";
