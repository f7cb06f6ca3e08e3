use proptest::prelude::*;

use super::*;

const RULES: ParamRules =
    ParamRules::new(&["grant_type", "scope", "client_id", "client_secret", "resource"]).with_repeatable(&["resource"]);

fn parse(input: &str) -> Result<Params<'_>, ParamsError> {
    Params::parse(input.as_bytes(), RULES)
}

fn text(input: &[u8]) -> String {
    let error = Params::parse(input, RULES).expect_err("refused");
    assert_eq!(error.code(), ErrorCode::InvalidRequest);
    error.to_string()
}

#[test]
fn an_ordinary_request_is_read_without_copying() {
    let params = parse("grant_type=client_credentials&scope=pos.read&client_id=till-7").expect("valid");
    assert_eq!(params.get("grant_type"), Some("client_credentials"));
    assert_eq!(params.get("scope"), Some("pos.read"));
    assert_eq!(params.get("client_id"), Some("till-7"));
    assert_eq!(params.get("resource"), None);
    assert!(
        params.entries.iter().all(|entry| matches!((&entry.name, &entry.value), (Cow::Borrowed(_), Cow::Borrowed(_))))
    );
}

#[test]
fn values_are_decoded_exactly_once() {
    assert_eq!(parse("scope=a+b%20c").expect("valid").get("scope"), Some("a b c"));
    assert_eq!(parse("scope=admin%2520write").expect("valid").get("scope"), Some("admin%20write"));
    assert_eq!(parse("scope=%252B%2B").expect("valid").get("scope"), Some("%2B+"));
    assert_eq!(parse("scope=caf%C3%a9").expect("valid").get("scope"), Some("caf\u{e9}"));
    assert_eq!(parse("scope=caf\u{e9}").expect("valid").get("scope"), Some("caf\u{e9}"));
    assert_eq!(parse("scope=a=b").expect("valid").get("scope"), Some("a=b"));
    assert_eq!(parse("scope=a%26b%3Dc").expect("valid").get("scope"), Some("a&b=c"));
}

#[test]
fn names_are_decoded_too_and_so_is_the_look_for_repetition() {
    assert_eq!(parse("%73cope=a").expect("valid").get("scope"), Some("a"));
    assert!(matches!(parse("%73cope=a&scope=b"), Err(ParamsError::Repeated { .. })));
}

#[test]
fn a_percent_sign_without_two_digits_is_named() {
    for input in ["scope=%", "scope=%2", "scope=%zz", "scope=%2z", "scope=a%", "scope=%+1", "scope=%%41"] {
        assert_eq!(
            text(input.as_bytes()),
            "parameter 'scope' has a '%' that is not followed by two hexadecimal digits (RFC 6749 Appendix B)"
        );
    }
    assert!(text(b"sc%ope=1").starts_with("parameter 'sc%ope' has a '%'"));
}

#[test]
fn what_is_not_utf8_is_named_raw_or_escaped() {
    let sentence = "parameter 'scope' is not valid UTF-8 (RFC 6749 Appendix B)";
    assert_eq!(text(b"scope=%ff"), sentence);
    assert_eq!(text(b"scope=%c3"), sentence);
    assert_eq!(text(b"scope=\xff"), sentence);
    assert_eq!(text(b"client_id=a&scope=x\xc3&grant_type=b"), sentence);
    // Overlong forms and surrogates are not UTF-8 either.
    assert_eq!(text(b"scope=%c0%80"), sentence);
    assert_eq!(text(b"scope=%ed%a0%80"), sentence);
    assert_eq!(text(b"a=b&\xffx=1"), "parameter '<U+FFFD>x' is not valid UTF-8 (RFC 6749 Appendix B)");
}

#[test]
fn nul_is_refused_raw_or_escaped() {
    assert_eq!(text(b"scope=a%00b"), "parameter 'scope' contains a NUL character");
    assert_eq!(text(b"scope=a\0b"), "parameter 'scope' contains a NUL character");
    assert!(text(b"sc%00ope=a").contains("contains a NUL character"));
}

