//! What the server does by the clock, once each, with a moved clock. A job without a test here is found out.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ambit_core::second_factor::TotpSecret;
use ambit_core::time::Clock as _;
use ambit_server::jobs::{JOBS, Job, attempt};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use futures_util::FutureExt as _;
use serde_json::json;

use super::metrics::Samples;
use crate::people::{Browser, PASSWORD};
use crate::store::Faulty;
use crate::support::{Fixture, ROOT, ROOT_SECRET, TestClock, claims};

#[test]
fn every_job_has_a_test_of_its_own() {
    let tests = concat!(include_str!("jobs.rs"), include_str!("tls.rs"), include_str!("../oauth/logout.rs"));
    for job in &JOBS {
        let test = format!("async fn the_job_{}_", job.name);
        assert!(tests.contains(&test), "no test begins with '{test}'");
    }
}

fn job(name: &str) -> &'static Job {
    JOBS.iter().find(|job| job.name == name).expect("a job of that name")
}

async fn run(fixture: &Fixture, name: &str) {
    attempt(fixture.server.app(), job(name)).await.expect("a job that does its work");
}

#[tokio::test]
async fn the_job_refresh_takes_in_what_another_node_changed_and_revoked() {
    let here = Fixture::new().await;
    let there = here.another_node().await;
    let token = here.root().await;
    let body = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform"});
    assert_eq!(there.token("/connect/token", ("etl", "x"), &[]).await.status, StatusCode::UNAUTHORIZED);
    let made = here.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().expect("a secret");
    here.form("/connect/revoke", Some((ROOT, ROOT_SECRET)), &[("token", &token)]).await;

    let ask = async || {
        let known = there.token("/connect/token", ("etl", secret), &[]).await.status != StatusCode::UNAUTHORIZED;
        let good = there.admin(&token, Method::GET, "/keys", None).await.status == StatusCode::OK;
        (known, good)
    };
    assert_eq!(ask().await, (false, true));
    run(&there, "refresh").await;
    assert_eq!(ask().await, (true, false));
}

#[tokio::test]
async fn the_job_keys_replaces_a_key_at_its_age() {
    let fixture = Fixture::with("[keys]\nrotate = '10 days'").await;
    let kid = async || fixture.get("/connect/jwks").await.json["keys"].as_array().expect("keys").len();
    fixture.clock.advance_secs(10 * 86_400 - 1);
    run(&fixture, "keys").await;
    assert_eq!(kid().await, 2);
    fixture.clock.advance_secs(1);
    run(&fixture, "keys").await;
    assert_eq!(kid().await, 3);
}

#[tokio::test]
async fn the_job_expired_forgets_what_is_over_and_nothing_before() {
    let fixture = Fixture::new().await;
    let token = fixture.root().await;
    let lives = claims(&token)["exp"].as_i64().expect("exp") - claims(&token)["iat"].as_i64().expect("iat");
    let request = Request::post("/api/v1/admin/features")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "a-key-of-its-own")
        .body(Body::from(json!({"key": "f", "title": "F"}).to_string()))
        .expect("a request");
    assert_eq!(fixture.send(request).await.status, StatusCode::CREATED);
    fixture.form("/connect/revoke", Some((ROOT, ROOT_SECRET)), &[("token", &token)]).await;
    let now = fixture.clock.now();
    assert!(fixture.store.use_assertion(ROOT, "j", now.plus_secs(60)).await.expect("noted"));

    let held = async || {
        let revoked = fixture.store.revocations_after(0, 10).await.expect("a list").len();
        let answers = fixture.store.find_answer(&format!("client:{ROOT}"), "a-key-of-its-own").await.expect("a look");
        (revoked, fixture.server.app().revocations.len(), answers.is_some())
    };
    // The store forgets for all nodes, and keeps everything an hour longer: their clocks differ.
    fixture.clock.advance_secs(60 + 3600);
    run(&fixture, "expired").await;
    assert!(!fixture.store.use_assertion(ROOT, "j", now.plus_secs(60)).await.expect("a look"), "it is held");
    fixture.clock.advance_secs(1);
    run(&fixture, "expired").await;
    assert!(fixture.store.use_assertion(ROOT, "j", now.plus_secs(600)).await.expect("noted"), "it was forgotten");
    // The difference of clocks counts for revocations.
    fixture.clock.advance_secs(lives + 120 - 3661);
    run(&fixture, "expired").await;
    assert_eq!(held().await, (1, 0, true));
    fixture.clock.advance_secs(3601);
    run(&fixture, "expired").await;
    assert_eq!(held().await, (0, 0, true));
    fixture.clock.advance_secs(2 * 86_400);
    run(&fixture, "expired").await;
    assert_eq!(held().await, (0, 0, false));
}

