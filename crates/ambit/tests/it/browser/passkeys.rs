//! Passkeys, with a device that a browser makes believe in. It is the one thing on the pages that takes JavaScript.

use std::net::TcpListener;

use serde_json::json;

use super::chromium::{Browsers, Manner, with_browsers};
use super::shop::{ADA, EVERYTHING, Names, Shop, gives_the_password};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_added_signs_in_alone_and_is_removed() {
    with_browsers(async |browsers| adds_and_uses_one(browsers).await).await;
}

async fn adds_and_uses_one(browsers: &Browsers) {
    let shop = by_name(json!({})).await;
    let till = shop.application("till", "Till").await;
    let page = browsers.open(Manner::DESKTOP).await;
    let device = page.with_passkeys().await;

    // Signed in by password just now, they add one to their account, and get codes for the day when it is lost.
    page.open(&shop.at("/account/")).await;
    page.fill("Your organisation or e-mail address", "acme").await;
    page.press("Next").await;
    gives_the_password(&page, ADA).await;
    page.follow("Passkeys").await;
    page.sees("You have no passkey yet.").await;
    page.fill("Name", "Laptop").await;
    page.press("Add a passkey").await;
    page.sees("Keep these recovery codes").await;
    page.press("I have kept them").await;
    page.sees("Laptop").await;
    page.sees("Not used yet").await;
    // A second one asks for as much proof as there is now; and the same device makes none for the same account.
    page.press("Add a passkey").await;
    assert_eq!(page.heading().await, "Confirm that it is you");
    page.press("Use your passkey").await;
    page.sees("Laptop").await;
    page.tap("Add a passkey").await;
    page.is_told("There is a passkey for this account on this device already.").await;

    // With it alone they are who they are twice over, and the application gets as much proof as it asks for.
    page.follow("Overview").await;
    page.press("Sign out").await;
    till.sends(&page, EVERYTHING, &[("acr_values", "urn:ambit:aal2")]).await;
    device.knows_its_owner(false).await;
    page.tap("Sign in with a passkey").await;
    page.is_told("No passkey was used").await;
    device.knows_its_owner(true).await;
    page.press("Sign in with a passkey").await;
    page.press("Allow").await;
    let lent = till.redeems(&page).await;
    assert_eq!(lent.id_claims()["acr"], "urn:ambit:aal2");
    assert_eq!(lent.id_claims()["amr"], json!(["hwk", "mfa"]));
    assert_eq!(till.asks_who_it_is(&lent).await.json["email"], ADA);

    // Removed, it is good for nothing, though the device still has it.
    page.open(&shop.at("/account/passkeys")).await;
    page.press("Remove: Laptop").await;
    page.sees("You have no passkey yet.").await;
    till.sends(&page, EVERYTHING, &[("prompt", "login")]).await;
    page.press("Sign in with a passkey").await;
    page.refused(422).await;
    page.sees("This passkey cannot be used here.").await;
}

/// Where there is no JavaScript the page says so, and the password does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_javascript_a_page_says_that_passkeys_need_it() {
    with_browsers(async |browsers| {
        let shop = by_name(json!({})).await;
        let till = shop.application("till", "Till").await;
        let page = browsers.open(Manner::PHONE_WITHOUT_SCRIPTS).await;
        till.sends(&page, "openid", &[]).await;
        page.sees("Passkeys need JavaScript").await;
        assert!(!page.text().await.contains("Sign in with a passkey"));
        gives_the_password(&page, ADA).await;
        page.press("Allow").await;
        assert_eq!(till.redeems(&page).await.id_claims()["amr"], json!(["pwd"]));
    })
    .await;
}

/// A shop that is reached by a name: browsers have passkeys for no address (WebAuthn Level 3 §5.1.3).
async fn by_name(settings: serde_json::Value) -> Shop {
    // Free now. Whoever takes it before the server does makes the server say so.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://localhost:{port}"));
    Shop::open_with(Names::SHORT, settings, |setup| {
        setup.replacing_listen(&["--listen", &listen, "--public-url", &url])
    })
    .await
}
