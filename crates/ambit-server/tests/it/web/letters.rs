//! What letters lead to: invitations, new passwords, proofs of an address.

use ambit_core::reach::Reach;
use ambit_core::store::sign_in::OneTimeToken;
use ambit_core::store::{By, noun};
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::user::{User, UserStatus};
use axum::http::{Method, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::people::{Browser, PASSWORD, form_token};
use crate::store::Faulty;
use crate::support::{Answer, BASE, Fixture};

const ADA: &str = "ada@shop.example";
const NEW_PASSWORD: &str = "another horse battery staple";

/// A letter, as somebody reads it.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: String,
    /// The text of its first part.
    pub(crate) text: String,
    pub(crate) whole: String,
}

/// The text of a part, from behind its type to its end.
fn decoded(part: &str) -> String {
    let (head, body) = part.split_once("\r\n\r\n").expect("headers");
    let body = body.split("\r\n--").next().expect("an end");
    if head.contains("base64") {
        let octets = BASE64_STANDARD.decode(body.replace("\r\n", "")).expect("base64");
        return String::from_utf8(octets).expect("UTF-8");
    }
    // RFC 2045 §6.7.
    let mut octets = vec![];
    let mut pieces = body.split('=');
    octets.extend_from_slice(pieces.next().expect("a first one").as_bytes());
    for piece in pieces {
        match piece.strip_prefix("\r\n") {
            Some(rest) => octets.extend_from_slice(rest.as_bytes()),
            None if head.contains("quoted-printable") => {
                octets.push(u8::from_str_radix(&piece[..2], 16).expect("an octet"));
                octets.extend_from_slice(&piece.as_bytes()[2..]);
            }
            None => octets.extend_from_slice(format!("={piece}").as_bytes()),
        }
    }
    String::from_utf8(octets).expect("UTF-8")
}

impl Letter {
    fn read(whole: String) -> Self {
        let header = |name: &str| {
            let line = whole.lines().find(|line| line.starts_with(&format!("{name}: ")));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let (_, rest) = whole.split_once("text/plain").expect("a part of plain text");
        let text = decoded(rest);
        Self { to: header("To"), subject: header("Subject"), text, whole }
    }

    /// The path of the one link in it.
    pub(crate) fn path(&self) -> String {
        let mut links = self.text.split_whitespace().filter(|word| word.contains("://"));
        let link = links.next().unwrap_or_else(|| panic!("no link: {}", self.text));
        assert_eq!(links.next(), None, "{}", self.text);
        link.strip_prefix(BASE).unwrap_or_else(|| panic!("a link to elsewhere: {link}")).to_owned()
    }
}

impl Fixture {
    /// The letters that were sent since this was asked last, oldest first.
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let app = self.server.app();
        app.mail.idle().await;
        let folder = app.config.mail_folder();
        let mut paths: Vec<_> =
            std::fs::read_dir(&folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
        // Their names tell their order.
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let letter = Letter::read(std::fs::read_to_string(path).expect("a letter"));
            std::fs::remove_file(path).expect("read once");
            letter
        };
        paths.iter().map(read).collect()
    }

