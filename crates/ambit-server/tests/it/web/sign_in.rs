//! `/sign-in/{id}`: what a browser can do there, and what it cannot.

use ambit_core::password::KeptPassword;
use ambit_core::reach::Reach;
use ambit_core::store::Filter;
use ambit_core::store::noun;
use ambit_core::store::sign_in::Sessions;
use ambit_core::time::Clock as _;
use ambit_protocol::admin::credential::{Credential, CredentialKind};
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::{User, UserStatus};
use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use super::shop::parameter;
use crate::authenticator::asked;
use crate::people::{Browser, PASSWORD, form_token, shown_secret};
use crate::store::{Faulty, READS};
use crate::support::{Answer, BASE, Fixture};

const SESSION: &str = "__Host-ambit-session";
const BROWSER: &str = "__Host-ambit-browser";
const ADA: &str = "ada@shop.example";

/// A tenant, with one person.
async fn shop(settings: Value) -> (Fixture, Tenant, User) {
    let fixture = Fixture::with("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", settings).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    (fixture, tenant, ada)
}

/// The path of an authorization request of the tenant's own application, as it is sent by a browser.
async fn request(fixture: &Fixture, tenant: &Tenant, more: &str) -> String {
    let body = json!({
        "name": "Till", "client_id": "till", "type": "spa", "level": "tenant", "tenant_id": tenant.id,
        "allowed_scopes": ["openid"], "redirect_uris": ["https://till.example/cb"],
    });
    let made = fixture.admin(&fixture.root().await, Method::POST, "/applications", Some(&body)).await;
    assert!(made.status == 201 || made.status == 409, "{}", made.text);
    format!(
        "/tenants/{}/connect/authorize?client_id=till&redirect_uri=https%3A%2F%2Ftill.example%2Fcb&response_type=code\
         &scope=openid&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256{more}",
        tenant.slug
    )
}

async fn begun(browser: &Browser<'_>, fixture: &Fixture, tenant: &Tenant) -> String {
    browser.begin(&request(fixture, tenant, "").await).await
}

fn is_signed_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.header(header::SET_COOKIE).starts_with(SESSION)
}

#[tokio::test]
async fn somebody_signs_in_and_what_waited_for_them_goes_on() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    assert!(at.starts_with("/sign-in/") && at.len() == "/sign-in/".len() + 43, "{at}");
    let page = browser.get(&at).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("SHOP") && page.text.contains(r#"autocomplete="current-password""#), "{}", page.text);
    let answer = browser.password(&at, " ADA@shop.example ", PASSWORD).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
    let cookie = answer.header(header::SET_COOKIE);
    let attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert!(cookie.starts_with(&format!("{SESSION}=")) && cookie.ends_with(attributes), "{cookie}");
    let after = browser.get(&format!("{at}/continue")).await;
    // What waited decides: there is something to consent to.
    assert_eq!(
        (after.status.as_u16(), after.header(header::LOCATION)),
        (303, at.replace("sign-in", "consent").as_str())
    );
}

