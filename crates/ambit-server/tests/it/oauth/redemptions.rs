//! What stands in the way of a code on its way to a token, and what a second use of it ends.

use ambit_core::store::sign_in::Sessions;
use ambit_server::jobs::{JOBS, attempt};
use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use serde_json::json;

use super::lending::{CALLBACK, ISSUER, Lending, TOKEN, is_refused, redemption, refresh_token};
use crate::journal::writes;
use crate::support::{Answer, claims};

/// attacks.md C4 85: of what a person saw when they lent it nothing may be missing, what they consented to least of all.
#[tokio::test]
async fn a_code_is_void_when_its_person_takes_their_consent_back_or_a_part_of_it() {
    let lending = Lending::new().await;
    let id = lending.application["id"].as_str().expect("an id").parse().expect("an application's");
    let whole = "openid profile shopper.read";
    for left in [None, Some("openid profile"), Some(whole)] {
        let code = lending.code(&[("scope", whole)]).await;
        assert!(lending.fixture.store.sign_ins().withdraw_consent(lending.user_id(), id).await.expect("an answer"));
        if let Some(left) = left {
            lending.consent(left).await;
        }
        let answer = lending.redeem(&code).await;
        if left == Some(whole) {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            continue;
        }
        is_refused(&answer, "oauth2-invalid-grant");
        assert_eq!(lending.fixture.store.sign_ins().grants_of(lending.user_id()).await.expect("grants"), []);
        // Who consents anew lends anew: the code does not come back.
        lending.consent(whole).await;
        is_refused(&lending.redeem(&code).await, "oauth2-code-reused");
    }
}

/// attacks.md C4 78, 79: a second use at the same moment is a second use.
#[tokio::test]
async fn of_two_who_redeem_one_code_at_once_neither_keeps_what_came_of_it() {
    let (lending, store) = Lending::held_up().await;
    let other = lending.redeem(&lending.code(&[]).await).await;
    let code = lending.code(&[]).await;
    let both = async { tokio::join!(lending.redeem(&code), lending.redeem(&code)) };
    let answers = store.both_before_one("redeem_code", both).await;
    let (first, second) = if answers.0.status == StatusCode::OK { answers } else { (answers.1, answers.0) };
    assert_eq!(first.status, StatusCode::OK, "one of them came first: {}", first.text);
    is_refused(&second, "oauth2-code-reused");
    assert!(!lending.is_active(&first.access_token()).await, "the access token ended");
    is_refused(&lending.refresh(&refresh_token(&first), &[]).await, "oauth2-refresh-token-not-known");
    assert!(lending.is_active(&other.access_token()).await, "what came of another code goes on");
}

/// attacks.md C4 81: where nothing is known of a request, nothing speaks against its code.
#[tokio::test]
async fn a_store_that_is_away_for_a_moment_costs_nobody_their_code() {
    let (lending, store) = Lending::held_up().await;
    for verb in ["find_code", "find_consent", "spend_code"] {
        let code = lending.code(&[]).await;
        store.fail(&[verb]);
        let answer = lending.redeem(&code).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{verb}: {}", answer.text);
        assert_eq!(answer.json["error"], "temporarily_unavailable", "{verb}");
        store.fail(&[]);
        let answer = lending.redeem(&code).await;
        assert_eq!(answer.status, StatusCode::OK, "{verb}: {}", answer.text);
    }
}

/// attacks.md C4 78: an access token may live for a day, and the end of what it came of is remembered for as long.
#[tokio::test]
async fn what_a_replay_ended_stays_ended_for_as_long_as_its_access_token_would_have_lived() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let path = format!("/applications/{}", lending.application["id"].as_str().expect("an id"));
    fixture.made(Method::PATCH, &path, &json!({ "token_lifetime_secs": 86_400 })).await;
    let offline = [("scope", "openid offline_access")];
    let (code, other) = (lending.code(&offline).await, lending.code(&offline).await);
    let (ended, other) = (lending.redeem(&code).await.access_token(), lending.redeem(&other).await.access_token());
    let lives = claims(&ended)["exp"].as_i64().expect("its end") - lending.now().secs();
    assert_eq!(lives, 86_400, "as long as any");
    is_refused(&lending.redeem(&code).await, "oauth2-code-reused");
    for secs in [1, lives / 2 - 1, lives - lives / 2 - 1] {
        fixture.clock.advance_secs(secs);
        let expired = JOBS.iter().find(|job| job.name == "expired").expect("a job of that name");
        attempt(fixture.server.app(), expired).await.expect("a job that does its work");
        // One node that heard of it, and one that has to read it.
        for node in [fixture, &fixture.another_node().await] {
            let is_active = async |token: &str| {
                let client = Some(("shop", lending.secret.as_str()));
                let told = node.form("/tenants/acme/connect/introspect", client, &[("token", token)]).await;
                assert_eq!(told.status, StatusCode::OK, "{}", told.text);
                told.json["active"] == true
            };
            assert!(!is_active(&ended).await, "it came back");
            assert!(is_active(&other).await, "nobody has replayed the code of this one");
        }
    }
}

