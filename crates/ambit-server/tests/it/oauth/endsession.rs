//! RP-initiated logout: who is signed out without being asked, and where a browser is sent afterwards.

use ambit_core::entropy::new_id;
use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{AuthorizationGrant, Code, Redeemed, RefreshToken, Rotation};
use ambit_protocol::id::SessionId;
use ambit_protocol::jose::{Algorithm, SigningKey};
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::people::form_token;
use crate::support::{Answer, BASE, START};
use crate::web::shop::Shop;
use crate::web::visitor::{BROWSER, SESSION, Visitor, user};

const PATH: &str = "/tenants/acme/connect/endsession";
const BYE: &str = "https://app.example/bye";

/// An ID token of this server.
fn signed(shop: &Shop, claims: &Value) -> String {
    signed_as("JWT", shop, claims)
}

/// Something of this server's own signature.
fn signed_as(typ: &str, shop: &Shop, claims: &Value) -> String {
    let snapshot = shop.fixture.server.app().registry.snapshot();
    let signer = snapshot.keys.signer(Algorithm::Es256).expect("a key");
    let header = signer.key.header(typ, &signer.kid);
    signer.key.sign(&header, claims.to_string().as_bytes()).expect("a token")
}

fn claims(shop: &Shop, session: SessionId) -> Value {
    json!({
        "iss": format!("{BASE}/tenants/acme"), "sub": shop.ada.id, "aud": "till", "sid": session,
        "iat": START, "exp": START + 300,
    })
}

fn path(fields: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("{PATH}?{query}")
}

async fn is_signed_in(browser: &Visitor<'_>, shop: &Shop) -> bool {
    let Some(token) = browser.cookies.get(SESSION) else { return false };
    shop.fixture.store.sign_ins().find_session(&SecretHash::of(token)).await.expect("an answer").is_some()
}

/// Asked, and nothing done: no redirection, and the session goes on.
async fn is_only_asked(answer: &Answer, browser: &Visitor<'_>, shop: &Shop) -> bool {
    answer.status == StatusCode::OK
        && answer.header(header::LOCATION).is_empty()
        && answer.text.contains("Sign out?")
        && is_signed_in(browser, shop).await
}

#[tokio::test]
async fn a_good_hint_ends_the_session_and_leads_back() {
    let shop = Shop::new().await;
    for (method, expired) in [(Method::GET, false), (Method::POST, false), (Method::GET, true)] {
        let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
        let cookies = browser.cookies.clone();
        let mut claims = claims(&shop, session);
        if expired {
            claims["exp"] = json!(START - 1_000_000);
        }
        let hint = signed(&shop, &claims);
        let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a b&c")];
        let answer = if method == Method::GET {
            browser.get(&path(&fields)).await
        } else {
            browser.post_with(PATH, &[("sec-fetch-site", "cross-site")], &fields).await
        };
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert_eq!(answer.header(header::LOCATION), "https://app.example/bye?state=a+b%26c");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        assert!(!browser.cookies.contains_key(SESSION));
        browser.cookies.clone_from(&cookies);
        assert!(!is_signed_in(&browser, &shop).await);
    }
}

#[tokio::test]
async fn the_state_joins_a_query_that_is_there() {
    let shop = Shop::new().await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let hint = signed(&shop, &claims(&shop, session));
    let kept = format!("{BYE}?kept=1");
    let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", kept.as_str()), ("state", "s")];
    assert_eq!(browser.get(&path(&fields)).await.header(header::LOCATION), "https://app.example/bye?kept=1&state=s");
}

