//! What comes by e-mail: an invitation, and a new password for the one that was forgotten.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::json;

use super::chromium::{Browsers, Manner, Page, with_browsers};
use super::shop::{ADA, Authenticator, EVERYTHING, Names, Shop, gives_the_password};
use crate::support::eventually;

const KARI: &str = "kari@acme.example";
const NEW_PASSWORD: &str = "another horse battery staple";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_leads_to_a_first_sign_in() {
    with_browsers(async |browsers| is_invited(browsers, Manner::DESKTOP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_needs_no_javascript() {
    with_browsers(async |browsers| is_invited(browsers, Manner::PHONE_WITHOUT_SCRIPTS).await).await;
}

async fn is_invited(browsers: &Browsers, manner: Manner) {
    let shop = with_letters(json!({"mfa": "required"})).await;
    let body = json!({"tenant_id": shop.tenant["id"], "email": KARI, "display_name": "Kari", "status": "invited"});
    let kari = shop.node.made(Method::POST, "/users", &body).await;
    let path = format!("/users/{}/invitation", kari["id"].as_str().expect("an id"));
    shop.node.made(Method::POST, &path, &json!({})).await;

    let page = browsers.open(manner).await;
    let link = link_in_the_letter(&shop, KARI).await;
    page.open(&link).await;
    assert_eq!(page.heading().await, "Welcome");
    page.fill("New password", "short").await;
    page.press("Next").await;
    page.refused(422).await;
    assert!(page.described("New password").await.starts_with("The password is too short."));
    page.fill("New password", NEW_PASSWORD).await;
    page.press("Next").await;

    // The tenant asks for two factors, so the second is set up before they are in.
    assert_eq!(page.heading().await, "Set up an authenticator app");
    let app = Authenticator::told(&page).await;
    page.fill("Code from the app", &app.code(0)).await;
    page.press("Next").await;
    page.press("I have kept them").await;
    page.sees("Kari").await;
    assert!(!page.text().await.contains("not verified"));
    page.open(&link).await;
    page.refused(404).await;
    assert_eq!(page.heading().await, "This link is of no use any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_what_the_old_one_began() {
    with_browsers(async |browsers| forgets(browsers, Manner::DESKTOP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_needs_no_javascript() {
    with_browsers(async |browsers| forgets(browsers, Manner::PHONE_WITHOUT_SCRIPTS).await).await;
}

async fn forgets(browsers: &Browsers, manner: Manner) {
    let shop = with_letters(json!({})).await;
    let till = shop.application("till", "Till").await;
    let before = browsers.open(manner).await;
    till.sends(&before, EVERYTHING, &[]).await;
    gives_the_password(&before, ADA).await;
    before.press("Allow").await;
    let lent = till.redeems(&before).await;

    let page = browsers.open(manner).await;
    till.sends(&page, EVERYTHING, &[("login_hint", ADA)]).await;
    page.follow("I do not know my password").await;
    page.fill("E-mail address", ADA).await;
    page.press("Next").await;
    assert_eq!(page.heading().await, "Look into your mailbox");
    let link = link_in_the_letter(&shop, ADA).await;
    page.open(&link).await;
    page.fill("New password", NEW_PASSWORD).await;
    page.press("Next").await;
    assert_eq!(page.heading().await, "Your password is set");

    // Whoever was signed in is not any more, and what they lent is gone; the new password signs in.
    before.open(&shop.at("/account/")).await;
    before.sees("Your organisation or e-mail address").await;
    assert_eq!(till.renews(&lent).await.json["error"], "invalid_grant");
    till.sends(&page, EVERYTHING, &[]).await;
    gives_the_password(&page, ADA).await;
    page.refused(422).await;
    signs_in_anew(&page).await;
    till.redeems(&page).await;
}

async fn signs_in_anew(page: &Page) {
    page.fill("Password", NEW_PASSWORD).await;
    page.press("Sign in").await;
}

/// A shop whose server puts letters into files.
async fn with_letters(settings: serde_json::Value) -> Shop {
    Shop::open_with(Names::SHORT, settings, |setup| setup.variable("AMBIT_MAIL_TRANSPORT", "file")).await
}

/// The link in the one letter to somebody.
async fn link_in_the_letter(shop: &Shop, to: &str) -> String {
    let folder = shop.folder.path().join("data/mail");
    let letters = || {
        let files = std::fs::read_dir(&folder).into_iter().flatten();
        let read = files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a letter"));
        read.filter(|letter| letter.contains(&format!("To: {to}"))).collect::<Vec<_>>()
    };
    // It is written behind the answer.
    eventually(Duration::from_secs(10), async || letters().len() == 1).await;
    let letter = letters().remove(0);
    let (_, plain) = letter.split_once("text/plain").expect("a part of plain text");
    let (head, rest) = plain.split_once("\r\n\r\n").expect("its end of headers");
    let body = rest.split("\r\n--").next().expect("its end");
    let text = if head.contains("base64") {
        let octets = BASE64_STANDARD.decode(body.replace("\r\n", "")).expect("base64");
        String::from_utf8(octets).expect("UTF-8")
    } else {
        // RFC 2045 §6.7: soft line breaks, and the equals sign itself.
        body.replace("=\r\n", "").replace("=3D", "=")
    };
    let link = text.split_whitespace().find(|word| word.contains("://"));
    link.unwrap_or_else(|| panic!("no link: {text}")).to_owned()
}
