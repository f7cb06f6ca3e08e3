//! Passkeys: at `/sign-in/{id}`, at `/account/passkeys`, and what administrators see of them.

use ambit_core::registry::credential;
use ambit_core::secret::SecretHash;
use ambit_core::store::noun;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::{User, UserStatus};
use ambit_protocol::id::UserId;
use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

use crate::authenticator::{Device, Says, Whose, asked};
use crate::operations::logs::Paper;
use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::{Answer, BASE, Fixture};

const SESSION: &str = "__Host-ambit-session";
const ADA: &str = "ada@shop.example";
const BOB: &str = "bob@shop.example";
const PAGE: &str = "/account/passkeys";

/// A tenant, with one person.
async fn shop(settings: Value) -> (Fixture, Tenant, User) {
    let fixture = Fixture::with("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", settings).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    (fixture, tenant, ada)
}

/// The path of an authorization request of a tenant's own application, as it is sent by a browser.
async fn request(fixture: &Fixture, tenant: &Tenant, more: &str) -> String {
    let slug = &tenant.slug;
    let client_id = format!("till-{slug}");
    let body = json!({
        "name": "Till", "client_id": client_id, "type": "spa", "level": "tenant", "tenant_id": tenant.id,
        "allowed_scopes": ["openid"], "redirect_uris": ["https://till.example/cb"],
    });
    let made = fixture.admin(&fixture.root().await, Method::POST, "/applications", Some(&body)).await;
    assert!(made.status == 201 || made.status == 409, "{}", made.text);
    format!(
        "/tenants/{slug}/connect/authorize?client_id={client_id}&redirect_uri=https%3A%2F%2Ftill.example%2Fcb\
         &response_type=code&scope=openid&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &code_challenge_method=S256{more}"
    )
}

async fn begun(browser: &Browser<'_>, fixture: &Fixture, tenant: &Tenant) -> String {
    browser.begin(&request(fixture, tenant, "").await).await
}

/// A browser in which somebody has just signed in with their password.
async fn signed_in<'f>(fixture: &'f Fixture, tenant: &Tenant, email: &str) -> Browser<'f> {
    let browser = Browser::new(fixture);
    let at = begun(&browser, fixture, tenant).await;
    browser.password(&at, email, PASSWORD).await;
    assert!(browser.cookie(SESSION).is_some(), "{email}");
    browser
}

fn is_signed_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.header(header::SET_COOKIE).starts_with(SESSION)
}

/// Shows a passkey where somebody signs in.
async fn show(browser: &Browser<'_>, at: &str, device: &mut Device, says: Says) -> Answer {
    let options = asked(&browser.get(at).await).expect("a button");
    let credential = device.show(&options, says);
    browser.step(at, "passkey", &[("credential", &credential)]).await
}

/// Has a device make a passkey on the page of an account, and sends it.
async fn add(browser: &Browser<'_>, device: &mut Device, says: Says, name: &str) -> Answer {
    let page = browser.get(PAGE).await;
    let credential = device.make(&asked(&page).expect("a button"), says);
    let fields = [("form", &*form_token(&page)), ("challenge", &*challenge(&page)), ("credential", &*credential)];
    browser.post(PAGE, &[&fields[..], &[("name", name)]].concat()).await
}

