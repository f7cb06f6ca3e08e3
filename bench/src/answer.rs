//! Where an HTTP/1.1 answer ends, and what it says: as much of RFC 9112 as a server on loopback needs to be measured.

use crate::Failure;

/// An answer that has arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    /// Octets of head and body.
    pub(crate) length: usize,
}

/// The answer at the start of these octets; none if it has not arrived whole.
///
/// # Errors
/// What is not HTTP/1.1 with a `Content-Length`.
pub(crate) fn parse(octets: &[u8]) -> Result<Option<Answer<'_>>, Failure> {
    let Some(head_len) = octets.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let head = &octets[..head_len];
    let status = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("not an HTTP/1.1 answer: {:?}", String::from_utf8_lossy(head)))?;
    let body_len = match content_length(head) {
        Some(length) => length?,
        None if status == 204 => 0,
        None => return Err("an answer without Content-Length".into()),
    };
    let length = head_len + body_len;
    Ok(octets.get(head_len..length).map(|body| Answer { status, body, length }))
}

fn content_length(head: &[u8]) -> Option<Result<usize, Failure>> {
    head.split(|octet| *octet == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        let value = name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii())?;
        Some(
            std::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or("a strange Content-Length".into()),
        )
    })
}

const NAME: &[u8] = b"content-length:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_when_its_last_octet_is() {
        let octets = b"HTTP/1.1 200 OK\r\nContent-LENGTH: 2\r\n\r\n{}HTTP/1.1";
        let whole = octets.len() - "HTTP/1.1".len();
        assert_eq!(parse(octets).unwrap(), Some(Answer { status: 200, body: b"{}", length: whole }));
        for short in 0..whole {
            assert_eq!(parse(&octets[..short]).unwrap(), None, "{short}");
        }
    }

    #[test]
    fn without_a_length_there_is_no_telling_where_it_ends() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
        assert_eq!(parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().status, 204);
    }

    #[test]
    fn another_protocol_is_an_error() {
        assert!(parse(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
