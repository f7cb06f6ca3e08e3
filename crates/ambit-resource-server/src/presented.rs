//! The token a request presents (RFC 6750 §2): in the `Authorization` header, once, and nowhere else.

use ambit_protocol::authorization::{Authorization, AuthorizationError, BearerFault};
use http::{HeaderMap, Uri, header};
use url::form_urlencoded;

use crate::denial::Denial;

/// The token, or none.
///
/// RFC 6750 §2.1 is the only way that is taken. §2.2 (a form) and §2.3 (the URL) are not: RFC 9700 §4.3.2 has URLs end in
/// logs, and OAuth 2.1 dropped both. The body is never read, so a token in it is not seen.
///
/// # Errors
/// [`Denial::Malformed`], or [`Denial::Token`] for what cannot be a token.
pub(crate) fn token<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<Option<&'a str>, Denial> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Denial::malformed(AuthorizationError::Repeated));
    }
    let token = match usual(value.as_bytes()) {
        Some(token) => token,
        None => match Authorization::parse([value.as_bytes()]) {
            Ok(Some(Authorization::Bearer(token))) => token.expose_token(),
            // RFC 6750 §3.1: "attempted using an unsupported authentication method" is as good as no attempt.
            Ok(_) => return Ok(None),
            Err(error) => return refused(error),
        },
    };
    // RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token in each request."
    if is_in_query(uri) {
        return Err(Denial::Malformed("the token is in the Authorization header and in the URL as well".into()));
    }
    Ok(Some(token))
}

/// Whether the URL has a token in it, however its name is spelt.
pub(crate) fn is_in_query(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token"))
}

/// `Bearer`, one space and a text: what nearly every request has. Whether the text is a token is the verifier's question,
/// which answers it faster for one it knows. Anything else is looked at with care.
fn usual(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(7)?;
    let usual = scheme.eq_ignore_ascii_case(b"Bearer ") && !matches!(token, [] | [b' ', ..]) && token.is_ascii();
    // ASCII is UTF-8.
    usual.then(|| str::from_utf8(token).expect("ASCII"))
}

fn refused(error: AuthorizationError) -> Result<Option<&'static str>, Denial> {
    match error.as_bearer() {
        BearerFault::Malformed => Err(Denial::malformed(error)),
        BearerFault::Token => Err(Denial::Token(error.to_string().into())),
        BearerFault::NoAttempt => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).expect("a header"));
        }
        headers
    }

    fn read(value: &[u8]) -> Result<Option<String>, u16> {
        let uri = Uri::from_static("/x");
        token(&headers([value]), &uri).map(|token| token.map(str::to_owned)).map_err(|denial| denial.page().status)
    }

    #[test]
    fn the_scheme_has_any_case_and_any_number_of_spaces_behind_it() {
        for value in ["Bearer a.b-_c", "bearer a.b-_c", "BEARER  a.b-_c", "bEaReR    a.b-_c"] {
            assert_eq!(read(value.as_bytes()), Ok(Some("a.b-_c".to_owned())), "{value}");
        }
        assert_eq!(read(b"Bearer a~+/="), Ok(Some("a~+/=".to_owned())), "other tokens than JWTs");
    }

    #[test]
    fn another_scheme_is_no_token() {
        for value in ["Basic dGlsbC03OnMzY3JldA==", "Basic !", "DPoP abc", "Digest x=1", "", "BearerX", "Bearer,a"] {
            assert_eq!(read(value.as_bytes()), Ok(None), "{value}");
        }
    }

    #[test]
    fn what_is_no_header_is_400_and_what_is_no_token_401() {
        for value in [&b"Bearer"[..], b"Bearer ", b"Bearer \xff", b"\xff"] {
            assert_eq!(read(value), Err(400), "{value:?}");
        }
        for value in ["Bearer  a b", "Bearer  a,b", "Bearer  \"a\"", "Bearer  =", "Bearer  a\tb"] {
            assert_eq!(read(value.as_bytes()), Err(401), "{value:?}");
        }
        // With the one usual space it is the verifier that refuses them, as it does every text that is no token.
        assert_eq!(read(b"Bearer a b"), Ok(Some("a b".to_owned())));
        let oversize = format!("Bearer  {}", "a".repeat(20_000));
        assert_eq!(read(oversize.as_bytes()), Err(401));
    }

    #[test]
    fn two_headers_or_two_methods_are_400() {
        let uri = Uri::from_static("/x");
        let same: &[u8] = b"Bearer a";
        assert_eq!(token(&headers([same, same]), &uri).expect_err("twice").page().status, 400);
        assert_eq!(token(&headers([same, b"Basic eDp5"]), &uri).expect_err("twice").page().status, 400);
        for uri in ["/x?access_token=b", "/x?a=1&access_token=b", "/x?access%5Ftoken=b", "/x?%61ccess_toke%6E"] {
            let uri: Uri = uri.parse().expect("a URL");
            assert_eq!(token(&headers([same]), &uri).expect_err("two methods").page().status, 400, "{uri}");
            assert_eq!(token(&HeaderMap::new(), &uri).expect("ignored"), None, "{uri}");
        }
        for uri in ["/x?access_tokens=b", "/x?x=access_token", "/x?access%5", "/x?Access_token=b", "/access_token"] {
            let uri: Uri = uri.parse().expect("a URL");
            assert_eq!(token(&headers([same]), &uri).expect("another parameter"), Some("a"), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_and_what_comes_out_went_in(
            scheme in "[Bb]earer {0,3}|Basic |\\PC{0,8}",
            rest in proptest::collection::vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..=0xff], 0..64),
        ) {
            // What no header can hold never gets here.
            let value = [scheme.as_bytes(), &rest].concat();
            if let Ok(Some(token)) = read(&value) {
                let text = str::from_utf8(&value).expect("a token is ASCII");
                let (scheme, credentials) = text.split_once(' ').expect("a space behind the scheme");
                prop_assert!(scheme.eq_ignore_ascii_case("bearer"));
                prop_assert_eq!(credentials.trim_start_matches(' '), token);
            }
        }

        #[test]
        fn every_legal_token_is_read_whole(token in "[A-Za-z0-9._~+/-]{1,200}={0,2}", spaces in " {1,4}") {
            prop_assert_eq!(read(format!("Bearer{spaces}{token}").as_bytes()), Ok(Some(token)));
        }

        #[test]
        fn no_query_makes_it_panic(query in "[ -~]{0,40}") {
            if let Ok(uri) = format!("/x?{}", query.replace(['#', ' '], "")).parse::<Uri>() {
                let _ = is_in_query(&uri);
            }
        }
    }
}
