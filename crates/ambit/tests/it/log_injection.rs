//! What a caller sends never makes a line of its own in the log, nor moves the cursor of whoever reads it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Node, Setup, folder};

const FORGED: &str =
    "\r\n{\"level\":\"info\",\"message\":\"FORGED\"}\r\n\u{1b}[2J\u{1b}[31mFORGED\u{7}\u{2028}\u{9b}31m";

/// Sends it wherever a caller can put a text.
async fn send_everywhere(node: &Node) {
    let root = node.root().await;
    let long = format!("{FORGED}{}", "x".repeat(20_000));
    for text in [FORGED, &long] {
        let client = Some((text, "secret"));
        let fields = [("grant_type", text), ("scope", text), ("tenant", text), ("client_id", text), (text, text)];
        for path in ["/connect/token", "/connect/introspect", "/connect/revoke", "/connect/explain"] {
            node.try_send(node.form_request(path, client, &fields)).await;
            node.try_send(node.form_request(path, None, &fields)).await;
        }
        node.form(
            "/connect/token",
            ("root", crate::support::ROOT_SECRET),
            &[("grant_type", "client_credentials"), ("scope", text)],
        )
        .await;
        for body in [
            json!({"name": text, "type": text}),
            json!({"name": text, "type": "service", "level": "platform"}),
            json!({text: text}),
        ] {
            for path in ["/applications", "/tenants", "/features", "/scopes", "/explain"] {
                node.admin(&root, Method::POST, path, Some(&body)).await;
            }
        }
        let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).take(400).collect();
        for path in [
            format!("/{escaped}"),
            format!("/tenants/{escaped}/connect/token"),
            format!("/api/v1/admin/applications/{escaped}"),
        ] {
            node.try_send(node.request(Method::GET, &path).bearer_auth(&root)).await;
            node.try_send(node.request(Method::GET, &format!("/healthz?{escaped}"))).await;
        }
        let traced = node
            .request(Method::GET, "/healthz")
            .header("traceparent", "00-\u{e9}\u{1b}")
            .header("user-agent", "\u{e9}");
        node.try_send(traced).await;
    }
    // Octets that no HTTP client would send.
    for head in [
        "GET /\u{1b}[31m HTTP/1.1",
        "GET / HTTP/1.1\r\nx: a\rFORGED",
        "FORGED\u{1b}[2J / HTTP/1.1",
        "\u{1b}[2J\r\nFORGED",
    ] {
        let mut stream = TcpStream::connect(node.url.trim_start_matches("http://")).await.expect("connects");
        stream.write_all(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.expect("is sent");
        let mut answer = vec![];
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    }
}

fn assert_no_control_characters(log: &str) {
    let stray =
        log.chars().find(|character| *character != '\n' && (character.is_control() || *character == '\u{2028}'));
    assert_eq!(stray, None, "a control character is in the log as it was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_the_log_is_one_object_whatever_was_sent() {
    let folder = folder();
    let node = Setup::new(folder.path()).variable("AMBIT_LOG_LEVEL", "trace").start().await;
    send_everywhere(&node).await;
    let log = node.log.clone();
    node.stop().await;
    let log = log.text();
    assert!(log.lines().count() > 50, "the log is hardly talkative");
    for line in log.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object.is_object() && object["message"] != "FORGED", "{line}");
        assert!(line.len() < 32 * 1024, "a line of {} octets", line.len());
    }
    assert_no_control_characters(&log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_for_people_is_anybody_elses() {
    let folder = folder();
    let setup = Setup::new(folder.path()).variable("AMBIT_LOG_LEVEL", "trace").variable("AMBIT_LOG_FORMAT", "text");
    let node = setup.start().await;
    send_everywhere(&node).await;
    let log = node.log.clone();
    node.stop().await;
    let log = log.text();
    assert!(log.lines().count() > 50, "the log is hardly talkative");
    for line in log.lines() {
        // Each begins with its moment.
        assert!(line.starts_with("20") && line.as_bytes()[4] == b'-', "{line}");
    }
    assert_no_control_characters(&log);
}