#[tokio::test]
async fn where_somebody_belongs_is_told_by_a_name_or_by_an_address_and_nobody_is_looked_up() {
    let (fixture, _, _) = shop(json!({"email_domains": ["shop.example"]})).await;
    fixture.person(None, "root@as.example").await;
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    assert!(browser.get(&at).await.text.contains(r#"name="organisation""#));
    let wrong = browser.step(&at, "organisation", &[("organisation", "shoq<b>")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("shoq&#60;b&#62;") && wrong.text.contains(r#"aria-invalid="true""#), "{}", wrong.text);
    for (typed, brand, prefilled) in [
        ("Shop", true, ""),
        ("nobody@shop.example", true, "nobody@shop.example"),
        ("nobody@elsewhere.example", false, "nobody@elsewhere.example"),
        ("", false, ""),
    ] {
        let at = browser.begin("/account/").await;
        let answer = browser.step(&at, "organisation", &[("organisation", typed)]).await;
        assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, at.as_str()), "{typed}");
        let page = browser.get(&at).await;
        assert_eq!(page.text.contains("SHOP"), brand, "{typed}");
        assert!(page.text.contains(&format!(r#"inputmode="email" value="{prefilled}""#)), "{typed}");
    }
    // Whoever belongs to the platform signs in there, and nobody of a tenant does.
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "")]).await;
    assert_eq!(browser.password(&at, ADA, PASSWORD).await.status, 422);
    let answer = browser.password(&at, "root@as.example", PASSWORD).await;
    assert!(is_signed_in(&answer));
    assert_eq!(answer.header(header::LOCATION), "/account/");
}

/// attacks.md C10 247: nor how much is looked up, which takes its time.
#[tokio::test]
async fn neither_text_nor_status_tells_whether_there_is_an_account() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    fixture.person(Some(&tenant), ADA).await;
    let kept = fixture.person(None, "x@as.example").await;
    let right = fixture.credentials_of(&kept).await.password.expect("a password");
    let off = fixture.person_with(Some(&tenant), "off@shop.example", UserStatus::Disabled, Some(&right)).await;
    fixture.person_with(Some(&tenant), "new@shop.example", UserStatus::Invited, None).await;
    // Whose password is right is loaded then. Whoever was here lately is in memory.
    fixture.server.app().registry.person(off.id).await.expect("the store").expect("a person");
    let mut seen: Vec<(u16, String, u64)> = vec![];
    for (email, password) in [
        (ADA, "not the password"),
        ("eve@shop.example", PASSWORD),
        ("off@shop.example", PASSWORD),
        ("new@shop.example", PASSWORD),
        // Of another tenant, which does not exist here.
        ("x@as.example", PASSWORD),
    ] {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        let token = form_token(&browser.get(&at).await);
        let read = store.calls(&READS);
        let answer = browser.password(&at, email, password).await;
        let read = store.calls(&READS) - read;
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        let challenge = asked(&answer).expect("a button")["challenge"].as_str().expect("base64url").to_owned();
        let text = answer.text.replace(email, "EMAIL").replace(&at, "AT").replace(&token, "TOKEN");
        let text = text.replace(&challenge, "CHALLENGE");
        assert!(text.contains("The e-mail address or the password is not right."), "{text}");
        seen.push((answer.status.as_u16(), text, read));
    }
    assert!(seen.iter().all(|one| *one == seen[0]) && seen[0].2 > 0, "{seen:#?}");
    assert_eq!(seen[0].0, 422);
}

/// attacks.md C10 237.
#[tokio::test]
async fn a_form_from_elsewhere_or_without_its_own_token_is_refused() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let token = form_token(&browser.get(&at).await);
    let other_browser = Browser::new(&fixture);
    let other_at = begun(&other_browser, &fixture, &tenant).await;
    let other_browsers = form_token(&other_browser.get(&other_at).await);
    let second_at = begun(&browser, &fixture, &tenant).await;
    let other_interactions = form_token(&browser.get(&second_at).await);
    let path = format!("{at}/password");
    let form = |token: &str| {
        let fields = [("form", token), ("email", ADA), ("password", PASSWORD)];
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    };
    let post = async |headers: &[(&str, &str)], body: String| {
        let mut request = Request::post(&path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        browser.send(request, Body::from(body)).await
    };
    let urlencoded = ("content-type", "application/x-www-form-urlencoded");
    let own = ("origin", BASE);
    for (headers, body, status) in [
        (vec![("origin", "https://evil.example"), urlencoded], form(&token), 403),
        (vec![("origin", "null"), urlencoded], form(&token), 403),
        (vec![("origin", "https://as.example.evil.example"), urlencoded], form(&token), 403),
        (vec![own, ("sec-fetch-site", "cross-site"), urlencoded], form(&token), 403),
        (vec![own, ("sec-fetch-site", "same-site"), urlencoded], form(&token), 403),
        (vec![own, urlencoded], form(""), 403),
        (vec![own, urlencoded], form(&other_browsers), 403),
        (vec![own, urlencoded], form(&other_interactions), 403),
        (vec![own, urlencoded], format!("{}&form={token}", form(&token)), 403),
        (vec![own, ("content-type", "text/plain")], form(&token), 415),
        (vec![own, ("content-type", "application/json")], json!({"form": token}).to_string(), 415),
        (vec![own, urlencoded, ("x-http-method-override", "GET")], form(""), 403),
    ] {
        let answer = post(&headers, body).await;
        assert_eq!(answer.status, status, "{headers:?} {}", answer.text);
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "{headers:?}");
    }
    assert_eq!(browser.get(&format!("{at}/password")).await.status, 405);
    let answer = post(&[own, urlencoded], form(&token)).await;
    assert!(is_signed_in(&answer), "{}", answer.text);
}

/// attacks.md C10 238 and 243.
#[tokio::test]
async fn nobody_goes_on_with_what_another_browser_began() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let (browser, stranger) = (Browser::new(&fixture), Browser::new(&fixture));
    let at = begun(&browser, &fixture, &tenant).await;
    let unknown = stranger.get(&format!("/sign-in/{}", "x".repeat(43))).await;
    // Without any cookie, and with one of their own.
    for _ in 0..2 {
        let seen = stranger.get(&at).await;
        assert_eq!((seen.status.as_u16(), &seen.text), (404, &unknown.text));
        assert_eq!(stranger.get(&format!("{at}/continue")).await.status, 404);
        let token = form_token(&browser.get(&at).await);
        let fields = [("form", token.as_str()), ("email", ADA), ("password", PASSWORD)];
        assert_eq!(stranger.post(&format!("{at}/password"), &fields).await.status, 404);
        begun(&stranger, &fixture, &tenant).await;
    }
    // Nor once its person is signed in: a stranger with a session of their own does not get what waited.
    let own_at = begun(&stranger, &fixture, &tenant).await;
    stranger.password(&own_at, ADA, PASSWORD).await;
    browser.password(&at, ADA, PASSWORD).await;
    assert_eq!(stranger.get(&format!("{at}/continue")).await.status, 404);
    // Two cookies of one name come from two places: neither is believed.
    let twice = format!("{BROWSER}={0}; {BROWSER}={0}", browser.cookie(BROWSER).expect("a cookie"));
    let request = Request::get(&at).header(header::COOKIE, twice);
    assert_eq!(fixture.send(request.body(Body::empty()).expect("a request")).await.status, 404);
}

