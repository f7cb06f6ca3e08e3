//! An application on this machine, as RFC 8252 has it: it sends people to sign in, and listens for them to come back.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Html;
use axum::routing::get;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use url::Url;

use super::chromium::Page;
use crate::support::{Answer, Node};

/// An application, running.
pub(super) struct Application<'n> {
    node: &'n Node,
    /// Its issuer, and the path of that.
    issuer: String,
    path: String,
    client_id: String,
    /// Where it listens.
    pub(super) url: String,
    arrivals: Mutex<mpsc::UnboundedReceiver<Arrival>>,
    listening: JoinHandle<()>,
}

/// What a browser brought back.
pub(super) type Arrival = BTreeMap<String, String>;

impl Drop for Application<'_> {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl<'n> Application<'n> {
    /// One that knows its issuer, by the path, and its name there.
    pub(super) async fn start(node: &'n Node, path: &str, client_id: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let router = Router::new()
            .route("/callback", get(by_query).post(by_form))
            .route("/bye", get(goodbye))
            .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
            .with_state(arrived);
        let listening = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self {
            node,
            issuer: format!("{}{path}", node.issuer()),
            path: path.to_owned(),
            client_id: client_id.to_owned(),
            url,
            arrivals: Mutex::new(arrivals),
            listening,
        }
    }

    /// Where it has people come back to.
    pub(super) fn callback(&self) -> String {
        format!("{}/callback", self.url)
    }

    /// Sends a browser to sign in.
    pub(super) async fn sends(&self, page: &Page, scope: &str, more: &[(&str, &str)]) {
        let callback = self.callback();
        let fields = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &callback),
            ("scope", scope),
            ("state", STATE),
            ("nonce", NONCE),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let url = self.at("/connect/authorize", fields.iter().chain(more));
        page.open(url.as_str()).await;
    }

    /// What the browser came back with. Nobody comes twice.
    pub(super) async fn arrival(&self, page: &Page) -> Arrival {
        let mut arrivals = self.arrivals.lock().await;
        let Ok(arrived) = tokio::time::timeout(Duration::from_secs(10), arrivals.recv()).await else {
            panic!("nobody came back: {}\n{}", page.url().await, page.text().await);
        };
        let arrived = arrived.expect("it listens");
        assert!(arrivals.try_recv().is_err(), "somebody came back twice");
        assert_eq!(arrived["state"], STATE);
        // RFC 9207 §2.4: the client compares it.
        assert_eq!(arrived["iss"], self.issuer);
        assert!(page.url().await.as_str().starts_with(&self.url), "{}", page.url().await);
        arrived
    }

    /// Redeems the code that the browser came back with.
    pub(super) async fn redeems(&self, page: &Page) -> Lent {
        let arrived = self.arrival(page).await;
        let code = arrived.get("code").unwrap_or_else(|| panic!("no code: {arrived:?}"));
        let callback = self.callback();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.token(&fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let lent = Lent(answer.json);
        assert_eq!(lent.id_claims()["nonce"], NONCE);
        lent
    }

    /// Renews what was lent, by its refresh token.
    pub(super) async fn renews(&self, lent: &Lent) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", lent.member("refresh_token"))]).await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let fields = [fields, &[("client_id", &self.client_id)]].concat();
        self.node.send(self.node.form_request(&format!("{}/connect/token", self.path), None, &fields)).await
    }

    /// What the server tells of whoever lent this.
    pub(super) async fn asks_who_it_is(&self, lent: &Lent) -> Answer {
        let request = self.node.request(reqwest::Method::GET, &format!("{}/connect/userinfo", self.path));
        self.node.send(request.bearer_auth(lent.member("access_token"))).await
    }

    /// Sends a browser to sign out, with what it knows of the person.
    pub(super) async fn signs_out(&self, page: &Page, lent: &Lent) {
        let bye = format!("{}/bye", self.url);
        let fields = [("id_token_hint", lent.member("id_token")), ("post_logout_redirect_uri", &bye), ("state", STATE)];
        page.open(self.at("/connect/endsession", fields.iter()).as_str()).await;
        assert_eq!(page.url().await.as_str(), format!("{bye}?state={STATE}"));
        assert_eq!(page.heading().await, "Goodbye");
    }

    fn at<'f>(&self, path: &str, fields: impl Iterator<Item = &'f (&'f str, &'f str)>) -> Url {
        let mut url = Url::parse(&format!("{}{path}", self.issuer)).expect("a URL");
        url.query_pairs_mut().extend_pairs(fields);
        url
    }
}

/// What somebody lent: the answer of the token endpoint.
#[derive(Debug)]
pub(super) struct Lent(pub(super) Value);

impl Lent {
    pub(super) fn member(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.0))
    }

    pub(super) fn scopes(&self) -> Vec<&str> {
        self.member("scope").split(' ').collect()
    }

    pub(super) fn id_claims(&self) -> Value {
        crate::support::claims(self.member("id_token"))
    }
}

type Arrived = State<mpsc::UnboundedSender<Arrival>>;

async fn by_query(State(arrived): Arrived, uri: Uri) -> Html<&'static str> {
    came_back(&arrived, uri.query().unwrap_or_default())
}

async fn by_form(State(arrived): Arrived, form: String) -> Html<&'static str> {
    came_back(&arrived, &form)
}

fn came_back(arrived: &mpsc::UnboundedSender<Arrival>, fields: &str) -> Html<&'static str> {
    let fields = url::form_urlencoded::parse(fields.as_bytes()).into_owned().collect();
    // Where nobody waits, the test is over.
    let _ = arrived.send(fields);
    Html(BACK)
}

async fn goodbye() -> Html<&'static str> {
    Html("<!doctype html><html lang=en><title>Goodbye</title><h1>Goodbye</h1>")
}

/// Its title says whether scripts run here.
const BACK: &str = "<!doctype html><html lang=en><title>plain</title><h1>You are back</h1><script>document.title = 'scripted'</script>";
const STATE: &str = "the-state";
const NONCE: &str = "the-nonce";
/// Appendix B of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