#[tokio::test]
async fn the_job_journal_keeps_tokens_and_refusals_for_the_retention() {
    let fixture = Fixture::with("[journal]\nretention = '2 h'").await;
    let token = fixture.root().await;
    let jti = claims(&token)["jti"].as_str().expect("jti").to_owned();
    let refused = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "nope")]).await;
    let trace = refused.json["trace_id"].as_str().expect("a trace").to_owned();
    let journal = &fixture.server.app().journal;
    let held = async || {
        let token = journal.find_token(&jti).await.expect("a look").is_some();
        (token, journal.find_trace(&trace).await.expect("a look").refusals.len())
    };
    assert_eq!(held().await, (true, 1));
    fixture.clock.advance_secs(2 * 3600);
    run(&fixture, "journal").await;
    assert_eq!(held().await, (true, 1));
    fixture.clock.advance_secs(1);
    run(&fixture, "journal").await;
    assert_eq!(held().await, (false, 0));
}

#[tokio::test]
async fn what_expires_faster_than_one_turn_takes_is_purged_all_the_same() {
    let (fixture, store) = Faulty::fixture("").await;
    for name in ["expired", "journal"] {
        store.more.store(3, Ordering::SeqCst);
        run(&fixture, name).await;
        assert_eq!(store.more.load(Ordering::SeqCst), 0, "{name} goes on while there is more");
    }
}

#[tokio::test]
async fn a_job_that_fails_is_counted_and_tried_again_and_holds_no_other_up() {
    let (fixture, store) = Faulty::fixture("").await;
    let runs = |job: &str, outcome: &str| {
        let app = fixture.server.app();
        Samples::read(&app.metrics.render(app)).value("ambit_job_runs_total", &[("job", job), ("outcome", outcome)])
    };
    store.fail(&["changes_after", "purge_journal"]);
    let turns = tokio::spawn(ambit_server::jobs::run(fixture.server.app().clone()));
    // Turns of real time: two of the fastest job are half a second.
    let wait = async |done: &dyn Fn() -> bool| {
        let wait = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the turns go on");
    };
    wait(&|| runs("refresh", "failed") >= 2.0 && runs("journal", "failed") >= 1.0).await;
    wait(&|| runs("expired", "ok") >= 1.0 && runs("keys", "ok") >= 1.0).await;
    assert!(runs("refresh", "ok") < 1.0);
    store.fail(&[]);
    wait(&|| runs("refresh", "ok") >= 1.0).await;
    turns.abort();
}

#[tokio::test]
async fn a_fault_in_a_job_is_a_failure_like_any_other() {
    let fixture = Fixture::new().await;
    let faulty = Job { name: "keys", every: Duration::from_secs(1), run: |_, _| async { panic!("a fault") }.boxed() };
    let error = attempt(fixture.server.app(), &faulty).await.expect_err("a fault");
    assert!(error.to_string().contains("fault in the program"), "{error}");
    let text = fixture.server.app().metrics.render(fixture.server.app());
    assert!(text.contains("ambit_job_runs_total{job=\"keys\",outcome=\"failed\"} 1\n"), "{text}");
    assert!(text.contains("ambit_job_last_success_seconds{job=\"keys\"} 0\n"));
}

/// attacks.md C10 250: a code counts for ninety seconds at most, and what is forgotten is forgotten for all nodes by the one that is
/// an hour ahead.
#[tokio::test]
async fn the_code_of_an_app_that_was_used_is_remembered_for_as_long_as_it_counts() {
    let fixture = Fixture::new().await;
    let tenant = fixture.tenant("shop", json!({})).await;
    let (ada, bob) = ("ada@shop.example", "bob@shop.example");
    let adas = fixture.app_of(&fixture.person(Some(&tenant), ada).await).await;
    let bobs = fixture.app_of(&fixture.person(Some(&tenant), bob).await).await;
    let ahead = TestClock::starting();
    ahead.advance_secs(3600);
    let other = fixture.another_node_by(ahead.clone()).await;
    // The next one: nothing counts for longer.
    let at = fixture.clock.now().plus_secs(30);
    let signs_in = async |email: &str, app: &TotpSecret| {
        let browser = Browser::new(&fixture);
        let path = browser.begin("/account/").await;
        browser.step(&path, "organisation", &[("organisation", "shop")]).await;
        browser.password(&path, email, PASSWORD).await;
        browser.step(&path, "second-factor", &[("code", &app.code_at(at).expect("a code"))]).await;
        browser.cookie("__Host-ambit-session").is_some()
    };
    assert!(signs_in(ada, &adas).await);
    for clock in [&fixture.clock, &ahead] {
        clock.advance_millis(89_999);
    }
    run(&other, "expired").await;
    assert!(!signs_in(ada, &adas).await, "it was used");
    assert!(signs_in(bob, &bobs).await, "one of the same moment counts still");
}
