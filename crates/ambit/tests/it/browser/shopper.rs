//! Somebody of a tenant: from the first sign-in, with an app for codes set up on the way, to the last sign-out.

use serde_json::json;

use super::chromium::{Browsers, Manner, with_browsers};
use super::shop::{ADA, Authenticator, EVERYTHING, Names, Shop, gives_the_password};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_lends_an_application_something_and_takes_it_back() {
    with_browsers(async |browsers| lends_and_takes_back(browsers, Manner::DESKTOP).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_lends_and_takes_back_without_javascript() {
    with_browsers(async |browsers| lends_and_takes_back(browsers, Manner::PHONE_WITHOUT_SCRIPTS).await).await;
}

/// attacks.md C10 241: the second click of two must not fall on what came up beneath it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_double_clicks_on_the_page_before_does_not_consent_by_it() {
    with_browsers(async |browsers| {
        let shop = Shop::open(Names::SHORT, json!({})).await;
        let till = shop.application("till", "Till").await;
        let page = browsers.open(Manner::DESKTOP).await;
        till.sends(&page, EVERYTHING, &[("login_hint", ADA)]).await;
        gives_the_password(&page, ADA).await;
        assert_eq!(page.heading().await, "Till asks for access");
        let taken = page.evaluate(CLICKS, vec![]).await;
        assert_eq!(taken, json!([[false, false, true], [false, false, true]]), "allowed, declined");
    })
    .await;
}

/// Lets each button of the page appear again: whether it takes clicks at once, after half a second, and after a second.
const CLICKS: &str = "
    return ['allow', 'deny'].map(answer => {
        const button = document.querySelector(`button[value=${answer}]`);
        button.style.animation = 'none';
        button.getBoundingClientRect();
        button.style.animation = '';
        const [appears] = button.getAnimations();
        return [0, 500, 1000].map(moment => {
            if (appears) { appears.pause(); appears.currentTime = moment; }
            return getComputedStyle(button).pointerEvents !== 'none';
        });
    });
";

async fn lends_and_takes_back(browsers: &Browsers, manner: Manner) {
    let shop = Shop::open(Names::SHORT, json!({"mfa": "required"})).await;
    let till = shop.application("till", "Till").await;
    let page = browsers.open(manner).await;

    // The tenant asks for a second factor, and they have none yet.
    till.sends(&page, EVERYTHING, &[("login_hint", ADA)]).await;
    page.sees("Acme").await;
    page.fill("Password", "not the password").await;
    page.press("Sign in").await;
    page.refused(422).await;
    assert_eq!(page.described("Password").await, "The e-mail address or the password is not right.");
    gives_the_password(&page, ADA).await;
    assert_eq!(page.heading().await, "Set up an authenticator app");
    let app = Authenticator::told(&page).await;
    page.fill("Code from the app", &app.code(0)).await;
    page.press("Next").await;
    let codes = page.texts(".codes li").await;
    page.press("I have kept them").await;

    // They decline to have their account closed for them, and to be known by their profile.
    assert_eq!(page.heading().await, "Till asks for access");
    assert!(page.is_ticked("Look around in the shop").await && !page.is_ticked("Close your account").await);
    let profile = page.labelled("Your profile").await;
    assert!(profile.is_selected().await.expect("an answer"));
    page.toggle("Your profile").await;
    page.press("Allow").await;
    let lent = till.redeems(&page).await;
    assert_eq!(page.title().await, if manner.is_scripted { "scripted" } else { "plain" });
    let mut scopes = lent.scopes();
    scopes.sort_unstable();
    assert_eq!(scopes, ["email", "offline_access", "openid", "shop"]);
    assert_eq!(lent.id_claims()["amr"], json!(["pwd", "otp", "mfa"]));
    let known = till.asks_who_it_is(&lent).await.json;
    assert_eq!((&known["email"], &known["name"]), (&json!(ADA), &json!(null)));

    // It renews what it has, once by each refresh token.
    let renewed = till.renews(&lent).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    assert_ne!(renewed.json["refresh_token"], lent.0["refresh_token"]);

    // At a loopback address somebody else may listen (RFC 8252 §8.6): what was said before is filled in and said again, and nothing
    // is lent where nobody may be asked.
    till.sends(&page, EVERYTHING, &[("prompt", "none")]).await;
    assert_eq!(till.arrival(&page).await["error"], "consent_required");
    till.sends(&page, EVERYTHING, &[]).await;
    assert_eq!(page.heading().await, "Till asks for access");
    assert!(page.is_ticked("Look around in the shop").await && !page.is_ticked("Close your account").await);
    assert!(!page.is_ticked("Your profile").await);
    page.press("Allow").await;
    let lent = till.redeems(&page).await;
    let mut scopes = lent.scopes();
    scopes.sort_unstable();
    assert_eq!(scopes, ["email", "offline_access", "openid", "shop"]);

    // Signed out by the application, and in again by password and app.
    till.signs_out(&page, &lent).await;
    till.sends(&page, EVERYTHING, &[("prompt", "none")]).await;
    assert_eq!(till.arrival(&page).await["error"], "login_required");
    till.sends(&page, EVERYTHING, &[]).await;
    gives_the_password(&page, ADA).await;
    assert_eq!(page.heading().await, "Confirm that it is you");
    page.fill("Code", "123 456").await;
    page.press("Sign in").await;
    page.refused(422).await;
    assert!(page.described("Code").await.starts_with("This code is not right"));
    page.fill("Code", &app.code(1)).await;
    page.press("Sign in").await;
    let lent = till.redeems(&page).await;

    // The tenant asks for less from now on. In another browser the password is enough, until the application asks for more: then
    // a recovery code is as good as the app.
    shop.settle(json!({"mfa": "off"})).await;
    let other = browsers.open(manner).await;
    till.sends(&other, EVERYTHING, &[]).await;
    gives_the_password(&other, ADA).await;
    assert_eq!(till.redeems(&other).await.id_claims()["acr"], "urn:ambit:aal1");
    till.sends(&other, EVERYTHING, &[("acr_values", "urn:ambit:aal2")]).await;
    assert_eq!(other.heading().await, "Confirm that it is you");
    other.fill("Code", &codes[0]).await;
    other.press("Sign in").await;
    let stepped_up = till.redeems(&other).await;
    assert_eq!(stepped_up.id_claims()["acr"], "urn:ambit:aal2");

    // Their own pages: both browsers, and the application with what it holds.
    page.open(&shop.at("/account/")).await;
    page.sees("Ada Lovelace").await;
    page.follow("Sessions").await;
    assert_eq!(page.texts(".things > li").await.len(), 2);
    page.sees("This browser").await;
    page.follow("Applications").await;
    page.sees("Look around in the shop").await;
    assert!(!page.text().await.contains("Close your account"));
    page.press("Take back: Till").await;
    page.sees("No application may do anything for you.").await;
    for lent in [&lent, &stepped_up] {
        assert_eq!(till.renews(lent).await.json["error"], "invalid_grant");
        assert_eq!(till.asks_who_it_is(lent).await.status, 401);
    }

    // Asked again, they refuse.
    till.sends(&page, EVERYTHING, &[]).await;
    assert_eq!(page.heading().await, "Till asks for access");
    page.press("Do not allow").await;
    assert_eq!(till.arrival(&page).await["error"], "access_denied");

    // They end the other browser's session, and then this one; going back shows nothing of theirs.
    page.open(&shop.at("/account/sessions")).await;
    page.press("End all others").await;
    assert_eq!(page.texts(".things > li").await.len(), 1);
    other.open(&shop.at("/account/")).await;
    other.sees("Your organisation or e-mail address").await;
    page.press("Sign out").await;
    assert_eq!(page.heading().await, "You are signed out");
    page.back().await;
    assert!(!page.text().await.contains("Sessions"), "{}", page.text().await);
    page.open(&shop.at("/account/sessions")).await;
    page.sees("Your organisation or e-mail address").await;
}

/// The answer as a form: it goes by itself where scripts run, and at a press where they do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_by_form_post_arrives_with_scripts_and_without() {
    with_browsers(async |browsers| {
        let shop = Shop::open(Names::SHORT, json!({})).await;
        let till = shop.application("till", "Till").await;
        for manner in [Manner::DESKTOP, Manner::PHONE_WITHOUT_SCRIPTS] {
            let page = browsers.open(manner).await;
            till.sends(&page, "openid shop", &[("response_mode", "form_post"), ("prompt", "consent")]).await;
            gives_the_password(&page, ADA).await;
            page.press("Allow").await;
            if !manner.is_scripted {
                page.press("Continue").await;
            }
            assert_eq!(till.redeems(&page).await.scopes(), ["openid", "shop"]);
            assert_eq!(page.heading().await, "You are back");
        }
    })
    .await;
}
