//! Fetching documents of an issuer: which addresses are fetched at all, and within what limits.
//!
//! Nothing in here is reached because a token says so. The addresses are the operator's, or stand in the metadata of an
//! issuer that the operator trusts; no redirect is followed.

#[cfg(feature = "http-client")]
mod http_client;

use std::fmt;
use std::time::Duration;

use ambit_protocol::time::Timestamp;
use bytes::Bytes;
use url::{Host, Url};

#[cfg(feature = "http-client")]
pub use http_client::HttpClient;

use crate::hooks::BoxFuture;

/// Gets a document. [`HttpClient`] does it over HTTPS; a test, or an API behind a special proxy, brings its own.
///
/// The caller gives up after [`FETCH_TIME`] and refuses bodies beyond `max_len`, whatever the implementation does.
pub trait Fetch: Send + Sync + fmt::Debug {
    /// Gets it, without following redirects, and without reading more than `max_len` octets.
    ///
    /// # Errors
    /// [`FetchError`].
    fn get<'a>(&'a self, request: &'a FetchRequest) -> BoxFuture<'a, Result<Fetched, FetchError>>;
}

/// A document to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Where it is. Passed the check for secure addresses.
    pub url: Url,
    /// The `ETag` of the one that is kept: goes out as `If-None-Match`.
    pub etag: Option<String>,
    /// The longest body that is read, in octets.
    pub max_len: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// 200: the document.
    Document {
        /// The body.
        body: Bytes,
        /// Its `ETag`.
        etag: Option<String>,
        /// `max-age` of its `Cache-Control`; zero for `no-cache` and `no-store`.
        max_age: Option<Duration>,
    },
    /// 304: the one that is kept is still right.
    NotModified {
        /// `max-age` of its `Cache-Control`; zero for `no-cache` and `no-store`.
        max_age: Option<Duration>,
    },
}

/// Why there is no document. For the log: nobody who calls the API reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Neither 200 nor 304. A redirect is one of these.
    #[error("{url} answered {status}")]
    Status {
        /// What was fetched.
        url: String,
        /// The status.
        status: u16,
    },
    /// The body is longer than the limit.
    #[error("{url} answered more than {max_len} octets")]
    TooLarge {
        /// What was fetched.
        url: String,
        /// The limit.
        max_len: usize,
    },
    /// No answer in time.
    #[error("{url} did not answer within {} s", FETCH_TIME.as_secs())]
    Timeout {
        /// What was fetched.
        url: String,
    },
    /// No connection, no TLS, or it broke off.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// What was fetched.
        url: String,
        /// What the client says.
        reason: String,
    },
    /// The address may not be fetched.
    #[error("{url} is not fetched: only https, and http on a loopback address, are")]
    Insecure {
        /// What was not fetched.
        url: String,
    },
    /// The document is not what it should be.
    #[error("{url} is no {what}: {reason}")]
    Content {
        /// What was fetched.
        url: String,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Which addresses are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// `https`, and `http` to a loopback address.
    Secure,
    /// Any `http` as well. Whoever sits between can put keys of their own in the answer.
    Any,
}

impl Transport {
    pub(crate) fn check(self, url: &Url) -> Result<(), FetchError> {
        let fine = match url.scheme() {
            "https" => url.host().is_some(),
            "http" => self == Self::Any || is_loopback(url),
            _ => false,
        };
        // Credentials in an address end in logs, and a user part makes one host look like another.
        if fine && url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        Err(FetchError::Insecure { url: shown(url) })
    }
}

/// RFC 8252 §8.3 has the literal addresses; `localhost` is one by RFC 6761 §6.3.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Gets a document within the limits, whoever implements [`Fetch`].
pub(crate) async fn get(
    fetch: &dyn Fetch,
    transport: Transport,
    request: &FetchRequest,
) -> Result<Fetched, FetchError> {
    transport.check(&request.url)?;
    let url = || shown(&request.url);
    let fetched = tokio::time::timeout(FETCH_TIME, fetch.get(request))
        .await
        .map_err(|_| FetchError::Timeout { url: url() })??;
    match &fetched {
        Fetched::Document { body, .. } if body.len() > request.max_len => {
            Err(FetchError::TooLarge { url: url(), max_len: request.max_len })
        }
        // Nothing was kept, so nothing can be unchanged.
        Fetched::NotModified { .. } if request.etag.is_none() => Err(FetchError::Status { url: url(), status: 304 }),
        _ => Ok(fetched),
    }
}

