//! `/consent/{id}`: who is asked what, and that an answer is the person's own and to what they were asked.

use ambit_core::store::noun;
use ambit_protocol::admin::user::{User, UserStatus};
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::shop::{Asked, CALLBACK, Shop, boxes, parameter};
use super::visitor::{BROWSER, SESSION, Visitor, user};
use crate::people::{PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::{BASE, Fixture};
use crate::world::merged;

#[tokio::test]
async fn what_a_person_ticks_is_lent_and_the_next_time_they_are_not_asked() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop shop:close", &[]).await;
    // The most dangerous first, and nobody agrees to it by not looking.
    let shown = [("shop:close", false), ("shop", true), ("openid", true)];
    assert_eq!(boxes(asked.page()), shown.map(|(name, ticked)| (name.to_owned(), ticked)));
    let back = asked.allow(&mut browser, &["shop"]).await;
    assert_eq!(parameter(&back, "state").as_deref(), Some("s"));
    // What was asked for and is not in the token is named with it.
    let left_out = json!([{
        "scope": "shop:close", "reason": "not_consented", "hint": "the user did not consent to this scope",
    }, {
        "scope": "shop:receipts", "reason": "feature_off_for_tenant",
        "hint": "feature 'digital-receipts' is off for this tenant; a platform administrator can turn it on",
    }]);
    let tokens = shop.redeemed(&back).await;
    assert_eq!((&tokens["scope"], &tokens["dropped_scopes"]), (&json!("openid shop"), &left_out));
    assert_eq!(shop.consented().await.as_deref(), Some("openid shop"));

    let again = shop.asks(&mut browser, "openid shop shop:close", &[]).await;
    let tokens = shop.redeemed(&again.answer).await;
    assert_eq!((&tokens["scope"], &tokens["dropped_scopes"]), (&json!("openid shop"), &left_out));
    let less = shop.asks(&mut browser, "openid", &[]).await;
    assert_eq!(shop.redeemed(&less.answer).await["dropped_scopes"], Value::Null);
}

#[tokio::test]
async fn what_was_unticked_is_not_lent_without_asking() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    asked.allow(&mut browser, &[]).await;
    let silent = shop.asks(&mut browser, "openid shop", &[("prompt", "none")]).await;
    assert_eq!(shop.redeemed(&silent.answer).await["scope"], "openid");
    // Asked for once more, they may think better of it; what they left out stands un-ticked.
    shop.fixture.clock.advance_secs(1);
    let asked = shop.asks(&mut browser, "openid shop", &[("prompt", "consent")]).await;
    assert_eq!(boxes(asked.page()), [("openid".to_owned(), true), ("shop".to_owned(), false)]);
    let back = asked.allow(&mut browser, &["shop"]).await;
    assert_eq!(shop.redeemed(&back).await["scope"], "openid shop");
}

#[tokio::test]
async fn whoever_closes_the_page_has_agreed_to_nothing_more() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    shop.asks(&mut browser, "openid shop", &[]).await.allow(&mut browser, &["shop"]).await;
    shop.asks(&mut browser, "openid shop shop:close", &[]).await.page();
    assert_eq!(shop.consented().await.as_deref(), Some("openid shop"));
    let silent = shop.asks(&mut browser, "openid shop shop:close", &[("prompt", "none")]).await;
    assert_eq!(parameter(&silent.answer, "error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn a_scope_that_was_not_shown_is_not_granted_whoever_sends_it() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop:managers shop", &[]).await;
    // A role that Ada does not have, a gate that is closed: neither is a choice.
    assert_eq!(boxes(asked.page()), [("openid".to_owned(), true), ("shop".to_owned(), true)]);
    assert!(!asked.page().text.contains("Title of shop:receipts"));
    let sent = ["shop", "shop:close", "shop:managers", "shop:receipts", "admin:write", "offline_access", "no such", ""];
    let back = asked.allow(&mut browser, &sent).await;
    assert_eq!(shop.redeemed(&back).await["scope"], "openid shop");
    assert_eq!(shop.consented().await.as_deref(), Some("openid shop"));
    // Once the gate opens, they are asked about what is behind it.
    shop.receipts(true).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    assert!(asked.page().text.contains("Title of shop:receipts"));
    let back = asked.allow(&mut browser, &["shop"]).await;
    assert_eq!(shop.redeemed(&back).await["scope"], "openid shop shop:receipts");
}

