//! The admin API, as the commands use it.

use ambit_core::registry::builtin::COMMAND_LINE;
use ambit_server::logs::with_causes;
use clap::Args;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use crate::login::Session;
use crate::output::Failure;

/// Which server, and as whom.
#[derive(Debug, Args)]
pub struct Connection {
    /// The server's address, or the issuer of a tenant. Where left out: the server of the last `ambit login`, or else
    /// <http://127.0.0.1:5000>.
    #[arg(long, env = "AMBIT_URL", global = true)]
    pub url: Option<String>,
    /// The client to act as, in place of who is signed in.
    #[arg(long, env = "AMBIT_CLIENT_ID", global = true)]
    pub client_id: Option<String>,
    /// Its secret. Better in the environment than on the command line, which others can see.
    #[arg(long, env = "AMBIT_CLIENT_SECRET", hide_env_values = true, global = true)]
    pub client_secret: Option<SecretString>,
    /// An access token to use instead of a client's credentials.
    // Global names are shared with every command, and `explain` has a token of its own.
    #[arg(
        id = "access_token",
        long = "token",
        value_name = "TOKEN",
        env = "AMBIT_TOKEN",
        hide_env_values = true,
        global = true
    )]
    pub token: Option<SecretString>,
}

/// A server, and a token for its admin API.
#[derive(Debug)]
pub struct AdminApi {
    http: reqwest::Client,
    base: Url,
    credential: Credential,
}

/// As whom a command acts.
#[derive(Debug)]
pub enum Identity<'a> {
    /// As whoever an access token is of, which was handed in.
    Token(&'a SecretString),
    /// As a client, by its secret.
    Client(&'a str, &'a SecretString),
    /// As a person, who signed in before.
    Person(Box<Session>),
}

#[derive(Debug)]
enum Credential {
    Token(SecretString),
    Login(Box<Session>),
}

impl Connection {
    /// The server's address.
    pub fn base(&self) -> Result<Url, Failure> {
        base(self.url.as_deref().unwrap_or(DEFAULT_URL))
    }

    /// The credentials, if they were given.
    pub fn credentials(&self) -> Option<(&str, &SecretString)> {
        Some((self.client_id.as_deref()?, self.client_secret.as_ref()?))
    }

    /// What was handed in counts; only where nothing was, who is signed in.
    pub fn identity(&self) -> Result<Identity<'_>, Failure> {
        match (&self.token, &self.client_id, &self.client_secret) {
            (Some(token), ..) => return Ok(Identity::Token(token)),
            (None, Some(client_id), Some(secret)) => return Ok(Identity::Client(client_id, secret)),
            // Half of it is a mistake, and no wish to act as somebody else.
            (None, Some(_), None) | (None, None, Some(_)) => {
                return Err(Failure::usage(
                    "AMBIT_CLIENT_ID and AMBIT_CLIENT_SECRET go together, and one of them is missing",
                ));
            }
            (None, None, None) => {}
        }
        let named = self.url.as_deref().map(base).transpose()?;
        let session = Session::find(named.as_ref())?.map(Box::new);
        session.map(Identity::Person).ok_or_else(|| {
            let at = named.map(|url| format!(" --url {}", url.as_str().trim_end_matches('/'))).unwrap_or_default();
            Failure::usage(format!(
                "say who you are: sign in with `ambit login{at}`, or set AMBIT_CLIENT_ID and AMBIT_CLIENT_SECRET, or AMBIT_TOKEN \
                 (--help has the flags)"
            ))
        })
    }

    /// Is ready to call.
    pub async fn admin(&self) -> Result<AdminApi, Failure> {
        let identity = self.identity()?;
        let http = http()?;
        let (base, credential) = match identity {
            Identity::Token(token) => (self.base()?, Credential::Token(token.clone())),
            Identity::Client(client_id, secret) => {
                let base = self.base()?;
                let answer = token(&http, &base, client_id, secret, &[]).await?;
                let token = answer.get("access_token").and_then(Value::as_str);
                let token = token.ok_or_else(|| Failure::internal("the token endpoint answered without a token"))?;
                (base, Credential::Token(token.into()))
            }
            Identity::Person(session) => (session.base().clone(), Credential::Login(session)),
        };
        Ok(AdminApi { http, base, credential })
    }
}

/// The address of a server.
pub fn base(url: &str) -> Result<Url, Failure> {
    let base = Url::parse(url.trim_end_matches('/'))
        .map_err(|error| Failure::usage(format!("--url: '{url}' is not a URL: {error}")))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(Failure::usage("--url: must begin with http:// or https://"));
    }
    Ok(base)
}

/// Where a server is that was started without an address.
pub const DEFAULT_URL: &str = "http://127.0.0.1:5000";

/// A client for HTTP that does not wait for ever.
pub fn http() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Failure::internal(format!("the HTTP client could not be made: {error}")))
}

/// A token by client credentials (RFC 6749 §4.4).
pub async fn token(
    http: &reqwest::Client,
    base: &Url,
    client_id: &str,
    secret: &SecretString,
    parameters: &[(&str, &str)],
) -> Result<Value, Failure> {
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend_from_slice(parameters);
    let request = http.post(below(base, "/connect/token")).form(&form);
    answer(authenticated(request, client_id, secret)).await
}