/// attacks.md C10 243.
#[tokio::test]
async fn a_session_is_new_each_time_that_somebody_signs_in() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let planted = "A".repeat(43);
    browser.set_cookie(SESSION, &planted);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let first = browser.cookie(SESSION).expect("a session");
    assert_ne!(first, planted);
    // Again, since the request asks for it: the session is the same, and its cookie another.
    let at = browser.begin(&request(&fixture, &tenant, "&prompt=login").await).await;
    browser.password(&at, ADA, PASSWORD).await;
    assert_ne!(browser.cookie(SESSION).expect("a session"), first);
    assert_eq!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").len(), 1);
    let thief = Browser::new(&fixture);
    thief.set_cookie(SESSION, &first);
    assert!(thief.begin("/account/").await.starts_with("/sign-in/"), "the cookie of before is good for nothing");
    // Somebody else in the same browser: the session of before ends.
    let bob = fixture.person(Some(&tenant), "bob@shop.example").await;
    let at = browser.begin(&request(&fixture, &tenant, "&prompt=login").await).await;
    browser.password(&at, "bob@shop.example", PASSWORD).await;
    assert!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").is_empty());
    assert_eq!(fixture.store.sign_ins().sessions_of(bob.id).await.expect("sessions").len(), 1);
}

#[tokio::test]
async fn a_session_ends_when_it_was_not_used_and_at_its_time_in_any_case() {
    let (fixture, tenant, _) = shop(json!({"session_idle_secs": 600, "session_max_secs": 1500})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let is_in = async || browser.get("/account/").await.status == 200;
    fixture.clock.advance_secs(599);
    assert!(is_in().await);
    fixture.clock.advance_secs(599);
    assert!(is_in().await, "it was used");
    fixture.clock.advance_secs(301);
    assert!(is_in().await, "one second before its end");
    fixture.clock.advance_secs(1);
    assert!(!is_in().await);

    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    fixture.clock.advance_secs(600);
    assert!(!is_in().await, "it was not used");

    // A tenant that shortens it shortens those that are under way.
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let path = format!("/tenants/{}", tenant.id);
    fixture.made(Method::PATCH, &path, &json!({"settings": {"session_idle_secs": 60}})).await;
    fixture.clock.advance_secs(60);
    assert!(!is_in().await);
}

#[tokio::test]
async fn nobody_frames_the_pages_keeps_them_or_sends_their_forms_elsewhere() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    for path in [at.as_str(), "/sign-in/unknown"] {
        let page = browser.get(path).await;
        assert_eq!(page.header(header::CACHE_CONTROL), "no-store", "{path}");
        assert_eq!(page.header(header::X_FRAME_OPTIONS), "DENY", "{path}");
        assert_eq!(page.header(header::REFERRER_POLICY), "same-origin", "{path}");
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    // Browsers hold `form-action` against where an answer redirects to: the application is where this ends.
    let policy = browser.get(&at).await.header(header::CONTENT_SECURITY_POLICY).to_owned();
    assert!(policy.ends_with("form-action 'self' https://till.example"), "{policy}");
}

#[tokio::test]
async fn whoever_has_a_second_factor_shows_it_and_no_way_leads_around_it() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let app = fixture.app_of(&ada).await;
    let codes = fixture.codes_of(&ada).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    // Before the password nothing else counts.
    for step in ["second-factor", "enrolment", "organisation", "continue", "signed-in"] {
        let answer = browser.step(&at, step, &[("code", &fixture.code(&app)), ("organisation", "")]).await;
        assert!(matches!(answer.status.as_u16(), 303 | 405), "{step}: {}", answer.status);
        assert!(browser.cookie(SESSION).is_none(), "{step}");
    }
    let answer = browser.password(&at, ADA, PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, at.as_str()));
    // Nor does anything but a code after it: not the password again, nothing at all, not the way on, not the setting up of an app.
    for (step, fields) in [
        ("password", vec![("email", ADA), ("password", PASSWORD)]),
        ("second-factor", vec![]),
        ("second-factor", vec![("code", "")]),
        ("second-factor", vec![("code", "000000")]),
        ("second-factor", vec![("code", PASSWORD)]),
        ("enrolment", vec![("code", "000000")]),
    ] {
        browser.step(&at, step, &fields).await;
        assert!(browser.cookie(SESSION).is_none(), "{step} {fields:?}");
    }
    let way_on = browser.get(&format!("{at}/continue")).await;
    assert_eq!((way_on.status.as_u16(), way_on.header(header::LOCATION)), (303, at.as_str()));
    // Beginning again forgets the password.
    browser.step(&at, "restart", &[]).await;
    assert!(browser.get(&at).await.text.contains(r#"name="password""#));
    browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(browser.cookie(SESSION).is_none());
    // The right way.
    browser.password(&at, ADA, PASSWORD).await;
    let answer = browser.step(&at, "second-factor", &[("code", &codes.expose_secret()[0])]).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
    // That code is used up; another one is not, and neither is the app.
    for (code, is_good) in [(codes.expose_secret()[0].clone(), false), (fixture.code(&app), true)] {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        browser.password(&at, ADA, PASSWORD).await;
        let answer = browser.step(&at, "second-factor", &[("code", &code)]).await;
        assert_eq!(is_signed_in(&answer), is_good, "{code}");
    }
    assert_eq!(fixture.credentials_of(&ada).await.recovery.expect("codes").left(), 9);
}

#[tokio::test]
async fn a_code_counts_once_for_its_person_and_within_one_step() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), "bob@shop.example").await;
    let (app, bobs) = (fixture.app_of(&ada).await, fixture.app_of(&bob).await);
    fixture.clock.advance_secs(3600);
    let at_step = |steps: i64| app.code_at(fixture.clock.now().plus_secs(30 * steps)).expect("a code");
    let tries = async |code: &str| {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        browser.password(&at, ADA, PASSWORD).await;
        is_signed_in(&browser.step(&at, "second-factor", &[("code", code)]).await)
    };
    assert!(!tries(&fixture.code(&bobs)).await, "somebody else's");
    assert!(!tries(&at_step(-2)).await);
    assert!(!tries(&at_step(2)).await);
    assert!(tries(&at_step(-1)).await);
    assert!(tries(&at_step(0)).await);
    assert!(!tries(&at_step(0)).await, "used before");
    assert!(!tries(&at_step(-1)).await, "used before");
    assert!(tries(&at_step(1)).await);
    // Five were wrong. One more, and the right one waits as well, from wherever it comes.
    assert!(!tries("000000").await);
    fixture.clock.advance_secs(60);
    let browser = Browser::at(&fixture, "198.51.100.9");
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let answer = browser.step(&at, "second-factor", &[("code", &at_step(0))]).await;
    assert_eq!(answer.status, 429);
    assert!(answer.header(header::RETRY_AFTER).parse::<u32>().is_ok_and(|secs| (1..=150).contains(&secs)));
    // Bob does not notice, and Ada's turn comes again.
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, "bob@shop.example", PASSWORD).await;
    let answer = browser.step(&at, "second-factor", &[("code", &fixture.code(&bobs))]).await;
    assert!(is_signed_in(&answer));
    fixture.clock.advance_secs(150);
    assert!(tries(&at_step(0)).await);
}

