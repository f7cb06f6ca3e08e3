//! W3C Trace Context: whose trace a request is part of.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use super::logs::{Paper, logged};
use crate::support::{Fixture, ROOT, ROOT_SECRET, basic};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn ask(fixture: &Fixture, traceparents: &[&str]) -> crate::support::Answer {
    let mut request = Request::post("/connect/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, basic(ROOT, ROOT_SECRET));
    for traceparent in traceparents {
        request = request.header("traceparent", *traceparent);
    }
    let body = Body::from("grant_type=client_credentials&scope=nope");
    fixture.send(request.body(body).expect("a request")).await
}

#[tokio::test]
async fn a_callers_trace_goes_on_in_the_answer_the_log_and_the_journal() {
    let paper = Paper::default();
    let fixture = logged("", &paper).await;
    let answer = ask(&fixture, &[&format!("00-{TRACE}-00f067aa0ba902b7-01")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json["trace_id"], TRACE);
    assert_eq!(answer.header("trace-id"), TRACE);
    let lines = paper.lines(&fixture);
    assert_eq!(lines.last().expect("a line")["trace_id"], TRACE);
    let recorded = fixture.server.app().journal.find_trace(TRACE).await.expect("a look");
    assert_eq!(recorded.refusals.len(), 1);
}

#[tokio::test]
async fn what_is_no_trace_is_replaced_by_a_new_one_and_is_no_error() {
    let fixture = Fixture::new().await;
    let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let mut seen = vec![TRACE.to_owned()];
    for bad in [
        &[][..],
        &["nonsense"],
        &[&good.to_uppercase()],
        &[&good.replacen("00", "ff", 1)],
        &[&format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))],
        &[&format!("00-{TRACE}-{}-01", "0".repeat(16))],
        &[&format!("{good}-more")],
        // Which of two is right cannot be known.
        &[&good, &good],
    ] {
        let answer = ask(&fixture, bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let trace = answer.json["trace_id"].as_str().expect("a trace").to_owned();
        assert_eq!(answer.header("trace-id"), trace);
        assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()), "{trace}");
        assert!(!seen.contains(&trace), "{bad:?}: {trace}");
        seen.push(trace);
    }
    // A later version is read as far as this one goes (§4.3).
    let later = ask(&fixture, &[&format!("{}-more", good.replacen("00", "01", 1))]).await;
    assert_eq!(later.json["trace_id"], TRACE);
}
