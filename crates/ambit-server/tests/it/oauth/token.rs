//! `POST {issuer}/connect/token`.

use axum::http::{StatusCode, header};

use crate::support::{BASE, Fixture, ROOT, ROOT_SECRET, START, claims};

#[tokio::test]
async fn a_service_gets_exactly_the_scopes_it_asks_for() {
    let fixture = Fixture::new().await;
    let answer = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "admin:read")]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json["scope"], "admin:read");
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(answer.json["expires_in"], 3600);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    let claims = claims(&answer.access_token());
    assert_eq!(claims["iss"], BASE);
    assert_eq!(claims["sub"], ROOT);
    assert_eq!(claims["client_id"], ROOT);
    assert_eq!(claims["aud"], format!("{BASE}/api/v1/admin"));
    assert_eq!(claims["scope"], "admin:read");
    assert_eq!(claims["iat"], START);
    assert_eq!(claims["exp"], START + 3600);
    assert_eq!(claims["level"], "platform");
    assert!(claims["rev"].as_u64().is_some());
}

#[tokio::test]
async fn an_omitted_scope_stands_for_all_allowed_ones_and_what_is_left_out_is_named() {
    let fixture = Fixture::new().await;
    let answer = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[]).await;
    assert_eq!(answer.json["scope"], "admin:read admin:write");
    assert_eq!(answer.json["dropped_scopes"][0]["scope"], "openid");
    assert_eq!(answer.json["dropped_scopes"][0]["reason"], "wrong_grant");
}

#[tokio::test]
async fn an_unknown_scope_is_refused_with_the_text_that_clients_print() {
    let fixture = Fixture::new().await;
    let answer = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "admin")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json["error"], "invalid_scope");
    assert_eq!(answer.json["error_description"], "scope 'admin' not registered; did you mean 'admin:read'?");
    assert_eq!(answer.json["error_uri"], format!("{BASE}/errors/api/oauth2-invalid-scope-requested"));
    assert_eq!(answer.json["scope"], "admin");
    assert_eq!(answer.json["refused"][0]["reason"], "unknown");
    assert_eq!(answer.json["trace_id"].as_str().map(str::len), Some(32));
}

#[tokio::test]
async fn wrong_credentials_and_unknown_clients_read_the_same() {
    let fixture = Fixture::new().await;
    let mut wrong = fixture.token("/connect/token", (ROOT, "wrong"), &[]).await;
    let mut unknown = fixture.token("/connect/token", ("nobody", "wrong"), &[]).await;
    for answer in [&mut wrong, &mut unknown] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json["error"], "invalid_client");
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Basic realm=\"ambit\"");
        answer.json["trace_id"] = "".into();
    }
    assert_eq!(wrong.json, unknown.json);
}

#[tokio::test]
async fn every_error_has_a_page_that_says_cause_and_fix() {
    let fixture = Fixture::new().await;
    let refused = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "nope")]).await;
    let uri = refused.json["error_uri"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned();
    let page = fixture.get(&uri).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("<h2>Why it happens</h2>") && page.text.contains("<h2>What helps</h2>"),
        "{}",
        page.text
    );
}
