//! The keys of an issuer, found and kept fresh: metadata (RFC 8414, OpenID Connect Discovery), then the key set.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::metadata::{AuthorizationServerMetadata, authorization_server_url, openid_configuration_url};
use ambit_protocol::time::Timestamp;
use bytes::Bytes;
use url::Url;

use crate::fetch::{self, Fetch, FetchError, FetchRequest, Fetched, MAX_DOCUMENT_LEN, Transport, shown};
use crate::hooks::{BoxFuture, Keys};
use crate::refresh::{Held, Load, Loaded, Loading, Refreshed};

/// Keys that never change.
#[derive(Debug)]
pub(crate) struct FixedKeys(pub(crate) Arc<VerifyingKeys>);

impl Keys for FixedKeys {
    fn current(&self, _: Timestamp) -> Option<Arc<VerifyingKeys>> {
        Some(Arc::clone(&self.0))
    }
}

/// Keys that are fetched.
impl Keys for Refreshed<KeyLoader> {
    fn current(&self, now: Timestamp) -> Option<Arc<VerifyingKeys>> {
        Refreshed::current(self, now).map(|set| Arc::clone(&set.keys))
    }

    fn refresh(&self) -> BoxFuture<'_, ()> {
        Box::pin(Refreshed::refresh(self))
    }
}

/// Fetches the keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyLoader {
    pub(crate) issuer: String,
    pub(crate) location: Location,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) transport: Transport,
}

/// Where the key set is.
#[derive(Debug)]
pub(crate) enum Location {
    /// Here.
    Given(Url),
    /// Where the issuer's metadata says; what it said last.
    Discovered(Mutex<Option<Found>>),
}

#[derive(Debug, Clone)]
pub(crate) struct Found {
    url: Url,
    at: Timestamp,
}

/// A key set, and the text it was read from.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Arc<VerifyingKeys>,
    body: Bytes,
}

impl Load for KeyLoader {
    type Value = KeySet;

    const WHAT: &'static str = "signing keys";

    fn load(&self, held: Option<Arc<Held<KeySet>>>, now: Timestamp) -> BoxFuture<'_, Loading<KeySet>> {
        Box::pin(async move {
            let url = self.url(now).await?;
            let loaded = self.key_set(url, held).await;
            if loaded.is_err() {
                self.forget();
            }
            loaded
        })
    }
}

impl KeyLoader {
    async fn key_set(&self, url: Url, held: Option<Arc<Held<KeySet>>>) -> Loading<KeySet> {
        let etag = held.as_ref().and_then(|held| held.etag.clone());
        let request = FetchRequest { url, etag, max_len: MAX_DOCUMENT_LEN };
        match (fetch::get(&*self.fetch, self.transport, &request).await?, held) {
            (Fetched::NotModified { max_age }, Some(held)) => {
                Ok(Loaded { value: Arc::clone(&held.value), etag: held.etag.clone(), max_age })
            }
            // Tokens that were verified need not be verified again for a set that says the same.
            (Fetched::Document { body, etag, max_age }, Some(held)) if body == held.value.body => {
                Ok(Loaded { value: Arc::clone(&held.value), etag, max_age })
            }
            (Fetched::Document { body, etag, max_age }, _) => {
                let (keys, passed_over) = VerifyingKeys::from_published(&body).map_err(|error| {
                    FetchError::Content { url: shown(&request.url), what: "JWK Set", reason: error.to_string() }
                })?;
                for error in passed_over {
                    tracing::debug!(issuer = self.issuer, %error, "a published key is of no use here");
                }
                if keys.is_empty() {
                    tracing::warn!(issuer = self.issuer, "the issuer publishes no key that is of use here");
                }
                Ok(Loaded { value: Arc::new(KeySet { keys: Arc::new(keys), body }), etag, max_age })
            }
            (Fetched::NotModified { .. }, None) => Err(FetchError::Status { url: shown(&request.url), status: 304 }),
        }
    }

    /// Where the key set is; asks the issuer where nobody said, and asks again from time to time.
    async fn url(&self, now: Timestamp) -> Result<Url, FetchError> {
        let found = match &self.location {
            Location::Given(url) => return Ok(url.clone()),
            Location::Discovered(found) => found,
        };
        let known = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.at <= now && now < known.at + DISCOVERED_FOR) {
            return Ok(known.url);
        }
        let url = self.discover().await?;
        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(Found { url: url.clone(), at: now });
        Ok(url)
    }

    fn forget(&self) {
        if let Location::Discovered(found) = &self.location {
            *found.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    async fn discover(&self) -> Result<Url, FetchError> {
        let mut first_error = None;
        // Our own servers have both; others have at least the second.
        for url in [authorization_server_url(&self.issuer), openid_configuration_url(&self.issuer)] {
            // The issuer was an address when it was set up, and stays one with a longer path.
            let Ok(url) = Url::parse(&url) else { continue };
            match self.metadata(url).await {
                Ok(url) => return Ok(url),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| FetchError::Insecure { url: self.issuer.clone() }))
    }

    async fn metadata(&self, url: Url) -> Result<Url, FetchError> {
        let request = FetchRequest { url, etag: None, max_len: MAX_DOCUMENT_LEN };
        let fault = |reason: String| FetchError::Content { url: shown(&request.url), what: "metadata", reason };
        let body = match fetch::get(&*self.fetch, self.transport, &request).await? {
            Fetched::Document { body, .. } => body,
            Fetched::NotModified { .. } => return Err(fault("304 for a first request".to_owned())),
        };
        // RFC 8414 §3.3: the document of another issuer is not used.
        let metadata =
            AuthorizationServerMetadata::parse(&body, &self.issuer).map_err(|error| fault(error.to_string()))?;
        let jwks_uri = metadata.jwks_uri.ok_or_else(|| fault("it has no 'jwks_uri'".to_owned()))?;
        let jwks_uri = Url::parse(&jwks_uri).map_err(|error| fault(format!("jwks_uri: {error}")))?;
        self.transport.check(&jwks_uri)?;
        // Metadata that came over TLS must not lead to keys that do not.
        if request.url.scheme() == "https" && jwks_uri.scheme() != "https" && self.transport == Transport::Secure {
            return Err(FetchError::Insecure { url: shown(&jwks_uri) });
        }
        Ok(jwks_uri)
    }
}

/// How long the address of a key set is believed.
const DISCOVERED_FOR: Duration = Duration::from_hours(1);
