//! [`Fetch`] over HTTPS.

use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use http::{StatusCode, header};
use reqwest::redirect::Policy;

use super::{FETCH_TIME, Fetch, FetchError, FetchRequest, Fetched, max_age, shown};
use crate::hooks::BoxFuture;

/// An HTTP client that follows no redirect, decompresses nothing and gives up in time.
#[derive(Debug, Clone)]
pub struct HttpClient(reqwest::Client);

impl HttpClient {
    /// With the machine's trusted certificates.
    ///
    /// # Errors
    /// The client's own text: no trusted certificates were found, or the TLS library failed.
    pub fn new() -> Result<Self, String> {
        Self::with(reqwest::Client::builder())
    }

    /// With what else is to be said of the client: a proxy, certificates of one's own, a resolver. Redirects and times are not.
    ///
    /// # Errors
    /// The client's own text.
    pub fn with(builder: reqwest::ClientBuilder) -> Result<Self, String> {
        builder
            .redirect(Policy::none())
            .timeout(FETCH_TIME)
            .connect_timeout(CONNECT_TIME)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE_TIME)
            .user_agent(concat!("ambit-resource-server/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| whole(&error))
    }

    async fn fetch(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let url = || shown(&request.url);
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                FetchError::Timeout { url: url() }
            } else {
                FetchError::Unreachable { url: url(), reason: whole(&error.without_url()) }
            }
        };
        let mut get =
            self.0.get(request.url.clone()).header(header::ACCEPT, "application/json, application/*+json;q=0.9");
        if let Some(etag) = &request.etag {
            get = get.header(header::IF_NONE_MATCH, etag);
        }
        let mut response = get.send().await.map_err(failed)?;

        let text = |name: header::HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let max_age = text(header::CACHE_CONTROL).as_deref().and_then(max_age);
        let etag = text(header::ETAG);
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Fetched::NotModified { max_age }),
            status => return Err(FetchError::Status { url: url(), status: status.as_u16() }),
        }
        let too_large = || FetchError::TooLarge { url: url(), max_len: request.max_len };
        if response.content_length().is_some_and(|len| len > request.max_len as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            // What announces no length, or a wrong one, ends here.
            if body.len() + chunk.len() > request.max_len {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched::Document { body: body.freeze(), etag, max_age })
    }
}

impl Fetch for HttpClient {
    fn get<'a>(&'a self, request: &'a FetchRequest) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(self.fetch(request))
    }
}

/// An error with its causes; those say what is wrong, it says what was done.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

const CONNECT_TIME: Duration = Duration::from_secs(2);
const IDLE_TIME: Duration = Duration::from_secs(30);
