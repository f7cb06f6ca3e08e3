//! What all pages of people withstand: forms of others, addresses in requests, browsers that others use next.

use ambit_core::authentication::Method as Proof;
use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::shop::Shop;
use super::visitor::{BROWSER, SESSION, Visitor};
use crate::people::{Browser, PASSWORD, form_token};
use crate::support::{Answer, BASE, Fixture};

const PAGES: [&str; 5] =
    ["/account/", "/account/profile", "/account/security", "/account/sessions", "/account/applications"];

/// attacks.md C10 242: where a browser goes is kept on the server. What a request says of it says nothing.
#[tokio::test]
async fn no_address_of_a_request_is_gone_to() {
    let shop = Shop::new().await;
    let mut seen = vec![];
    for address in
        ["//evil.example", "/\\evil.example", "/%09/evil.example", "https:evil.example", "https://evil.example"]
    {
        let encoded: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        for name in ["next", "return_to", "rd", "redirect", "redirect_uri", "post_logout_redirect_uri", "continue"] {
            let mut browser = Visitor::new(&shop.fixture);
            let mut answer = browser.get(&format!("/account/?{name}={encoded}")).await;
            let at = answer.header(header::LOCATION).to_owned();
            seen.push(at.clone());
            answer = browser.get(&format!("{at}?{name}={encoded}")).await;
            assert!(!answer.text.contains("evil"), "{name}: {}", answer.text);
            seen.push(
                browser.get(&format!("{at}/continue?{name}={encoded}")).await.header(header::LOCATION).to_owned(),
            );
            let fields =
                [("form", form_token(&answer)), ("organisation", "acme".to_owned()), (name, address.to_owned())];
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let path = format!("{at}/organisation?{name}={encoded}");
            seen.push(browser.post(&path, &fields).await.header(header::LOCATION).to_owned());
        }
    }
    assert!(seen.iter().all(|at| at.starts_with("/sign-in/") && !at.contains("evil")), "{seen:?}");
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/").await);
    let bye =
        [("form", token.as_str()), ("next", "//evil.example"), ("post_logout_redirect_uri", "https://evil.example")];
    let answer = browser.post("/account/sign-out?next=//evil.example", &bye).await;
    assert!(!answer.text.contains("evil") && !answer.headers.contains_key(header::LOCATION), "{}", answer.text);
}

