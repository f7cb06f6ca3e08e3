//! The head of a request: how long it may take, how large it may be, and what it may not decide.

use super::running::{HEALTHZ, Running};
use crate::support::BASE;

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_ends_the_connection() {
    let server = Running::limited("header_timeout = \"1 s\"\nidle_timeout = \"1 h\"").await;
    let mut slow = server.connect().await;
    slow.send("GET /healthz HTTP/1.1\r\nHost: as").await;
    server.serves_others().await;
    slow.is_ended().await;
}

#[tokio::test]
async fn a_head_that_drips_has_no_more_time_than_one_that_stands_still() {
    let server = Running::limited("header_timeout = \"1 s\"\nidle_timeout = \"1 h\"").await;
    let mut slow = server.connect().await;
    let (mut reading, mut writing) = slow.0.split();
    let dripping = async {
        use tokio::io::AsyncWriteExt as _;
        writing.write_all(b"GET /healthz HTTP/1.1\r\nHost: as.example\r\nX: ").await.expect("a head that begins");
        let mut beat = tokio::time::interval(std::time::Duration::from_millis(100));
        // It goes on until the server has had enough, which the other half sees.
        while writing.write_all(b"a").await.is_ok() {
            beat.tick().await;
        }
        std::future::pending::<()>().await;
    };
    let ended = async {
        use tokio::io::AsyncReadExt as _;
        let mut octets = vec![];
        let _ = reading.read_to_end(&mut octets).await;
        assert_eq!(octets, b"");
    };
    super::running::soon(async {
        tokio::select! { () = dripping => {}, () = ended => {} }
    })
    .await;
}

#[tokio::test]
async fn the_time_of_a_head_does_not_run_while_there_is_none() {
    let server = Running::limited("header_timeout = \"1 s\"\nidle_timeout = \"1 h\"").await;
    let mut quiet = server.connect().await;
    quiet.send(HEALTHZ).await;
    assert_eq!(quiet.answer().await.status, 200);
    // The end of another, slow one shows that the time of a head has passed meanwhile.
    let mut slow = server.connect().await;
    slow.send("GET").await;
    slow.is_ended().await;
    quiet.send(HEALTHZ).await;
    assert_eq!(quiet.answer().await.status, 200);
}

#[tokio::test]
async fn a_head_larger_than_its_limit_is_answered_431_before_it_is_whole() {
    let server = Running::limited("header_bytes = \"8 KiB\"").await;
    let with = |padding: usize| format!("GET /healthz HTTP/1.1\r\nHost: as.example\r\nX: {}", "a".repeat(padding));
    let mut fits = server.connect().await;
    fits.send(with(8 * 1024 - 100) + "\r\n\r\n").await;
    assert_eq!(fits.answer().await.status, 200);

    let mut large = server.connect().await;
    large.send(with(8 * 1024)).await;
    let answer = large.answer().await;
    assert_eq!(answer.status, 431);
    large.is_ended().await;
    server.serves_others().await;
}

#[tokio::test]
async fn more_headers_than_the_limit_are_answered_431() {
    let server = Running::limited("headers = 16").await;
    // `Host` is one of them.
    let with = |more: usize| {
        let headers = "X: a\r\n".repeat(more);
        format!("GET /connect/jwks HTTP/1.1\r\nHost: as.example\r\n{headers}\r\n")
    };
    let mut wire = server.connect().await;
    for (more, status) in [(14, 200), (15, 200), (16, 431)] {
        wire.send(with(more)).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{more} more headers");
        if status == 431 {
            assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
            assert_eq!(answer.json["type"], format!("{BASE}/errors/api/headers-too-large"));
            assert_eq!(answer.json["detail"], "a request has at most 16 headers");
        }
    }
    // Far beyond what is parsed at all.
    wire.send(with(1000)).await;
    assert_eq!(wire.answer().await.status, 431);
}

#[tokio::test]
async fn the_limit_on_headers_can_be_higher_than_what_is_parsed_by_default() {
    let server = Running::limited("headers = 200").await;
    let mut wire = server.connect().await;
    for (more, status) in [(199, 200), (200, 431)] {
        let headers = "X: a\r\n".repeat(more);
        wire.send(format!("GET /healthz HTTP/1.1\r\nHost: as.example\r\n{headers}\r\n")).await;
        assert_eq!(wire.answer().await.status, status, "{more} more headers");
    }
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    let server = Running::with("").await;
    for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n"] {
        let mut wire = server.connect().await;
        wire.send(format!("GET /connect/jwks HTTP/1.1\r\n{hosts}\r\n")).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, 400, "{hosts}");
        assert_eq!(answer.json["detail"], "a request has exactly one Host header");
    }
    for host in ["a b", "a/c", "user@a", "a?b", "a#b", "<a>", "a\\b", "\u{e9}"] {
        let mut wire = server.connect().await;
        wire.send(format!("GET /connect/jwks HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, 400, "{host}");
        assert_eq!(answer.json["detail"], "the Host header names no host", "{host}");
    }
    for host in ["as.example", "as.example:8443", "[2001:db8::1]:80", "a_b", "xn--e1afmkfd.example", "a%20b"] {
        let mut wire = server.connect().await;
        wire.send(format!("GET /connect/jwks HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(wire.answer().await.status, 200, "{host}");
    }
    // HTTP/1.0 knows none (RFC 9112 §3.2).
    let mut old = server.connect().await;
    old.send("GET /connect/jwks HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer().await.status, 200);
}

#[tokio::test]
async fn no_url_is_made_of_what_a_request_says_about_its_host() {
    let server = Running::with("").await;
    let path = "/.well-known/openid-configuration";
    let mut wire = server.connect().await;
    wire.send(format!("GET {path} HTTP/1.1\r\nHost: as.example\r\n\r\n")).await;
    let honest = wire.answer().await;
    assert_eq!(honest.json["issuer"], BASE);
    for request in [
        format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        format!("GET http://evil.example{path} HTTP/1.1\r\nHost: as.example\r\n\r\n"),
        format!("GET http://evil.example{path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        format!(
            "GET {path} HTTP/1.1\r\nHost: as.example\r\nForwarded: host=evil.example;proto=http\r\n\
             X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Prefix: /evil\r\n\
             X-Original-URL: http://evil.example/\r\n\r\n"
        ),
    ] {
        wire.send(&request).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, &answer.text), (200, &honest.text), "{request}");
    }
}