/// The token of the challenge on a page.
fn challenge(page: &Answer) -> String {
    let (_, rest) = page.text.split_once(r#"name="challenge" value=""#).expect("a challenge");
    rest.split('"').next().expect("an end").to_owned()
}

/// A passkey of somebody who has signed in with their password for it.
async fn passkey_of(fixture: &Fixture, tenant: &Tenant, email: &str) -> Device {
    let mut device = Device::new();
    let answer = add(&signed_in(fixture, tenant, email).await, &mut device, Says::default(), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    device
}

/// By what the person of a browser's session proved who they are.
async fn methods_of(fixture: &Fixture, browser: &Browser<'_>) -> Value {
    let cookie = SecretHash::of(&browser.cookie(SESSION).expect("a session"));
    let session = fixture.store.sign_ins().find_session(&cookie).await.expect("the store").expect("a session");
    serde_json::from_str::<Value>(&session.document).expect("JSON")["methods"].clone()
}

#[tokio::test]
async fn somebody_adds_a_passkey_and_from_then_on_signs_in_with_it_alone() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let browser = signed_in(&fixture, &tenant, ADA).await;
    let mut device = Device::new();
    let answer = add(&browser, &mut device, Says::default(), "My <phone>").await;
    // The first one brings the recovery codes with it.
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (_, codes) = answer.text.split_once("<ul class=\"codes\">").expect("codes");
    assert_eq!(codes.matches("<li>").count(), 10, "{}", answer.text);
    assert!(codes.contains("action=\"/account/passkeys\""), "{codes}");
    let page = browser.get(PAGE).await;
    for text in ["<bdi>My &#60;phone&#62;</bdi>", "Added: 2027-01-15", "Not used yet", "Synchronised"] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    assert!(!page.text.contains("<phone>"), "{}", page.text);

    fixture.clock.advance_secs(86_400);
    // Whatever is asked of her: a passkey is two factors in one.
    let stricter = "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22values%22%3A%5B%22\
                    urn%3Aambit%3Aaal2%22%5D%7D%7D%7D&acr_values=urn%3Aambit%3Aaal2";
    let browser = Browser::new(&fixture);
    let at = browser.begin(&request(&fixture, &tenant, stricter).await).await;
    let answer = show(&browser, &at, &mut device, Says::default()).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
    assert_eq!(methods_of(&fixture, &browser).await, json!(["hwk"]));
    let after = browser.get(&format!("{at}/continue")).await;
    assert_eq!(after.header(header::LOCATION), at.replace("sign-in", "consent"), "{}", after.text);
    assert!(browser.get(PAGE).await.text.contains("Last used: 2027-01-16"));
}

#[tokio::test]
async fn the_first_page_asks_everybody_the_same_and_names_no_passkey() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let mut seen = vec![];
    for hint in ["", "&login_hint=ada%40shop.example", "&login_hint=eve%40shop.example"] {
        let browser = Browser::new(&fixture);
        let at = browser.begin(&request(&fixture, &tenant, hint).await).await;
        let mut options = asked(&browser.get(&at).await).expect("a button");
        assert_eq!(options["challenge"].take().as_str().expect("base64url").len(), 43);
        seen.push(options);
        if seen.len() == 1 {
            passkey_of(&fixture, &tenant, ADA).await;
        }
    }
    assert!(seen.iter().all(|options| *options == seen[0]), "{seen:#?}");
    assert_eq!(seen[0]["rpId"], "as.example");
    assert_eq!(seen[0]["userVerification"], "required");
    assert_eq!(seen[0]["allowCredentials"], json!([]));
}

#[tokio::test]
async fn an_answer_counts_for_this_server_this_challenge_and_whoever_was_seen() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), BOB).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let unknown: UserId = "usr_01h455vb4pex5vsknk084sn02q".parse().expect("an identifier");
    let right = Says::default();
    let mut seen: Vec<String> = vec![];
    for (what, says) in [
        ("another site", Says { origin: "https://evil.example", ..right }),
        ("one that ends as ours", Says { origin: "https://badas.example", ..right }),
        ("one that begins as ours", Says { origin: "https://as.example.evil.example", ..right }),
        ("one below ours", Says { origin: "https://sub.as.example", ..right }),
        ("another scheme", Says { origin: "http://as.example", ..right }),
        ("another port", Says { origin: "https://as.example:8443", ..right }),
        ("another relying party", Says { rp_id: Some("evil.example"), ..right }),
        ("one above ours", Says { rp_id: Some("example"), ..right }),
        ("in a frame", Says { cross_origin: true, ..right }),
        ("another challenge", Says { challenge: Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ..right }),
        ("an enrolment", Says { act: Some("webauthn.create"), ..right }),
        ("nobody was seen", Says { is_verified: false, ..right }),
        ("somebody else's name", Says { whose: Whose::Of(bob.id), ..right }),
        ("the name of nobody there is", Says { whose: Whose::Of(unknown), ..right }),
        ("no name", Says { whose: Whose::Unsaid, ..right }),
    ] {
        // Failures come back: none of these is refused for those before it.
        fixture.clock.advance_secs(90);
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        let answer = show(&browser, &at, &mut device, says).await;
        assert_eq!(answer.status, 422, "{what}: {}", answer.text);
        assert!(browser.cookie(SESSION).is_none(), "{what}");
        assert!(answer.text.contains("This passkey cannot be used here."), "{what}: {}", answer.text);
        let options = asked(&answer).expect("another challenge")["challenge"].as_str().expect("text").to_owned();
        let text = answer.text.replace(&at, "AT").replace(&form_token(&answer), "TOKEN").replace(&options, "CHALLENGE");
        seen.push(text);
        // The honest one passes, with the challenge that was set after.
        let answer = show(&browser, &at, &mut device, right).await;
        assert!(is_signed_in(&answer), "{what}: {} {}", answer.status, answer.text);
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn what_is_no_answer_of_a_browser_is_no_passkey() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let options = asked(&browser.get(&at).await).expect("a button");
    let good: Value = serde_json::from_str(&device.show(&options, Says::default())).expect("JSON");
    let with = |pointer: &str, value: Value| {
        let mut altered = good.clone();
        *altered.pointer_mut(pointer).expect("a member") = value;
        altered.to_string()
    };
    for credential in [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        "[".repeat(10_000),
        with("/rawId", json!("AAAA")),
        with("/rawId", json!("A".repeat(60_000))),
        with("/response/signature", json!("AAAA")),
        with("/response/signature", json!("")),
        with("/response/authenticatorData", json!("AAAA")),
        with("/response/clientDataJSON", json!("e30")),
        with("/response/userHandle", json!("AAAA")),
    ] {
        fixture.clock.advance_secs(90);
        let answer = browser.step(&at, "passkey", &[("credential", &credential)]).await;
        assert_eq!(answer.status, 422, "{:.60}: {}", credential, answer.text);
        assert!(browser.cookie(SESSION).is_none(), "{credential:.60}");
    }
    let answer = browser.step(&at, "passkey", &[]).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
}

