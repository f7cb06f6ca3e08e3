//! One connection: what it is at, how long it may be at it, and how it ends.
//!
//! Its state is a few numbers. Whoever reads, writes or answers sets them; the task of the connection compares them with the
//! limits when it is awake anyway, and has one timer for all of them. A request costs no timer of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "spans of time are measured by the clock that never jumps; moments come from `Clock`"
)]

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures_util::task::AtomicWaker;
use http_body::{Frame, SizeHint};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::config::Limits;

/// How long a connection may be at what it is at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// From the first octet of a head to its last.
    head: Duration,
    /// Without a request.
    idle: Duration,
    /// From the head to the answer; and again for the caller to take it.
    answer: Duration,
}

impl Times {
    pub(super) fn of(limits: &Limits) -> Self {
        Self { head: limits.header_timeout, idle: limits.idle_timeout, answer: limits.request_timeout }
    }
}

/// A connection, as its task and those who may end it see it. Moments are milliseconds since `epoch`, which all connections of
/// a listener share.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    epoch: Instant,
    /// Requests whose answers are not yet handed over.
    at_work: AtomicU32,
    /// When the last request came or the last answer ended, whichever was later.
    since: AtomicU64,
    /// When the first octet of a head came that is not whole yet.
    head_since: AtomicU64,
    /// When the peer last had no room for what we have for it.
    blocked_since: AtomicU64,
    /// When it was asked to leave.
    leaving_since: AtomicU64,
    /// Whether somebody waits for its place.
    is_wanted: AtomicBool,
    /// Whether it was told to end at once.
    is_cut: AtomicBool,
    is_http2: AtomicBool,
    /// Requests in a row that the caller took back before their answers were handed over.
    taken_back: AtomicU32,
    task: AtomicWaker,
}

/// Why a connection was ended from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// It had no request for too long.
    Idle,
    /// A head took too long.
    Head,
    /// An answer was not taken.
    Unread,
    /// It was asked to leave, and nothing was at work on it.
    Left,
}

impl Connection {
    pub(super) fn new(peer: SocketAddr, epoch: Instant) -> Self {
        let connection = Self {
            peer,
            epoch,
            at_work: AtomicU32::new(0),
            since: AtomicU64::new(0),
            head_since: AtomicU64::new(NEVER),
            blocked_since: AtomicU64::new(NEVER),
            leaving_since: AtomicU64::new(NEVER),
            is_wanted: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            taken_back: AtomicU32::new(0),
            task: AtomicWaker::new(),
        };
        connection.since.store(connection.now(), Ordering::Relaxed);
        connection
    }

    /// Asks it to end as [`ask_to_leave`](Self::ask_to_leave) does, and without a long goodbye.
    pub(super) fn make_room(&self) {
        self.is_wanted.store(true, Ordering::Release);
        self.ask_to_leave();
    }

    /// Asks it to end: behind its requests, or now if there are none.
    pub(super) fn ask_to_leave(&self) {
        if !self.is_leaving() {
            self.leaving_since.store(self.now(), Ordering::Release);
            self.task.wake();
        }
    }

