//! Told to stop: requests at work are answered, within their time; nothing else comes in.

use ambit_protocol::time::Timestamp;
use tokio::net::TcpStream;

use super::running::{HEALTHZ, REST, Running, Wire, soon};

#[tokio::test]
async fn a_request_at_work_is_answered_and_no_other_comes_in() {
    let server =
        Running::limited("drain_timeout = \"10 min\"\nidle_timeout = \"1 h\"\nheader_timeout = \"5 min\"").await;
    let address = server.address;
    let mut working = server.at_work().await;
    let mut idle = server.connect().await;
    idle.send(HEALTHZ).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut silent = server.connect().await;
    let mut begun = server.connect().await;
    begun.send("GET /healthz HT").await;
    server.serves_others().await;

    let (_fixture, stopped) = server.stop();
    // Those without a request are ended at once, and the address is free.
    idle.is_ended().await;
    silent.is_ended().await;
    begun.is_ended().await;
    assert!(TcpStream::connect(address).await.is_err(), "a connection came in");
    working.send(REST).await;
    let answer = working.answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json["access_token"].is_string());
    // And then its connection, which the caller is told.
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    working.is_ended().await;
    stopped.await;
}

#[tokio::test]
async fn a_request_that_goes_on_for_too_long_does_not_keep_the_server_from_stopping() {
    for drain in ["0 s", "200 ms"] {
        let server = Running::limited(&format!("drain_timeout = \"{drain}\"\nbody_timeout = \"30 s\"")).await;
        let mut working = server.at_work().await;
        let (_fixture, stopped) = server.stop();
        stopped.await;
        working.is_ended().await;
    }
}

#[tokio::test]
async fn what_was_issued_last_is_in_the_journal_when_the_server_has_stopped() {
    let server = Running::with("[journal]\nflush = \"10 s\"\n").await;
    let mut wire = server.at_work().await;
    wire.send(REST).await;
    assert_eq!(wire.answer().await.status, 200);
    let (fixture, stopped) = server.stop();
    stopped.await;
    let (start, end) = (Timestamp::default(), Timestamp::from_millis(i64::MAX));
    let blocks = fixture.store.journal_blocks(start, end, 10).await.expect("a store");
    assert_eq!(blocks.len(), 1);
}

#[tokio::test]
async fn somebody_who_watches_sees_the_server_to_its_end() {
    let server = Running::with("[metrics]\nlisten = \"127.0.0.1:9\"\n").await;
    let metrics = server.metrics;
    let mut working = server.at_work().await;
    let (_fixture, stopped) = server.stop();
    let mut watching = Wire(soon(TcpStream::connect(metrics)).await.expect("a connection"));
    watching.send("GET /metrics HTTP/1.1\r\nHost: as.example\r\n\r\n").await;
    assert_eq!(watching.answer().await.status, 200);
    working.send(REST).await;
    assert_eq!(working.answer().await.status, 200);
    stopped.await;
    watching.is_ended().await;
}
