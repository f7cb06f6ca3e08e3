//! A server is killed at any moment of its work: what it acknowledged is there when it is back, and nothing is half there.

#![expect(clippy::disallowed_methods, reason = "when a token was acknowledged decides whether it may be lost")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ambit_protocol::jose::{Algorithm, SigningKey};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::nodes::{assertion, node, unique};
use crate::support::{AS_ROOT, Answer, Node, Postgres, Setup, claims, folder, on_postgres, signal};

/// What the server said it had done.
#[derive(Debug, Default)]
struct Acknowledged {
    /// `client_id` and secret of registered applications.
    applications: Vec<(String, String)>,
    /// Scopes that were allowed, in this order, each in a change of its own.
    allowed: Vec<&'static str>,
    tokens: Vec<(String, Instant)>,
    revoked: Vec<String>,
    assertions: Vec<String>,
}

/// The same server, started again and again.
struct Subject {
    setup: Setup,
    key: Arc<SigningKey>,
}

impl Subject {
    async fn first(setup: Setup) -> Self {
        let setup = setup
            // Used assertions are shown to be used, and that is a failure.
            .variable("AMBIT_RATE_LIMITS_CLIENT_FAILURES", "1000000")
            .variable("AMBIT_RATE_LIMITS_CLIENT_TOTAL_FAILURES", "1000000")
            .variable("AMBIT_RATE_LIMITS_ADDRESS_FAILURES", "1000000");
        let key = SigningKey::generate(Algorithm::Es256).expect("a key");
        let node = setup.start().await;
        let body = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform",
            "allowed_scopes": ["tenants:read"], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [key.public_jwk("k1")]}});
        node.made(Method::POST, "/applications", &body).await;
        node.service("worker", &["tenants:read"]).await;
        node.kill().await;
        Self { setup, key: Arc::new(key) }
    }

    /// Puts a server under load, kills it, and says what it had acknowledged until then.
    async fn killed_after(&self, node: Node, round: u32, work: Duration) -> (Acknowledged, Instant) {
        let root = node.root().await;
        let node = Arc::new(node);
        let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
        let mut load = JoinSet::new();
        load.spawn(register(node.clone(), acknowledged.clone(), root.clone(), round));
        load.spawn(allow(node.clone(), acknowledged.clone(), root));
        load.spawn(issue_and_revoke(node.clone(), acknowledged.clone()));
        load.spawn(authenticate_by_key(node.clone(), acknowledged.clone(), self.key.clone()));
        tokio::time::sleep(work).await;
        signal(node.pid(), "KILL").await;
        let at = Instant::now();
        // Each of them ends with the first answer that does not come.
        load.join_all().await;
        let acknowledged = std::mem::take(&mut *acknowledged.lock().expect("nobody panics with it"));
        (acknowledged, at)
    }

    /// Kills it while it starts, whatever it is doing then.
    async fn killed_while_starting(&self, after: Duration) {
        let started = tokio::time::timeout(after, self.setup.start()).await;
        // Dropped, it is killed.
        drop(started);
    }
}

async fn register(node: Arc<Node>, acknowledged: Arc<Mutex<Acknowledged>>, root: String, round: u32) {
    for n in 0.. {
        let client_id = format!("app-{round}-{n}");
        let body = json!({"name": "App", "client_id": client_id, "type": "service", "level": "platform",
            "allowed_scopes": ["tenants:read"]});
        let request = node.admin_request(&root, Method::POST, "/applications", Some(&body));
        let Some(answer) = node.try_send(request).await else { return };
        assert_eq!(answer.status, 201, "{}", answer.text);
        let secret = answer.json["client_secret"].as_str().expect("a secret").to_owned();
        acknowledged.lock().expect("nobody panics with it").applications.push((client_id, secret));
    }
}

/// Puts one scope after another into the list of the application and takes it out again.
async fn allow(node: Arc<Node>, acknowledged: Arc<Mutex<Acknowledged>>, root: String) {
    for scope in ["units:read", "scopes:read", "keys:read"].into_iter().cycle() {
        let body = json!({"allowed_scopes": ["tenants:read", scope]});
        let request = node.admin_request(&root, Method::PATCH, "/applications/worker", Some(&body));
        let Some(answer) = node.try_send(request).await else { return };
        assert_eq!(answer.status, 200, "{}", answer.text);
        acknowledged.lock().expect("nobody panics with it").allowed.push(scope);
    }
}