#[tokio::test]
async fn another_browser_cannot_see_or_answer_the_question() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let token = form_token(asked.page());
    let fields = [("form", token.as_str()), ("answer", "allow"), ("scope", "shop")];

    let mallory = user(&shop.fixture, Some(&shop.tenant), "mallory@acme.example", json!({})).await;
    let (hers, _) = Visitor::of(&shop.fixture, &mallory).await;
    let session = hers.cookies[SESSION].clone();
    for mut other in [Visitor::new(&shop.fixture), hers] {
        assert_eq!(other.get(&asked.path).await.status, StatusCode::FORBIDDEN);
        assert_eq!(other.post(&asked.path, &fields).await.status, StatusCode::FORBIDDEN);
    }
    // The same person in two browsers is two browsers; and the right browser with nobody in it signs in first.
    let (mut second, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    assert_eq!(second.post(&asked.path, &fields).await.status, StatusCode::FORBIDDEN);
    let mut signed_out = Visitor::new(&shop.fixture);
    signed_out.cookies.insert(BROWSER.to_owned(), browser.cookies[BROWSER].clone());
    let answer = signed_out.post(&asked.path, &fields).await;
    let sign_in = asked.path.replace("/consent/", "/sign-in/");
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, sign_in.as_str()));
    assert_eq!(shop.consented().await, None);
    assert_eq!(browser.get("/consent/no-such-name").await.status, StatusCode::NOT_FOUND);

    // Nor is it hers where she has signed in since, in the same browser.
    let mut switched = Visitor::new(&shop.fixture);
    switched.cookies.clone_from(&browser.cookies);
    switched.cookies.insert(SESSION.to_owned(), session);
    let denied = [("form", token.as_str()), ("answer", "deny")];
    for answer in [switched.post(&asked.path, &fields).await, switched.post(&asked.path, &denied).await] {
        assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, sign_in.as_str()));
    }
    assert_eq!(switched.get(&asked.path).await.header(header::LOCATION), sign_in);
    let kept = shop.fixture.store.sign_ins().consents_of(mallory.id).await.expect("an answer");
    assert!(shop.consented().await.is_none() && kept.is_empty());

    let back = asked.allow(&mut browser, &["shop"]).await;
    assert_eq!(shop.redeemed(&back).await["scope"], "openid shop");
    // And what Ada allowed is not lent by her.
    let asked = shop.asks(&mut browser, "openid shop shop:close", &[]).await;
    let token = form_token(asked.page());
    let fields = [("form", token.as_str()), ("answer", "allow"), ("scope", "shop"), ("scope", "shop:close")];
    let on = browser.post(&asked.path, &fields).await;
    let answer = switched.get(on.header(header::LOCATION)).await;
    assert_eq!(answer.header(header::LOCATION), on.header(header::LOCATION).trim_end_matches("/continue"));
}

/// attacks.md C10 237.
#[tokio::test]
async fn a_form_that_is_not_from_the_page_is_refused() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let other = shop.asks(&mut browser, "openid shop", &[]).await;
    let (token, others) = (form_token(asked.page()), form_token(other.page()));
    assert_ne!(token, others);
    let fields = |token: &str| vec![("form".to_owned(), token.to_owned()), ("answer".to_owned(), "allow".to_owned())];
    for (headers, token) in [
        (vec![("sec-fetch-site", "cross-site")], token.as_str()),
        (vec![("sec-fetch-site", "same-site")], token.as_str()),
        (vec![("origin", "https://evil.example")], token.as_str()),
        (vec![("origin", "null")], token.as_str()),
        (vec![("origin", BASE)], ""),
        (vec![("origin", BASE)], others.as_str()),
    ] {
        let fields = fields(token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = browser.post_with(&asked.path, &headers, &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?} {}", answer.text);
    }
    let body = format!("form={token}&answer=allow");
    let answer = browser.send(Method::POST, &asked.path, &[("content-type", "text/plain")], &body).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(browser.get(&format!("{}?{body}", asked.path)).await.status, StatusCode::OK);
    let twice = [("form", token.as_str()), ("answer", "deny"), ("answer", "allow")];
    assert_eq!(browser.post(&asked.path, &twice).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(shop.consented().await, None);
}

#[tokio::test]
async fn a_form_sent_twice_is_one_answer_and_one_code() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let token = form_token(asked.page());
    let fields = [("form", token.as_str()), ("answer", "allow"), ("scope", "shop")];
    let first = browser.post(&asked.path, &fields).await;
    let second = browser.post(&asked.path, &fields).await;
    assert_eq!(first.header(header::LOCATION), second.header(header::LOCATION));
    let back = browser.follow(second).await;
    assert_eq!(shop.redeemed(&back).await["scope"], "openid shop");
    let late = browser.get(first.header(header::LOCATION)).await;
    assert_eq!(parameter(&late, "code"), None);
    assert_eq!(browser.post(&asked.path, &fields).await.status, StatusCode::NOT_FOUND);
}

