//! Codes that are redeemed while all that came of their sessions is being ended.

use axum::http::{Method, header};
use serde_json::{Value, json};

use super::letters::{ask, at_password, fill};
use super::shop::Shop;
use super::visitor::Visitor;
use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::Answer;

const NEW_PASSWORD: &str = "another horse battery staple";
const OFFLINE: &str = "openid offline_access shop:list";
/// Whichever is called second, something may come of a code between the two.
const ENDS: [&str; 2] = ["end_sessions", "end_grants"];

/// Ada has lent something in one session, for when she is not there, and a code of that session is on its way.
async fn on_its_way() -> (Shop, Faulty, Value, Answer) {
    let (fixture, store) = Faulty::fixture("").await;
    let shop = Shop::on(fixture).await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut there, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut there, OFFLINE, &[]).await;
    let lent = shop.redeemed(&asked.allow(&mut there, &["offline_access", "shop:list"]).await).await;
    let code = shop.asks(&mut there, OFFLINE, &[]).await.answer;
    (shop, store, lent, code)
}

impl Shop {
    /// Nothing is left of what was lent before, nor of the code, in whichever moment it was redeemed.
    async fn has_nothing_left_of(&self, lent: &Value, redeemed: &Answer) {
        assert_eq!(self.renew(lent).await.json["error"], "invalid_grant");
        if redeemed.json["refresh_token"].is_string() {
            let renewed = self.renew(&redeemed.json).await;
            assert_eq!(renewed.json["error"], "invalid_grant", "{}", renewed.text);
            let told = self.fixture.userinfo("/tenants/acme/connect/userinfo", &redeemed.access_token()).await;
            assert_eq!(told.status, 401, "{}", told.text);
        } else {
            assert_eq!(redeemed.json["error"], "invalid_grant", "{}", redeemed.text);
        }
        assert!(self.fixture.store.sign_ins().grants_of(self.ada.id).await.expect("an answer").is_empty());
    }
}

/// attacks.md C4 85: by the link of a letter.
#[tokio::test]
async fn of_a_code_redeemed_while_a_new_password_is_set_nothing_is_left() {
    for verb in ENDS {
        let (shop, store, lent, code) = on_its_way().await;
        let browser = Browser::new(&shop.fixture);
        let at = at_password(&browser, "acme").await;
        ask(&browser, &at, "forgotten", "ada@acme.example").await;
        let path = shop.fixture.letter().await.path();
        let mut redeemed = None;
        let set = store.meanwhile(verb, fill(&browser, &path, &[("password", NEW_PASSWORD)]), async || {
            redeemed = Some(shop.redeem(&code).await);
        });
        assert_eq!(set.await.status, 200);
        shop.has_nothing_left_of(&lent, &redeemed.expect("an answer")).await;
    }
}

/// The same on one's own page, whose session goes on.
#[tokio::test]
async fn of_a_code_redeemed_while_the_password_is_changed_nothing_is_left() {
    for verb in ENDS {
        let (shop, store, lent, code) = on_its_way().await;
        let (mut here, _) = Visitor::of(&shop.fixture, &shop.ada).await;
        let token = form_token(&here.get("/account/security").await);
        let fields = [("form", token.as_str()), ("password", PASSWORD), ("new_password", NEW_PASSWORD)];
        let mut redeemed = None;
        let changed = store.meanwhile(verb, here.post("/account/security/password", &fields), async || {
            redeemed = Some(shop.redeem(&code).await);
        });
        assert_eq!(changed.await.header(header::LOCATION), "/account/security");
        shop.has_nothing_left_of(&lent, &redeemed.expect("an answer")).await;
        assert_eq!(here.get("/account/").await.status, 200);
    }
}

/// And by an administrator.
#[tokio::test]
async fn of_a_code_redeemed_while_its_person_is_signed_out_nothing_is_left() {
    for verb in ENDS {
        let (shop, store, lent, code) = on_its_way().await;
        let path = format!("/users/{}", shop.ada.id);
        let body = json!({ "email": "ada@new.example" });
        let mut redeemed = None;
        let signed_out = store.meanwhile(verb, shop.fixture.made(Method::PATCH, &path, &body), async || {
            redeemed = Some(shop.redeem(&code).await);
        });
        assert_eq!(signed_out.await["email"], "ada@new.example");
        shop.has_nothing_left_of(&lent, &redeemed.expect("an answer")).await;
    }
}

/// And while a consent is taken back: before it is gone, between it and what came of it, and with the code already looked at.
#[tokio::test]
async fn of_a_code_redeemed_while_its_consent_is_taken_back_nothing_is_left() {
    for verb in ["withdraw_consent", "end_grants", "redeem_code"] {
        let (shop, store, lent, code) = on_its_way().await;
        let (mut here, _) = Visitor::of(&shop.fixture, &shop.ada).await;
        let token = form_token(&here.get("/account/applications").await);
        let path = format!("/account/applications/{}/withdraw", shop.application_id());
        let mut withdraw = async || {
            let answer = here.post(&path, &[("form", &token)]).await;
            assert_eq!(answer.header(header::LOCATION), "/account/applications", "{}", answer.text);
        };
        let redeemed = if verb == "redeem_code" {
            store.meanwhile(verb, shop.redeem(&code), withdraw).await
        } else {
            let mut redeemed = None;
            store.meanwhile(verb, withdraw(), async || redeemed = Some(shop.redeem(&code).await)).await;
            redeemed.expect("an answer")
        };
        shop.has_nothing_left_of(&lent, &redeemed).await;
    }
}
