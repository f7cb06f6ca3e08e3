//! `/sign-in/{id}/register` and `/registration/{token}`: accounts that people make themselves.

use ambit_core::reach::Reach;
use ambit_core::secret::SecretHash;
use ambit_core::store::{Filter, Store as _, noun};
use ambit_core::time::Clock as _;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::{User, UserStatus};
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::{Answer, Fixture};

const NEW: &str = "new@shop.example";

async fn shop(settings: Value) -> (Fixture, Tenant) {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant("shop", settings).await;
    (fixture, tenant)
}

async fn at_password(browser: &Browser<'_>) -> String {
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    at
}

/// Asks for an account as the page offers it.
async fn ask(browser: &Browser<'_>, email: &str) -> Answer {
    let path = format!("{}/register", at_password(browser).await);
    let token = form_token(&browser.get(&path).await);
    browser.post(&path, &[("form", &token), ("email", email)]).await
}

async fn fill(browser: &Browser<'_>, path: &str, name: &str, password: &str) -> Answer {
    let token = form_token(&browser.get(path).await);
    browser.post(path, &[("form", &token), ("name", name), ("password", password)]).await
}

async fn users(fixture: &Fixture) -> Vec<User> {
    noun::list(&*fixture.store, &Filter::default(), Reach::Platform).await.expect("users")
}

#[tokio::test]
async fn nobody_registers_where_the_tenant_did_not_say_so() {
    let (fixture, tenant) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let at = at_password(&browser).await;
    let page = browser.get(&at).await;
    assert!(!page.text.contains("/register"), "{}", page.text);
    let path = format!("{at}/register");
    assert_eq!(browser.get(&path).await.header(header::LOCATION), at);
    let sent = browser.post(&path, &[("form", &form_token(&page)), ("email", NEW)]).await;
    assert_eq!((sent.status.as_u16(), sent.header(header::LOCATION)), (303, at.as_str()));
    assert!(fixture.letters().await.is_empty());

    // And a link of before is good no more where the tenant changes its mind.
    let change = format!("/tenants/{}", tenant.id);
    fixture.made(Method::PATCH, &change, &json!({"settings": {"self_registration": true}})).await;
    assert_eq!(ask(&browser, NEW).await.status, 200);
    let link = fixture.letter().await.path();
    let token = form_token(&browser.get(&link).await);
    fixture.made(Method::PATCH, &change, &json!({"settings": {"self_registration": false}})).await;
    let fields = [("form", token.as_str()), ("name", "New"), ("password", PASSWORD)];
    assert_eq!(browser.post(&link, &fields).await.status, 404);
    assert!(users(&fixture).await.is_empty());
}

#[tokio::test]
async fn an_account_is_made_once_its_address_is_proven() {
    let (fixture, tenant) = shop(json!({"self_registration": true, "mfa": "required"})).await;
    let browser = Browser::new(&fixture);
    let answer = ask(&browser, "New@shop.example").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(users(&fixture).await.is_empty(), "nothing is there before");
    let link = fixture.letter().await.path();
    assert!(link.starts_with("/registration/"));
    for (name, password, said) in
        [("", PASSWORD, "Enter a name"), ("New", "short", "too short"), ("New", "new@SHOP.example", "must not be")]
    {
        let answer = fill(&browser, &link, name, password).await;
        assert!(answer.status == 422 && answer.text.contains(said), "{said}: {}", answer.text);
    }
    let stranger = Browser::new(&fixture);
    let others = form_token(&stranger.get(&link).await);
    assert_eq!(browser.post(&link, &[("form", &others), ("name", "x"), ("password", PASSWORD)]).await.status, 403);
    let token = form_token(&browser.get(&link).await);
    // What the form says of tenant, address, roles or proof counts for nothing.
    let fields = [
        ("form", token.as_str()),
        ("name", "New"),
        ("password", PASSWORD),
        ("email", "root@as.example"),
        ("roles", "admin"),
        ("tenant_id", ""),
        ("status", "disabled"),
    ];
    let answer = browser.post(&link, &fields).await;
    let at = answer.header(header::LOCATION).to_owned();
    assert!(answer.status == 303 && at.starts_with("/sign-in/"), "{} {}", answer.status, answer.text);
    assert!(browser.get(&at).await.text.contains("Set up an authenticator app"), "as the tenant's policy says");
    let there = users(&fixture).await;
    assert_eq!((there.len(), there[0].tenant_id, there[0].email.as_str()), (1, Some(tenant.id), "New@shop.example"));
    assert!(there[0].email_verified && there[0].status == UserStatus::Active && there[0].roles.is_empty());
    assert_eq!(browser.get(&link).await.status, 404);
    assert_eq!(stranger.post(&link, &[("form", &others), ("name", "x"), ("password", PASSWORD)]).await.status, 404);
}

