//! A code that is sent to an address does for a password, where the tenant says so.

use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::{User, UserStatus};
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::{Answer, Fixture};

const ADA: &str = "ada@shop.example";
const SESSION: &str = "__Host-ambit-session";

async fn shop(settings: Value) -> (Fixture, Tenant, User) {
    let fixture = Fixture::with("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", settings).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    (fixture, tenant, ada)
}

/// A sign-in for which a code was asked for.
async fn asked(browser: &Browser<'_>, email: &str) -> String {
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    browser.step(&at, "email-code", &[("email", email)]).await;
    at
}

/// The code in the one letter that was sent.
async fn code(fixture: &Fixture) -> String {
    let letter = fixture.letter().await;
    assert!(!letter.text.contains("://") && !letter.subject.contains(char::is_numeric), "{letter:?}");
    let digits: String = letter.text.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(digits.len(), 8, "{}", letter.text);
    digits
}

fn is_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.header(header::SET_COOKIE).starts_with(SESSION)
}

fn another(code: &str) -> String {
    let last = code.bytes().last().expect("eight digits");
    format!("{}{}", &code[..7], char::from(if last == b'9' { b'0' } else { last + 1 }))
}

#[tokio::test]
async fn a_code_signs_in_once_where_the_tenant_says_so() {
    let (fixture, tenant, _) = shop(json!({})).await;
    // Off by default: neither offered nor taken.
    let browser = Browser::new(&fixture);
    let at = asked(&browser, ADA).await;
    let page = browser.get(&at).await;
    assert!(page.text.contains(r#"name="password""#) && !page.text.contains("email-code"), "{}", page.text);
    assert!(fixture.letters().await.is_empty());

    let path = format!("/tenants/{}", tenant.id);
    fixture.made(Method::PATCH, &path, &json!({"settings": {"email_code": true}})).await;
    let at = asked(&browser, "Ada@Shop.example").await;
    let code = code(&fixture).await;
    let page = browser.get(&at).await;
    assert!(page.text.contains("Eight digits"), "{}", page.text);
    let wrong = browser.step(&at, "code", &[("code", &another(&code))]).await;
    assert!(wrong.status == 422 && wrong.text.contains(r#"aria-invalid="true""#), "{}", wrong.text);
    let spaced = format!(" {} {} ", &code[..4], &code[4..]);
    let token = form_token(&browser.get(&at).await);
    let answer = browser.post(&format!("{at}/code"), &[("form", &token), ("code", &spaced)]).await;
    assert!(is_in(&answer), "{} {}", answer.status, answer.text);
    // The same form again, and the same code in another sign-in.
    let again = browser.post(&format!("{at}/code"), &[("form", &token), ("code", &code)]).await;
    assert!(!again.headers.contains_key(header::SET_COOKIE));
    let stranger = Browser::new(&fixture);
    let other = asked(&stranger, ADA).await;
    assert!(!is_in(&stranger.step(&other, "code", &[("code", &code)]).await));
    assert!(stranger.cookie(SESSION).is_none());
}

#[tokio::test]
async fn a_code_is_no_second_factor_and_stands_beside_none() {
    let (fixture, tenant, ada) = shop(json!({"email_code": true})).await;
    let app = fixture.app_of(&ada).await;
    let browser = Browser::new(&fixture);
    let at = asked(&browser, ADA).await;
    let sent = code(&fixture).await;
    let answer = browser.step(&at, "code", &[("code", &sent)]).await;
    assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, at.as_str()));
    // The password is asked for, and the code of the app counts behind that only.
    assert!(browser.get(&at).await.text.contains(r#"name="password""#));
    browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(browser.cookie(SESSION).is_none());
    browser.password(&at, ADA, PASSWORD).await;
    let answer = browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(is_in(&answer));

    // Where everybody has two factors, nobody sets the second one up with a letter at hand.
    fixture.person(Some(&tenant), "bob@shop.example").await;
    fixture.made(Method::PATCH, &format!("/tenants/{}", tenant.id), &json!({"settings": {"mfa": "required"}})).await;
    let browser = Browser::new(&fixture);
    let at = asked(&browser, "bob@shop.example").await;
    let sent = code(&fixture).await;
    browser.step(&at, "code", &[("code", &sent)]).await;
    let page = browser.get(&at).await;
    assert!(page.text.contains(r#"name="password""#) && browser.cookie(SESSION).is_none(), "{}", page.text);
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes_and_five_guesses_in_its_own_sign_in() {
    let (fixture, _, _) = shop(json!({"email_code": true})).await;
    for (secs, is_good) in [(599, true), (600, false)] {
        let browser = Browser::new(&fixture);
        let at = asked(&browser, ADA).await;
        let sent = code(&fixture).await;
        fixture.clock.advance_secs(secs);
        assert_eq!(is_in(&browser.step(&at, "code", &[("code", &sent)]).await), is_good, "{secs}");
    }
    fixture.clock.advance_secs(3600);
    // In somebody else's sign-in it is a guess like any other.
    let (ada, eve) = (Browser::new(&fixture), Browser::new(&fixture));
    let adas = asked(&ada, ADA).await;
    let sent = code(&fixture).await;
    let eves = asked(&eve, ADA).await;
    code(&fixture).await;
    assert!(!is_in(&eve.step(&eves, "code", &[("code", &sent)]).await));
    assert!(is_in(&ada.step(&adas, "code", &[("code", &sent)]).await));

    // The fifth wrong one ends it, though the sixth is right.
    fixture.clock.advance_secs(3600);
    let browser = Browser::new(&fixture);
    let at = asked(&browser, ADA).await;
    let sent = code(&fixture).await;
    for _ in 0..5 {
        browser.step(&at, "code", &[("code", &another(&sent))]).await;
    }
    assert!(browser.get(&at).await.text.contains(r#"name="password""#));
    let token = form_token(&browser.get(&at).await);
    browser.post(&format!("{at}/code"), &[("form", &token), ("code", &sent)]).await;
    assert!(browser.cookie(SESSION).is_none());
}

#[tokio::test]
async fn guesses_at_once_are_told_apart_no_more_often_than_they_are_counted() {
    let (fixture, _, _) = shop(json!({"email_code": true})).await;
    let browser = Browser::new(&fixture);
    let at = asked(&browser, ADA).await;
    let sent = code(&fixture).await;
    let token = form_token(&browser.get(&at).await);
    let guesses = (0..40).map(async |_| {
        let wrong = another(&sent);
        browser.post(&format!("{at}/code"), &[("form", &token), ("code", &wrong)]).await.status.as_u16()
    });
    let statuses = futures_util::future::join_all(guesses).await;
    let told = statuses.iter().filter(|status| **status == 422).count();
    assert!(told <= 4, "{statuses:?}");
    // Six in a quarter of an hour for the account, in whichever sign-in and from wherever; then the right one waits as well.
    let browser = Browser::at(&fixture, "192.0.2.1");
    let at = asked(&browser, ADA).await;
    let sent = code(&fixture).await;
    for _ in 0..2 {
        browser.step(&at, "code", &[("code", &another(&sent))]).await;
    }
    assert_eq!(browser.step(&at, "code", &[("code", &sent)]).await.status, 429);
    fixture.clock.advance_secs(180);
    assert!(is_in(&browser.step(&at, "code", &[("code", &sent)]).await));
}

/// attacks.md C10 258: who has nothing else proves by a letter that it is they, and a password before an app.
#[tokio::test]
async fn a_fresh_code_is_proof_enough_for_whoever_has_nothing_else() {
    const SECURITY: &str = "/account/security";
    let (fixture, tenant, _) = shop(json!({"email_code": true})).await;
    let bob = fixture.person_with(Some(&tenant), "bob@shop.example", UserStatus::Active, None).await;
    let browser = Browser::new(&fixture);
    let at = asked(&browser, "bob@shop.example").await;
    browser.step(&at, "code", &[("code", &code(&fixture).await)]).await;
    fixture.clock.advance_secs(300);
    let set = async |path: &str| {
        let token = form_token(&browser.get(SECURITY).await);
        browser.post(path, &[("form", &token), ("new_password", PASSWORD)]).await
    };
    let led = set("/account/security/password").await;
    let at = led.header(header::LOCATION).to_owned();
    assert!(at.starts_with("/sign-in/"), "{} {}", led.status, led.text);
    browser.step(&at, "email-code", &[("email", "bob@shop.example")]).await;
    let sent = code(&fixture).await;
    let answer = browser.step(&at, "code", &[("code", &sent)]).await;
    assert!(is_in(&answer) && answer.header(header::LOCATION) == SECURITY, "{} {}", answer.status, answer.text);
    let page = browser.get(SECURITY).await;
    assert!(!page.text.contains("prove once more who you are") && !page.text.contains("Set up an"), "{}", page.text);
    // What an app would stand beside comes first.
    let refused = set("/account/security/apps").await;
    assert_eq!((refused.status.as_u16(), refused.header(header::LOCATION)), (200, ""), "{}", refused.text);
    assert_eq!(set("/account/security/password").await.header(header::LOCATION), SECURITY);
    assert!(fixture.credentials_of(&bob).await.password.is_some());
    // From now on the password is the proof, however fresh the code.
    let led = set("/account/security/apps").await;
    assert!(led.header(header::LOCATION).starts_with("/sign-in/"), "{} {}", led.status, led.text);
}

#[tokio::test]
async fn so_many_codes_are_sent_and_none_counts_once_the_tenant_changed_its_mind() {
    let (fixture, tenant, _) = shop(json!({"email_code": true})).await;
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"] {
        asked(&Browser::at(&fixture, address), ADA).await;
    }
    assert_eq!(fixture.letters().await.len(), 5);
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    assert_eq!(browser.step(&at, "email-code", &[("email", ADA)]).await.status, 429);
    assert!(fixture.letters().await.is_empty());

    fixture.clock.advance_secs(3600);
    let at = asked(&browser, ADA).await;
    let sent = code(&fixture).await;
    let settings = json!({"settings": {"email_code": false}});
    fixture.made(Method::PATCH, &format!("/tenants/{}", tenant.id), &settings).await;
    let answer = browser.step(&at, "code", &[("code", &sent)]).await;
    assert!(!is_in(&answer) && browser.cookie(SESSION).is_none(), "{}", answer.text);
    assert!(browser.get(&at).await.text.contains(r#"name="password""#));
}

#[tokio::test]
async fn neither_text_nor_status_tells_whether_a_code_is_on_its_way() {
    let (fixture, _, _) = shop(json!({"email_code": true})).await;
    let mut seen = vec![];
    for email in [ADA, "nobody@shop.example"] {
        let browser = Browser::new(&fixture);
        let at = asked(&browser, email).await;
        let page = browser.get(&at).await;
        let token = form_token(&page);
        let wrong = browser.step(&at, "code", &[("code", "0000 0000")]).await;
        let text = |answer: &Answer| answer.text.replace(&at, "AT").replace(&token, "TOKEN");
        seen.push((page.status.as_u16(), text(&page), wrong.status.as_u16(), text(&wrong)));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(fixture.letters().await.len(), 1);
}

/// A button that is pressed twice: the code in the one letter is the one that counts.
#[tokio::test]
async fn of_two_forms_at_once_that_ask_for_a_code_one_has_it_sent() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.tenant("shop", json!({"email_code": true})).await;
    fixture.person(Some(&tenant), ADA).await;
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    let token = form_token(&browser.get(&at).await);
    let (path, fields) = (format!("{at}/email-code"), [("form", token.as_str()), ("email", ADA)]);
    let both = async { tokio::join!(browser.post(&path, &fields), browser.post(&path, &fields)) };
    let (one, other) = store.both_before_one("advance_interaction", both).await;
    for answer in [one, other] {
        assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, at.as_str()), "{}", answer.text);
    }
    let sent = code(&fixture).await;
    assert!(is_in(&browser.step(&at, "code", &[("code", &sent)]).await));
}

/// attacks.md C10 250. Both have seen that the code is right before one is signed in by it.
#[tokio::test]
async fn of_two_who_send_the_right_code_at_once_one_is_signed_in() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.tenant("shop", json!({"email_code": true})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    let browser = Browser::new(&fixture);
    let at = asked(&browser, ADA).await;
    let sent = code(&fixture).await;
    let token = form_token(&browser.get(&at).await);
    let (path, fields) = (format!("{at}/code"), [("form", token.as_str()), ("code", sent.as_str())]);
    let both = async { tokio::join!(browser.post(&path, &fields), browser.post(&path, &fields)) };
    let (one, other) = store.both_before_one("end_interaction", both).await;
    let (counted, others): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(is_in);
    assert_eq!((counted.len(), others.len()), (1, 1));
    assert!(!others[0].headers.contains_key(header::SET_COOKIE), "{:?}", others[0].headers);
    assert_eq!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").len(), 1);
}
