//! Reading the body of a request: how large it may be, and how long it may take.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};

use crate::middleware;

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
}

/// Reads a body of `most` bytes or fewer that comes `within` a time.
///
/// # Errors
/// [`BodyError`].
pub async fn read(body: Body, most: usize, within: Duration) -> Result<Bytes, BodyError> {
    // What was announced as too large is not waited for: who asked `Expect: 100-continue` need not send it.
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLarge { most });
    }
    // Most bodies came together with their head.
    let read = middleware::within(within, Limited::new(body, most).collect()).await;
    let read = read.map_err(|_| BodyError::TooSlow { within })?;
    read.map(Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() { BodyError::TooLarge { most } } else { BodyError::BrokenOff }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

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
}
