//! The loopback address at which a browser comes back (RFC 8252 §7.3): at a port of the moment, for this machine alone, for one
//! answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::page::{Ending, page};
use crate::output::Failure;

/// A port that is ours, at which nobody is answered yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    redirect_uri: String,
}

/// A browser, or somebody for it, with an answer.
#[derive(Debug)]
pub struct Arrival {
    query: String,
    waits: Option<oneshot::Sender<Ending>>,
}

/// Who comes.
#[derive(Debug)]
pub struct Listening {
    arrivals: mpsc::Receiver<Arrival>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// RFC 8252 §7.3: "clients should not assume that the device supports a particular version of the Internet Protocol".
    pub async fn open() -> Result<Self, Failure> {
        let at = |address: IpAddr| TcpListener::bind(SocketAddr::new(address, 0));
        let socket = match at(Ipv4Addr::LOCALHOST.into()).await {
            Ok(socket) => socket,
            Err(first) => at(Ipv6Addr::LOCALHOST.into()).await.map_err(|_| {
                Failure::unreachable(format!("no port of this machine to which a browser could come back: {first}"))
            })?,
        };
        let address = socket.local_addr().map_err(|error| Failure::internal(error.to_string()))?;
        Ok(Self { socket, redirect_uri: format!("http://{address}{PATH}") })
    }

    /// Where browsers come back to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Answers from now on.
    pub fn serve(self) -> Listening {
        let (sender, arrivals) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().route(PATH, get(arrived)).fallback(nothing).with_state(sender);
        let task = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            // It ends by being stopped; what breaks before is a browser that does not come, which is waited for with a limit.
            drop(axum::serve(self.socket, router).with_graceful_shutdown(stopped).await);
        });
        Listening { arrivals, stop: Some(stop), task }
    }
}

impl Listening {
    /// The next who comes. Whoever comes first decides: there is one answer.
    pub async fn arrival(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// Listens no more, once the page that was answered is out.
    pub async fn finish(mut self) {
        self.arrivals.close();
        if let Some(stop) = self.stop.take() {
            // An error is a task that ended by itself.
            let _ = stop.send(());
        }
        // A browser that keeps its connection open is not waited for: the process is about to end.
        drop(tokio::time::timeout(FLUSH, &mut self.task).await);
    }
}

impl Arrival {
    /// From somebody who pasted the address.
    pub const fn pasted(query: String) -> Self {
        Self { query, waits: None }
    }

    pub fn query(&self) -> &str {
        &self.query
    }

    /// Shows the person how it ended, where their browser is here.
    pub fn answer(self, is_signed_in: bool) {
        if let Some(waits) = self.waits {
            // A browser that is gone by now misses a page that says what the terminal says.
            let _ = waits.send(if is_signed_in { Ending::SignedIn } else { Ending::NotSignedIn });
        }
    }
}

/// A browser that comes back sees a page when it is known how it ended.
async fn arrived(State(sender): State<mpsc::Sender<Arrival>>, uri: Uri, headers: HeaderMap) -> Response {
    let (waits, told) = oneshot::channel();
    let arrival = Arrival { query: uri.query().unwrap_or_default().to_owned(), waits: Some(waits) };
    let ending = match sender.try_send(arrival) {
        Ok(()) => told.await.unwrap_or(Ending::Nothing),
        // Somebody was first.
        Err(_) => Ending::Nothing,
    };
    page(ending, &headers)
}

async fn nothing(headers: HeaderMap) -> Response {
    page(Ending::Nothing, &headers)
}

const PATH: &str = "/callback";
/// How long a page may take to a browser on this machine.
const FLUSH: Duration = Duration::from_secs(2);