/// An address without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only an address without a host refuses, and it has no user either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// `max-age` of a `Cache-Control` (RFC 9111 §5.2.2), zero where it says not to keep it; none where it says nothing.
#[must_use]
pub fn max_age(cache_control: &str) -> Option<Duration> {
    let mut age = None;
    for directive in cache_control.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") && age.is_none() {
            // RFC 9111 §4.2.1: what is not a number of seconds is best taken for stale.
            let secs = value.trim().trim_matches('"').parse::<u32>().map_or(0, u64::from);
            age = Some(Duration::from_secs(secs));
        }
    }
    age
}

/// When a document that was fetched at `now` has to be asked for again.
pub(crate) fn fresh_until(now: Timestamp, max_age: Option<Duration>) -> Timestamp {
    now + max_age.unwrap_or(USUAL_FRESHNESS).clamp(LEAST_FRESHNESS, MOST_FRESHNESS)
}

/// How long one fetch may take, from the first octet of the request to the last of the answer.
pub const FETCH_TIME: Duration = Duration::from_secs(5);
/// The longest metadata or key set, in octets: 1 MiB.
pub const MAX_DOCUMENT_LEN: usize = 1024 * 1024;
/// The longest catalogue document, in octets: 10,000 scopes with their texts in two languages have room in 8 MiB.
pub const MAX_CATALOGUE_LEN: usize = 8 * 1024 * 1024;

/// Where an issuer does not say how long its document is fresh.
const USUAL_FRESHNESS: Duration = Duration::from_mins(5);
/// An issuer that says "do not keep it" is not asked at each request all the same.
const LEAST_FRESHNESS: Duration = Duration::from_secs(10);
/// A withdrawn key must be noticed, whatever the issuer says.
const MOST_FRESHNESS: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("an address")
    }

    #[test]
    fn only_https_and_loopback_are_fetched() {
        for good in [
            "https://as.example/x",
            "http://127.0.0.1:5000/",
            "http://127.3.2.1/",
            "http://[::1]:1/",
            "http://localhost/",
        ] {
            assert_eq!(Transport::Secure.check(&url(good)), Ok(()), "{good}");
        }
        for bad in [
            "http://as.example/",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "http://169.254.169.254/",
            "http://0.0.0.0/",
            "http://[::ffff:10.0.0.1]/",
            "file:///etc/passwd",
            "ftp://as.example/",
            "data:application/json,{}",
            "https://user@as.example/",
            "https://user:secret@as.example/",
        ] {
            assert!(Transport::Secure.check(&url(bad)).is_err(), "{bad}");
        }
        assert_eq!(Transport::Any.check(&url("http://as.example/")), Ok(()));
        assert!(Transport::Any.check(&url("file:///etc/passwd")).is_err());
    }

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(shown(&url("https://user:secret@as.example/a?token=secret#x")), "https://as.example/a");
    }

    #[test]
    fn cache_control_is_read_as_rfc_9111_has_it() {
        let secs = |secs| Some(Duration::from_secs(secs));
        for (header, expected) in [
            ("max-age=300", secs(300)),
            ("public, Max-Age=60, must-revalidate", secs(60)),
            ("max-age=\"5\"", secs(5)),
            ("max-age=1, max-age=2", secs(1)),
            ("no-cache", secs(0)),
            ("max-age=300, no-store", secs(0)),
            ("max-age=-1", secs(0)),
            ("max-age=many", secs(0)),
            ("max-age", secs(0)),
            ("public", None),
            ("s-maxage=7", None),
            ("", None),
        ] {
            assert_eq!(max_age(header), expected, "{header}");
        }
    }

    #[test]
    fn freshness_stays_between_its_bounds() {
        let now = Timestamp::from_secs(1000);
        let fresh = |secs: Option<u64>| fresh_until(now, secs.map(Duration::from_secs)).secs() - 1000;
        assert_eq!(fresh(None), 300);
        assert_eq!(fresh(Some(0)), 10);
        assert_eq!(fresh(Some(11)), 11);
        assert_eq!(fresh(Some(1_000_000)), 3600);
    }
}
