//! The proof of an address, by a link in a letter.

use axum::http::Method;
use serde_json::json;

use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;

/// attacks.md C10 245. Both have seen that the link is good before one uses it up.
#[tokio::test]
async fn of_those_who_confirm_an_address_at_once_one_is_told_that_it_is() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let bob = fixture.person(Some(&tenant), "bob@shop.example").await;
    fixture.made(Method::PATCH, &format!("/users/{}", bob.id), &json!({"email": "bob@new.example"})).await;
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "shop")]).await;
    browser.password(&at, "bob@new.example", PASSWORD).await;
    let account = browser.get("/account/").await;
    browser.post("/account/confirm-address", &[("form", &form_token(&account))]).await;
    let link = fixture.letter().await.path();
    let token = form_token(&browser.get(&link).await);
    let fields = [("form", token.as_str())];
    let both = async { tokio::join!(browser.post(&link, &fields), browser.post(&link, &fields)) };
    let (one, other) = store.both_before_one("use_one_time_token", both).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert!(fixture.user_now(&bob).await.email_verified);
}
