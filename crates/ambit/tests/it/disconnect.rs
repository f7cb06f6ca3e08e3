//! Clients that hang up while their change is being made: it is made whole or not at all, and nobody waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Node, Setup, folder};

/// Sends a whole request, waits a moment and hangs up.
async fn hang_up(node: &Node, token: &str, client_id: &str, wait: Duration) {
    let address = node.url.trim_start_matches("http://");
    let body = json!({"name": "Gone", "client_id": client_id, "type": "service", "level": "platform",
        "allowed_scopes": ["tenants:read"]})
    .to_string();
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!(
        "POST /api/v1/admin/applications HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: {client_id}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("is sent");
    tokio::time::sleep(wait).await;
    // Whoever hangs up does so whether an answer is on its way or not.
    drop(stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_client_hangs_up_is_made_whole_or_not_at_all() {
    let folder = folder();
    let node = Setup::new(folder.path()).start().await;
    let token = node.root().await;
    let names: Vec<String> = (0..120).map(|n| format!("gone-{n}")).collect();
    for group in names.chunks(6) {
        let waits = group.iter().zip([0, 200, 1000, 5000, 25_000, 120_000]);
        let calls = waits.map(|(name, micros)| hang_up(&node, &token, name, Duration::from_micros(micros)));
        futures_util::future::join_all(calls).await;
    }
    // Nobody holds the registry: the next change is made at once.
    let before = tokio::time::timeout(Duration::from_secs(5), node.service("after", &["tenants:read"])).await;
    before.expect("the registry is free");

    let there: BTreeSet<String> = node
        .list("/applications")
        .await
        .iter()
        .filter_map(|it| it["client_id"].as_str().filter(|id| id.starts_with("gone-")).map(str::to_owned))
        .collect();
    // An application and its secret are one change: each revision of the audit trail has both.
    let mut made: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut logged = BTreeSet::new();
    for change in node.list("/audit").await {
        if change["actor"] == "client:root" {
            let resource = change["resource"].as_str().expect("a kind").to_owned();
            made.entry(change["revision"].as_u64().expect("a number")).or_default().push(resource);
            logged
                .extend(change["after"]["client_id"].as_str().filter(|id| id.starts_with("gone-")).map(str::to_owned));
        }
    }
    for (revision, resources) in &mut made {
        resources.sort_unstable();
        assert_eq!(*resources, ["application", "secret"], "revision {revision}");
    }
    assert_eq!(there, logged);
    assert!(there.len() < names.len(), "nobody hung up in time, and nothing was shown");
    assert!(!there.is_empty(), "everybody hung up before anything was done, and nothing was shown");

    // Whoever asks again with the same key gets one application, whether the first attempt was made or not.
    for name in names.iter().step_by(7) {
        let body = json!({"name": "Gone", "client_id": name, "type": "service", "level": "platform",
            "allowed_scopes": ["tenants:read"]});
        let again =
            node.admin_request(&token, Method::POST, "/applications", Some(&body)).header("idempotency-key", name);
        let again = node.send(again).await;
        assert_eq!(again.status, 201, "{name}: {}", again.text);
        assert_eq!(again.header("idempotent-replayed") == "true", there.contains(name), "{name}");
        let secret = again.json["client_secret"].as_str().expect("a secret");
        assert_eq!(node.token((name, secret), &[]).await.status, 200);
    }
}
