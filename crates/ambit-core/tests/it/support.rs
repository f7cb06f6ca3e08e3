//! A small catalogue in which every rule has something to bite on, and one helper per noun that knows the API.

use std::sync::Arc;

use ambit_core::client::{Client, Facts, TenantFacts};
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::governance::ceiling::Ceiling;
use ambit_core::governance::gates::Gates;
use ambit_protocol::admin::api::Api;
use ambit_protocol::admin::application::{Application, ScopePolicy};
use ambit_protocol::admin::partner::PartnerStatus;
use ambit_protocol::admin::scope::Scope;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::id::{ApiId, Id as _, TenantId};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const POS: &str = "https://api.example.com/pos";
pub(crate) const ADMIN: &str = "https://api.example.com/admin";
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn token(name: &str) -> ScopeToken {
    name.parse().expect("a scope's name")
}

pub(crate) fn tokens(names: &str) -> Vec<ScopeToken> {
    names.split_whitespace().map(token).collect()
}

/// The tenant that everything acts for, and the one that owns a scope nobody else knows.
pub(crate) fn tenant_id(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn api_id(n: u128) -> ApiId {
    ApiId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn api(n: u128, identifier: &str, owner: Option<TenantId>) -> Api {
    serde_json::from_value(json!({
        "id": api_id(n), "identifier": identifier, "name": identifier, "tenant_id": owner, "partner_id": null,
        "token_lifetime_secs": null, "signing_algorithm": null,
        "created_at": NOW, "updated_at": NOW, "revision": 1,
    }))
    .expect("an API")
}

/// A scope from what is special about it.
pub(crate) fn scope(ordinal: u64, name: &str, api: Option<ApiId>, special: Value) -> Scope {
    let mut document = json!({
        "name": name, "api": api, "tenant_id": null, "partner_id": null, "kind": "granular",
        "title": {"en": name}, "description": {"en": name}, "includes": [], "feature": null,
        "grants": ["service", "user"], "roles": [], "sensitivity": "normal", "state": "active",
        "successor": null, "sunset": null, "advertised": true, "ordinal": ordinal,
        "created_at": NOW, "updated_at": NOW, "revision": 1,
    });
    document.as_object_mut().expect("an object").extend(special.as_object().expect("an object").clone());
    serde_json::from_value(document).expect("a scope")
}

pub(crate) fn catalogue() -> Catalogue {
    let (pos, admin, others) = (Some(api_id(1)), Some(api_id(2)), Some(api_id(3)));
    let other = tenant_id(2);
    Catalogue::new(
        vec![api(1, POS, None), api(2, ADMIN, None), api(3, "https://other.example", Some(other))],
        vec![
            scope(1, "openid", None, json!({"kind": "identity", "grants": ["user"]})),
            scope(
                2,
                "pos.read",
                pos,
                json!({"kind": "coarse",
                "includes": ["pos:members:read", "pos:baskets:read", "pos:receipts:read"]}),
            ),
            scope(3, "pos.write", pos, json!({"kind": "coarse", "includes": ["pos:baskets:create"]})),
            scope(4, "pos:members:read", pos, json!({})),
            scope(5, "pos:baskets:read", pos, json!({})),
            scope(6, "pos:receipts:read", pos, json!({"feature": "digital-receipts"})),
            scope(7, "pos:baskets:create", pos, json!({})),
            scope(8, "pos:draft", pos, json!({"state": "draft"})),
            scope(9, "pos:retired", pos, json!({"state": "retired"})),
            scope(10, "pos:old", pos, json!({"state": "deprecated", "successor": "pos:baskets:read"})),
            scope(
                11,
                "pos:oldest",
                pos,
                json!({"state": "deprecated", "successor": "pos:baskets:read",
                "sunset": Timestamp::from_secs(1_700_000_000)}),
            ),
            scope(12, "pos:personal", pos, json!({"grants": ["user"]})),
            scope(13, "pos:managers", pos, json!({"grants": ["user"], "roles": ["manager"]})),
            scope(14, "admin:read", admin, json!({})),
            scope(15, "admin:write", admin, json!({"sensitivity": "privileged"})),
            scope(16, "others:secret", others, json!({"tenant_id": other})),
            scope(17, "hidden:read", admin, json!({"advertised": false})),
        ],
    )
}

pub(crate) fn application(allowed: &str, policy: Value) -> Application {
    serde_json::from_value(json!({
        "id": "app_00000000000000000000000001", "client_id": "till", "name": "Till", "type": "service",
        "level": "platform", "tenant_id": null, "partner_id": null, "status": "active",
        "allowed_scopes": tokens(allowed), "scopes_changed_at": NOW,
        "scope_policy": serde_json::from_value::<ScopePolicy>(policy).expect("a policy"),
        "redirect_uris": [], "post_logout_redirect_uris": [], "allowed_origins": [],
        "grant_types": ["client_credentials"], "token_lifetime_secs": 3600,
        "token_endpoint_auth_method": "client_secret_basic", "jwks": null,
        "created_at": NOW, "updated_at": NOW, "revision": 1,
    }))
    .expect("an application")
}

/// How the feature `digital-receipts` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipts {
    NoTenant,
    OffForTenant,
    On,
    OffForUnit,
}

pub(crate) fn gates(receipts: Receipts) -> Gates {
    let key = || "digital-receipts".parse().expect("a key");
    match receipts {
        Receipts::NoTenant => Gates::default(),
        Receipts::OffForTenant => Gates { tenant: Some(Arc::default()), unit: None },
        Receipts::On => Gates { tenant: Some(Arc::new([key()].into_iter().collect())), unit: None },
        Receipts::OffForUnit => Gates {
            tenant: Some(Arc::new([key()].into_iter().collect())),
            unit: Some(Arc::new([(key(), false)].into_iter().collect())),
        },
    }
}

/// Facts for a client of the platform that acts for a tenant, or for none.
pub(crate) fn facts(application: Application, receipts: Receipts) -> Facts {
    let catalogue = Arc::new(catalogue());
    let ceiling = Arc::new(Ceiling::new(&application, &catalogue));
    let tenant: Tenant = serde_json::from_value(json!({
        "id": tenant_id(1), "name": "Acme", "slug": "acme", "partner_id": null, "plan_tier": null, "status": "active",
        "created_at": NOW, "updated_at": NOW, "revision": 1,
    }))
    .expect("a tenant");
    let unit: Unit = serde_json::from_value(json!({
        "id": "unt_00000000000000000000000001", "tenant_id": tenant_id(1), "partner_id": null, "name": "North",
        "slug": "north", "kind": "retailer", "parent_id": null, "created_at": NOW, "updated_at": NOW, "revision": 1,
    }))
    .expect("a unit");
    Facts {
        revision: 7,
        catalogue,
        ceiling,
        client: Arc::new(Client { application, secrets: vec![], keys: None, partner_status: PartnerStatus::Active }),
        tenant: (receipts != Receipts::NoTenant)
            .then(|| Arc::new(TenantFacts { tenant, partner_status: PartnerStatus::Active })),
        unit: (receipts == Receipts::OffForUnit).then(|| Arc::new(unit)),
        gates: gates(receipts),
    }
}
