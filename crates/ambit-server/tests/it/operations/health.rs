//! `/healthz` and `/readyz`, in each state.

use ambit_server::jobs::{JOBS, attempt};
use axum::http::StatusCode;

use crate::store::Faulty;
use crate::support::Fixture;

async fn readiness(fixture: &Fixture) -> (StatusCode, String) {
    let answer = fixture.get("/readyz").await;
    assert_eq!(fixture.get("/healthz").await.status, StatusCode::OK, "the process is up all the while");
    (answer.status, answer.json["reason"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_server_is_ready_while_its_store_answers() {
    let (fixture, faulty) = Faulty::fixture("").await;
    let ready = fixture.get("/readyz").await;
    assert_eq!((ready.status, ready.json["status"].as_str()), (StatusCode::OK, Some("ready")));
    assert_eq!(ready.json["revision"], fixture.store.revision().await.expect("a revision"));

    // What was heard a moment ago counts for a second.
    faulty.fail(&["check"]);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
    fixture.clock.advance_secs(1);
    let down = (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer".to_owned());
    assert_eq!(readiness(&fixture).await, down);
    faulty.fail(&[]);
    assert_eq!(readiness(&fixture).await, down);
    fixture.clock.advance_secs(1);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);

    // A clock that was set back does not make an answer good for ever.
    faulty.fail(&["check"]);
    fixture.clock.advance_secs(-3600);
    assert_eq!(readiness(&fixture).await, down);
}

#[tokio::test]
async fn a_server_whose_facts_are_too_old_is_not_ready_until_it_reads_them_again() {
    let fixture = Fixture::new().await;
    fixture.clock.advance_secs(10);
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
    fixture.clock.advance_secs(1);
    let (status, reason) = readiness(&fixture).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reason, "changes made elsewhere have not been read for too long");
    let refresh = JOBS.iter().find(|job| job.name == "refresh").expect("a job");
    attempt(fixture.server.app(), refresh).await.expect("a store that answers");
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_was_told_to_stop_says_so_before_it_is_gone() {
    let fixture = Fixture::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(fixture.server.clone().serve(listener, async {
        stopped.await.expect("the signal");
    }));
    assert_eq!(readiness(&fixture).await.0, StatusCode::OK);
    stop.send(()).expect("a server that listens");
    serving.await.expect("no panic").expect("a clean end");
    let stopping = (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping".to_owned());
    assert_eq!(readiness(&fixture).await, stopping);
}
