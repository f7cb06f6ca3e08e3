//! `GET|POST {issuer}/connect/authorize`: where an answer goes, and what it says.

use ambit_core::authentication::Method as Proof;
use ambit_protocol::admin::user::User;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::people::{Browser, PASSWORD, form_token};
use crate::support::{Answer, START, claims};

use super::lending::{AUTHORIZE, Back, CALLBACK, ISSUER, Lending, query, refresh_token};

/// A quote, a backslash, the end of a line and of a header, and what is not ASCII.
const STRANGE: &str = "x\"\\\r\nSet-Cookie:x=1\r\n\r\n\u{7f}\u{e9}\u{202e}";

#[tokio::test]
async fn a_person_who_is_signed_in_and_consented_goes_back_with_a_code() {
    let lending = Lending::new().await;
    let answer = lending.authorize(&[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let back = Back::of(&answer);
    assert!(back.get("code").is_some_and(|code| code.starts_with("ambit_ac_") && code.len() == 52));
    assert_eq!(back.get("state"), Some("a state & more"), "as it came");
    assert_eq!(back.get("iss"), Some(ISSUER), "RFC 9207");
    assert_eq!(back.get("error"), None);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
    // attacks.md C2 65: what writes headers down for debugging does not write the code down.
    let written = format!("{:?}", answer.headers);
    assert!(written.contains("no-referrer") && !written.contains("ambit_ac_"), "{written}");

    // The same as a form.
    let request = Request::post(AUTHORIZE)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, lending.sign_in(&[Proof::Password]).await);
    let answer = lending.fixture.send(request.body(Body::from(query(&[]))).expect("a request")).await;
    assert!(Back::of(&answer).get("code").is_some(), "{}", answer.text);
}

/// RFC 6749 App. B. Nothing of it is changed on the way: `state` is "the exact value received" (§4.1.2), or there is no answer.
#[tokio::test]
async fn octets_that_are_no_utf_8_are_refused_however_they_are_sent() {
    let lending = Lending::new().await;
    let cookie = lending.sign_in(&[Proof::Password]).await;
    for raw in [&b"&nonce=\xff"[..], b"&nonce=%FF", b"&ui_locales=\xc3\x28"] {
        let request = Request::post(AUTHORIZE)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, &cookie);
        let body = [query(&[]).as_bytes(), raw].concat();
        let answer = lending.fixture.send(request.body(Body::from(body)).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{raw:?}: {}", answer.text);
        assert!(answer.text.contains("not valid UTF-8"), "{raw:?}: {}", answer.text);
    }
}

/// attacks.md C2 41 to 46, 49, 51: nothing is sent anywhere until the redirect URI is proven.
#[tokio::test]
async fn an_address_that_is_not_registered_is_never_gone_to() {
    let lending = Lending::new().await;
    for other in [
        "https://evil.example/cb",
        "https://shop.example/cb/",
        "https://shop.example/cb/../evil",
        "https://shop.example/cb%2f..",
        "https://shop.example//cb",
        "https://shop.example/cb?x",
        "https://shop.example/cb#x",
        "https://shop.example:443/cb",
        "https://SHOP.example/cb",
        "http://shop.example/cb",
        "https://shop.example@evil.example/cb",
        "https://evil.example\\@shop.example/cb",
        "https://shop.example.evil.example/cb",
        "https://shopXexample/cb",
        "javascript:alert(1)",
        "//shop.example/cb",
        " https://shop.example/cb",
        "https://shop.example/cb\r\nLocation: https://evil.example",
        "http://127.0.0.1/cb",
    ] {
        let answer = lending.authorize(&[("redirect_uri", other)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{other}: {}", answer.text);
        assert!(!answer.headers.contains_key(header::LOCATION), "{other}");
        assert!(answer.text.contains("Trace <code>"), "{other}");
        assert!(!answer.text.contains("<script"), "{other}");
    }
    // Another application's address, of this tenant and of another one.
    let fixture = &lending.fixture;
    let bolt = fixture.made(Method::POST, "/tenants", &json!({ "name": "Bolt", "slug": "bolt" })).await;
    for (client_id, tenant_id, uri) in [
        ("till", &json!(lending.tenant_id), "https://till.example/cb"),
        ("bolt", &bolt["id"], "https://bolt.example/cb"),
    ] {
        let other = json!({
            "name": "Other", "type": "web", "level": "tenant", "tenant_id": tenant_id, "client_id": client_id,
            "allowed_scopes": ["openid"], "redirect_uris": [uri],
        });
        fixture.made(Method::POST, "/applications", &other).await;
        let answer = lending.authorize(&[("redirect_uri", uri)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}: {}", answer.text);
        assert!(!answer.headers.contains_key(header::LOCATION), "{uri}");
        let slug = if tenant_id == &bolt["id"] { "bolt" } else { "acme" };
        let own = query(&[("client_id", client_id), ("redirect_uri", uri), ("prompt", "none")]);
        let answer = fixture.get(&format!("/tenants/{slug}/connect/authorize?{own}")).await;
        assert!(answer.header(header::LOCATION).starts_with(uri), "where it is registered: {}", answer.text);
    }
    // The page shows what was sent, as text.
    let answer = lending.authorize(&[("redirect_uri", "https://x.example/<b>")]).await;
    assert!(answer.text.contains("https://x.example/&#60;b&#62;") && !answer.text.contains("<b>"), "{}", answer.text);
}

/// attacks.md C2 51, RFC 6749 §3.1: one of two would be looked at, and the other one used.
#[tokio::test]
async fn what_is_sent_twice_is_not_chosen_from() {
    let lending = Lending::new().await;
    for (name, value, other) in [
        ("redirect_uri", CALLBACK, "https://evil.example"),
        ("response_mode", "query", "form_post"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "x"),
        ("code_challenge_method", "S256", "plain"),
    ] {
        let once = query(&[(name, value)]);
        for twice in
            [format!("{once}&{name}={other}"), format!("{name}={other}&{once}"), format!("{once}&{name}={value}")]
        {
            let answer = lending.fixture.get(&format!("{AUTHORIZE}?{twice}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{twice}");
            assert!(answer.text.contains("repeated"), "{twice}: {}", answer.text);
        }
        assert!(Back::of(&lending.authorize(&[(name, value)]).await).get("code").is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_client_that_is_unknown_disabled_or_anothers_leads_nowhere() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let told = |answer: &Answer| {
        let trace = answer.text.find("Trace").expect("a trace");
        (answer.status, answer.text[..trace].to_owned())
    };
    let unknown = lending.authorize(&[("client_id", "nobody")]).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    // The platform's issuer has no tenant's application, and no tenant has another's.
    fixture.made(Method::POST, "/tenants", &json!({ "name": "Bolt", "slug": "bolt" })).await;
    for path in ["/connect/authorize", "/tenants/bolt/connect/authorize"] {
        let answer = fixture.get(&format!("{path}?{}", query(&[]))).await;
        assert_eq!(told(&answer).0, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(
            told(&answer).1.replace("shop", "x"),
            told(&unknown).1.replace("nobody", "x"),
            "{path}: as one that does not exist"
        );
    }
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    fixture.made(Method::PATCH, &path, &json!({ "status": "disabled" })).await;
    assert_eq!(lending.authorize(&[]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn one_registered_address_need_not_be_named_and_of_several_one_must() {
    let lending = Lending::new().await;
    assert!(Back::of(&lending.authorize(&[("redirect_uri", "")]).await).get("code").is_some());
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    let both = json!({ "redirect_uris": [CALLBACK, "https://shop.example/other"] });
    lending.fixture.made(Method::PATCH, &path, &both).await;
    let answer = lending.authorize(&[("redirect_uri", "")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("several"), "{}", answer.text);
    // attacks.md C2 45: of none, none. The first one that is seen is not the right one.
    let none = json!({ "redirect_uris": [], "grant_types": ["refresh_token"] });
    lending.fixture.made(Method::PATCH, &path, &none).await;
    for uri in ["", CALLBACK, "https://evil.example/cb"] {
        let answer = lending.authorize(&[("redirect_uri", uri)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}: {:?}", answer.headers);
        assert!(!answer.headers.contains_key(header::LOCATION), "{uri}");
    }
}

/// What is wrong once the address is proven is told to the application, with `state` and `iss`.
#[tokio::test]
async fn mistakes_go_back_to_the_application() {
    let lending = Lending::new().await;
    for (own, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_type", "id_token token")], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("response_mode", "web_message")], "invalid_request"),
        (&[("response_mode", "nonsense")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("request", "e30")], "request_not_supported"),
        (&[("request_uri", "urn:x")], "request_uri_not_supported"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("claims", "{")], "invalid_request"),
        (&[("resource", "nothing")], "invalid_target"),
        (&[("resource", "https://nobody.example")], "invalid_target"),
        (&[("scope", "openid admin:write")], "invalid_scope"),
        (&[("scope", "openid nonsense")], "invalid_scope"),
        (
            &[("claims", r#"{"id_token":{"acr":{"essential":true,"value":"gold"}}}"#)],
            "unmet_authentication_requirements",
        ),
        // attacks.md C2 57: what is quoted back keeps to the characters of RFC 6749 §4.1.2.1.
        (&[("response_type", STRANGE)], "unsupported_response_type"),
        (&[("response_mode", STRANGE)], "invalid_request"),
        (&[("code_challenge_method", STRANGE)], "invalid_request"),
        (&[("prompt", STRANGE)], "invalid_request"),
        (&[("max_age", STRANGE)], "invalid_request"),
        (&[("resource", STRANGE)], "invalid_target"),
        (&[("scope", STRANGE)], "invalid_scope"),
    ] {
        let answer = lending.authorize(own).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{own:?}");
        let back = Back::of(&answer);
        assert_eq!(back.get("error"), Some(error), "{own:?}");
        assert_eq!(back.get("code"), None);
        assert_eq!(back.get("iss"), Some(ISSUER));
        assert_eq!(back.get("state"), Some("a state & more"));
        let told = back.get("error_description").expect("words");
        assert!(told.bytes().all(|b| matches!(b, b' '..=b'~') && !b"\"\\".contains(&b)), "{own:?}: {told:?}");
        let page = back.get("error_uri").and_then(|uri| uri.strip_prefix("https://as.example")).expect("a page");
        assert_eq!(lending.fixture.get(page).await.status, StatusCode::OK, "{page}");
    }
    for (names, is_taken) in [(49, true), (50, true), (51, false)] {
        let named = |names: std::ops::Range<u32>| names.map(|n| (format!("c{n}"), Value::Null)).collect::<Value>();
        let both = json!({ "id_token": named(0..20), "userinfo": named(20..names) }).to_string();
        let back = Back::of(&lending.authorize(&[("claims", &both)]).await);
        assert_eq!(back.get("code").is_some(), is_taken, "{names}: {back:?}");
        assert_eq!(back.get("error"), (!is_taken).then_some("invalid_request"), "{names}: {back:?}");
    }
    let many = Back::of(&lending.authorize(&[("scope", &"x ".repeat(513))]).await);
    assert!(many.get("error_description").is_some_and(|text| text.contains("more than 512 scopes")), "{many:?}");
    let unknown = Back::of(&lending.authorize(&[("scope", "openid shoper.read")]).await);
    assert!(unknown.get("error_description").is_some_and(|text| text.contains("did you mean 'shopper.read'?")));
}

/// attacks.md C2 57, 67.
#[tokio::test]
async fn what_is_strange_is_carried_or_ignored_and_what_is_huge_is_refused() {
    let lending = Lending::new().await;
    let state = "\"><script>alert(1)</script>\u{1F600}\r\nSet-Cookie: x=1\r\n\r\n<p>";
    let own = [("state", state), ("foo", "bar"), ("__proto__", "x"), ("scope[]", "admin:write")];
    let answer = lending.authorize(&own).await;
    assert_eq!(Back::of(&answer).get("state"), Some(state));
    assert!(!answer.headers.contains_key(header::SET_COOKIE), "{:?}", answer.headers);
    let answer = lending.authorize(&[("state", state), ("response_mode", "form_post")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.text.contains("<script>alert") && answer.text.contains("&#60;script&#62;"), "{}", answer.text);
    assert!(answer.text.contains("name=\"code\"") && answer.text.contains("name=\"iss\""));
    assert!(answer.text.contains(&format!("action=\"{CALLBACK}\"")));
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
    let policy = answer.header(header::CONTENT_SECURITY_POLICY);
    assert!(
        policy.contains("form-action 'self' https://shop.example") && policy.contains("script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("script-src 'unsafe"), "{policy}");
    for (name, length) in [("state", 4097), ("nonce", 1025)] {
        let long = "x".repeat(length);
        let back = Back::of(&lending.authorize(&[(name, &long)]).await);
        assert_eq!(back.get("error"), Some("invalid_request"), "{name}");
    }
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_may_be() {
    let lending = Lending::unasked().await;
    let none = ("prompt", "none");
    let nobody = Back::of(&lending.authorize_with("", &[none]).await);
    assert_eq!((nobody.get("error"), nobody.get("code")), (Some("login_required"), None));
    assert_eq!(Back::of(&lending.authorize(&[none]).await).get("error"), Some("consent_required"));
    lending.consent("openid profile shopper.read").await;
    assert!(Back::of(&lending.authorize(&[none]).await).get("code").is_some());
    // Somebody else is expected, the proof is too old, or too weak.
    let own = [none, ("id_token_hint", "e30.e30.x")];
    assert_eq!(Back::of(&lending.authorize(&own).await).get("error"), Some("login_required"));
    let id = lending.user["id"].as_str().expect("an id");
    let values = [json!({ "value": id }), json!({ "values": ["usr_x", id], "essential": true }), json!(null)];
    for (wanted, is_lent) in values.iter().map(|wanted| (wanted, true)).chain([
        (&json!({ "value": "usr_00000000000000000000000000" }), false),
        (&json!({ "value": "" }), false),
        (&json!({ "values": ["somebody"] }), false),
    ]) {
        let claims = json!({ "id_token": { "sub": wanted } }).to_string();
        let back = Back::of(&lending.authorize(&[none, ("claims", &claims)]).await);
        assert_eq!(back.get("code").is_some(), is_lent, "{claims}");
        assert_eq!(back.get("error"), (!is_lent).then_some("login_required"), "{claims}");
    }
    assert_eq!(Back::of(&lending.authorize(&[none, ("max_age", "0")]).await).get("error"), Some("login_required"));
    lending.fixture.clock.advance_secs(61);
    assert_eq!(Back::of(&lending.authorize(&[none, ("max_age", "60")]).await).get("error"), Some("login_required"));
    assert!(Back::of(&lending.authorize(&[none, ("max_age", "61")]).await).get("code").is_some());
    let strong = [none, ("acr_values", "urn:ambit:aal2")];
    assert_eq!(Back::of(&lending.authorize(&strong).await).get("error"), Some("login_required"));
    let cookie = lending.sign_in(&[Proof::Password, Proof::Otp]).await;
    assert!(Back::of(&lending.authorize_with(&cookie, &strong).await).get("code").is_some());
}

/// attacks.md C10 243 and C13 291: a cookie that was never ours, or is over, is nobody.
#[tokio::test]
async fn without_a_session_of_this_tenant_the_person_is_asked_who_they_are() {
    let lending = Lending::new().await;
    let invented = format!("__Host-ambit-session={}", "A".repeat(43));
    for cookie in ["", &invented, "ambit-session=x"] {
        let answer = lending.authorize_with(cookie, &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{cookie}");
        let location = answer.header(header::LOCATION);
        assert!(location.starts_with("/sign-in/"), "{location}");
        assert!(answer.header(header::SET_COOKIE).contains("HttpOnly; SameSite=Lax"), "a browser to come back");
    }
    // Somebody of another tenant, signed in, is nobody here.
    let bolt = lending.fixture.made(Method::POST, "/tenants", &json!({ "name": "Bolt", "slug": "bolt" })).await;
    let other = json!({ "tenant_id": bolt["id"], "email": "eve@bolt.example" });
    let eve = lending.fixture.made(Method::POST, "/users", &other).await;
    let mut lending = lending;
    lending.user = eve;
    let cookie = lending.sign_in(&[Proof::Password]).await;
    let answer = lending.authorize_with(&cookie, &[]).await;
    assert!(answer.header(header::LOCATION).starts_with("/sign-in/"), "{:?}", answer.headers);
    // Not because she has not consented: she is not signed in.
    let silently = lending.authorize_with(&cookie, &[("prompt", "none")]).await;
    assert_eq!(Back::of(&silently).get("error"), Some("login_required"));
}

/// OpenID Connect Core §3.1.2.1, `id_token_hint`: whom the application expects, or an error; never somebody else.
#[tokio::test]
async fn whoever_signs_in_as_somebody_else_than_is_expected_is_lent_nothing() {
    let lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let hint = tokens.json["id_token"].as_str().expect("an ID token");
    let acme = lending.fixture.server.app().registry.tenant("acme").await.expect("facts").expect("a tenant");
    lending.fixture.person(Some(&acme.tenant), "bob@acme.example").await;
    let browser = Browser::new(&lending.fixture);
    let at = browser.begin(&format!("{AUTHORIZE}?{}", query(&[("id_token_hint", hint)]))).await;
    assert_eq!(browser.password(&at, "bob@acme.example", PASSWORD).await.status, StatusCode::SEE_OTHER);
    let back = Back::of(&browser.get(&format!("{at}/continue")).await);
    assert_eq!((back.get("error"), back.get("code")), (Some("login_required"), None));
    let told = back.get("error_description").expect("words");
    assert!(told.contains("not the person of 'id_token_hint'") && !told.contains("acr"), "{told}");
}

/// The same where nothing else is to be asked: the application is trusted, or whoever signs in has consented to it before.
#[tokio::test]
async fn somebody_else_than_is_expected_lends_nothing_though_nothing_is_to_be_asked_of_them() {
    let mut lending = Lending::new().await;
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    let hint = tokens.json["id_token"].as_str().expect("an ID token").to_owned();
    let acme = lending.fixture.server.app().registry.tenant("acme").await.expect("facts").expect("a tenant");
    let bob = lending.fixture.person(Some(&acme.tenant), "bob@acme.example").await;
    let claims = json!({ "id_token": { "sub": { "value": lending.user["id"] } } }).to_string();
    lending.user = serde_json::to_value(bob).expect("JSON");
    lending.consent("openid profile shopper.read").await;
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    for policy in ["ask", "trusted"] {
        lending.fixture.made(Method::PATCH, &path, &json!({ "consent": policy })).await;
        let named = [("id_token_hint", hint.as_str()), ("claims", claims.as_str())];
        for (named, is_lent) in [(named[0], false), (named[1], false), (("id_token_hint", ""), true)] {
            let browser = Browser::new(&lending.fixture);
            let at = browser.begin(&format!("{AUTHORIZE}?{}", query(&[named]))).await;
            let mut answer = browser.password(&at, "bob@acme.example", PASSWORD).await;
            if !answer.header(header::LOCATION).starts_with(CALLBACK) {
                answer = browser.get(answer.header(header::LOCATION)).await;
            }
            let back = Back::of(&answer);
            assert_eq!(back.get("code").is_some(), is_lent, "{policy} {back:?}");
            assert_eq!(back.get("error"), (!is_lent).then_some("login_required"), "{policy} {back:?}");
        }
    }
}

/// OpenID Connect Core §2 and §12.2: `auth_time` is the moment of the proof that a token comes of, and stays it.
#[tokio::test]
async fn an_id_token_says_when_its_person_proved_who_they_are_and_a_new_proof_has_its_own_moment() {
    let lending = Lending::new().await;
    let (fixture, clock) = (&lending.fixture, &lending.fixture.clock);
    let ada: User = serde_json::from_value(lending.user.clone()).expect("a user");
    fixture.with_password(&ada).await;
    let browser = Browser::new(fixture);
    // Signs in where that is asked for, goes back, and redeems the code a while later.
    let tokens = async |own: &[(&str, &str)], is_asked: bool| {
        let mut answer = browser.get(&format!("{AUTHORIZE}?{}", query(own))).await;
        let at = answer.header(header::LOCATION).to_owned();
        assert_eq!(at.starts_with("/sign-in/"), is_asked, "{at}");
        if is_asked {
            clock.advance_secs(7);
            answer = browser.password(&at, "ada@acme.example", PASSWORD).await;
        }
        let back = Back::of(&answer);
        clock.advance_secs(5);
        lending.redeem(back.get("code").unwrap_or_else(|| panic!("no code: {back:?}"))).await
    };
    let is_of = |tokens: &Answer, moment: i64| {
        let id_token = tokens.json["id_token"].as_str().unwrap_or_else(|| panic!("no ID token: {}", tokens.text));
        for token in [id_token, &tokens.access_token()] {
            assert_eq!(claims(token)["auth_time"], moment, "{}", claims(token));
        }
    };
    let first = tokens(&[], true).await;
    let proven = START + 7;
    is_of(&first, proven);
    clock.advance_secs(100);
    is_of(&tokens(&[], false).await, proven);
    clock.advance_secs(100);
    let proven_anew = lending.now().secs() + 7;
    assert!(proven_anew > proven);
    is_of(&tokens(&[("prompt", "login")], true).await, proven_anew);
    // From now on that is when they signed in; what was lent before is as old as it was.
    is_of(&tokens(&[], false).await, proven_anew);
    is_of(&lending.refresh(&refresh_token(&first), &[]).await, proven);
}

#[tokio::test]
async fn an_application_that_may_not_ask_people_is_told_so() {
    let lending = Lending::new().await;
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    let services = json!({ "grant_types": ["client_credentials"] });
    lending.fixture.made(Method::PATCH, &path, &services).await;
    for cookie in [lending.cookie.as_str(), ""] {
        let back = Back::of(&lending.authorize_with(cookie, &[]).await);
        assert_eq!((back.get("error"), back.get("code")), (Some("unauthorized_client"), None));
    }
}

/// attacks.md C2 55: a link to us is no way to send a browser elsewhere. What a person asks for is judged once it is known who asks.
#[tokio::test]
async fn nobody_is_sent_on_for_a_scope_before_they_have_signed_in() {
    let lending = Lending::new().await;
    for scope in ["garbage", "openid nonsense", "openid admin:write", "\"", "", &"x ".repeat(600)] {
        let answer = lending.authorize_with("", &[("scope", scope)]).await;
        assert!(answer.header(header::LOCATION).starts_with("/sign-in/"), "{scope}: {:?}", answer.headers);
    }
}

/// RFC 8252 §8.6: where others may listen in an application's place, nothing is answered that its person does not see.
#[tokio::test]
async fn a_trusted_application_that_anybody_could_be_is_answered_when_its_person_proves_who_they_are() {
    let lending = Lending::unasked().await;
    let tool = json!({
        "name": "Tool", "type": "native", "level": "tenant", "tenant_id": lending.tenant_id, "client_id": "tool",
        "allowed_scopes": ["openid", "shopper.read"], "consent": "trusted",
        "redirect_uris": ["http://127.0.0.1/cb", "com.example.tool:/cb", "https://tool.example/cb"],
    });
    lending.fixture.made(Method::POST, "/applications", &tool).await;
    for (uri, is_answered) in
        [("http://127.0.0.1:49152/cb", false), ("com.example.tool:/cb", false), ("https://tool.example/cb", true)]
    {
        let own = [("client_id", "tool"), ("redirect_uri", uri), ("scope", "openid shopper.read")];
        // Signed in a moment ago, for something else.
        let answer = lending.authorize(&own).await;
        let location = answer.header(header::LOCATION);
        assert_eq!(location.starts_with(uri) && location.contains("code="), is_answered, "{location}");
        assert_eq!(location.starts_with("/sign-in/"), !is_answered, "{location}");
        let silently = lending.authorize(&[&own[..], &[("prompt", "none")]].concat()).await;
        let location = silently.header(header::LOCATION);
        assert!(location.starts_with(uri), "{location}");
        assert_eq!(location.contains("error=login_required"), !is_answered, "{location}");
    }
}

/// The same rule, for an application that asks: what was said before answers nobody who may be somebody else.
#[tokio::test]
async fn a_consent_is_remembered_for_an_application_that_nobody_else_could_be() {
    let lending = Lending::unasked().await;
    let fixture = &lending.fixture;
    let tool = json!({
        "name": "Tool", "type": "native", "level": "tenant", "tenant_id": lending.tenant_id, "client_id": "tool",
        "allowed_scopes": ["openid", "shopper.read"],
        "redirect_uris": ["http://127.0.0.1/cb", "com.example.tool:/cb", "https://tool.example/cb"],
    });
    let tool = fixture.made(Method::POST, "/applications", &tool).await;
    lending.consent_to(&tool, "openid shopper.read").await;
    for (uri, is_remembered) in
        [("http://127.0.0.1:49152/cb", false), ("com.example.tool:/cb", false), ("https://tool.example/cb", true)]
    {
        fixture.clock.advance_secs(1);
        let own = [("client_id", "tool"), ("redirect_uri", uri), ("scope", "openid shopper.read")];
        let silently = lending.authorize(&[&own[..], &[("prompt", "none")]].concat()).await;
        let location = silently.header(header::LOCATION);
        assert_eq!(location.contains("error=consent_required"), !is_remembered, "{location}");
        assert_eq!(location.contains("code="), is_remembered, "{location}");
        if is_remembered {
            continue;
        }
        // They see who asks, and what they said before; and say it again.
        let browser = Browser::new(fixture);
        let (name, token) = lending.cookie.split_once('=').expect("a cookie");
        browser.set_cookie(name, token);
        let on = browser.begin(&format!("{AUTHORIZE}?{}", query(&own))).await;
        let path = browser.begin(&on).await;
        assert!(path.starts_with("/consent/"), "{path}");
        let page = browser.get(&path).await;
        assert!(page.text.contains("Tool") && page.text.contains(" checked"), "{}", page.text);
        let fields = [("form", &*form_token(&page)), ("answer", "allow"), ("scope", "shopper.read")];
        assert_eq!(browser.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
        let location = browser.begin(&on).await;
        assert!(location.starts_with(uri) && location.contains("code="), "{location}");
    }
    // Whoever signs in for it has seen it, and is not asked twice.
    let ada: User = serde_json::from_value(lending.user.clone()).expect("a user");
    fixture.with_password(&ada).await;
    let browser = Browser::new(fixture);
    let own = [("client_id", "tool"), ("redirect_uri", "http://127.0.0.1:49152/cb"), ("scope", "openid shopper.read")];
    let at = browser.begin(&format!("{AUTHORIZE}?{}", query(&own))).await;
    let answer = browser.password(&at, "ada@acme.example", PASSWORD).await;
    assert!(answer.header(header::LOCATION).contains("code="), "{:?}", answer.headers);
    // The session began in the commit in which the application joined it, which is told when it ends.
    let sign_ins = fixture.store.sign_ins();
    let session = sign_ins.sessions_of(ada.id).await.expect("sessions").remove(0);
    let joined = sign_ins.applications_of_session(session.id).await.expect("applications");
    assert_eq!(joined.len(), 1, "{session:?}");
}

/// attacks.md C3 77 (RFC 9700 §2.1.1: "transaction-specific").
#[tokio::test]
async fn a_challenge_that_is_sent_again_is_counted_and_refused_where_its_application_says_so() {
    let lending = Lending::new().await;
    let counted = || {
        let app = lending.fixture.server.app();
        let text = app.metrics.render(app);
        let line = text.lines().find(|line| line.starts_with("ambit_code_challenges_repeated_total "));
        line.expect("the metric").rsplit(' ').next().expect("a number").to_owned()
    };
    let other = ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cQ");
    lending.code(&[]).await;
    lending.code(&[other]).await;
    assert_eq!(counted(), "0");
    lending.code(&[]).await;
    assert_eq!(counted(), "1", "it is taken all the same");

    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    let once = lending.fixture.made(Method::PATCH, &path, &json!({ "code_challenge_once": true })).await;
    assert_eq!(once["code_challenge_once"], true);
    for repeated in [&[][..], &[other]] {
        let back = Back::of(&lending.authorize(repeated).await);
        assert_eq!((back.get("error"), back.get("code")), (Some("invalid_request"), None), "{back:?}");
        assert!(back.get("error_uri").is_some_and(|uri| uri.ends_with("/errors/api/ambit-code-challenge-repeated")));
        assert_eq!((back.get("state"), back.get("iss")), (Some("a state & more"), Some(ISSUER)));
    }
    assert_eq!(counted(), "3");
    lending.code(&[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cU")]).await;
    // It is remembered for an hour and as long again as clocks may differ, and of each application by itself.
    lending.fixture.clock.advance_secs(2 * 3600 + 1);
    lending.fixture.turn().await;
    let cookie = lending.sign_in(&[Proof::Password]).await;
    let back = Back::of(&lending.authorize_with(&cookie, &[]).await);
    assert!(back.get("code").is_some(), "{back:?}");
    let app = json!({
        "name": "App", "type": "spa", "level": "tenant", "tenant_id": lending.tenant_id, "client_id": "app",
        "allowed_scopes": ["openid"], "redirect_uris": [CALLBACK], "consent": "trusted", "code_challenge_once": true,
    });
    lending.fixture.made(Method::POST, "/applications", &app).await;
    let asked = [("client_id", "app"), ("scope", "openid")];
    assert!(Back::of(&lending.authorize_with(&cookie, &asked).await).get("code").is_some());
    assert!(Back::of(&lending.authorize_with(&cookie, &asked).await).get("code").is_none());
}
