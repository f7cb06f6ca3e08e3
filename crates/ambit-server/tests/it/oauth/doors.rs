//! Every door at which a client authenticates, and a world with a client of each kind at each issuer. A rule about client
//! authentication holds at all doors or it does not hold: most published faults were checked at one endpoint only.

use ambit_protocol::time::Timestamp;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::forge::{Forger, assertion_fields};
use crate::support::{Answer, BASE, Fixture, START, basic};

/// A door: what is called there, and what an honest client sends beside its credentials.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) issuer: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

/// All of them: each endpoint, at each issuer, by each of its paths (identity.md §3).
pub(crate) fn doors() -> Vec<Door> {
    const TOKEN: &[(&str, &str)] = &[("grant_type", "client_credentials")];
    const A_TOKEN: &[(&str, &str)] = &[("token", "garbage")];
    const QUESTION: &[(&str, &str)] = &[("question", r#"{"question":"request"}"#)];
    let door = |method: Method, path, issuer, fields| Door { method, path, issuer, fields };
    vec![
        door(Method::POST, "/connect/token", PLATFORM, TOKEN),
        door(Method::POST, "/connect/introspect", PLATFORM, A_TOKEN),
        door(Method::POST, "/connect/revoke", PLATFORM, A_TOKEN),
        door(Method::GET, "/connect/scopes", PLATFORM, &[]),
        door(Method::POST, "/connect/scopes", PLATFORM, &[]),
        door(Method::POST, "/connect/explain", PLATFORM, QUESTION),
        door(Method::POST, "/api/v1/platform/oauth/token", PLATFORM, TOKEN),
        door(Method::POST, "/api/v1/platform/oauth/introspect", PLATFORM, A_TOKEN),
        door(Method::POST, "/api/v1/platform/oauth/revoke", PLATFORM, A_TOKEN),
        door(Method::POST, "/tenants/acme/connect/token", ACME, TOKEN),
        door(Method::POST, "/tenants/acme/connect/introspect", ACME, A_TOKEN),
        door(Method::POST, "/tenants/acme/connect/revoke", ACME, A_TOKEN),
        door(Method::GET, "/tenants/acme/connect/scopes", ACME, &[]),
        door(Method::POST, "/tenants/acme/connect/scopes", ACME, &[]),
        door(Method::POST, "/tenants/acme/connect/explain", ACME, QUESTION),
        door(Method::POST, "/api/v1/auth/tenants/acme/oauth/token", ACME, TOKEN),
        door(Method::POST, "/api/v1/auth/tenants/acme/oauth/introspect", ACME, A_TOKEN),
        door(Method::POST, "/api/v1/auth/tenants/acme/oauth/revoke", ACME, A_TOKEN),
    ]
}

pub(crate) const PLATFORM: &str = BASE;
pub(crate) const ACME: &str = "https://as.example/tenants/acme";

/// A request at a door.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempt {
    headers: Vec<(HeaderName, Vec<u8>)>,
    fields: Vec<(String, String)>,
    raw: Vec<u8>,
    query: Option<String>,
}

impl Attempt {
    /// With a Basic header.
    pub(crate) fn basic(id: &str, secret: &str) -> Self {
        Self::default().header(header::AUTHORIZATION, basic(id, secret))
    }

    /// With an `Authorization` header of these octets.
    pub(crate) fn authorization(value: impl Into<Vec<u8>>) -> Self {
        Self::default().header(header::AUTHORIZATION, value)
    }

    /// With credentials in the body.
    pub(crate) fn post(id: &str, secret: &str) -> Self {
        Self::default().field("client_id", id).field("client_secret", secret)
    }

    /// With an assertion.
    pub(crate) fn assertion(assertion: &str) -> Self {
        Self { fields: assertion_fields(assertion), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// More of the body, already encoded or wrongly.
    pub(crate) fn raw(mut self, more: impl Into<Vec<u8>>) -> Self {
        self.raw = more.into();
        self
    }

    pub(crate) fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// Whether it needs a body.
    pub(crate) fn has_body(&self) -> bool {
        !self.fields.is_empty() || !self.raw.is_empty()
    }

    pub(crate) fn at(&self, door: &Door) -> Request<Body> {
        let own = door.fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<(String, String)> = own.chain(self.fields.iter().cloned()).collect();
        let mut body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes();
        if !self.raw.is_empty() {
            body.push(b'&');
            body.extend_from_slice(&self.raw);
        }
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let mut request = Request::builder().method(door.method.clone()).uri(format!("{}{query}", door.path));
        for (name, value) in &self.headers {
            request = request.header(name, HeaderValue::from_bytes(value).expect("octets that a header may have"));
        }
        if door.method == Method::GET {
            return request.body(Body::empty()).expect("a request");
        }
        let form = "application/x-www-form-urlencoded";
        request.header(header::CONTENT_TYPE, form).body(Body::from(body)).expect("a request")
    }
}

/// Who is registered at an issuer.
#[derive(Debug)]
pub(crate) struct Clients {
    /// Authenticates by a secret.
    pub(crate) secret: (String, String),
    /// Authenticates by assertions, and has this key.
    pub(crate) signer: (String, Forger),
    /// The same at the next desk, with the same key.
    pub(crate) sharer: String,
    /// Public.
    pub(crate) public: String,
}

/// A server with clients of each kind at the platform's issuer and at the tenant acme's.
pub(crate) struct World {
    pub(crate) fixture: Fixture,
    pub(crate) acme_id: String,
    platform: Clients,
    acme: Clients,
}

impl World {
    /// Where nobody is told to wait, however often he fails.
    pub(crate) async fn new() -> Self {
        Self::of(Fixture::with(PATIENT).await).await
    }

    pub(crate) async fn of(fixture: Fixture) -> Self {
        let acme = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
        let acme_id = acme["id"].as_str().expect("an id").to_owned();
        fixture.made(Method::POST, "/tenants", &json!({"name": "Globex", "slug": "globex"})).await;
        let platform = clients(&fixture, "p", &json!({"level": "platform"})).await;
        let acme = clients(&fixture, "a", &json!({"level": "tenant", "tenant_id": acme_id})).await;
        Self { fixture, acme_id, platform, acme }
    }

    pub(crate) fn clients(&self, issuer: &str) -> &Clients {
        if issuer == ACME { &self.acme } else { &self.platform }
    }

    pub(crate) async fn send(&self, door: &Door, attempt: &Attempt) -> Answer {
        self.fixture.send(attempt.at(door)).await
    }

    /// What can be seen from elsewhere: the audit trail, what is registered, and how many tokens were issued.
    pub(crate) async fn elsewhere(&self) -> (Vec<Value>, u32) {
        let mut seen = vec![];
        let root = self.fixture.root().await;
        for path in ["/audit?limit=200", "/applications?limit=200", "/scopes?limit=200", "/keys"] {
            let answer = self.fixture.admin(&root, Method::GET, path, None).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
            seen.push(answer.json);
        }
        (seen, self.issued_by_others_than_root().await)
    }

    async fn issued_by_others_than_root(&self) -> u32 {
        self.fixture.server.app().journal.flush().await.expect("the journal is written");
        let far = Timestamp::from_millis(i64::MAX);
        let blocks = self.fixture.store.journal_blocks(Timestamp::default(), far, 10_000).await.expect("blocks");
        let mut count = 0;
        for block in blocks {
            let issuances: Value = serde_json::from_str(&block.issuances).expect("JSON");
            for entry in block.entries.chunks_exact(36) {
                let place = u32::from_be_bytes(entry[32..].try_into().expect("four octets"));
                count += u32::from(issuances[place as usize]["client_id"] != crate::support::ROOT);
            }
        }
        count
    }

    /// Why a request was refused, as it is recorded.
    pub(crate) async fn reason(&self, answer: &Answer) -> String {
        self.fixture.server.app().journal.flush().await.expect("the journal is written");
        let trace_id = answer.json["trace_id"].as_str().unwrap_or_else(|| panic!("no trace: {}", answer.text));
        let records = self.fixture.store.refusals_of_trace(trace_id).await.expect("records");
        records.first().map(|record| record.reason.clone()).unwrap_or_default()
    }
}

async fn clients(fixture: &Fixture, prefix: &str, place: &Value) -> Clients {
    let make = async |name: &str, more: Value| {
        let mut body = json!({
            "name": name, "client_id": format!("{prefix}-{name}"), "type": "service", "allowed_scopes": ["scopes:read"],
        });
        for part in [place, &more] {
            body.as_object_mut().expect("an object").extend(part.as_object().expect("an object").clone());
        }
        fixture.made(Method::POST, "/applications", &body).await
    };
    let secret = make("secret", json!({})).await;
    let forger = Forger::new("k1");
    let by_key = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": forger.jwks()});
    let signer = make("signer", by_key.clone()).await;
    let sharer = make("sharer", by_key).await;
    let public = make("public", json!({"type": "spa", "redirect_uris": ["https://spa.example/cb"]})).await;
    let id = |made: &Value| made["client_id"].as_str().expect("a client_id").to_owned();
    Clients {
        secret: (id(&secret), secret["client_secret"].as_str().expect("shown once").to_owned()),
        signer: (id(&signer), forger),
        sharer: id(&sharer),
        public: id(&public),
    }
}

/// What an honest client says.
pub(crate) fn claims(client_id: &str, issuer: &str, jti: &str) -> Value {
    json!({"iss": client_id, "sub": client_id, "aud": issuer, "jti": jti, "iat": START, "exp": START + 60})
}

/// Nobody is told to wait.
pub(crate) const PATIENT: &str =
    "[rate_limits]\nclient_failures = 1000000\naddress_failures = 1000000\nclient_total_failures = 1000000\n";
