//! The admin API, as the commands use it.

use ambit_server::logs::with_causes;
use clap::Args;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::Value;

use crate::output::Failure;

/// Which server, and as whom.
#[derive(Debug, Args)]
pub struct Connection {
    /// The server's address, or the issuer of a tenant.
    #[arg(long, env = "AMBIT_URL", default_value = "http://127.0.0.1:5000", global = true)]
    pub url: String,
    /// The client to act as.
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
    token: SecretString,
}

impl Connection {
    /// The server's address.
    pub fn base(&self) -> Result<Url, Failure> {
        let base = Url::parse(self.url.trim_end_matches('/'))
            .map_err(|error| Failure::usage(format!("--url: '{}' is not a URL: {error}", self.url)))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Failure::usage("--url: must begin with http:// or https://"));
        }
        Ok(base)
    }

    /// The credentials, if they were given.
    pub fn credentials(&self) -> Option<(&str, &SecretString)> {
        Some((self.client_id.as_deref()?, self.client_secret.as_ref()?))
    }

    /// Gets a token and is ready to call.
    pub async fn admin(&self) -> Result<AdminApi, Failure> {
        let base = self.base()?;
        let http = http()?;
        let token = match (&self.token, self.credentials()) {
            (Some(token), _) => token.clone(),
            (None, Some((client_id, secret))) => {
                let answer = token(&http, &base, client_id, secret, &[]).await?;
                let token = answer.get("access_token").and_then(Value::as_str);
                SecretString::from(
                    token.ok_or_else(|| Failure::internal("the token endpoint answered without a token"))?,
                )
            }
            (None, None) => {
                return Err(Failure::usage(
                    "say who you are: AMBIT_CLIENT_ID and AMBIT_CLIENT_SECRET, or AMBIT_TOKEN (--help has the flags)",
                ));
            }
        };
        Ok(AdminApi { http, base, token })
    }
}

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
        let mut request = self
            .http
            .request(method, below(&self.base, &format!("/api/v1/admin{path}")))
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request).await
    }
}

/// One segment of a path, or one value of a query.
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn below(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
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

/// The server's refusal in its own words, with the faults of each field and where to read on.
fn refused(status: StatusCode, body: Value) -> Failure {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut message = match (text("error"), text("error_description"), text("detail")) {
        (Some(error), description, _) => format!("{error}: {}", description.unwrap_or_default()),
        (None, _, Some(detail)) => detail,
        _ => format!("HTTP {status}"),
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
    Failure::refused(message, Some(body))
}
