//! `/applications`: what is allowed to them, their secrets, and seed 000 step by step.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{BASE, Fixture};

#[tokio::test]
async fn seed_000_a_token_without_the_scope_is_told_so_and_the_documented_fix_works() {
    let fixture = Fixture::new().await;
    // A platform service that may only sign people in.
    let made = fixture
        .made(
            Method::POST,
            "/applications",
            &json!({"name": "Nightly", "type": "SERVICE", "level": "GLOBAL", "client_id": "nightly",
                    "allowed_scopes": ["openid", "scopes:read"]}),
        )
        .await;
    let secret = made["client_secret"].as_str().expect("shown once").to_owned();
    let client = ("nightly", secret.as_str());
    let stale = fixture.token("/api/v1/platform/oauth/token", client, &[]).await.access_token();

    // Symptom.
    let refused = fixture.admin(&stale, Method::GET, "/applications", None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json["detail"], "Platform token requires admin:read or admin:write scope");
    assert_eq!(refused.header(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(refused.json["type"], format!("{BASE}/errors/api/insufficient-scope"));
    assert_eq!(refused.json["presented"], "scopes:read");
    assert!(refused.header(header::WWW_AUTHENTICATE).contains("error=\"insufficient_scope\", scope=\"admin:read\""));

    // Fix 1: the list is a replacement, not a merge.
    let id = made["id"].as_str().expect("an id");
    let patched = fixture
        .made(Method::PATCH, &format!("/applications/{id}"), &json!({"allowed_scopes": ["openid", "admin:read"]}))
        .await;
    assert_eq!(patched["allowed_scopes"], json!(["openid", "admin:read"]));

    // The stale token stays as it is, and is told why.
    fixture.clock.advance_secs(2);
    let still_refused = fixture.admin(&stale, Method::GET, "/applications", None).await;
    assert_eq!(still_refused.status, StatusCode::FORBIDDEN);
    let why = still_refused.json["why"].to_string();
    assert!(why.contains("token_fresh") && why.contains("new token"), "{why}");

    // Fix 2: asked for by name, or by asking for nothing.
    for fields in [&[("scope", "admin:read")][..], &[]] {
        let fresh = fixture.token("/connect/token", client, fields).await.access_token();
        let answer = fixture.admin(&fresh, Method::GET, "/applications/nightly", None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json["id"], made["id"]);
    }

    // Reading is not writing.
    let fresh = fixture.token("/connect/token", client, &[]).await.access_token();
    let refused = fixture.admin(&fresh, Method::POST, "/partners", Some(&json!({}))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json["detail"], "Platform token requires admin:write scope");
    assert_eq!(refused.json["required"], json!(["admin:write"]));
}

#[tokio::test]
async fn nothing_that_was_shown_once_is_shown_again() {
    let fixture = Fixture::new().await;
    let body = json!({"name": "Till", "type": "device", "level": "platform", "client_id": "till"});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().expect("shown once").to_owned();
    let root = fixture.root().await;
    for path in ["/applications/till", "/applications", "/applications/till/secrets", "/audit"] {
        let answer = fixture.admin(&root, Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        assert!(!answer.text.contains(&secret), "{path}");
    }
    let listed = fixture.admin(&root, Method::GET, "/applications/till/secrets", None).await;
    let hint: &Value = &listed.json["items"][0]["hint"];
    assert_eq!(hint.as_str(), secret.get(secret.len() - 4..));
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    fixture
        .made(
            Method::POST,
            "/applications",
            &json!({"name": "Etl", "type": "service", "level": "platform", "client_id": "etl"}),
        )
        .await;
    for body in [json!(["openid"]), json!("openid"), json!(1), json!(null), json!([])] {
        for path in ["/applications/etl/allowed_scopes", "/applications/etl/secrets", "/tenants", "/keys/rotate"] {
            let refused = fixture.admin(&root, Method::POST, path, Some(&body)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {}", refused.text);
            assert_eq!(
                refused.json["errors"][0]["message"], "must be a JSON object",
                "{path} {body}: {}",
                refused.text
            );
        }
    }
}

/// attacks.md C2 49, RFC 8252 §7.1 and §8.3: anybody on a machine may listen where a native application does.
#[tokio::test]
async fn only_a_native_application_has_addresses_that_others_may_listen_at() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    for uri in ["http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"] {
        for list in ["redirect_uris", "post_logout_redirect_uris"] {
            for (kind, is_taken) in [("web", false), ("spa", false), ("native", true)] {
                let mut body = json!({"name": "App", "type": kind, "level": "platform",
                                      "redirect_uris": ["https://app.example/cb"]});
                body[list] = json!(["https://app.example/cb", uri]);
                let answer = fixture.admin(&root, Method::POST, "/applications", Some(&body)).await;
                if is_taken {
                    assert_eq!(answer.status, StatusCode::CREATED, "{body}: {}", answer.text);
                } else {
                    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text);
                    let fault = &answer.json["errors"][0];
                    assert_eq!(fault["pointer"], format!("/{list}/1"), "{body}");
                    assert!(fault["message"].as_str().is_some_and(|it| it.contains("for type native")), "{fault}");
                }
            }
        }
    }
}

/// attacks.md C3 71, RFC 9700 §2.1.1: without a secret there is nothing else that tells whose a code is.
#[tokio::test]
async fn only_an_application_that_keeps_a_secret_may_do_without_pkce() {
    let fixture = Fixture::new().await;
    let root = fixture.root().await;
    for (kind, is_taken) in [("spa", false), ("native", false), ("web", true)] {
        let mut body = json!({"name": "App", "type": kind, "level": "platform", "client_id": kind,
                              "redirect_uris": ["https://app.example/cb"], "pkce_optional": true});
        let answer = fixture.admin(&root, Method::POST, "/applications", Some(&body)).await;
        if is_taken {
            assert_eq!(answer.status, StatusCode::CREATED, "{kind}: {}", answer.text);
            continue;
        }
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{kind}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["pointer"], "/pkce_optional", "{kind}");
        // Nor later.
        body["pkce_optional"] = json!(false);
        fixture.made(Method::POST, "/applications", &body).await;
        let later = json!({"pkce_optional": true});
        let answer = fixture.admin(&root, Method::PATCH, &format!("/applications/{kind}"), Some(&later)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{kind}: {}", answer.text);
    }
}
