//! Row numbers are those of the catalogue of abuse cases for redirect URIs and authorization responses.

use proptest::prelude::*;

use super::*;

fn register(raw: &str) -> Result<RedirectUriKind, RedirectUriError> {
    raw.parse::<RedirectUri>().map(|uri| {
        assert_eq!(uri.as_str(), raw, "kept to the octet");
        uri.kind()
    })
}

fn registered(raw: &str) -> RedirectUri {
    raw.parse().expect(raw)
}

fn assert_refused(raw: &str, error: RedirectUriError) {
    assert_eq!(register(raw), Err(error), "{raw:?}");
}

#[test]
fn the_three_kinds_can_be_registered() {
    for raw in [
        "https://app.example/cb",
        "https://app.example",
        "https://app.example/",
        "https://app.example?x=1",
        "https://app.example:8443/cb",
        "https://app.example:443/cb",
        "https://localhost/cb",
        "https://xn--bcher-kva.example/cb",
        "https://app.example/a//b;c=1/~x/%C3%A4?next=%2Fhome%20x&y='",
        "https://app.example/...",
        "https://app.example/.well-known/cb",
    ] {
        assert_eq!(register(raw), Ok(RedirectUriKind::Https), "{raw}");
    }
    for raw in
        ["http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]/cb?x", "http://[::1]:1", "http://127.0.0.1"]
    {
        assert_eq!(register(raw), Ok(RedirectUriKind::Loopback), "{raw}");
    }
    for raw in ["com.example.app:/cb", "com.example.app://cb/x", "com.example-2.app:/"] {
        assert_eq!(register(raw), Ok(RedirectUriKind::PrivateUse), "{raw}");
    }
}

#[test]
fn row_42_a_path_that_is_nearly_right_is_another_one() {
    let uri = registered("https://app.example/cb");
    assert!(uri.matches("https://app.example/cb"));
    for other in [
        "https://app.example/cb/../evil",
        "https://app.example/cb/..%2fevil",
        "https://app.example/cb%2f..",
        "https://app.example/cb//",
        "https://app.example/cb/;x",
        "https://app.example/cb/.",
        "https://app.example/cb%00",
        "https://app.example/cb?x",
        "https://app.example/cb?",
        "https://app.example/cb#x",
        "https://app.example/cb#",
        "https://app.example/cb/",
        "https://app.example/c",
        "https://app.example/%63b",
        "https://app.example:443/cb",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "http://app.example/cb",
        " https://app.example/cb",
        "https://app.example/cb ",
        "",
    ] {
        assert!(!uri.matches(other), "{other:?}");
    }
}

#[test]
fn row_42_what_a_server_may_read_as_another_path_is_not_registered() {
    for raw in [
        "https://app.example/cb/../evil",
        "https://app.example/cb/.",
        "https://app.example/..",
        "https://app.example/cb/..;/evil",
        "http://127.0.0.1/../cb",
        "com.example.app:/a/../b",
        "com.example.app://../b",
    ] {
        assert_refused(raw, RedirectUriError::DotSegment);
    }
    for raw in [
        "https://app.example/cb/..%2fevil",
        "https://app.example/cb%2F..x",
        "https://app.example/%2e%2E/evil",
        "https://app.example/cb%5cevil",
        "https://app.example/%252e",
        "http://[::1]/%2e",
        "com.example.app:/%2f",
    ] {
        assert_refused(raw, RedirectUriError::EscapedSeparator);
    }
    for raw in [
        "https://app.example/cb%00",
        "https://app.example/cb?a=%0d%0aX:y",
        "https://app.example/%7f",
        "https://app.example/%c0%ae",
        "https://app.example/?%ff",
        "http://127.0.0.1/%09",
        "com.example.app:/%1f",
    ] {
        assert_refused(raw, RedirectUriError::EscapedControl);
    }
    for raw in ["https://app.example/cb#x", "https://app.example/cb#", "com.example.app:/#"] {
        assert_refused(raw, RedirectUriError::Fragment);
    }
}

#[test]
fn row_43_user_info_and_look_alike_authorities_neither_match_nor_register() {
    let uri = registered("https://good.example/cb");
    for raw in [
        "https://good.example@evil.example/cb",
        "https://evil.example#good.example",
        "https://good.example\\@evil.example",
        "https://good.example:x@evil.example/cb",
        "https://@good.example/cb",
    ] {
        assert!(!uri.matches(raw), "{raw}");
        assert!(register(raw).is_err(), "{raw}");
    }
    assert_refused("https://good.example@evil.example/cb", RedirectUriError::UserInfo);
    assert_refused("https://@good.example/cb", RedirectUriError::UserInfo);
    assert_refused("com.example.app://a@b/cb", RedirectUriError::PrivateUse);
}