/// attacks.md C10 237: a page of another site cannot make a browser change anything, by whichever method it names.
#[tokio::test]
async fn nothing_is_changed_by_looking_at_it() {
    let shop = Shop::new().await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (mut other, others) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/").await);
    for path in [
        "/account/sign-out".to_owned(),
        "/account/sessions/end-others".to_owned(),
        format!("/account/sessions/{others}/end"),
        format!("/account/sessions/{session}/end"),
        "/account/security/password".to_owned(),
    ] {
        for headers in [&[][..], &[("x-http-method-override", "POST")], &[("x-method-override", "POST")]] {
            let path = format!("{path}?form={token}&_method=POST");
            let answer = browser.send(Method::GET, &path, headers, "").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }
    assert_eq!(browser.get("/account/").await.status, StatusCode::OK);
    assert_eq!(other.get("/account/").await.status, StatusCode::OK);
}

/// attacks.md C10 238: nobody is signed in as somebody else by a form that was made for another browser.
#[tokio::test]
async fn a_form_of_a_strangers_sign_in_signs_nobody_in() {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant("shop", json!({})).await;
    fixture.person(Some(&tenant), "mallory@shop.example").await;
    let mallory = Browser::new(&fixture);
    let at = mallory.begin("/account/").await;
    mallory.step(&at, "organisation", &[("organisation", "shop")]).await;
    let token = form_token(&mallory.get(&at).await);
    let fields = [("form", token.as_str()), ("email", "mallory@shop.example"), ("password", PASSWORD)];
    // In a browser that was never here, and in one that has begun something of its own.
    for has_begun in [false, true] {
        let victim = Browser::new(&fixture);
        let mut paths = vec![at.clone()];
        if has_begun {
            let own = victim.begin("/account/").await;
            victim.step(&own, "organisation", &[("organisation", "shop")]).await;
            paths.push(own);
        }
        for path in paths {
            let answer = victim.post(&format!("{path}/password"), &fields).await;
            assert!(matches!(answer.status.as_u16(), 403 | 404), "{} {}", answer.status, answer.text);
            assert!(victim.cookie(SESSION).is_none());
        }
    }
    // The form is good, where it was made.
    let answer = mallory.post(&format!("{at}/password"), &fields).await;
    assert_eq!(answer.header(header::LOCATION), "/account/");
}

/// attacks.md C10 258: a letter and the app are not two factors, so who came in by a letter is not left at the app's page.
#[tokio::test]
async fn whoever_came_in_by_a_letter_shows_the_password_before_the_app() {
    let shop = Shop::new().await;
    shop.fixture.app_of(&shop.ada).await;
    for (by, asked) in [(Proof::Password, "name=\"code\""), (Proof::EmailCode, "name=\"password\"")] {
        let (mut browser, _) = Visitor::of_proven(&shop.fixture, &shop.ada, &[by]).await;
        let page = shop.asks(&mut browser, "openid shop", &[("acr_values", "urn:ambit:aal2")]).await.answer;
        assert!(page.text.contains(asked), "{by:?}: {}", page.text);
    }
}

/// attacks.md C10 259: whoever uses the browser next finds nothing, not even with `Back`.
#[tokio::test]
async fn after_a_sign_out_nothing_is_left_in_the_browser() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let token = form_token(&browser.get("/account/").await);
    for path in PAGES {
        let page = browser.get(path).await;
        assert_eq!((page.status, page.header(header::CACHE_CONTROL)), (StatusCode::OK, "no-store"), "{path}");
        assert!(!page.headers.contains_key(header::ETAG), "{path}");
    }
    let before = browser.cookies.clone();
    let answer = browser.post("/account/sign-out", &[("form", &token)]).await;
    assert_eq!((answer.status, answer.header(header::CACHE_CONTROL)), (StatusCode::OK, "no-store"));
    assert!(!browser.cookies.contains_key(SESSION), "the browser forgets it");
    // A cookie that was kept is worth nothing, and neither is a page that was left open.
    for cookies in [browser.cookies.clone(), before] {
        let mut next = Visitor::new(&shop.fixture);
        next.cookies = cookies;
        for path in PAGES {
            let answer = next.get(path).await;
            assert!(answer.header(header::LOCATION).starts_with("/sign-in/"), "{path}: {}", answer.status);
        }
        let answer = next.post("/account/profile", &[("form", &token), ("display_name", "Eve")]).await;
        assert!(answer.header(header::LOCATION).starts_with("/sign-in/"), "{}", answer.text);
    }
    let person = shop.fixture.server.app().registry.person(shop.ada.id).await.expect("an answer").expect("Ada");
    assert_eq!(person.user.display_name, None);
}

