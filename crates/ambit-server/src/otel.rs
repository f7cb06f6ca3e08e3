//! The export of traces by OTLP (HTTP with protobuf): one span for each request of a trace that is sampled.
//!
//! 1. A request that begins says whether its trace is sampled: as its caller says, or by chance where the trace begins here.
//! 2. When it was answered, what is known of it goes into a bounded queue. Where that is full the span is dropped and counted: no
//!    request waits for a collector.
//! 3. One task packs what is queued into batches and sends them. A batch that the collector cannot take now is sent again a few
//!    times, then given up and counted.
//!
//! A span holds what the request's line in the log holds. Neither query nor header nor body is in it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ambit_core::entropy::Entropy;
use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::{SpanId, TraceId, TraceParent};
use axum::extract::MatchedPath;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use reqwest::redirect::Policy;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::config::{self, CollectorUrl};
use crate::logs::with_causes;
use crate::metrics;
use crate::middleware::Outcome;

/// Where spans go.
#[derive(Debug)]
pub struct Spans {
    queue: mpsc::Sender<Message>,
    counts: Arc<metrics::Spans>,
    entropy: Arc<dyn Entropy>,
    sampled_per_mille: u32,
}

/// A request of a sampled trace that has begun.
#[derive(Debug)]
pub struct Begun {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    trace_state: String,
}

/// A request that was answered.
#[derive(Debug)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Its method.
    pub method: Method,
    /// The route it met.
    pub route: Option<MatchedPath>,
    /// The status of the answer.
    pub status: StatusCode,
    /// What the handler knows of it.
    pub outcome: Option<Outcome>,
}

#[derive(Debug)]
enum Message {
    Span(Box<(Begun, Answered)>),
    Flush(oneshot::Sender<()>),
}