#[test]
fn row_45_there_are_no_patterns() {
    let uri = registered("https://app.example/a.b+(c)?d=e");
    assert!(uri.matches("https://app.example/a.b+(c)?d=e"));
    for other in ["https://app.example/axb+(c)?d=e", "https://app.example/a.bbc?d=e", "https://appxexample/a.b+(c)?d=e"]
    {
        assert!(!uri.matches(other), "{other}");
    }
    for raw in [
        "https://*.app.example/cb",
        "https://app.example/*",
        "https://app.example/cb?x=*",
        "*",
        "http://127.0.0.1:*/cb",
    ] {
        assert_refused(raw, RedirectUriError::Wildcard);
    }
}

#[test]
fn row_46_characters_that_no_uri_has_are_refused() {
    for raw in [
        "https:\\\\evil.example",
        "https:/\\evil.example",
        "https://app.example\\cb",
        "https://app.example/\tcb",
        "https://app.example/cb\r\nX: y",
        "https://app.example/c b",
        " https://app.example/cb",
        "https://app.example/cb\n",
        "https://app.example\u{ff0f}cb",
        "https://app.example/cb\0",
        "https://app.example/<cb>",
        "https://app.example/%zz",
        "https://app.example/%2",
        "https://app.example/a[0]",
        "https://app.example/?a[]=1",
        "http://127.0.0.1/[",
        "com.example.app://[x/cb",
    ] {
        assert_refused(raw, RedirectUriError::Characters);
    }
    for raw in [
        "https://%65vil.example/cb",
        "https:///evil",
        "https:/evil",
        "https:evil",
        "https://",
        "https://?x",
        "https://a_b.example/",
    ] {
        assert_refused(raw, RedirectUriError::Host);
    }
    for raw in ["", "///evil", "//evil.example/cb", "/cb", "cb", "app.example/cb", ":", "1a.b:/x"] {
        assert_refused(raw, RedirectUriError::Scheme);
    }
}

#[test]
fn row_47_only_the_schemes_of_the_allow_list_pass() {
    for scheme in
        ["javascript", "JaVaScRiPt", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "HTTPS", "Https"]
    {
        assert_refused(&format!("{scheme}://app.example/cb"), RedirectUriError::Scheme);
    }
    assert_refused("javascript:alert(1)", RedirectUriError::Scheme);
    assert_refused("data:text/html;base64,eA==", RedirectUriError::Scheme);
    assert_refused(" javascript:alert(1)", RedirectUriError::Characters);
    assert_refused("java\tscript:alert(1)", RedirectUriError::Characters);
    assert_refused("blob:https://app.example/x", RedirectUriError::Scheme);
}

#[test]
fn row_49_of_a_loopback_address_only_the_port_may_differ() {
    let uri = registered("http://127.0.0.1:8080/cb?x=1");
    for same in ["http://127.0.0.1/cb?x=1", "http://127.0.0.1:1/cb?x=1", "http://127.0.0.1:65535/cb?x=1"] {
        assert!(uri.matches(same), "{same}");
    }
    for other in [
        "http://127.0.0.1:8080/cb",
        "http://127.0.0.1:8080/cb?x=2",
        "http://127.0.0.1:8080/cb/?x=1",
        "http://127.0.0.1:8080/other?x=1",
        "http://localhost:8080/cb?x=1",
        "http://127.0.0.2:8080/cb?x=1",
        "http://[::1]:8080/cb?x=1",
        "http://127.0.0.1.evil.example/cb?x=1",
        "http://127.0.0.1@evil.example/cb?x=1",
        "http://127.0.0.1:8080@evil.example/cb?x=1",
        "http://user@127.0.0.1:8080/cb?x=1",
        "https://127.0.0.1:8080/cb?x=1",
        "HTTP://127.0.0.1:8080/cb?x=1",
        "http://127.1:8080/cb?x=1",
        "http://2130706433:8080/cb?x=1",
        "http://127.0.0.1:/cb?x=1",
        "http://127.0.0.1:0/cb?x=1",
        "http://127.0.0.1:080/cb?x=1",
        "http://127.0.0.1:+80/cb?x=1",
        "http://127.0.0.1:65536/cb?x=1",
        "http://127.0.0.1:8080\\@evil.example/cb?x=1",
    ] {
        assert!(!uri.matches(other), "{other}");
    }
    let six = registered("http://[::1]/cb");
    assert!(six.matches("http://[::1]:50000/cb"));
    assert!(!six.matches("http://[::2]:50000/cb") && !six.matches("http://127.0.0.1:50000/cb"));
    assert!(!six.matches("http://[0:0:0:0:0:0:0:1]/cb"));
}

#[test]
fn row_49_the_port_of_a_host_name_may_not_differ() {
    assert!(!registered("https://localhost:8443/cb").matches("https://localhost:8444/cb"));
    assert!(!registered("com.example.app://x:1/cb").matches("com.example.app://x:2/cb"));
}

