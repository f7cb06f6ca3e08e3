//! The limit reference: the smallest axum server that does the work a token takes, and nothing else.
//!
//! It reads the form and the client's credentials, compares the hash of the secret in constant time, writes the same claims,
//! signs them with the same algorithm and key size, and answers the same JSON. It has one client, one key, no scopes to
//! decide, no journal, no metrics and no log. Whatever else it answers is fixed text of the product's own size.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use uuid::{Builder, Uuid};

use crate::Failure;
use crate::signature::{Algorithm, Key};

/// What the reference shall look like: the product's own answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    /// The claims of a token of the product.
    pub(crate) claims: Claims,
    /// What is answered to `GET /fixed/{place}` and, behind the check of the secret, to `POST /fixed/{place}`.
    pub(crate) fixed: Vec<String>,
}

/// The claims of a service's token. A member that the product adds must be added here, or the two do not compare.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    pub(crate) jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partner_id: Option<String>,
    pub(crate) level: String,
    pub(crate) rev: u64,
}

/// The same, borrowed.
#[derive(Debug, Serialize)]
struct ClaimsOut<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_slug: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_id: Option<&'a str>,
    level: &'a str,
    rev: u64,
}

#[derive(Debug, Serialize)]
struct TokenOut<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    scope: &'a str,
}

struct Server {
    shape: Shape,
    secret_hash: [u8; 32],
    key: Key,
    encoded_header: String,
    fixed: Vec<Bytes>,
}

/// Reads its shape from standard input, prints its address, and serves.
pub(crate) fn serve() -> Result<(), Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let server = Arc::new(Server::new(serde_json::from_str(&text)?)?);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let router = Router::new()
            .route("/connect/token", post(token))
            .route("/fixed/{place}", get(fixed).post(fixed_for_client))
            .with_state(server);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        let listener = listener.tap_io(|stream| {
            // Without it a small answer waits for the acknowledgement of the one before. A socket that was just accepted
            // takes the option.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

impl Server {
    fn new(shape: Shape) -> Result<Self, Failure> {
        let header = serde_json::json!({ "alg": shape.algorithm.as_str(), "typ": "at+jwt", "kid": shape.kid });
        Ok(Self {
            secret_hash: sha256(shape.client_secret.as_bytes()),
            key: Key::generate(shape.algorithm)?,
            encoded_header: BASE64_URL_SAFE_NO_PAD.encode(header.to_string()),
            fixed: shape.fixed.iter().cloned().map(Bytes::from).collect(),
            shape,
        })
    }

    fn authenticates(&self, headers: &HeaderMap) -> bool {
        let secret = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Basic "))
            .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
            .and_then(|decoded| {
                let colon = decoded.iter().position(|octet| *octet == b':')?;
                (decoded[..colon] == *self.shape.client_id.as_bytes()).then(|| sha256(&decoded[colon + 1..]))
            });
        secret.is_some_and(|hash| verify_slices_are_equal(&hash, &self.secret_hash).is_ok())
    }

    fn issue(&self, scope: &str) -> Result<Vec<u8>, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let mut random = [0; 10];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| "no randomness")?;
        let jti = Builder::from_unix_timestamp_millis(u64::try_from(now.as_millis())?, &random).into_uuid();
        let mut jti_text = Uuid::encode_buffer();
        let like = &self.shape.claims;
        let lifetime = like.exp - like.iat;
        let claims = ClaimsOut {
            iss: &like.iss,
            sub: &like.sub,
            aud: &like.aud,
            client_id: &like.client_id,
            scope,
            iat: now.as_secs(),
            exp: now.as_secs() + lifetime,
            jti: jti.hyphenated().encode_lower(&mut jti_text),
            tenant_id: like.tenant_id.as_deref(),
            tenant_slug: like.tenant_slug.as_deref(),
            partner_id: like.partner_id.as_deref(),
            level: &like.level,
            rev: like.rev,
        };
        let mut token = String::with_capacity(1024);
        token.push_str(&self.encoded_header);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut token);
        let mut signature = Vec::with_capacity(256);
        self.key.sign(token.as_bytes(), &mut signature)?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(serde_json::to_vec(&TokenOut { access_token: &token, token_type: "Bearer", expires_in: lifetime, scope })?)
    }
}

async fn token(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let (mut grant_type, mut scope) = (None, None);
    for (name, value) in url::form_urlencoded::parse(&body) {
        match name.as_ref() {
            "grant_type" => grant_type = Some(value),
            "scope" => scope = Some(value),
            _ => {}
        }
    }
    if !server.authenticates(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match (grant_type.as_deref(), scope) {
        (Some("client_credentials"), Some(scope)) => match server.issue(&scope) {
            Ok(json) => answer(json.into()),
            Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()).into_response(),
        },
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn fixed(State(server): State<Arc<Server>>, Path(place): Path<usize>) -> Response {
    match server.fixed.get(place) {
        Some(body) => answer(body.clone()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A fixed answer behind the form and the secret: what introspection takes at least, if the token need not be looked at.
async fn fixed_for_client(
    State(server): State<Arc<Server>>,
    Path(place): Path<usize>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let has_token = url::form_urlencoded::parse(&body).any(|(name, value)| name == "token" && !value.is_empty());
    match server.fixed.get(place) {
        Some(answered) if has_token && server.authenticates(&headers) => answer(answered.clone()),
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// RFC 6749 §5.1: "The authorization server MUST include the HTTP `Cache-Control` response header field".
fn answer(json: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, json).into_response()
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}