/// The HTTP client cannot be made: no trusted certificates, or the TLS library failed.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be exported")]
pub struct OtelError(#[from] reqwest::Error);

impl Spans {
    /// Starts the export, if there is a collector. Must be called within a runtime.
    ///
    /// # Errors
    /// [`OtelError`].
    pub fn start(
        config: &config::Otel,
        counts: Arc<metrics::Spans>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Option<Self>, OtelError> {
        let Some(endpoint) = config.endpoint.clone() else { return Ok(None) };
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            // The configuration is where the server is told what to do, not the environment.
            .no_proxy()
            .timeout(EXPORT_TIME)
            .connect_timeout(CONNECT_TIME)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("ambit/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let (queue, receiver) = mpsc::channel(QUEUE);
        let mut instance = [0; 16];
        entropy.fill(&mut instance);
        let exporter = Exporter {
            client,
            endpoint,
            resource: resource(u128::from_be_bytes(instance)),
            counts: counts.clone(),
            failures: 0,
        };
        tokio::spawn(exporter.run(receiver));
        Ok(Some(Self { queue, counts, entropy, sampled_per_mille: config.sampled_per_mille }))
    }

    /// Step 1: a request begins. None where its trace is not sampled.
    pub fn begin(&self, trace_id: TraceId, parent: Option<&TraceParent>, headers: &HeaderMap) -> Option<Begun> {
        let is_sampled = parent.map_or_else(|| self.is_chosen(trace_id), |parent| parent.sampled);
        if !is_sampled {
            return None;
        }
        let mut octets = [0; 8];
        self.entropy.fill(&mut octets);
        // W3C Trace Context §3.2.2.4: all zeros is no span id.
        octets[7] |= 1;
        Some(Begun {
            trace_id,
            span_id: SpanId::new(octets)?,
            parent_id: parent.map(|parent| parent.parent_id),
            // §3.3: "If the vendor failed to parse traceparent, it MUST NOT attempt to parse tracestate."
            trace_state: parent.and_then(|_| trace_state(headers)).unwrap_or_default(),
        })
    }

    /// Step 2: the request was answered.
    pub fn end(&self, begun: Begun, answered: Answered) {
        if self.queue.try_send(Message::Span(Box::new((begun, answered)))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what is queued was sent, a few seconds at most. Before the program ends.
    pub async fn flush(&self) {
        let flushed = async {
            let (done, sent) = oneshot::channel();
            // An exporter that is gone has nothing left to send.
            if self.queue.send(Message::Flush(done)).await.is_ok() {
                drop(sent.await);
            }
        };
        if timeout(FLUSH_PATIENCE, flushed).await.is_err() {
            tracing::warn!("the collector was too slow to take the last spans");
        }
    }

    /// A trace that begins here is chosen by its own random octets, so that every node chooses the same.
    fn is_chosen(&self, trace_id: TraceId) -> bool {
        let octets = trace_id.octets();
        // The first six tell the moment, and the last bit is always set.
        let random = u64::from(u32::from_be_bytes([octets[6], octets[7], octets[8], octets[9]]));
        (random * 1000) >> 32 < u64::from(self.sampled_per_mille)
    }
}

/// The `tracestate` of a request, as far as it has the form of one (§3.3.1): passed on to the collector, and used for nothing.
fn trace_state(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all("tracestate").iter().map(HeaderValue::to_str);
    let whole = values.collect::<Result<Vec<_>, _>>().ok()?.join(",");
    let is_member = |member: &str| {
        let member = member.trim_matches([' ', '\t']);
        member.is_empty() || member.split_once('=').is_some_and(|(key, value)| is_key(key) && is_value(value))
    };
    let members = whole.split(',').count();
    let good = whole.len() <= TRACE_STATE_LEN && members <= TRACE_STATE_MEMBERS && whole.split(',').all(is_member);
    good.then_some(whole)
}

fn is_key(key: &str) -> bool {
    let octet = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    (1..=256).contains(&key.len()) && key.bytes().all(octet)
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'=')
}

/// Step 3.
struct Exporter {
    client: reqwest::Client,
    endpoint: CollectorUrl,
    resource: Resource,
    counts: Arc<metrics::Spans>,
    /// Batches given up since one was taken.
    failures: u64,
}

/// Why a batch was not taken.
enum NotTaken {
    /// Sent again, it may be.
    Now(String),
    /// It never will be.
    Ever(String),
}

impl Exporter {
    async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        while let Some(first) = receiver.recv().await {
            let mut batch = vec![];
            let mut waiting = take(&mut batch, first);
            let gather = sleep(GATHER);
            tokio::pin!(gather);
            while batch.len() < BATCH && waiting.is_none() {
                tokio::select! {
                    message = receiver.recv() => match message {
                        Some(message) => waiting = take(&mut batch, message),
                        None => break,
                    },
                    () = &mut gather => break,
                }
            }
            if !batch.is_empty() {
                self.export(batch).await;
            }
            if let Some(done) = waiting {
                // Whoever stopped waiting does not want to know.
                let _ = done.send(());
            }
        }
    }

    async fn export(&mut self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        let scope = InstrumentationScope { name: "ambit".to_owned(), ..InstrumentationScope::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.send(body.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.counts.exported.fetch_add(count - rejected, Ordering::Relaxed);
                    self.counts.failed.fetch_add(rejected, Ordering::Relaxed);
                    self.failures = 0;
                    return;
                }
                Err(NotTaken::Now(_)) if attempt < ATTEMPTS => {
                    sleep(pause).await;
                    pause *= 2;
                }
                Err(NotTaken::Now(reason) | NotTaken::Ever(reason)) => {
                    self.counts.failed.fetch_add(count, Ordering::Relaxed);
                    self.failures += 1;
                    // A collector that is away is not news of its own for each batch.
                    if self.failures.is_power_of_two() {
                        tracing::warn!(reason, failures = self.failures, "the collector did not take spans");
                    }
                    return;
                }
            }
        }
    }

    /// Sends a batch. Answers how many of its spans the collector rejected.
    async fn send(&self, body: Vec<u8>) -> Result<u64, NotTaken> {
        let request =
            self.client.post(self.endpoint.as_str()).header(header::CONTENT_TYPE, "application/x-protobuf").body(body);
        // The URL is the operator's and known; a token may be in its query.
        let unsent = |error: reqwest::Error| NotTaken::Now(with_causes(&error.without_url()));
        let mut response = request.send().await.map_err(unsent)?;
        let status = response.status();
        if !status.is_success() {
            let reason = format!("it answered {status}");
            // OTLP specification, "Retryable Response Codes".
            return Err(match status.as_u16() {
                429 | 502 | 503 | 504 => NotTaken::Now(reason),
                _ => NotTaken::Ever(reason),
            });
        }
        let mut answer = vec![];
        while let Some(chunk) = response.chunk().await.map_err(unsent)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > ANSWER_LEN {
                return Ok(0);
            }
        }
        // It took them, and what it says besides cannot be read.
        let Ok(answer) = ExportTraceServiceResponse::decode(answer.as_slice()) else { return Ok(0) };
        Ok(answer.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)))
    }
}

/// Puts a span into a batch; hands back whoever waits for it to be sent.
fn take(batch: &mut Vec<Span>, message: Message) -> Option<oneshot::Sender<()>> {
    match message {
        Message::Span(span) => {
            batch.push(shown(span.0, span.1));
            None
        }
        Message::Flush(done) => Some(done),
    }
}