/// Browsers in which Ada has given her password, each with where it is and what its form holds.
async fn asked_for_a_code<'a>(
    fixture: &'a Fixture,
    tenant: &Tenant,
    count: usize,
) -> Vec<(Browser<'a>, String, String)> {
    let mut asked = vec![];
    for _ in 0..count {
        let browser = Browser::new(fixture);
        let at = begun(&browser, fixture, tenant).await;
        browser.password(&at, ADA, PASSWORD).await;
        let token = form_token(&browser.get(&at).await);
        asked.push((browser, at, token));
    }
    asked
}

/// All of them send one code at once; who is signed in then.
async fn all_send(asked: &[(Browser<'_>, String, String)], code: &str) -> Vec<bool> {
    let all = asked.iter().map(async |(browser, at, token)| {
        let answer = browser.post(&format!("{at}/second-factor"), &[("form", token), ("code", code)]).await;
        is_signed_in(&answer)
    });
    futures_util::future::join_all(all).await
}

/// A code is used up for the one whose it is.
#[tokio::test]
async fn two_people_sign_in_by_codes_of_one_moment() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), "bob@shop.example").await;
    for (email, app) in [(ADA, fixture.app_of(&ada).await), ("bob@shop.example", fixture.app_of(&bob).await)] {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        browser.password(&at, email, PASSWORD).await;
        let answer = browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
        assert!(is_signed_in(&answer), "{email}: {}", answer.text);
    }
}

#[tokio::test]
async fn of_two_who_send_the_same_code_at_once_one_is_signed_in() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let app = fixture.app_of(&ada).await;
    let asked = asked_for_a_code(&fixture, &tenant, 4).await;
    let signed_in = all_send(&asked, &fixture.code(&app)).await;
    assert_eq!(signed_in.into_iter().filter(|is_in| *is_in).count(), 1);
}