#[tokio::test]
async fn without_a_good_hint_the_person_is_asked_and_sent_nowhere() {
    let shop = Shop::new().await;
    Shop::registered(&shop.fixture, &shop.tenant, "display", "Display").await;
    let bob = user(&shop.fixture, Some(&shop.tenant), "bob@acme.example", json!({})).await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let good = claims(&shop, session);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&shop, &claims)
    };
    let other = SigningKey::generate(Algorithm::Es256).expect("a key");
    let forged = other.sign(&other.header("JWT", "key_00000000000000000000000001"), good.to_string().as_bytes());
    let mut altered = signed(&shop, &good);
    altered.replace_range(altered.len() - 4.., "AAAA");
    let access_token = shop.fixture.root().await;
    let hints = [
        ("none", String::new()),
        ("garbage", "x.y.z".to_owned()),
        ("another key's", forged.expect("a token")),
        ("altered", altered),
        ("no ID token", access_token),
        ("a logout token", signed_as("logout+jwt", &shop, &good)),
        ("an answer of userinfo", signed_as("userinfo+jwt", &shop, &good)),
        ("another person's", with("sub", json!(bob.id))),
        ("nobody's", with("sub", json!("usr_00000000000000000000000000"))),
        ("another issuer's", with("iss", json!(BASE))),
        ("of a client that is not here", with("aud", json!("nobody"))),
        ("of a client of another issuer", with("aud", json!("root"))),
    ];
    for (title, hint) in &hints {
        let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s")];
        let answer = browser.get(&path(&fields)).await;
        assert!(is_only_asked(&answer, &browser, &shop).await, "{title}: {} {}", answer.status, answer.text);
    }
    // §2: the client that is named must be the one of the hint.
    let hint = signed(&shop, &good);
    let fields = [("id_token_hint", hint.as_str()), ("client_id", "display"), ("post_logout_redirect_uri", BYE)];
    let answer = browser.get(&path(&fields)).await;
    assert!(is_only_asked(&answer, &browser, &shop).await, "{}", answer.text);
    let fields = [("id_token_hint", hint.as_str()), ("client_id", "till"), ("post_logout_redirect_uri", BYE)];
    // One that is not in use says nothing, and has nowhere to lead back to.
    shop.fixture.made(Method::PATCH, "/applications/till", &json!({"status": "disabled"})).await;
    let answer = browser.get(&path(&fields)).await;
    assert!(is_only_asked(&answer, &browser, &shop).await, "{} {}", answer.status, answer.text);
    shop.fixture.made(Method::PATCH, "/applications/till", &json!({"status": "active"})).await;
    assert_eq!(browser.get(&path(&fields)).await.header(header::LOCATION), BYE);
}

#[tokio::test]
async fn an_address_that_is_not_registered_is_never_gone_to() {
    let shop = Shop::new().await;
    let other = json!({"post_logout_redirect_uris": ["https://other.example/bye"]});
    let display = Shop::registered(&shop.fixture, &shop.tenant, "display", "Display").await;
    shop.fixture.made(Method::PATCH, &format!("/applications/{}", display["id"].as_str().unwrap()), &other).await;
    for wanted in [
        "https://app.example/bye/",
        "https://app.example/by",
        "https://app.example/bye#x",
        "https://app.example/bye?x=1",
        "https://APP.example/bye",
        "https://app.example:443/bye",
        "http://app.example/bye",
        "//app.example/bye",
        "https://app.example/cb",
        "https://other.example/bye",
        "https://evil.example/",
        "javascript:alert(1)",
    ] {
        let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
        let hint = signed(&shop, &claims(&shop, session));
        let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", wanted), ("state", "s")];
        let answer = browser.get(&path(&fields)).await;
        assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::OK, ""), "{wanted}");
        assert!(answer.text.contains("You are signed out") && !answer.text.contains("href=\"http"), "{}", answer.text);
        assert!(!is_signed_in(&browser, &shop).await);
    }
}

