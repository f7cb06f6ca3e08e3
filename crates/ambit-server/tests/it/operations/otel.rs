//! The export of traces, to a collector on this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambit_protocol::trace::TraceId;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;

use super::metrics::Samples;
use crate::support::{Fixture, ROOT, ROOT_SECRET, START, basic};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What a collector was sent, and what it answers.
#[derive(Debug, Clone, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    /// One status for each request to come; 200 where there is none.
    statuses: Arc<Mutex<Vec<StatusCode>>>,
    rejected: Arc<Mutex<i64>>,
    /// Held while it answers nobody.
    busy: Arc<tokio::sync::Mutex<()>>,
}

impl Collector {
    /// Listens, and gives the configuration that sends there.
    async fn start(&self, per_mille: u32) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await.expect("a collector") });
        format!("[otel]\nendpoint = 'http://{address}/v1/traces?token=CANARY'\nsampled_per_mille = {per_mille}")
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().expect("not poisoned");
        let decoded = requests.iter().map(|(_, body)| ExportTraceServiceRequest::decode(&body[..]).expect("protobuf"));
        let resources = decoded.flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> (StatusCode, Vec<u8>) {
    drop(collector.busy.lock().await);
    collector.requests.lock().expect("not poisoned").push((headers, body));
    let status = collector.statuses.lock().expect("not poisoned").pop().unwrap_or(StatusCode::OK);
    let rejected_spans = *collector.rejected.lock().expect("not poisoned");
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: String::new() };
    (status, ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
}

async fn flush(fixture: &Fixture) {
    fixture.server.app().spans.as_ref().expect("an export").flush().await;
}

fn counted(fixture: &Fixture, outcome: &str) -> f64 {
    let app = fixture.server.app();
    Samples::read(&app.metrics.render(app)).value("ambit_otel_spans_total", &[("outcome", outcome)])
}

fn attributes(of: &[KeyValue]) -> serde_json::Value {
    let members = of.iter().map(|attribute| {
        let value = match attribute.value.as_ref().and_then(|value| value.value.clone()) {
            Some(Value::StringValue(text)) => json!(text),
            Some(Value::IntValue(number)) => json!(number),
            other => panic!("{other:?}"),
        };
        (attribute.key.clone(), value)
    });
    serde_json::Value::Object(members.collect())
}

fn trace_of(span: &Span) -> String {
    let octets = span.trace_id.as_slice().try_into().expect("16 octets");
    TraceId::new(octets).expect("not all zero").to_string()
}

async fn ask(fixture: &Fixture, traceparent: &str, scope: &str) -> StatusCode {
    let request = Request::post("/connect/token?x=CANARY")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, basic(ROOT, ROOT_SECRET))
        .header(header::COOKIE, "CANARY")
        .header("tracestate", "rojo=00f067aa0ba902b7")
        .header("tracestate", "congo=t61rcWkgMzE")
        .header("traceparent", traceparent);
    let body = Body::from(format!("grant_type=client_credentials&scope={scope}"));
    fixture.send(request.body(body).expect("a request")).await.status
}

