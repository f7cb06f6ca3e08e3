//! Reading the body of a request: how large it may be, and how long it may take.
//!
//! A body that is not there yet keeps nobody else from being served: while it is waited for, its request gives its place among
//! those at work back, and takes one again when the body is there. What waits is bounded by the memory it takes instead
//! ([`WaitingBodies`]), so that a thousand slow callers cost a few megabytes and no place.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ambit_core::page::{self, Page};
use axum::body::{Body, HttpBody as _};
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use bytes::{Bytes, BytesMut};

use crate::middleware::{Place, RequestContext};
use crate::state::App;

/// Why a body was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is too large. Of what is beyond the limit nothing is kept, and where its size was announced nothing is read.
    #[error("the body is larger than the {most} bytes that this endpoint takes")]
    TooLarge {
        /// The limit, in bytes.
        most: usize,
    },
    /// It was not there in time.
    #[error("the body did not arrive within {within:?}")]
    TooSlow {
        /// The limit.
        within: Duration,
    },
    /// The caller broke off, or sent something else than it announced.
    #[error("the body ended before it was whole")]
    BrokenOff,
    /// While it was waited for, or when it was there at last, too many others were at work.
    #[error("too many requests at once; try again")]
    Busy,
}

impl BodyError {
    /// The page about it, where no endpoint has one of its own.
    pub(crate) const fn page(&self) -> &'static Page {
        match self {
            Self::TooLarge { .. } => &page::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => &page::REQUEST_TOO_SLOW,
            Self::BrokenOff => &page::INVALID_REQUEST,
            Self::Busy => &page::UNAVAILABLE,
        }
    }
}

/// Whether a body is said to be a form. Type and subtype are case-insensitive, and parameters may follow (RFC 9110 §8.3.1).
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = media_type.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// Reads a body of `most` bytes or fewer that comes within the time for it. `extensions` are those of its request.
///
/// # Errors
/// [`BodyError`].
pub async fn read(app: &App, extensions: &Extensions, body: Body, most: usize) -> Result<Bytes, BodyError> {
    let place = extensions.get::<RequestContext>().and_then(|context| context.place.as_deref());
    read_within(body, most, app.config.limits.body_timeout, &app.waiting_bodies, place).await
}

async fn read_within(
    body: Body,
    most: usize,
    within: Duration,
    room: &WaitingBodies,
    place: Option<&Place>,
) -> Result<Bytes, BodyError> {
    // What was announced as too large is not waited for: who asked `Expect: 100-continue` need not send it.
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLarge { most });
    }
    let mut gathered = Gathered { body, most, first: Bytes::new(), all: BytesMut::new() };
    // Most bodies came together with their head.
    match poll_fn(|context| Poll::Ready(gathered.poll_whole(context))).await {
        Poll::Ready(read) => read,
        Poll::Pending => {
            let mut taken = Taken { room, bytes: 0 };
            taken.grow_to(PER_REQUEST + gathered.len())?;
            if let Some(place) = place {
                place.give_back();
            }
            let waiting = poll_fn(|context| match gathered.poll_whole(context) {
                Poll::Ready(read) => Poll::Ready(read),
                Poll::Pending => match taken.grow_to(PER_REQUEST + gathered.len()) {
                    Ok(()) => Poll::Pending,
                    Err(busy) => Poll::Ready(Err(busy)),
                },
            });
            let read = tokio::time::timeout(within, waiting).await.map_err(|_| BodyError::TooSlow { within })??;
            if place.is_some_and(|place| !place.take_again()) {
                return Err(BodyError::Busy);
            }
            Ok(read)
        }
    }
}

/// What is there of a body.
struct Gathered {
    body: Body,
    most: usize,
    /// The first piece as it came, which is nearly always the whole.
    first: Bytes,
    /// All pieces, where there are several.
    all: BytesMut,
}

impl Gathered {
    fn len(&self) -> usize {
        self.all.len().max(self.first.len())
    }

    /// The whole body, once it is there.
    fn poll_whole(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, BodyError>> {
        while !self.body.is_end_stream() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { break };
            // What is no data are trailers, which nobody here reads.
            if let Ok(piece) = frame.map_err(|_| BodyError::BrokenOff)?.into_data() {
                self.add(piece)?;
            }
        }
        let first = std::mem::take(&mut self.first);
        Poll::Ready(Ok(if self.all.is_empty() { first } else { std::mem::take(&mut self.all).freeze() }))
    }