#[tokio::test]
async fn a_challenge_is_answered_once() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let options = asked(&browser.get(&at).await).expect("a button");
    // Once it was answered, rightly or not, it is another.
    let wrong = device.show(&options, Says { is_verified: false, ..Says::default() });
    browser.step(&at, "passkey", &[("credential", &wrong)]).await;
    let late = device.show(&options, Says::default());
    assert_eq!(browser.step(&at, "passkey", &[("credential", &late)]).await.status, 422);
    let options = asked(&browser.get(&at).await).expect("a button");
    let good = device.show(&options, Says::default());
    // Nor does it count where another browser was asked.
    let thief = Browser::new(&fixture);
    let theirs = begun(&thief, &fixture, &tenant).await;
    assert_eq!(thief.step(&theirs, "passkey", &[("credential", &good)]).await.status, 422);
    let token = form_token(&browser.get(&at).await);
    let fields = [("form", token.as_str()), ("credential", good.as_str())];
    let path = format!("{at}/passkey");
    let both = futures_util::future::join(browser.post(&path, &fields), browser.post(&path, &fields)).await;
    let counted = [&both.0, &both.1].into_iter().filter(|answer| is_signed_in(answer)).count();
    assert_eq!(counted, 1, "{} {}", both.0.status, both.1.status);
    let again = browser.post(&path, &fields).await;
    assert_eq!(
        (again.status.as_u16(), again.header(header::LOCATION)),
        (303, at.as_str()),
        "it goes nowhere by itself"
    );
    assert!(thief.cookie(SESSION).is_none());
}

#[tokio::test]
async fn a_copy_of_a_passkey_is_told_by_its_counter_and_the_log_says_so() {
    let paper = Paper::default();
    let fixture = Fixture::altered("trusted_proxies = ['127.0.0.1']", |mut parts| {
        let (level, format) = (LevelFilter::INFO, ambit_server::config::LogFormat::Json);
        let clock = parts.clock.clone();
        parts.log = ambit_server::logs::Log::start(level, format, clock, paper.clone()).expect("a thread");
        parts
    })
    .await;
    let tenant = fixture.tenant("shop", json!({})).await;
    fixture.person(Some(&tenant), ADA).await;
    let mut device = Device::counting();
    add(&signed_in(&fixture, &tenant, ADA).await, &mut device, Says::default(), "").await;
    let enter = async |device: &mut Device| {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        let answer = show(&browser, &at, device, Says::default()).await;
        assert!(is_signed_in(&answer) || answer.status == 422, "{}", answer.text);
        is_signed_in(&answer)
    };
    let mut copy = device.copied();
    assert!(enter(&mut device).await);
    assert!(enter(&mut device).await);
    assert!(!enter(&mut copy).await, "one, after two");
    assert!(!enter(&mut copy).await, "two, after two");
    let lines = paper.lines(&fixture);
    let refused: Vec<&Value> = lines.iter().filter(|line| line["reason"] == "passkey_counter_back").collect();
    assert_eq!(refused.len(), 2, "{lines:?}");
    assert!(enter(&mut copy).await, "three: which of the two is the copy, nobody can tell");
    assert!(!enter(&mut device).await);

    // Of two that come at once with the same count, one counts.
    let mut copy = device.copied();
    let mut ready = vec![];
    for device in [&mut device, &mut copy] {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        let page = browser.get(&at).await;
        let credential = device.show(&asked(&page).expect("a button"), Says::default());
        ready.push((browser, at, form_token(&page), credential));
    }
    let both = ready.iter().map(async |(browser, at, token, credential)| {
        let answer = browser.post(&format!("{at}/passkey"), &[("form", token), ("credential", credential)]).await;
        is_signed_in(&answer)
    });
    let counted = futures_util::future::join_all(both).await;
    assert_eq!(counted.into_iter().filter(|counted| *counted).count(), 1);
}