#[tokio::test]
async fn a_request_of_a_sampled_trace_is_a_span_that_says_what_the_log_says() {
    let collector = Collector::default();
    let fixture = Fixture::with(&collector.start(0).await).await;
    assert_eq!(ask(&fixture, &format!("00-{TRACE}-00f067aa0ba902b7-01"), "admin:read").await, StatusCode::OK);
    assert_eq!(ask(&fixture, &format!("00-{TRACE}-00f067aa0ba902b7-00"), "admin:read").await, StatusCode::OK);
    fixture.get("/nowhere").await;
    flush(&fixture).await;

    let spans = collector.spans();
    let [span] = &spans[..] else { panic!("one of the three is sampled: {spans:?}") };
    assert_eq!(trace_of(span), TRACE);
    assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert!(span.span_id.len() == 8 && span.span_id != span.parent_span_id && span.span_id != [0; 8]);
    assert_eq!(span.trace_state, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    assert_eq!((span.name.as_str(), span.kind, span.status.is_none()), ("POST /connect/token", 2, true));
    let end = u64::try_from(START).expect("after 1970") * 1_000_000_000;
    assert_eq!(span.end_time_unix_nano, end);
    assert!(span.start_time_unix_nano < end && end - span.start_time_unix_nano < 30_000_000_000);
    assert_eq!(
        attributes(&span.attributes),
        json!({
            "http.request.method": "POST", "http.route": "/connect/token", "http.response.status_code": 200,
            "ambit.actor": ROOT, "ambit.outcome": "issued",
        })
    );
    let requests = collector.requests.lock().expect("not poisoned").clone();
    let (headers, body) = &requests[0];
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    let sent = ExportTraceServiceRequest::decode(&body[..]).expect("protobuf");
    let resource = sent.resource_spans[0].resource.clone().expect("a resource");
    assert_eq!(attributes(&resource.attributes)["service.name"], "ambit");
    let text = String::from_utf8_lossy(body);
    assert!(!text.contains("CANARY") && !text.contains(ROOT_SECRET) && !text.contains("Basic"), "{text}");
    assert!((counted(&fixture, "exported") - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn traces_that_begin_here_are_exported_as_often_as_configured() {
    let collector = Collector::default();
    let fixture = Fixture::with(&collector.start(1000).await).await;
    let refused = fixture.token("/connect/token", (ROOT, ROOT_SECRET), &[("scope", "nope")]).await;
    fixture.send(Request::builder().method("EVIL").uri("/").body(Body::empty()).expect("a request")).await;
    flush(&fixture).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.parent_span_id.is_empty() && span.trace_state.is_empty()));
    assert_eq!(attributes(&spans[0].attributes)["ambit.reason"], "invalid_scope");
    assert_eq!(refused.json["trace_id"], trace_of(&spans[0]));
    assert_eq!(spans[1].name, "_OTHER");

    let quiet = Fixture::with(&collector.start(0).await).await;
    quiet.root().await;
    flush(&quiet).await;
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test]
async fn a_batch_that_is_not_taken_now_is_sent_again_and_one_that_never_is_is_counted() {
    let collector = Collector::default();
    let fixture = Fixture::with(&collector.start(1000).await).await;
    collector.statuses.lock().expect("not poisoned").push(StatusCode::SERVICE_UNAVAILABLE);
    fixture.get("/healthz").await;
    flush(&fixture).await;
    assert_eq!(collector.requests.lock().expect("not poisoned").len(), 2);
    assert!((counted(&fixture, "exported") - 1.0).abs() < 1e-9 && counted(&fixture, "failed") < 1e-9);

    collector.statuses.lock().expect("not poisoned").push(StatusCode::BAD_REQUEST);
    fixture.get("/healthz").await;
    flush(&fixture).await;
    assert_eq!(collector.requests.lock().expect("not poisoned").len(), 3);
    assert!((counted(&fixture, "failed") - 1.0).abs() < 1e-9);

    // A collector can take some and reject others.
    *collector.rejected.lock().expect("not poisoned") = 1;
    fixture.get("/healthz").await;
    fixture.get("/healthz").await;
    flush(&fixture).await;
    assert!((counted(&fixture, "exported") - 2.0).abs() < 1e-9 && (counted(&fixture, "failed") - 2.0).abs() < 1e-9);
}

#[tokio::test]
async fn no_request_waits_for_a_collector_that_stands_still() {
    let collector = Collector::default();
    let fixture = Fixture::with(&collector.start(1000).await).await;
    let busy = collector.busy.clone().lock_owned().await;
    let requests = async {
        for _ in 0..6_000 {
            assert_eq!(fixture.get("/healthz").await.status, StatusCode::OK);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), requests).await.expect("nobody waits");
    // At most the queue and one batch are held.
    assert!(counted(&fixture, "dropped") >= f64::from(6_000 - 4_096 - 512), "{}", counted(&fixture, "dropped"));
    drop(busy);
}
