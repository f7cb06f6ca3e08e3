//! What every decision needs, at one revision.

use std::sync::Arc;

use ambit_core::governance::catalogue::Catalogue;
use ambit_core::keys::{KeyRing, Vault};
use ambit_core::store::{Filter, RestoreEpoch, Store, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::feature::Feature;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};

use super::{LoadError, load};

/// What every decision needs, at one revision.
#[derive(Debug)]
pub struct Snapshot {
    /// The revision.
    pub revision: u64,
    /// All scopes of all APIs.
    pub catalogue: Arc<Catalogue>,
    /// The features, by key.
    pub features: Arc<Vec<Feature>>,
    /// The keys that sign and verify.
    pub keys: Arc<KeyRing>,
    /// The last restore from a backup.
    pub epoch: Option<RestoreEpoch>,
    jwks: Arc<Document>,
}

/// A document that is the same until the registry changes.
#[derive(Debug)]
pub struct Document {
    /// The octets.
    pub body: Bytes,
    /// Their hash.
    pub etag: HeaderValue,
}

impl Document {
    /// A document and its tag.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Self {
        let hash = digest(&SHA256, &body);
        let hex = hash.as_ref()[..16].iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        // Hexadecimal digits and quotes are good in a header.
        let etag = HeaderValue::try_from(format!("\"{hex:032x}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { body: body.into(), etag }
    }

    /// Whether somebody who asks with these headers has it already. RFC 9110 §13.1.2: "A recipient MUST use the weak comparison
    /// function when comparing entity tags for If-None-Match": a proxy that compresses makes a tag weak.
    #[must_use]
    pub fn is_known(&self, request: &HeaderMap) -> bool {
        let lines = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes())
    }
}

impl Snapshot {
    /// Reads all of it. The revision is read first: the rest is at least as new. What is damaged is left out, but for keys that
    /// the earlier ring has.
    pub(super) async fn load(store: &dyn Store, vault: &Vault, earlier: &KeyRing) -> Result<Self, LoadError> {
        let revision = store.revision().await?;
        let all = Filter::default();
        // A scope that is not in the catalogue is granted to nobody. Without the key that verifies them, good tokens are refused.
        let apis = load::readable(store, &all).await?;
        let scopes = load::readable(store, &all).await?;
        let features = load::readable(store, &all).await?;
        let (keys, damaged) = load::keys(store).await?;
        let (keys, unusable) = KeyRing::open_after(earlier, keys, &damaged, vault)?;
        for error in unusable {
            tracing::error!(%error, "it signs nothing after the next start, unless it is replaced: `ambit keys rotate`");
        }
        let jwks = serde_json::to_vec(keys.published()).map_err(|error| StoreError::Corrupt {
            resource: Resource::Key,
            id: "all".to_owned(),
            source: error.into(),
        })?;
        Ok(Self {
            revision,
            catalogue: Arc::new(Catalogue::new(apis, scopes)),
            features: Arc::new(features),
            keys: Arc::new(keys),
            epoch: store.restore_epoch().await?,
            jwks: Arc::new(Document::new(jwks)),
        })
    }

    /// The same facts at a later revision that changed none of them.
    pub(super) fn at(&self, revision: u64) -> Self {
        Self {
            revision,
            catalogue: self.catalogue.clone(),
            features: self.features.clone(),
            keys: self.keys.clone(),
            epoch: self.epoch,
            jwks: self.jwks.clone(),
        }
    }

    /// The key set, ready to be sent.
    #[must_use]
    pub fn jwks(&self) -> &Document {
        &self.jwks
    }
}
