//! HTTP/2: by prior knowledge, within the same limits, and what its own frames must not do (CVE-2023-44487 and its family).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::running::{Running, Wire, soon};

/// A frame as RFC 9113 §4.1 has it.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A frame that came.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection that speaks HTTP/2, behind the preface.
struct Http2(Wire);

impl Http2 {
    async fn with(server: &Running) -> Self {
        let mut wire = server.connect().await;
        wire.send([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, b"")].concat()).await;
        Self(wire)
    }

    async fn send(&mut self, frames: &[Vec<u8>]) {
        self.0.send(frames.concat()).await;
    }

    /// The next frame, or nothing at the end of the connection.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        soon(self.0.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        soon(self.0.0.read_exact(&mut payload)).await.ok()?;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Whether the server has handled all that was sent. It has not where it ended the connection.
    async fn is_heard(&mut self) -> bool {
        let ping = frame(PING, 0, 0, b"heard it");
        self.0.0.write_all(&ping).await.is_ok() && self.next_of(PING).await.is_some()
    }
}

/// `GET /healthz`, by HPACK's static table (RFC 7541, appendix A) and literals that nobody remembers.
fn get() -> Vec<u8> {
    [&[0x82, 0x86][..], &[0x04, 8], b"/healthz", &[0x01, 10], b"as.example"].concat()
}

/// `POST /connect/token`, the same.
fn post() -> Vec<u8> {
    [&[0x83, 0x86][..], &[0x04, 14], b"/connect/token", &[0x01, 10], b"as.example"].concat()
}

#[tokio::test]
async fn http_2_is_spoken_by_prior_knowledge() {
    let server = Running::with("").await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let url = format!("http://{}/healthz", server.address);
    for _ in 0..3 {
        let answer = client.get(&url).send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    }
}

#[tokio::test]
async fn the_limits_on_heads_count_here_as_well() {
    let server = Running::limited("headers = 16\nheader_bytes = \"8 KiB\"").await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().expect("a client");
    let get = |name: &'static str| client.get(format!("http://{}{name}", server.address));
    let many = (0..17).fold(get("/healthz"), |request, number| request.header(format!("x-{number}"), "a"));
    assert_eq!(many.send().await.expect("an answer").status(), 431);
    let large = get("/healthz").header("x", "a".repeat(9 * 1024));
    assert_eq!(large.send().await.expect("an answer").status(), 431);
    assert_eq!(get("/healthz").header("x", "a").send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn more_requests_at_once_than_allowed_are_refused_one_by_one() {
    let server = Running::limited("http2_streams = 4\nbody_timeout = \"20 s\"").await;
    let mut connection = Http2::with(&server).await;
    let settings = connection.next_of(SETTINGS).await.expect("settings");
    // RFC 9113 §6.5.2: SETTINGS_MAX_CONCURRENT_STREAMS is 3.
    assert!(settings.payload.chunks(6).any(|entry| entry == [0, 3, 0, 0, 0, 4]), "{settings:?}");
    let opened: Vec<_> = (0..5).map(|number| frame(HEADERS, END_HEADERS, 2 * number + 1, &post())).collect();
    connection.send(&opened).await;
    let reset = connection.next_of(RST_STREAM).await.expect("a stream is reset");
    assert_eq!((reset.stream, reset.payload), (9, REFUSED_STREAM.to_vec()));
}

#[tokio::test]
async fn an_http_2_connection_without_a_request_is_ended_with_a_goodbye() {
    let server = Running::limited("idle_timeout = \"1 s\"\nheader_timeout = \"5 min\"").await;
    let mut connection = Http2::with(&server).await;
    connection.send(&[frame(HEADERS, END_HEADERS | END_STREAM, 1, &get())]).await;
    assert!(connection.next_of(HEADERS).await.is_some());
    assert!(connection.next_of(GOAWAY).await.is_some());
    connection.0.is_ended().await;

    // A head that does not come to its end is no request.
    let mut connection = Http2::with(&server).await;
    connection.send(&[frame(HEADERS, END_STREAM, 1, &get()[..4])]).await;
    connection.0.is_ended().await;
}

#[tokio::test]
async fn other_frames_than_heads_do_not_start_the_time_of_a_head() {
    let server = Running::limited("idle_timeout = \"1 h\"\nheader_timeout = \"1 s\"").await;
    let mut connection = Http2::with(&server).await;
    assert!(connection.is_heard().await);
    // The end of a slow head shows that its time has passed.
    let mut slow = server.connect().await;
    slow.send("GET").await;
    slow.is_ended().await;
    connection.send(&[frame(HEADERS, END_HEADERS | END_STREAM, 1, &get())]).await;
    assert!(connection.next_of(HEADERS).await.is_some());
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_not_kept() {
    let limits = "request_timeout = \"500 ms\"\nbody_timeout = \"500 ms\"\nidle_timeout = \"1 h\"";
    let server = Running::limited(limits).await;
    let mut connection = Http2::with(&server).await;
    // No room for the body of any answer (SETTINGS_INITIAL_WINDOW_SIZE is 4).
    connection.send(&[frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])]).await;
    connection.send(&[frame(HEADERS, END_HEADERS | END_STREAM, 1, &get())]).await;
    assert!(connection.next_of(HEADERS).await.is_some());
    connection.0.is_ended().await;
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let server = Running::with("").await;
    let mut connection = Http2::with(&server).await;
    let mut rounds = vec![];
    for number in 0..2000_u32 {
        rounds.extend(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &get()));
        rounds.extend(frame(RST_STREAM, 0, 2 * number + 1, &CANCEL));
    }
    // The server may end it before all is sent.
    let _ = connection.0.0.write_all(&rounds).await;
    connection.0.is_ended().await;
    server.serves_others().await;
}

