//! What surrounds every request: its trace, its time, its place among the others, and its line in the log.
//!
//! 1. The trace is the caller's (W3C Trace Context) or a new one that tells its moment.
//! 2. The address is the peer's; behind a configured proxy, the last one of `X-Forwarded-For` that is no such proxy.
//! 3. A request with more headers than allowed, or one that does not say whom it calls, goes no further.
//! 4. A request takes one of a bounded number of places, or is answered 503 at once. `/healthz`, `/readyz` and `/metrics` need
//!    none: whoever watches must see an overloaded server, not be turned away by it. A request whose body is not there yet does
//!    not keep its place while it waits ([`crate::body`]).
//! 5. The answer has a time to be made in. A fault of ours in between is one answer, 500, and nothing of it is shown.
//! 6. The answer gets the headers that all answers have, and the log its line.

#![expect(
    clippy::disallowed_methods,
    reason = "spans of time are measured by the clock that never jumps; moments come from `Clock`"
)]

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ambit_core::page::{self, Page};
use ambit_protocol::trace::{TraceId, TraceParent};
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio::time::error::Elapsed;
use tower::{Layer, Service};

use crate::config::Network;
use crate::logs::AccessLine;
use crate::problem::Answer;
use crate::state::App;

/// What is known of a request before it is looked at.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Its trace: in the answer, in the log, in the journal.
    pub trace_id: TraceId,
    /// Who sent it.
    pub client_address: IpAddr,
    /// When it came in.
    pub arrived: Instant,
    /// Its place among the requests at work, which it gives back while it waits for a body.
    pub(crate) place: Option<Arc<Place>>,
}

impl RequestContext {
    /// That of a request which is being taken apart. Every route stands behind [`Surround`], which sets it; should one not, a
    /// trace of its own is better than a panic.
    #[must_use]
    pub fn of(parts: &Parts, app: &App) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self {
            trace_id: crate::trace::generate(app.clock.now(), &*app.entropy),
            client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            arrived: Instant::now(),
            place: None,
        })
    }
}

/// What a handler knows of how a request ended, for its line in the log.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Who acted, as far as that was proven.
    pub actor: Option<String>,
    /// The slug of the tenant acted for.
    pub tenant: Option<String>,
    /// The slug of the unit acted for.
    pub unit: Option<String>,
    /// How it ended.
    pub outcome: &'static str,
    /// Why.
    pub reason: Option<&'static str>,
}

/// A place among the requests at work.
#[derive(Debug)]
pub struct Place {
    among: Arc<Semaphore>,
    is_taken: AtomicBool,
}

impl Place {
    /// A place, if there is one.
    fn take(among: &Arc<Semaphore>) -> Option<Arc<Self>> {
        let place = Self { among: Arc::clone(among), is_taken: AtomicBool::new(false) };
        place.take_again().then(|| Arc::new(place))
    }

    /// Lets others have it meanwhile.
    pub(crate) fn give_back(&self) {
        if self.is_taken.swap(false, Ordering::Relaxed) {
            self.among.add_permits(1);
        }
    }

    /// Whether it, or another one, could be taken again.
    pub(crate) fn take_again(&self) -> bool {
        let Ok(permit) = self.among.try_acquire() else { return false };
        // It is given back by hand.
        permit.forget();
        self.is_taken.store(true, Ordering::Relaxed);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Puts a surrounding around each route of a router. The framework's own way to make one of a function takes a request apart
/// and puts it together again, and makes four allocations for it: as much as many an answer costs.
#[derive(Debug, Clone)]
pub struct Surround(pub App);

impl<S> Layer<S> for Surround {
    type Service = Surrounded<S>;

    fn layer(&self, inner: S) -> Surrounded<S> {
        Surrounded { app: self.0.clone(), inner }
    }
}

/// A route and what surrounds it.
#[derive(Debug, Clone)]
pub struct Surrounded<S> {
    app: App,
    inner: S,
}

impl<S> Service<Request> for Surrounded<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that was asked whether it is ready answers; what takes its place was not asked yet.
        let next = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, next);
        Box::pin(surround(self.app.clone(), request, ready).map(Ok))
    }
}