/// A client's question about itself.
pub async fn ask(
    http: &reqwest::Client,
    base: &Url,
    client_id: &str,
    secret: &SecretString,
    question: &Value,
) -> Result<Value, Failure> {
    let request = http.post(below(base, "/connect/explain")).json(question);
    answer(authenticated(request, client_id, secret)).await
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they go into the header.
fn authenticated(request: reqwest::RequestBuilder, client_id: &str, secret: &SecretString) -> reqwest::RequestBuilder {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    request.basic_auth(encoded(client_id), Some(encoded(secret.expose_secret())))
}

impl AdminApi {
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None::<&Value>).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None::<&Value>).await
    }

    /// All things of a list, page by page.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut items = vec![];
        let mut cursor: Option<String> = None;
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let mut page_path = format!("{path}{separator}limit=200");
            if let Some(cursor) = &cursor {
                page_path.push_str(&format!("&cursor={}", segment(cursor)));
            }
            let page = self.get(&page_path).await?;
            items.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            cursor = page.get("cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Value, Failure> {
        let send = async |token: &SecretString| {
            let url = below(&self.base, &format!("/api/v1/admin{path}"));
            let mut request = self.http.request(method.clone(), url).bearer_auth(token.expose_secret());
            if let Some(body) = body {
                request = request.json(body);
            }
            answer(request).await
        };
        let session = match &self.credential {
            Credential::Token(token) => return send(token).await,
            Credential::Login(session) => session,
        };
        let token = session.token().await?;
        let answered = match send(&token).await {
            // The server's clock, or a key that was withdrawn, ends a token before its time: nothing was done with it.
            Err(failure) if failure.status() == Some(401) => send(&session.token_instead_of(&token).await?).await,
            answered => answered,
        };
        answered.map_err(|failure| failure.retold(|problem| Some(told(&by_login(problem, &self.base)?, "refused"))))
    }
}

/// One segment of a path, or one value of a query.
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn below(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

/// What a server answered, or why that is none.
pub async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let response = request.send().await.map_err(|error| Failure::unreachable(with_causes(&error)))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| Failure::unreachable(with_causes(&error)))?;
    if status == StatusCode::NO_CONTENT || text.is_empty() {
        return Ok(Value::Null);
    }
    let body: Value = serde_json::from_str(&text).map_err(|_| {
        Failure::unreachable(format!("HTTP {status}, and the answer is not JSON: is this an Ambit server?"))
    })?;
    match status {
        _ if status.is_success() => Ok(body),
        // The same command may pass in a moment: not a refusal.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Err(refused(status, body).unavailable()),
        _ => Err(refused(status, body)),
    }
}

/// A refusal whose fix is an authorization request of the command line, with `ambit login` in its place: that request's answer comes
/// to where only `ambit login` listens. None where there is no such fix.
fn by_login(problem: &Value, base: &Url) -> Option<Value> {
    let mut problem = problem.clone();
    let fixes = problem.get_mut("why")?.get_mut("fix")?.as_array_mut()?;
    let own = format!("client_id={COMMAND_LINE} ");
    let place = fixes.iter().position(|fix| {
        let command = fix.get("command").and_then(Value::as_str).unwrap_or_default();
        command.contains("/connect/authorize ") && command.contains(&own)
    })?;
    // What a login lent is still in it when the application may have it again, unless its token was renewed in between.
    let text = if place == 0 { "sign in again" } else { "repeat the command; if it is refused still, sign in again" };
    let command = format!("ambit login --url {}", base.as_str().trim_end_matches('/'));
    fixes[place] = json!({ "text": text, "who": "you", "command": command });
    Some(problem)
}

/// The server's refusal.
pub fn refused(status: StatusCode, body: Value) -> Failure {
    Failure::refused(told(&body, &format!("HTTP {status}")), Some(body))
}

/// A refusal in the server's own words, or in these where it has none, with the faults of each field and where to read on.
fn told(body: &Value, wordless: &str) -> String {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut message = match (text("error"), text("error_description"), text("detail")) {
        (Some(error), description, _) => format!("{error}: {}", description.unwrap_or_default()),
        (None, _, detail) => detail.unwrap_or_else(|| wordless.to_owned()),
    };
    for error in body.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        message.push_str(&format!("\n  {}: {}", part("pointer"), part("message")));
    }
    if let Some(why) = body.get("why") {
        if let Some(verdict) = why.get("verdict").and_then(Value::as_str) {
            message.push_str(&format!("\n  why: {verdict}"));
        }
        for fix in why.get("fix").and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| fix.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            message.push_str(&format!("\n  fix: {} ({})\n       {}", part("text"), part("who"), part("command")));
        }
    }
    if let Some(page) = text("error_uri").or_else(|| text("type")) {
        message.push_str(&format!("\n  see {page}"));
    }
    if let Some(trace_id) = text("trace_id") {
        message.push_str(&format!("\n  trace {trace_id}"));
    }
    message
}
