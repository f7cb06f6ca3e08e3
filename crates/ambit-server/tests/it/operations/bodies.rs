//! The body of a request: how large it may be, how long it may take, and what a lie about it costs.

use std::collections::BTreeSet;

use ambit_core::page;
use axum::http::Method;

use super::running::{REST, Running, Wire, WireAnswer, soon};
use crate::support::{BASE, ROOT, ROOT_SECRET, basic};

/// A request to the token endpoint whose body is announced by these headers.
fn token(announced: &str) -> String {
    format!(
        "POST /connect/token HTTP/1.1\r\nHost: as.example\r\nAuthorization: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{announced}\r\n\r\n",
        basic(ROOT, ROOT_SECRET)
    )
}

/// A request to the admin API, the same.
async fn partner(server: &Running, announced: &str) -> String {
    format!(
        "POST /api/v1/admin/partners HTTP/1.1\r\nHost: as.example\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n{announced}\r\n\r\n",
        server.fixture.root().await
    )
}

fn is_oauth_error(answer: &WireAnswer, page: &page::Page) {
    assert_eq!(answer.status, page.status, "{answer:?}");
    assert_eq!(answer.head.contains("connection: close"), matches!(page.status, 408 | 413), "{}", answer.head);
    assert_eq!(answer.json["error"], "invalid_request");
    assert_eq!(answer.json["error_uri"], format!("{BASE}/errors/{}", page.slug));
    assert_eq!(answer.json["trace_id"].as_str().map(str::len), Some(32));
}

fn is_problem(answer: &WireAnswer, page: &page::Page) {
    assert_eq!(answer.status, page.status, "{answer:?}");
    assert_eq!(answer.head.contains("connection: close"), matches!(page.status, 408 | 413), "{}", answer.head);
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    assert_eq!(answer.json["type"], format!("{BASE}/errors/{}", page.slug));
}

#[tokio::test]
async fn a_body_that_stands_still_is_answered_408() {
    let server = Running::limited("body_timeout = \"100 ms\"").await;
    let mut oauth = server.connect().await;
    oauth.send(token("Content-Length: 100") + "grant_type=client_cred").await;
    is_oauth_error(&oauth.answer().await, &page::REQUEST_TOO_SLOW);
    oauth.is_ended().await;

    let mut admin = server.connect().await;
    admin.send(partner(&server, "Content-Length: 100").await + "{\"name\":").await;
    is_problem(&admin.answer().await, &page::REQUEST_TOO_SLOW);
    admin.is_ended().await;
    server.serves_others().await;
}

#[tokio::test]
async fn a_chunked_body_without_end_is_answered_408() {
    let server = Running::limited("body_timeout = \"100 ms\"").await;
    let mut wire = server.connect().await;
    wire.send(token("Transfer-Encoding: chunked") + "8\r\ngrant_ty\r\n").await;
    is_oauth_error(&wire.answer().await, &page::REQUEST_TOO_SLOW);
    wire.is_ended().await;
}