/// attacks.md C10 250: the same with a code that was written down. Both have seen that it is there before one uses it up.
#[tokio::test]
async fn of_two_who_send_the_same_recovery_code_at_once_one_is_signed_in() {
    let (fixture, store) = Faulty::fixture("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    fixture.app_of(&ada).await;
    let codes = fixture.codes_of(&ada).await;
    let [code, another] = [0, 1].map(|place| codes.expose_secret()[place].as_str());
    let asked = asked_for_a_code(&fixture, &tenant, 2).await;
    let mut signed_in = store.both_before_one("begin", all_send(&asked, code)).await;
    let late = signed_in.iter().position(|is_in| !is_in).expect("one is not");
    assert_eq!((signed_in.swap_remove(late), signed_in[0]), (false, true));
    assert_eq!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").len(), 1);
    assert_eq!(fixture.credentials_of(&ada).await.recovery.expect("codes").left(), 9);
    let (browser, at, _) = &asked[late];
    assert!(is_signed_in(&browser.step(at, "second-factor", &[("code", another)]).await), "another code does");
}

/// A button that is pressed twice: one of the two forms counts, and of the other nothing is left, neither a session nor a cookie.
#[tokio::test]
async fn of_one_form_that_is_sent_twice_at_once_one_counts() {
    let (fixture, _, ada) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    let token = form_token(&browser.get(&at).await);
    let fields = [("form", token.as_str()), ("email", ADA), ("password", PASSWORD)];
    let path = format!("{at}/password");
    let (one, other) = tokio::join!(browser.post(&path, &fields), browser.post(&path, &fields));
    let (mut counted, others): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(is_signed_in);
    assert_eq!((counted.len(), others.len()), (1, 1));
    assert_eq!(counted.remove(0).header(header::LOCATION), "/account/");
    assert_eq!((others[0].status.as_u16(), others[0].header(header::LOCATION)), (303, at.as_str()));
    assert!(!others[0].headers.contains_key(header::SET_COOKIE));
    assert_eq!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").len(), 1);
}

/// The same by somebody who is signed in and proves it once more: their session goes on, whichever form counts.
#[tokio::test]
async fn a_form_that_is_sent_twice_ends_no_session() {
    let (fixture, store) = Faulty::fixture("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let sessions = async || fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions");
    let [session] = &sessions().await[..] else { panic!("one session") };
    let at = browser.begin(&request(&fixture, &tenant, "&prompt=login").await).await;
    let token = form_token(&browser.get(&at).await);
    let fields = [("form", token.as_str()), ("email", ADA), ("password", PASSWORD)];
    let path = format!("{at}/password");
    // Each sees the session before the other has changed it.
    let both = async { tokio::join!(browser.post(&path, &fields), browser.post(&path, &fields)) };
    let (one, other) = store.both_before_one("find_session", both).await;
    let set_cookies = [&one, &other].map(|answer| answer.headers.contains_key(header::SET_COOKIE));
    assert!(set_cookies == [true, false] || set_cookies == [false, true], "{one:?}\n{other:?}");
    assert_eq!(sessions().await.iter().map(|session| session.id).collect::<Vec<_>>(), [session.id]);
    assert_eq!(browser.get("/account/").await.status, 200);
}

/// attacks.md C10 243: the same where nothing is left to ask, by somebody who comes and by somebody who is here. One code is made.
#[tokio::test]
async fn of_one_form_that_is_sent_twice_at_once_one_goes_back_to_the_application() {
    let (fixture, store) = Faulty::fixture("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    let browser = Browser::new(&fixture);
    for more in ["", "&prompt=login"] {
        let request = request(&fixture, &tenant, more).await;
        fixture.made(Method::PATCH, "/applications/till", &json!({"consent": "trusted"})).await;
        let at = browser.begin(&request).await;
        let token = form_token(&browser.get(&at).await);
        let fields = [("form", token.as_str()), ("email", ADA), ("password", PASSWORD)];
        let path = format!("{at}/password");
        let both = async { tokio::join!(browser.post(&path, &fields), browser.post(&path, &fields)) };
        let (one, other) = store.both_before_one("end_interaction", both).await;
        let (counted, others): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(is_signed_in);
        assert_eq!((counted.len(), others.len()), (1, 1), "{more}");
        assert_eq!((others[0].status.as_u16(), others[0].header(header::LOCATION)), (303, at.as_str()), "{more}");
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "till"),
            ("code", &parameter(&counted[0], "code").expect("a code")),
            ("redirect_uri", "https://till.example/cb"),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ];
        let tokens = fixture.form("/tenants/shop/connect/token", None, &fields).await;
        assert_eq!(tokens.status, 200, "{more}: {}", tokens.text);
        assert_eq!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").len(), 1, "{more}");
    }
}

/// attacks.md C13 291: between the look at a session and the proof that carries it on, it may have been ended. Then it stays so, and
/// nobody is told that they are signed in.
#[tokio::test]
async fn a_session_that_is_ended_while_it_is_carried_on_is_over() {
    let (fixture, store) = Faulty::fixture("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    let sessions = async || fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions");
    for (consent, is_ended) in [("ask", false), ("ask", true), ("trusted", false), ("trusted", true)] {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        fixture.made(Method::PATCH, "/applications/till", &json!({"consent": consent})).await;
        browser.password(&at, ADA, PASSWORD).await;
        let session = sessions().await.remove(0);
        let at = browser.begin(&request(&fixture, &tenant, "&prompt=login").await).await;
        let token = form_token(&browser.get(&at).await);
        let fields = [("form", token.as_str()), ("email", ADA), ("password", PASSWORD)];
        let now = fixture.clock.now();
        let path = format!("{at}/password");
        let answer = store.meanwhile("change_session", browser.post(&path, &fields), async || {
            if is_ended {
                let one = Sessions::One(session.id);
                fixture.store.sign_ins().end_sessions(one, now, now.plus_secs(3600)).await.expect("the store");
            }
        });
        let answer = answer.await;
        assert_eq!(is_signed_in(&answer), !is_ended, "{consent}: {answer:?}");
        assert_eq!(answer.header(header::LOCATION) == at, is_ended, "{consent}: {answer:?}");
        assert_eq!(browser.get("/account/").await.status == 200, !is_ended, "{consent}");
        assert_eq!(sessions().await.len(), usize::from(!is_ended), "{consent}");
        let now = fixture.clock.now();
        fixture.store.sign_ins().end_sessions(Sessions::OfUser(ada.id), now, now.plus_secs(3600)).await.expect("ended");
    }
}

