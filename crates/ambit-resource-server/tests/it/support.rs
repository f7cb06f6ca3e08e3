//! An authorization server that is not there: its documents, its keys and its clock belong to the test.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambit_protocol::jose::{Algorithm, SigningKey};
use ambit_protocol::time::Timestamp;
use ambit_resource_server::fetch::{Fetch, FetchError, FetchRequest, Fetched};
use ambit_resource_server::{BoxFuture, Guard, Issuer, ResourceServer, TokenVerifier, TokenVerifierBuilder};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const API: &str = "https://pos.example";
/// 2027-01-15T08:00:00Z.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const METADATA: &str = "https://as.example/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "https://as.example/connect/jwks";
pub(crate) const CATALOGUE: &str = "https://as.example/.well-known/scope-catalogue";

/// An authorization server: what it publishes, and who asked for it. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    now: AtomicI64,
    replies: Mutex<HashMap<String, Reply>>,
    asked: Mutex<Vec<String>>,
}

/// What an address answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A document, fresh for so many seconds, with an `ETag`.
    Fresh(String, u64),
    /// A document of which nothing is said, as old servers have them.
    Bare(Vec<u8>),
    /// Another status than 200.
    Status(u16),
    /// Nothing, ever.
    Hangs,
}

/// A key of the issuer.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    pub(crate) key: SigningKey,
}

/// An answer of the API, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl World {
    /// With metadata and the usual catalogue, and no keys yet.
    pub(crate) fn new() -> Self {
        let world = Self(Arc::new(Inner {
            now: AtomicI64::new(NOW * 1000),
            replies: Mutex::default(),
            asked: Mutex::default(),
        }));
        world.publish(METADATA, Reply::Fresh(metadata(ISSUER, JWKS), 300));
        world.publish(CATALOGUE, Reply::Fresh(catalogue(&usual_scopes()), 300));
        world
    }

    /// With these keys as well.
    pub(crate) fn with(keys: &[&Key]) -> Self {
        let world = Self::new();
        world.publish(JWKS, Reply::Fresh(key_set(keys), 300));
        world
    }

    pub(crate) fn publish(&self, url: &str, reply: Reply) {
        self.0.replies.lock().expect("a lock").insert(url.to_owned(), reply);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.now.fetch_add(i64::try_from(by.as_millis()).expect("a short time"), Ordering::SeqCst);
    }

    pub(crate) fn advance_back(&self, by: Duration) {
        self.0.now.fetch_sub(i64::try_from(by.as_millis()).expect("a short time"), Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(Ordering::SeqCst))
    }

    /// How often an address was asked for.
    pub(crate) fn asked(&self, url: &str) -> usize {
        self.0.asked.lock().expect("a lock").iter().filter(|asked| *asked == url).count()
    }

    /// Everything that was asked for, each once.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let mut addresses = self.0.asked.lock().expect("a lock").clone();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// A verifier that fetches from here and has the test's clock, before it trusts anybody.
    pub(crate) fn verifier(&self) -> TokenVerifierBuilder {
        let clock = self.clone();
        TokenVerifier::builder().fetch(self.clone()).clock(move || clock.now())
    }

    /// The usual API.
    pub(crate) fn api(&self) -> ResourceServer {
        self.api_of(Issuer::new(ISSUER))
    }

    pub(crate) fn api_of(&self, issuer: Issuer) -> ResourceServer {
        let verifier = self.verifier().issuer(issuer).build().expect("a verifier");
        ResourceServer::over(verifier, API).build().expect("an API")
    }
}