#[tokio::test]
async fn neither_text_nor_status_tells_whether_an_address_is_registered() {
    let (fixture, tenant) = shop(json!({"self_registration": true})).await;
    fixture.person(Some(&tenant), "ada@shop.example").await;
    fixture.person_with(Some(&tenant), "off@shop.example", UserStatus::Disabled, None).await;
    let mut seen = vec![];
    for email in [NEW, "ada@shop.example", "ADA@shop.example", "off@shop.example"] {
        let browser = Browser::new(&fixture);
        let answer = ask(&browser, email).await;
        assert!(!answer.text.contains(email));
        seen.push((answer.status.as_u16(), answer.text));
        let letter = fixture.letter().await;
        assert_eq!(letter.to, email);
        assert_eq!(letter.text.contains("://"), email == NEW, "{}", letter.text);
    }
    assert!(seen.iter().all(|one| *one == seen[0]) && seen[0].0 == 200, "{seen:#?}");
    assert_eq!(users(&fixture).await.len(), 2);
}

#[tokio::test]
async fn a_tenant_says_from_which_domains() {
    let (fixture, _) = shop(json!({"self_registration": true, "email_domains": ["shop.example"]})).await;
    for (email, status) in [
        (NEW, 200),
        ("new@SHOP.example", 200),
        ("new@other.example", 422),
        ("new@sub.shop.example", 422),
        ("new@evilshop.example", 422),
        ("new@shop.example@evil.example", 422),
        ("new", 422),
        ("", 422),
    ] {
        let answer = ask(&Browser::new(&fixture), email).await;
        assert_eq!(answer.status, status, "{email}");
        assert_eq!(answer.text.contains(r#"aria-describedby="wrong""#), status == 422, "{email}");
    }
    assert_eq!(fixture.letters().await.len(), 2);
}

#[tokio::test]
async fn quotas_count_for_those_who_come_themselves_and_nobody_takes_an_address_twice() {
    let fixture = Fixture::new().await;
    let partner = json!({"name": "North", "slug": "north", "max_users_per_tenant": 1});
    let partner = fixture.made(Method::POST, "/partners", &partner).await;
    let tenant = json!({"name": "Shop", "slug": "shop", "partner_id": partner["id"]});
    let tenant = fixture.made(Method::POST, "/tenants", &tenant).await;
    let path = format!("/tenants/{}", tenant["id"].as_str().expect("an id"));
    fixture.made(Method::PATCH, &path, &json!({"settings": {"self_registration": true}})).await;
    let browser = Browser::new(&fixture);
    let mut links = vec![];
    for email in [NEW, "second@shop.example"] {
        ask(&browser, email).await;
        links.push(fixture.letter().await.path());
    }
    assert_eq!(fill(&browser, &links[0], "New", PASSWORD).await.status, 303);
    let full = fill(&browser, &links[1], "Second", PASSWORD).await;
    assert!(full.status == 409 && full.text.contains("as many as it may have"), "{} {}", full.status, full.text);
    assert_eq!(users(&fixture).await.len(), 1);
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_taken() {
    let (fixture, tenant) = shop(json!({"self_registration": true})).await;
    let browser = Browser::new(&fixture);
    ask(&browser, NEW).await;
    let link = fixture.letter().await.path();
    let token = form_token(&browser.get(&link).await);
    let before = fixture.person(Some(&tenant), NEW).await;
    let fields = [("form", token.as_str()), ("name", "Eve"), ("password", "another long password")];
    assert_eq!(browser.post(&link, &fields).await.status, 404);
    let there = users(&fixture).await;
    assert_eq!((there.len(), there[0].id), (1, before.id));
}

/// attacks.md C10 245: a link that was used is used, even where what came of it is gone again.
#[tokio::test]
async fn of_those_who_follow_a_link_at_once_one_makes_an_account() {
    let (fixture, store) = Faulty::fixture("").await;
    fixture.tenant("shop", json!({"self_registration": true})).await;
    let (first, second) = (Browser::new(&fixture), Browser::new(&fixture));
    ask(&first, NEW).await;
    let link = fixture.letter().await.path();
    let token = form_token(&second.get(&link).await);
    let fields = [("form", token.as_str()), ("name", "Eve"), ("password", "another long password")];
    let late = store.meanwhile("use_one_time_token", second.post(&link, &fields), async || {
        let token = SecretHash::of(link.rsplit('/').next().expect("a token"));
        assert!(fixture.sql.sign_ins().use_one_time_token(&token, fixture.clock.now()).await.expect("an answer"));
    });
    assert_eq!(late.await.status, 404);
    assert_eq!(users(&fixture).await, []);
}