#[tokio::test]
async fn where_a_second_factor_is_required_whoever_has_none_sets_one_up() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "required"})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let page = browser.get(&at).await;
    assert!(page.text.contains("<svg") && browser.cookie(SESSION).is_none(), "{}", page.text);
    let app = shown_secret(&page);
    let wrong = browser.step(&at, "enrolment", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(shown_secret(&wrong), app, "the key stays the same");
    assert!(!fixture.credentials_of(&ada).await.has_second_factor());
    let done = browser.step(&at, "enrolment", &[("code", &fixture.code(&app))]).await;
    assert_eq!(done.status, 200);
    assert!(browser.cookie(SESSION).is_some());
    let codes: Vec<&str> = done.text.split("<li>").skip(1).filter_map(|rest| rest.split("</li>").next()).collect();
    assert_eq!(codes.len(), 10);
    // They are shown this once.
    assert!(!browser.get(&at).await.text.contains(codes[0]));
    // The next time it is asked for, and taking the app away leads to setting up another one.
    let again = Browser::new(&fixture);
    let at = begun(&again, &fixture, &tenant).await;
    again.password(&at, ADA, PASSWORD).await;
    assert!(again.get(&at).await.text.contains(&format!("{at}/second-factor")));
    take_apps_away(&fixture, &ada).await;
    let answer = again.step(&at, "second-factor", &[("code", codes[1])]).await;
    assert!(is_signed_in(&answer), "a recovery code stands for an app that is lost");
    let third = Browser::new(&fixture);
    let at = begun(&third, &fixture, &tenant).await;
    third.password(&at, ADA, PASSWORD).await;
    assert!(third.get(&at).await.text.contains("<svg"));
}

/// attacks.md C10 250: the code that sets an app up is a code that was used.
#[tokio::test]
async fn the_code_that_sets_an_app_up_signs_nobody_in_after() {
    let (fixture, tenant, _) = shop(json!({"mfa": "required"})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let app = shown_secret(&browser.get(&at).await);
    let code = fixture.code(&app);
    assert_eq!(browser.step(&at, "enrolment", &[("code", &code)]).await.status, 200);
    let thief = Browser::new(&fixture);
    let at = begun(&thief, &fixture, &tenant).await;
    thief.password(&at, ADA, PASSWORD).await;
    for secs in [0, 30] {
        fixture.clock.advance_secs(secs);
        let answer = thief.step(&at, "second-factor", &[("code", &code)]).await;
        assert_eq!((answer.status.as_u16(), thief.cookie(SESSION)), (422, None), "after {secs} s");
    }
    let answer = thief.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(is_signed_in(&answer), "the next one does: {}", answer.text);
}

/// A key that is being set up is a key: whoever has the password, and would have it by guessing, is stopped as anywhere.
#[tokio::test]
async fn whoever_guesses_at_an_app_that_is_being_set_up_is_stopped() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "required"})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let app = shown_secret(&browser.get(&at).await);
    let is_right = |code: &str| code == fixture.code(&app);
    let wrong = ["000000", "000001"].into_iter().find(|code| !is_right(code)).expect("a wrong code");
    for _ in 0..6 {
        assert_eq!(browser.step(&at, "enrolment", &[("code", wrong)]).await.status, 422);
    }
    let answer = browser.step(&at, "enrolment", &[("code", &fixture.code(&app))]).await;
    assert_eq!((answer.status.as_u16(), browser.cookie(SESSION)), (429, None), "the right one waits as well");
    assert!(!fixture.credentials_of(&ada).await.has_second_factor());
    fixture.clock.advance_secs(answer.header(header::RETRY_AFTER).parse().expect("seconds"));
    let done = browser.step(&at, "enrolment", &[("code", &fixture.code(&app))]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(browser.cookie(SESSION).is_some());
}

/// Whoever only knows the password adds no app beside one that is there.
#[tokio::test]
async fn an_app_that_was_set_up_meanwhile_stays_the_only_one() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "required"})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let late = shown_secret(&browser.get(&at).await);
    let first = fixture.app_of(&ada).await;
    let answer = browser.step(&at, "enrolment", &[("code", &fixture.code(&late))]).await;
    assert!(!is_signed_in(&answer) && browser.cookie(SESSION).is_none(), "{}", answer.text);
    let kept: Vec<_> = fixture.credentials_of(&ada).await.totp.into_iter().map(|(_, secret)| secret).collect();
    assert_eq!(kept, [first]);
}

async fn take_apps_away(fixture: &Fixture, user: &User) {
    let parent = user.id.to_string();
    let filter = Filter { parent: Some(&parent), ..Filter::default() };
    let all: Vec<Credential> = noun::list(&*fixture.store, &filter, Reach::Platform).await.expect("credentials");
    for app in all.iter().filter(|credential| credential.kind == CredentialKind::Totp) {
        fixture.change(async |edit| Ok(noun::delete(edit.tx, app).await?)).await;
    }
}

