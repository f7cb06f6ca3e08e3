//! From a socket to the router: what a connection may cost before, between and behind its requests.
//!
//! 1. A connection takes one of a bounded number of places. When all are taken, those that have been idle longest make room.
//! 2. TLS, where it is configured, within its time.
//! 3. HTTP/1.1 or HTTP/2, by ALPN or by the first octets. Each head, each pause and each answer has its time.
//! 4. Told to stop, a listener takes nothing more in. Requests at work are answered within their time; then all is ended.

mod connection;
mod connections;
pub mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::config::Limits;
pub use connections::allow_files;

use connection::{Connection, Octets, Times, speak};
use connections::{Connections, Place};

/// A socket that is listened on, and the router that answers what comes in.
#[derive(Debug)]
pub(crate) struct Listener<D = TcpListener> {
    door: D,
    drain: Duration,
    inside: Arc<Inside>,
}

/// What all connections share.
struct Inside {
    router: Router,
    tls: Option<TlsAcceptor>,
    http: auto::Builder<TokioExecutor>,
    times: Times,
    tls_handshake: Duration,
    connections: Arc<Connections>,
}

/// Where connections come in.
pub(crate) trait Door {
    /// The next connection.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)>;
}

impl Door for TcpListener {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

impl<D: Door> Listener<D> {
    /// Answers by a router what comes in at a door.
    pub(crate) fn new(door: D, router: Router, tls: Option<TlsAcceptor>, limits: &Limits) -> Self {
        let inside = Inside {
            // Its handlers get their state here, once, and not again for each request.
            router: router.with_state(()),
            tls,
            http: http(limits),
            times: Times::of(limits),
            tls_handshake: limits.tls_handshake_timeout,
            connections: Arc::new(Connections::new(connections::most(limits.connections))),
        };
        Self { door, drain: limits.drain_timeout, inside: Arc::new(inside) }
    }

    /// Takes connections in until `stop` comes; then lets them finish, for as long as that may take.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) {
        let Self { door, drain, inside } = self;
        let mut stop = pin!(stop);
        for number in 0.. {
            let (stream, place) = tokio::select! {
                biased;
                () = &mut stop => break,
                next = next(&door, &inside.connections, number) => next,
            };
            let inside = inside.clone();
            tokio::spawn(async move { inside.attend(stream, &place).await });
        }
        // Whoever knocks now is told by the operating system that nobody is here.
        drop(door);
        if tokio::time::timeout(drain, inside.connections.leave()).await.is_err() {
            let at_work = inside.connections.cut().await;
            if at_work > 0 {
                tracing::warn!(at_work, "requests were still at work when the time to finish them was over");
            }
        }
    }
}

/// The next connection, with a place for it.
async fn next(door: &impl Door, connections: &Arc<Connections>, number: u64) -> (TcpStream, Place) {
    let mut is_failing = false;
    loop {
        match door.accept().await {
            Ok((stream, peer)) => return (stream, connections.admit(number, peer).await),
            // It was gone before it was taken in: that says nothing about the next.
            Err(error) if is_of_one_connection(&error) => tracing::debug!(%error, "a connection did not come in"),
            // Above all EMFILE: neither this process nor the machine has files left. It passes when connections end.
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(%error, "connections cannot be taken in; trying again until they can");
                }
                connections.make_room();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Inside {
    /// Sees to a connection from its first octet to its last.
    async fn attend(&self, stream: TcpStream, place: &Place) {
        let connection = &place.connection;
        // An answer is one small write: waiting for more would only make it late.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let Some(tls) = &self.tls else { return self.converse(stream, connection).await };
        let handshake = tokio::select! {
            handshake = tokio::time::timeout(self.tls_handshake, tls.accept(stream)) => handshake,
            () = connection.left() => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2) {
                    connection.set_http2();
                }
                self.converse(stream, connection).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %connection.peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %connection.peer, "a TLS handshake took too long"),
        }
    }

    /// Answers the requests of a connection.
    async fn converse(&self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, connection: &Arc<Connection>) {
        let service = service_fn(|mut request: Request<Incoming>| {
            let work = connection.begin();
            request.extensions_mut().insert(ConnectInfo(connection.peer));
            let answer = self.router.clone().call(request);
            async move { Ok::<_, Infallible>(answer.await?.map(|body| work.answered(body))) }
        });
        let octets = TokioIo::new(Octets::of(stream, connection.clone()));
        speak(connection, self.http.serve_connection(octets, service), &self.times).await;
    }
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inside")
            .field("times", &self.times)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// HTTP within the limits. Times are kept by [`connection`].
fn http(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let head = limits.header_bytes.get();
    let mut http = auto::Builder::new(TokioExecutor::new());
    // A head that does not fit into the buffer is answered 431.
    http.http1().header_read_timeout(None).max_buf_size(head);
    if limits.headers > HEADERS_ON_STACK {
        http.http1().max_headers(limits.headers);
    }
    http.http2()
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.http2_streams)
        // What a connection may send without anybody reading it: bodies are small here, and connections many.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(STREAM_WINDOW as usize);
    http
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Before connections are taken in again after that failed.
const PAUSE: Duration = Duration::from_millis(100);
/// hyper reads so many headers without allocating for each request; below that, `middleware` counts.
const HEADERS_ON_STACK: usize = 100;
/// RFC 9113 §6.9.2: the size that every connection begins with.
const STREAM_WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::config::{Config, Sources};

    /// A door that does not open each time: a fault of the operating system, or nothing wrong.
    struct Jammed {
        socket: TcpListener,
        faults: Mutex<VecDeque<Option<i32>>>,
    }

    impl Door for Jammed {
        async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            let fault = self.faults.lock().expect("no panic").pop_front().flatten();
            match fault {
                Some(fault) => Err(io::Error::from_raw_os_error(fault)),
                None => self.socket.accept().await,
            }
        }
    }

    #[tokio::test]
    async fn an_operating_system_that_has_no_files_left_is_outlived_and_idle_connections_make_room() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        let faults = [None, Some(EMFILE), Some(ECONNABORTED), Some(ENFILE), Some(ENOMEM)];
        let door = Jammed { socket, faults: Mutex::new(faults.into()) };
        let router = Router::new().route("/", get(|| async { "up" }));
        let config = Config::load(&Sources::default()).expect("a configuration");
        tokio::spawn(Listener::new(door, router, None, &config.limits).serve(std::future::pending()));

        let answer = async {
            let mut idle = TcpStream::connect(address).await?;
            let mut octets = vec![];
            idle.read_to_end(&mut octets).await?;
            assert!(octets.is_empty());
            let mut next = TcpStream::connect(address).await?;
            next.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
            next.read_to_end(&mut octets).await?;
            io::Result::Ok(octets)
        };
        // Less than an idle connection has without that.
        let octets = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("in time").expect("an answer");
        assert!(octets.starts_with(b"HTTP/1.1 200 OK\r\n") && octets.ends_with(b"up"));
    }

    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ECONNABORTED: i32 = 103;
}