/// attacks.md C10 259: nor what leads from page to page, nor what is said where something is wrong.
#[tokio::test]
async fn where_a_browser_is_sent_and_what_is_refused_is_kept_by_nobody() {
    let shop = Shop::new().await;
    let fixture = &shop.fixture;
    fixture.with_password(&shop.ada).await;
    let mut answers = vec![];
    let browser = Browser::new(fixture);
    let mut leads = async |step: &str, answer: Answer| {
        assert!(answer.status == StatusCode::SEE_OTHER, "{step}: {} {}", answer.status, answer.text);
        let location = answer.header(header::LOCATION).to_owned();
        answers.push((step.to_owned(), answer));
        location
    };
    let at = leads("the account", browser.get("/account/").await).await;
    leads("a letter too soon", browser.get(&format!("{at}/forgotten")).await).await;
    leads("the end too soon", browser.get(&format!("{at}/continue")).await).await;
    leads("the organisation", browser.step(&at, "organisation", &[("organisation", "acme")]).await).await;
    leads("the password", browser.password(&at, shop.ada.email.as_str(), PASSWORD).await).await;
    let form = form_token(&browser.get("/account/").await);
    leads("the profile", browser.post("/account/profile", &[("form", &form), ("display_name", "A")]).await).await;
    let (mut browser, _) = Visitor::of(fixture, &shop.ada).await;
    let path = shop.asks(&mut browser, "openid shop", &[]).await.path;
    let form = form_token(&browser.get(&path).await);
    let on = leads("a consent", browser.post(&path, &[("form", &form), ("answer", "allow")]).await).await;
    leads("back to the application", browser.get(&on).await).await;

    let root = fixture.root().await;
    for (method, path, token, status) in [
        (Method::GET, "/users", "x", 401),
        (Method::GET, "/users/nobody", root.as_str(), 404),
        (Method::GET, "/nothing", root.as_str(), 404),
        (Method::DELETE, "/users", root.as_str(), 405),
        (Method::POST, "/users", root.as_str(), 422),
    ] {
        let body = json!({});
        let body = (method == Method::POST).then_some(&body);
        let answer = fixture.admin(token, method.clone(), path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json", "{method} {path}");
        answers.push((format!("{method} {path}"), answer));
    }
    answers.retain(|(_, answer)| answer.header(header::CACHE_CONTROL) != "no-store");
    assert!(answers.is_empty(), "{answers:#?}");
}

/// attacks.md C10 243: no name of a session is in an address, and none that was made elsewhere is taken over.
#[tokio::test]
async fn a_session_is_made_here_and_is_in_no_address() {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant("shop", json!({})).await;
    fixture.person(Some(&tenant), "ada@shop.example").await;
    let browser = Browser::new(&fixture);
    let planted = "A".repeat(43);
    browser.set_cookie(SESSION, &planted);
    // A name without the prefix is one that a sub-domain could have set.
    browser.set_cookie("ambit-session", &planted);
    browser.set_cookie("ambit-browser", &planted);
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    let answer = browser.password(&at, "ada@shop.example", PASSWORD).await;
    let (session, own) = (browser.cookie(SESSION).expect("a session"), browser.cookie(BROWSER).expect("a browser"));
    assert!(session != planted && own != planted);
    for set in answer.headers.get_all(header::SET_COOKIE) {
        let set = set.to_str().expect("ASCII");
        assert!(set.starts_with("__Host-") && set.contains("; Secure; HttpOnly; SameSite=Lax"), "{set}");
    }
    for address in [at.as_str(), answer.header(header::LOCATION)] {
        assert!(!address.contains(&session) && !address.contains(&own), "{address}");
    }
    for path in PAGES {
        let page = browser.get(path).await;
        assert!(page.status == StatusCode::OK && !page.text.contains(&session) && !page.text.contains(&own), "{path}");
    }
    let mut thief = Visitor::new(&fixture);
    thief.cookies.insert(SESSION.to_owned(), planted);
    assert_eq!(thief.get("/account/").await.status, StatusCode::SEE_OTHER);
}

/// attacks.md C10 261.
#[tokio::test]
async fn a_language_is_chosen_from_those_that_are_there() {
    let shop = Shop::new().await;
    for language in ["../../x", "en_US.UTF-8%00", "..%2f..%2fetc%2fpasswd", "zz", &"a-".repeat(100)] {
        let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
        for path in PAGES {
            let encoded: String = url::form_urlencoded::byte_serialize(language.as_bytes()).collect();
            let path = format!("{path}?lang={encoded}&ui_locales={encoded}");
            let page = browser.send(Method::GET, &path, &[("accept-language", language)], "").await;
            assert!(
                page.status == StatusCode::OK && page.text.contains("<html lang=\"en\">"),
                "{path}: {}",
                page.status
            );
        }
        let asked = shop.asks(&mut browser, "openid shop", &[("ui_locales", language)]).await;
        assert!(asked.page().text.contains("<html lang=\"en\">"), "{language}");
    }
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let page = browser.send(Method::GET, "/account/", &[("accept-language", "zh-CN,zh;q=0.9")], "").await;
    assert!(page.text.contains("<html lang=\"zh\">"), "{}", page.text);
}

/// attacks.md C10 249: what a proxy says of an address may be nonsense. No check is left out for it, and failures are counted.
#[tokio::test]
async fn nonsense_in_a_header_about_addresses_leaves_no_step_out() {
    let fixture = Fixture::with("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    fixture.person(Some(&tenant), "ada@shop.example").await;
    let browser = Browser::new(&fixture);
    let begun = async || {
        let at = browser.begin("/account/").await;
        browser.step(&at, "organisation", &[("organisation", "shop")]).await;
        at
    };
    let sent = async |at: &str, address: &str, password: &str| {
        let token = form_token(&browser.get(at).await);
        let fields = [("form", token.as_str()), ("email", "ada@shop.example"), ("password", password)];
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = http::Request::post(format!("{at}/password"))
            .header(header::ORIGIN, BASE)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("x-forwarded-for", address);
        browser.send(request, axum::body::Body::from(body)).await.status.as_u16()
    };
    let strange = ["a", "", ", ,", "999.1.1.1", "::ffff:::", &"1.2.3.4, ".repeat(1_000), &"x".repeat(10_000)];
    let (at, mut statuses) = (begun().await, vec![]);
    for address in strange.into_iter().cycle().take(40) {
        statuses.push(sent(&at, address, "wrong").await);
        assert!(browser.cookie(SESSION).is_none(), "{address}");
    }
    assert!(statuses.iter().all(|status| matches!(status, 422 | 429)), "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    fixture.clock.advance_secs(3600);
    assert_eq!(sent(&begun().await, "a", PASSWORD).await, 303);
}