#[tokio::test]
async fn a_body_that_comes_in_time_may_come_in_pieces() {
    let server = Running::limited("body_timeout = \"5 s\"").await;
    let mut wire = server.connect().await;
    wire.send(token("Transfer-Encoding: chunked") + "8\r\ngrant_ty\r\n").await;
    server.serves_others().await;
    wire.send("15\r\npe=client_credentials\r\n0\r\n\r\n").await;
    let answer = wire.answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // The connection goes on.
    wire.send(token("Content-Length: 29") + "grant_type=client_credentials").await;
    assert_eq!(wire.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_is_taken_up_to_its_limit_and_beyond_it_answered_413() {
    let server = Running::limited("body_bytes = \"1 KiB\"\nadmin_body_bytes = \"2 KiB\"").await;
    // Blanks between parameters of a form do not exist; an unknown parameter is ignored (RFC 6749 §3.2).
    let form = |length: usize| {
        let known = "grant_type=client_credentials&padding=";
        known.to_owned() + &"a".repeat(length - known.len())
    };
    for (length, status) in [(1023, 200), (1024, 200), (1025, 413)] {
        for chunked in [false, true] {
            let mut wire = server.connect().await;
            let (announced, body) = if chunked {
                ("Transfer-Encoding: chunked".to_owned(), format!("{length:x}\r\n{}\r\n0\r\n\r\n", form(length)))
            } else {
                (format!("Content-Length: {length}"), form(length))
            };
            wire.send(token(&announced) + &body).await;
            let answer = wire.answer().await;
            assert_eq!(answer.status, status, "{length} {chunked}: {answer:?}");
            if status == 413 {
                is_oauth_error(&answer, &page::PAYLOAD_TOO_LARGE);
                let description = "the body is larger than the 1024 bytes that this endpoint takes";
                assert_eq!(answer.json["error_description"], description);
            }
        }
    }
    for (length, status) in [(2047, 201), (2048, 201), (2049, 413)] {
        let body = format!("{{\"name\":\"Partner\",\"slug\":\"partner-{length}\"}}");
        let body = body.clone() + &" ".repeat(length - body.len());
        let mut wire = server.connect().await;
        wire.send(partner(&server, &format!("Content-Length: {length}")).await + &body).await;
        let answer = wire.answer().await;
        assert_eq!(answer.status, status, "{length}: {answer:?}");
        if status == 413 {
            is_problem(&answer, &page::PAYLOAD_TOO_LARGE);
        }
    }
}

#[tokio::test]
async fn a_body_announced_as_too_large_is_refused_before_any_of_it_is_sent() {
    let server = Running::with("").await;
    let mut wire = server.connect().await;
    wire.send(token("Content-Length: 10485760\r\nExpect: 100-continue")).await;
    is_oauth_error(&wire.answer().await, &page::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_endless_body_is_refused_while_it_comes() {
    let server = Running::with("").await;
    let mut wire = server.connect().await;
    wire.send(token("Transfer-Encoding: chunked")).await;
    let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    // 64 KiB are taken. What the network holds is no memory of ours.
    for _ in 0..5 {
        wire.send(&chunk).await;
    }
    is_oauth_error(&wire.answer().await, &page::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_lie_about_the_length_of_a_body_is_never_believed() {
    let server = Running::limited("body_timeout = \"100 ms\"").await;
    let body = "grant_type=client_credentials";
    // Longer than what comes.
    let mut long = server.connect().await;
    long.send(token("Content-Length: 30") + body).await;
    is_oauth_error(&long.answer().await, &page::REQUEST_TOO_SLOW);
    // Shorter: what is left over is no second request.
    let mut short = server.connect().await;
    short.send(token("Content-Length: 10") + body).await;
    assert_eq!(short.answer().await.status, 400);
    assert_eq!(short.answer().await.status, 400);
    short.is_ended().await;
    // Two lengths, or a length beside chunks (RFC 9112 §6.1, §6.3: request smuggling).
    for announced in [
        "Content-Length: 29\r\nContent-Length: 30",
        "Content-Length: 29, 30",
        "Content-Length: -1",
        "Content-Length: x",
    ] {
        let mut wire = server.connect().await;
        wire.send(token(announced) + body).await;
        assert_eq!(wire.answer().await.status, 400, "{announced}");
        wire.is_ended().await;
    }
    server.serves_others().await;
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    let server = Running::with("").await;
    let mut wire = server.connect().await;
    wire.send(token("Content-Encoding: gzip\r\nContent-Length: 4") + "\x1f\x0b\x08\x00").await;
    assert_eq!(wire.answer().await.status, 400);
}

#[tokio::test]
async fn a_body_that_is_small_and_hard_to_read_is_refused_at_once() {
    let server = Running::with("").await;
    let same = "scope=a&".repeat(8_000);
    let many: String = (0..6_000).flat_map(|number| [number.to_string(), "=&".to_owned()]).collect();
    let escaped = "%00".repeat(21_000);
    for body in [same, many, escaped, "&".repeat(65_000), "=".repeat(65_000)] {
        let mut wire = server.connect().await;
        wire.send(token(&format!("Content-Length: {}", body.len())) + &body).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("invalid_request")), "{answer:?}");
    }
    for body in ["[".repeat(500_000), "{\"name\":".repeat(100_000), format!("{{{}}}", "\"a\":1,".repeat(100_000))] {
        let mut wire = server.connect().await;
        wire.send(partner(&server, &format!("Content-Length: {}", body.len())).await + &body).await;
        is_problem(&wire.answer().await, &page::MALFORMED_JSON);
    }
    let parts = "--a\r\n\r\n\r\n".repeat(5_000);
    let mut wire = server.connect().await;
    wire.send(format!(
        "POST /connect/token HTTP/1.1\r\nHost: as.example\r\nContent-Type: multipart/form-data; boundary=a\r\n\
         Content-Length: {}\r\n\r\n{parts}",
        parts.len()
    ))
    .await;
    is_oauth_error(&wire.answer().await, &page::INVALID_REQUEST);
}

#[tokio::test]
async fn a_caller_who_goes_away_in_the_middle_leaves_all_or_nothing() {
    let server = Running::with("").await;
    for round in 0..40 {
        let body = format!("{{\"name\":\"Partner\",\"slug\":\"p-{round}\"}}");
        let request = partner(&server, &format!("Content-Length: {}", body.len())).await + &body;
        let mut wire = server.connect().await;
        wire.send(request).await;
        // Some are gone before they are heard, others while they are at work.
        for _ in 0..round * round * 4 {
            tokio::task::yield_now().await;
        }
        drop(wire);
    }
    // One that stays is behind all of them.
    let body = "{\"name\":\"Partner\",\"slug\":\"stays\"}";
    let mut wire: Wire = server.connect().await;
    wire.send(partner(&server, &format!("Content-Length: {}", body.len())).await + body).await;
    assert_eq!(wire.answer().await.status, 201);

    // When it has stopped, nothing is at work any more.
    let root = server.fixture.root().await;
    let (fixture, stopped) = server.stop();
    stopped.await;
    let list = async |path: &str, id: &str| {
        let answer = fixture.admin(&root, Method::GET, path, None).await;
        let ids = answer.json["items"].as_array().expect("items").iter().map(|item| item[id].to_string());
        ids.collect::<BTreeSet<_>>()
    };
    let there = list("/partners?limit=200", "id").await;
    assert_eq!(there, list("/audit?limit=200&resource=partner&action=create", "resource_id").await);
    assert!(there.len() > 1, "nobody was heard");
}

#[tokio::test]
async fn bodies_that_do_not_come_keep_no_place_from_those_that_are_there() {
    let server = Running::limited("concurrency = 1\nbody_timeout = \"30 s\"").await;
    let mut slow = vec![];
    for _ in 0..20 {
        slow.push(server.at_work().await);
    }
    let question = "POST /api/v1/errors/match HTTP/1.1\r\nHost: as.example\r\nContent-Type: text/plain\r\n\
                    Expect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    let change = partner(&server, "Expect: 100-continue\r\nContent-Length: 100").await;
    for (head, beginning) in [(change.as_str(), "{\"name\":"), (question, "inv")] {
        let mut wire = server.connect().await;
        wire.send(head).await;
        // The server asks for the body: what it did before, at its place, is done.
        assert_eq!(wire.answer().await.status, 100);
        wire.send(beginning).await;
        slow.push(wire);
    }

    let whole = async || {
        let mut wire = server.connect().await;
        wire.send(token("Content-Length: 29") + REST).await;
        wire.answer().await
    };
    let answer = whole().await;
    assert_eq!(answer.status, 200, "{answer:?}");

    // The one place is taken: neither a body that was there nor one that has come now is served.
    let places = server.fixture.server.app().places.clone();
    let place = soon(places.acquire()).await.expect("a place");
    let answer = whole().await;
    assert_eq!(
        (answer.status, &answer.json["type"]),
        (503, &format!("{BASE}/errors/{}", page::UNAVAILABLE.slug).into()),
        "{answer:?}"
    );
    slow[0].send(REST).await;
    is_oauth_error_of_ours(&slow[0].answer().await);
    drop(place);
    slow[1].send(REST).await;
    assert_eq!(slow[1].answer().await.status, 200);

    // And when all of them are gone there is one place, not more.
    drop(slow);
    let (fixture, stopped) = server.stop();
    stopped.await;
    assert_eq!(fixture.server.app().places.available_permits(), 1);
}

#[tokio::test]
async fn bodies_on_their_way_have_room_for_so_many() {
    let server = Running::limited("waiting_bodies = \"16 KiB\"\nbody_timeout = \"30 s\"").await;
    // A request counts for 4 KiB; three of them and a bit leave room for no fourth.
    let mut waiting = [server.at_work().await, server.at_work().await, server.at_work().await];
    waiting[0].send("g").await;
    let mut fourth = server.connect().await;
    fourth.send(token("Content-Length: 29") + "gr").await;
    is_oauth_error_of_ours(&fourth.answer().await);
    // One that is whole needs no room, and one that is answered leaves its own.
    let mut whole = server.connect().await;
    whole.send(token("Content-Length: 29") + REST).await;
    assert_eq!(whole.answer().await.status, 200);
    waiting[1].send(REST).await;
    assert_eq!(waiting[1].answer().await.status, 200);
    let mut again = server.at_work().await;
    again.send(REST).await;
    assert_eq!(again.answer().await.status, 200);
    waiting[0].send(&REST[1..]).await;
    assert_eq!(waiting[0].answer().await.status, 200);
}

/// Beside the endpoints that answer OAuth errors: userinfo, and the two that browsers are sent to.
#[tokio::test]
async fn what_keeps_a_body_from_being_read_has_its_own_status_everywhere() {
    let server =
        Running::limited("waiting_bodies = \"16 KiB\"\nbody_timeout = \"300 ms\"\nbody_bytes = \"1 KiB\"").await;
    let form = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: as.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    for path in ["/connect/userinfo", "/connect/authorize", "/connect/endsession"] {
        let mut wire = server.connect().await;
        wire.send(form(path, 1025) + &"a".repeat(1025)).await;
        assert_eq!(wire.answer().await.status, 413, "{path}");

        let mut slow = server.connect().await;
        slow.send(form(path, 50) + "ab").await;
        assert_eq!(slow.answer().await.status, 408, "{path}");

        // A request counts for 4 KiB.
        let mut waiting = vec![];
        for _ in 0..4 {
            let mut wire = server.connect().await;
            wire.send(form(path, 50)).await;
            waiting.push(wire);
        }
        let mut one_more = server.connect().await;
        one_more.send(form(path, 50) + "ab").await;
        let answer = one_more.answer().await;
        assert!(matches!(answer.status, 503 | 408), "{path}: {answer:?}");
        for mut wire in waiting {
            assert_eq!(wire.answer().await.status, 408, "{path}");
        }
    }
}

fn is_oauth_error_of_ours(answer: &WireAnswer) {
    let error = answer.json["error"].as_str();
    assert_eq!((answer.status, error), (503, Some("temporarily_unavailable")), "{answer:?}");
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
}