    fn add(&mut self, piece: Bytes) -> Result<(), BodyError> {
        if self.len() + piece.len() > self.most {
            return Err(BodyError::TooLarge { most: self.most });
        }
        if self.len() == 0 {
            self.first = piece;
            return Ok(());
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&piece);
        Ok(())
    }
}

/// Room for bodies that are not all there, in bytes.
#[derive(Debug)]
pub struct WaitingBodies {
    left: AtomicUsize,
}

impl WaitingBodies {
    /// So much room.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }
}

/// What one body has of the room, for as long as it waits.
struct Taken<'a> {
    room: &'a WaitingBodies,
    bytes: usize,
}

impl Taken<'_> {
    fn grow_to(&mut self, bytes: usize) -> Result<(), BodyError> {
        let more = bytes.saturating_sub(self.bytes);
        let take = |left: usize| left.checked_sub(more);
        self.room.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map_err(|_| BodyError::Busy)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// What a request takes beside its body.
const PER_REQUEST: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    async fn read(body: Body, most: usize, within: Duration) -> Result<Bytes, BodyError> {
        let room = WaitingBodies::new(64 * 1024);
        let read = read_within(body, most, within, &room, None).await;
        assert_eq!(room.left.into_inner(), 64 * 1024, "all of the room is given back");
        read
    }

    async fn read_text(text: &'static str, most: usize) -> Result<Bytes, BodyError> {
        read(Body::from(text), most, LONG).await
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_beyond() {
        assert_eq!(read_text("", 0).await, Ok(Bytes::new()));
        assert_eq!(read_text("abc", 4).await.as_deref(), Ok(&b"abc"[..]));
        assert_eq!(read_text("abcd", 4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(read_text("abcde", 4).await, Err(BodyError::TooLarge { most: 4 }));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_counted_as_it_comes() {
        let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'a'; 1024])));
        let answer = read(Body::from_stream(endless), 4096, LONG).await;
        assert_eq!(answer, Err(BodyError::TooLarge { most: 4096 }));
    }

    #[tokio::test]
    async fn pieces_are_put_together_in_their_order_and_counted_as_one() {
        let of = |pieces: &[&'static str]| {
            let pieces: Vec<_> =
                pieces.iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes()))).collect();
            Body::from_stream(futures_util::stream::iter(pieces))
        };
        assert_eq!(read(of(&["", "a", "", "bc", "d"]), 4, LONG).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(read(of(&["abc"]), 4, LONG).await.as_deref(), Ok(&b"abc"[..]));
        assert_eq!(read(of(&["", ""]), 4, LONG).await, Ok(Bytes::new()));
        assert_eq!(read(of(&["ab", "cd", "e"]), 4, LONG).await, Err(BodyError::TooLarge { most: 4 }));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for_longer_than_its_time() {
        let silent = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let within = Duration::from_millis(20);
        assert_eq!(read(silent, 4096, within).await, Err(BodyError::TooSlow { within }));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_not_taken_for_a_short_one() {
        let pieces = [Ok(Bytes::from_static(b"grant_type=")), Err(std::io::Error::other("gone"))];
        let answer = read(Body::from_stream(futures_util::stream::iter(pieces)), 4096, LONG).await;
        assert_eq!(answer, Err(BodyError::BrokenOff));
    }

    #[tokio::test]
    async fn a_body_in_pieces_may_wait_as_long_as_there_is_room_for_what_is_there_of_it() {
        let read = async |room: usize| {
            let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'a'; 1024]));
            let (sender, mut pieces) = tokio::sync::mpsc::unbounded_channel();
            let body = Body::from_stream(futures_util::stream::poll_fn(move |context| pieces.poll_recv(context)));
            let room = WaitingBodies::new(room);
            let mut reading = pin!(read_within(body, 4096, LONG, &room, None));
            for _ in 0..2 {
                sender.send(piece()).expect("a reader");
                let polled = poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await;
                if let Poll::Ready(read) = polled {
                    return read;
                }
            }
            drop(sender);
            reading.await
        };
        assert_eq!(read(PER_REQUEST + 2048).await.map(|body| body.len()), Ok(2048));
        assert_eq!(read(PER_REQUEST + 2047).await, Err(BodyError::Busy));
        assert_eq!(read(PER_REQUEST - 1).await, Err(BodyError::Busy));
    }
}
