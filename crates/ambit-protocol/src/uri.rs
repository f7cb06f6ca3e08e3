//! The grammar of URIs (RFC 3986) as far as redirect URIs, origins and resource indicators need it: decided on the raw
//! text, before any parser gets to interpret it.

/// Whether a text has only characters that a URI may have, and every `%` starts an escape (RFC 3986 §2).
pub(crate) fn has_only_uri_characters(text: &str) -> bool {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let legal = match byte {
            b'%' => {
                let mut is_digit = || rest.next().and_then(hex_digit).is_some();
                is_digit() && is_digit()
            }
            other => other.is_ascii_alphanumeric() || PUNCTUATION.contains(&other),
        };
        if !legal {
            return false;
        }
    }
    true
}

/// The scheme a URI starts with, without its `:`; none if it starts with anything else (RFC 3986 §3.1).
pub(crate) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let starts_with_letter = bytes.next().is_some_and(|first| first.is_ascii_alphabetic());
    let legal = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (starts_with_letter && legal).then_some(scheme)
}

/// The value of a hexadecimal digit of either case.
pub(crate) const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986 §2.2 and §2.3: gen-delims, sub-delims and the unreserved characters that are neither letter nor digit.
const PUNCTUATION: &[u8] = b":/?#[]@!$&'()*+,;=-._~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_of_a_uri_are_those_of_rfc_3986() {
        assert!(has_only_uri_characters("https://a.b:1/c?d=e&f#g[]@!$'()*+,;=-_~%2F"));
        for bad in
            [" ", "\"", "<", ">", "\\", "^", "`", "{", "|", "}", "\t", "\0", "\u{7f}", "\u{e9}", "%", "%2", "%2g", "a%"]
        {
            assert!(!has_only_uri_characters(bad), "{bad}");
        }
    }

    #[test]
    fn a_scheme_starts_with_a_letter() {
        assert_eq!(scheme("https://x"), Some("https"));
        assert_eq!(scheme("a+b-c.1:x"), Some("a+b-c.1"));
        for bad in ["", ":", "1a:", "a b:", "/a:b", "x", "\u{e9}:"] {
            assert_eq!(scheme(bad), None, "{bad}");
        }
    }
}
