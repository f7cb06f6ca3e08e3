//! Somebody's own pages: what they are called, and by what they prove who they are.

use serde_json::json;

use super::chromium::{Browsers, Manner, Page, with_browsers};
use super::shop::{ADA, Authenticator, Names, Shop, gives_the_password};

const NEW_PASSWORD: &str = "another horse battery staple";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_changes_their_name_their_password_and_their_app() {
    with_browsers(async |browsers| changes_everything(browsers, Manner::DESKTOP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_needs_no_javascript() {
    with_browsers(async |browsers| changes_everything(browsers, Manner::PHONE_WITHOUT_SCRIPTS).await).await;
}

async fn changes_everything(browsers: &Browsers, manner: Manner) {
    let shop = Shop::open(Names::SHORT, json!({})).await;
    let (page, other) = (browsers.open(manner).await, browsers.open(manner).await);
    for page in [&page, &other] {
        at_the_password(page, &shop).await;
        gives_the_password(page, ADA).await;
    }

    page.follow("Profile").await;
    page.fill("What others call you", "Countess of Lovelace").await;
    page.press("Save").await;
    page.follow("Overview").await;
    page.sees("Countess of Lovelace").await;

    // A new password takes the old one, and ends the session in the other browser.
    page.follow("Security").await;
    page.fill("Current password", "not the password").await;
    page.fill("New password", NEW_PASSWORD).await;
    page.press("Change password").await;
    page.refused(422).await;
    assert_eq!(page.described("Current password").await, "The current password is not right.");
    page.fill("Current password", super::shop::PASSWORD).await;
    page.fill("New password", NEW_PASSWORD).await;
    page.press("Change password").await;
    other.open(&shop.at("/account/")).await;
    other.sees("Your organisation or e-mail address").await;

    // An app for codes, and the next sign-in asks for it.
    page.follow("Security").await;
    page.press("Set up an authenticator app").await;
    let app = Authenticator::told(&page).await;
    page.fill("Code from the app", &app.code(0)).await;
    page.press("Next").await;
    assert_eq!(page.texts(".codes li").await.len(), 10);
    page.press("I have kept them").await;
    page.sees("Set up another app").await;
    page.follow("Overview").await;
    page.press("Sign out").await;
    at_the_password(&page, &shop).await;
    page.fill("E-mail address", ADA).await;
    page.fill("Password", NEW_PASSWORD).await;
    page.press("Sign in").await;
    page.fill("Code", &app.code(1)).await;
    page.press("Sign in").await;

    // New recovery codes, and away with the app.
    page.follow("Security").await;
    page.press("Make new codes").await;
    assert_eq!(page.texts(".codes li").await.len(), 10);
    page.press("I have kept them").await;
    page.press_at("button.bad").await;
    page.sees("No authenticator app is set up.").await;
}

async fn at_the_password(page: &Page, shop: &Shop) {
    page.open(&shop.at("/account/")).await;
    page.fill("Your organisation or e-mail address", "acme").await;
    page.press("Next").await;
}