    /// The one letter that was sent.
    pub(crate) async fn letter(&self) -> Letter {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{letters:#?}");
        letters.remove(0)
    }

    pub(crate) async fn user_now(&self, user: &User) -> User {
        let id = user.id.to_string();
        noun::find(&*self.store, By::Id(&id), Reach::Platform).await.expect("the store").expect("the user")
    }
}

/// A tenant, with one person.
async fn shop(settings: Value) -> (Fixture, Tenant, User) {
    let fixture = Fixture::with("trusted_proxies = ['127.0.0.1']").await;
    let tenant = fixture.tenant("shop", settings).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    (fixture, tenant, ada)
}

/// A sign-in that has come to the password.
pub(super) async fn at_password(browser: &Browser<'_>, organisation: &str) -> String {
    let at = browser.begin("/account/").await;
    browser.step(&at, "organisation", &[("organisation", organisation)]).await;
    at
}

/// Asks for a letter as the page offers it.
pub(super) async fn ask(browser: &Browser<'_>, at: &str, what: &str, email: &str) -> Answer {
    let path = format!("{at}/{what}");
    let token = form_token(&browser.get(&path).await);
    browser.post(&path, &[("form", &token), ("email", email)]).await
}

/// Fills the form of a link in.
pub(super) async fn fill(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = form_token(&browser.get(path).await);
    browser.post(path, &[&[("form", token.as_str())], fields].concat()).await
}

async fn signs_in(fixture: &Fixture, organisation: &str, email: &str, password: &str) -> bool {
    let browser = Browser::new(fixture);
    let at = at_password(&browser, organisation).await;
    browser.password(&at, email, password).await.status == 303
}

async fn invited(fixture: &Fixture, tenant: &Tenant, email: &str) -> User {
    let body = json!({"tenant_id": tenant.id, "email": email, "status": "invited"});
    serde_json::from_value(fixture.made(Method::POST, "/users", &body).await).expect("a user")
}

async fn invite(fixture: &Fixture, user: &User) -> Answer {
    fixture.admin(&fixture.root().await, Method::POST, &format!("/users/{}/invitation", user.id), None).await
}

#[tokio::test]
async fn whoever_is_invited_chooses_a_password_once_and_is_in() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    assert!(!signs_in(&fixture, "shop", "kari@shop.example", PASSWORD).await);
    let answer = invite(&fixture, &kari).await;
    assert_eq!((answer.status.as_u16(), &answer.json["email"]), (200, &json!("kari@shop.example")), "{}", answer.text);
    let letter = fixture.letter().await;
    assert_eq!((letter.to.as_str(), letter.subject.as_str()), ("kari@shop.example", "You are invited to SHOP"));
    let path = letter.path();
    assert!(!answer.text.contains(&path), "the link is in the letter and nowhere else");