#[tokio::test]
async fn a_passkey_that_is_taken_away_while_it_is_shown_signs_nobody_in() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let id = fixture.credentials_of(&ada).await.passkeys[0].0.id;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let shown = show(&browser, &at, &mut device, Says::default());
    let answer = store.meanwhile("begin", shown, async || {
        fixture
            .change_in(&*fixture.sql, async |edit| {
                credential::delete(edit, &ada.id.to_string(), &id.to_string()).await.map(drop)
            })
            .await;
    });
    assert_eq!(answer.await.status, 422);
    assert!(browser.cookie(SESSION).is_none());
}

#[tokio::test]
async fn people_sign_in_where_they_belong_and_nowhere_else() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let mart = fixture.tenant("mart", json!({})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let right = Says::default();
    // Another tenant's pages, by its issuer, and by its name.
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &mart).await;
    assert_eq!(show(&browser, &at, &mut device, right).await.status, 422);
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", "mart")]).await;
    assert_eq!(show(&browser, &at, &mut device, right).await.status, 422);
    // The platform's own people.
    browser.step(&at, "restart", &[]).await;
    browser.step(&at, "organisation", &[("organisation", "")]).await;
    assert_eq!(show(&browser, &at, &mut device, right).await.status, 422);
    assert!(browser.cookie(SESSION).is_none());
    // Where it is not known yet where somebody belongs, the passkey says it.
    browser.step(&at, "restart", &[]).await;
    let answer = show(&browser, &at, &mut device, right).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
    assert_eq!(answer.header(header::LOCATION), "/account/");

    // Whoever may not sign in may not so either, and neither do the people of a tenant that is shut.
    let disabled = User { status: UserStatus::Disabled, ..ada.clone() };
    fixture.change(async |edit| Ok(noun::update(edit.tx, disabled.clone(), None).await?)).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    assert_eq!(show(&browser, &at, &mut device, right).await.status, 422);
    fixture.change(async |edit| Ok(noun::update(edit.tx, ada.clone(), None).await?)).await;
    let at = browser.begin("/account/").await;
    let status = format!("/tenants/{}/status", tenant.id);
    fixture.made(Method::POST, &status, &json!({"status": "suspended"})).await;
    assert_eq!(show(&browser, &at, &mut device, right).await.status, 403);
    assert!(browser.cookie(SESSION).is_none());
}

#[tokio::test]
async fn beside_the_password_it_is_the_persons_own_passkey_that_counts() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), BOB).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let mut bobs = passkey_of(&fixture, &tenant, BOB).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    assert!(browser.cookie(SESSION).is_none(), "who has a passkey is asked for it");
    let page = browser.get(&at).await;
    let options = asked(&page).expect("a button");
    assert_eq!(options["allowCredentials"].as_array().map(Vec::len), Some(1), "hers: {options}");
    assert!(page.text.contains("Recovery code") && !page.text.contains("authenticator app"), "{}", page.text);
    for says in [
        Says::default(),
        // As if it were hers.
        Says { whose: Whose::Of(ada.id), ..Says::default() },
        Says { whose: Whose::Unsaid, ..Says::default() },
    ] {
        assert_eq!(show(&browser, &at, &mut bobs, says).await.status, 422);
        assert!(browser.cookie(SESSION).is_none());
    }
    // Nor hers, where it is not seen that it is she, or where it says that it is somebody else's.
    for says in [Says { is_verified: false, ..Says::default() }, Says { whose: Whose::Of(bob.id), ..Says::default() }] {
        assert_eq!(show(&browser, &at, &mut device, says).await.status, 422);
        assert!(browser.cookie(SESSION).is_none());
    }
    // An authenticator that was asked by name need not say whose it is.
    let answer = show(&browser, &at, &mut device, Says { whose: Whose::Unsaid, ..Says::default() }).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
    assert_eq!(methods_of(&fixture, &browser).await, json!(["pwd", "hwk"]));
    // Six failures, as with codes: then the right one waits as well.
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    assert_eq!(show(&browser, &at, &mut bobs, Says::default()).await.status, 422);
    assert_eq!(show(&browser, &at, &mut device, Says::default()).await.status, 429);
}

