//! A server in process, with a clock and a randomness that the test owns, on a database of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ambit_core::entropy::Entropy;
use ambit_core::keys::MasterKey;
use ambit_core::registry::{Edit, Power, Settings, builtin};
use ambit_core::store::{ChangeContext, Store};
use ambit_core::time::Clock;
use ambit_protocol::time::Timestamp;
use ambit_server::config::{Config, File, Sources};
use ambit_server::first_start::{Start, prepare};
use ambit_server::jobs::{JOBS, attempt};
use ambit_server::logs::Log;
use ambit_server::server::{Parts, Server};
use ambit_store::{SqlStore, StoreConfig};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const BASE: &str = "https://as.example";
pub(crate) const ROOT: &str = "root";
pub(crate) const ROOT_SECRET: &str = "a-bootstrap-secret-of-enough-length-0123456789";
/// 2027-01-15T08:00:00Z.
pub(crate) const START: i64 = 1_800_000_000;

/// A clock that the test moves, and corrects.
#[derive(Debug)]
pub(crate) struct TestClock {
    now: AtomicI64,
    /// How much of that is no time that passed.
    corrected: AtomicI64,
}

impl TestClock {
    pub(crate) fn starting() -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(START * 1000), corrected: AtomicI64::new(0) })
    }

    /// Sets the time of day forwards or back. No time passes.
    pub(crate) fn jump_secs(&self, secs: i64) {
        self.corrected.fetch_add(secs * 1000, Ordering::SeqCst);
        self.advance_secs(secs);
    }

    pub(crate) fn advance_secs(&self, secs: i64) {
        self.advance_millis(secs * 1000);
    }

    pub(crate) fn advance_millis(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        let passed = self.now.load(Ordering::SeqCst) - self.corrected.load(Ordering::SeqCst);
        Duration::from_millis(passed.unsigned_abs())
    }
}

/// Randomness that is the same in every run (`SplitMix64`).
#[derive(Debug, Default)]
pub(crate) struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Arc<dyn Store>,
    /// The same, to be closed.
    pub(crate) sql: Arc<SqlStore>,
    router: Router,
    config: Config,
    master_key: String,
    dir: Arc<TempDir>,
}