/// attacks.md C4 78, C5 91: whoever looks into a theft finds when it was noticed, and whose it was.
#[tokio::test]
async fn of_a_code_and_a_refresh_token_that_are_used_again_a_record_is_kept() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let code = lending.code(&[]).await;
    lending.redeem(&code).await;
    let code_again = lending.redeem(&code).await;
    let token = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    lending.refresh(&token, &[]).await;
    fixture.clock.advance_millis(10_001);
    let token_again = lending.refresh(&token, &[]).await;
    fixture.server.app().journal.flush().await.expect("the journal is written");
    for (answer, secret, reason) in [(code_again, code, "code_reused"), (token_again, token, "refresh_token_reused")] {
        let page = format!("oauth2-{}", reason.replace('_', "-"));
        is_refused(&answer, &page);
        let trace = answer.json["trace_id"].as_str().expect("a trace");
        let records = fixture.store.refusals_of_trace(trace).await.expect("records");
        let [record] = &records[..] else { panic!("{page}: {records:?}") };
        assert_eq!((record.client_id.as_deref(), record.reason.as_str()), (Some("shop"), reason));
        assert!(record.detail.contains(&page) && !record.detail.contains(&secret), "{}", record.detail);
        let told = fixture.made(Method::POST, "/explain", &json!({ "question": "token", "trace_id": trace })).await;
        let verdict = told["verdict"].as_str().expect("a verdict");
        assert!(verdict.starts_with(&format!("the request was refused ({reason})")), "{told}");
    }
}

/// attacks.md C4 81, C5 93: what was brought to the wrong door costs nobody anything.
#[tokio::test]
async fn a_code_and_a_refresh_token_are_good_at_the_door_of_their_tenant_alone_and_stay_good_there() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let bolt = fixture.made(Method::POST, "/tenants", &json!({ "name": "Bolt", "slug": "bolt" })).await;
    let other = json!({
        "name": "Other", "type": "web", "level": "tenant", "tenant_id": bolt["id"], "client_id": "other",
        "allowed_scopes": ["openid", "shopper.read"], "redirect_uris": [CALLBACK],
    });
    let other = fixture.made(Method::POST, "/applications", &other).await;
    let other = ("other", other["client_secret"].as_str().expect("a secret"));
    let own = ("shop", lending.secret.as_str());
    let token = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let code = lending.code(&[]).await;
    let redeem = redemption(&code);
    let renew = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let there = "/tenants/bolt/connect/token";
    let is_sent_away = |answer: &Answer, issuer: &str| {
        assert_eq!(
            (answer.status, &answer.json["error"], &answer.json["issuer"]),
            (StatusCode::BAD_REQUEST, &json!("unauthorized_client"), &json!(issuer)),
            "{}",
            answer.text
        );
    };
    for fields in [&redeem[..], &renew] {
        for door in [there, "/connect/token"] {
            is_sent_away(&fixture.form(door, Some(own), fields).await, ISSUER);
        }
        is_sent_away(&fixture.form(TOKEN, Some(other), fields).await, "https://as.example/tenants/bolt");
    }
    is_refused(&fixture.form(there, Some(other), &redeem).await, "oauth2-grant-of-another-client");
    fixture.clock.advance_millis(10_001);
    assert_eq!(lending.redeem(&code).await.status, StatusCode::OK);
    assert_eq!(lending.refresh(&token, &[]).await.status, StatusCode::OK);
}

