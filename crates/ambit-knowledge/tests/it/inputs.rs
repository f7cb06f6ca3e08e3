//! Whatever a person pastes is taken apart.

use ambit_knowledge::Input;
use ambit_knowledge::entry::Product;
use ambit_knowledge::input::{FactKind, InputKind, MAX_INPUT, Part};

use FactKind::{
    ChallengeError, Description, Exception, MentionedError, NeededScope, OauthError, ProblemType, Status, VendorCode,
};

type Case = (&'static str, InputKind, &'static [(FactKind, &'static str, Part)]);

/// An input, what it is taken for, and facts that are in it.
const INPUTS: &[Case] = &[
    ("", InputKind::Empty, &[]),
    (" \n\t", InputKind::Empty, &[]),
    (r#"{"error":"invalid_grant"}"#, InputKind::Json, &[(OauthError, "invalid_grant", Part::Body)]),
    (
        r#"{"error":"invalid_client","error_description":"Bad \"secret\"","error_uri":"https://as.example/errors/api/x"}"#,
        InputKind::Json,
        &[(Description, r#"Bad "secret""#, Part::Body), (ProblemType, "https://as.example/errors/api/x", Part::Body)],
    ),
    (
        r#"{"type":"https://as.example/errors/api/forbidden","title":"Not yours","status":403,"detail":"level"}"#,
        InputKind::Json,
        &[
            (ProblemType, "https://as.example/errors/api/forbidden", Part::Body),
            (Status, "403", Part::Body),
            (Description, "level", Part::Body),
        ],
    ),
    (
        r#"{"error":"invalid_grant","error_description":"AADSTS70008: The provided authorization code has expired.","error_codes":[70008]}"#,
        InputKind::Json,
        &[(VendorCode, "AADSTS70008", Part::Body)],
    ),
    (
        r#"{"errorCode":"E0000006","errorSummary":"You do not have permission","errorCauses":[]}"#,
        InputKind::Json,
        &[(VendorCode, "E0000006", Part::Body), (Description, "You do not have permission", Part::Body)],
    ),
    (
        r#"{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: read:users"}"#,
        InputKind::Json,
        &[(Status, "403", Part::Body), (Description, "Insufficient scope, expected any of: read:users", Part::Body)],
    ),
    (
        r#"{"__type":"com.amazonaws.cognito#NotAuthorizedException","message":"Access Token has expired"}"#,
        InputKind::Json,
        &[(VendorCode, "NotAuthorizedException", Part::Body), (Description, "Access Token has expired", Part::Body)],
    ),
    (
        r#"{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED","details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}"#,
        InputKind::Json,
        &[
            (Status, "403", Part::Body),
            (VendorCode, "PERMISSION_DENIED", Part::Body),
            (VendorCode, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", Part::Body),
        ],
    ),
    (
        r#"{"timestamp":"2026-11-26T10:15:02Z","status":401,"error":"Unauthorized","path":"/api"}"#,
        InputKind::Json,
        &[(Status, "401", Part::Body)],
    ),
    (
        r#"{"code":7,"message":"No matching permissions found (AUTH-5mWD2)","details":[]}"#,
        InputKind::Json,
        &[(VendorCode, "AUTH-5mWD2", Part::Text)],
    ),
    (
        r#"WWW-Authenticate: Bearer error="insufficient_scope", error_description="more", scope="admin:read""#,
        InputKind::Header,
        &[
            (ChallengeError, "insufficient_scope", Part::Challenge),
            (OauthError, "insufficient_scope", Part::Challenge),
            (Description, "more", Part::Challenge),
            (NeededScope, "admin:read", Part::Challenge),
        ],
    ),
    (r#"Bearer error="invalid_token""#, InputKind::Header, &[(ChallengeError, "invalid_token", Part::Challenge)]),
    // Cut off in the middle, and broken over lines.
    (
        r#"www-authenticate: Bearer error="invalid_token", error_description="The tok"#,
        InputKind::Header,
        &[(ChallengeError, "invalid_token", Part::Challenge), (Description, "The tok", Part::Challenge)],
    ),
    (
        "WWW-Authenticate: Bearer error=\"invalid_token\",\n  error_description=\"it\nexpired\"",
        InputKind::Header,
        &[(Description, "it expired", Part::Challenge)],
    ),
    (
        "* Connected to api.example\n> GET /v1 HTTP/1.1\n> Host: api.example\n>\n< HTTP/1.1 403 Forbidden\n< WWW-Authenticate: Bearer error=\"insufficient_scope\"\n< \n{\"message\":\"no\"}",
        InputKind::Http,
        &[
            (Status, "403", Part::StatusLine),
            (ChallengeError, "insufficient_scope", Part::Challenge),
            (Description, "no", Part::Body),
        ],
    ),
    ("HTTP/2 401\r\nserver: x\r\n\r\n", InputKind::Http, &[(Status, "401", Part::StatusLine)]),
    (
        r#"{"log":{"version":"1.2","entries":[{"request":{"method":"POST","url":"https://as.example/token","postData":{"text":"{\"error\":\"not_this\"}"}},"response":{"status":400,"headers":[{"name":"www-authenticate","value":"Basic realm=\"as\""}],"content":{"text":"{\"error\":\"invalid_scope\",\"error_description\":\"no such scope\"}"}}}]}}"#,
        InputKind::Har,
        &[
            (Status, "400", Part::Body),
            (OauthError, "invalid_scope", Part::Body),
            (Description, "no such scope", Part::Body),
        ],
    ),
    (
        r#"{"log":{"entries":[{"response":{"status":400,"content":{"encoding":"base64","text":"eyJlcnJvciI6ImludmFsaWRfZ3JhbnQifQ=="}}}]}}"#,
        InputKind::Har,
        &[(Status, "400", Part::Body)],
    ),
    (
        "https://app.example/cb?error=access_denied&error_description=The+user%20said%20no&state=x",
        InputKind::Url,
        &[(OauthError, "access_denied", Part::Query), (Description, "The user said no", Part::Query)],
    ),
    ("https://app.example/cb#error=login_required", InputKind::Url, &[(OauthError, "login_required", Part::Query)]),
    (
        "java.lang.IllegalStateException: no\n\tat a.b.C.d(C.java:1)\nCaused by: org.x.OAuth2AuthenticationException: [invalid_scope] OAuth 2.0 Parameter: scope\n\tat e.f(G.java:2)",
        InputKind::StackTrace,
        &[
            (Exception, "org.x.OAuth2AuthenticationException", Part::Text),
            (Description, "[invalid_scope] OAuth 2.0 Parameter: scope", Part::Text),
            (MentionedError, "invalid_scope", Part::Text),
        ],
    ),
    (
        "2026-11-26 10:15:02,113 WARN  [org.keycloak.events] type=\"CODE_TO_TOKEN_ERROR\", error=\"invalid_code\", status=400",
        InputKind::Log,
        &[(OauthError, "invalid_code", Part::Text), (Status, "400", Part::Text)],
    ),
    (
        "oauthlib says {'error': 'invalid_grant', 'error_description': 'gone'}",
        InputKind::Message,
        &[(OauthError, "invalid_grant", Part::Text), (Description, "gone", Part::Text)],
    ),
    (
        r#"body={\"error\":\"invalid_grant\",\"error_description\":\"gone\"}"#,
        InputKind::Message,
        &[(OauthError, "invalid_grant", Part::Body)],
    ),
    ("IDX10223: Lifetime validation failed.", InputKind::Message, &[(VendorCode, "IDX10223", Part::Text)]),
    ("请求失败 invalid_scope", InputKind::Message, &[(MentionedError, "invalid_scope", Part::Text)]),
];

#[test]
fn an_error_in_words_where_a_url_has_its_code_is_a_description() {
    let input = Input::take_apart(b"https://app.example/login?error=Invalid+scopes%3A+pos%3Aread&error_type=auth");
    let fact = input.facts().iter().find(|fact| fact.kind == Description).expect("a description");
    assert_eq!((fact.value.as_str(), fact.part), ("Invalid scopes: pos:read", Part::Query));
    assert!(input.values(OauthError).next().is_none());
    let input = Input::take_apart(b"https://app.example/login?error=NoSuchThing&error_type=auth");
    assert!(input.values(Description).next().is_none(), "one word may be anything");
}

#[test]
fn every_shape_is_taken_for_what_it_is() {
    for (text, kind, facts) in INPUTS {
        let input = Input::take_apart(text.as_bytes());
        assert_eq!(input.kind(), *kind, "{text}\n{:?}", input.facts());
        for (kind, value, part) in *facts {
            let found =
                input.facts().iter().any(|fact| fact.kind == *kind && fact.value == *value && fact.part == *part);
            assert!(found, "{kind:?} {value:?} in {part:?} of {text}\n{:?}", input.facts());
        }
    }
}

#[test]
fn what_was_asked_is_not_what_was_answered() {
    let (har, ..) = INPUTS.iter().find(|(_, kind, _)| *kind == InputKind::Har).expect("a HAR");
    let input = Input::take_apart(har.as_bytes());
    assert!(input.facts().iter().all(|fact| fact.value != "not_this"), "{:?}", input.facts());
}

#[test]
fn an_answer_that_went_well_is_no_error() {
    let input = Input::take_apart(b"HTTP/1.1 200 OK\n\n{\"active\":true}");
    assert_eq!(input.kind(), InputKind::Http);
    assert_eq!(input.facts(), []);
}

#[test]
fn the_last_status_counts() {
    let input = Input::take_apart(b"HTTP/1.1 302 Found\nlocation: /x\n\nHTTP/1.1 403 Forbidden\n\n");
    assert_eq!(input.status(), Some(403));
}

#[test]
fn the_product_shows() {
    let input = Input::take_apart(b"at com.nimbusds.jose.proc.DefaultJOSEProcessor (keycloak)");
    assert_eq!(input.products(), [Product::Keycloak, Product::Nimbus]);
}

#[test]
fn colours_and_control_characters_are_dropped_and_bad_bytes_replaced() {
    let input = Input::take_apart(b"\x1b[31minvalid_scope\x1b[0m\x00\xff");
    assert_eq!(input.shown(), "invalid_scope\u{fffd}");
}

#[test]
fn more_than_the_limit_is_cut_and_said_to_be() {
    let exact = vec![b'z'; MAX_INPUT];
    assert!(!Input::take_apart(&exact).is_cut());
    let mut more = exact;
    more.push(b'z');
    let input = Input::take_apart(&more);
    assert!(input.is_cut());
    assert_eq!(input.shown().len(), MAX_INPUT);
}

#[test]
fn a_code_that_is_written_with_spaces_is_mentioned_and_a_sentence_names_none() {
    let codes = |text: &str| {
        let input = Input::take_apart(text.as_bytes());
        let codes = input.facts().iter().filter(|fact| fact.kind.is_code());
        codes.map(|fact| (fact.kind, fact.value.clone())).collect::<Vec<_>>()
    };
    for text in ["Error: Invalid grant", "the answer was: invalid-grant", "INVALID GRANT"] {
        assert_eq!(codes(text), [(MentionedError, "invalid_grant".to_owned())], "{text}");
    }
    assert!(codes("error: token expired at noon").is_empty());
    assert_eq!(codes("error: forbidden"), [(OauthError, "forbidden".to_owned())]);
    assert!(codes("a valid grant, and an invalid scopeguard").is_empty());
}