/// An answer, read.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Fixture {
    /// One turn of every job, as each node has it several times in a minute.
    pub(crate) async fn turn(&self) {
        for job in &JOBS {
            attempt(self.server.app(), job).await.expect("a job that does its work");
        }
    }

    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With a configuration file.
    pub(crate) async fn with(file: &str) -> Self {
        Self::altered(file, |parts| parts).await
    }

    /// With a configuration file, and with other parts than the usual ones.
    pub(crate) async fn altered(file: &str, alter: impl FnOnce(Parts) -> Parts) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store = SqlStore::open(&StoreConfig::data_dir(dir.path())).await.expect("a database");
        store.migrate().await.expect("a schema");
        Self::build(store, dir, TestClock::starting(), file, alter).await
    }

    /// Over a database that is there, in a folder of its own.
    pub(crate) async fn over(store: SqlStore, dir: TempDir, clock: Arc<TestClock>, file: &str, log: Log) -> Self {
        Self::build(store, dir, clock, file, |parts| Parts { log, ..parts }).await
    }

    async fn build(
        store: SqlStore,
        dir: TempDir,
        clock: Arc<TestClock>,
        file: &str,
        alter: impl FnOnce(Parts) -> Parts,
    ) -> Self {
        let flags = [("public_url", BASE), ("data_dir", dir.path().to_str().expect("a path in UTF-8"))];
        let environment = [("AMBIT_BOOTSTRAP_CLIENT_ID", ROOT), ("AMBIT_BOOTSTRAP_CLIENT_SECRET", ROOT_SECRET)];
        // Letters go into the test's own folder, unless it says otherwise.
        let mail = (!file.contains("mail")).then_some(("AMBIT_MAIL_TRANSPORT", "file"));
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let sources = Sources {
            flags: flags.map(text).to_vec(),
            environment: environment.into_iter().chain(mail).map(text).collect(),
            file: (!file.is_empty()).then(|| File { name: "ambit.toml".to_owned(), text: file.to_owned() }),
        };
        let config = Config::load(&sources).expect("a configuration");
        let entropy = Arc::new(TestEntropy::default());
        let sql = Arc::new(store);
        // The first octets of an entropy that is the same each time: every server here has this master key.
        let master_key = MasterKey::generate(&*entropy);
        let master_key_text = master_key.expose_secret().to_string();
        let parts = alter(Parts {
            config: config.clone(),
            base_url: BASE.to_owned(),
            store: sql.clone(),
            master_key,
            clock: clock.clone(),
            entropy,
            log: Log::off(),
        });
        let store = parts.store.clone();
        let server = Server::build(parts).await.expect("a server");
        let router = server.router();
        Self { server, clock, store, sql, router, config, master_key: master_key_text, dir: Arc::new(dir) }
    }

    /// A second node: another server on the same database.
    pub(crate) async fn another_node(&self) -> Self {
        self.another_node_by(self.clock.clone()).await
    }

    /// The same, by a clock of its own.
    pub(crate) async fn another_node_by(&self, clock: Arc<TestClock>) -> Self {
        let parts = Parts {
            config: self.config.clone(),
            base_url: BASE.to_owned(),
            store: self.store.clone(),
            master_key: MasterKey::parse(&self.master_key).expect("the same key"),
            clock: clock.clone(),
            entropy: self.server.app().entropy.clone(),
            log: Log::off(),
        };
        let server = Server::build(parts).await.expect("a server");
        Self {
            router: server.router(),
            server,
            clock,
            store: self.store.clone(),
            sql: self.sql.clone(),
            config: self.config.clone(),
            master_key: self.master_key.clone(),
            dir: self.dir.clone(),
        }
    }

    /// What another start does with the same database and the same environment.
    pub(crate) async fn start_again(&self) {
        let app = self.server.app();
        let start = Start {
            base_url: BASE,
            default_algorithm: app.default_algorithm,
            limits: app.limits,
            now: self.clock.now(),
            vault: &app.vault,
            entropy: &*app.entropy,
            bootstrap: Some((ROOT, ROOT_SECRET)),
        };
        prepare(&*self.store, &start).await.expect("a start");
        app.registry.catch_up().await.expect("the new facts");
    }

    /// Adds the retail catalogue, as the demonstration does.
    pub(crate) async fn retail(&self) {
        let power = Power::system("test");
        let settings = Settings { base_url: BASE.to_owned(), ..Settings::default() };
        let context = ChangeContext { actor: "system".to_owned(), at: self.clock.now(), trace_id: None };
        let transaction = self.store.begin(context).await.expect("a transaction");
        let edit = Edit { tx: &*transaction, power: &power, settings: &settings, entropy: &*self.server.app().entropy };
        builtin::install_retail(&edit).await.expect("the retail catalogue");
        transaction.commit().await.expect("a commit");
        self.server.app().registry.catch_up().await.expect("the new facts");
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Answer { status: parts.status, headers: parts.headers, text, json };
        crate::contract::check(&method, &path, &answer);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// A form, with Basic credentials or without.
    pub(crate) async fn form(&self, path: &str, client: Option<(&str, &str)>, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.raw_form(path, client, &body).await
    }

    /// A body that is already encoded, or wrongly.
    pub(crate) async fn raw_form(&self, path: &str, client: Option<(&str, &str)>, body: &str) -> Answer {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some((id, secret)) = client {
            request = request.header(header::AUTHORIZATION, basic(id, secret));
        }
        self.send(request.body(Body::from(body.to_owned())).expect("a request")).await
    }

    /// The userinfo endpoint of an issuer.
    pub(crate) async fn userinfo(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// A token by client credentials.
    pub(crate) async fn token(&self, path: &str, client: (&str, &str), fields: &[(&str, &str)]) -> Answer {
        let fields = [&[("grant_type", "client_credentials")], fields].concat();
        self.form(path, Some(client), &fields).await
    }

    /// The administrator's token.
    pub(crate) async fn root(&self) -> String {
        let answer = self.token("/connect/token", (ROOT, ROOT_SECRET), &[]).await;
        answer.access_token()
    }

    /// A call of the admin API.
    pub(crate) async fn admin(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        match body {
            Some(body) => self.admin_with(token, method, path, &[JSON], body.to_string()).await,
            None => self.admin_with(token, method, path, &[], Body::empty()).await,
        }
    }

    /// The same with headers and octets of the test's own.
    pub(crate) async fn admin_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("/api/v1/admin{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("a request")).await
    }

    /// A call of the admin API, as the administrator, that must succeed.
    pub(crate) async fn made(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.admin(&self.root().await, method.clone(), path, Some(body)).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
        answer.json
    }
}

impl Answer {
    pub(crate) fn access_token(&self) -> String {
        let token = self.json["access_token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {} {}", self.status, self.text)).to_owned()
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The claims of a token, as anybody can read them.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}
