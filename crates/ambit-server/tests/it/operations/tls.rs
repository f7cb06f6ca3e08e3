//! TLS by the server itself: the handshake, the files, and their change.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambit_server::config::{Config, File, Sources};
use ambit_server::jobs::{JOBS, attempt};
use ambit_server::listener::tls::Tls;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::running::{HEALTHZ, Running, Wire, soon};

/// A certificate and its key, made for this test, and the files they are in.
struct Files {
    dir: tempfile::TempDir,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let certificate = write(dir.path());
        Self { dir, certificate }
    }

    fn cert(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    fn config(&self) -> String {
        format!("[tls]\ncert = \"{}\"\nkey = \"{}\"\n", self.cert().display(), self.key().display())
    }

    /// Why the server would not start with these files.
    fn fault(&self) -> String {
        let file = File { name: "ambit.toml".to_owned(), text: self.config() };
        let config = Config::load(&Sources { file: Some(file), ..Sources::default() }).expect("a configuration");
        let error = Tls::load(&config.tls).expect_err("files that cannot be used");
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{source}").replace(&self.dir.path().display().to_string(), "DIR")
    }
}

/// Writes a new pair.
fn write(dir: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["as.example".to_owned()]).expect("a certificate");
    std::fs::write(dir.join("cert.pem"), cert.pem()).expect("a file");
    let key = dir.join("key.pem");
    std::fs::write(&key, signing_key.serialize_pem()).expect("a file");
    permit(&key, 0o600);
    cert.der().clone()
}

