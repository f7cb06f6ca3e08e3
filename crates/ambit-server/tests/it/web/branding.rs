//! How the pages of a tenant look, and that nothing of it is more than text and a colour.

use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::shop::Shop;
use super::visitor::{Visitor, user};
use crate::people::{Browser, form_token};
use crate::support::Fixture;

async fn brand(shop: &Shop, branding: serde_json::Value) {
    let path = format!("/tenants/{}", shop.tenant["id"].as_str().expect("an id"));
    shop.fixture.made(Method::PATCH, &path, &json!({"branding": branding})).await;
}

/// Each page that somebody of a tenant sees on their way: signing in, consenting, their account, signing out.
async fn pages(shop: &Shop, scope: &str) -> Vec<(String, crate::support::Answer)> {
    let mut found = vec![];
    let door = Browser::new(&shop.fixture);
    let at = door.begin("/account/").await;
    door.step(&at, "organisation", &[("organisation", "acme")]).await;
    found.push(("sign-in".to_owned(), door.get(&at).await));
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    found.push(("consent".to_owned(), shop.asks(&mut browser, scope, &[]).await.answer));
    for page in ["", "profile", "security", "sessions", "applications"] {
        let path = format!("/account/{page}");
        found.push((path.clone(), browser.get(&path).await));
    }
    // At whichever issuer they sign out, it is their own tenant's page.
    for path in ["/tenants/acme/connect/endsession?client_id=till", "/connect/endsession"] {
        found.push((path.to_owned(), browser.get(path).await));
    }
    let form = form_token(&found.last().expect("a page").1);
    found.push(("signed out".to_owned(), browser.post("/connect/endsession", &[("form", &form)]).await));
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let form = form_token(&browser.get("/account/").await);
    found.push(("signed out of the account".to_owned(), browser.post("/account/sign-out", &[("form", &form)]).await));
    let nobody = shop.fixture.get("/tenants/acme/connect/endsession").await;
    found.push(("signed out before".to_owned(), nobody));
    found
}

#[tokio::test]
async fn the_pages_of_a_tenant_have_its_text_and_its_colour() {
    let shop = Shop::new().await;
    for (path, page) in pages(&shop, "openid shop").await {
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text.contains("<bdi>Acme</bdi>") && !page.text.contains("rel=\"stylesheet\""), "{path}");
    }
    brand(&shop, json!({"logo_text": "ACME & Sons", "accent_color": "#1A5FB4"})).await;
    for (path, page) in pages(&shop, "openid shop").await {
        assert!(page.text.contains("<bdi>ACME &#38; Sons</bdi>"), "{path}: {}", page.text);
        // It comes after the page's own colours, so it counts.
        let (own, rest) = page.text.split_once("--mark: #0b5cad").expect("the colours of the server");
        assert!(
            !own.contains("stylesheet") && rest.contains(r#"<link rel="stylesheet" href="/style/1a5fb4.css">"#),
            "{path}"
        );
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("style-src 'self' 'sha256-") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    // The platform's own people belong to nobody who has a colour.
    let root = user(&shop.fixture, None, "root@as.example", json!({})).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &root).await;
    for path in ["/account/", "/connect/endsession", "/tenants/acme/connect/endsession"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains("ACME") && !page.text.contains("rel=\"stylesheet\""), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn a_colour_is_a_stylesheet_that_may_be_kept() {
    let fixture = Fixture::new().await;
    let sheet = fixture.get("/style/ffd500.css").await;
    assert_eq!((sheet.status, sheet.header(header::CONTENT_TYPE)), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(sheet.header(header::CACHE_CONTROL).starts_with("public, max-age="), "{:?}", sheet.headers);
    // Yellow: black on its buttons, and a darker shade of it on white.
    assert!(sheet.text.contains("--fill: #ffd500; --on-fill: #000000"), "{}", sheet.text);
    assert!(!sheet.text.contains("{ --mark: #ffd500; --fill"), "{}", sheet.text);
    let again = http::Request::get("/style/ffd500.css").header(header::IF_NONE_MATCH, sheet.header(header::ETAG));
    let again = fixture.send(again.body(axum::body::Body::empty()).expect("a request")).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    for file in [
        "FFD500.css",
        "ffd500",
        "ffd50.css",
        "ffd5000.css",
        "ffd500.css.css",
        "gfd500.css",
        "%23ffd500.css",
        "..%2fbase.css",
    ] {
        assert_eq!(fixture.get(&format!("/style/{file}")).await.status, StatusCode::NOT_FOUND, "{file}");
    }
}

/// attacks.md C10 239: whatever others wrote is text on each page, and a page takes no style or script but its own.
#[tokio::test]
async fn what_others_wrote_is_text_on_every_page() {
    let shop = Shop::new().await;
    let root = shop.fixture.root().await;
    for color in ["red", "#fff", "#1a5fb4;}", "#1a5fb4</style><script>", "url(https://evil.example)", "1a5fb4", ""] {
        let path = format!("/tenants/{}", shop.tenant["id"].as_str().expect("an id"));
        let body = json!({"branding": {"accent_color": color}});
        let answer = shop.fixture.admin(&root, Method::PATCH, &path, Some(&body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{color}");
        assert_eq!(answer.json["errors"][0]["pointer"], "/branding/accent_color", "{}", answer.text);
    }
    let markup = |name: &str| format!("{name}</title></style><script>x</script><img src=x onerror=y>\"'");
    brand(&shop, json!({"logo_text": markup("logo")})).await;
    let change = async |path: String, body: serde_json::Value| {
        shop.fixture.made(Method::PATCH, &path, &body).await;
    };
    change(format!("/applications/{}", shop.application_id()), json!({"name": markup("app")})).await;
    let title = json!({"title": {"en": markup("title")}, "description": {"en": markup("description")}});
    change("/scopes/shop".to_owned(), title).await;
    let names =
        json!({"display_name": markup("display"), "given_name": markup("given"), "family_name": markup("family")});
    change(format!("/users/{}", shop.ada.id), names).await;
    let consented = {
        let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
        shop.asks(&mut browser, "openid shop", &[]).await.allow(&mut browser, &["shop"]).await
    };
    assert_eq!(consented.status, StatusCode::SEE_OTHER);
    let mut seen = String::new();
    for (path, page) in pages(&shop, "openid shop shop:close").await {
        // The one script is our own.
        let text = page.text.replace(r#"<script src="/passkey.js" defer></script>"#, "");
        for raw in ["<script", "<img", "</title></style>"] {
            assert!(!text.contains(raw), "{path}: {raw}: {text}");
        }
        assert_eq!(page.text.matches("<title").count(), 1, "{path}");
        seen.push_str(&page.text);
    }
    for name in ["logo", "app", "title", "description", "display", "given", "family"] {
        assert!(seen.contains(&format!("{name}&#60;/title&#62;")), "{name} is on none of the pages");
    }
}