/// A request as OTLP shows it, with the names of OpenTelemetry's semantic conventions where they have one.
fn shown(begun: Begun, answered: Answered) -> Span {
    let method = if STANDARD.contains(&answered.method) { answered.method.as_str() } else { "_OTHER" };
    let route = answered.route.as_ref().map(MatchedPath::as_str);
    let status = answered.status.as_u16();
    let outcome = answered.outcome.unwrap_or_default();
    let mut attributes = vec![
        text("http.request.method", method),
        KeyValue {
            value: Some(AnyValue { value: Some(Value::IntValue(status.into())) }),
            ..key("http.response.status_code")
        },
    ];
    for (name, value) in [
        ("http.route", route),
        ("ambit.tenant", outcome.tenant.as_deref()),
        ("ambit.unit", outcome.unit.as_deref()),
        ("ambit.actor", outcome.actor.as_deref()),
        ("ambit.outcome", Some(outcome.outcome).filter(|outcome| !outcome.is_empty())),
        ("ambit.reason", outcome.reason),
    ] {
        attributes.extend(value.map(|value| text(name, value)));
    }
    let end = u64::try_from(answered.at.millis()).unwrap_or(0).saturating_mul(1_000_000);
    let took = u64::try_from(answered.took.as_nanos()).unwrap_or(u64::MAX);
    Span {
        trace_id: begun.trace_id.octets().to_vec(),
        span_id: begun.span_id.octets().to_vec(),
        trace_state: begun.trace_state,
        parent_span_id: begun.parent_id.map(|id| id.octets().to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: end.saturating_sub(took),
        end_time_unix_nano: end,
        attributes,
        // The convention for servers: what is the client's fault is no error of this span.
        status: (status >= 500).then(|| Status { code: SpanStatus::Error.into(), message: String::new() }),
        ..Span::default()
    }
}

/// Who sends the spans.
fn resource(instance: u128) -> Resource {
    let attributes = vec![
        text("service.name", "ambit"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", &format!("{instance:032x}")),
    ];
    Resource { attributes, ..Resource::default() }
}

fn text(name: &str, value: &str) -> KeyValue {
    KeyValue { value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }), ..key(name) }
}

fn key(name: &str) -> KeyValue {
    KeyValue { key: name.to_owned(), ..KeyValue::default() }
}

const STANDARD: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
const QUEUE: usize = 4_096;
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(1);
const EXPORT_TIME: Duration = Duration::from_secs(10);
const CONNECT_TIME: Duration = Duration::from_secs(5);
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const ANSWER_LEN: usize = 64 * 1024;
/// W3C Trace Context §3.3.1.5: "at least 512 characters"; §3.3.1.1: "a maximum of 32 list-members".
const TRACE_STATE_LEN: usize = 512;
const TRACE_STATE_MEMBERS: usize = 32;
/// The flag of W3C Trace Context: whoever gets a span recorded it.
const SAMPLED: u32 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Same;

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn spans(sampled_per_mille: u32) -> Spans {
        let (queue, _) = mpsc::channel(1);
        Spans { queue, counts: Arc::default(), entropy: Arc::new(Same), sampled_per_mille }
    }

    #[test]
    fn about_as_many_traces_are_chosen_as_were_asked_for() {
        let chosen = |per_mille: u32| {
            let spans = spans(per_mille);
            let trace = |n: u32| {
                let random = n.wrapping_mul(0x9E37_79B1).to_be_bytes();
                let mut octets = [1; 16];
                octets[6..10].copy_from_slice(&random);
                TraceId::new(octets).unwrap()
            };
            (0..100_000).filter(|n| spans.is_chosen(trace(*n))).count()
        };
        assert_eq!((chosen(0), chosen(1000)), (0, 100_000));
        for (per_mille, expected) in [(1, 100), (100, 10_000), (999, 99_900)] {
            assert!(chosen(per_mille).abs_diff(expected) <= expected / 20 + 5, "{per_mille}: {}", chosen(per_mille));
        }
    }

    #[test]
    fn a_tracestate_is_passed_on_only_where_it_is_one() {
        let state = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("tracestate", value.parse().unwrap());
            }
            trace_state(&headers)
        };
        assert_eq!(state(&["rojo=00f067aa0ba902b7,congo=t61"]).as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61"));
        assert_eq!(state(&["a=1", " b@x=2 , "]).as_deref(), Some("a=1, b@x=2 , "));
        for bad in ["a", "=1", "A=1", "a=b=c", "a="] {
            assert_eq!(state(&[bad]), None, "{bad}");
        }
        assert_eq!(state(&[&format!("a={}", "x".repeat(257))]), None);
        assert_eq!(state(&[&"a=1,".repeat(32)]), None);
        assert!(state(&[&"a=1,".repeat(31)]).is_some());
        assert_eq!(state(&[&"abcdefghijkl=1234567,".repeat(25)]), None);
    }

    proptest! {
        #[test]
        fn no_tracestate_makes_it_panic(value in "[ -~]{0,600}") {
            let mut headers = HeaderMap::new();
            headers.append("tracestate", value.parse().unwrap());
            if let Some(state) = trace_state(&headers) {
                prop_assert_eq!(state, value);
            }
        }
    }
}
