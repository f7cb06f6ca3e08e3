//! The client: N keep-alive connections on one thread, each with one request under way, polled without ever sleeping.
//!
//! Between answers it asks the sockets again instead of waiting for them: on virtual machines the *sender* pays for waking a
//! core that sleeps, so a client that sleeps makes the server look slow, the more the slower the server is.

use std::cell::Cell;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::{Failure, answer};

/// What one turn measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) answers: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// The body of the last answer, to look at.
    pub(crate) body: String,
}

impl Turn {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Reads the requests from standard input, a JSON list of texts, and prints the [`Turn`] as JSON.
pub(crate) fn run(to: SocketAddr, connections: u16, seconds: f64) -> Result<(), Failure> {
    if !to.ip().is_loopback() {
        return Err("only loopback is measured: this client would be a flood to anybody else".into());
    }
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(format!("a turn takes at most {MAX_SECONDS} seconds").into());
    }
    let requests = Requests { texts: serde_json::from_reader(std::io::stdin())?, next: Cell::new(0) };
    let turn = ask(to, connections, Duration::from_secs_f64(seconds), &requests)?;
    println!("{}", serde_json::to_string(&turn)?);
    Ok(())
}

/// What is sent, in turn.
struct Requests {
    texts: Vec<String>,
    next: Cell<usize>,
}

impl Requests {
    /// The place of the next one.
    fn take(&self) -> usize {
        let place = self.next.get();
        self.next.set((place + 1) % self.texts.len());
        place
    }
}

/// Sends the requests over and over on all connections. Any answer but 200 ends it.
fn ask(to: SocketAddr, connections: u16, duration: Duration, requests: &Requests) -> Result<Turn, Failure> {
    if requests.texts.is_empty() {
        return Err("there is nothing to send".into());
    }
    let mut connections =
        (0..connections).map(|_| Connection::open(to, requests)).collect::<Result<Vec<_>, Failure>>()?;
    // Code, caches and branch predictors of both sides are warm when the clock starts.
    let mut histogram = Histogram::new();
    poll(&mut connections, requests, WARM_UP, &mut histogram)?;
    histogram = Histogram::new();
    let seconds = poll(&mut connections, requests, duration, &mut histogram)?;
    if histogram.count() == 0 {
        return Err("no answer in the whole turn".into());
    }
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    Ok(Turn {
        answers: histogram.count(),
        seconds,
        p50_us: micros(histogram.quantile(0.5)),
        p99_us: micros(histogram.quantile(0.99)),
        max_us: micros(histogram.max()),
        body: connections
            .iter_mut()
            .map(|connection| std::mem::take(&mut connection.last_body))
            .next()
            .unwrap_or_default(),
    })
}

/// Polls for so long, and tells how long it was.
fn poll(
    connections: &mut [Connection],
    requests: &Requests,
    duration: Duration,
    histogram: &mut Histogram,
) -> Result<f64, Failure> {
    let start = Instant::now();
    let mut silent_since = start;
    loop {
        let before = histogram.count();
        for connection in &mut *connections {
            connection.poll(requests, histogram)?;
        }
        let now = Instant::now();
        if histogram.count() > before {
            silent_since = now;
        } else if now - silent_since > PATIENCE {
            return Err(format!("no answer for {PATIENCE:?}").into());
        }
        if now - start >= duration {
            return Ok((now - start).as_secs_f64());
        }
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The place of the request under way, and how much of it is written.
    request: usize,
    written: usize,
    began: Instant,
    received: Box<[u8]>,
    filled: usize,
    last_body: String,
}

impl Connection {
    fn open(to: SocketAddr, requests: &Requests) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut connection = Self {
            stream,
            request: requests.take(),
            written: 0,
            began: Instant::now(),
            received: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            last_body: String::new(),
        };
        connection.write(requests)?;
        Ok(connection)
    }

    /// Takes the answer if it is there, and sends the next request at once.
    fn poll(&mut self, requests: &Requests, histogram: &mut Histogram) -> Result<(), Failure> {
        if self.written < requests.texts[self.request].len() {
            return self.write(requests);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) if self.filled == BUFFER => return Err(format!("an answer of more than {BUFFER} octets").into()),
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let received = &self.received[..self.filled];
        let Some(answer) = answer::parse(received)? else { return Ok(()) };
        if answer.status != 200 || answer.length != received.len() {
            return Err(format!("a wrong answer: {}", String::from_utf8_lossy(received)).into());
        }
        let now = Instant::now();
        histogram.record(u64::try_from((now - self.began).as_nanos()).unwrap_or(u64::MAX));
        // One body in a while is enough to look at, and copying each would be work of the client's.
        if self.last_body.is_empty() || histogram.count().is_multiple_of(KEEP_EVERY) {
            self.last_body = String::from_utf8_lossy(answer.body).into_owned();
        }
        self.filled = 0;
        self.request = requests.take();
        self.written = 0;
        self.began = now;
        self.write(requests)
    }

    fn write(&mut self, requests: &Requests) -> Result<(), Failure> {
        match self.stream.write(&requests.texts[self.request].as_bytes()[self.written..]) {
            Ok(count) => self.written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

pub(crate) const WARM_UP: Duration = Duration::from_millis(200);
/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_SECONDS: f64 = 60.0;
const BUFFER: usize = 64 * 1024;
const KEEP_EVERY: u64 = 1000;
