//! A server over TLS, a person, an API, and the applications that are registered.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use reqwest::{Certificate, Method};
use serde_json::{Value, json};
use std::os::unix::fs::OpenOptionsExt as _;

use super::person::Person;
use crate::support::{Node, Setup, folder};

pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";
pub(crate) const AFTER_LOGOUT: &str = "https://app.example/bye";
pub(crate) const API: &str = "https://orders.example";
/// What the applications ask for, in the order in which it is granted.
pub(crate) const SCOPE: &str = "openid profile email offline_access orders:read";
/// What ID tokens are signed with where an application does not say (OpenID Connect Dynamic Client Registration 1.0 §2).
pub(crate) const DEFAULT_ALGORITHM: &str = "RS256";
pub(crate) const EMAIL: &str = "ada@acme.example";
pub(crate) const PASSWORD: &str = "a horse, a battery and a staple";

/// Everything there is.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Certificate,
    registered: Vec<Registered>,
}

/// An application, and what it was told.
pub(crate) struct Registered {
    pub(crate) issuer: String,
    /// The issuer at which it is not registered.
    pub(crate) other_issuer: String,
    pub(crate) client_id: String,
    /// None of a public client.
    pub(crate) secret: Option<String>,
    /// Who signs in at its issuer: the `sub` to be expected.
    pub(crate) person: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = folder();
        let authority = certify(&folder);
        let setup = Setup::new(folder.path());
        let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
        let node = setup.over_tls(&certificate, &key, authority.clone()).start().await;
        let made = async |path: &str, body: Value| node.made(Method::POST, path, &body).await;
        let tenant = made("/tenants", json!({"name": "Acme", "slug": "acme"})).await["id"].clone();
        let api = made("/apis", json!({"identifier": API, "name": "Orders"})).await["id"].clone();
        let scope = json!({
            "name": "orders:read", "api": api, "kind": "granular", "grants": ["user"],
            "title": {"en": "Read orders"}, "description": {"en": "See what was ordered."},
        });
        made("/scopes", scope).await;

        let (platform, acme) = (node.url.clone(), format!("{}/tenants/acme", node.url));
        let mut registered = vec![];
        for (issuer, other_issuer, level, tenant) in
            [(&platform, &acme, "platform", None), (&acme, &platform, "tenant", Some(&tenant))]
        {
            let person = person(&node, tenant).await;
            for kind in ["web", "spa"] {
                let client_id = format!("{kind}-of-{level}");
                let application = json!({
                    "name": "Shop", "client_id": client_id, "type": kind, "level": level, "tenant_id": tenant,
                    "allowed_scopes": SCOPE.split(' ').collect::<Vec<_>>(), "redirect_uris": [REDIRECT_URI],
                    "post_logout_redirect_uris": [AFTER_LOGOUT],
                });
                let secret = made("/applications", application).await["client_secret"].as_str().map(str::to_owned);
                assert_eq!(secret.is_some(), kind == "web");
                let (issuer, other_issuer, person) = (issuer.clone(), other_issuer.clone(), person.clone());
                registered.push(Registered { issuer, other_issuer, client_id, secret, person });
            }
        }
        let discovery = node.get("/.well-known/openid-configuration").await.json;
        let algorithms = discovery["id_token_signing_alg_values_supported"].as_array().expect("a list");
        assert!(algorithms.contains(&json!(DEFAULT_ALGORITHM)), "{algorithms:?}");
        Self { node, folder, authority, registered }
    }

    /// A confidential and a public one at each issuer.
    pub(crate) fn registered(&self) -> &[Registered] {
        assert_eq!(self.registered.len(), 4);
        &self.registered
    }

    /// Somebody who was never here.
    pub(crate) fn visitor(&self) -> Person {
        Person::new(&self.node.url, Some(self.authority.clone()))
    }

    /// The certificate that libraries are told to trust, as a file.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

/// Somebody of the tenant, or of the platform; their `sub`.
pub(crate) async fn person(node: &Node, tenant: Option<&Value>) -> String {
    let body = json!({
        "tenant_id": tenant, "email": EMAIL, "email_verified": true, "given_name": "Ada", "family_name": "Lovelace",
        "display_name": "Ada Lovelace",
    });
    let made = node.made(Method::POST, "/users", &body).await;
    let id = made["id"].as_str().expect("an identifier").to_owned();
    node.made(Method::PUT, &format!("/users/{id}/password"), &json!({"password": PASSWORD})).await;
    id
}

/// An authority, and a certificate by it for the address that servers of tests listen on.
fn certify(folder: &tempfile::TempDir) -> Certificate {
    let mut params = CertificateParams::new([]).expect("no names");
    // A certificate whose issuer has its own name is taken for one that signed itself.
    params.distinguished_name.push(DnType::CommonName, "The authority of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("authority.pem"), authority.pem()).expect("a file");
    std::fs::write(file("server.pem"), certificate.pem()).expect("a file");
    let private = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file("server.key"));
    std::io::Write::write_all(&mut private.expect("a file"), key.serialize_pem().as_bytes()).expect("written");
    Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate")
}