#[tokio::test]
async fn whoever_says_yes_on_our_own_page_is_signed_out_and_may_go_back_by_a_link() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let asked = browser.get(&path(&[("client_id", "till"), ("post_logout_redirect_uri", BYE), ("state", "s")])).await;
    assert!(asked.text.contains("Till") && asked.text.contains("ada@acme.example"), "{}", asked.text);
    let token = form_token(&asked);
    let fields = |token| [("form", token), ("client_id", "till"), ("post_logout_redirect_uri", BYE), ("state", "s")];

    let (mut other, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let others = form_token(&other.get(PATH).await);
    // Of another session of the same browser.
    let (mut before, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    before.cookies.insert(BROWSER.to_owned(), browser.cookies[BROWSER].clone());
    let befores = form_token(&before.get(PATH).await);
    for (headers, token) in [
        (("sec-fetch-site", "cross-site"), token.as_str()),
        (("origin", "https://evil.example"), token.as_str()),
        (("origin", BASE), others.as_str()),
        (("origin", BASE), befores.as_str()),
        (("origin", BASE), "x"),
    ] {
        let answer = browser.post_with(PATH, &[headers], &fields(token)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(browser.get(&path(&fields(&token))).await.status, StatusCode::FORBIDDEN);
    assert!(is_signed_in(&browser, &shop).await);

    let done = browser.post(PATH, &fields(&token)).await;
    assert_eq!((done.status, done.header(header::LOCATION)), (StatusCode::OK, ""), "{}", done.text);
    assert!(leads_on_by_hand(&done), "{}", done.text);
    assert!(!is_signed_in(&browser, &shop).await);
}

/// A link to where the application wants them, and nothing that follows it for them.
fn leads_on_by_hand(page: &Answer) -> bool {
    page.text.contains("href=\"https://app.example/bye?state=s\"")
        && !page.text.contains("http-equiv")
        && !page.headers.contains_key(header::REFRESH)
}

/// attacks.md C13 287: whoever knows a client and an address of it makes no browser go there.
#[tokio::test]
async fn whoever_is_not_signed_in_may_go_back_by_a_link() {
    let shop = Shop::new().await;
    let mut browser = Visitor::new(&shop.fixture);
    let fields = [("client_id", "till"), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let page = browser.get(&path(&fields)).await;
    assert_eq!((page.status, page.header(header::LOCATION)), (StatusCode::OK, ""), "{}", page.text);
    assert!(page.text.contains("You are signed out") && leads_on_by_hand(&page), "{}", page.text);
    let posted = browser.post_with(PATH, &[("sec-fetch-site", "cross-site")], &fields).await;
    assert!(posted.header(header::LOCATION).starts_with(PATH), "to this page: {:?}", posted.headers);
}

/// attacks.md C13 287: any port will do for a redirect URI of a native application (RFC 8252 §7.3), and for no other address of it.
#[tokio::test]
async fn the_port_of_a_loopback_address_is_part_of_it() {
    const LOOPBACK: &str = "http://127.0.0.1/bye";
    let shop = Shop::new().await;
    let native = json!({
        "name": "Tray", "type": "native", "level": "tenant", "tenant_id": shop.tenant["id"], "client_id": "tray",
        "allowed_scopes": ["openid"], "redirect_uris": ["http://127.0.0.1/cb"], "post_logout_redirect_uris": [LOOPBACK],
    });
    shop.fixture.made(Method::POST, "/applications", &native).await;
    for (wanted, is_gone_to) in [(LOOPBACK, true), ("http://127.0.0.1:8765/bye", false)] {
        let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
        let mut claims = claims(&shop, session);
        claims["aud"] = json!("tray");
        let hint = signed(&shop, &claims);
        let answer = browser.get(&path(&[("id_token_hint", &hint), ("post_logout_redirect_uri", wanted)])).await;
        assert_eq!(answer.header(header::LOCATION), if is_gone_to { wanted } else { "" }, "{}", answer.text);
        assert!(is_gone_to || !answer.text.contains("127.0.0.1"), "{}", answer.text);
        assert!(!is_signed_in(&browser, &shop).await, "{wanted}");
    }
}

#[tokio::test]
async fn a_form_of_an_application_that_comes_without_the_cookie_is_opened_as_a_page() {
    let shop = Shop::new().await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    // `SameSite=Lax`: a browser leaves our cookies out where another site posts.
    let mut without = Visitor::new(&shop.fixture);
    let fields = [("client_id", "till"), ("post_logout_redirect_uri", BYE)];
    let answer = without.post_with(PATH, &[("sec-fetch-site", "cross-site")], &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let asked = browser.get(answer.header(header::LOCATION)).await;
    assert!(is_only_asked(&asked, &browser, &shop).await, "{}", asked.text);
    // With a hint that names the session there is nothing to ask.
    let hint = signed(&shop, &claims(&shop, session));
    let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)];
    let answer = without.post_with(PATH, &[("sec-fetch-site", "cross-site")], &fields).await;
    assert_eq!(answer.header(header::LOCATION), BYE);
    assert!(!is_signed_in(&browser, &shop).await);
}

#[tokio::test]
async fn a_hint_ends_the_session_it_names_and_no_other() {
    let shop = Shop::new().await;
    let bob = user(&shop.fixture, Some(&shop.tenant), "bob@acme.example", json!({})).await;
    let (bobs, his) = Visitor::of(&shop.fixture, &bob).await;
    let (second, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let (first, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    // A session is its person's: a token that names another's ends nothing.
    let hint = signed(&shop, &claims(&shop, his));
    Visitor::new(&shop.fixture).get(&path(&[("id_token_hint", &hint)])).await;
    assert!(is_signed_in(&bobs, &shop).await);
    let hint = signed(&shop, &claims(&shop, session));
    Visitor::new(&shop.fixture).get(&path(&[("id_token_hint", &hint)])).await;
    assert!(!is_signed_in(&first, &shop).await);
    assert!(is_signed_in(&second, &shop).await);
}

#[tokio::test]
async fn what_was_lent_in_a_session_ends_with_it_and_what_outlives_it_does_not() {
    let shop = Shop::new().await;
    let app = shop.fixture.server.app();
    let now = app.clock.now();
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let sign_ins = shop.fixture.store.sign_ins();
    let lent = async |name: &str, session_id: Option<SessionId>| {
        let grant = AuthorizationGrant {
            id: new_id(now, &*app.entropy),
            application_id: shop.application_id(),
            client_id: "till".to_owned(),
            user_id: shop.ada.id,
            session_id,
            created_at: now,
            expires_at: now.plus_secs(3600),
            ended_at: None,
            document: "{}".to_owned(),
        };
        let code = Code {
            token: SecretHash::of(&format!("code {name}")),
            grant_id: grant.id,
            expires_at: now.plus_secs(60),
            spent_at: None,
            document: "{}".to_owned(),
        };
        let refresh = refresh(name, &grant);
        sign_ins.issue_code(&code).await.expect("a code");
        let redeemed =
            Redeemed { grant: &grant, refresh_token: Some(&refresh), session: grant.session_id, consent: None };
        assert!(sign_ins.spend_code(&code.token, now, Some(redeemed)).await.expect("an answer"));
        grant
    };
    let (ends, stays) = (lent("ends", Some(session)).await, lent("stays", None).await);
    let hint = signed(&shop, &claims(&shop, session));
    browser.get(&path(&[("id_token_hint", &hint)])).await;
    for (grant, name, rotation) in [(&ends, "ends", Rotation::Ended), (&stays, "stays", Rotation::Rotated)] {
        let next = refresh(&format!("{name} next"), grant);
        let token = SecretHash::of(&format!("refresh {name}"));
        assert_eq!(sign_ins.rotate_refresh_token(&token, now, &next).await.expect("an answer"), rotation, "{name}");
        let is_revoked = app.revocations.is_revoked(&grant.id.to_string());
        assert_eq!(is_revoked, rotation == Rotation::Ended, "{name}");
    }
    let silent = shop.asks(&mut browser, "openid", &[("prompt", "none")]).await;
    assert!(silent.answer.header(header::LOCATION).contains("error=login_required"), "{:?}", silent.answer.headers);
}

fn refresh(name: &str, grant: &AuthorizationGrant) -> RefreshToken {
    RefreshToken {
        token: SecretHash::of(&format!("refresh {name}")),
        grant_id: grant.id,
        expires_at: grant.expires_at,
        used_at: None,
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_read_does_nothing() {
    let shop = Shop::new().await;
    let (mut browser, session) = Visitor::of(&shop.fixture, &shop.ada).await;
    let hint = signed(&shop, &claims(&shop, session));
    let twice = path(&[("id_token_hint", &hint), ("state", "a"), ("state", "b")]);
    assert_eq!(browser.get(&twice).await.status, StatusCode::BAD_REQUEST);
    assert!(is_signed_in(&browser, &shop).await);
    let metadata = shop.fixture.get("/tenants/acme/.well-known/openid-configuration").await;
    assert_eq!(metadata.json["end_session_endpoint"], format!("{BASE}{PATH}"));
}