fn permit(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

/// A handshake by a client that trusts this certificate alone.
async fn handshake(
    server: &Running,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<Wire<TlsStream<TcpStream>>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("as.example").expect("a name");
    let stream = TcpStream::connect(server.address).await.expect("a connection");
    soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.map(Wire)
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let files = Files::new();
    let server = Running::with(&files.config()).await;
    for version in [&TLS12, &TLS13] {
        let mut wire = handshake(&server, &files.certificate, &[version], &[]).await.expect("a handshake");
        assert_eq!(wire.0.get_ref().1.protocol_version(), Some(version.version));
        wire.send(HEALTHZ).await;
        assert_eq!(wire.answer().await.status, 200);
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_on_in_the_handshake() {
    let files = Files::new();
    let server = Running::with(&files.config()).await;
    for (offered, agreed) in [(&["http/1.1", "h2"][..], "h2"), (&["http/1.1"], "http/1.1"), (&["h2"], "h2")] {
        let wire = handshake(&server, &files.certificate, BOTH, offered).await.expect("a handshake");
        assert_eq!(wire.0.get_ref().1.alpn_protocol(), Some(agreed.as_bytes()), "{offered:?}");
    }
    // RFC 7301 §3.2: nothing in common is `no_application_protocol`.
    assert!(handshake(&server, &files.certificate, BOTH, &["ftp"]).await.is_err());

    let pem = std::fs::read(files.cert()).expect("a file");
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("a certificate")])
        .resolve("as.example", server.address)
        .build()
        .expect("a client");
    let url = format!("https://as.example:{}/healthz", server.address.port());
    let answer = client.get(url).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
}

#[tokio::test]
async fn a_handshake_that_stands_still_ends_the_connection() {
    let files = Files::new();
    let limits = "[limits]\ntls_handshake_timeout = \"100 ms\"\nidle_timeout = \"1 h\"\nheader_timeout = \"5 min\"\n";
    let server = Running::with(&(files.config() + limits)).await;
    let mut silent = server.connect().await;
    let mut begun = server.connect().await;
    // The head of a record of a ClientHello that does not come.
    begun.send([22, 3, 1, 2, 0]).await;
    silent.is_ended().await;
    begun.is_ended().await;
    let mut other = handshake(&server, &files.certificate, BOTH, &[]).await.expect("a handshake");
    other.send(HEALTHZ).await;
    assert_eq!(other.answer().await.status, 200);
}

#[tokio::test]
async fn who_speaks_no_tls_gets_nothing() {
    let files = Files::new();
    let server = Running::with(&files.config()).await;
    let mut plain = server.connect().await;
    plain.send(HEALTHZ).await;
    assert!(!String::from_utf8_lossy(&plain.rest().await).contains("HTTP"));
}

#[tokio::test]
async fn handshakes_make_room_and_end_when_the_server_stops() {
    let files = Files::new();
    let server =
        Running::with(&(files.config() + "[limits]\nconnections = 16\ntls_handshake_timeout = \"1 min\"\n")).await;
    let mut silent = vec![];
    for _ in 0..40 {
        silent.push(server.connect().await);
    }
    let mut wire = handshake(&server, &files.certificate, BOTH, &[]).await.expect("a handshake");
    wire.send(HEALTHZ).await;
    assert_eq!(wire.answer().await.status, 200);
    silent[0].is_ended().await;
    let (_fixture, stopped) = server.stop();
    stopped.await;
}

#[tokio::test]
async fn the_job_certificate_presents_a_changed_one_from_then_on_and_connections_go_on() {
    let files = Files::new();
    let server = Running::with(&files.config()).await;
    let app = server.fixture.server.app().clone();
    let mut before = handshake(&server, &files.certificate, BOTH, &[]).await.expect("a handshake");

    let changed = write(files.dir.path());
    let job = JOBS.iter().find(|job| job.name == "certificate").expect("a job of that name");
    attempt(&app, job).await.expect("a good pair");
    before.send(HEALTHZ).await;
    assert_eq!(before.answer().await.status, 200);
    handshake(&server, &changed, BOTH, &[]).await.expect("the new certificate");
    handshake(&server, &files.certificate, BOTH, &[]).await.map(drop).expect_err("the old certificate is gone");
}

#[tokio::test]
async fn a_changed_pair_that_cannot_be_used_is_reported_once_and_the_one_before_goes_on() {
    let files = Files::new();
    let server = Running::with(&files.config()).await;
    let tls = server.fixture.server.app().tls.as_ref().expect("TLS");
    assert!(!tls.refresh().expect("nothing changed"));

    // The certificate was changed, the key is not yet.
    let good = std::fs::read(files.key()).expect("a file");
    let next = write(files.dir.path());
    let next_key = std::fs::read(files.key()).expect("a file");
    std::fs::write(files.key(), &good).expect("a file");
    tls.refresh().expect_err("two that do not belong together");
    assert!(!tls.refresh().expect("reported already"));
    handshake(&server, &files.certificate, BOTH, &[]).await.expect("the certificate before");

    std::fs::remove_file(files.key()).expect("a file");
    tls.refresh().expect_err("no key");
    assert!(!tls.refresh().expect("reported already"));
    handshake(&server, &files.certificate, BOTH, &[]).await.expect("the certificate before");

    std::fs::write(files.key(), &next_key).expect("a file");
    permit(&files.key(), 0o644);
    tls.refresh().expect_err("a key that others may read");
    permit(&files.key(), 0o640);
    assert!(tls.refresh().expect("a good pair"));
    handshake(&server, &next, BOTH, &[]).await.expect("the new certificate");
}

#[test]
fn a_key_that_others_may_use_is_refused() {
    let files = Files::new();
    for mode in [0o644, 0o604, 0o602, 0o601, 0o666] {
        permit(&files.key(), mode);
        let fault = files.fault();
        assert_eq!(fault, format!("tls.key DIR/key.pem: others may use it (mode {mode:03o}): chmod o= it"));
    }
    for mode in [0o600, 0o400, 0o640, 0o660] {
        permit(&files.key(), mode);
        let file = File { name: "ambit.toml".to_owned(), text: files.config() };
        let config = Config::load(&Sources { file: Some(file), ..Sources::default() }).expect("a configuration");
        assert!(Tls::load(&config.tls).expect("files that can be used").is_some(), "{mode:o}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let files = Files::new();
    let (cert, key) = (std::fs::read_to_string(files.cert()).unwrap(), std::fs::read_to_string(files.key()).unwrap());
    let other = KeyPair::generate().expect("a key").serialize_pem();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n".to_owned();
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned();
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let no_key =
        "tls.key DIR/key.pem: there is no private key in it that can be used as it is (an encrypted one cannot)";
    let together = "tls.cert DIR/cert.pem and tls.key DIR/key.pem cannot be used together: ";
    for (cert, key, fault) in [
        (String::new(), key.clone(), "tls.cert DIR/cert.pem: there is no certificate in it"),
        (key.clone(), key.clone(), "tls.cert DIR/cert.pem: there is no certificate in it"),
        (broken, key.clone(), "tls.cert DIR/cert.pem is no PEM: "),
        (nonsense, key.clone(), together),
        (cert.clone(), String::new(), no_key),
        (cert.clone(), cert.clone(), no_key),
        (cert.clone(), encrypted, no_key),
        (cert, other, together),
    ] {
        std::fs::write(files.cert(), cert).unwrap();
        std::fs::write(files.key(), key).unwrap();
        let told = files.fault();
        assert!(told.starts_with(fault), "{told}");
    }
    std::fs::remove_file(files.cert()).unwrap();
    assert!(files.fault().starts_with("tls.cert DIR/cert.pem: "), "{}", files.fault());
}
