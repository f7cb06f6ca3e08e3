//! Scripts of other origins (attacks.md 117, 254, 269): which of them may ask, and which may read what comes back.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use crate::support::Answer;
use crate::web::shop::{Asked, CALLBACK, Shop, parameter};
use crate::web::visitor::Visitor;

const OWN: &str = "https://app.example";
/// Of another application of the same tenant.
const NEIGHBOUR: &str = "https://desk.example:8443";
/// Of an application of the platform's issuer.
const PLATFORMS: &str = "https://console.example";
const ENDPOINTS: [&str; 3] = ["token", "userinfo", "revoke"];
/// Nobody's, however much they look like somebody's.
const STRANGE: [&str; 9] = [
    "https://evil.example",
    "null",
    "",
    "*",
    "http://app.example",
    "https://app.example:444",
    "https://x.app.example",
    "https://app.example.evil",
    "https://app.example/",
];

async fn shop() -> Shop {
    let shop = Shop::new().await;
    let fixture = &shop.fixture;
    fixture.made(Method::PATCH, "/applications/till", &json!({"allowed_origins": [OWN]})).await;
    Shop::registered(fixture, &shop.tenant, "desk", "Desk").await;
    fixture.made(Method::PATCH, "/applications/desk", &json!({"allowed_origins": [NEIGHBOUR]})).await;
    let console = json!({
        "name": "Console", "client_id": "console", "type": "spa", "level": "platform",
        "redirect_uris": [CALLBACK], "allowed_origins": [PLATFORMS],
    });
    fixture.made(Method::POST, "/applications", &console).await;
    shop
}

/// Asks as a browser does before it sends a header of the script's own.
async fn preflight(shop: &Shop, path: &str, origin: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(path)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    shop.fixture.send(request.body(Body::empty()).expect("a request")).await
}

/// A form that a script sends.
async fn sent(shop: &Shop, path: &str, origin: &str, fields: &[(&str, &str)]) -> Answer {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(path)
        .header(header::ORIGIN, origin)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    shop.fixture.send(request.body(Body::from(body)).expect("a request")).await
}

async fn userinfo(shop: &Shop, origin: &str, token: &str) -> Answer {
    let request = Request::get("/tenants/acme/connect/userinfo")
        .header(header::ORIGIN, origin)
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    shop.fixture.send(request.body(Body::empty()).expect("a request")).await
}

/// Whether a browser lets the script read it. Never with cookies, and a cache is told on what it depends.
fn is_read(answer: &Answer, origin: &str) -> bool {
    assert_eq!(answer.header(header::VARY), "origin", "{}", answer.text);
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "");
    match answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        None => {
            let other = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(other, None);
            false
        }
        Some(allowed) => {
            assert_eq!(allowed, origin);
            true
        }
    }
}