#[tokio::test]
async fn a_request_that_asks_for_more_certainty_takes_a_passkey_for_it() {
    let (fixture, tenant, _) = shop(json!({"mfa": "off"})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let browser = signed_in(&fixture, &tenant, ADA).await;
    let stricter = "&acr_values=urn%3Aambit%3Aaal2&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue\
                    %2C%22values%22%3A%5B%22urn%3Aambit%3Aaal2%22%5D%7D%7D%7D";
    let at = browser.begin(&request(&fixture, &tenant, stricter).await).await;
    let answer = show(&browser, &at, &mut device, Says::default()).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
    assert_eq!(methods_of(&fixture, &browser).await, json!(["pwd", "hwk"]));
}

#[tokio::test]
async fn guesses_at_the_first_page_are_counted_where_they_come_from() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let guesser = Browser::at(&fixture, "198.51.100.7");
    let at = begun(&guesser, &fixture, &tenant).await;
    for guess in 0..10 {
        let answer = show(&guesser, &at, &mut device, Says { is_verified: false, ..Says::default() }).await;
        assert_eq!(answer.status, 422, "{guess}");
    }
    assert_eq!(show(&guesser, &at, &mut device, Says::default()).await.status, 429);
    let ada = Browser::at(&fixture, "203.0.113.5");
    let at = begun(&ada, &fixture, &tenant).await;
    let answer = show(&ada, &at, &mut device, Says::default()).await;
    assert!(is_signed_in(&answer), "{}", answer.status);
}

#[tokio::test]
async fn where_a_second_factor_is_required_a_passkey_is_set_up_on_the_way() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "required"})).await;
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    browser.password(&at, ADA, PASSWORD).await;
    let page = browser.get(&at).await;
    assert!(page.text.contains("<svg") && page.text.contains(r#"id="passkey""#), "an app, or a passkey: {}", page.text);
    let options = asked(&page).expect("a button");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["user"]["name"], ADA);
    let mut device = Device::new();
    for says in [
        Says { is_verified: false, ..Says::default() },
        Says { origin: "https://evil.example", ..Says::default() },
        Says { is_discoverable: false, ..Says::default() },
    ] {
        let options = asked(&browser.get(&at).await).expect("a button");
        let credential = device.make(&options, says);
        let answer = browser.step(&at, "passkey", &[("credential", &credential)]).await;
        assert_eq!(answer.status, 422, "{says:?}: {}", answer.text);
        assert!(answer.text.contains("This passkey could not be added."), "{}", answer.text);
        assert!(!fixture.credentials_of(&ada).await.has_second_factor());
    }
    let options = asked(&browser.get(&at).await).expect("a button");
    let credential = Device::make(&mut device, &options, Says::default());
    let done = browser.step(&at, "passkey", &[("credential", &credential)]).await;
    assert_eq!((done.status.as_u16(), done.text.matches("<li>").count()), (200, 10), "{}", done.text);
    assert!(browser.cookie(SESSION).is_some());
    assert_eq!(methods_of(&fixture, &browser).await, json!(["pwd", "hwk"]));
    // The next time it is enough by itself, and whoever knows the password alone adds none.
    let again = Browser::new(&fixture);
    let at = begun(&again, &fixture, &tenant).await;
    again.password(&at, ADA, PASSWORD).await;
    assert_eq!(asked(&again.get(&at).await).expect("a button")["rpId"], "as.example", "it is asked for, not made");
    again.step(&at, "restart", &[]).await;
    let answer = show(&again, &at, &mut device, Says::default()).await;
    assert!(is_signed_in(&answer), "{} {}", answer.status, answer.text);
}

#[tokio::test]
async fn of_two_who_set_up_a_first_factor_with_the_password_alone_one_does() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "required"})).await;
    let mut ready = vec![];
    for _ in 0..2 {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        browser.password(&at, ADA, PASSWORD).await;
        let options = asked(&browser.get(&at).await).expect("a button");
        let credential = Device::new().make(&options, Says::default());
        ready.push((browser, at, credential));
    }
    for (place, (browser, at, credential)) in ready.iter().enumerate() {
        browser.step(at, "passkey", &[("credential", credential)]).await;
        assert_eq!(browser.cookie(SESSION).is_some(), place == 0);
    }
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 1);
}

