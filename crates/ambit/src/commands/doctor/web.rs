//! HTTP as the doctor speaks it: every answer has an end in time and in size, and no redirect is followed, with credentials or
//! without.

use std::time::Duration;

use ambit_core::time::Clock as _;
use ambit_protocol::time::Timestamp;
use ambit_server::clock::SystemClock;
use ambit_server::logs::with_causes;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use crate::output::Failure;

/// A client for HTTP.
#[derive(Debug)]
pub struct Web {
    http: reqwest::Client,
    timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// When it was there, by this machine's clock.
    pub at: Timestamp,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    #[error("nobody answers there ({0})")]
    Unreachable(String),
    #[error("no answer within {0} s")]
    Silent(u64),
    #[error("the answer has more than {} KiB", MAX_BODY_BYTES / 1024)]
    TooLarge,
    #[error("the answer broke off ({0})")]
    BrokenOff(String),
}

impl Web {
    pub fn new(timeout: Duration) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::internal(format!("the HTTP client could not be made: {error}")))?;
        Ok(Self { http, timeout })
    }

    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub async fn get(&self, url: &str) -> Result<Seen, Unseen> {
        self.send(self.http.get(url).header(reqwest::header::ACCEPT, "application/json")).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Result<Seen, Unseen> {
        let mut response = request.send().await.map_err(|error| self.unseen(error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(&mut response).await?;
        Ok(Seen { status, headers, body, at: SystemClock.now() })
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Unseen> {
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unseen(error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(Unseen::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unseen(&self, error: reqwest::Error) -> Unseen {
        let is_body = error.is_body() || error.is_decode();
        if error.is_timeout() {
            return Unseen::Silent(self.timeout.as_secs());
        }
        // The address stands in the line already.
        let cause = with_causes(&error.without_url());
        let cause = cause.rsplit(": ").next().unwrap_or_default().to_owned();
        if is_body { Unseen::BrokenOff(cause) } else { Unseen::Unreachable(cause) }
    }
}

impl Seen {
    /// The body, if it is a JSON object.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok().filter(Value::is_object)
    }

    /// RFC 9110 §6.6.1: when the answer was made, by the clock of who made it. How many seconds that is ahead of ours.
    pub fn ahead_secs(&self) -> Option<i64> {
        let text = self.headers.get(DATE)?.to_str().ok()?;
        let theirs = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second();
        Some(theirs - self.at.secs())
    }

    /// Where a redirect leads.
    pub fn location(&self, from: &str) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        if self.status.is_redirection() { Url::parse(from).ok()?.join(location).ok() } else { None }
    }

    /// What it is, where it is not what was expected.
    pub fn kind(&self) -> &'static str {
        let media_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let first = self.body.iter().find(|octet| !octet.is_ascii_whitespace());
        match first {
            None => "an empty answer",
            Some(b'<') => "HTML, a page for people",
            _ if media_type.starts_with("text/html") => "HTML, a page for people",
            Some(_) => "not a JSON object",
        }
    }

    /// What the body says of itself: of a problem (RFC 9457), of OAuth (RFC 6749 §5.2), of whatever else has a text.
    pub fn says(&self) -> Said {
        let body = self.json().unwrap_or_default();
        let text =
            |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let is_page = |uri: &String| uri.starts_with("https://") || uri.starts_with("http://");
        let error = text("error");
        let message = text("error_description").or_else(|| text("detail")).or_else(|| text("message"));
        let fault = body.pointer("/errors/0/message").and_then(Value::as_str);
        let message = match (message, fault) {
            (Some(message), Some(fault)) => Some(format!("{message}: {fault}")),
            (message, _) => message.or_else(|| text("title")),
        };
        let words = match (&error, message) {
            (Some(error), Some(message)) => format!("{error}: {message}"),
            (Some(error), None) => error.clone(),
            (None, Some(message)) => message,
            (None, None) if body.is_null() => self.kind().to_owned(),
            (None, None) => "JSON without a text".to_owned(),
        };
        Said {
            error,
            words,
            page: text("error_uri").or_else(|| text("type")).filter(is_page),
            trace: text("trace_id"),
            body,
        }
    }
}

/// A refusal, in the words of who refuses.
#[derive(Debug)]
pub struct Said {
    /// The code of RFC 6749 §5.2.
    pub error: Option<String>,
    pub words: String,
    /// The page that explains it.
    pub page: Option<String>,
    pub trace: Option<String>,
    pub body: Value,
}

/// Whether what is sent there can be read on the way: not by TLS, and off this machine.
pub fn is_in_the_clear(url: &Url) -> bool {
    let is_local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() != "https" && !is_local
}

/// What answers may have: ten times what the largest documents of this kind have.
const MAX_BODY_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_talked_to_in_the_clear() {
        for (url, is_clear) in [
            ("https://as.example/", false),
            ("http://127.0.0.1:5000/", false),
            ("http://[::1]/", false),
            ("http://localhost/", false),
            ("http://as.example/", true),
            ("http://127.0.0.1.as.example/", true),
            ("http://10.0.0.1/", true),
        ] {
            assert_eq!(is_in_the_clear(&Url::parse(url).expect("a URL")), is_clear, "{url}");
        }
    }
}