#[tokio::test]
async fn a_request_that_asks_for_more_certainty_asks_only_for_what_is_missing() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "off"})).await;
    let app = fixture.app_of(&ada).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let answer = browser.password(&at, ADA, PASSWORD).await;
    assert!(is_signed_in(&answer), "nothing more is asked for");
    let before = browser.cookie(SESSION).expect("a session");
    let session = fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").remove(0);
    let at = browser.begin(&request(&fixture, &tenant, &essential_aal2()).await).await;
    let page = browser.get(&at).await;
    assert!(page.text.contains(&format!("{at}/second-factor")), "{}", page.text);
    let answer = browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(is_signed_in(&answer), "{}", answer.text);
    assert_ne!(browser.cookie(SESSION).expect("a session"), before, "a new cookie for more power");
    let after = fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").remove(0);
    assert_eq!(after.id, session.id);
    assert!(after.document.contains(r#"["pwd","otp"]"#), "{}", after.document);
    // Where they are to prove it now, they show the first thing as well; and somebody of another tenant proved nothing here.
    for fresh in ["&prompt=login", "&prompt=select_account", "&max_age=0"] {
        let at = browser.begin(&request(&fixture, &tenant, &format!("{}{fresh}", essential_aal2())).await).await;
        let page = browser.get(&at).await;
        assert!(page.text.contains(r#"name="password""#), "{fresh}: {}", page.text);
    }
    let mart = fixture.tenant("mart", json!({"mfa": "off"})).await;
    let body = json!({
        "name": "Mart", "client_id": "mart", "type": "spa", "level": "tenant", "tenant_id": mart.id,
        "allowed_scopes": ["openid"], "redirect_uris": ["https://till.example/cb"],
    });
    fixture.made(Method::POST, "/applications", &body).await;
    let elsewhere = request(&fixture, &tenant, &essential_aal2()).await;
    let elsewhere = elsewhere.replace("/tenants/shop/", "/tenants/mart/").replace("client_id=till", "client_id=mart");
    let page = browser.get(&browser.begin(&elsewhere).await).await;
    assert!(page.text.contains("MART") && page.text.contains(r#"name="password""#), "{}", page.text);
    // Whoever has no app sets one up with the password at hand, not with a session that somebody left open.
    fixture.person(Some(&tenant), "bob@shop.example").await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, "bob@shop.example", PASSWORD).await;
    let at = browser.begin(&request(&fixture, &tenant, &essential_aal2()).await).await;
    assert!(browser.get(&at).await.text.contains(r#"name="password""#));
    browser.password(&at, "bob@shop.example", PASSWORD).await;
    assert!(browser.get(&at).await.text.contains("<svg"));
}

fn essential_aal2() -> String {
    let claims = json!({"id_token": {"acr": {"essential": true, "values": ["urn:ambit:aal2"]}}}).to_string();
    let encoded: String = url::form_urlencoded::byte_serialize(claims.as_bytes()).collect();
    format!("&claims={encoded}&acr_values=urn%3Aambit%3Aaal2")
}

#[tokio::test]
async fn a_password_that_was_right_waits_ten_minutes_for_the_code_and_the_request_half_an_hour() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let app = fixture.app_of(&ada).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    fixture.clock.advance_secs(600);
    browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(browser.cookie(SESSION).is_none());
    browser.password(&at, ADA, PASSWORD).await;
    fixture.clock.advance_secs(599);
    let answer = browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);

    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    fixture.clock.advance_secs(1799);
    assert_eq!(browser.get(&at).await.status, 200);
    fixture.clock.advance_secs(1);
    assert_eq!(browser.get(&at).await.status, 404);
}

/// attacks.md C15 313: whoever asks without end has so much kept, and nobody else waits for it.
#[tokio::test]
async fn an_address_begins_so_many_sign_ins_and_others_begin_theirs() {
    let fixture = Fixture::with("trusted_proxies = ['127.0.0.1']\n[rate_limits]\nsign_ins = 3\nwindow = '3 s'").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let asked = request(&fixture, &tenant, "").await;
    let flood = Browser::at(&fixture, "192.0.2.1");
    for path in [asked.as_str(), "/account/", asked.as_str()] {
        assert_eq!(flood.get(path).await.status, 303, "{path}");
    }
    for path in [asked.as_str(), "/account/"] {
        let refused = flood.get(path).await;
        assert_eq!((refused.status.as_u16(), refused.header(header::RETRY_AFTER)), (429, "1"), "{path}");
        assert!(refused.text.contains("Too many attempts"), "{}", refused.text);
    }
    assert_eq!(Browser::at(&fixture, "192.0.2.2").get(&asked).await.status, 303);
    fixture.clock.advance_secs(1);
    assert_eq!(flood.get(&asked).await.status, 303);
    assert_eq!(flood.get(&asked).await.status, 429);
}

/// attacks.md C10 253.
#[tokio::test]
async fn whoever_guesses_is_stopped_where_they_are_and_locks_nobody_out() {
    let (fixture, tenant, _) = shop(json!({})).await;
    // Whatever an attacker writes into the header, they are counted where the proxy sees them, and the check is made.
    let guesser = Browser::at(&fixture, "a, 198.51.100.7");
    let at = begun(&guesser, &fixture, &tenant).await;
    for guess in 0..10 {
        let answer = guesser.password(&at, ADA, &format!("guess number {guess}")).await;
        assert_eq!(answer.status, 422, "{guess}");
    }
    let answer = guesser.password(&at, ADA, PASSWORD).await;
    assert_eq!(answer.status, 429);
    assert!(guesser.cookie(SESSION).is_none());
    let wait: i64 = answer.header(header::RETRY_AFTER).parse().expect("seconds");
    assert!((1..=90).contains(&wait), "{wait}");
    // The same for an account that does not exist.
    let ghost = Browser::at(&fixture, "198.51.100.8");
    let at = begun(&ghost, &fixture, &tenant).await;
    for _ in 0..10 {
        ghost.password(&at, "nobody@shop.example", "a guess").await;
    }
    let unknown = ghost.password(&at, "nobody@shop.example", "a guess").await;
    assert_eq!((unknown.status.as_u16(), &unknown.text), (429, &answer.text));
    // The person comes from elsewhere, and is let in.
    let ada = Browser::at(&fixture, "203.0.113.5");
    let at = begun(&ada, &fixture, &tenant).await;
    let answer = ada.password(&at, ADA, PASSWORD).await;
    assert!(is_signed_in(&answer), "{}", answer.status);
    // And whoever only mistyped is let in where they are, after a while.
    fixture.clock.advance_secs(wait);
    let at = begun(&guesser, &fixture, &tenant).await;
    let answer = guesser.password(&at, ADA, PASSWORD).await;
    assert!(is_signed_in(&answer), "{}", answer.status);
}

#[tokio::test]
async fn nobody_signs_in_to_a_tenant_that_is_shut_or_as_somebody_who_was_disabled_on_the_way() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let app = fixture.app_of(&ada).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    set_status(&fixture, &ada, UserStatus::Disabled).await;
    browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(browser.cookie(SESSION).is_none());
    set_status(&fixture, &ada, UserStatus::Active).await;
    browser.password(&at, ADA, PASSWORD).await;
    browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert_eq!(browser.get("/account/").await.status, 200);
    set_status(&fixture, &ada, UserStatus::Disabled).await;
    assert_eq!(browser.get("/account/").await.status, 303, "the session of somebody who was disabled is nobody's");

    // Ada herself is welcome, and her password is right.
    take_apps_away(&fixture, &ada).await;
    set_status(&fixture, &ada, UserStatus::Active).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let token = form_token(&browser.get(&at).await);
    let path = format!("/tenants/{}/status", tenant.id);
    fixture.made(Method::POST, &path, &json!({"status": "suspended"})).await;
    assert_eq!(browser.get(&at).await.status, 403);
    let fields = [("form", token.as_str()), ("email", ADA), ("password", PASSWORD)];
    let answer = browser.post(&format!("{at}/password"), &fields).await;
    assert!(answer.status == 403 && !answer.headers.contains_key(header::LOCATION), "{}", answer.text);
    assert!(browser.cookie(SESSION).is_none());
    fixture.made(Method::POST, &path, &json!({"status": "active"})).await;
    let answer = browser.post(&format!("{at}/password"), &fields).await;
    assert!(is_signed_in(&answer), "the same form in a tenant that is open: {}", answer.text);

    // A partner who is out of business takes their tenants along.
    let partner = fixture.made(Method::POST, "/partners", &json!({"name": "Nordic", "slug": "nordic"})).await;
    let theirs = json!({"name": "Fjord", "slug": "fjord", "partner_id": partner["id"]});
    fixture.made(Method::POST, "/tenants", &theirs).await;
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    let named = [("organisation", "fjord")];
    assert_eq!(browser.step(&at, "organisation", &named).await.status, 303);
    browser.step(&at, "restart", &[]).await;
    let path = format!("/partners/{}", partner["id"].as_str().expect("an id"));
    fixture.made(Method::PATCH, &path, &json!({"status": "suspended"})).await;
    assert_eq!(browser.step(&at, "organisation", &named).await.status, 422);
}

async fn set_status(fixture: &Fixture, user: &User, status: UserStatus) {
    let after = User { status, ..user.clone() };
    fixture.change(async |edit| Ok(noun::update(edit.tx, after.clone(), None).await?)).await;
}

#[tokio::test]
async fn a_hash_of_another_system_is_replaced_when_its_password_is_first_shown() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let foreign = "$pbkdf2-sha256$i=10000,l=32$AAECAwQFBgcICQoLDA0ODw$\
                   X+DILeVuX9mNHCAvEDeDlaquCYUTD7rdkkZXdsCyl/Q";
    let kept = KeptPassword::take_over(foreign).expect("a hash");
    let bob = fixture.person_with(Some(&tenant), "bob@shop.example", UserStatus::Active, Some(&kept)).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    assert_eq!(browser.password(&at, "bob@shop.example", "correct horse").await.status, 422);
    assert!(
        fixture
            .credentials_of(&bob)
            .await
            .password
            .is_some_and(|kept| kept == KeptPassword::take_over(foreign).expect("a hash"))
    );
    for _ in 0..2 {
        let at = begun(&Browser::new(&fixture), &fixture, &tenant).await;
        drop(at);
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        let answer = browser.password(&at, "bob@shop.example", "correct horse battery").await;
        assert!(is_signed_in(&answer), "{}", answer.status);
        let now = fixture.credentials_of(&bob).await.password.expect("a password");
        assert_ne!(now, kept, "it is kept as passwords are kept here");
    }
}

/// attacks.md C10 261.
#[tokio::test]
async fn the_language_is_one_of_those_that_are_there() {
    let (fixture, tenant, _) = shop(json!({})).await;
    for (wish, expected) in [
        ("zh-CN", "登录"),
        ("fr%20zh", "登录"),
        ("..%2F..%2Fx", "Sign in"),
        ("en_US.UTF-8", "Sign in"),
        ("fr", "Sign in"),
    ] {
        let browser = Browser::new(&fixture);
        let at = browser.begin(&request(&fixture, &tenant, &format!("&ui_locales={wish}")).await).await;
        let page = browser.get(&at).await;
        assert!(page.text.contains(&format!("<h1>{expected}</h1>")), "{wish}: {}", page.text);
    }
}
