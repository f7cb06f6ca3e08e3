//! What changed since something was lent: a code is redeemed and a token renewed with the facts of now.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::lending::{Back, CALLBACK, Lending, is_refused, refresh_token};
use crate::support::{Answer, claims};
use crate::world::id;

/// What an answer's token carries, and what it leaves out and why.
fn carried(answer: &Answer) -> (String, Vec<(String, String)>) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let dropped = answer.json["dropped_scopes"].as_array().cloned().unwrap_or_default();
    let dropped = dropped.iter().map(|it| (text(&it["scope"]), text(&it["reason"]))).collect();
    (text(&claims(&answer.access_token())["scope"]), dropped)
}

fn all_of(scope: &str) -> (String, Vec<(String, String)>) {
    (scope.to_owned(), vec![])
}

fn without(name: &str, reason: &str, rest: &str) -> (String, Vec<(String, String)>) {
    (rest.to_owned(), vec![(name.to_owned(), reason.to_owned())])
}

/// Registers scopes of the till, which the application may have and the person agreed to.
async fn till(lending: &Lending, scopes: &[(&str, Value)]) {
    let fixture = &lending.fixture;
    let api = fixture.made(Method::POST, "/apis", &json!({"identifier": "https://till.example", "name": "Till"})).await;
    let application = format!("/applications/{}", id(&lending.application));
    for (name, special) in scopes {
        let mut body = json!({"name": name, "api": api["id"], "kind": "granular", "title": name, "description": name});
        body.as_object_mut().expect("an object").extend(special.as_object().expect("an object").clone());
        fixture.made(Method::POST, "/scopes", &body).await;
        fixture.made(Method::POST, &format!("{application}/allowed_scopes"), &json!({"scope": name})).await;
    }
    let names: Vec<&str> = scopes.iter().map(|(name, _)| *name).collect();
    lending.consent(&format!("openid {}", names.join(" "))).await;
}

/// What a code for some scopes becomes.
async fn lent(lending: &Lending, own: &[(&str, &str)]) -> Answer {
    lending.redeem(&lending.code(own).await).await
}

/// attacks.md C7 153.
#[tokio::test]
async fn a_scope_that_was_lent_is_renewed_until_its_sunset_or_until_it_is_retired() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    till(&lending, &[("till:count", json!({})), ("till:open", json!({})), ("till:read", json!({}))]).await;
    let asked = [("scope", "openid till:count till:open till:read")];
    let tokens = lent(&lending, &asked).await;
    let sunset = json!({"state": "deprecated", "sunset": lending.now().plus_secs(30)});
    fixture.made(Method::PATCH, "/scopes/till:open", &sunset).await;
    let (before, at_its_end) = (lending.code(&asked).await, lending.code(&asked).await);
    fixture.clock.advance_millis(29_999);
    assert_eq!(carried(&lending.redeem(&before).await), all_of(asked[0].1));
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), all_of(asked[0].1));
    fixture.clock.advance_millis(1);
    is_refused(&lending.redeem(&at_its_end).await, "oauth2-invalid-grant");
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), without("till:open", "not_active", "openid till:count till:read"));

    let asked = [("scope", "openid till:count till:read")];
    let (code, tokens) = (lending.code(&asked).await, lent(&lending, &asked).await);
    fixture.made(Method::PATCH, "/scopes/till:count", &json!({"state": "retired"})).await;
    is_refused(&lending.redeem(&code).await, "oauth2-invalid-grant");
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), without("till:count", "not_active", "openid till:read"));
}

/// attacks.md C7 153.
#[tokio::test]
async fn what_is_behind_a_gate_is_renewed_while_the_tenant_has_it_open() {
    let lending = Lending::new().await;
    let path = format!("/tenants/{}/features/digital-receipts", lending.tenant_id);
    let gate = async |enabled: bool| lending.fixture.made(Method::PUT, &path, &json!({"enabled": enabled})).await;
    gate(true).await;
    let (bundle, alone) = ([("scope", "openid pos.read")], [("scope", "pos:receipts:read")]);
    let tokens = lent(&lending, &bundle).await;
    assert_eq!(carried(&tokens), all_of("openid pos.read pos:receipts:read"));
    let nothing_else = refresh_token(&lent(&lending, &alone).await);
    let codes = [lending.code(&bundle).await, lending.code(&alone).await];
    gate(false).await;
    for code in codes {
        is_refused(&lending.redeem(&code).await, "oauth2-invalid-grant");
    }
    is_refused(&lending.refresh(&nothing_else, &[]).await, "oauth2-invalid-grant");
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), without("pos:receipts:read", "feature_off_for_tenant", "openid pos.read"));
    // It was lent, and is again what it was once the gate is open.
    gate(true).await;
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), all_of("openid pos.read pos:receipts:read"));
}

