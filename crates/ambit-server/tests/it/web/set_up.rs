//! `/set-up/{token}`: the first administrator, and nobody after.

use ambit_core::reach::Reach;
use ambit_core::store::{Filter, noun};
use ambit_protocol::admin::administrator::{Administrator, AdministratorRole, Holder};
use ambit_protocol::admin::user::User;
use ambit_server::web::sign_in::set_up;
use axum::http::{Method, header};
use serde_json::json;

use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::{Answer, Fixture, ROOT};

const ROOT_EMAIL: &str = "root@as.example";

/// A server that was started without an application for automation.
async fn empty() -> Fixture {
    emptied(Fixture::new().await).await
}

async fn emptied(fixture: Fixture) -> Fixture {
    let path = format!("/applications/{ROOT}");
    // The last super administrator does not go by itself, so the store forgets it behind everybody's back.
    let found = fixture.admin(&fixture.root().await, Method::GET, &path, None).await;
    let id = found.json["id"].as_str().expect("an id").to_owned();
    fixture
        .change(async |edit| Ok(edit.tx.delete_row(ambit_protocol::admin::audit::Resource::Application, &id).await?))
        .await;
    fixture
}

/// Registers an application that administers everything.
async fn automate(fixture: &Fixture) {
    let body = json!({"name": "x", "client_id": "x", "type": "service", "level": "platform", "allowed_scopes": ["admin:write"]});
    let body = serde_json::from_value(body).expect("a body");
    fixture.change(async |edit| ambit_core::registry::application::create(edit, body).await).await;
}

async fn link(fixture: &Fixture) -> Option<String> {
    set_up::link(fixture.server.app()).await.expect("the store")
}

async fn send(browser: &Browser<'_>, path: &str, token: &str, email: &str, name: &str, password: &str) -> Answer {
    browser.post(path, &[("form", token), ("email", email), ("name", name), ("password", password)]).await
}

#[tokio::test]
async fn the_link_makes_the_first_administrator_once() {
    let fixture = empty().await;
    let path = link(&fixture).await.expect("a link");
    let (browser, other) = (Browser::new(&fixture), Browser::new(&fixture));
    let token = form_token(&browser.get(&path).await);
    let others = form_token(&other.get(&path).await);
    for (email, name, password, said) in [
        ("root", "Root", PASSWORD, "This is not an e-mail address."),
        (ROOT_EMAIL, "", PASSWORD, "Enter a name"),
        (ROOT_EMAIL, "Root", "eleven char", "The password is too short."),
        (ROOT_EMAIL, "Root", "ROOT@as.example", "must not be the e-mail address"),
        (ROOT_EMAIL, "Root", "", "The password is too short."),
        ("\"><b>root", "\"><b>Root", PASSWORD, "&#34;&#62;&#60;b&#62;root"),
        ("\"><b>root", "\"><b>Root", PASSWORD, "&#34;&#62;&#60;b&#62;Root"),
    ] {
        let answer = send(&browser, &path, &token, email, name, password).await;
        assert_eq!(answer.status, 422, "{said}");
        assert!(answer.text.contains(said) && answer.text.contains("aria-describedby=\"wrong-"), "{}", answer.text);
        assert!(password.is_empty() || !answer.text.contains(password));
        assert!(!answer.text.contains("<b>"), "what was typed is text: {}", answer.text);
    }
    assert_eq!(send(&browser, &path, "", ROOT_EMAIL, "Root", PASSWORD).await.status, 403);
    assert_eq!(send(&browser, &path, &others, ROOT_EMAIL, "Root", PASSWORD).await.status, 403);
    let answer = send(&browser, &path, &token, ROOT_EMAIL, "Root", PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("with: ambit login --url https://as.example<"), "{}", answer.text);

    let users: Vec<User> = noun::list(&*fixture.store, &Filter::default(), Reach::Platform).await.expect("users");
    let roles: Vec<Administrator> =
        noun::list(&*fixture.store, &Filter::default(), Reach::Platform).await.expect("roles");
    assert_eq!((users.len(), users[0].tenant_id, users[0].email.as_str()), (1, None, ROOT_EMAIL));
    assert_eq!((roles[0].holder, roles[0].role), (Holder::User(users[0].id), AdministratorRole::SuperAdmin));
    // They sign in.
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", ROOT_EMAIL)]).await;
    let answer = browser.password(&at, ROOT_EMAIL, PASSWORD).await;
    assert_eq!(answer.header(header::LOCATION), "/account/");
    // Nobody else becomes one by this link, and there is no other one.
    assert_eq!(send(&other, &path, &others, "eve@as.example", "Eve", PASSWORD).await.status, 404);
    assert_eq!(other.get(&path).await.status, 404);
    assert_eq!(link(&fixture).await, None);
}

#[tokio::test]
async fn of_those_who_send_the_form_at_once_one_becomes_the_administrator() {
    let fixture = empty().await;
    let path = link(&fixture).await.expect("a link");
    let browsers: Vec<_> = (0..4).map(|_| Browser::new(&fixture)).collect();
    let mut ready = vec![];
    for browser in &browsers {
        ready.push((browser, form_token(&browser.get(&path).await)));
    }
    let all = ready.iter().enumerate().map(async |(n, (browser, token))| {
        send(browser, &path, token, &format!("n{n}@as.example"), "Somebody", PASSWORD).await.status.as_u16()
    });
    let mut statuses = futures_util::future::join_all(all).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404, 404, 404]);
}

/// attacks.md C10 245: whoever administers everything by then, by whichever way, is the first.
#[tokio::test]
async fn an_administrator_who_came_about_while_the_form_was_on_its_way_stays_the_only_one() {
    let (fixture, store) = Faulty::fixture("").await;
    let fixture = emptied(fixture).await;
    let path = link(&fixture).await.expect("a link");
    let browser = Browser::new(&fixture);
    let token = form_token(&browser.get(&path).await);
    let sent = send(&browser, &path, &token, ROOT_EMAIL, "Root", PASSWORD);
    let sent = store.meanwhile("use_one_time_token", sent, async || automate(&fixture).await);
    assert_eq!(sent.await.status, 404);
    let users: Vec<User> = noun::list(&*fixture.store, &Filter::default(), Reach::Platform).await.expect("users");
    assert_eq!(users, []);
}

#[tokio::test]
async fn a_link_is_good_for_a_day_and_until_the_next_one() {
    let fixture = empty().await;
    let browser = Browser::new(&fixture);
    let first = link(&fixture).await.expect("a link");
    let second = link(&fixture).await.expect("a link");
    assert_ne!(first, second);
    assert_eq!(browser.get(&first).await.status, 404);
    assert_eq!(browser.get(&format!("/set-up/{}", "x".repeat(43))).await.status, 404);
    fixture.clock.advance_secs(86_399);
    assert_eq!(browser.get(&second).await.status, 200);
    fixture.clock.advance_secs(1);
    assert_eq!(browser.get(&second).await.status, 404);
}

#[tokio::test]
async fn where_an_application_administers_everything_there_is_no_link() {
    let fixture = Fixture::new().await;
    assert_eq!(link(&fixture).await, None);
    // A link of before there was one is good no more.
    let fixture = empty().await;
    let path = link(&fixture).await.expect("a link");
    let browser = Browser::new(&fixture);
    let token = form_token(&browser.get(&path).await);
    automate(&fixture).await;
    assert_eq!(browser.get(&path).await.status, 404);
    assert_eq!(send(&browser, &path, &token, ROOT_EMAIL, "Root", PASSWORD).await.status, 404);
}