impl Fetch for World {
    fn get<'a>(&'a self, request: &'a FetchRequest) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        let url = request.url.to_string();
        self.0.asked.lock().expect("a lock").push(url.clone());
        let reply = self.0.replies.lock().expect("a lock").get(&url).cloned();
        Box::pin(async move {
            match reply {
                Some(Reply::Fresh(body, max_age)) => {
                    let mut hasher = DefaultHasher::new();
                    body.hash(&mut hasher);
                    let (etag, max_age) = (format!("\"{:x}\"", hasher.finish()), Some(Duration::from_secs(max_age)));
                    if request.etag.as_ref() == Some(&etag) {
                        return Ok(Fetched::NotModified { max_age });
                    }
                    Ok(Fetched::Document { body: body.into(), etag: Some(etag), max_age })
                }
                Some(Reply::Bare(body)) => Ok(Fetched::Document { body: body.into(), etag: None, max_age: None }),
                Some(Reply::Status(status)) => Err(FetchError::Status { url, status }),
                Some(Reply::Hangs) => std::future::pending().await,
                None => Err(FetchError::Status { url, status: 404 }),
            }
        })
    }
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { kid, key: SigningKey::generate(Algorithm::Es256).expect("a key") }
    }

    /// An honest token: these claims, and the header of RFC 9068.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.key.sign(&self.key.header("at+jwt", self.kid), claims.to_string().as_bytes()).expect("a signature")
    }

    /// An honest token that carries these scopes.
    pub(crate) fn token(&self, scope: &str) -> String {
        self.sign(&claims(scope))
    }

    /// Whatever is put before it, signed by this very key.
    pub(crate) fn sign_anything(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let pkcs8 = self.key.to_pkcs8().expect("PKCS#8");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose_secret()).expect("the key");
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
        format!("{input}.{}", encode(signature))
    }
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status: parts.status, headers: parts.headers, text, json }
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The challenge.
    pub(crate) fn challenge(&self) -> &str {
        self.header(header::WWW_AUTHENTICATE)
    }

    /// The problem's sentence.
    pub(crate) fn detail(&self) -> &str {
        self.json["detail"].as_str().unwrap_or_default()
    }
}

/// An API with one route, `/`, behind a guard.
pub(crate) fn behind(guard: Guard) -> Router {
    Router::new().route("/", get(|| async { "in" }).route_layer(guard))
}

pub(crate) fn request(token: &str) -> Request<Body> {
    Request::get("/").header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty()).expect("a request")
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    Answer::of(router.clone().oneshot(request).await.expect("an answer")).await
}

/// Calls `/` with a token.
pub(crate) async fn call(router: &Router, token: &str) -> Answer {
    send(router, request(token)).await
}

/// Lets what runs in the background come to its end.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// The claims of an honest token of the usual issuer for the usual API.
pub(crate) fn claims(scope: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": "till-7", "aud": API, "client_id": "till-7", "scope": scope,
        "iat": NOW, "exp": NOW + 3600, "jti": "t1",
    })
}

/// The claims of an honest token, with one of them changed, or without it where `value` is null.
pub(crate) fn claims_with(claim: &str, value: Value) -> Value {
    let mut claims = claims("pos.read");
    let object = claims.as_object_mut().expect("an object");
    if value.is_null() {
        object.remove(claim);
    } else {
        object.insert(claim.to_owned(), value);
    }
    claims
}

pub(crate) fn metadata(issuer: &str, jwks_uri: &str) -> String {
    json!({
        "issuer": issuer, "jwks_uri": jwks_uri, "token_endpoint": format!("{issuer}/connect/token"),
        "response_types_supported": [],
    })
    .to_string()
}

pub(crate) fn key_set(keys: &[&Key]) -> String {
    let jwks: Vec<_> = keys.iter().map(|key| key.key.public_jwk(key.kid)).collect();
    json!({ "keys": jwks }).to_string()
}

/// A scope of the catalogue document.
pub(crate) fn scope(name: &str, includes: &[&str], feature: Option<&str>) -> Value {
    let kind = if includes.is_empty() { "granular" } else { "coarse" };
    let mut scope = json!({"name": name, "api": API, "kind": kind, "title": {"en": name}, "description": {"en": name}});
    if !includes.is_empty() {
        scope["includes"] = json!(includes);
    }
    if let Some(feature) = feature {
        scope["feature"] = json!(feature);
    }
    scope
}

/// A till's scopes: `pos.read` includes an ungated one, a gated one, and one that the document does not list.
pub(crate) fn usual_scopes() -> Vec<Value> {
    vec![
        scope("pos.read", &["pos:baskets:read", "pos:receipts:read", "pos:unlisted:read"], None),
        scope("pos.write", &["pos:baskets:create", "pos:baskets:finalize"], None),
        scope("pos:baskets:read", &[], None),
        scope("pos:receipts:read", &[], Some("digital-receipts")),
        scope("pos:baskets:create", &[], None),
        scope("pos:baskets:finalize", &[], None),
    ]
}

pub(crate) fn catalogue(scopes: &[Value]) -> String {
    json!({"issuer": ISSUER, "revision": 7, "scopes": scopes}).to_string()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