#[tokio::test]
async fn requests_that_are_taken_back_one_after_another_end_the_connection() {
    let server = Running::limited("body_timeout = \"20 s\"").await;
    let mut connection = Http2::with(&server).await;
    for number in 0..400_u32 {
        let stream = 2 * number + 1;
        // It waits for its body, and so is at work, when it is taken back.
        let _ = connection.0.0.write_all(&frame(HEADERS, END_HEADERS, stream, &post())).await;
        let is_heard = connection.is_heard().await;
        let _ = connection.0.0.write_all(&frame(RST_STREAM, 0, stream, &CANCEL)).await;
        if !is_heard {
            server.serves_others().await;
            return;
        }
    }
    panic!("400 requests were taken back, and the connection goes on");
}

#[tokio::test]
async fn a_flood_of_frames_ends_the_connection_or_is_answered_and_others_are_served() {
    let server = Running::with("").await;
    let continuation = frame(CONTINUATION, 0, 1, &[&[0x00, 1, b'x', 0x7f, 0xd1, 0x0e][..], &[b'a'; 2000]].concat());
    let floods = [
        ("continuation", frame(HEADERS, END_STREAM, 1, &get()), continuation),
        // HPACK: one entry of 4000 octets, which one octet then stands for.
        ("bomb", frame(HEADERS, END_HEADERS, 1, &get()), frame(HEADERS, END_HEADERS, 3, &bomb())),
        ("empty data", frame(HEADERS, END_HEADERS, 1, &post()), frame(DATA, 0, 1, b"")),
        ("settings", vec![], frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1])),
        ("ping", vec![], frame(PING, 0, 0, b"12345678")),
    ];
    for (name, first, flood) in floods {
        let mut connection = Http2::with(&server).await;
        connection.send(&[first]).await;
        let (mut reading, mut writing) = connection.0.0.split();
        let flooding = async {
            for _ in 0..200 {
                if writing.write_all(&flood.repeat(100)).await.is_err() {
                    break;
                }
            }
            // The end of ours ends theirs, if it stands still.
            let _ = writing.shutdown().await;
        };
        let mut octets = vec![];
        let ((), _) = soon(async { tokio::join!(flooding, reading.read_to_end(&mut octets)) }).await;
        assert!(octets.len() < 16 * 1024 * 1024, "{name}");
        server.serves_others().await;
    }
}

/// A head whose table entry of 4000 octets is named 2000 times: 8 MiB, in 6 KiB.
fn bomb() -> Vec<u8> {
    let entry = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'a'; 4000]].concat();
    [get(), entry, vec![0xbe; 2000]].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
