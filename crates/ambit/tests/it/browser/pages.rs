//! Every page that a person meets, in both languages, under names that are longer than anybody thought of.

use fantoccini::Locator;
use serde_json::json;

use super::chromium::{Browsers, Manner, Page, with_browsers};
use super::judge::Judge;
use super::judge::Kind::{Form, Reference};
use super::shop::{Authenticator, EVERYTHING, Names, PASSWORD, Shop};
use crate::support::{Setup, folder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_read_and_worked_in_english() {
    with_browsers(async |browsers| walk(browsers, "en", Manner::DESKTOP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_read_and_worked_in_chinese() {
    let chinese = Manner { language: "zh-CN,zh", ..Manner::DESKTOP };
    with_browsers(async |browsers| walk(browsers, "zh", chinese).await).await;
}

async fn walk(browsers: &Browsers, language: &'static str, manner: Manner) {
    let judge = Judge::new(language);
    let page = browsers.open(manner).await;
    set_up(&page, &judge).await;
    let shop = Shop::open(LONG, json!({"mfa": "required"})).await;
    shop.is_branded("#ffd23f").await;
    sign_in_and_consent(&page, &judge, &shop).await;
    let elsewhere = browsers.open(manner).await;
    account(&page, &judge, &shop, &elsewhere).await;
    errors(&page, &judge, &shop).await;
    judge.verdict();
}

async fn set_up(page: &Page, judge: &Judge) {
    let folder = folder();
    let node = Setup::bare(folder.path()).arguments(&["--data-dir", "data"]).start().await;
    let link = node.set_up_link();
    page.open(&link).await;
    judge.look(page, "set-up", Form).await;
    send(page, &[("email", "root"), ("name", " "), ("password", "short")]).await;
    page.refused(422).await;
    judge.look(page, "set-up-wrong", Form).await;
    send(page, &[("email", LONG.person), ("name", "Root"), ("password", PASSWORD)]).await;
    judge.look(page, "set-up-done", Form).await;
    page.open(&link).await;
    page.refused(404).await;
    judge.look(page, "set-up-over", Form).await;
}

async fn sign_in_and_consent(page: &Page, judge: &Judge, shop: &Shop) {
    page.open(&shop.at("/account/")).await;
    judge.look(page, "organisation", Form).await;
    send(page, &[("organisation", "no-such-organisation")]).await;
    page.refused(422).await;
    judge.look(page, "organisation-wrong", Form).await;

    let till = shop.application("till", APPLICATION).await;
    page.open(
        &shop.at("/tenants/acme/connect/authorize?client_id=till&redirect_uri=https%3A%2F%2Felsewhere.example%2F"),
    )
    .await;
    page.refused(400).await;
    judge.look(page, "lost", Form).await;
    till.sends(page, EVERYTHING, &[]).await;
    judge.look(page, "password", Form).await;
    send(page, &[("email", LONG.person), ("password", "wrong")]).await;
    page.refused(422).await;
    judge.look(page, "password-wrong", Form).await;
    send(page, &[("password", PASSWORD)]).await;
    judge.look(page, "enrolment", Form).await;
    let app = Authenticator::told(page).await;
    send(page, &[("code", "000")]).await;
    page.refused(422).await;
    judge.look(page, "enrolment-wrong", Form).await;
    send(page, &[("code", &app.code(0))]).await;
    judge.look(page, "codes", Form).await;
    page.press_at("button").await;
    judge.look(page, "consent", Form).await;
    page.find(Locator::Css("summary")).await.click().await.expect("it opens");
    judge.look(page, "consent-open", Form).await;
    page.press_at("button[value=allow]").await;
    till.redeems(page).await;

    // Back by a form, on a phone without scripts.
    page.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    till.sends(page, EVERYTHING, &[("response_mode", "form_post")]).await;
    // What judges it is a script as well.
    page.devtools("Emulation.setScriptExecutionDisabled", json!({"value": false})).await;
    judge.look(page, "form-post", Form).await;

    till.sends(page, EVERYTHING, &[("prompt", "login")]).await;
    send(page, &[("email", LONG.person), ("password", PASSWORD)]).await;
    judge.look(page, "second-factor", Form).await;
    send(page, &[("code", &app.code(1))]).await;
    till.redeems(page).await;
}

async fn account(page: &Page, judge: &Judge, shop: &Shop, elsewhere: &Page) {
    shop.settle(json!({"mfa": "off"})).await;
    elsewhere.open(&shop.at("/account/")).await;
    send(elsewhere, &[("organisation", "acme")]).await;
    send(elsewhere, &[("email", LONG.person), ("password", PASSWORD)]).await;
    for (name, path) in [
        ("account", "/account/"),
        ("account-profile", "/account/profile"),
        ("account-security", "/account/security"),
        ("account-sessions", "/account/sessions"),
        ("account-applications", "/account/applications"),
        ("sign-out", "/tenants/acme/connect/endsession?client_id=till"),
    ] {
        page.open(&shop.at(path)).await;
        judge.look(page, name, Form).await;
    }
    page.press_at("button").await;
    judge.look(page, "signed-out", Form).await;
    page.open(&shop.at("/sign-in/over")).await;
    page.refused(404).await;
    judge.look(page, "sign-in-over", Form).await;
}

async fn errors(page: &Page, judge: &Judge, shop: &Shop) {
    for (name, path) in [("errors", "/errors/"), ("error", "/errors/api/ambit-admin-scope-required")] {
        page.open(&shop.at(path)).await;
        judge.look(page, name, Reference).await;
    }
}

/// Fills a form in by the names of its fields, and sends it.
async fn send(page: &Page, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        let field = page.find(Locator::Css(&format!("[name={name}]"))).await;
        field.clear().await.expect("it is emptied");
        field.send_keys(value).await.expect("it is filled in");
    }
    page.press_at("form button").await;
}

const LONG: Names = Names {
    tenant: "Norddeutsche Handels- und Versandgesellschaft Schleswig-Holstein mbH & Co. Kommanditgesellschaft",
    api: "Kundenbestellungsverwaltungsschnittstelle",
    person: "maximiliane-henriette.von-hohenstein-falkenberg@verwaltung.acme.example",
};
const APPLICATION: &str = "Kassensystem für den Außendienst der Norddeutschen Handelsgesellschaft";