#[test]
fn row_50_plain_http_ip_addresses_and_schemes_without_a_dot_are_refused() {
    for raw in [
        "http://app.example/cb",
        "http://localhost/cb",
        "http://localhost:3000/cb",
        "http://127.0.0.2/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://user@127.0.0.1/cb",
        "http://[::ffff:127.0.0.1]/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:99999/cb",
        "http:/127.0.0.1/cb",
        "http:",
    ] {
        assert_refused(raw, RedirectUriError::PlainHttp);
    }
    for raw in [
        "https://192.0.2.1/cb",
        "https://[2001:db8::1]/cb",
        "https://2130706433/cb",
        "https://0x7f.1/cb",
        "https://127.1/cb",
    ] {
        assert_refused(raw, RedirectUriError::IpAddress);
    }
    for raw in
        ["myapp:/cb", "myapp://cb", "x-y:/cb", "com.:/cb", ".app:/cb", "com..app:/cb", "Com.Example:/cb", "a+b.c:/cb"]
    {
        assert_refused(raw, RedirectUriError::Scheme);
    }
    for raw in ["com.example.app://a:99999/", "com.example.app:", "com.example.app:cb", "com.example.app:?x"] {
        assert_refused(raw, RedirectUriError::PrivateUse);
    }
    for raw in [
        "https://app.example:/cb",
        "https://app.example:0/cb",
        "https://app.example:65536/cb",
        "https://app.example:8x/cb",
        "https://a:1:2/",
    ] {
        assert_refused(raw, RedirectUriError::Port);
    }
}

#[test]
fn row_59_a_host_is_ascii_and_in_one_form_only() {
    for raw in [
        "https://\u{430}pp.example/cb",
        "https://stra\u{df}e.example/cb",
        "https://app\u{202e}.example/cb",
        "https://app.example\u{3002}evil/cb",
    ] {
        assert_refused(raw, RedirectUriError::Characters);
    }
    // A Punycode label that decodes to ASCII, one that is broken, upper case, empty labels.
    for raw in [
        "https://xn--app-.example/cb",
        "https://xn--\u{30}.example/cb",
        "https://App.example/cb",
        "https://app..example/cb",
        "https://app.example./cb",
        "https://.example/cb",
    ] {
        assert_refused(raw, RedirectUriError::Host);
    }
}

#[test]
fn row_61_nothing_matches_by_its_beginning() {
    let uri = registered("https://app.example");
    for other in ["https://app.example.evil", "https://app.example/", "https://app.example@evil", "https://app.exampl"]
    {
        assert!(!uri.matches(other), "{other}");
    }
}

#[test]
fn the_length_is_limited_exactly() {
    let of_len = |len: usize| format!("https://app.example/{}", "a".repeat(len - 20));
    assert!(register(&of_len(MAX_REDIRECT_URI_LEN - 1)).is_ok());
    assert!(register(&of_len(MAX_REDIRECT_URI_LEN)).is_ok());
    assert_refused(&of_len(MAX_REDIRECT_URI_LEN + 1), RedirectUriError::TooLong);
}

#[test]
fn it_is_a_string_in_json_and_checked_when_read() {
    let uri: RedirectUri = serde_json::from_str("\"https://app.example/cb\"").expect("valid");
    assert_eq!(serde_json::to_string(&uri).expect("json"), "\"https://app.example/cb\"");
    assert!(serde_json::from_str::<RedirectUri>("\"javascript:alert(1)\"").is_err());
}

proptest! {
    #[test]
    fn any_text_is_registered_or_refused(raw in "\\PC*|(https://|http://|[a-z.]{1,8}:/|127.0.0.1|\\[::1\\]|[a-z./?:@%#\\\\]|%[0-9a-f]{2}){0,30}") {
        if let Ok(uri) = raw.parse::<RedirectUri>() {
            prop_assert!(uri.matches(&raw));
            // What was let pass is read by the URL standard's parser as it was read here.
            let url = Url::parse(&raw).expect("a URL");
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            prop_assert_eq!(url.scheme(), raw.split(':').next().expect("a scheme"));
            prop_assert!(raw.contains(url.path()) || url.path() == "/");
        }
    }

    #[test]
    fn only_the_same_octets_match(host in "[a-z]{1,8}", path in "[a-z/]{0,8}", other in "https://[a-z]{1,8}/[a-z/]{0,8}") {
        let uri = registered(&format!("https://{host}/{path}"));
        prop_assert_eq!(uri.matches(&other), uri.as_str() == other);
    }

    #[test]
    fn any_port_of_a_loopback_address_matches(registered_port in 1u16.., presented_port in 1u16.., path in "(/[a-z]{0,5}){0,3}") {
        let uri = registered(&format!("http://127.0.0.1:{registered_port}{path}"));
        let presented = format!("http://127.0.0.1:{presented_port}{path}");
        prop_assert!(uri.matches(&presented));
        let longer = format!("{presented}x");
        prop_assert!(!uri.matches(&longer));
    }
}