/// Two forms, two tabs, or the button back: what waited is answered once, whoever comes first, on whichever node.
#[tokio::test]
async fn of_many_who_go_on_at_once_one_takes_a_code_back() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let fields = [("form", &*form_token(asked.page())), ("answer", "allow"), ("scope", "shop")];
    let on = browser.post(&asked.path, &fields).await.header(header::LOCATION).to_owned();
    let other = shop.fixture.another_node().await;
    let going = (0..20).map(|place| {
        let mut tab = Visitor::new(if place % 2 == 0 { &shop.fixture } else { &other });
        tab.cookies = browser.cookies.clone();
        let on = &on;
        async move { parameter(&tab.get(on).await, "code") }
    });
    let codes = futures_util::future::join_all(going).await;
    assert_eq!(codes.into_iter().flatten().count(), 1);
}

#[tokio::test]
async fn whoever_takes_so_long_that_their_proof_is_too_old_shows_once_more_who_they_are() {
    let shop = Shop::new().await;
    shop.fixture.with_password(&shop.ada).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    shop.fixture.clock.advance_secs(50);
    let asked = shop.asks(&mut browser, "openid shop", &[("max_age", "60")]).await;
    shop.fixture.clock.advance_secs(11);
    let page = asked.allow(&mut browser, &["shop"]).await;
    assert!(page.text.contains("name=\"password\""), "{} {}", page.status, page.text);
    let (_, path) = page.text.split_once(" action=\"/sign-in/").expect("a form");
    let path = format!("/sign-in/{}", path.split('"').next().expect("an end"));
    let fields = [("form", &*form_token(&page)), ("email", "ada@acme.example"), ("password", PASSWORD)];
    let answer = browser.post(&path, &fields).await;
    // What they said stands.
    let back = browser.follow(answer).await;
    assert_eq!(shop.redeemed(&back).await["scope"], "openid shop");
}

#[tokio::test]
async fn whoever_does_not_allow_it_goes_back_with_access_denied() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let token = form_token(asked.page());
    let fields = [("form", token.as_str()), ("answer", "deny"), ("scope", "shop")];
    let answer = browser.post(&asked.path, &fields).await;
    let back = browser.follow(answer).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(shop.consented().await, None);
}

#[tokio::test]
async fn a_consent_does_not_outlive_its_application() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    shop.asks(&mut browser, "openid shop", &[]).await.allow(&mut browser, &["shop"]).await;
    let path = format!("/applications/{}", shop.application_id());
    let root = shop.fixture.root().await;
    assert_eq!(shop.fixture.admin(&root, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    // Somebody else takes the client_id.
    let other = Shop::registered(&shop.fixture, &shop.tenant, "till", "Another till").await;
    assert_ne!(other["id"], shop.application["id"]);
    assert!(shop.asks(&mut browser, "openid shop", &[]).await.page().text.contains("Another till"));
}

/// attacks.md C10 239.
#[tokio::test]
async fn what_others_wrote_is_shown_as_plain_text_and_cut() {
    let shop = Shop::new().await;
    let hostile = "<script>alert(1)</script> \u{202e}desrever **bold** ";
    let long = hostile.repeat(30);
    let texts = json!({"title": {"en": long}, "description": {"en": long}});
    shop.fixture.made(Method::PATCH, "/scopes/shop:list", &texts).await;
    let name = json!({"name": "<img src=x onerror=alert(1)>\u{202e}Security Team"});
    shop.fixture.made(Method::PATCH, &format!("/applications/{}", shop.application_id()), &name).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let page = asked.page();
    for mark in ["<script>", "<img", "\u{202e}", "<strong>bold"] {
        assert!(!page.text.contains(mark), "{mark}");
    }
    assert!(page.text.contains("Security Team") && page.text.contains("&#60;script&#62;"), "{}", page.text);
    assert!(page.text.len() < 16 * 1024, "{} bytes", page.text.len());
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'; style-src 'self' 'sha256-"), "{policy}");
    let rest = "base-uri 'none'; frame-ancestors 'none'; form-action 'self' https://app.example";
    assert!(policy.ends_with(rest) && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header(header::X_FRAME_OPTIONS), "DENY");
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
}

#[tokio::test]
async fn the_page_says_who_asks_and_in_the_persons_language() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop shop:close offline_access", &[("ui_locales", "de zh-CN")]).await;
    let page = asked.page();
    for text in [
        "lang=\"zh\"",
        "shop:close 的标题",
        "特权",
        "您所在组织的应用：",
        "在您离开时保持访问",
        "app.example",
        "ada@acme.example",
    ] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    // Where a text is not in the language, it says in which one it is.
    assert!(page.text.contains("<bdi lang=\"en\">What shop does</bdi>"), "{}", page.text);
}