#[tokio::test]
async fn adding_and_removing_ask_for_a_proof_of_now_and_lead_back() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let browser = signed_in(&fixture, &tenant, ADA).await;
    let elsewhere = signed_in(&fixture, &tenant, ADA).await;
    let page = browser.get(PAGE).await;
    let token = form_token(&page);
    let mut device = Device::new();
    let credential = device.make(&asked(&page).expect("a button"), Says::default());
    fixture.clock.advance_secs(300);
    // Five minutes later neither the page offers it, nor is what the page offered before good for anything.
    let late = browser.get(PAGE).await;
    assert!(asked(&late).is_none() && late.text.contains(r#"id="add-passkey""#), "{}", late.text);
    let fields = [("form", &*token), ("challenge", &*challenge(&page)), ("credential", &*credential)];
    let answer = browser.post(PAGE, &fields).await;
    let at = answer.header(header::LOCATION).to_owned();
    assert!(answer.status == 303 && at.starts_with("/sign-in/"), "{} {at}", answer.status);
    assert!(fixture.credentials_of(&ada).await.passkeys.is_empty());
    // Where she belongs is known, and who she is said to be.
    assert!(browser.get(&at).await.text.contains(&format!(r#"value="{ADA}""#)));
    assert_eq!(browser.password(&at, ADA, PASSWORD).await.header(header::LOCATION), PAGE);
    // The challenge of before is too old, whatever was proven since.
    assert_eq!(browser.post(PAGE, &fields).await.status, 422);
    let answer = add(&browser, &mut device, Says::default(), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);

    // The password alone is not the strongest that she has any more.
    let page = browser.get(PAGE).await;
    assert!(asked(&page).is_none(), "{}", page.text);
    let id = fixture.credentials_of(&ada).await.passkeys[0].0.id;
    let remove = format!("{PAGE}/{id}/remove");
    let answer = browser.post(&remove, &[("form", &form_token(&page))]).await;
    let at = answer.header(header::LOCATION).to_owned();
    assert!(at.starts_with("/sign-in/"), "{}", answer.status);
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 1);
    show(&browser, &at, &mut device, Says::default()).await;
    let page = browser.get(PAGE).await;
    let options = asked(&page).expect("a button");
    assert_eq!(options["excludeCredentials"].as_array().map(Vec::len), Some(1), "this device has one: {options}");
    assert_eq!(elsewhere.get(PAGE).await.status, 200);
    let answer = browser.post(&remove, &[("form", &form_token(&page))]).await;
    assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, PAGE), "{}", answer.text);
    assert_eq!(elsewhere.get(PAGE).await.status, 303, "whoever had it may be there");
    let left = fixture.credentials_of(&ada).await;
    assert!(left.passkeys.is_empty() && left.recovery.is_none(), "the codes stood in for it");
    // It is good for nothing now.
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    assert_eq!(show(&browser, &at, &mut device, Says::default()).await.status, 422);
}

#[tokio::test]
async fn a_challenge_for_a_new_passkey_is_one_sessions_and_good_once() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), BOB).await;
    let browser = signed_in(&fixture, &tenant, ADA).await;
    let mut device = Device::new();
    let refused = async |browser: &Browser<'_>, page: &Answer, credential: &str| {
        let fields = [("form", &*form_token(&browser.get(PAGE).await)), ("challenge", &*challenge(page))];
        let answer = browser.post(PAGE, &[&fields[..], &[("credential", credential)]].concat()).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains("This passkey could not be added."), "{}", answer.text);
    };
    // Somebody else's session, or another one of hers.
    let page = browser.get(PAGE).await;
    let credential = device.make(&asked(&page).expect("a button"), Says::default());
    refused(&signed_in(&fixture, &tenant, BOB).await, &page, &credential).await;
    refused(&signed_in(&fixture, &tenant, ADA).await, &page, &credential).await;
    // One that a later page took the place of.
    browser.get(PAGE).await;
    refused(&browser, &page, &credential).await;
    for says in [
        Says { origin: "https://evil.example", ..Says::default() },
        Says { rp_id: Some("evil.example"), ..Says::default() },
        Says { is_verified: false, ..Says::default() },
        Says { cross_origin: true, ..Says::default() },
        Says { act: Some("webauthn.get"), ..Says::default() },
        Says { challenge: Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ..Says::default() },
        Says { is_discoverable: false, ..Says::default() },
    ] {
        let answer = add(&browser, &mut device, says, "").await;
        assert_eq!(answer.status, 422, "{says:?}: {}", answer.text);
    }
    for user in [&ada, &bob] {
        assert!(fixture.credentials_of(user).await.passkeys.is_empty());
    }
    let page = browser.get(PAGE).await;
    let token = form_token(&page);
    let credential = device.make(&asked(&page).expect("a button"), Says::default());
    let other = Device::new().make(&asked(&page).expect("a button"), Says::default());
    let set = challenge(&page);
    let [first, second] =
        [&*credential, &*other].map(|credential| [("form", &*token), ("challenge", &*set), ("credential", credential)]);
    let both = futures_util::future::join(browser.post(PAGE, &first), browser.post(PAGE, &second)).await;
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{} {}", both.0.text, both.1.text);
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 1, "{statuses:?}");
}

