//! An issuer whose tokens an API accepts, and where its keys and bundles come from.

use std::fmt;
use std::sync::Arc;

use ambit_protocol::admin::text::Slug;
use ambit_protocol::catalogue::{CatalogueDocument, WELL_KNOWN_PATH};
use ambit_protocol::jose::{JwkSet, VerifyingKeys};
use ambit_protocol::resource::ResourceIndicator;
use url::Url;

use crate::bundles::{BundleIndex, CatalogueLoader, NoBundles};
use crate::fetch::{Fetch, Transport};
use crate::hooks::{Bundles, Clock, Keys};
use crate::keys::{FixedKeys, KeyLoader, Location};
use crate::refresh::{Policy, Refreshed};
use crate::verify::BuildError;

/// An issuer whose tokens are accepted.
///
/// Its name is compared with a token's `iss` octet by octet: a slash too many, another case or a longer path is another
/// issuer. Tokens of one issuer are never verified with the keys of another one.
///
/// ```
/// use ambit_resource_server::{Issuer, TokenVerifier};
///
/// let verifier = TokenVerifier::builder()
///     // The platform, and every tenant of it: `https://as.example/tenants/{slug}`.
///     .issuer(Issuer::new("https://as.example").with_tenants())
///     // A server that is none of ours: no catalogue, so scopes are compared as they are.
///     .issuer(Issuer::new("https://login.example/realms/shop").without_catalogue())
///     .build()?;
/// # Ok::<(), ambit_resource_server::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Issuer {
    name: String,
    accepts: Accepts,
    keys: KeysFrom,
    bundles: BundlesFrom,
}

/// Which values of `iss` are accepted.
#[derive(Clone)]
pub(crate) enum Accepts {
    Exactly,
    WithTenants,
    Where(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

#[derive(Clone)]
enum KeysFrom {
    Discovery,
    Uri(String),
    Set(JwkSet),
    Own(Arc<dyn Keys>),
}

#[derive(Clone)]
enum BundlesFrom {
    WellKnown,
    Uri(String),
    Document(Box<CatalogueDocument>),
    Own(Arc<dyn Bundles>),
    None,
}

/// An issuer, ready to verify its tokens.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) name: String,
    accepts: Accepts,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) bundles: Arc<dyn Bundles>,
}

/// What fetching needs.
pub(crate) struct Fetching<'a> {
    pub(crate) fetch: &'a dyn Fn() -> Result<Arc<dyn Fetch>, BuildError>,
    pub(crate) transport: Transport,
    pub(crate) policy: Policy,
    pub(crate) clock: &'a Clock,
}

impl Issuer {
    /// An issuer, by its identifier exactly as tokens have it in `iss`. Keys are found through its metadata (RFC 8414, or
    /// OpenID Connect Discovery), bundles through its catalogue document.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            accepts: Accepts::Exactly,
            keys: KeysFrom::Discovery,
            bundles: BundlesFrom::WellKnown,
        }
    }

    /// Accepts its tenants as well: `{issuer}/tenants/{slug}`, one path segment and nothing behind it. An authorization
    /// server of this product signs for its tenants with the same keys.
    ///
    /// Leave it out where an API belongs to one tenant: its issuer is the tenant's then, and tokens of the others are
    /// refused.
    #[must_use]
    pub fn with_tenants(mut self) -> Self {
        self.accepts = Accepts::WithTenants;
        self
    }

    /// Accepts the issuers that the function knows. The keys verify the tokens of all of them, so they must be in one hand.
    ///
    /// The function sees an `iss` whose signature was verified, at the first use of a token; compare it as a whole, never
    /// by how it begins.
    #[must_use]
    pub fn accepting(mut self, accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.accepts = Accepts::Where(Arc::new(accepts));
        self
    }

    /// Fetches the keys from here; no discovery.
    #[must_use]
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.keys = KeysFrom::Uri(uri.into());
        self
    }

    /// Uses these keys and never fetches any.
    #[must_use]
    pub fn jwks(mut self, keys: JwkSet) -> Self {
        self.keys = KeysFrom::Set(keys);
        self
    }

    /// Takes the keys from the embedding program.
    #[must_use]
    pub fn keys(mut self, keys: impl Keys + 'static) -> Self {
        self.keys = KeysFrom::Own(Arc::new(keys));
        self
    }

    /// Fetches the catalogue document from here.
    #[must_use]
    pub fn catalogue_uri(mut self, uri: impl Into<String>) -> Self {
        self.bundles = BundlesFrom::Uri(uri.into());
        self
    }

    /// Uses this catalogue document and never fetches any.
    #[must_use]
    pub fn catalogue(mut self, document: CatalogueDocument) -> Self {
        self.bundles = BundlesFrom::Document(Box::new(document));
        self
    }

    /// Takes the bundles from the embedding program.
    #[must_use]
    pub fn bundles(mut self, bundles: impl Bundles + 'static) -> Self {
        self.bundles = BundlesFrom::Own(Arc::new(bundles));
        self
    }

    /// Expands no bundles: a token holds the scopes that it carries.
    #[must_use]
    pub fn without_catalogue(mut self) -> Self {
        self.bundles = BundlesFrom::None;
        self
    }

    pub(crate) fn trust(self, fetching: &Fetching<'_>) -> Result<Trusted, BuildError> {
        let url = self.check_name(fetching.transport)?;
        let issuer_fault = |reason: String| BuildError::Issuer { issuer: self.name.clone(), reason };
        let address = |text: &str| {
            let url = Url::parse(text).map_err(|error| issuer_fault(format!("{text}: {error}")))?;
            fetching.transport.check(&url).map_err(|error| issuer_fault(error.to_string()))?;
            Ok::<_, BuildError>(url)
        };
        let fetched_keys = |location: Location| {
            // The address of the metadata is made of the issuer's name.
            if matches!(location, Location::Discovered(_)) {
                fetching.transport.check(&url).map_err(|error| issuer_fault(error.to_string()))?;
            }
            let loader = KeyLoader {
                issuer: self.name.clone(),
                location,
                fetch: (fetching.fetch)()?,
                transport: fetching.transport,
            };
            Ok::<_, BuildError>(
                Arc::new(Refreshed::new(loader, fetching.policy, fetching.clock.clone())) as Arc<dyn Keys>
            )
        };
        let fetched_bundles = |url: Url| {
            let loader = CatalogueLoader {
                issuer: self.name.clone(),
                url,
                fetch: (fetching.fetch)()?,
                transport: fetching.transport,
            };
            Ok::<_, BuildError>(
                Arc::new(Refreshed::new(loader, fetching.policy, fetching.clock.clone())) as Arc<dyn Bundles>
            )
        };
        let keys = match &self.keys {
            KeysFrom::Discovery => fetched_keys(Location::Discovered(std::sync::Mutex::default()))?,
            KeysFrom::Uri(uri) => fetched_keys(Location::Given(address(uri)?))?,
            KeysFrom::Set(set) => {
                let keys = VerifyingKeys::new(set).map_err(|error| issuer_fault(error.to_string()))?;
                Arc::new(FixedKeys(Arc::new(keys)))
            }
            KeysFrom::Own(keys) => Arc::clone(keys),
        };
        let bundles = match &self.bundles {
            BundlesFrom::WellKnown => {
                fetched_bundles(address(&format!("{}{WELL_KNOWN_PATH}", self.name.trim_end_matches('/')))?)?
            }
            BundlesFrom::Uri(uri) => fetched_bundles(address(uri)?)?,
            BundlesFrom::Document(document) => Arc::new(BundleIndex::from(&**document)),
            BundlesFrom::Own(bundles) => Arc::clone(bundles),
            BundlesFrom::None => Arc::new(NoBundles),
        };
        Ok(Trusted { name: self.name, accepts: self.accepts, keys, bundles })
    }

    /// RFC 8414 §2: a URL without query and fragment.
    fn check_name(&self, transport: Transport) -> Result<Url, BuildError> {
        let fault = |reason: &str| BuildError::Issuer { issuer: self.name.clone(), reason: reason.to_owned() };
        self.name.parse::<ResourceIndicator>().map_err(|error| fault(&error.to_string()))?;
        let url = Url::parse(&self.name).map_err(|error| fault(&error.to_string()))?;
        if url.query().is_some() {
            return Err(fault("an issuer has no query (RFC 8414 section 2)"));
        }
        if transport == Transport::Secure && !matches!(url.scheme(), "https" | "http") {
            return Err(fault("an issuer is an https address (RFC 8414 section 2)"));
        }
        Ok(url)
    }
}

