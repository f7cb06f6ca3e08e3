//! Connections: how many there are, how long they may be idle, and who makes room.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::running::{HEALTHZ, REST, Running, Wire, soon};

async fn idle(server: &Running) -> Wire {
    let mut wire = server.connect().await;
    wire.send(HEALTHZ).await;
    assert_eq!(wire.answer().await.status, 200);
    wire
}

#[tokio::test]
async fn a_connection_goes_on_behind_an_answer() {
    let server = Running::with("").await;
    let mut wire = idle(&server).await;
    for _ in 0..3 {
        wire.send(HEALTHZ).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.json["status"].as_str()), (200, Some("up")));
    }
    // Several at once are answered in their order.
    wire.send(HEALTHZ.to_owned() + "GET /nowhere HTTP/1.1\r\nHost: as.example\r\n\r\n" + HEALTHZ).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(wire.answer().await.status, 404);
    assert_eq!(wire.answer().await.status, 200);
}

#[tokio::test]
async fn a_connection_without_a_request_is_ended_when_its_time_is_over() {
    let server = Running::limited("idle_timeout = \"1 s\"\nheader_timeout = \"5 min\"").await;
    let mut silent = server.connect().await;
    let mut used = idle(&server).await;
    let mut half = server.connect().await;
    half.send("GET").await;
    silent.is_ended().await;
    used.is_ended().await;
    half.is_ended().await;
    server.serves_others().await;
}

#[tokio::test]
async fn a_request_at_work_is_not_idle() {
    let server = Running::limited("idle_timeout = \"1 s\"").await;
    let mut working = server.at_work().await;
    // The end of another, idle one shows that the time has passed.
    server.connect().await.is_ended().await;
    working.send(REST).await;
    assert_eq!(working.answer().await.status, 200);
}

#[tokio::test]
async fn those_idle_longest_make_room_when_all_places_are_taken() {
    let server = Running::limited("connections = 16").await;
    let mut wires = vec![server.at_work().await];
    while wires.len() < 16 {
        wires.push(idle(&server).await);
    }
    // The first of the idle ones was used last.
    wires[1].send(HEALTHZ).await;
    assert_eq!(wires[1].answer().await.status, 200);

    let mut newcomers = vec![];
    for _ in 0..3 {
        newcomers.push(idle(&server).await);
    }
    for gone in &mut wires[2..5] {
        gone.is_ended().await;
    }
    for stays in wires[1..2].iter_mut().chain(&mut newcomers) {
        stays.send(HEALTHZ).await;
        assert_eq!(stays.answer().await.status, 200);
    }
    wires[0].send(REST).await;
    assert_eq!(wires[0].answer().await.status, 200);
}

#[tokio::test]
async fn whoever_opens_connections_by_the_thousand_shuts_nobody_out() {
    let server = Running::limited("connections = 16\nidle_timeout = \"1 h\"\nheader_timeout = \"5 min\"").await;
    // Making room takes no time: neither a head that is not whole nor a peer that hears no goodbye is waited for.
    soon(async {
        let mut flood = vec![];
        for round in 0..300 {
            let mut wire = server.connect().await;
            let said =
                ["", "GET / HTTP/1.1\r\nHost:", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"][round % 3];
            // Those that made room already cannot be written to.
            let _ = wire.0.write_all(said.as_bytes()).await;
            flood.push(wire);
            if round % 50 == 0 {
                server.serves_others().await;
            }
        }
        server.serves_others().await;
    })
    .await;
}

#[tokio::test]
async fn where_all_are_at_work_a_newcomer_waits_for_the_first_to_be_answered() {
    let server = Running::limited("connections = 16\nbody_timeout = \"5 s\"").await;
    let mut working = vec![];
    for _ in 0..16 {
        working.push(server.at_work().await);
    }
    let mut newcomer = server.connect().await;
    newcomer.send(HEALTHZ).await;
    working[0].send(REST).await;
    // It is answered in full, and then makes room.
    let answer = working[0].answer().await;
    assert_eq!(answer.status, 200);
    working[0].is_ended().await;
    assert_eq!(newcomer.answer().await.status, 200);
    for wire in &mut working[1..] {
        wire.send(REST).await;
        assert_eq!(wire.answer().await.status, 200);
    }
}

#[tokio::test]
async fn a_newcomer_does_not_wait_for_one_at_work_when_another_is_idle() {
    let server = Running::limited("connections = 16\nbody_timeout = \"30 s\"").await;
    let mut working = vec![];
    for _ in 0..16 {
        working.push(server.at_work().await);
    }
    let mut newcomer = server.connect().await;
    newcomer.send(HEALTHZ).await;
    // Time enough for the server to see that there is no place, and to ask the first to leave.
    let mut watching = Wire(soon(TcpStream::connect(server.metrics)).await.expect("a connection"));
    watching.send("GET /metrics HTTP/1.1\r\nHost: as.example\r\n\r\n").await;
    assert_eq!(watching.answer().await.status, 200);

    working[5].send(REST).await;
    assert_eq!(working[5].answer().await.status, 200);
    assert_eq!(newcomer.answer().await.status, 200);
    working[0].send(REST).await;
    assert_eq!(working[0].answer().await.status, 200);
}

#[tokio::test]
async fn a_caller_who_does_not_read_its_answers_is_not_waited_for() {
    let server = Running::limited(
        "request_timeout = \"500 ms\"\nbody_timeout = \"500 ms\"\nidle_timeout = \"1 h\"\nheader_timeout = \"2 s\"",
    )
    .await;
    let mut greedy = server.connect().await;
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: as.example\r\n\r\n";
    greedy.send(request).await;
    let whole = greedy.answer().await;
    let size = whole.head.len() + whole.text.len();
    // More than what the network holds on its own.
    let requests = 64 * 1024 * 1024 / size;
    greedy.send(request.repeat(requests)).await;
    // The end of a slow head shows that its time has passed.
    let mut slow = server.connect().await;
    slow.send("GET").await;
    slow.is_ended().await;
    assert!(greedy.rest().await.len() < requests * size, "all answers were kept for somebody who did not read them");
    server.serves_others().await;
}

#[tokio::test]
async fn the_address_of_the_peer_reaches_those_who_count_failures() {
    let server = Running::with("[rate_limits]\nclient_failures = 1\n").await;
    let body = "grant_type=client_credentials&client_id=nobody&client_secret=wrong";
    let request = format!(
        "POST /connect/token HTTP/1.1\r\nHost: as.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // Linux takes any address of 127.0.0.0/8 for this machine's.
    let from = async |address: &str| {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{address}:0").parse().expect("an address")).expect("an address of this machine");
        let mut wire = Wire(soon(socket.connect(server.address)).await.expect("a connection"));
        wire.send(&request).await;
        wire.answer().await.status
    };
    assert_eq!(from("127.0.0.2").await, 401);
    assert_eq!(from("127.0.0.2").await, 429);
    assert_eq!(from("127.0.0.3").await, 401);
}

#[tokio::test]
async fn half_of_a_connection_that_was_shut_ends_the_other() {
    let server = Running::with("").await;
    let mut wire = idle(&server).await;
    wire.0.shutdown().await.expect("a half that can be shut");
    assert_eq!(soon(wire.0.read(&mut [0; 16])).await.expect("an end"), 0);
}
