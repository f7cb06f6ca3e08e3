//! A server at a real socket of this machine, and a client that speaks octets.

use std::net::SocketAddr;
use std::time::Duration;

use ambit_server::journal::JournalError;
use ambit_server::server::Listeners;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{Fixture, ROOT, ROOT_SECRET, basic};

/// A server that runs until it is told to stop, or the test ends.
pub(super) struct Running {
    pub(super) fixture: Fixture,
    pub(super) address: SocketAddr,
    pub(super) metrics: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), JournalError>>,
}

impl Running {
    /// With a configuration file.
    pub(super) async fn with(file: &str) -> Self {
        let fixture = Fixture::with(file).await;
        let main = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let metrics = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = main.local_addr().expect("an address");
        let metrics_address = metrics.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let listeners = Listeners { main, metrics: Some(metrics) };
        let serving = tokio::spawn(fixture.server.clone().serve(listeners, async {
            // A sender that is gone is no reason to stop.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { fixture, address, metrics: metrics_address, stop, serving }
    }

    /// With these limits.
    pub(super) async fn limited(limits: &str) -> Self {
        Self::with(&format!("[limits]\n{limits}\n")).await
    }

    pub(super) async fn connect(&self) -> Wire {
        Wire(TcpStream::connect(self.address).await.expect("a connection"))
    }

    /// A request that is at work until its body comes: `grant_type=client_credentials`.
    pub(super) async fn at_work(&self) -> Wire {
        let mut wire = self.connect().await;
        wire.send(format!(
            "POST /connect/token HTTP/1.1\r\nHost: as.example\r\nAuthorization: {}\r\nExpect: 100-continue\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            basic(ROOT, ROOT_SECRET),
            REST.len()
        ))
        .await;
        // The server asks for the body.
        assert_eq!(wire.answer().await.status, 100);
        wire
    }

    /// A caller who does everything right is answered, on a connection of its own.
    pub(super) async fn serves_others(&self) {
        let mut other = self.connect().await;
        other.send(HEALTHZ).await;
        assert_eq!(other.answer().await.status, 200);
    }

    /// Tells it to stop. What it was stands on, to look at; the rest comes when it has stopped.
    pub(super) fn stop(self) -> (Fixture, impl Future<Output = ()>) {
        self.stop.send(()).expect("a server that runs");
        let serving = self.serving;
        (self.fixture, async { soon(serving).await.expect("no panic").expect("a journal that was written") })
    }
}

/// One end of a connection.
pub(super) struct Wire<S = TcpStream>(pub(super) S);

/// An answer of HTTP/1.1, read.
#[derive(Debug)]
pub(super) struct WireAnswer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) json: Value,
    pub(super) text: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.0.write_all(octets.as_ref()).await.expect("a server that reads");
    }

    /// The next answer, its body by `Content-Length`.
    pub(super) async fn answer(&mut self) -> WireAnswer {
        soon(self.read_answer()).await.expect("an answer")
    }

    async fn read_answer(&mut self) -> std::io::Result<WireAnswer> {
        let mut head = vec![];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("a head in ASCII").to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        let text = String::from_utf8(body).expect("a body in UTF-8");
        Ok(WireAnswer { status, head, json: serde_json::from_str(&text).unwrap_or_default(), text })
    }

    /// The server ends the connection, and soon. What else it sends before is thrown away.
    pub(super) async fn is_ended(&mut self) {
        let mut octets = vec![];
        // A reset is an end as well: what we sent was not all read.
        let _ = soon(self.0.read_to_end(&mut octets)).await;
    }

    /// Reads to the end of the connection.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut octets = vec![];
        // See `is_ended`.
        let _ = soon(self.0.read_to_end(&mut octets)).await;
        octets
    }
}

/// What a test waits for comes within a time that no healthy machine needs.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("what was waited for")
}

/// The body of the request that is [`at_work`](Running::at_work).
pub(super) const REST: &str = "grant_type=client_credentials";
pub(super) const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: as.example\r\n\r\n";