#[test]
fn a_repeated_parameter_is_refused_known_or_not_with_or_without_value() {
    let once = "a parameter may be sent only once (RFC 6749 section 3.2)";
    assert_eq!(text(b"client_id=a&client_id=a"), format!("parameter 'client_id' is repeated; {once}"));
    assert_eq!(text(b"foo=a&foo=b"), format!("parameter 'foo' is repeated; {once}"));
    assert_eq!(text(b"client_id=&client_id=a"), format!("parameter 'client_id' is repeated; {once}"));
    assert_eq!(text(b"client_id&client_id"), format!("parameter 'client_id' is repeated; {once}"));
}

#[test]
fn a_repeated_scope_is_told_how_to_join() {
    for input in ["scope=a&scope=b", "scope[]=a&scope[]=b", "scopes=a&scopes=b"] {
        assert!(
            text(input.as_bytes()).ends_with("; put several scopes into one 'scope' parameter, separated by spaces")
        );
    }
}

#[test]
fn what_may_repeat_keeps_its_order() {
    let params = parse("resource=https://a&scope=x&resource=&resource=https://b").expect("valid");
    assert_eq!(params.all("resource").collect::<Vec<_>>(), ["https://a", "https://b"]);
    assert_eq!(params.get("resource"), Some("https://a"));
}

#[test]
fn a_parameter_without_a_value_is_omitted() {
    for input in ["scope=", "scope", "client_id=a&scope=", "&&scope&&"] {
        assert_eq!(parse(input).expect("valid").get("scope"), None);
    }
    assert!(parse("").expect("valid").get("scope").is_none());
}

#[test]
fn the_number_of_parameters_is_limited_exactly() {
    let params = |n: usize| (0..n).map(|i| format!("p{i}=x")).collect::<Vec<_>>().join("&");
    assert!(parse(&params(63)).is_ok());
    assert!(parse(&params(64)).is_ok());
    assert_eq!(parse(&params(65)).expect_err("refused"), ParamsError::TooMany { max: 64 });
    let roomy = RULES.with_max_bytes(usize::MAX);
    let many = params(100_000);
    assert_eq!(Params::parse(many.as_bytes(), roomy).expect_err("refused").to_string(), "more than 64 parameters");
    assert!(Params::parse("resource=x&".repeat(65).as_bytes(), RULES).is_err());
}

#[test]
fn the_octets_are_limited_exactly() {
    let rules = RULES.with_max_bytes(10);
    assert!(Params::parse(b"scope=abc", rules).is_ok());
    assert!(Params::parse(b"scope=abcd", rules).is_ok());
    assert_eq!(
        Params::parse(b"scope=abcde", rules).expect_err("refused").to_string(),
        "the parameters are longer than 10 bytes"
    );
}

#[test]
fn unrecognised_parameters_are_ignored_and_remembered() {
    let params = parse("foo=bar&scope=a&__proto__=x&=y").expect("valid");
    assert_eq!(params.unrecognised().collect::<Vec<_>>(), ["foo", "__proto__", ""]);
    assert_eq!(params.near_misses().count(), 0);
}

#[test]
fn a_near_miss_is_found_unless_the_right_name_was_sent_as_well() {
    for sent in ["scopes", "scope[]", "Scope", "SCOPES", "scope[0]", "scope."] {
        let input = format!("{sent}=a");
        let params = parse(&input).expect("valid");
        let misses: Vec<_> = params.near_misses().collect();
        assert_eq!(misses, [NearMiss { sent, meant: "scope" }], "{sent}");
        assert!(parse(&format!("{sent}=a&scope=b")).expect("valid").near_misses().next().is_none());
        assert!(parse(&format!("{sent}=a&scope=")).expect("valid").near_misses().next().is_some());
    }
    for (sent, meant) in [("grantType", "grant_type"), ("client-id", "client_id"), ("resources", "resource")] {
        let input = format!("{sent}=a");
        assert_eq!(parse(&input).expect("valid").near_misses().next(), Some(NearMiss { sent, meant }));
    }
    assert_eq!(parse("scop=a&scopess=b&telescope=c").expect("valid").near_misses().count(), 0);
    assert_eq!(
        NearMiss { sent: "scop\u{e9}s", meant: "scope" }.to_string(),
        "parameter 'scop<U+00E9>s' is not known and was ignored; did you mean 'scope'?"
    );
}