#[tokio::test]
async fn a_passkey_is_one_persons() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), BOB).await;
    let browser = signed_in(&fixture, &tenant, ADA).await;
    let page = browser.get(PAGE).await;
    let mut device = Device::new();
    let hers = device.make(&asked(&page).expect("a button"), Says::default());
    let fields = [("form", &*form_token(&page)), ("challenge", &*challenge(&page)), ("credential", &*hers)];
    assert_eq!(browser.post(PAGE, &fields).await.status, 200);
    // What names her passkey, and its public half, are no secret: Bob says that they are his.
    let browser = signed_in(&fixture, &tenant, BOB).await;
    let page = browser.get(PAGE).await;
    let his = Device::new().make(&asked(&page).expect("a button"), Says::default());
    let (hers, mut his): (Value, Value) =
        (serde_json::from_str(&hers).expect("JSON"), serde_json::from_str(&his).expect("JSON"));
    for pointer in ["/id", "/rawId", "/response/attestationObject"] {
        *his.pointer_mut(pointer).expect("a member") = hers.pointer(pointer).expect("a member").clone();
    }
    let his = his.to_string();
    let fields = [("form", &*form_token(&page)), ("challenge", &*challenge(&page)), ("credential", &*his)];
    let answer = browser.post(PAGE, &fields).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("This passkey could not be added."), "{}", answer.text);
    assert!(fixture.credentials_of(&bob).await.passkeys.is_empty());
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    let answer = show(&browser, &at, &mut device, Says::default()).await;
    assert!(is_signed_in(&answer), "hers is still hers: {}", answer.text);
}

#[tokio::test]
async fn somebody_has_twenty_passkeys_at_the_most() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let first = serde_json::to_value(&fixture.credentials_of(&ada).await.passkeys[0].1).expect("JSON");
    let enrol = async |number: u32| {
        let mut other = first.clone();
        other["cred_id"] = json!(format!("AAAAAAAAAAAAAAAAAAAAAAAAAAAA{number:04}"));
        let other = serde_json::from_value(other).expect("a passkey");
        let vault = &fixture.server.app().vault;
        fixture.change(async |edit| credential::enrol_passkey(edit, vault, &ada, &other, None).await).await;
    };
    for number in 2..20 {
        enrol(number).await;
    }
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    show(&browser, &at, &mut device, Says::default()).await;
    let answer = add(&browser, &mut Device::new(), Says::default(), "").await;
    assert_eq!(answer.status, 303, "the twentieth: {}", answer.text);
    let answer = add(&browser, &mut Device::new(), Says::default(), "").await;
    assert_eq!(answer.status, 422, "one more: {}", answer.text);
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 20);
}

#[tokio::test]
async fn a_passkey_is_named_and_one_that_is_somebody_elses_is_not_here() {
    let (fixture, tenant, ada) = shop(json!({"mfa": "required"})).await;
    fixture.person(Some(&tenant), BOB).await;
    let enrol = async |email: &str| {
        let browser = Browser::new(&fixture);
        let at = begun(&browser, &fixture, &tenant).await;
        browser.password(&at, email, PASSWORD).await;
        let options = asked(&browser.get(&at).await).expect("a button");
        let credential = Device::new().make(&options, Says::default());
        browser.step(&at, "passkey", &[("credential", &credential)]).await;
        browser
    };
    let (browser, bobs) = (enrol(ADA).await, enrol(BOB).await);
    let id = fixture.credentials_of(&ada).await.passkeys[0].0.id;
    let token = form_token(&browser.get(PAGE).await);
    let path = format!("{PAGE}/{id}/name");
    let answer = browser.post(&path, &[("form", &token), ("name", " ")]).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains(r#"aria-invalid="true""#), "{}", answer.text);
    let answer = browser.post(&path, &[("form", &token), ("name", "Desk key")]).await;
    assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, PAGE), "{}", answer.text);
    assert!(browser.get(PAGE).await.text.contains("Desk key"));
    // Its key is still the same.
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 1);
    for step in ["name", "remove"] {
        let path = format!("{PAGE}/{id}/{step}");
        let theirs = form_token(&bobs.get(PAGE).await);
        let answer = bobs.post(&path, &[("form", &theirs), ("name", "Mine")]).await;
        assert_eq!(answer.status, 404, "{step} {}", answer.text);
        let forged = browser.post(&path, &[("form", &theirs), ("name", "Mine")]).await;
        assert_eq!(forged.status, 403, "{step}");
    }
    // What is no passkey is none here, though it is hers.
    fixture.app_of(&ada).await;
    let app = fixture.credentials_of(&ada).await.totp[0].0;
    let token = form_token(&browser.get(PAGE).await);
    for step in ["name", "remove"] {
        let answer = browser.post(&format!("{PAGE}/{app}/{step}"), &[("form", &token), ("name", "Mine")]).await;
        assert_eq!(answer.status, 404, "{step} {}", answer.text);
    }
    fixture.change(async |edit| credential::delete(edit, &ada.id.to_string(), &app.to_string()).await).await;
    // The last one stays, where there must be one.
    let token = form_token(&browser.get(PAGE).await);
    let answer = browser.post(&format!("{PAGE}/{id}/remove"), &[("form", &token)]).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(answer.text.contains("this is the only one you have"), "{}", answer.text);
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 1);
}

