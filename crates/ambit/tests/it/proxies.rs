//! An environment that would have every program ask a proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambit_protocol::jose::{Algorithm, SigningKey};
use axum::Router;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use crate::nodes::{assertion, unique};
use crate::support::{Setup, ambit, folder};

/// Answers everything with a text, and counts how often.
async fn answering(text: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = hits.clone();
    let router = Router::new().fallback(async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        ([("content-type", "application/json")], text)
    });
    tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    (url, hits)
}

/// attacks.md C13 289: a proxy would look a name up by itself, and connect to whatever it leads to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_fetches_keys_itself_whatever_the_environment_says_of_proxies() {
    let folder = folder();
    let key = SigningKey::generate(Algorithm::Es256).expect("a key");
    let keys = json!({"keys": [key.public_jwk("k1")]}).to_string();
    let (publisher, fetched) = answering(keys.clone()).await;
    let (proxy, asked) = answering(keys).await;
    let proxies = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let environment: Vec<(&str, &str)> =
        proxies.into_iter().map(|name| (name, proxy.as_str())).chain([("NO_PROXY", ""), ("no_proxy", "")]).collect();

    let mut setup = Setup::lasting(folder.path()).arguments(&["--set", "outbound.loopback=true"]);
    for (name, value) in &environment {
        setup = setup.variable(name, value);
    }
    let node = setup.start().await;
    let etl = json!({"name": "Etl", "client_id": "etl", "type": "service", "level": "platform",
        "allowed_scopes": ["tenants:read"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": format!("{publisher}/keys")});
    node.made(Method::POST, "/applications", &etl).await;
    let assertion = assertion(&key, "etl", &unique());
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    let answer = node.send(node.form_request("/connect/token", None, &fields)).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text, node.log.text());
    assert_eq!((fetched.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (1, 0));

    // What heeds the environment does ask it: the same program as a command.
    let client = [("AMBIT_URL", publisher.as_str()), ("AMBIT_CLIENT_ID", "etl"), ("AMBIT_CLIENT_SECRET", "x")];
    ambit(folder.path(), &[&environment[..], &client].concat(), &["app", "list"]).await;
    assert_eq!((fetched.load(Ordering::SeqCst), asked.load(Ordering::SeqCst)), (1, 1));
}