async fn issue_and_revoke(node: Arc<Node>, acknowledged: Arc<Mutex<Acknowledged>>) {
    loop {
        let fields = [("grant_type", "client_credentials"), ("scope", "admin:read")];
        let request = node.form_request("/connect/token", Some(AS_ROOT), &fields);
        let Some(answer) = node.try_send(request).await else { return };
        let token = answer.access_token();
        acknowledged.lock().expect("nobody panics with it").tokens.push((token.clone(), Instant::now()));
        let request = node.form_request("/connect/revoke", Some(AS_ROOT), &[("token", &token)]);
        let Some(answer) = node.try_send(request).await else { return };
        assert_eq!(answer.status, 200, "{}", answer.text);
        acknowledged.lock().expect("nobody panics with it").revoked.push(token);
    }
}

async fn authenticate_by_key(node: Arc<Node>, acknowledged: Arc<Mutex<Acknowledged>>, key: Arc<SigningKey>) {
    loop {
        let assertion = assertion(&key, "etl", &unique());
        let Some(answer) = present(&node, &assertion).await else { return };
        assert_eq!(answer.status, 200, "{}", answer.text);
        acknowledged.lock().expect("nobody panics with it").assertions.push(assertion);
    }
}

async fn present(node: &Node, assertion: &str) -> Option<Answer> {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    node.try_send(node.form_request("/connect/token", None, &fields)).await
}

/// What was acknowledged is there, in the registry, in the audit trail and in what it does.
/// How many tokens were old enough to be explained.
async fn assert_kept(node: &Node, acknowledged: &Acknowledged, killed: Instant) -> usize {
    let root = node.root().await;
    if let Some((client_id, secret)) = acknowledged.applications.last() {
        let answer = node.token((client_id, secret), &[]).await;
        assert_eq!(answer.status, 200, "{client_id} is lost: {}", answer.text);
    }
    if let Some(scope) = acknowledged.allowed.last() {
        let worker = node.admin(&root, Method::GET, "/applications/worker", None).await.json;
        let now = worker["allowed_scopes"][1].as_str().expect("two of them");
        let order = ["units:read", "scopes:read", "keys:read"];
        let place = |name: &str| order.iter().position(|scope| *scope == name).expect("one of them");
        // The one that was acknowledged last, or the one after it, whose answer did not arrive.
        assert!(
            place(now) == place(scope) || place(now) == (place(scope) + 1) % 3,
            "{scope} was acknowledged, {now} it is"
        );
    }
    for token in &acknowledged.revoked {
        assert!(!node.is_active(AS_ROOT, token).await, "a revoked token is good again");
    }
    if let Some(token) = acknowledged.revoked.last() {
        assert_eq!(node.admin(token, Method::GET, "/tenants", None).await.status, 401);
    }
    for assertion in acknowledged.assertions.iter().rev().take(5) {
        let answer = present(node, assertion).await.expect("an answer");
        assert_eq!(answer.status, 401, "a used assertion is accepted again: {}", answer.text);
    }
    // The journal may lack what was issued within the flush interval before the end, and nothing older.
    let old_enough: Vec<_> =
        acknowledged.tokens.iter().filter(|(_, at)| killed.duration_since(*at) > MAY_BE_LOST).collect();
    for (token, at) in old_enough.iter().take(1).chain(old_enough.last()) {
        let question = json!({"question": "token", "jti": claims(token)["jti"]});
        let answer = node.admin(&root, Method::POST, "/explain", Some(&question)).await;
        let age = killed.duration_since(*at);
        assert_eq!(answer.status, 200, "issued {age:?} before the end and not in the journal: {}", answer.text);
        assert_eq!(answer.json["decision"]["granted"], json!(["admin:read"]));
    }
    old_enough.len()
}