    // Looking at the page uses nothing up, and no form but the page's own counts.
    let (browser, stranger) = (Browser::new(&fixture), Browser::new(&fixture));
    let page = browser.get(&path).await;
    assert!(page.text.contains("kari@shop.example") && page.text.contains("SHOP"), "{}", page.text);
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
    let others = form_token(&stranger.get(&path).await);
    for token in ["", others.as_str()] {
        assert_eq!(browser.post(&path, &[("form", token), ("password", NEW_PASSWORD)]).await.status, 403);
    }
    for (password, said) in [("", "too short"), ("eleven char", "too short"), ("KARI@shop.example", "must not be")] {
        let answer = fill(&browser, &path, &[("password", password)]).await;
        assert!(answer.status == 422 && answer.text.contains(said), "{password}: {}", answer.text);
        assert!(answer.text.contains(r#"aria-describedby="wrong hint""#), "{}", answer.text);
    }
    let answer = fill(&browser, &path, &[("password", NEW_PASSWORD)]).await;
    let on = answer.header(header::LOCATION).to_owned();
    assert!(answer.status == 303 && on.ends_with("/continue"), "{} {}", answer.status, answer.text);
    assert_eq!(browser.get(&on).await.header(header::LOCATION), "/account/");
    assert!(browser.get("/account/").await.text.contains("kari@shop.example"));
    let now = fixture.user_now(&kari).await;
    assert_eq!((now.status, now.email_verified), (UserStatus::Active, true));
    assert!(signs_in(&fixture, "shop", "kari@shop.example", NEW_PASSWORD).await);

    // The link is used, and nobody is invited twice.
    assert_eq!(browser.get(&path).await.status, 404);
    assert_eq!(stranger.post(&path, &[("form", &others), ("password", PASSWORD)]).await.status, 404);
    let again = invite(&fixture, &kari).await;
    assert_eq!((again.status.as_u16(), &again.json["type"]), (409, &json!(format!("{BASE}/errors/api/conflict"))));
    assert!(fixture.letters().await.is_empty());
}

#[tokio::test]
async fn an_invitation_is_good_for_a_week_until_the_next_one_and_until_it_is_withdrawn() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    let browser = Browser::new(&fixture);
    let status = async |path: &str| browser.get(path).await.status.as_u16();
    let send = async || {
        assert_eq!(invite(&fixture, &kari).await.status, 200);
        fixture.letter().await.path()
    };
    let first = send().await;
    let second = send().await;
    assert_eq!((status(&first).await, status(&second).await), (404, 200));
    fixture.clock.advance_secs(7 * 86_400 - 1);
    assert_eq!(status(&second).await, 200);
    fixture.clock.advance_secs(1);
    assert_eq!(status(&second).await, 404);

    let third = send().await;
    let token = form_token(&browser.get(&third).await);
    let path = format!("/users/{}/invitation", kari.id);
    assert_eq!(fixture.admin(&fixture.root().await, Method::DELETE, &path, None).await.status, 204);
    assert_eq!(status(&third).await, 404);
    assert_eq!(browser.post(&third, &[("form", &token), ("password", PASSWORD)]).await.status, 404);

    // Another address, another person's link; and whoever is disabled does not come.
    for change in [json!({"email": "kari@elsewhere.example"}), json!({"status": "disabled"})] {
        let link = send().await;
        let token = form_token(&browser.get(&link).await);
        fixture.made(Method::PATCH, &format!("/users/{}", kari.id), &change).await;
        assert_eq!(status(&link).await, 404, "{change}");
        assert_eq!(browser.post(&link, &[("form", &token), ("password", PASSWORD)]).await.status, 404, "{change}");
    }
}

#[tokio::test]
async fn an_invited_person_sets_up_a_second_factor_where_everybody_has_one() {
    let (fixture, tenant, _) = shop(json!({"mfa": "required"})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    invite(&fixture, &kari).await;
    let path = fixture.letter().await.path();
    let browser = Browser::new(&fixture);
    let answer = fill(&browser, &path, &[("password", NEW_PASSWORD)]).await;
    let at = answer.header(header::LOCATION).to_owned();
    assert!(answer.status == 303 && at.starts_with("/sign-in/") && !at.ends_with("/continue"), "{at}");
    assert!(browser.get(&at).await.text.contains("Set up an authenticator app"));
    assert_eq!(browser.get("/account/").await.status, 303, "nobody is in yet");
}

#[tokio::test]
async fn of_those_who_follow_a_link_at_once_one_sets_the_password() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    invite(&fixture, &kari).await;
    let invitation = fixture.letter().await.path();
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    ask(&browser, &at, "forgotten", ADA).await;
    let new_password = fixture.letter().await.path();
    for (path, done) in [(invitation, 303), (new_password, 200)] {
        let browsers: Vec<_> = (0..4).map(|_| Browser::new(&fixture)).collect();
        let mut ready = vec![];
        for browser in &browsers {
            ready.push((browser, form_token(&browser.get(&path).await)));
        }
        let all = ready.iter().enumerate().map(async |(n, (browser, token))| {
            let password = format!("the long password of {n}");
            browser.post(&path, &[("form", token), ("password", &password)]).await.status.as_u16()
        });
        let mut statuses = futures_util::future::join_all(all).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [done, 404, 404, 404], "{path}");
    }
}

#[tokio::test]
async fn a_letter_has_no_link_but_ours_and_speaks_the_language_of_its_reader() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let evil = "Win.example https://evil.example/<a href=\"https://evil.example\">x</a>@evil";
    let path = format!("/tenants/{}", tenant.id);
    fixture.made(Method::PATCH, &path, &json!({"branding": {"logo_text": evil}})).await;
    let body = json!({
        "tenant_id": tenant.id, "email": "li@shop.example", "status": "invited", "locale": "zh-CN",
        "display_name": "see https://evil.example/name",
    });
    let li: User = serde_json::from_value(fixture.made(Method::POST, "/users", &body).await).expect("a user");
    invite(&fixture, &li).await;
    let letter = fixture.letter().await;
    assert!(letter.text.contains("管理员"), "{}", letter.text);
    assert!(letter.path().starts_with("/invitation/"));
    // Quoted-printable or not: no scheme, no host and no element of somebody else's.
    for part in letter.whole.split("Content-Type:").skip(2) {
        let text = decoded(part);
        let foreign = text.replace(BASE, "");
        for link in ["http:", "https:", "evil.example", "Win.example", "@evil"] {
            assert!(!foreign.contains(link), "{link}: {text}");
        }
        // In the part that is HTML markup is text, but for our own link.
        assert!(!part.starts_with(" text/html") || foreign.matches("<a ").count() == 1, "{text}");
    }
}

