//! How the pages of a tenant look, and that nothing of it is more than text and a colour.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use super::shop::{CALLBACK, Shop};
use super::visitor::{Visitor, user};
use crate::people::{Browser, PASSWORD, form_token};
use crate::support::{BASE, Fixture};

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
    let form = form_token(&door.get(&format!("{at}/forgotten")).await);
    door.post(&format!("{at}/forgotten"), &[("form", &form), ("email", shop.ada.email.as_str())]).await;
    found.push(("new password".to_owned(), door.get(&shop.fixture.letter().await.path()).await));
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
    let again = Request::get("/style/ffd500.css").header(header::IF_NONE_MATCH, sheet.header(header::ETAG));
    let again = fixture.send(again.body(Body::empty()).expect("a request")).await;
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

/// attacks.md C10 239: the same of what a link to us brought along, of what was typed, and of what a browser says of itself.
#[tokio::test]
async fn what_was_sent_is_text_where_it_is_shown_again() {
    let shop = Shop::new().await;
    let (fixture, markup) = (&shop.fixture, "\"'><script>x</script><img src=x onerror=y>");
    let path = format!("/tenants/{}", shop.tenant["id"].as_str().expect("an id"));
    fixture.made(Method::PATCH, &path, &json!({"settings": {"self_registration": true}})).await;
    fixture.with_password(&shop.ada).await;
    let query =
        |fields: &[(&str, &str)]| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut shown = vec![];

    let browser = Browser::new(fixture);
    let request = query(&[
        ("response_type", "code"),
        ("client_id", "till"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("login_hint", markup),
    ]);
    let at = browser.begin(&format!("/tenants/acme/connect/authorize?{request}")).await;
    shown.push(("login_hint", browser.get(&at).await));
    shown.push(("login_hint for a letter", browser.get(&format!("{at}/forgotten")).await));
    shown.push(("who signs in", browser.password(&at, markup, PASSWORD).await));
    let path = format!("{at}/register");
    let form = form_token(&browser.get(&path).await);
    shown.push(("who registers", browser.post(&path, &[("form", &form), ("email", markup)]).await));
    browser.post(&path, &[("form", &form), ("email", "new@acme.example")]).await;
    let path = fixture.letter().await.path();
    let form = form_token(&browser.get(&path).await);
    shown.push(("a name", browser.post(&path, &[("form", &form), ("name", markup), ("password", "short")]).await));

    let form = form_token(&browser.get(&at).await);
    let request = Request::post(format!("{at}/password"))
        .header(header::ORIGIN, BASE)
        .header(header::USER_AGENT, markup)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let fields = query(&[("form", &form), ("email", shop.ada.email.as_str()), ("password", PASSWORD)]);
    assert_eq!(browser.send(request, Body::from(fields)).await.status, StatusCode::SEE_OTHER);
    shown.push(("a browser", browser.get("/account/sessions").await));
    for name in ["state", "client_id", "post_logout_redirect_uri"] {
        let request = query(&[(name, markup)]);
        shown.push((name, browser.get(&format!("/tenants/acme/connect/endsession?{request}")).await));
    }
    let escaped = "&#34;&#39;&#62;&#60;script&#62;x&#60;/script&#62;&#60;img src=x onerror=y&#62;";
    shown.retain(|(_, page)| {
        page.text.contains("<script>") || page.text.contains("<img") || !page.text.contains(escaped)
    });
    assert!(shown.is_empty(), "{shown:#?}");
}