/// A browser of the same session, to send a second form at once.
fn beside<'f>(shop: &'f Shop, browser: &Visitor<'f>) -> Visitor<'f> {
    let mut beside = Visitor::new(&shop.fixture);
    beside.cookies.clone_from(&browser.cookies);
    beside
}

/// attacks.md C7 166: each is added to what the other left.
#[tokio::test]
async fn of_two_answers_at_once_neither_undoes_the_other() {
    let (fixture, store) = Faulty::fixture("").await;
    let shop = Shop::on(fixture).await;
    let (mut one, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let mut other = beside(&shop, &one);
    let first = shop.asks(&mut one, "openid offline_access", &[]).await;
    first.allow(&mut one, &["offline_access"]).await;
    let bundle = shop.asks(&mut one, "openid shop", &[]).await;
    let close = shop.asks(&mut other, "openid shop:close", &[]).await;
    let both = async { tokio::join!(bundle.allow(&mut one, &["shop"]), close.allow(&mut other, &["shop:close"])) };
    let (bundle, close) = store.both_before_one("keep_consent", both).await;
    assert_eq!(shop.consented().await.as_deref(), Some("openid offline_access shop shop:close"));
    assert_eq!(shop.redeemed(&bundle).await["scope"], "openid shop");
    assert_eq!(shop.redeemed(&close).await["scope"], "openid shop:close");
}

/// attacks.md C7 165: what the answer itself says is all there is then.
#[tokio::test]
async fn what_is_taken_back_while_an_answer_is_on_its_way_does_not_come_back_with_it() {
    let (fixture, store) = Faulty::fixture("").await;
    let shop = Shop::on(fixture).await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    shop.asks(&mut browser, "openid shop offline_access", &[]).await.allow(&mut browser, &["shop"]).await;
    let asked = shop.asks(&mut browser, "openid shop:close", &[]).await;
    let mut elsewhere = beside(&shop, &browser);
    let token = form_token(&elsewhere.get("/account/applications").await);
    let path = format!("/account/applications/{}/withdraw", shop.application_id());
    let answered = store.meanwhile("keep_consent", asked.allow(&mut browser, &["shop:close"]), async || {
        let answer = elsewhere.post(&path, &[("form", &token)]).await;
        assert_eq!(answer.header(header::LOCATION), "/account/applications", "{}", answer.text);
    });
    assert_eq!(shop.redeemed(&answered.await).await["scope"], "openid shop:close");
    assert_eq!(shop.consented().await.as_deref(), Some("openid shop:close"));
}

/// attacks.md C7 191.
#[tokio::test]
async fn the_page_says_whether_anybody_whom_the_person_knows_answers_for_the_application() {
    let fixture = Fixture::new().await;
    let made = async |path: &str, body: Value| fixture.made(Method::POST, path, &body).await;
    let partner =
        made("/partners", json!({"name": "North", "slug": "north", "contact_email": "ops@north.example"})).await;
    let tenant = json!({"name": "Acme", "slug": "acme", "partner_id": partner["id"]});
    let tenant = made("/tenants", tenant).await;
    let ada = user(&fixture, Some(&tenant), "ada@acme.example", json!({})).await;
    let (mut browser, _) = Visitor::of(&fixture, &ada).await;
    for (client_id, issuer, owner, who, is_third_party) in [
        ("own", "/tenants/acme", json!({"level": "tenant", "tenant_id": tenant["id"]}), "your organisation, ", false),
        ("operators", "", json!({"level": "platform"}), "the operator of this service", false),
        ("partners", "", json!({"level": "partner", "partner_id": partner["id"]}), "the partner ", true),
    ] {
        let application = json!({
            "name": "Acme Security Team", "type": "spa", "client_id": client_id, "allowed_scopes": ["openid", "profile"],
            "redirect_uris": [CALLBACK],
        });
        made("/applications", merged(application, owner)).await;
        let asked = Asked::by(&mut browser, (issuer, client_id), "openid profile", &[]).await;
        let text = &asked.page().text;
        assert!(text.contains(&format!("An application of {who}")), "{client_id}: {text}");
        assert_eq!(text.contains("Not your organisation&#39;s"), is_third_party, "{client_id}: {text}");
        assert_eq!(text.contains("North"), is_third_party, "{client_id}: {text}");
    }
}

/// The page was shown while the application might still ask; or it was answered, and the browser is on its way.
#[tokio::test]
async fn an_answer_leads_nowhere_once_the_application_is_disabled() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let other = shop.asks(&mut browser, "openid shop", &[]).await;
    let fields = |token| [("form", token), ("answer", "allow"), ("scope", "shop")];
    let (first, second) = (form_token(asked.page()), form_token(other.page()));
    let on = browser.post(&other.path, &fields(&second)).await.header(header::LOCATION).to_owned();
    let kept = shop.consented().await;
    let path = format!("/applications/{}", shop.application_id());
    shop.fixture.made(Method::PATCH, &path, &json!({"status": "disabled"})).await;
    for answer in [browser.post(&asked.path, &fields(&first)).await, browser.get(&on).await] {
        assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::BAD_REQUEST, ""), "{}", answer.text);
    }
    assert_eq!(shop.consented().await, kept);
}

