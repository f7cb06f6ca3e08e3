//! TLS by the server itself: a certificate and its key from two files, taken anew when they change.
//!
//! One configuration of rustls serves from start to stop; what changes is the certificate that it presents. So connections that
//! stand go on, and the next handshake sees the new one.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::config;

/// A certificate in use, and the files it came from.
#[derive(Debug)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    config: Arc<ServerConfig>,
    presented: Arc<Presented>,
    /// The files as they were when they were looked at last, or why they could not be.
    seen: Mutex<Result<Fingerprint, String>>,
}

/// What a handshake presents.
#[derive(Debug)]
struct Presented(ArcSwap<CertifiedKey>);

/// Why a certificate or its key cannot be used. Names the key of the configuration and the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key} {path}")]
    Unreadable {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner and group can do something with the private key.
    #[error("tls.key {path}: others may use it (mode {mode:03o}): chmod o= it")]
    Exposed {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// There is nothing in it that can be used.
    #[error("{key} {path}: {what}")]
    Empty {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: String,
        /// What is missing.
        what: &'static str,
    },
    /// It is no PEM.
    #[error("{key} {path} is no PEM")]
    Malformed {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate and the key cannot be used together, or at all.
    #[error("tls.cert {cert} and tls.key {key} cannot be used together")]
    Unusable {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
        /// Why.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads what the configuration names; nothing where it names nothing.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(settings: &config::Tls) -> Result<Option<Self>, TlsError> {
        // One without the other is a fault of the configuration.
        let Some((cert, key)) = settings.cert.clone().zip(settings.key.clone()) else { return Ok(None) };
        let files = Files::read(&cert, &key)?;
        let presented = Arc::new(Presented(ArcSwap::from_pointee(files.certified(&cert, &key)?)));
        let provider = Arc::new(default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            // The provider has cipher suites for both.
            .expect("aws-lc-rs speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(presented.clone());
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Some(Self { seen: Mutex::new(Ok(files.fingerprint())), cert, key, config: Arc::new(config), presented }))
    }

    /// Does handshakes, always with the certificate of the moment.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.config.clone().into()
    }

    /// Looks at the files, and presents what is in them from now on if they changed. Says whether they did. What cannot be used
    /// is an error once, and changes nothing.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.cert, &self.key);
        let now = files.as_ref().map(Files::fingerprint).map_err(ToString::to_string);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        self.presented.0.store(Arc::new(files?.certified(&self.cert, &self.key)?));
        Ok(true)
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The two files as they are at one moment.
struct Files {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

type Fingerprint = [u8; 32];

impl Files {
    fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let unreadable = |key, path: &Path| {
            let path = path.display().to_string();
            move |source| TlsError::Unreadable { key, path, source }
        };
        let mut opened = File::open(key).map_err(unreadable(KEY, key))?;
        // Asked of the file that is open, so that nobody puts another in its place in between.
        let mode = opened.metadata().map_err(unreadable(KEY, key))?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(TlsError::Exposed { path: key.display().to_string(), mode });
        }
        let mut key_octets = Zeroizing::new(vec![]);
        opened.read_to_end(&mut key_octets).map_err(unreadable(KEY, key))?;
        Ok(Self { cert: std::fs::read(cert).map_err(unreadable(CERT, cert))?, key: key_octets })
    }

    /// Tells two states of the files apart, and keeps no copy of the key to do so.
    fn fingerprint(&self) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        context.update(&(self.cert.len() as u64).to_be_bytes());
        context.update(&self.cert);
        context.update(&self.key);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }

    fn certified(&self, cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
        let (cert, key) = (cert.display().to_string(), key.display().to_string());
        let chain = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| TlsError::Malformed { key: CERT, path: cert.clone(), source })?;
        if chain.is_empty() {
            return Err(TlsError::Empty { key: CERT, path: cert, what: "there is no certificate in it" });
        }
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| match source {
            rustls::pki_types::pem::Error::NoItemsFound => {
                let what = "there is no private key in it that can be used as it is (an encrypted one cannot)";
                TlsError::Empty { key: KEY, path: key.clone(), what }
            }
            source => TlsError::Malformed { key: KEY, path: key.clone(), source },
        })?;
        CertifiedKey::from_der(chain, private, &default_provider()).map_err(|source| TlsError::Unusable {
            cert,
            key,
            source,
        })
    }
}

/// RFC 7301, as registered for HTTP.
pub(super) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
const CERT: &str = "tls.cert";
const KEY: &str = "tls.key";
/// What others than the owner and the group may do.
const OTHERS: u32 = 0o007;