#[tokio::test]
async fn administrators_see_passkeys_without_their_keys_and_take_them_away() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let mut device = passkey_of(&fixture, &tenant, ADA).await;
    let root = fixture.root().await;
    let path = format!("/users/{}/credentials", ada.id);
    let listed = fixture.admin(&root, Method::GET, &path, None).await;
    let passkey = listed.json["items"].as_array().expect("a list").iter().find(|it| it["kind"] == "passkey");
    let passkey = passkey.expect("a passkey");
    assert_eq!((&passkey["backed_up"], passkey.get("last_used_at")), (&json!(true), None), "{passkey}");
    assert_eq!(passkey["webauthn_id"].as_str().map(str::len), Some(22), "{passkey}");
    assert!(!listed.text.contains("cred_id") && !listed.text.contains("public"), "{}", listed.text);
    let audit = fixture.admin(&root, Method::GET, "/audit?resource=credential", None).await;
    assert!(audit.text.contains(&format!("user:{}", ada.id)), "{}", audit.text);
    let id = passkey["id"].as_str().expect("an id");
    // Under the name of somebody else it is not there, whoever may take both of theirs away.
    let bob = fixture.person(Some(&tenant), BOB).await;
    let others = format!("/users/{}/credentials/{id}", bob.id);
    assert_eq!(fixture.admin(&root, Method::DELETE, &others, None).await.status, 404);
    assert_eq!(fixture.credentials_of(&ada).await.passkeys.len(), 1);
    let one = format!("{path}/{id}");
    assert_eq!(fixture.admin(&root, Method::DELETE, &one, None).await.status, 204);
    let browser = Browser::new(&fixture);
    let at = begun(&browser, &fixture, &tenant).await;
    assert_eq!(show(&browser, &at, &mut device, Says::default()).await.status, 422);
}

#[tokio::test]
async fn the_pages_run_one_script_of_this_server_and_say_so_where_none_runs() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let here = begun(&browser, &fixture, &tenant).await;
    let own = browser.begin("/account/").await;
    let signed_in = signed_in(&fixture, &tenant, ADA).await;
    for page in [browser.get(&here).await, browser.get(&own).await, signed_in.get(PAGE).await] {
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains(" script-src 'self';"), "{policy}");
        assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.text.matches("<script").count(), 1, "{}", page.text);
        assert!(page.text.contains(r#"<script src="/passkey.js" defer></script>"#), "{}", page.text);
        // Until it runs, the button is not there, and the page says why.
        assert!(page.text.contains("Passkeys need JavaScript") && page.text.contains(r#"type="button" hidden"#));
    }
    // A page without a button runs none.
    let policy = browser.get("/sign-in/unknown").await.header(header::CONTENT_SECURITY_POLICY).to_owned();
    assert!(!policy.contains("script-src"), "{policy}");
    let script = browser.get("/passkey.js").await;
    assert_eq!((script.status.as_u16(), script.header(header::CONTENT_TYPE)), (200, "text/javascript; charset=utf-8"));
    assert_eq!(script.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let request = Request::get("/passkey.js").header(header::IF_NONE_MATCH, script.header(header::ETAG));
    assert_eq!(browser.send(request, Body::empty()).await.status, 304);

    // In Chinese, too.
    let at = browser.begin(&request_in(&fixture, &tenant, "zh").await).await;
    let page = browser.get(&at).await;
    for text in ["使用通行密钥登录", "通行密钥需要 JavaScript", "时间过长，请重试。"] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
}

async fn request_in(fixture: &Fixture, tenant: &Tenant, language: &str) -> String {
    request(fixture, tenant, &format!("&ui_locales={language}")).await
}

#[tokio::test]
async fn where_browsers_have_no_passkeys_for_an_address_none_is_offered() {
    let fixture = Fixture::altered("", |parts| ambit_server::server::Parts {
        base_url: BASE.replace("as.example", "192.0.2.7"),
        ..parts
    })
    .await;
    let browser = Browser::new(&fixture);
    let at = browser.begin("/account/").await;
    let page = browser.get(&at).await;
    assert!(page.status == 200 && !page.text.contains("passkey"), "{}", page.text);
}