/// Every application of the registry has its entry in the audit trail, in one change with its secret, and there is no entry
/// without its application.
async fn assert_nothing_half(node: &Node, acknowledged: &[(String, String)]) {
    let mut there: Vec<String> = node
        .list("/applications")
        .await
        .iter()
        .map(|it| it["client_id"].as_str().expect("a name").to_owned())
        .collect();
    let mut logged = vec![];
    let mut changes: BTreeMap<u64, Vec<(String, String)>> = BTreeMap::new();
    for change in node.list("/audit").await {
        let text = |name: &str| change[name].as_str().expect("a text").to_owned();
        if text("resource") == "application" && text("action") == "create" {
            logged.push(change["after"]["client_id"].as_str().expect("a name").to_owned());
        }
        let revision = change["revision"].as_u64().expect("a number");
        changes.entry(revision).or_default().push((text("resource"), text("action")));
    }
    there.sort_unstable();
    logged.sort_unstable();
    assert_eq!(there, logged);
    for (client_id, _) in acknowledged {
        assert!(there.binary_search(client_id).is_ok(), "{client_id} is lost");
    }
    let last = *changes.keys().last().expect("changes");
    assert_eq!(changes.len() as u64, last, "revisions have gaps");
    let pair = |what: &str| (what.to_owned(), "create".to_owned());
    let with_secret =
        |change: &Vec<(String, String)>| change.contains(&pair("application")) && change.contains(&pair("secret"));
    // All but the one that authenticates by its key.
    let made = changes.values().filter(|change| change.contains(&pair("application"))).count();
    assert_eq!(changes.values().filter(|change| with_secret(change)).count(), made - 1);
}

/// Started, looked at, put under load, killed; and so on. A fifth of the kills come while it starts.
async fn killed_again_and_again(setup: Setup, rounds: u32, least_work: Duration) {
    let subject = Subject::first(setup).await;
    let mut before: Option<(Acknowledged, Instant)> = None;
    let mut applications = vec![];
    let mut revoked = vec![];
    let (mut tokens, mut assertions, mut explained) = (0, 0, 0);
    for round in 0..rounds {
        if round % 5 == 4 {
            subject.killed_while_starting(Duration::from_millis(u64::from(round * 29 % 160))).await;
            continue;
        }
        let node = subject.setup.start().await;
        if let Some((acknowledged, killed)) = &before {
            explained += assert_kept(&node, acknowledged, *killed).await;
        }
        // Now and then long enough for tokens that the journal must have.
        let work = if round % 26 == 0 { 2 * MAY_BE_LOST } else { Duration::from_millis(u64::from(round * 67 % 190)) };
        let work = least_work + work;
        let (acknowledged, killed) = subject.killed_after(node, round, work).await;
        applications.extend_from_slice(&acknowledged.applications);
        revoked.extend_from_slice(&acknowledged.revoked);
        tokens += acknowledged.tokens.len();
        assertions += acknowledged.assertions.len();
        before = Some((acknowledged, killed));
    }
    let node = subject.setup.start().await;
    if let Some((acknowledged, killed)) = &before {
        explained += assert_kept(&node, acknowledged, *killed).await;
    }
    assert!(explained > 0, "no token was old enough to be explained");
    assert_nothing_half(&node, &applications).await;
    for token in revoked.iter().step_by(7) {
        assert!(!node.is_active(AS_ROOT, token).await, "a revoked token is good again");
    }
    let enough = rounds as usize;
    let load = [applications.len(), revoked.len(), tokens, assertions];
    assert!(load.iter().all(|count| *count > enough), "hardly any load: {load:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_change_is_lost_and_none_is_half_there_when_the_server_is_killed() {
    let folder = folder();
    // 52 of them under load.
    killed_again_and_again(Setup::lasting(folder.path()), 65, Duration::from_millis(5)).await;
}

async fn on_a_server(database: &Postgres) {
    let folder = folder();
    killed_again_and_again(node(&database.url(), folder.path()), 10, Duration::from_millis(500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_postgresql() {
    on_postgres(on_a_server).await;
}

/// The journal is written every 200 ms, and a busy machine takes its time.
const MAY_BE_LOST: Duration = Duration::from_millis(800);
