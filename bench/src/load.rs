//! The client: keep-alive connections on one thread, each with one request of a walk under way, polled without ever sleeping.
//!
//! Between answers it asks the sockets again instead of waiting for them: on virtual machines the *sender* pays for waking a
//! core that sleeps, so a client that sleeps makes the server look slow, the more the slower the server is.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::walk::{Beside, Plan, Slots, Step};
use crate::{Failure, answer};

/// What one turn measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) answers: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// Walks of those who were beside.
    pub(crate) beside: u64,
    /// The body of the last answer, to look at.
    pub(crate) body: String,
}

impl Turn {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Reads the [`Plan`] from standard input as JSON, and prints the [`Turn`] as JSON.
pub(crate) fn run(to: SocketAddr, connections: u16, seconds: f64) -> Result<(), Failure> {
    if !to.ip().is_loopback() {
        return Err("only loopback is measured: this client would be a flood to anybody else".into());
    }
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(format!("a turn takes at most {MAX_SECONDS} seconds").into());
    }
    let plan: Plan = serde_json::from_reader(std::io::stdin())?;
    let turn = ask(to, connections, Duration::from_secs_f64(seconds), &plan)?;
    println!("{}", serde_json::to_string(&turn)?);
    Ok(())
}

/// Carries a plan out.
fn ask(to: SocketAddr, connections: u16, duration: Duration, plan: &Plan) -> Result<Turn, Failure> {
    let pace = plan.walks_per_sec.map(|rate| Duration::from_secs_f64(f64::from(connections) / rate));
    let mut counted = Crowd::open(to, connections, &plan.before, &plan.walks, pace)?;
    let mut beside = match &plan.beside {
        None => Crowd::default(),
        Some(Beside { connections, walk }) => Crowd::open(to, *connections, &[], std::slice::from_ref(walk), None)?,
    };
    let mut crowds = [&mut counted, &mut beside];
    poll(&mut crowds, |crowds, _| crowds[0].has_arrived())?;
    // Code, caches and branch predictors of both sides are warm when the clock starts.
    poll(&mut crowds, |_, elapsed| elapsed >= WARM_UP)?;
    for crowd in &mut crowds {
        crowd.histogram = Histogram::new();
    }
    let seconds = poll(&mut crowds, |_, elapsed| elapsed >= duration)?.as_secs_f64();
    if counted.histogram.count() == 0 {
        return Err("no answer in the whole turn".into());
    }
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    Ok(Turn {
        answers: counted.histogram.count(),
        seconds,
        p50_us: micros(counted.histogram.quantile(0.5)),
        p99_us: micros(counted.histogram.quantile(0.99)),
        max_us: micros(counted.histogram.max()),
        beside: beside.histogram.count(),
        body: counted.connections.into_iter().map(|connection| connection.last_body).next().unwrap_or_default(),
    })
}

/// Polls until it is enough, and tells how long it was.
fn poll(
    crowds: &mut [&mut Crowd<'_>; 2],
    is_enough: impl Fn(&[&mut Crowd<'_>; 2], Duration) -> bool,
) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut silent_since = start;
    loop {
        let mut any = false;
        for crowd in &mut *crowds {
            any |= crowd.poll()?;
        }
        let now = Instant::now();
        if any {
            silent_since = now;
        } else if now - silent_since > PATIENCE {
            return Err(format!("no answer for {PATIENCE:?}").into());
        }
        if is_enough(crowds, now - start) {
            return Ok(now - start);
        }
    }
}

/// Connections with the same to do.
#[derive(Default)]
struct Crowd<'a> {
    connections: Vec<Connection<'a>>,
    walks: &'a [Vec<Step>],
    /// The place of the walk that is begun next.
    next: usize,
    /// From the beginning of one walk of a connection to that of its next, at least.
    pace: Option<Duration>,
    histogram: Histogram,
}

impl<'a> Crowd<'a> {
    fn open(
        to: SocketAddr,
        connections: u16,
        before: &'a [Step],
        walks: &'a [Vec<Step>],
        pace: Option<Duration>,
    ) -> Result<Self, Failure> {
        if walks.is_empty() || walks.iter().any(Vec::is_empty) {
            return Err("there is nothing to send".into());
        }
        let mut crowd = Self { walks, pace, ..Self::default() };
        let start = Instant::now();
        for number in 0..connections {
            let (steps, is_before) = if before.is_empty() { (crowd.take(), false) } else { (before, true) };
            // A steady pace is one after the other: all at once would wait for each other, and for the same things.
            let begins = start + pace.unwrap_or_default() * u32::from(number) / u32::from(connections);
            crowd.connections.push(Connection::open(to, number, steps, is_before, begins)?);
        }
        Ok(crowd)
    }

    /// The next walk.
    fn take(&mut self) -> &'a [Step] {
        let steps = &self.walks[self.next];
        self.next = (self.next + 1) % self.walks.len();
        steps
    }

    /// Whether all of them have done what comes before the walks.
    fn has_arrived(&self) -> bool {
        self.connections.iter().all(|connection| !connection.is_before)
    }

    /// Polls each connection once, and tells whether anything arrived.
    fn poll(&mut self) -> Result<bool, Failure> {
        let mut any = false;
        for place in 0..self.connections.len() {
            let connection = &mut self.connections[place];
            match connection.poll()? {
                Progress::None => {}
                Progress::Some => any = true,
                Progress::Done => {
                    any = true;
                    let now = Instant::now();
                    if !std::mem::take(&mut connection.is_before) {
                        let nanos = (now - connection.began).as_nanos();
                        self.histogram.record(u64::try_from(nanos).unwrap_or(u64::MAX));
                    }
                    // Who is late begins at once, and what it was late counts: it would have begun earlier.
                    let begins = self.pace.map_or(now, |pace| connection.began + pace);
                    let steps = self.take();
                    self.connections[place].begin(steps, begins)?;
                }
            }
        }
        Ok(any)
    }
}