/// attacks.md C7 153: a person lends for one of their tenant's units, and its flag counts for what was lent for it.
#[tokio::test]
async fn what_was_lent_for_a_unit_is_renewed_while_the_unit_has_the_gate_open() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let tenant = format!("/tenants/{}", lending.tenant_id);
    let gate = "features/digital-receipts";
    fixture.made(Method::PUT, &format!("{tenant}/{gate}"), &json!({"enabled": true})).await;
    let north = json!({"name": "North", "slug": "north", "kind": "shop"});
    let north = id(&fixture.made(Method::POST, &format!("{tenant}/units"), &north).await);
    let everywhere = lent(&lending, &[("scope", "openid pos.read")]).await;
    let asked = [("scope", "openid pos.read"), ("unit", "north")];
    let tokens = lent(&lending, &asked).await;
    assert_eq!(claims(&tokens.access_token())["unit_id"], json!(north));
    assert_eq!(carried(&tokens), all_of("openid pos.read pos:receipts:read"));
    let code = lending.code(&asked).await;
    fixture.made(Method::PUT, &format!("/units/{north}/{gate}"), &json!({"enabled": false})).await;
    is_refused(&lending.redeem(&code).await, "oauth2-invalid-grant");
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), without("pos:receipts:read", "feature_off_for_unit", "openid pos.read"));
    let everywhere = lending.refresh(&refresh_token(&everywhere), &[]).await;
    assert_eq!(carried(&everywhere), all_of("openid pos.read pos:receipts:read"), "it is no other unit's flag");
}

/// attacks.md C7 153.
#[tokio::test]
async fn what_was_lent_for_a_unit_ends_with_the_unit() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let (units, north) =
        (format!("/tenants/{}/units", lending.tenant_id), json!({"name": "North", "slug": "north", "kind": "shop"}));
    let first = id(&fixture.made(Method::POST, &units, &north).await);
    let everywhere = lent(&lending, &[]).await;
    let tokens = lent(&lending, &[("unit", "north")]).await;
    let code = lending.code(&[("unit", "north")]).await;
    let gone = fixture.admin(&fixture.root().await, Method::DELETE, &format!("/units/{first}"), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    is_refused(&lending.refresh(&refresh_token(&tokens), &[]).await, "oauth2-invalid-grant");
    assert!(!lending.is_active(&tokens.access_token()).await);
    // Nor is it for the next one of its name.
    fixture.made(Method::POST, &units, &north).await;
    is_refused(&lending.redeem(&code).await, "oauth2-invalid-grant");
    is_refused(&lending.refresh(&refresh_token(&tokens), &[]).await, "oauth2-invalid-grant");
    assert!(!lending.is_active(&tokens.access_token()).await);
    assert_eq!(lent(&lending, &[("unit", "north")]).await.status, StatusCode::OK);
    assert_eq!(lending.refresh(&refresh_token(&everywhere), &[]).await.status, StatusCode::OK);
}

/// The till's scope for managers, and a person who is one until a moment of their own or for good.
async fn manager(until: Option<i64>) -> Lending {
    let lending = Lending::new().await;
    let managers = json!({"grants": ["user"], "roles": ["manager"]});
    till(&lending, &[("till:managers", managers), ("till:read", json!({}))]).await;
    let expires_at = until.map(|secs| lending.now().plus_secs(secs));
    roles(&lending, json!([{"role": "manager", "expires_at": expires_at}])).await;
    lending
}

async fn roles(lending: &Lending, roles: Value) {
    let path = format!("/users/{}", lending.user_id());
    lending.fixture.made(Method::PATCH, &path, &json!({"roles": roles})).await;
}

const MANAGERS: [(&str, &str); 1] = [("scope", "openid till:managers till:read")];

/// attacks.md C7 153, 177.
#[tokio::test]
async fn a_role_that_was_taken_away_counts_for_nothing_that_was_lent() {
    let lending = manager(None).await;
    let (code, tokens) = (lending.code(&MANAGERS).await, lent(&lending, &MANAGERS).await);
    assert_eq!(carried(&tokens), all_of(MANAGERS[0].1));
    roles(&lending, json!([{"role": "clerk"}])).await;
    is_refused(&lending.redeem(&code).await, "oauth2-invalid-grant");
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), without("till:managers", "role_missing", "openid till:read"));
}

/// attacks.md C7 153, 177, 182.
#[tokio::test]
async fn a_role_counts_for_what_was_lent_until_the_moment_it_ends() {
    let lending = manager(Some(30)).await;
    let tokens = lent(&lending, &MANAGERS).await;
    let (before, at_its_end) = (lending.code(&MANAGERS).await, lending.code(&MANAGERS).await);
    lending.fixture.clock.advance_millis(29_999);
    assert_eq!(carried(&lending.redeem(&before).await), all_of(MANAGERS[0].1));
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), all_of(MANAGERS[0].1));
    lending.fixture.clock.advance_millis(1);
    is_refused(&lending.redeem(&at_its_end).await, "oauth2-invalid-grant");
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), without("till:managers", "role_missing", "openid till:read"));
}

