//! The three documents that the product began with, step by step: what they say happens, happens.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{BASE, Fixture, ROOT, ROOT_SECRET, claims};

const ALIAS: &str = "/api/v1/platform/oauth/token";

async fn application(fixture: &Fixture, client_id: &str, scopes: &[&str]) -> String {
    let body = json!({
        "name": client_id, "client_id": client_id, "type": "SERVICE", "level": "GLOBAL", "allowed_scopes": scopes,
    });
    let made = fixture.made(Method::POST, "/applications", &body).await;
    made["client_secret"].as_str().expect("a secret, this once").to_owned()
}

#[tokio::test]
async fn seed_000_a_token_that_succeeds_and_a_call_that_is_refused_and_the_fix() {
    let fixture = Fixture::new().await;
    fixture.retail().await;
    let secret = application(&fixture, "worker", &["offers:read"]).await;
    let client = ("worker", secret.as_str());

    // The token call succeeds, the call of the admin API does not.
    let stale = fixture.token(ALIAS, client, &[]).await;
    assert_eq!(stale.status, StatusCode::OK, "{}", stale.text);
    let stale = stale.access_token();
    let refused = fixture.admin(&stale, Method::GET, "/applications", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(refused.json["detail"], "Platform token requires admin:read or admin:write scope");
    assert_eq!(refused.json["type"], format!("{BASE}/errors/api/insufficient-scope"));
    assert_eq!(refused.header(header::CONTENT_TYPE), "application/problem+json");
    let challenge = refused.header(header::WWW_AUTHENTICATE);
    assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(refused.json["why"]["verdict"].as_str().unwrap().contains("not among the application's allowed scopes"));
    let writing = fixture.admin(&stale, Method::POST, "/features", Some(&json!({"key": "x", "title": "X"}))).await;
    assert_eq!(writing.json["detail"], "Platform token requires admin:read or admin:write scope");

    // It is not in allowed_scopes, so it cannot be asked for either.
    let asked = fixture.token(ALIAS, client, &[("scope", "admin:read")]).await;
    assert_eq!(asked.json["error_description"], "scope 'admin:read' not allowed for this application");

    // PATCH replaces the list as a whole.
    fixture.clock.advance_secs(5);
    let body = json!({"allowed_scopes": ["openid", "admin:read"]});
    let patched = fixture.made(Method::PATCH, "/applications/worker", &body).await;
    assert_eq!(patched["allowed_scopes"], json!(["openid", "admin:read"]));

    // The token of before stays as it is, and is told why.
    let refused = fixture.admin(&stale, Method::GET, "/applications", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let why = refused.json["why"]["verdict"].as_str().unwrap();
    assert!(why.contains("minted at 2027-01-15T08:00:00Z") && why.contains("changed at 2027-01-15T08:00:05Z"), "{why}");

    // Asked for by name, or not at all: both give it now.
    for fields in [&[("scope", "admin:read")][..], &[]] {
        let token = fixture.token(ALIAS, client, fields).await.access_token();
        assert_eq!(claims(&token)["scope"], "admin:read");
        let good = fixture.admin(&token, Method::GET, "/applications", None).await;
        assert_eq!(good.status, StatusCode::OK, "{}", good.text);
        let writing = fixture.admin(&token, Method::POST, "/features", Some(&json!({"key": "x", "title": "X"}))).await;
        assert_eq!(writing.status, StatusCode::FORBIDDEN);
        assert_eq!(writing.json["detail"], "Platform token requires admin:write scope");
    }
}

#[tokio::test]
async fn seed_001_the_signature_is_what_a_client_prints() {
    let fixture = Fixture::new().await;
    fixture.retail().await;
    let secret = application(&fixture, "worker", &["offers:read"]).await;
    let client = ("worker", secret.as_str());
    let refused = fixture.token("/connect/token", client, &[("scope", "xyzzy")]).await.json;
    let printed = format!(
        "OAuth2 error: {}: {}",
        refused["error"].as_str().unwrap(),
        refused["error_description"].as_str().unwrap()
    );
    assert_eq!(printed, "OAuth2 error: invalid_scope: scope 'xyzzy' not registered");

    let both = fixture.token("/connect/token", client, &[("scope", "xyzzy pos.read offers:read")]).await.json;
    assert_eq!(
        both["error_description"],
        "scope 'xyzzy' not registered; scope 'pos.read' not allowed for this application"
    );
    assert_eq!(both["refused"][0]["reason"], "unknown");
    assert_eq!(both["refused"][1]["reason"], "not_allowed");

    for policy in [json!({"on_refused": "narrow"}), json!({"report_only": true})] {
        fixture.made(Method::PATCH, "/applications/worker", &json!({"scope_policy": policy})).await;
        let narrowed = fixture.token("/connect/token", client, &[("scope", "xyzzy offers:read")]).await.json;
        assert_eq!(narrowed["scope"], "offers:read", "{policy}: {narrowed}");
        assert_eq!(narrowed["dropped_scopes"][0]["scope"], "xyzzy");
    }
}

#[tokio::test]
async fn seed_002_every_coarse_scope_and_the_gate_on_each_level() {
    let fixture = Fixture::new().await;
    fixture.retail().await;
    let coarse = "platform.read platform.write admin.read admin.write shopper.read shopper.write pos.read pos.write";
    let names: Vec<&str> = coarse.split(' ').collect();
    let secret = application(&fixture, "everything", &names).await;
    let form = |scope: &str, more: &[(&str, &str)]| {
        let mut fields = vec![
            ("grant_type".to_owned(), "client_credentials".to_owned()),
            ("client_id".to_owned(), "everything".to_owned()),
            ("client_secret".to_owned(), secret.clone()),
            ("scope".to_owned(), scope.to_owned()),
        ];
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        fields
    };
    let ask = async |scope: &str, more: &[(&str, &str)]| -> Value {
        let fields = form(scope, more);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fixture.form("/connect/token", None, &fields).await.json
    };
    for scope in &names {
        assert_eq!(ask(scope, &[]).await["scope"], *scope);
    }
    for granular in ["offers:read", "loyalty:points:redeem", "pos:baskets:create"] {
        assert_eq!(ask(granular, &[]).await["scope"], granular);
    }

    let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let tenant_id = tenant["id"].as_str().unwrap().to_owned();
    let unit = json!({"name": "North", "slug": "north", "kind": "retailer"});
    let unit = fixture.made(Method::POST, &format!("/tenants/{tenant_id}/units"), &unit).await;
    let unit_id = unit["id"].as_str().unwrap().to_owned();
    let (acme, north) = (("tenant", "acme"), ("unit", "north"));
    let on = json!({"enabled": true});
    let off = json!({"enabled": false});

    let closed = ask("pos.read", &[acme, north]).await;
    assert_eq!(closed["scope"], "pos.read");
    assert_eq!(closed["dropped_scopes"][0]["reason"], "feature_off_for_tenant");
    fixture.made(Method::PUT, &format!("/tenants/{tenant_id}/features/digital-receipts"), &on).await;
    assert_eq!(ask("pos.read", &[acme, north]).await["scope"], "pos.read pos:receipts:read");
    assert_eq!(ask("pos:receipts:read", &[acme]).await["scope"], "pos:receipts:read");
    fixture.made(Method::PUT, &format!("/units/{unit_id}/features/digital-receipts"), &off).await;
    let closed = ask("pos.read", &[acme, north]).await;
    assert_eq!(closed["scope"], "pos.read");
    assert_eq!(closed["dropped_scopes"][0]["reason"], "feature_off_for_unit");
    assert_eq!(ask("pos.read", &[acme]).await["scope"], "pos.read pos:receipts:read");
    fixture.made(Method::PUT, &format!("/units/{unit_id}/features/digital-receipts"), &on).await;
    assert_eq!(ask("pos.read", &[acme, north]).await["scope"], "pos.read pos:receipts:read");
    fixture.made(Method::PUT, &format!("/tenants/{tenant_id}/features/digital-receipts"), &off).await;
    assert_eq!(ask("pos.read", &[acme, north]).await["scope"], "pos.read");
}

#[tokio::test]
async fn a_shut_tenant_gets_no_token_and_its_tokens_open_nothing() {
    let fixture = Fixture::new().await;
    let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let id = tenant["id"].as_str().unwrap().to_owned();
    let body = json!({"name": "Own", "client_id": "own", "type": "service", "level": "tenant", "tenant_id": id,
        "allowed_scopes": ["admin:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let client = ("own", secret.as_str());
    let token = fixture.token("/tenants/acme/connect/token", client, &[]).await.access_token();
    assert_eq!(fixture.admin(&token, Method::GET, "/units/unt_00000000000000000000000000", None).await.status, 404);

    // At the wrong door, with the right credentials.
    let wrong_door = fixture.token("/connect/token", client, &[]).await;
    assert_eq!(wrong_door.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong_door.json["issuer"], format!("{BASE}/tenants/acme"));

    for (status, expected) in [("suspended", 402), ("churned", 403)] {
        fixture.made(Method::POST, &format!("/tenants/{id}/status"), &json!({"status": status})).await;
        let refused = fixture.token("/tenants/acme/connect/token", client, &[]).await;
        assert_eq!(refused.status, expected, "{}", refused.text);
        assert_eq!(refused.json["error_uri"], format!("{BASE}/errors/tenant/{status}"));
        assert_eq!(fixture.admin(&token, Method::GET, "/applications", None).await.status, expected);
        let introspected = fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", &token)]).await;
        assert_eq!(introspected.text, r#"{"active":false}"#);
    }
}

#[tokio::test]
async fn a_revoked_token_is_inactive_and_opens_nothing() {
    let fixture = Fixture::new().await;
    let token = fixture.root().await;
    let root = Some((ROOT, ROOT_SECRET));
    let active = fixture.form("/connect/introspect", root, &[("token", &token)]).await;
    assert_eq!(active.json["active"], true);
    assert_eq!(active.json["scope"], "admin:read admin:write");

    // Another client's attempt changes nothing, and it learns nothing.
    let secret = application(&fixture, "other", &["scopes:read"]).await;
    let other = Some(("other", secret.as_str()));
    assert_eq!(fixture.form("/connect/introspect", other, &[("token", &token)]).await.text, r#"{"active":false}"#);
    assert_eq!(fixture.form("/connect/revoke", other, &[("token", &token)]).await.status, StatusCode::OK);
    assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::OK);

    assert_eq!(fixture.form("/connect/revoke", root, &[("token", &token)]).await.status, StatusCode::OK);
    assert_eq!(fixture.form("/connect/introspect", root, &[("token", &token)]).await.text, r#"{"active":false}"#);
    assert_eq!(fixture.admin(&token, Method::GET, "/scopes", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.form("/connect/revoke", root, &[("token", "garbage")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_is_explained_later_as_it_was_decided() {
    let fixture = Fixture::new().await;
    fixture.retail().await;
    let secret = application(&fixture, "worker", &["offers:read", "pos.read"]).await;
    let client = ("worker", secret.as_str());
    let answer = fixture.token("/connect/token", client, &[("scope", "pos.read")]).await;
    let jti = claims(&answer.access_token())["jti"].as_str().unwrap().to_owned();
    let trace = fixture.token("/connect/token", client, &[("scope", "xyzzy")]).await.json["trace_id"].clone();
    fixture.made(Method::PATCH, "/applications/worker", &json!({"allowed_scopes": ["offers:read"]})).await;

    let by_jti = fixture.made(Method::POST, "/explain", &json!({"question": "token", "jti": jti})).await;
    assert_eq!(by_jti["decision"]["granted"], json!(["pos.read"]), "{by_jti}");
    let by_trace = fixture.made(Method::POST, "/explain", &json!({"question": "token", "trace_id": trace})).await;
    assert_eq!(by_trace["verdict"], "invalid_scope: scope 'xyzzy' not registered");
    // What the same request would get now is another question.
    let question = json!({"question": "request", "application": "worker", "scope": "pos.read"});
    let now = fixture.made(Method::POST, "/explain", &question).await;
    assert_eq!(now["verdict"], "invalid_scope: scope 'pos.read' not allowed for this application");
    // A client may ask about itself, and about nobody else.
    let question = json!({"question": "token", "jti": jti}).to_string();
    let own = fixture.form("/connect/explain", Some(client), &[("question", &question)]).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    let foreign = fixture.form("/connect/explain", Some((ROOT, ROOT_SECRET)), &[("question", &question)]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}