    /// Ends it, whatever is at work on it.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.task.wake();
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving_since.load(Ordering::Acquire) != NEVER
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::Acquire) > 0
    }

    /// The order in which connections make room: those without a request first, and of these those idle longest.
    pub(super) fn claim(&self) -> (bool, u64) {
        (self.is_at_work(), self.since.load(Ordering::Relaxed))
    }

    /// It speaks HTTP/2, on which other frames than those of a head may come at any time.
    pub(super) fn set_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// Comes when it was asked to leave or cut. For what is done before HTTP is spoken.
    pub(super) async fn left(&self) {
        poll_fn(|context| {
            self.task.register(context.waker());
            if self.is_leaving() || self.is_cut.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The head of a request is whole.
    pub(super) fn begin(self: &Arc<Self>) -> Work {
        let arrived = match self.head_since.swap(NEVER, Ordering::Relaxed) {
            NEVER => self.now(),
            head_since => head_since,
        };
        self.since.fetch_max(arrived, Ordering::Relaxed);
        self.at_work.fetch_add(1, Ordering::AcqRel);
        Work { connection: self.clone(), is_answered: false }
    }

    fn now(&self) -> u64 {
        // In 500 million years.
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(NEVER)
    }

    fn moment(&self, millis: u64) -> Instant {
        self.epoch + Duration::from_millis(millis)
    }

    /// Octets came.
    fn has_read(&self) {
        if !self.is_at_work() && self.head_since.load(Ordering::Relaxed) == NEVER {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The peer has no room.
    fn is_blocked(&self) {
        if self.blocked_since.load(Ordering::Relaxed) == NEVER {
            self.blocked_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// The peer has taken all there was.
    fn has_written(&self) {
        if self.blocked_since.load(Ordering::Relaxed) != NEVER {
            self.blocked_since.store(NEVER, Ordering::Relaxed);
        }
    }

    /// When it must end unless something happens, and why.
    fn due(&self, times: &Times) -> (u64, Over) {
        let after =
            |moment: u64, time: Duration| moment.saturating_add(u64::try_from(time.as_millis()).unwrap_or(NEVER));
        let since = self.since.load(Ordering::Relaxed);
        let mut due = if self.is_at_work() {
            // Answers are made within their time, so what is still at work after twice that time waits for the caller.
            (after(since, times.answer * 2), Over::Unread)
        } else {
            let head_since = self.head_since.load(Ordering::Relaxed);
            let leaving_since = self.leaving_since.load(Ordering::Acquire);
            let idle = (after(since, times.idle), Over::Idle);
            // On HTTP/2 other frames come at any time: while a head is not whole, the connection is idle.
            let is_http2 = self.is_http2.load(Ordering::Relaxed);
            let head = if is_http2 { idle } else { (after(head_since, times.head), Over::Head) };
            let farewell = if is_http2 && !self.is_wanted.load(Ordering::Acquire) { FAREWELL } else { Duration::ZERO };
            let left = match leaving_since {
                NEVER => (NEVER, Over::Left),
                leaving_since => (after(leaving_since.max(since), farewell), Over::Left),
            };
            [idle, head, left].into_iter().min_by_key(|(at, _)| *at).unwrap_or(idle)
        };
        // Not by what it takes bit by bit, but by when it has taken all: who reads an octet a second reads too slowly.
        let unread = after(self.blocked_since.load(Ordering::Relaxed), times.answer);
        if unread < due.0 {
            due = (unread, Over::Unread);
        }
        due
    }
}

/// Speaks HTTP on a connection until it ends by itself, by its times, or because it was asked to.
pub(super) async fn speak<C>(connection: &Connection, http: C, times: &Times)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let mut http = pin!(http);
    let (first_due, _) = connection.due(times);
    let mut timer = pin!(tokio::time::sleep_until(connection.moment(first_due)));
    let mut said_goodbye = false;
    poll_fn(|context| {
        connection.task.register(context.waker());
        if connection.is_cut.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if connection.is_leaving() && !said_goodbye {
            said_goodbye = true;
            http.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(outcome) = http.as_mut().poll(context) {
            if let Err(error) = outcome {
                tracing::debug!(peer = %connection.peer, %error, "a connection ended by an error");
            }
            return Poll::Ready(());
        }
        loop {
            let (due, over) = connection.due(times);
            let due = connection.moment(due);
            // A timer that rings early is set anew; only one that would ring late must be moved.
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if due <= Instant::now() {
                tracing::debug!(peer = %connection.peer, ?over, "a connection was ended");
                if over == Over::Idle {
                    // RFC 9113 §6.8: endpoints "SHOULD always send a GOAWAY frame before closing a connection". Whether it is
                    // heard changes nothing.
                    http.as_mut().graceful_shutdown();
                    let _ = http.as_mut().poll(context);
                }
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    })
    .await;
}

/// A request at work, from the end of its head to the end of its answer.
#[derive(Debug)]
pub(super) struct Work {
    connection: Arc<Connection>,
    is_answered: bool,
}

impl Work {
    /// The answer is made; what is left is to hand it over.
    pub(super) fn answered(self, body: Body) -> Answer {
        Answer { body, work: self }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let connection = &*self.connection;
        // The moment first: whoever sees that nothing is at work must not see since when something was.
        connection.since.fetch_max(connection.now(), Ordering::Relaxed);
        connection.at_work.fetch_sub(1, Ordering::AcqRel);
        if self.is_answered {
            connection.taken_back.store(0, Ordering::Relaxed);
        } else if connection.taken_back.fetch_add(1, Ordering::Relaxed) >= MOST_TAKEN_BACK {
            connection.cut();
        }
        if connection.is_http2.load(Ordering::Relaxed) {
            // Its requests have tasks of their own; the connection's must learn that it may be idle now.
            connection.task.wake();
        }
    }
}

/// The body of an answer, which ends the work when it has been handed over.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    work: Work,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Somebody who takes a request back does not take the answer, though it may have been made.
        self.work.is_answered = self.body.is_end_stream();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The octets of a connection, and what they say about it.
#[derive(Debug)]
pub(super) struct Octets<I> {
    io: I,
    connection: Arc<Connection>,
    is_first: bool,
}

impl<I> Octets<I> {
    pub(super) fn of(io: I, connection: Arc<Connection>) -> Self {
        Self { io, connection, is_first: true }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Octets<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            // RFC 9113 §3.4: the preface begins with what is no request of HTTP/1.
            if std::mem::take(&mut self.is_first) && read.starts_with(b"PRI ") {
                self.connection.set_http2();
            }
            self.connection.has_read();
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> Octets<I> {
    fn note(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if polled.is_pending() {
            self.connection.is_blocked();
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Octets<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(context, octets);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(context, octets);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(context);
        // HTTP flushes when it has nothing more to write.
        match polled {
            Poll::Ready(_) => self.connection.has_written(),
            Poll::Pending => self.connection.is_blocked(),
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

const NEVER: u64 = u64::MAX;
/// How long an HTTP/2 connection without a request has for its goodbye: GOAWAY, and what was on its way before that was heard.
const FAREWELL: Duration = Duration::from_millis(500);
/// CVE-2023-44487: a stream that is opened and reset at once costs us more than the caller, and counts to no limit on streams.
const MOST_TAKEN_BACK: u32 = 100;
