//! The keys of clients that are registered with a `jwks_uri`.
//!
//! 1. A key set is kept as long as it is fresh, used a little longer while it is fetched anew behind the answer, and as long as
//!    two hours where it cannot be fetched ([`Refreshed`]). So who asks waits for a fetch only where nothing is at hand.
//! 2. One fetch at a time for one address, and none within ten seconds of the one before, failed or not: neither a
//!    client whose keys are away nor a stream of unknown `kid`s makes us knock more often.
//!
//! What comes back is said to nobody: a client whose keys cannot be had is answered as one with the wrong key. Only the time of
//! a first fetch can be seen from outside, by whoever names a client whose keys nobody asked for of late.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambit_core::client_auth::PublishedKeys;
use ambit_core::time::Clock;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::outbound_uri::OutboundUri;
use ambit_protocol::time::Timestamp;
use ambit_resource_server::BoxFuture;
use ambit_resource_server::fetch::{Fetch as _, FetchError, FetchRequest, Fetched, HttpClient};
use ambit_resource_server::refresh::{Held, Load, Loaded, Loading, Policy, Refreshed};
use async_trait::async_trait;
use tokio::sync::{OnceCell, Semaphore};

use super::{Guard, shown};
use crate::config::Outbound;

/// The key sets of clients that publish them, by address.
pub struct KeySets {
    sets: quick_cache::sync::Cache<OutboundUri, Refreshed<KeySet>>,
    fetcher: Arc<Fetcher>,
    clock: Arc<dyn Clock>,
}

impl KeySets {
    /// With the limits of the configuration. Nothing is fetched yet.
    #[must_use]
    pub(crate) fn new(config: &Outbound, guard: Arc<Guard>, clock: Arc<dyn Clock>) -> Self {
        let fetcher = Fetcher {
            http: OnceCell::new(),
            places: Semaphore::new(FETCHES_AT_ONCE),
            guard,
            timeout: config.timeout,
            max_len: config.body_bytes.get(),
            counts: Fetches::default(),
        };
        Self { sets: quick_cache::sync::Cache::new(KEY_SETS), fetcher: Arc::new(fetcher), clock }
    }

    /// How fetches ended since the start.
    #[must_use]
    pub fn fetches(&self) -> &Fetches {
        &self.fetcher.counts
    }

    fn set(&self, uri: &OutboundUri) -> Refreshed<KeySet> {
        let Ok(set) = self.sets.get_or_insert_with(uri, || {
            let clock = self.clock.clone();
            let set = KeySet { uri: uri.clone(), fetcher: self.fetcher.clone() };
            Ok::<_, Infallible>(Refreshed::new(set, POLICY, ambit_resource_server::Clock::new(move || clock.now())))
        });
        set
    }
}

#[async_trait]
impl PublishedKeys for KeySets {
    async fn current(&self, uri: &OutboundUri) -> Option<Arc<VerifyingKeys>> {
        let set = self.set(uri);
        if let Some(keys) = set.current(self.clock.now()) {
            return Some(keys);
        }
        set.refresh().await;
        set.current(self.clock.now())
    }

    async fn newer_than(&self, known: &Arc<VerifyingKeys>, uri: &OutboundUri) -> Option<Arc<VerifyingKeys>> {
        let set = self.set(uri);
        set.refresh().await;
        set.current(self.clock.now()).filter(|keys| !Arc::ptr_eq(keys, known))
    }
}

impl std::fmt::Debug for KeySets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySets").field("count", &self.sets.len()).finish_non_exhaustive()
    }
}

/// How fetches ended.
#[derive(Debug, Default)]
pub struct Fetches {
    /// With the keys.
    pub fetched: AtomicU64,
    /// Without.
    pub failed: AtomicU64,
}

/// One key set, as it is had.
#[derive(Debug)]
struct KeySet {
    uri: OutboundUri,
    fetcher: Arc<Fetcher>,
}

impl Load for KeySet {
    type Value = VerifyingKeys;

    const WHAT: &'static str = "a client's keys";

    fn load(&self, held: Option<Arc<Held<VerifyingKeys>>>, _now: Timestamp) -> BoxFuture<'_, Loading<VerifyingKeys>> {
        Box::pin(async move {
            let loaded = self.fetcher.key_set(&self.uri, held).await;
            let counts = &self.fetcher.counts;
            if loaded.is_ok() { &counts.fetched } else { &counts.failed }.fetch_add(1, Ordering::Relaxed);
            loaded
        })
    }
}

