//! A time of day that jumps, forwards and back: what was revoked, used, ended or counted stays so, and what is good stays good.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::metrics::Samples;
use crate::forge::{Forger, assertion_fields};
use crate::support::{Answer, BASE, Fixture, JSON, ROOT, ROOT_SECRET, START, TestClock, claims};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
const JUMPS: [i64; 5] = [1, MINUTE, 10 * MINUTE, 2 * DAY, YEAR];

async fn is_active(fixture: &Fixture, token: &str) -> bool {
    let answer = fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", token)]).await;
    answer.json["active"].as_bool().unwrap_or_else(|| panic!("{}", answer.text))
}

async fn revoke(fixture: &Fixture, token: &str) {
    let answer = fixture.form("/connect/revoke", Some((ROOT, ROOT_SECRET)), &[("token", token)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn ask(fixture: &Fixture) -> Answer {
    fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[]).await
}

async fn readiness(fixture: &Fixture) -> (StatusCode, Value) {
    let answer = fixture.get("/readyz").await;
    (answer.status, answer.json["reason"].clone())
}

async fn published(fixture: &Fixture) -> Value {
    fixture.get("/connect/jwks").await.json
}

#[tokio::test]
async fn what_was_revoked_stays_so_whether_before_a_jump_or_during_it() {
    for jump in JUMPS {
        let fixture = Fixture::new().await;
        fixture.turn().await;
        let (before, during, good) = (fixture.root().await, fixture.root().await, fixture.root().await);
        revoke(&fixture, &before).await;
        fixture.clock.jump_secs(jump);
        fixture.turn().await;
        assert!(!is_active(&fixture, &before).await, "{jump}");
        // To a clock that is a year ahead this token is over. It is revoked all the same.
        revoke(&fixture, &during).await;
        fixture.turn().await;
        fixture.clock.jump_secs(-jump);
        fixture.turn().await;
        // And to a node that comes up now and knows what the store knows.
        for node in [&fixture, &fixture.another_node().await] {
            let active = [is_active(node, &before).await, is_active(node, &during).await, is_active(node, &good).await];
            assert_eq!(active, [false, false, true], "{jump}");
        }
    }
}

#[tokio::test]
async fn an_assertion_is_used_once_whatever_the_clock_says_meanwhile() {
    let fixture = Fixture::new().await;
    let forger = Forger::new("k1");
    let body = json!({
        "name": "Signer", "client_id": "signer", "type": "service", "level": "platform", "allowed_scopes": ["scopes:read"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": forger.jwks(),
    });
    fixture.made(Method::POST, "/applications", &body).await;
    let assertion = |jti: &str| {
        forger.sign(&json!({
            "iss": "signer", "sub": "signer", "aud": BASE, "jti": jti, "iat": START, "exp": START + MINUTE,
        }))
    };
    let present = async |node: &Fixture, jti: &str| {
        let mut fields = assertion_fields(&assertion(jti));
        fields.push(("grant_type".to_owned(), "client_credentials".to_owned()));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        node.form("/connect/token", None, &fields).await.status
    };
    assert_eq!(present(&fixture, "a").await, StatusCode::OK);
    for jump in JUMPS {
        fixture.clock.jump_secs(jump);
        fixture.turn().await;
        fixture.clock.jump_secs(-jump);
        fixture.turn().await;
        for node in [&fixture, &fixture.another_node().await] {
            assert_eq!(present(node, "a").await, StatusCode::UNAUTHORIZED, "{jump}");
        }
    }
    assert_eq!(present(&fixture, "b").await, StatusCode::OK, "one that was not used");

    // It is over, and forgotten an hour later; then the clock goes back to when it was good.
    fixture.clock.advance_secs(2 * HOUR);
    fixture.turn().await;
    fixture.clock.jump_secs(-2 * HOUR);
    fixture.turn().await;
    for jti in ["a", "c"] {
        assert_eq!(present(&fixture, jti).await, StatusCode::UNAUTHORIZED, "{jti}");
    }
}

#[tokio::test]
async fn a_request_with_a_key_takes_effect_once_through_a_jump() {
    let fixture = Fixture::new().await;
    let send = async || {
        let body = json!({"key": "f", "title": "F"}).to_string();
        let headers = [JSON, ("idempotency-key", "a-key-of-its-own")];
        fixture.admin_with(&fixture.root().await, Method::POST, "/features", &headers, body).await
    };
    let first = send().await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    for jump in [2 * DAY, YEAR, -2 * DAY - YEAR] {
        fixture.clock.jump_secs(jump);
        fixture.turn().await;
        let again = send().await;
        assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text), "{jump}");
    }
    // A day that passed is a day.
    fixture.clock.advance_secs(DAY);
    fixture.turn().await;
    assert_eq!(send().await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_jump_rotates_and_removes_no_key_and_a_clock_that_stays_there_does() {
    let fixture = Fixture::with("[keys]\nrotate = '30 days'\noverlap = '2 days'").await;
    fixture.clock.advance_secs(30 * DAY);
    fixture.turn().await;
    let keys = published(&fixture).await;
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(3), "one of them retiring");
    let token = fixture.root().await;
    fixture.clock.jump_secs(YEAR);
    fixture.turn().await;
    assert_eq!(published(&fixture).await, keys);
    // What is issued by the wrong clock is good by the wrong clock.
    assert!(is_active(&fixture, &fixture.root().await).await);
    fixture.clock.jump_secs(-YEAR);
    fixture.turn().await;
    assert_eq!(published(&fixture).await, keys);
    assert!(is_active(&fixture, &token).await);

    fixture.clock.jump_secs(YEAR);
    fixture.turn().await;
    fixture.clock.advance_secs(25 * HOUR);
    fixture.turn().await;
    assert_ne!(published(&fixture).await, keys);
}

#[tokio::test]
async fn the_journal_keeps_and_finds_what_was_issued_before_during_and_after_a_jump() {
    let fixture = Fixture::with("[journal]\nretention = '2 days'").await;
    let jti = |token: &str| claims(token)["jti"].as_str().expect("jti").to_owned();
    let mut issued = vec![];
    issued.push(jti(&fixture.root().await));
    let journal = &fixture.server.app().journal;
    journal.flush().await.expect("a block of its own");
    // No turn in between: these are in one block, which is as wide as the jump.
    for jump in [0, YEAR, -YEAR, -MINUTE, MINUTE] {
        fixture.clock.jump_secs(jump);
        issued.push(jti(&fixture.root().await));
        issued.push(jti(&fixture.root().await));
    }
    fixture.clock.jump_secs(YEAR);
    fixture.turn().await;
    fixture.clock.jump_secs(-YEAR);
    fixture.turn().await;
    for jti in &issued {
        assert!(journal.find_token(jti).await.expect("a look").is_some(), "{jti}");
    }
    assert_eq!(journal.counts().lost_tokens.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn whoever_failed_too_often_waits_as_long_whatever_is_done_to_the_clock() {
    let fixture = Fixture::with("[rate_limits]\nclient_failures = 3\nwindow = '1 min'").await;
    let wrong = async || fixture.token("/connect/token", (ROOT, "wrong"), &[]).await;
    while wrong().await.status != StatusCode::TOO_MANY_REQUESTS {}
    for jump in [1, YEAR, -2 * YEAR, YEAR] {
        fixture.clock.jump_secs(jump);
        fixture.turn().await;
        let told = ask(&fixture).await;
        assert_eq!(told.status, StatusCode::TOO_MANY_REQUESTS, "{jump}");
        assert_eq!(told.header(header::RETRY_AFTER), "20", "{jump}");
    }
    fixture.clock.advance_secs(20);
    // The jumps are over, and nothing was settled that is later than now.
    assert_eq!(ask(&fixture).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_clock_that_went_back_issues_nothing_that_is_over_and_brings_nothing_back() {
    let fixture = Fixture::new().await;
    let body = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform", "allowed_scopes": ["scopes:read"]});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let first = made["client_secret"].as_str().expect("shown once").to_owned();
    fixture.made(Method::POST, "/applications/etl/secrets", &json!({"overlap_secs": 600})).await;
    let with_first = async || fixture.token("/connect/token", ("etl", &first), &[]).await.status;
    assert_eq!(with_first().await, StatusCode::OK);
    let token = fixture.root().await;
    fixture.clock.advance_secs(DAY);
    fixture.turn().await;
    assert!(!is_active(&fixture, &token).await);
    assert_eq!(with_first().await, StatusCode::UNAUTHORIZED);

    // As far as the clocks of two nodes may be apart.
    fixture.clock.jump_secs(-5 * MINUTE);
    fixture.turn().await;
    assert_eq!(ask(&fixture).await.status, StatusCode::OK);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
    fixture.clock.jump_secs(-1);
    fixture.turn().await;
    let refused = ask(&fixture).await;
    assert_eq!(
        (refused.status, &refused.json["error"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("temporarily_unavailable"))
    );
    assert_eq!(readiness(&fixture).await, (StatusCode::SERVICE_UNAVAILABLE, json!("the clock has gone back")));

    fixture.clock.jump_secs(5 * MINUTE + 1 - DAY);
    fixture.turn().await;
    assert!(!is_active(&fixture, &token).await, "what had expired stays so");
    assert_eq!(with_first().await, StatusCode::UNAUTHORIZED, "what had ended stays so");
    let text = fixture.server.app().metrics.render(fixture.server.app());
    assert!(Samples::read(&text).value("ambit_clock_jumps_total", &[]) >= 2.0, "{text}");

    fixture.clock.jump_secs(DAY);
    fixture.turn().await;
    assert_eq!(ask(&fixture).await.status, StatusCode::OK);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
}

#[tokio::test]
async fn facts_grow_old_while_the_clock_goes_back() {
    let fixture = Fixture::new().await;
    fixture.clock.jump_secs(-MINUTE);
    fixture.clock.advance_secs(10);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
    fixture.clock.advance_secs(1);
    let old = json!("changes made elsewhere have not been read for too long");
    assert_eq!(readiness(&fixture).await, (StatusCode::SERVICE_UNAVAILABLE, old));
    fixture.turn().await;
    // A jump forwards makes nothing old.
    fixture.clock.jump_secs(YEAR);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
}

#[tokio::test]
async fn two_nodes_whose_clocks_are_five_minutes_apart_forget_nothing_for_each_other() {
    let here = Fixture::new().await;
    let clock = TestClock::starting();
    clock.advance_secs(5 * MINUTE);
    let ahead = here.another_node_by(clock).await;
    let (revoked, good) = (here.root().await, here.root().await);
    revoke(&here, &revoked).await;
    ahead.turn().await;
    let active = async |node: &Fixture| [is_active(node, &revoked).await, is_active(node, &good).await];
    assert_eq!(active(&ahead).await, [false, true]);
    // To the one that is ahead it is over, by more than a revocation is remembered in memory; here it would be good still.
    let lives = claims(&revoked)["exp"].as_i64().expect("exp") - START;
    for node in [&here, &ahead] {
        node.clock.advance_secs(lives - 1);
        node.turn().await;
    }
    let again = here.another_node().await;
    assert_eq!(active(&again).await, [false, true]);
    assert_eq!(active(&ahead).await, [false, false]);
}

#[tokio::test]
async fn moments_that_do_not_fit_into_32_bits_are_moments_like_others() {
    let fixture = Fixture::new().await;
    // The last second of a signed and of an unsigned 32-bit clock, and the leap day that 2100 has not.
    for edge in [2_147_483_647, 4_107_542_400, 4_294_967_295_i64] {
        for past in [-1, 0, 1] {
            let now = ambit_core::time::Clock::now(&*fixture.clock).secs();
            fixture.clock.advance_secs(edge + past - now);
            fixture.turn().await;
            let token = fixture.root().await;
            assert_eq!(claims(&token)["iat"], edge + past);
            assert!(is_active(&fixture, &token).await);
            let name = format!("at-{}", edge + past);
            fixture.made(Method::POST, "/features", &json!({"key": name, "title": name})).await;
            let jti = claims(&token)["jti"].as_str().expect("jti").to_owned();
            assert!(fixture.server.app().journal.find_token(&jti).await.expect("a look").is_some());
        }
    }
}