/// attacks.md C10 257: what a name is longer than a name, or turns the letters behind it round, is left out.
#[tokio::test]
async fn the_name_in_a_letter_is_one_short_line_of_what_can_be_seen() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    let path = format!("/tenants/{}", tenant.id);
    for (name, shown) in [
        (format!("Acme {}", "x".repeat(75)), format!("Acme {}", "x".repeat(75))),
        (format!("Acme {}", "x".repeat(76)), format!("Acme {}…", "x".repeat(74))),
        ("Ac\u{202e}me\u{200b}\u{2066} \u{2003} Shop\u{2028}\u{2028}Bcc".to_owned(), "Acme Shop Bcc".to_owned()),
    ] {
        fixture.made(Method::PATCH, &path, &json!({"branding": {"logo_text": name}})).await;
        invite(&fixture, &kari).await;
        let letter = fixture.letter().await;
        assert!(
            letter.text.contains(&format!("{shown} ")) || letter.text.contains(&format!("{shown}.")),
            "{letter:#?}"
        );
        for part in letter.whole.split("Content-Type:").skip(2) {
            let text = decoded(part);
            let strange = text.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{2028}', '\u{2003}']);
            assert!(!strange && (name == shown || !text.contains(&name)), "{text}");
        }
    }
}

#[tokio::test]
async fn a_new_password_is_set_once_by_the_link_and_ends_everything_of_before() {
    let (fixture, _, ada) = shop(json!({})).await;
    let (here, elsewhere) = (Browser::new(&fixture), Browser::new(&fixture));
    let at = at_password(&elsewhere, "shop").await;
    elsewhere.password(&at, ADA, PASSWORD).await;
    elsewhere.get(&format!("{at}/continue")).await;
    assert_eq!(elsewhere.get("/account/").await.status, 200);

    let at = at_password(&here, "shop").await;
    assert!(here.get(&at).await.text.contains(&format!("{at}/forgotten")));
    assert_eq!(ask(&here, &at, "forgotten", "Ada@Shop.example").await.status, 200);
    let path = fixture.letter().await.path();
    // Asked for and not used: nothing has changed.
    assert!(signs_in(&fixture, "shop", ADA, PASSWORD).await);
    let answer = fill(&here, &path, &[("password", NEW_PASSWORD)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(here.cookie("__Host-ambit-session").is_none(), "it signs nobody in");
    assert_eq!(elsewhere.get("/account/").await.status, 303, "the session of before has ended");
    assert!(fixture.store.sign_ins().sessions_of(ada.id).await.expect("sessions").is_empty());
    assert!(!signs_in(&fixture, "shop", ADA, PASSWORD).await);
    assert!(signs_in(&fixture, "shop", ADA, NEW_PASSWORD).await);
    let told = fixture.letter().await;
    assert_eq!((told.to.as_str(), told.subject.as_str()), (ADA, "Your password for SHOP was changed"));
    assert!(!told.text.contains("://"), "{}", told.text);
    // Not again, by anybody.
    assert_eq!(here.get(&path).await.status, 404);
    assert_eq!(elsewhere.post(&path, &[("password", PASSWORD)]).await.status, 404);
}

/// attacks.md C4 85 and C5 94.
#[tokio::test]
async fn what_was_lent_before_a_new_password_is_worth_nothing_even_where_it_would_outlive_the_session() {
    let shop = super::shop::Shop::new().await;
    let (mut visitor, _) = super::visitor::Visitor::of(&shop.fixture, &shop.ada).await;
    let scope = "openid offline_access shop:list";
    let asked = shop.asks(&mut visitor, scope, &[]).await;
    let tokens = shop.redeemed(&asked.allow(&mut visitor, &["offline_access", "shop:list"]).await).await;
    let back = shop.asks(&mut visitor, scope, &[]).await.answer;
    let browser = Browser::new(&shop.fixture);
    let at = at_password(&browser, "acme").await;
    ask(&browser, &at, "forgotten", "ada@acme.example").await;
    let path = shop.fixture.letter().await.path();
    assert_eq!(fill(&browser, &path, &[("password", NEW_PASSWORD)]).await.status, 200);
    let renewed = shop.renew(&tokens).await;
    for answer in [shop.redeem(&back).await, renewed] {
        assert_eq!((answer.status.as_u16(), &answer.json["error"]), (400, &json!("invalid_grant")), "{}", answer.text);
    }
}

#[tokio::test]
async fn no_way_leads_to_a_new_password_but_the_link_and_its_form() {
    let (fixture, tenant, ada) = shop(json!({})).await;
    let eve = fixture.person(Some(&tenant), "eve@shop.example").await;
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    ask(&browser, &at, "forgotten", "eve@shop.example").await;
    let path = fixture.letter().await.path();
    let token = form_token(&browser.get(&path).await);
    let before = async || (fixture.credentials_of(&ada).await.password, fixture.credentials_of(&eve).await.password);
    let same = async |kept: &(Option<_>, Option<_>)| format!("{:?}", before().await) == format!("{kept:?}");
    let kept = before().await;
    // Without a token, with one of another end, with the form of another page, empty, or twice over.
    let signing_in = form_token(&browser.get(&at).await);
    let invitation = path.replace("/new-password/", "/invitation/");
    let confirmation = path.replace("/new-password/", "/confirm-address/");
    for (path, fields, status) in [
        (path.as_str(), vec![], 403),
        (&path, vec![("form", signing_in.as_str()), ("password", NEW_PASSWORD)], 403),
        (&path, vec![("form", token.as_str())], 422),
        (&path, vec![("form", &token), ("password", NEW_PASSWORD), ("password", NEW_PASSWORD)], 422),
        (&invitation, vec![("form", &token), ("password", NEW_PASSWORD)], 404),
        (&confirmation, vec![("form", &token), ("password", NEW_PASSWORD)], 404),
        ("/new-password/x", vec![("form", &token), ("password", NEW_PASSWORD)], 404),
    ] {
        let answer = browser.post(path, &fields).await;
        assert_eq!(answer.status, status, "{path} {fields:?} {}", answer.text);
        assert!(same(&kept).await, "{path} {fields:?}");
    }
    // Steps of the sign-in that would belong behind it, or "another way": none sets anything, and nobody is in.
    for step in ["password", "second-factor", "enrolment", "forgotten", "new-password", "continue"] {
        browser
            .post(&format!("{at}/{step}"), &[("form", &signing_in), ("email", ADA), ("password", NEW_PASSWORD)])
            .await;
        assert!(browser.cookie("__Host-ambit-session").is_none() && same(&kept).await, "{step}");
    }
    // The link is eve's, whatever its form says of somebody else.
    let swapped = [("form", token.as_str()), ("password", NEW_PASSWORD), ("email", ADA), ("user", &ada.id.to_string())];
    assert_eq!(browser.post(&path, &swapped).await.status, 200);
    assert!(signs_in(&fixture, "shop", ADA, PASSWORD).await && !signs_in(&fixture, "shop", ADA, NEW_PASSWORD).await);
    assert!(signs_in(&fixture, "shop", "eve@shop.example", NEW_PASSWORD).await);
}

#[tokio::test]
async fn a_link_to_a_new_password_is_good_for_half_an_hour_and_for_whom_it_was_sent_to() {
    let (fixture, _, ada) = shop(json!({})).await;
    let browser = Browser::new(&fixture);
    let send = async || {
        let at = at_password(&browser, "shop").await;
        ask(&browser, &at, "forgotten", ADA).await;
        fixture.letter().await.path()
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((browser.get(&first).await.status.as_u16(), browser.get(&second).await.status.as_u16()), (404, 200));
    fixture.clock.advance_secs(1799);
    assert_eq!(browser.get(&second).await.status, 200);
    fixture.clock.advance_secs(1);
    assert_eq!(browser.get(&second).await.status, 404);
    let path = format!("/users/{}", ada.id);
    for change in [json!({"status": "disabled"}), json!({"email": "ada@new.example"})] {
        fixture.made(Method::PATCH, &path, &json!({"status": "active"})).await;
        let third = send().await;
        let token = form_token(&browser.get(&third).await);
        fixture.made(Method::PATCH, &path, &change).await;
        assert_eq!(browser.get(&third).await.status, 404, "{change}");
        assert_eq!(browser.post(&third, &[("form", &token), ("password", NEW_PASSWORD)]).await.status, 404, "{change}");
    }
    assert!(signs_in(&fixture, "shop", "ada@new.example", PASSWORD).await);
}

#[tokio::test]
async fn a_new_password_leads_around_no_second_factor() {
    let (fixture, _, ada) = shop(json!({})).await;
    let app = fixture.app_of(&ada).await;
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    ask(&browser, &at, "forgotten", ADA).await;
    let path = fixture.letter().await.path();
    assert_eq!(fill(&browser, &path, &[("password", NEW_PASSWORD)]).await.status, 200);
    assert_eq!(fixture.credentials_of(&ada).await.totp.len(), 1, "the app is still there");
    let at = at_password(&browser, "shop").await;
    let answer = browser.password(&at, ADA, NEW_PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, at.as_str()));
    assert!(browser.cookie("__Host-ambit-session").is_none());
    browser.step(&at, "second-factor", &[("code", &fixture.code(&app))]).await;
    assert!(browser.cookie("__Host-ambit-session").is_some());
}

/// attacks.md C10 237: otherwise any page could have letters sent in the name of whoever looks at it.
#[tokio::test]
async fn a_letter_is_asked_for_on_our_own_page() {
    let (fixture, _, _) = shop(json!({"self_registration": true})).await;
    let (browser, stranger) = (Browser::new(&fixture), Browser::new(&fixture));
    let at = at_password(&browser, "shop").await;
    let others = form_token(&stranger.get(&at_password(&stranger, "shop").await).await);
    for what in ["forgotten", "register"] {
        let path = format!("{at}/{what}");
        for token in ["", "x", others.as_str()] {
            let answer = browser.post(&path, &[("form", token), ("email", ADA)]).await;
            assert_eq!(answer.status, 403, "{what} {token}");
        }
    }
    assert!(fixture.letters().await.is_empty());
    assert_eq!(ask(&browser, &at, "forgotten", ADA).await.status, 200);
}

/// The tenant's status rules every door (identity.md §4), and a letter is one of them.
#[tokio::test]
async fn no_letter_leads_into_a_tenant_that_is_shut() {
    let (fixture, tenant, _) = shop(json!({"self_registration": true})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    invite(&fixture, &kari).await;
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    ask(&browser, &at, "forgotten", ADA).await;
    ask(&browser, &at, "register", "new@shop.example").await;
    let mut links = vec![];
    for letter in fixture.letters().await {
        let link = letter.path();
        links.push((form_token(&browser.get(&link).await), link));
    }
    assert_eq!(links.len(), 3);
    let asking = form_token(&browser.get(&format!("{at}/forgotten")).await);
    let path = format!("/tenants/{}/status", tenant.id);
    fixture.made(Method::POST, &path, &json!({"status": "suspended"})).await;
    for (token, link) in &links {
        assert_eq!(browser.get(link).await.status, 404, "{link}");
        let fields = [("form", token.as_str()), ("name", "New"), ("password", NEW_PASSWORD)];
        assert_eq!(browser.post(link, &fields).await.status, 404, "{link}");
    }
    browser.post(&format!("{at}/forgotten"), &[("form", &asking), ("email", ADA)]).await;
    assert!(fixture.letters().await.is_empty(), "and none is sent");
    fixture.made(Method::POST, &path, &json!({"status": "active"})).await;
    for (_, link) in &links {
        assert_eq!(browser.get(link).await.status, 200, "{link}");
    }
}

/// Between the look at a link and the change that it makes a password is hashed, and somebody else may be quicker.
#[tokio::test]
async fn what_changed_while_the_form_of_a_link_was_on_its_way_counts() {
    let (fixture, store) = Faulty::fixture("").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let ada = fixture.person(Some(&tenant), ADA).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    let browser = Browser::new(&fixture);
    let of = |user: &User| format!("/users/{}", user.id);
    let meanwhile = async |link: &str, changes: &[(Method, String, Value)]| {
        let token = form_token(&browser.get(link).await);
        let fields = [("form", token.as_str()), ("password", NEW_PASSWORD)];
        let posted = store.meanwhile("use_one_time_token", browser.post(link, &fields), async || {
            for (method, path, body) in changes {
                let answer = fixture.admin(&fixture.root().await, method.clone(), path, Some(body)).await;
                assert!(answer.status.is_success(), "{path}: {}", answer.text);
            }
        });
        posted.await.status.as_u16()
    };

    invite(&fixture, &kari).await;
    let link = fixture.letter().await.path();
    let come = [
        (Method::PUT, format!("{}/password", of(&kari)), json!({"password": PASSWORD})),
        (Method::PATCH, of(&kari), json!({"status": "active"})),
    ];
    assert_eq!(meanwhile(&link, &come).await, 404, "they have come by another way");
    assert!(signs_in(&fixture, "shop", "kari@shop.example", PASSWORD).await);

    let at = at_password(&browser, "shop").await;
    ask(&browser, &at, "forgotten", ADA).await;
    let link = fixture.letter().await.path();
    let kept = format!("{:?}", fixture.credentials_of(&ada).await.password);
    assert_eq!(meanwhile(&link, &[(Method::PATCH, of(&ada), json!({"status": "disabled"}))]).await, 404);
    assert_eq!(format!("{:?}", fixture.credentials_of(&ada).await.password), kept);

    let back = json!({"status": "active", "email": "ada@new.example"});
    fixture.made(Method::PATCH, &of(&ada), &back).await;
    let at = at_password(&browser, "shop").await;
    browser.password(&at, "ada@new.example", PASSWORD).await;
    let account = browser.get("/account/").await;
    browser.post("/account/confirm-address", &[("form", &form_token(&account))]).await;
    let link = fixture.letter().await.path();
    let moved = json!({"email": "ada@newer.example"});
    assert_eq!(meanwhile(&link, &[(Method::PATCH, of(&ada), moved)]).await, 404);
    assert!(!fixture.user_now(&ada).await.email_verified);
}

#[tokio::test]
async fn neither_text_nor_status_nor_order_tells_whether_a_letter_is_sent() {
    let (fixture, tenant, _) = shop(json!({})).await;
    fixture.person_with(Some(&tenant), "off@shop.example", UserStatus::Disabled, None).await;
    fixture.person_with(Some(&tenant), "new@shop.example", UserStatus::Invited, None).await;
    fixture.person(None, "root@as.example").await;
    let mut seen = vec![];
    for email in [ADA, "nobody@shop.example", "off@shop.example", "new@shop.example", "root@as.example", "no address"] {
        let browser = Browser::new(&fixture);
        let at = at_password(&browser, "shop").await;
        let answer = ask(&browser, &at, "forgotten", email).await;
        assert!(!answer.text.contains(email), "{}", answer.text);
        seen.push((answer.status.as_u16(), answer.text));
    }
    assert!(seen.iter().all(|one| *one == seen[0]) && seen[0].0 == 200, "{seen:#?}");
    let letters = fixture.letters().await;
    assert_eq!(letters.iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(), [ADA]);
}

#[tokio::test]
async fn the_answer_does_not_wait_for_anybody_to_be_looked_up() {
    // All places for letters are taken: whatever is asked for now is never written, and the answer is the same.
    let (fixture, store) = Faulty::fixture("mail.transport = 'file'\nmail.queue = 1").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    fixture.person(Some(&tenant), ADA).await;
    let app = fixture.server.app();
    app.mail.post("0af7651916cd43dd8448eb211c80319c".parse().expect("a trace"), std::future::pending());
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    let looked_up = store.calls(&["find_row", "list_rows"]);
    assert_eq!(ask(&browser, &at, "forgotten", ADA).await.status, 200);
    assert_eq!(store.calls(&["find_row", "list_rows"]), looked_up);
    assert_eq!(app.mail.counts().dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
    let kept = fixture.server.app().metrics.render(app);
    assert!(kept.contains(r#"ambit_mail_letters_total{outcome="dropped"} 1"#), "{kept}");
}

#[tokio::test]
async fn so_many_letters_go_to_one_account_and_so_many_are_asked_for_from_one_place() {
    let (fixture, _, _) = shop(json!({})).await;
    let asked = async |email: &str, address: &'static str| {
        let browser = Browser::at(&fixture, address);
        let at = at_password(&browser, "shop").await;
        ask(&browser, &at, "forgotten", email).await.status.as_u16()
    };
    // To one account, whether there is one or not, from wherever.
    for email in [ADA, "nobody@shop.example"] {
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"];
        let mut statuses = vec![];
        for address in addresses {
            statuses.push(asked(email, address).await);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 200, 429], "{email}");
    }
    assert_eq!(fixture.letters().await.len(), 5);
    // From one place, to whomever.
    let mut told = 0;
    for n in 0..31 {
        told += u32::from(asked(&format!("n{n}@shop.example"), "198.51.100.1").await == 200);
    }
    assert_eq!(told, 30);
    fixture.clock.advance_secs(3600);
    assert_eq!(asked(ADA, "198.51.100.1").await, 200);
}

#[tokio::test]
async fn where_no_letters_are_sent_nothing_is_offered_that_takes_one_and_administrators_are_told_why() {
    let fixture = Fixture::with("mail.transport = 'off'").await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    assert!(!browser.get(&at).await.text.contains("forgotten"));
    let page = browser.get(&format!("{at}/forgotten")).await;
    assert!(page.status == 404 && page.text.contains("No letters are sent here"), "{}", page.text);
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    let refused = invite(&fixture, &kari).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json["detail"].as_str().expect("a detail").contains("[mail]"), "{}", refused.text);
    // Nobody is no conflict, here as on a server with mail.
    let nobody = "/users/usr_00000000000000000000000000/invitation";
    let unknown = fixture.admin(&fixture.root().await, Method::POST, nobody, None).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text);
}

#[tokio::test]
async fn an_address_is_verified_by_its_own_link_and_userinfo_says_so() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let bob = fixture.person(Some(&tenant), "bob@shop.example").await;
    let path = format!("/users/{}", bob.id);
    let unverified = fixture.made(Method::PATCH, &path, &json!({"email": "bob@new.example"})).await;
    assert_eq!(unverified["email_verified"], false);
    let browser = Browser::new(&fixture);
    let at = at_password(&browser, "shop").await;
    browser.password(&at, "bob@new.example", PASSWORD).await;
    let account = browser.get("/account/").await;
    assert!(account.text.contains("/account/confirm-address"), "{}", account.text);
    let asked = browser.post("/account/confirm-address", &[("form", &form_token(&account))]).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let link = fixture.letter().await.path();
    // In whichever browser it is read; looking is not confirming.
    let mailbox = Browser::new(&fixture);
    assert!(mailbox.get(&link).await.text.contains("bob@new.example"));
    assert!(!fixture.user_now(&bob).await.email_verified);
    assert_eq!(mailbox.post(&link, &[("form", "")]).await.status, 403);
    assert_eq!(fill(&mailbox, &link, &[]).await.status, 200);
    assert!(fixture.user_now(&bob).await.email_verified);
    assert_eq!(mailbox.get(&link).await.status, 404);
    assert!(!browser.get("/account/").await.text.contains("/account/confirm-address"));
    // The proof of one address is none of another.
    fixture.made(Method::PATCH, &path, &json!({"email": "bob@newer.example"})).await;
    assert!(!fixture.user_now(&bob).await.email_verified);
    let at = at_password(&browser, "shop").await;
    browser.password(&at, "bob@newer.example", PASSWORD).await;
    let account = browser.get("/account/").await;
    browser.post("/account/confirm-address", &[("form", &form_token(&account))]).await;
    let link = fixture.letter().await.path();
    let token = form_token(&mailbox.get(&link).await);
    fixture.made(Method::PATCH, &path, &json!({"email": "bob@newest.example"})).await;
    assert_eq!(mailbox.post(&link, &[("form", &token)]).await.status, 404);
    assert!(!fixture.user_now(&bob).await.email_verified);
}

#[tokio::test]
async fn what_is_kept_of_a_link_is_its_hash() {
    let (fixture, tenant, _) = shop(json!({})).await;
    let kari = invited(&fixture, &tenant, "kari@shop.example").await;
    invite(&fixture, &kari).await;
    let path = fixture.letter().await.path();
    let token = path.rsplit('/').next().expect("a token");
    let hash = ambit_core::secret::SecretHash::of(token);
    let kept: OneTimeToken =
        fixture.store.sign_ins().find_one_time_token(&hash).await.expect("the store").expect("the link");
    assert_eq!((kept.purpose.as_str(), kept.subject), ("invitation", kari.id.to_string()));
    assert!(!kept.document.contains(token) && token.len() == 43);
}
