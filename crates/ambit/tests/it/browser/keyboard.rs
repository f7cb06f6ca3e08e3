//! Somebody without a mouse.

use serde_json::json;

use super::chromium::{Browsers, Manner, Page, with_browsers};
use super::shop::{ADA, Names, PASSWORD, Shop};

const TAB: char = '\u{e004}';
const SPACE: char = ' ';

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyboard_is_enough_to_sign_in_and_to_consent() {
    with_browsers(async |browsers| signs_in_by_keyboard(browsers).await).await;
}

async fn signs_in_by_keyboard(browsers: &Browsers) {
    let shop = Shop::open(Names::SHORT, json!({})).await;
    let till = shop.application("till", "Till").await;
    let page = browsers.open(Manner::DESKTOP).await;

    // The first field has the cursor, Enter sends the form, and a wrong form comes back with the cursor in what to put right.
    till.sends(&page, "openid email shop shop:close", &[]).await;
    assert_eq!(here(&page).await, "email");
    page.type_in(ADA).await;
    page.key(TAB).await;
    assert_eq!(here(&page).await, "password");
    page.type_in("wrong").await;
    page.enter().await;
    page.refused(422).await;
    assert_eq!(here(&page).await, "password");
    page.type_in(PASSWORD).await;
    page.enter().await;

    // From the top of the page to each choice and to both buttons, in the order in which they are read.
    assert_eq!(page.heading().await, "Till asks for access");
    let mut passed = vec![];
    loop {
        page.key(TAB).await;
        let name = here(&page).await;
        if name == "shop:close" {
            page.key(SPACE).await;
        }
        passed.push(name);
        if passed.last().is_some_and(|name| name == "allow") {
            break;
        }
        assert!(passed.len() < 20, "no way to 'Allow': {passed:?}");
    }
    assert_eq!(passed, ["shop:close", "shop", "summary", "email", "allow"]);
    // Whoever is as quick as a second click on the page before is not heard; this one is.
    page.moment().await;
    page.enter().await;
    assert_eq!(till.redeems(&page).await.scopes(), ["openid", "email", "shop", "shop:close"]);
}

/// The name of what has the cursor, which shows that it has it.
async fn here(page: &Page) -> String {
    let focused = page.focused().await;
    let outline = focused.css_value("outline-style").await.expect("a style");
    let width = focused.css_value("outline-width").await.expect("a width");
    let name = match focused.attr("value").await.expect("an answer") {
        Some(value) if focused.attr("name").await.expect("an answer").as_deref() != Some("email") => value,
        _ => focused.attr("id").await.expect("an answer").unwrap_or(focused.tag_name().await.expect("a tag")),
    };
    assert!(outline == "solid" && width == "3px", "{name} does not show that it has the cursor: {outline} {width}");
    name
}