/// Fetches within the limits.
struct Fetcher {
    /// Made when it is first needed: reading the machine's certificates takes longer than all else at the start.
    http: OnceCell<HttpClient>,
    places: Semaphore,
    guard: Arc<Guard>,
    timeout: Duration,
    max_len: usize,
    counts: Fetches,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Fetcher {
    async fn key_set(&self, uri: &OutboundUri, held: Option<Arc<Held<VerifyingKeys>>>) -> Loading<VerifyingKeys> {
        self.guard.check(uri).map_err(|reason| unreachable(uri, reason))?;
        let etag = held.as_ref().and_then(|held| held.etag.clone());
        let request = FetchRequest { url: uri.url().clone(), etag, max_len: self.max_len };
        let fetched = tokio::time::timeout(self.timeout, self.fetch(uri, &request))
            .await
            .map_err(|_| unreachable(uri, "it takes too long"))??;
        match (fetched, held) {
            (Fetched::NotModified { max_age }, Some(held)) => {
                Ok(Loaded { value: held.value.clone(), etag: held.etag.clone(), max_age })
            }
            (Fetched::NotModified { .. }, None) => Err(FetchError::Status { url: shown(uri), status: 304 }),
            (Fetched::Document { body, etag, max_age }, _) => {
                let content = |reason| FetchError::Content { url: shown(uri), what: "JWK Set of a client", reason };
                let (keys, passed_over) =
                    VerifyingKeys::from_published(&body).map_err(|error| content(error.to_string()))?;
                for error in &passed_over {
                    tracing::debug!(uri = shown(uri), %error, "a published key is of no use here");
                }
                if keys.is_empty() {
                    let first = passed_over.first().map_or_else(|| "it is empty".to_owned(), ToString::to_string);
                    return Err(content(format!("none of its keys is of use: {first}")));
                }
                Ok(Loaded { value: Arc::new(keys), etag, max_age })
            }
        }
    }

    async fn fetch(&self, uri: &OutboundUri, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let http = self.http.get_or_try_init(|| self.client()).await.map_err(|error| unreachable(uri, &error))?;
        let _place = self.places.acquire().await.map_err(|closed| unreachable(uri, &closed.to_string()))?;
        http.get(request).await
    }

    async fn client(&self) -> Result<HttpClient, String> {
        let builder = self.guard.client();
        let made = tokio::task::spawn_blocking(move || HttpClient::with(builder));
        made.await.map_err(|panicked| panicked.to_string())?
    }
}

fn unreachable(uri: &OutboundUri, reason: &str) -> FetchError {
    FetchError::Unreachable { url: shown(uri), reason: reason.to_owned() }
}

/// How long a key set lasts, beside what its publisher says: at least ten seconds, at most an hour.
const POLICY: Policy = Policy {
    // A client that signs with a new key is served no later than this.
    min_interval: Duration::from_secs(10),
    revalidate: Duration::from_mins(10),
    max_age: Duration::from_hours(2),
};
/// Key sets in memory. One that goes is fetched again when it is asked for.
const KEY_SETS: usize = 10_000;
/// Fetches at work at once.
const FETCHES_AT_ONCE: usize = 32;

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::net::TcpListener;

    use super::super::tests::{Answers, guard};
    use super::*;

    fn fetcher(lookup: &Arc<Answers>, loopback: bool) -> Fetcher {
        Fetcher {
            http: OnceCell::new(),
            places: Semaphore::new(FETCHES_AT_ONCE),
            guard: guard(lookup.clone(), loopback, &[]),
            timeout: Duration::from_secs(2),
            max_len: 1024,
            counts: Fetches::default(),
        }
    }

    #[tokio::test]
    async fn the_connection_goes_to_the_address_that_was_looked_at() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let uri: OutboundUri = format!("https://keys.example:{port}/jwks").parse().expect("a jwks_uri");
        // One lookup and one connection to what it said: were the name looked up again, 192.0.2.1 would be the answer.
        let lookup = Answers::new(&["127.0.0.1", "192.0.2.1"]);
        let allowed = fetcher(&lookup, true);
        let (fetched, accepted) = tokio::join!(allowed.key_set(&uri, None), async {
            // Accepted, and closed again: what comes is a TLS greeting.
            listener.accept().await.map(drop)
        });
        assert!(accepted.is_ok() && fetched.is_err());
        assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);

        let refused = fetcher(&Answers::new(&["127.0.0.1"]), false);
        assert!(matches!(refused.key_set(&uri, None).await, Err(FetchError::Unreachable { .. })));
        let nobody_came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody_came.is_err(), "a connection was made to an address that may not be reached");
    }

    #[tokio::test]
    async fn what_was_registered_while_the_switch_was_on_is_not_fetched_once_it_is_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri: OutboundUri =
            format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a jwks_uri");
        let fetcher = fetcher(&Answers::new(&["127.0.0.1"]), false);
        assert!(matches!(fetcher.key_set(&uri, None).await, Err(FetchError::Unreachable { .. })));
        assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err());
    }
}
