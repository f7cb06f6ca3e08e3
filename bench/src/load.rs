//! The client: N keep-alive connections on one thread, each with one request under way, polled without ever sleeping.
//!
//! Between answers it asks the sockets again instead of waiting for them: on virtual machines the *sender* pays for waking a
//! core that sleeps, so a client that sleeps makes the server look slow, the more the slower the server is.

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

/// Reads the request from standard input, and prints the [`Turn`] as JSON.
pub(crate) fn run(to: SocketAddr, connections: u16, seconds: f64) -> Result<(), Failure> {
    if !to.ip().is_loopback() {
        return Err("only loopback is measured: this client would be a flood to anybody else".into());
    }
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(format!("a turn takes at most {MAX_SECONDS} seconds").into());
    }
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request)?;
    let turn = ask(to, connections, Duration::from_secs_f64(seconds), &request)?;
    println!("{}", serde_json::to_string(&turn)?);
    Ok(())
}

/// Sends the request over and over on all connections. Any answer but 200 ends it.
fn ask(to: SocketAddr, connections: u16, duration: Duration, request: &[u8]) -> Result<Turn, Failure> {
    let mut connections =
        (0..connections).map(|_| Connection::open(to, request)).collect::<Result<Vec<_>, Failure>>()?;
    // Code, caches and branch predictors of both sides are warm when the clock starts.
    let mut histogram = Histogram::new();
    poll(&mut connections, request, WARM_UP, &mut histogram)?;
    histogram = Histogram::new();
    let seconds = poll(&mut connections, request, duration, &mut histogram)?;
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
    request: &[u8],
    duration: Duration,
    histogram: &mut Histogram,
) -> Result<f64, Failure> {
    let start = Instant::now();
    let mut silent_since = start;
    loop {
        let before = histogram.count();
        for connection in &mut *connections {
            connection.poll(request, histogram)?;
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
    /// How much of the request under way is written.
    written: usize,
    began: Instant,
    received: Box<[u8]>,
    filled: usize,
    last_body: String,
}

impl Connection {
    fn open(to: SocketAddr, request: &[u8]) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut connection = Self {
            stream,
            written: 0,
            began: Instant::now(),
            received: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            last_body: String::new(),
        };
        connection.write(request)?;
        Ok(connection)
    }

    /// Takes the answer if it is there, and sends the next request at once.
    fn poll(&mut self, request: &[u8], histogram: &mut Histogram) -> Result<(), Failure> {
        if self.written < request.len() {
            return self.write(request);
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
        self.written = 0;
        self.began = now;
        self.write(request)
    }

    fn write(&mut self, request: &[u8]) -> Result<(), Failure> {
        match self.stream.write(&request[self.written..]) {
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