/// Somebody is signed out after they are disabled; what they say between the two counts as little.
#[tokio::test]
async fn whoever_is_disabled_while_the_page_is_open_gives_no_code() {
    let shop = Shop::new().await;
    for signed_out in [false, true] {
        let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
        let asked = shop.asks(&mut browser, "openid shop", &[]).await;
        let token = form_token(asked.page());
        let set = async |status| {
            let path = format!("/users/{}", shop.ada.id);
            let after = User { status, ..shop.fixture.user_now(&shop.ada).await };
            if signed_out {
                shop.fixture.made(Method::PATCH, &path, &json!({"status": after.status})).await;
            } else {
                shop.fixture.change(async |edit| noun::update(edit.tx, after, None).await.map_err(Into::into)).await;
            }
        };
        set(UserStatus::Disabled).await;
        let fields = [("form", token.as_str()), ("answer", "allow"), ("scope", "shop")];
        let sign_in = asked.path.replace("/consent/", "/sign-in/");
        let answer = browser.post(&asked.path, &fields).await;
        assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, sign_in.as_str()));
        let page = browser.follow(answer).await;
        assert_eq!((page.status, parameter(&page, "code")), (StatusCode::OK, None), "{}", page.text);
        let on = browser.get(&format!("{sign_in}/continue")).await;
        assert_eq!((on.header(header::LOCATION), parameter(&on, "code")), (sign_in.as_str(), None));
        assert_eq!(shop.consented().await, None);
        set(UserStatus::Active).await;
    }
}

/// attacks.md C10 241: the second click of a double click on the page before falls on this one.
#[tokio::test]
async fn the_buttons_take_no_click_as_soon_as_they_appear() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = shop.asks(&mut browser, "openid shop", &[]).await;
    let page = &asked.page().text;
    assert!(
        page.contains("<form method=\"post\" action=\"/consent/") && page.contains("class=\"considered\">"),
        "{page}"
    );
    let style: String = page.split_whitespace().collect();
    assert!(style.contains(".consideredbutton{animation:appears.8sstep-end}"), "{style}");
    assert!(style.contains("@keyframesappears{from{pointer-events:none}}"), "{style}");
}