/// What a new code of `till` becomes, asked for by a script of this origin.
async fn redeemed(shop: &Shop, browser: &mut Visitor<'_>, origin: &str) -> Answer {
    let Asked { path, answer } = shop.asks(browser, "openid offline_access", &[]).await;
    let back = if path.starts_with("/consent/") {
        Asked { path, answer }.allow(browser, &["offline_access"]).await
    } else {
        answer
    };
    let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code: {} {:?}", back.text, back.headers));
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "till"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let answer = sent(shop, "/tenants/acme/connect/token", origin, &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

#[tokio::test]
async fn what_a_client_is_given_is_read_by_scripts_of_its_own_origins_and_by_no_other() {
    let shop = shop().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let tokens = redeemed(&shop, &mut browser, OWN).await;
    assert!(is_read(&tokens, OWN));
    let exposed = tokens.header(header::ACCESS_CONTROL_EXPOSE_HEADERS);
    assert!(exposed.contains("trace-id") && exposed.contains("www-authenticate"), "{exposed}");
    let token = tokens.access_token();
    assert!(is_read(&userinfo(&shop, OWN, &token).await, OWN));
    for origin in STRANGE.into_iter().chain([NEIGHBOUR, PLATFORMS]) {
        assert!(!is_read(&redeemed(&shop, &mut browser, origin).await, origin), "{origin:?}");
        let told = userinfo(&shop, origin, &token).await;
        assert_eq!(told.status, StatusCode::OK);
        assert!(!is_read(&told, origin), "{origin:?}");
        let gone = [("client_id", "till"), ("token", "none")];
        let revoked = sent(&shop, "/tenants/acme/connect/revoke", origin, &gone).await;
        assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text);
        assert!(!is_read(&revoked, origin), "{origin:?}");
    }
    let revoked = sent(&shop, "/tenants/acme/connect/revoke", OWN, &[("client_id", "till"), ("token", &token)]).await;
    assert!(is_read(&revoked, OWN));
    // Two are none: which of them is the script's, nobody knows.
    let request =
        Request::get("/tenants/acme/connect/userinfo").header(header::ORIGIN, OWN).header(header::ORIGIN, OWN);
    let answer = shop.fixture.send(request.body(Body::empty()).expect("a request")).await;
    assert!(!is_read(&answer, OWN));
}

#[tokio::test]
async fn why_something_was_refused_is_read_by_scripts_of_the_issuers_applications_whatever_the_request_claims() {
    let shop = shop().await;
    for (client_id, error) in [("till", "invalid_grant"), ("nobody", "invalid_client")] {
        let fields = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", "none")];
        for (origin, expected) in [(OWN, true), (NEIGHBOUR, true), (PLATFORMS, false), ("https://evil.example", false)]
        {
            let refused = sent(&shop, "/tenants/acme/connect/token", origin, &fields).await;
            assert_eq!(refused.json["error"], error, "{}", refused.text);
            assert_eq!(is_read(&refused, origin), expected, "{client_id} {origin}");
        }
    }
    let fields = [("client_id", "nobody"), ("token", "none")];
    assert!(is_read(&sent(&shop, "/tenants/acme/connect/revoke", OWN, &fields).await, OWN));
    for token in ["none", "eyJhbGciOiJub25lIn0.eyJhenAiOiJ0aWxsIiwiY2xpZW50X2lkIjoidGlsbCJ9."] {
        for (origin, expected) in [(NEIGHBOUR, true), (PLATFORMS, false), ("null", false)] {
            let refused = userinfo(&shop, origin, token).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            assert_eq!(is_read(&refused, origin), expected, "{token} {origin}");
        }
    }
}

#[tokio::test]
async fn a_browser_that_asks_is_told_yes_for_origins_of_applications_in_use_at_that_issuer() {
    let shop = shop().await;
    let asked = async |path: &str, origin: &str| {
        let answer = preflight(&shop, path, origin).await;
        let read = is_read(&answer, origin);
        assert_eq!(answer.status, if read { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }, "{path} {origin}");
        if read {
            let headers = answer.header(header::ACCESS_CONTROL_ALLOW_HEADERS);
            assert!(headers.starts_with("authorization, "), "{headers}");
            assert!(answer.header(header::ACCESS_CONTROL_ALLOW_METHODS).ends_with("POST"));
            assert_eq!(answer.header(header::ACCESS_CONTROL_MAX_AGE), "600");
        }
        read
    };
    for endpoint in ENDPOINTS {
        for (path, own, others) in [
            (format!("/tenants/acme/connect/{endpoint}"), &[OWN, NEIGHBOUR][..], PLATFORMS),
            (format!("/api/v1/auth/tenants/acme/oauth/{endpoint}"), &[OWN, NEIGHBOUR][..], PLATFORMS),
            (format!("/connect/{endpoint}"), &[PLATFORMS][..], OWN),
            (format!("/api/v1/platform/oauth/{endpoint}"), &[PLATFORMS][..], OWN),
        ] {
            for origin in own {
                assert!(asked(&path, origin).await, "{path} {origin}");
            }
            for origin in STRANGE.into_iter().chain([others]) {
                assert!(!asked(&path, origin).await, "{path} {origin:?}");
            }
            // Whoever is no script of another origin learns what the path takes.
            let request = Request::builder().method(Method::OPTIONS).uri(&path).body(Body::empty());
            let answer = shop.fixture.send(request.expect("a request")).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT);
            assert!(answer.header(header::ALLOW).contains("OPTIONS") && answer.header(header::ALLOW).contains("POST"));
            assert!(!is_read(&answer, ""));
        }
    }
    // What is taken back, or out of use, counts no longer; what is added counts at once.
    let path = "/tenants/acme/connect/userinfo";
    shop.fixture.made(Method::PATCH, "/applications/desk", &json!({"status": "disabled"})).await;
    assert!(!asked(path, NEIGHBOUR).await && asked(path, OWN).await);
    let moved = json!({"allowed_origins": ["https://new.example"]});
    shop.fixture.made(Method::PATCH, "/applications/till", &moved).await;
    assert!(!asked(path, OWN).await && asked(path, "https://new.example").await);
    shop.fixture.admin(&shop.fixture.root().await, Method::DELETE, "/applications/till", None).await;
    assert!(!asked(path, "https://new.example").await);
}

#[tokio::test]
async fn no_script_is_let_in_anywhere_else() {
    let shop = shop().await;
    for path in [
        "/tenants/acme/connect/authorize",
        "/tenants/acme/connect/introspect",
        "/tenants/acme/connect/scopes",
        "/tenants/acme/connect/explain",
        "/tenants/acme/connect/endsession",
        "/account/",
        "/api/v1/admin/applications",
    ] {
        let asked = preflight(&shop, path, OWN).await;
        assert_eq!(asked.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        for answer in [asked, sent(&shop, path, OWN, &[("client_id", "till")]).await] {
            let allowed = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(allowed, None, "{path}");
        }
    }
}