/// Surrounds a request.
async fn surround<S>(app: App, mut request: Request, mut inner: S) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let arrived = Instant::now();
    let parent = TraceParent::from_headers(request.headers().get_all("traceparent").iter().map(HeaderValue::as_bytes));
    let trace_id =
        parent.map_or_else(|| crate::trace::generate(app.clock.now(), &*app.entropy), |parent| parent.trace_id);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let malformed = malformed(&request, peer.is_some(), app.config.limits.headers);
    // In process, as in tests, there is no peer.
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip().to_canonical());
    let client_address = client_address(peer, request.headers(), &app.config.place.trusted_proxies);
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("-", MatchedPath::as_str);
    let is_watching = matches!(route, "/healthz" | "/readyz" | "/metrics");
    let place = if is_watching { None } else { Place::take(&app.places) };
    request.extensions_mut().insert(RequestContext { trace_id, client_address, arrived, place: place.clone() });
    let method = request.method().clone();
    let version = request.version();
    #[cfg(feature = "otel")]
    let span = app.spans.as_ref().and_then(|spans| spans.begin(trace_id, parent.as_ref(), request.headers()));
    let uri = request.uri().clone();
    let failed =
        |page: &Page, detail: &str| Answer::new(&app, trace_id, uri.path()).problem(page, detail).into_response();

    let mut response = if let Some((page, detail)) = malformed {
        failed(page, &detail)
    } else if place.is_some() || is_watching {
        let work = AssertUnwindSafe(inner.call(request)).catch_unwind();
        match within(app.config.limits.request_timeout, work).await {
            Ok(Ok(Ok(response))) => response,
            // The panic has its own line in the log, by the hook.
            Ok(Err(_)) => failed(&page::SERVER_ERROR, "the server failed; the trace id names the log line"),
            Err(_) => failed(&page::UNAVAILABLE, "the answer took too long; try again"),
        }
    } else {
        failed(&page::UNAVAILABLE, "too many requests at once; try again")
    };
    // Whoever else holds it, its work is done.
    if let Some(place) = place {
        place.give_back();
    }

    let outcome = response.extensions_mut().remove::<Outcome>();
    let took = arrived.elapsed();
    let status = response.status().as_u16();
    app.metrics.answered(route, &method, status, took);
    app.log.access(&AccessLine {
        at: app.clock.now(),
        trace_id,
        method: method.as_str(),
        route,
        status,
        took,
        address: client_address,
        tenant: outcome.as_ref().and_then(|outcome| outcome.tenant.as_deref()),
        unit: outcome.as_ref().and_then(|outcome| outcome.unit.as_deref()),
        actor: outcome.as_ref().and_then(|outcome| outcome.actor.as_deref()),
        outcome: match &outcome {
            Some(outcome) => outcome.outcome,
            None if status < 400 => "ok",
            None if status < 500 => "refused",
            None => "failed",
        },
        reason: outcome.as_ref().and_then(|outcome| outcome.reason),
    });
    #[cfg(feature = "otel")]
    if let (Some(spans), Some(span)) = (&app.spans, span) {
        let (at, status) = (app.clock.now(), response.status());
        spans.end(span, crate::otel::Answered { at, took, method, route: matched, status, outcome });
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    // RFC 9110 §15.5.9: "the server SHOULD send the `close` connection option". What is left of such a body is not read, and a
    // client that knows sends no other request behind it, where it would be lost. HTTP/2 has streams for that.
    let leaves_body = matches!(status, 408 | 413);
    if leaves_body && version <= Version::HTTP_11 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // Hexadecimal digits are octets of a header.
    if let Ok(value) = HeaderValue::from_bytes(&trace_id.to_hex()) {
        headers.insert(TRACE_ID, value);
    }
    response
}

/// Waits for a future no longer than that. Most are ready at once, and only one that is not costs a timer.
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => tokio::time::timeout(time, future).await,
    }
}

/// What is wrong with a request whatever it asks for.
fn malformed(request: &Request, is_from_a_peer: bool, most_headers: usize) -> Option<(&'static Page, String)> {
    let headers = request.headers();
    if headers.len() > most_headers {
        return Some((&page::HEADERS_TOO_LARGE, format!("a request has at most {most_headers} headers")));
    }
    // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
    // Host header field and to any request message that contains more than one Host header field line". What it says is for
    // proxies; no URL is ever made of it.
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    let is_missing = host.is_none() && is_from_a_peer && request.version() == Version::HTTP_11;
    if is_missing || hosts.next().is_some() {
        return Some((&page::INVALID_REQUEST, "a request has exactly one Host header".to_owned()));
    }
    // And to one "with an invalid field value".
    if host.is_some_and(|host| !host.as_bytes().iter().all(|octet| is_of_a_host(*octet))) {
        return Some((&page::INVALID_REQUEST, "the Host header names no host".to_owned()));
    }
    None
}

/// What a host and a port are made of (RFC 3986 §3.2.2, §3.2.3).
const fn is_of_a_host(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
        || matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// RFC 9700 §4.13: what a proxy says counts only from a proxy that we know. A value that is no address ends the search; it never
/// makes an address trusted.
fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut address = peer;
    let hops = headers.get_all(X_FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
    for hop in hops.flat_map(|value| value.rsplit(',')).take(MOST_HOPS) {
        if !is_proxy(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(before) => address = before.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACE_ID: HeaderName = HeaderName::from_static("trace-id");
const MOST_HOPS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        let proxies = [Network::parse("10.0.0.0/8").unwrap()];
        client_address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_known_proxy_is_believed() {
        assert_eq!(seen("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &["203.0.113.9", "10.0.0.2"]), "203.0.113.9");
    }

    #[test]
    fn what_is_no_address_is_never_skipped() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.9, a"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[&"1".repeat(5000)]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn so_many_hops_are_looked_at_and_no_more() {
        let through = |proxies: usize| format!("203.0.113.9{}", ", 10.0.0.2".repeat(proxies));
        assert_eq!(seen("10.0.0.1", &[&through(MOST_HOPS - 1)]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[&through(MOST_HOPS)]), "10.0.0.2");
    }
}