impl From<&str> for Issuer {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Issuer {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).field("accepts", &self.accepts).finish_non_exhaustive()
    }
}

impl Trusted {
    /// Whether an `iss` is this issuer's, or one of those it speaks for.
    pub(crate) fn accepts(&self, iss: &str) -> bool {
        match &self.accepts {
            Accepts::Exactly => iss == self.name,
            Accepts::WithTenants => iss == self.name || tenant_of(iss, &self.name).is_some(),
            Accepts::Where(accepts) => accepts(iss),
        }
    }
}

impl fmt::Debug for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exactly => "Exactly",
            Self::WithTenants => "WithTenants",
            Self::Where(_) => "Where(..)",
        })
    }
}

/// The slug in `{base}/tenants/{slug}`, if that is what `iss` is, to the last octet.
fn tenant_of<'a>(iss: &'a str, base: &str) -> Option<&'a str> {
    let slug = iss.strip_prefix(base)?.strip_prefix("/tenants/")?;
    slug.parse::<Slug>().is_ok().then_some(slug)
}

/// The address below which a server of this product has its pages: the issuer, or the platform of a tenant's issuer.
pub(crate) fn base_of(issuer: &str) -> &str {
    match issuer.rsplit_once("/tenants/") {
        Some((base, slug)) if slug.parse::<Slug>().is_ok() => base,
        _ => issuer.trim_end_matches('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_issuer_is_compared_to_its_last_octet() {
        let base = "https://as.example";
        assert_eq!(tenant_of("https://as.example/tenants/a", base), Some("a"));
        for other in [
            "https://as.example",
            "https://as.example/",
            "https://as.example/tenants",
            "https://as.example/tenants/",
            "https://as.example/tenants/a/",
            "https://as.example/tenants/a/b",
            "https://as.example/tenants/a/tenants/b",
            "https://as.example/tenants/a?x",
            "https://as.example/tenants/a#x",
            "https://as.example/tenants/..",
            "https://as.example/tenants/%61",
            "https://as.example/tenants/A",
            "https://as.example/Tenants/a",
            "https://as.example.evil/tenants/a",
            "https://AS.example/tenants/a",
            "http://as.example/tenants/a",
            "https://as.example/x/tenants/a",
        ] {
            assert_eq!(tenant_of(other, base), None, "{other}");
        }
    }

    #[test]
    fn pages_are_below_the_platform() {
        assert_eq!(base_of("https://as.example"), "https://as.example");
        assert_eq!(base_of("https://as.example/"), "https://as.example");
        assert_eq!(base_of("https://as.example/auth/tenants/a"), "https://as.example/auth");
        assert_eq!(base_of("https://as.example/tenants/a/b"), "https://as.example/tenants/a/b");
    }
}
