//! Streamable HTTP: who may call, at which host, and what a connection may cost.
//!
//! On loopback everybody on the machine may call, unless an issuer was named; beyond it nobody may without a token. What a browser
//! might be talked into is refused: a `Host` that is none of ours, as after DNS rebinding, and any `Origin` but our own.

use ambit_server::logs::with_causes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambit_resource_server::{Issuer, ResourceServer};
use axum::Router;
use axum::http::StatusCode;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use reqwest::Url;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::timeout::TimeoutLayer;

use super::tools::Tools;
use crate::output::Failure;
use crate::serve::{bind, stop};

/// Who may call.
#[derive(Debug)]
pub struct Access {
    issuer: Option<String>,
    public_url: Option<Url>,
}

impl Access {
    /// Beyond loopback only by token, and by a name that clients know.
    pub fn of(address: SocketAddr, issuer: Option<String>, public_url: Option<Url>) -> Result<Self, Failure> {
        if !address.ip().is_loopback() {
            if issuer.is_none() {
                return Err(Failure::usage(format!(
                    "{address} can be reached from other machines: name the --issuer whose tokens are required, or listen on loopback"
                )));
            }
            if public_url.is_none() {
                return Err(Failure::usage(
                    "beyond loopback, --public-url says what clients call this server, which tokens have in aud",
                ));
            }
        }
        if let Some(url) = &public_url {
            let is_local = match url.host() {
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                Some(url::Host::Domain(name)) => name == "localhost",
                None => false,
            };
            // A token that goes over the network in the clear is everybody's.
            if !(url.scheme() == "https" && url.has_host() || url.scheme() == "http" && is_local) {
                return Err(Failure::usage("--public-url: must be an https URL (http only for loopback)"));
            }
        }
        Ok(Self { issuer, public_url })
    }

    /// The API whose tokens are taken; none where everybody may call.
    fn api(&self, own: &Url) -> Result<Option<ResourceServer>, Failure> {
        let Some(issuer) = &self.issuer else { return Ok(None) };
        let api = ResourceServer::builder(Issuer::new(issuer).with_tenants(), own.as_str())
            .name("Ambit's error knowledge base")
            .build()
            .map_err(|error| Failure::usage(format!("--issuer, --public-url: {}", with_causes(&error))))?;
        Ok(Some(api))
    }
}

/// Serves until it is told to stop.
pub async fn serve(tools: Tools, address: SocketAddr, access: Access) -> Result<(), Failure> {
    let door = bind(address).await?;
    let address = door.local_addr().map_err(|error| Failure::internal(error.to_string()))?;
    let own = match &access.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}{PATH}")).map_err(|error| Failure::internal(error.to_string()))?,
    };
    let api = access.api(&own)?;
    if let Some(api) = &api {
        api.verifier().warm_up().await;
    }
    let router = routes(tools, &own, address.ip().is_loopback(), api.as_ref());
    let who =
        access.issuer.as_ref().map_or_else(|| "open to this machine".to_owned(), |it| format!("for tokens of {it}"));
    eprintln!("ambit mcp listens on {address}; {own}, {who}");
    accept(door, router).await
}

fn routes(tools: Tools, own: &Url, is_local: bool, api: Option<&ResourceServer>) -> Router {
    let authority = match (own.host_str(), own.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => String::new(),
    };
    let mut hosts = vec![own.host_str().unwrap_or_default().to_owned(), authority];
    if is_local {
        hosts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    }
    let config = StreamableHttpServerConfig::default()
        // Nothing is kept between two requests, so nothing has to be found again, and nothing fills up.
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(hosts)
        .with_allowed_origins([own.origin().ascii_serialization()])
        .enforce_origin_validation()
        .with_max_request_body_bytes(MAX_BODY);
    let service =
        StreamableHttpService::new(move || Ok(tools.clone()), Arc::new(NeverSessionManager::default()), config);
    let mut router = Router::new().route_service(PATH, service);
    if let Some(api) = api {
        router = router.route_layer(api.require(SCOPE)).merge(api.metadata_route());
    }
    router.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER))
}

/// Takes connections in, so many at a time, and stops at the first signal; what is at work then is finished, within its time.
async fn accept(door: TcpListener, router: Router) -> Result<(), Failure> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD).max_concurrent_streams(MAX_STREAMS);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let at_work = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop());
    loop {
        let taken = tokio::select! {
            () = &mut stop => break,
            taken = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, door.accept().await)
            } => taken,
        };
        let (place, Ok((stream, _))) = taken else {
            // Out of files, or gone before it was taken in: the next one may do better.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = at_work.watch(connection.into_owned());
        tokio::spawn(async move {
            // A connection that breaks off is its client's affair.
            drop(connection.await);
            drop(place);
        });
    }
    drop(door);
    // What is not done by then is cut off: an error is what the end of the time looks like.
    drop(tokio::time::timeout(DRAIN, at_work.shutdown()).await);
    Ok(())
}

/// What a token has to carry.
const SCOPE: &str = "errors:read";
const PATH: &str = "/mcp";
/// A text of 1 MiB, with every octet escaped in JSON, and what is around it.
const MAX_BODY: usize = 8 * 1024 * 1024;
const MAX_CONNECTIONS: usize = 256;
const MAX_STREAMS: u32 = 32;
/// How long a head may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long a request may take, its body included.
const ANSWER: Duration = Duration::from_mins(1);
const DRAIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