/// attacks.md C7 177.
#[tokio::test]
async fn a_token_that_is_out_holds_no_scope_of_a_role_that_its_person_holds_no_longer() {
    let lending = manager(Some(30)).await;
    let token = lent(&lending, &MANAGERS).await.access_token();
    let holds = async || {
        let client = Some(("shop", lending.secret.as_str()));
        let told = lending.fixture.form("/tenants/acme/connect/introspect", client, &[("token", &token)]).await;
        assert_eq!(told.json["active"], true, "{}", told.text);
        told.json["scope"].as_str().expect("scopes").to_owned()
    };
    lending.fixture.clock.advance_millis(29_999);
    assert_eq!(holds().await, MANAGERS[0].1);
    lending.fixture.clock.advance_millis(1);
    assert_eq!(holds().await, "openid till:read", "it ended by itself");
    roles(&lending, json!([{"role": "manager"}])).await;
    assert_eq!(holds().await, MANAGERS[0].1);
    roles(&lending, json!([])).await;
    assert_eq!(holds().await, "openid till:read", "it was taken away");
}

/// attacks.md C7 177.
#[tokio::test]
async fn a_persons_token_names_their_roles_and_groups_of_now() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let group = async |name: &str| {
        let body = json!({"name": name, "tenant_id": lending.tenant_id, "roles": [{"role": name}]});
        id(&fixture.made(Method::POST, "/groups", &body).await)
    };
    let (tills, staff) = (group("tills").await, group("staff").await);
    let member = async |method: Method, group: &str, member: &str| {
        let path = format!("/groups/{group}/members/{member}");
        let answer = fixture.admin(&fixture.root().await, method, &path, None).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    };
    let ada = lending.user_id().to_string();
    member(Method::PUT, &tills, &ada).await;
    member(Method::PUT, &staff, &tills).await;
    let ends = lending.now().plus_secs(30);
    roles(&lending, json!([{"role": "manager"}, {"role": "keyholder", "expires_at": ends}])).await;
    let named = |answer: &Answer| {
        let claims = claims(&answer.access_token());
        (claims["roles"].clone(), claims["groups"].clone())
    };
    let tokens = lent(&lending, &[]).await;
    assert_eq!(named(&tokens), (json!(["keyholder", "manager", "staff", "tills"]), json!([tills, staff])));
    let code = lending.code(&[]).await;
    fixture.clock.advance_secs(30);
    member(Method::DELETE, &staff, &tills).await;
    let of_now = (json!(["manager", "tills"]), json!([tills]));
    assert_eq!(named(&lending.redeem(&code).await), of_now);
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(named(&tokens), of_now);
    member(Method::DELETE, &tills, &ada).await;
    roles(&lending, json!([])).await;
    assert_eq!(named(&lending.refresh(&refresh_token(&tokens), &[]).await), (Value::Null, Value::Null));
}

/// attacks.md C7 167: a name can be given again, and what was lent under it is not the next one's.
#[tokio::test]
async fn what_was_lent_to_an_application_is_not_for_the_next_one_of_its_name() {
    let mut lending = Lending::new().await;
    let (code, token) = (lending.code(&[]).await, refresh_token(&lent(&lending, &[]).await));
    let path = format!("/applications/{}", id(&lending.application));
    let gone = lending.fixture.admin(&lending.fixture.root().await, Method::DELETE, &path, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    let next = json!({
        "name": "Another shop", "type": "web", "level": "tenant", "tenant_id": lending.tenant_id, "client_id": "shop",
        "allowed_scopes": ["openid", "profile", "shopper.read"], "redirect_uris": [CALLBACK], "consent": "trusted",
    });
    lending.application = lending.fixture.made(Method::POST, "/applications", &next).await;
    lending.secret = lending.application["client_secret"].as_str().expect("a secret").to_owned();
    is_refused(&lending.redeem(&code).await, "oauth2-grant-of-another-client");
    is_refused(&lending.refresh(&token, &[]).await, "oauth2-grant-of-another-client");
    assert_eq!(lent(&lending, &[]).await.status, StatusCode::OK, "its own is");
}

/// attacks.md C7 154: what is behind a gate that was closed was not lent, and is not added by itself.
#[tokio::test]
async fn a_bundle_that_was_lent_is_renewed_without_what_was_behind_a_gate_then() {
    let lending = Lending::new().await;
    let asked = [("scope", "openid pos.read")];
    let (code, tokens) = (lending.code(&asked).await, lent(&lending, &asked).await);
    assert_eq!(carried(&tokens).0, "openid pos.read");
    let path = format!("/tenants/{}/features/digital-receipts", lending.tenant_id);
    lending.fixture.made(Method::PUT, &path, &json!({"enabled": true})).await;
    // Why it was left out when it was lent is told with the code's tokens, and not again.
    let left_out = without("pos:receipts:read", "feature_off_for_tenant", "openid pos.read");
    assert_eq!(carried(&lending.redeem(&code).await), left_out);
    let tokens = lending.refresh(&refresh_token(&tokens), &[]).await;
    assert_eq!(carried(&tokens), all_of("openid pos.read"));
    // Who asks anew is lent it.
    assert!(Back::of(&lending.authorize(&asked).await).get("code").is_some());
    assert_eq!(carried(&lent(&lending, &asked).await), all_of("openid pos.read pos:receipts:read"));
}