#[test]
fn a_missing_parameter_is_named_with_its_near_miss() {
    let missing = |input| parse(input).expect("valid").require("grant_type").expect_err("missing").to_string();
    assert_eq!(missing("scope=a"), "parameter 'grant_type' is missing");
    assert_eq!(missing("grant_type="), "parameter 'grant_type' is missing");
    assert_eq!(missing("grantType=x"), "parameter 'grant_type' is missing; 'grantType' was sent instead");
    assert_eq!(parse("grant_type=x").expect("valid").require("grant_type"), Ok("x"));
}

#[test]
fn a_parameter_of_the_body_is_refused_in_the_uri() {
    assert!(Params::refuse_in_query(b"", RULES).is_ok());
    assert!(Params::refuse_in_query(b"api-version=1", RULES).is_ok());
    let error = Params::refuse_in_query(b"x=1&client%5Fsecret=tell-nobody", RULES).expect_err("refused").to_string();
    assert_eq!(
        error,
        "parameter 'client_secret' must be sent in the request body, not in the URI (RFC 6749 section 2.3.1)"
    );
    assert!(Params::refuse_in_query(b"scope=", RULES).is_err());
    assert!(Params::refuse_in_query(b"%zz", RULES).is_err());
}

#[test]
fn neither_debug_nor_an_error_shows_a_value() {
    let params = parse("client_secret=tell-nobody&client_id=me").expect("valid");
    assert_eq!(format!("{params:?}"), r#"{"client_secret", "client_id"}"#);
    for input in
        ["client_secret=tell-nobody%", "client_secret=tell-nobody&client_secret=x", "client_secret=tell-nobody%00"]
    {
        let error = parse(input).expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("tell-nobody"));
    }
}

#[test]
fn an_endless_or_strange_name_is_shown_short_and_clean() {
    let long = "n".repeat(5000);
    let error = parse(&format!("{long}=1&{long}=2")).expect_err("refused").to_string();
    assert!(error.len() < 250, "{error}");
    assert!(text(b"%22%5C%0A=1&%22%5C%0A=1").starts_with("parameter ''<U+005C><U+000A>' is repeated"));
}

/// Encodes as RFC 6749 App. B has it.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused_in_clean_words(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        match Params::parse(&input, RULES) {
            Ok(params) => prop_assert!(params.entries.len() <= 64),
            Err(error) => {
                let error = error.to_string();
                prop_assert_eq!(crate::error::describe(&error), error);
            }
        }
    }

    #[test]
    fn anything_that_looks_like_a_form_does_not_panic(input in "([a-c%+=&]|%[0-9a-fA-F]{2}|scope|resource){0,60}") {
        let _ = Params::parse(input.as_bytes(), RULES);
    }

    #[test]
    fn what_was_encoded_is_read_back_and_nothing_is_lost(values in proptest::collection::vec("[^\\x00]{1,20}", 1..20)) {
        let body: Vec<String> = values.iter().enumerate().map(|(i, v)| format!("p{i}={}", encode(v))).collect();
        let body = body.join("&");
        let params = Params::parse(body.as_bytes(), RULES).expect("valid");
        for (i, value) in values.iter().enumerate() {
            let name = format!("p{i}");
            prop_assert_eq!(params.get(&name), Some(value.as_str()));
        }
    }
}