/// attacks.md C5 91, 93 and C4 78: the event is in the trail that is kept, with whose it was and what was lent, once.
#[tokio::test]
async fn what_is_ended_because_it_may_be_stolen_is_in_the_audit_trail() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let secret = lending.another().await;
    let other = Some(("other", secret.as_str()));
    let trail = async || {
        let root = fixture.root().await;
        fixture.admin(&root, Method::GET, "/audit?resource=grant", None).await.json["items"].clone()
    };
    let grant = |tokens: &Answer| claims(&tokens.access_token())["grant_id"].clone();

    // A code that was burnt, a repetition within the grace, one's own word, a token of nobody's: nothing is stolen.
    let burnt = lending.code(&[]).await;
    lending.ask(&[("grant_type", "authorization_code"), ("code", &burnt)]).await;
    is_refused(&lending.redeem(&burnt).await, "oauth2-code-reused");
    let tokens = lending.redeem(&lending.code(&[]).await).await;
    for _ in 0..2 {
        lending.refresh(&refresh_token(&tokens), &[]).await;
    }
    let own = Some(("shop", lending.secret.as_str()));
    fixture.form("/tenants/acme/connect/revoke", own, &[("token", &refresh_token(&tokens))]).await;
    lending.refresh(&refresh_token(&tokens), &[]).await;
    lending.refresh("ambit_rt_x", &[]).await;
    assert_eq!(trail().await, json!([]));

    let code = lending.code(&[]).await;
    let twice = lending.redeem(&code).await;
    join_all((0..10).map(|_| lending.redeem(&code))).await;
    let reused = lending.redeem(&lending.code(&[]).await).await;
    lending.refresh(&refresh_token(&reused), &[]).await;
    fixture.clock.advance_secs(11);
    let refused = lending.refresh(&refresh_token(&reused), &[]).await;
    is_refused(&refused, "oauth2-refresh-token-reused");
    let others = lending.redeem(&lending.code(&[]).await).await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token(&others))];
    is_refused(&fixture.form(TOKEN, other, &fields).await, "oauth2-grant-of-another-client");

    let trail = trail().await;
    let seen: Vec<_> = trail.as_array().expect("a list").iter().rev().collect();
    let expected = [
        (grant(&twice), "client:shop", "code_reused"),
        (grant(&reused), "client:shop", "refresh_token_reused"),
        (grant(&others), "client:other", "other_client"),
    ];
    assert_eq!(seen.len(), expected.len(), "{trail}");
    for (change, (id, actor, because)) in seen.into_iter().zip(expected) {
        assert_eq!(
            (&change["resource_id"], &change["actor"], &change["action"]),
            (&id, &json!(actor), &json!("update"))
        );
        assert_eq!(change["tenant_id"], lending.tenant_id);
        let (before, after) = (&change["before"], &change["after"]);
        assert_eq!((&before["ended_because"], &after["ended_because"]), (&json!(null), &json!(because)));
        assert_eq!((&after["user_id"], &after["client_id"]), (&lending.user["id"], &json!("shop")));
        assert_eq!(after["scopes"], json!(["openid", "profile", "shopper.read"]));
        assert!(!change.to_string().contains("ambit_rt_") && !change.to_string().contains("ambit_ac_"), "{change}");
    }
    assert_eq!(trail[1]["trace_id"], refused.json["trace_id"]);
}

/// attacks.md C16: whoever is told to try again later has lost nothing, and nothing is on record that was not issued.
#[tokio::test]
async fn a_full_journal_costs_nobody_their_code_nor_their_refresh_token() {
    let (lending, store) = Lending::held_up_with("[journal]\nqueue = 64\nflush = \"1 ms\"\n").await;
    let journal = &lending.fixture.server.app().journal;
    let token = refresh_token(&lending.redeem(&lending.code(&[]).await).await);
    let (code, void) = (lending.code(&[]).await, lending.code(&[]).await);
    let service = [("grant_type", "client_credentials"), ("scope", "pos.read")];
    // The writer has taken one token and is stuck with it, and as many as there are places wait.
    let filled = async || {
        journal.flush().await.expect("written");
        let before = store.calls(&["append_journal"]);
        store.journal_stalls.send_replace(true);
        lending.ask(&service).await;
        writes(&store, before + 1).await;
        let waiting = join_all((0..64).map(|_| lending.ask(&service))).await;
        assert!(waiting.iter().all(|answer| answer.status == StatusCode::OK));
        assert_eq!(journal.depth(), 64);
    };
    filled().await;
    let (redeemed, renewed) = tokio::join!(lending.redeem(&code), lending.refresh(&token, &[]));
    for answer in [redeemed, renewed] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
        assert_eq!(answer.json["error"], "temporarily_unavailable");
    }
    store.journal_stalls.send_replace(false);
    lending.fixture.clock.advance_secs(11);
    for answer in [lending.redeem(&code).await, lending.refresh(&token, &[]).await] {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let jti = claims(&answer.access_token())["jti"].clone();
        assert!(journal.find_token(jti.as_str().expect("a jti")).await.expect("an answer").is_some());
    }
    // A place that was kept for what is not issued after all is free again.
    let (now, all) = (lending.now(), Sessions::OfUser(lending.user_id()));
    lending.fixture.store.sign_ins().end_sessions(all, now, now.plus_secs(86_400)).await.expect("ended");
    is_refused(&lending.redeem(&void).await, "oauth2-invalid-grant");
    filled().await;
    store.journal_stalls.send_replace(false);
}
