//! What bundles include, from the catalogue document of an issuer.

use std::collections::HashMap;
use std::sync::Arc;

use ambit_protocol::catalogue::CatalogueDocument;
use ambit_protocol::time::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use crate::carried::Carried;
use crate::fetch::{self, Fetch, FetchError, FetchRequest, Fetched, MAX_CATALOGUE_LEN, Transport, shown};
use crate::hooks::{BoxFuture, Bundles, Implied};
use crate::refresh::{Held, Load, Loaded, Loading, Refreshed};

/// No bundles: a scope is carried or it is not held.
#[derive(Debug)]
pub(crate) struct NoBundles;

impl Bundles for NoBundles {
    fn implies(&self, _: Carried<'_>, _: &str, _: Timestamp) -> Implied {
        Implied::No
    }
}

/// For each scope that no feature gates, the coarse scopes that include it.
#[derive(Debug, Default)]
pub(crate) struct BundleIndex(HashMap<Box<str>, Vec<Arc<str>>>);

impl BundleIndex {
    pub(crate) fn is_implied(&self, carried: Carried<'_>, scope: &str) -> bool {
        self.0.get(scope).is_some_and(|bundles| bundles.iter().any(|bundle| carried.contains(bundle)))
    }

    fn new(entries: &[Entry]) -> Self {
        let mut index: HashMap<Box<str>, Vec<Arc<str>>> =
            entries.iter().map(|entry| (entry.name.as_str().into(), Vec::new())).collect();
        for bundle in entries.iter().filter(|entry| !entry.includes.is_empty()) {
            let name: Arc<str> = bundle.name.as_str().into();
            for member in &bundle.includes {
                // A member without an entry of its own may be gated, for all we know: it is not implied.
                if let Some(bundles) = index.get_mut(member.as_str()) {
                    bundles.push(Arc::clone(&name));
                }
            }
        }
        // scopes.md §2: "a gated scope is never implied by a bundle".
        for gated in entries.iter().filter(|entry| entry.feature.is_some()) {
            index.remove(gated.name.as_str());
        }
        index.retain(|_, bundles| !bundles.is_empty());
        Self(index)
    }
}

impl Bundles for BundleIndex {
    fn implies(&self, carried: Carried<'_>, scope: &str, _: Timestamp) -> Implied {
        if self.is_implied(carried, scope) { Implied::Yes } else { Implied::No }
    }
}

impl From<&CatalogueDocument> for BundleIndex {
    fn from(document: &CatalogueDocument) -> Self {
        let entry = |scope: &ambit_protocol::catalogue::CatalogueScope| Entry {
            name: scope.name.to_string(),
            includes: scope.includes.iter().map(ToString::to_string).collect(),
            feature: scope.feature.as_ref().map(|_| IgnoredAny),
        };
        Self::new(&document.scopes.iter().map(entry).collect::<Vec<_>>())
    }
}

/// Bundles that are fetched.
impl Bundles for Refreshed<CatalogueLoader> {
    fn implies(&self, carried: Carried<'_>, scope: &str, now: Timestamp) -> Implied {
        match self.current(now) {
            None => Implied::Unknown,
            Some(index) if index.is_implied(carried, scope) => Implied::Yes,
            Some(_) => Implied::No,
        }
    }

    fn refresh(&self) -> BoxFuture<'_, ()> {
        Box::pin(Refreshed::refresh(self))
    }
}

/// Fetches the catalogue document of one issuer.
#[derive(Debug)]
pub(crate) struct CatalogueLoader {
    pub(crate) issuer: String,
    pub(crate) url: Url,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) transport: Transport,
}

impl Load for CatalogueLoader {
    type Value = BundleIndex;

    const WHAT: &'static str = "scope catalogue";

    fn load(&self, held: Option<Arc<Held<BundleIndex>>>, _: Timestamp) -> BoxFuture<'_, Loading<BundleIndex>> {
        Box::pin(async move {
            let etag = held.as_ref().and_then(|held| held.etag.clone());
            let request = FetchRequest { url: self.url.clone(), etag, max_len: MAX_CATALOGUE_LEN };
            match (fetch::get(&*self.fetch, self.transport, &request).await, held) {
                (Ok(Fetched::NotModified { max_age }), Some(held)) => {
                    Ok(Loaded { value: Arc::clone(&held.value), etag: held.etag.clone(), max_age })
                }
                (Ok(Fetched::NotModified { .. }), None) => {
                    Err(FetchError::Status { url: shown(&request.url), status: 304 })
                }
                (Ok(Fetched::Document { body, etag, max_age }), _) => {
                    let value = Arc::new(self.read(&body)?);
                    Ok(Loaded { value, etag, max_age })
                }
                // An issuer that never had a catalogue has no bundles; one that had is in trouble.
                (Err(FetchError::Status { status: 404, .. }), None) => {
                    tracing::info!(issuer = self.issuer, "the issuer has no scope catalogue: bundles are not expanded");
                    Ok(Loaded { value: Arc::default(), etag: None, max_age: None })
                }
                (Err(error), _) => Err(error),
            }
        })
    }
}

impl CatalogueLoader {
    fn read(&self, body: &[u8]) -> Result<BundleIndex, FetchError> {
        let fault = |reason: String| FetchError::Content { url: shown(&self.url), what: "scope catalogue", reason };
        let document: Document = serde_json::from_slice(body).map_err(|error| fault(error.to_string()))?;
        if document.issuer != self.issuer {
            return Err(fault("its issuer is another one".to_owned()));
        }
        Ok(BundleIndex::new(&document.scopes))
    }
}

/// The catalogue document, as much of it as says what is implied: titles and kinds of a later version do not matter.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    scopes: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    includes: Vec<String>,
    /// Whatever it is, it gates.
    #[serde(default)]
    feature: Option<IgnoredAny>,
}
