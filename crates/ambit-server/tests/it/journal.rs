//! What was issued is on record, whatever the store does; and what is on record is what was decided.

use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use axum::http::{Method, StatusCode, header};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::store::Faulty;
use crate::support::{Answer, Fixture, ROOT, ROOT_SECRET, claims};

async fn ask(fixture: &Fixture) -> Answer {
    fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "admin:read")]).await
}

fn jti(answer: &Answer) -> String {
    claims(&answer.access_token())["jti"].as_str().expect("a jti").to_owned()
}

/// The journal knows each of these tokens.
async fn all_on_record(fixture: &Fixture, jtis: &[String]) {
    let journal = &fixture.server.app().journal;
    journal.flush().await.expect("the journal is written");
    for jti in jtis {
        assert!(journal.find_token(jti).await.expect("an answer").is_some(), "{jti}");
    }
}

/// The journal was to be written so many times.
pub(crate) async fn writes(store: &Faulty, times: u64) {
    let counted = async {
        while store.calls(&["append_journal"]) < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.expect("the journal is written, and tried again");
}

async fn recorded(fixture: &Fixture) -> u32 {
    let far = Timestamp::from_millis(i64::MAX);
    let blocks = fixture.store.journal_blocks(Timestamp::default(), far, 1_000).await.expect("blocks");
    blocks.iter().map(|block| block.count).sum()
}

#[tokio::test]
async fn a_full_queue_slows_requests_down_and_no_token_leaves_that_is_not_on_record() {
    let (fixture, store) = Faulty::fixture("[journal]\nqueue = 64\nflush = \"1 ms\"\n").await;
    let fixture = Arc::new(fixture);
    store.journal_stalls.send_replace(true);
    let mut jtis = vec![jti(&ask(&fixture).await)];
    // The writer has taken the first and is stuck with it.
    writes(&store, 1).await;
    for answer in join_all((0..64).map(|_| ask(&fixture))).await {
        jtis.push(jti(&answer));
    }
    // There is no place left: whoever comes now waits, and fails in the end.
    for refused in join_all((0..5).map(|_| ask(&fixture))).await {
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
        assert_eq!(refused.json["error"], "temporarily_unavailable");
        assert!(refused.json.get("access_token").is_none());
        assert!(refused.header(header::RETRY_AFTER).parse::<u64>().expect("seconds") >= 1);
    }
    // Who waits while a place comes free is served.
    let waiting = tokio::spawn({
        let fixture = fixture.clone();
        async move { ask(&fixture).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    store.journal_stalls.send_replace(false);
    let late = waiting.await.expect("no panic");
    assert_eq!(late.status, StatusCode::OK, "{}", late.text);
    jtis.push(jti(&late));
    all_on_record(&fixture, &jtis).await;
    assert_eq!(recorded(&fixture).await as usize, jtis.len(), "as many as were issued, and none that was not");
}

/// A token that may come is counted as one that came, and no longer than it may.
#[tokio::test]
async fn a_place_that_is_kept_is_taken_until_it_is_given_up() {
    let fixture = Fixture::with("[journal]\nqueue = 64\nflush = \"1 ms\"\n").await;
    let journal = &fixture.server.app().journal;
    let mut kept = vec![];
    for _ in 0..64 {
        kept.push(journal.hold().await.expect("a place"));
    }
    for _ in 0..2 {
        let refused = ask(&fixture).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
        kept.pop();
        for _ in 0..2 {
            let answer = ask(&fixture).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            journal.flush().await.expect("written");
        }
        kept.push(journal.hold().await.expect("the place of before"));
    }
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_loses_nothing() {
    let (fixture, store) = Faulty::fixture("[journal]\nflush = \"1 ms\"\n").await;
    store.fail(&["append_journal"]);
    let mut jtis = vec![];
    let mut traces = vec![];
    for _ in 0..20 {
        jtis.push(jti(&ask(&fixture).await));
        let refused = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "nope")]).await;
        traces.push(refused.json["trace_id"].as_str().expect("a trace").to_owned());
    }
    writes(&store, 3).await;
    assert_eq!(recorded(&fixture).await, 0);
    store.fail(&[]);
    all_on_record(&fixture, &jtis).await;
    for trace in &traces {
        assert_eq!(fixture.store.refusals_of_trace(trace).await.expect("records").len(), 1);
    }
    assert_eq!(recorded(&fixture).await, 20, "each once, however often it was tried");
}

#[tokio::test]
async fn a_server_that_stops_writes_what_it_noted() {
    let fixture = Fixture::with("[journal]\nflush = \"10 s\"\n").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(fixture.server.clone().serve(listener, async move {
        // The sender is dropped to stop it.
        let _ = stopped.await;
    }));
    let token = jti(&ask(&fixture).await);
    assert_eq!(recorded(&fixture).await, 0, "it waits for company");
    drop(stop);
    serving.await.expect("no panic").expect("an end");
    assert_eq!(recorded(&fixture).await, 1);
    assert!(fixture.server.app().journal.find_token(&token).await.expect("an answer").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_token_is_explained_by_the_revision_it_names_whatever_changed_meanwhile() {
    let fixture = Arc::new(Fixture::new().await);
    fixture.retail().await;
    let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
    let tenant = tenant["id"].as_str().expect("an id").to_owned();
    let unit = json!({"name": "North", "slug": "north", "kind": "retailer"});
    let unit = fixture.made(Method::POST, &format!("/tenants/{tenant}/units"), &unit).await;
    let unit = unit["id"].as_str().expect("an id").to_owned();
    let body = json!({"name": "Till", "client_id": "till", "type": "service", "level": "platform",
        "allowed_scopes": ["pos.read", "offers:read"], "scope_policy": {"on_refused": "narrow"}});
    let made = fixture.made(Method::POST, "/applications", &body).await;
    let secret = made["client_secret"].as_str().expect("shown once").to_owned();

    let (done, is_done) = tokio::sync::watch::channel(false);
    let clients = (0..4).map(|n| {
        let (fixture, secret, is_done) = (fixture.clone(), secret.clone(), is_done.clone());
        tokio::spawn(async move {
            let mut issued = vec![];
            while !*is_done.borrow() {
                // Not a measurement: a slow machine has to get its changes made in between.
                tokio::time::sleep(Duration::from_millis(3)).await;
                let fields: &[(&str, &str)] = match n % 3 {
                    0 => &[("tenant", "acme"), ("unit", "north"), ("scope", "pos.read pos.write offers:read")],
                    1 => &[("tenant", "acme"), ("scope", "pos:receipts:read offers:read pos.read")],
                    _ => &[],
                };
                let answer = fixture.token("/connect/token", ("till", &secret), fields).await;
                match answer.status {
                    StatusCode::OK => {
                        let claims = claims(&answer.access_token());
                        issued.push((claims["jti"].clone(), claims["rev"].clone(), answer.json["scope"].clone()));
                    }
                    StatusCode::BAD_REQUEST => assert_eq!(answer.json["error"], "invalid_scope", "{}", answer.text),
                    other => panic!("{other}: {}", answer.text),
                }
            }
            issued
        })
    });
    let clients: Vec<_> = clients.collect();
    for n in 0..30 {
        let (method, path, body) = match n % 5 {
            0 => (Method::PUT, format!("/tenants/{tenant}/features/digital-receipts"), json!({"enabled": n % 2 == 0})),
            1 => (Method::PATCH, "/applications/till".to_owned(), json!({"allowed_scopes": ["pos.read"]})),
            2 => (Method::PUT, format!("/units/{unit}/features/digital-receipts"), json!({"enabled": Value::Null})),
            3 => (
                Method::PATCH,
                "/applications/till".to_owned(),
                json!({"allowed_scopes": ["offers:read", "pos.read", "pos.write"]}),
            ),
            _ => (Method::PATCH, "/scopes/pos.write".to_owned(), json!({"advertised": n % 2 == 0})),
        };
        let root = fixture.root().await;
        let changed = fixture.admin(&root, method, &path, Some(&body)).await;
        assert!(changed.status.is_success(), "{path}: {}", changed.text);
        fixture.clock.advance_millis(1);
    }
    done.send_replace(true);
    let mut issued = vec![];
    for client in clients {
        issued.extend(client.await.expect("no panic"));
    }
    let root = fixture.root().await;
    let mut sets = std::collections::BTreeSet::new();
    let mut revisions = std::collections::BTreeSet::new();
    // One of each revision and outcome tells as much as all of them.
    for (jti, rev, scope) in &issued {
        if !sets.insert((rev.as_u64(), scope.as_str())) {
            continue;
        }
        revisions.insert(rev.as_u64());
        let question = json!({"question": "token", "jti": jti});
        let told = fixture.admin(&root, Method::POST, "/explain", Some(&question)).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        let decision = &told.json["decision"];
        let granted: Vec<&str> =
            decision["granted"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(
            (granted.join(" ").as_str(), &decision["revision"]),
            (scope.as_str().expect("text"), rev),
            "{}",
            told.text
        );
    }
    assert!(revisions.len() > 5, "hardly anything happened at once: {} tokens of {revisions:?}", issued.len());
}
