//! The example of the guide, `examples/pos_api.rs`, driven as a client would.

use ambit_resource_server::Issuer;
use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::support::{API, ISSUER, Key, World, claims, send};

#[path = "../../../../examples/pos_api.rs"]
#[expect(dead_code, reason = "its `main` serves the routes that are called here")]
mod pos_api;

#[tokio::test]
async fn the_example_serves_its_routes_and_names_the_scope_that_is_missing() {
    let key = Key::new("k1");
    let api = World::with(&[&key]).api_of(Issuer::new(ISSUER).with_tenants());
    let routes = pos_api::routes(&api);
    let call = async |method: Method, path: &str, token: &str| {
        let request =
            Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        send(&routes, request.body(Body::empty()).expect("a request")).await
    };
    // A till of acme's: its issuer is the tenant's.
    let till = |scope: &str| {
        let mut claims = claims(scope);
        for (claim, value) in [
            ("iss", json!("https://as.example/tenants/acme")),
            ("tenant_slug", json!("acme")),
            ("unit_id", json!("unt_north")),
        ] {
            claims[claim] = value;
        }
        key.sign(&claims)
    };

    let made = call(Method::POST, "/baskets", &till("pos.read pos.write")).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.json, json!({"id": 1, "by": "till-7", "tenant": "acme", "unit": "unt_north"}));
    let read = call(Method::GET, "/baskets/7", &till("pos.read pos.write")).await;
    assert_eq!(read.json, json!({"id": 7, "may_finalize": true}));

    // A display-only terminal reads, and may not create.
    let display = till("pos.read");
    let read = call(Method::GET, "/baskets/7", &display).await;
    assert_eq!(read.json, json!({"id": 7, "may_finalize": false}));
    let refused = call(Method::POST, "/baskets", &display).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json["required"], json!(["pos:baskets:create"]));
    assert!(refused.challenge().contains(r#"scope="pos:baskets:create""#), "{}", refused.challenge());

    // Receipts are behind a feature: the bundle is not enough, whatever it includes.
    let refused = call(Method::GET, "/receipts/7", &display).await;
    assert_eq!((refused.status.as_u16(), &refused.json["required"]), (403, &json!(["pos:receipts:read"])));
    let read = call(Method::GET, "/receipts/7", &till("pos.read pos:receipts:read")).await;
    assert_eq!(read.json, json!({"id": 7, "total": "12.40"}));

    assert_eq!(call(Method::GET, "/baskets/7", "garbage").await.status, 401);
    let metadata = call(Method::GET, "/.well-known/oauth-protected-resource", "garbage").await;
    assert_eq!(metadata.json["resource"], API);
    let scopes: Vec<Value> = ["pos:baskets:create", "pos:baskets:read", "pos:receipts:read"].map(Value::from).into();
    assert_eq!(metadata.json["scopes_supported"], Value::from(scopes));
}