/// What came of a look at a connection.
enum Progress {
    None,
    /// A part of an answer, or one that others follow.
    Some,
    /// The last answer of a walk.
    Done,
}

struct Connection<'a> {
    stream: TcpStream,
    /// The walk, the place of the request under way, and how much of it is written.
    steps: &'a [Step],
    step: usize,
    request: Vec<u8>,
    written: usize,
    slots: Slots,
    /// When the walk began, or is to begin.
    began: Instant,
    is_resting: bool,
    is_before: bool,
    received: Box<[u8]>,
    filled: usize,
    last_body: String,
    answers: u64,
}

impl<'a> Connection<'a> {
    fn open(to: SocketAddr, number: u16, steps: &'a [Step], is_before: bool, begins: Instant) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut connection = Self {
            stream,
            steps,
            step: 0,
            request: Vec::new(),
            written: 0,
            slots: Slots::from([(NUMBER.to_owned(), number.to_string())]),
            began: begins,
            is_resting: false,
            is_before,
            received: vec![0; BUFFER].into_boxed_slice(),
            filled: 0,
            last_body: String::new(),
            answers: 0,
        };
        connection.begin(steps, begins)?;
        Ok(connection)
    }

    /// Begins a walk, now or later.
    fn begin(&mut self, steps: &'a [Step], at: Instant) -> Result<(), Failure> {
        self.steps = steps;
        self.step = 0;
        self.began = at;
        self.is_resting = at > Instant::now();
        if self.is_resting { Ok(()) } else { self.send() }
    }

    /// Takes the answer if it is there, and sends the next request of the walk at once.
    fn poll(&mut self) -> Result<Progress, Failure> {
        if self.is_resting {
            if Instant::now() >= self.began {
                self.is_resting = false;
                self.send()?;
            }
            // Nothing is late while nothing is to come.
            return Ok(Progress::Some);
        }
        if self.written < self.request.len() {
            self.write()?;
            return Ok(Progress::None);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) if self.filled == BUFFER => return Err(format!("an answer of more than {BUFFER} octets").into()),
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::None),
            Err(error) => return Err(error.into()),
        }
        let received = &self.received[..self.filled];
        let Some(answer) = answer::parse(received)? else { return Ok(Progress::Some) };
        if answer.length != received.len() {
            return Err(format!("more than an answer: {}", String::from_utf8_lossy(received)).into());
        }
        self.steps[self.step].receive(answer.status, received, &mut self.slots)?;
        self.answers += 1;
        // One body in a while is enough to look at, and copying each would be work of the client's.
        if self.last_body.is_empty() || self.answers.is_multiple_of(KEEP_EVERY) {
            self.last_body = String::from_utf8_lossy(answer.body).into_owned();
        }
        self.filled = 0;
        self.step += 1;
        if self.step == self.steps.len() {
            return Ok(Progress::Done);
        }
        self.send()?;
        Ok(Progress::Some)
    }

    fn send(&mut self) -> Result<(), Failure> {
        self.steps[self.step].write(&self.slots, &mut self.request);
        self.written = 0;
        self.write()
    }

    fn write(&mut self) -> Result<(), Failure> {
        match self.stream.write(&self.request[self.written..]) {
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
/// The slot that says which connection it is.
const NUMBER: &str = "connection";
