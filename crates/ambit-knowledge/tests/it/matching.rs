//! What an input is about.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambit_knowledge::entry::Product;
use ambit_knowledge::{Answer, Corpus, Entry, Input, Knowledge, Language, Outcome, Rule};

use crate::support::{self, SEED};

#[test]
fn every_sample_is_answered_with_its_entry() {
    for entry in support::knowledge().corpus().entries() {
        for sample in &entry.samples.positive {
            let answer = explain(sample);
            assert_eq!(
                answer.entries.first().map(|found| found.id.as_str()),
                Some(entry.id.as_str()),
                "{sample}\n{answer:#?}"
            );
        }
        for sample in &entry.samples.negative {
            let answer = explain(sample);
            let is_it = answer.outcome == Outcome::Match && answer.entries[0].id == entry.id;
            assert!(!is_it, "{}: {sample}\n{answer:#?}", entry.id);
        }
    }
}

#[test]
fn nothing_is_matched_by_nothing() {
    for text in ["", "  ", "hello world", "\u{0}\u{1}", "{}", "[]", "the quick brown fox jumps over the lazy dog"] {
        let answer = explain(text);
        assert_eq!(answer.outcome, Outcome::NoMatch, "{text}\n{answer:#?}");
        assert!(answer.entries.is_empty());
    }
}

#[test]
fn an_answer_says_what_of_the_input_matched_which_rule() {
    let answer = explain(r#"{"error":"invalid_scope","error_description":"scope 'admin' not registered"}"#);
    assert_eq!(answer.outcome, Outcome::Match);
    let found = &answer.entries[0];
    assert_eq!(found.id.as_str(), "api/oauth2-invalid-scope-requested");
    let rules: Vec<_> = found.reasons.iter().map(|reason| (reason.rule, reason.seen.as_str())).collect();
    let (rule, seen) = rules[0];
    assert!(rule == Rule::Pattern && seen.ends_with("scope 'admin' not registered"), "{rules:?}");
    assert!(rules.contains(&(Rule::OauthError, "invalid_scope")), "{rules:?}");
    let sum: f32 = found.reasons.iter().map(|reason| reason.points).sum();
    assert!(sum >= found.score - 1.0, "{found:#?}");
}

#[test]
fn an_answer_survives_json() {
    let answer = explain(r#"{"error":"invalid_scope"}"#);
    let json = serde_json::to_string(&answer).expect("JSON");
    assert_eq!(serde_json::from_str::<Answer>(&json).expect("an answer"), answer);
}

#[test]
fn an_answer_in_chinese_says_so() {
    let input = Input::take_apart(br#"{"error":"invalid_scope"}"#);
    let answer = support::knowledge().explain(&input, Language::Zh);
    assert_eq!(answer.entries[0].title.language, Language::Zh);
}

#[test]
fn what_is_no_regular_expression_is_refused_by_entry_and_pattern() {
    let entry =
        Entry::parse("api/bad.toml", &SEED.replacen("'scope .{1,80}", "'scope ( .{1,80}", 1)).expect("an entry");
    let corpus = Corpus::new(vec![entry]).expect("a corpus");
    let failure = Knowledge::new(Arc::new(corpus)).expect_err("no regular expression");
    assert_eq!(failure.entry.as_str(), "api/bad");
    assert!(failure.pattern.starts_with("scope ("), "{failure}");
}

#[test]
fn case_quotes_line_breaks_and_what_stands_around_change_nothing() {
    for text in [
        "oauth2 ERROR: Invalid_Scope: Scope \u{201c}admin\u{201d} NOT REGISTERED",
        "OAuth2 error:\n  invalid_scope:\n  scope `admin`\n  not registered",
        "2026-11-26T10:00:00Z ERROR [req-8812] o.e.Filter - OAuth2 error: invalid_scope: scope 'pos:read' not registered (trace=4bf92f3577b34da6a3ce929d0e0e4736)",
        "错误 invalid_scope: scope '管理员' not registered，请联系管理员",
        // A gap counts characters and not octets.
        "错误 invalid_scope: scope '管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管管' not registered",
    ] {
        let answer = explain(text);
        assert_eq!(answer.outcome, Outcome::Match, "{text}\n{answer:#?}");
        assert_eq!(answer.entries[0].id.as_str(), "api/oauth2-invalid-scope-requested", "{text}");
        assert_eq!(answer.entries[0].reasons[0].rule, Rule::Pattern, "{text}");
    }
}

#[test]
fn a_message_that_was_broken_within_a_word_is_read_without_the_break() {
    for text in ["the scope 'pos' is not regis\ntered", "the sco\r\npe 'pos' is not registered"] {
        let answer = explain(text);
        assert_eq!(answer.entries[0].id.as_str(), "api/oauth2-invalid-scope-requested", "{text}");
        assert_eq!(answer.entries[0].reasons[0].rule, Rule::Pattern, "{text}\n{answer:#?}");
    }
    // A line that begins otherwise is another line.
    let answer = explain("the scope 'pos' is not regis\n  tered");
    let reasons = answer.entries.iter().chain(&answer.nearest).flat_map(|found| &found.reasons);
    assert!(reasons.map(|reason| reason.rule).all(|rule| rule == Rule::Words), "{answer:#?}");
}

#[test]
fn the_words_of_another_protocol_are_no_words_of_oauth() {
    let outcome = |text: &str| Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En).outcome;
    assert_eq!(outcome("Invalid credentials"), Outcome::Ambiguous);
    assert_eq!(outcome("LDAP: Invalid credentials"), Outcome::NoMatch);
    assert_eq!(outcome("ldap_bind(): Invalid credentials"), Outcome::NoMatch);
    assert_ne!(outcome("LDAP federation, token endpoint: invalid_grant: Invalid credentials"), Outcome::NoMatch);
    assert_ne!(outcome("OAuth login by LDAP: Invalid credentials"), Outcome::NoMatch);
}

#[test]
fn words_that_messages_use_for_one_another_are_one_word() {
    let found = |text: &str| {
        let answer = Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En);
        let first = answer.entries.into_iter().chain(answer.nearest).next().expect("something is near");
        let words = first.reasons.into_iter().find(|reason| reason.rule == Rule::Words).expect("words are a reason");
        (first.id, words.points)
    };
    let said = found("the redirect URI is wrong, and the access token was refused");
    assert_eq!(said, found("the redirection URL is incorrect, and the access token was denied"));
}

#[test]
fn a_library_that_nobody_has_written_an_entry_for_is_read() {
    for (text, expected) in [
        ("AcmeTokenError: JWT audience was unexpected (got web)", "jwt/audience-mismatch"),
        ("[acme-auth] JwtIssuerMismatchException", "jwt/issuer-mismatch"),
        ("acme: OIDC login aborted, the nonce of the id_token did not equal ours", "client/nonce-mismatch"),
        ("acme: cannot locate a JWK, unknown kid", "jwt/unknown-kid"),
        ("acme: PKCE: the code verifier does not correspond to what was sent", "api/oauth2-pkce-verifier-mismatch"),
        ("acme oauth: authorization code has been redeemed twice", "api/oauth2-code-reused"),
        ("ERR_ACME_BAD_REFRESH_TOKEN", "api/oauth2-refresh-token-not-known"),
        ("2026-11-26 10:00:00 ERROR 令牌校验未通过：受众与本服务不一致", "jwt/audience-mismatch"),
    ] {
        let answer = of_embedded(text);
        assert_ne!(answer.outcome, Outcome::NoMatch, "{text}\n{answer:#?}");
        let first = &answer.entries[0];
        assert_eq!(first.id.as_str(), expected, "{text}\n{answer:#?}");
        assert!(first.reasons.iter().any(|reason| reason.rule == Rule::About), "{text}\n{answer:#?}");
    }
}

#[test]
fn what_a_message_comes_down_to_counts_for_more_than_its_code() {
    let answer = of_embedded(r#"{"error":"invalid_client","error_description":"the callback URL is wrong"}"#);
    assert_eq!(answer.outcome, Outcome::Match, "{answer:#?}");
    assert_eq!(answer.entries[0].id.as_str(), "browser/redirect-uri-mismatch", "{answer:#?}");
    // What is missing from a request is what the request is invalid for.
    let answer = of_embedded(r#"{"error":"invalid_request","error_description":"no grant_type was sent"}"#);
    assert_eq!(answer.entries[0].id.as_str(), "api/ambit-parameter-missing", "{answer:#?}");
}

#[test]
fn what_libraries_say_around_an_error_gives_way_to_the_error() {
    let around = "oauth2: cannot fetch token: 401 Unauthorized";
    assert_eq!(of_embedded(around).entries[0].id.as_str(), "client/token-request-failed");
    let answer = of_embedded(&format!(r#"{around} Response: {{"error":"invalid_client"}}"#));
    assert_eq!(answer.entries[0].id.as_str(), "api/oauth2-invalid-client", "{answer:#?}");
}

#[test]
fn a_complaint_of_what_others_have_as_well_is_no_answer_by_itself() {
    for text in ["The state of the job is invalid", "the key of the record is unknown", "SAML: issuer mismatch"] {
        let answer = of_embedded(text);
        assert_ne!(answer.outcome, Outcome::Match, "{text}\n{answer:#?}");
    }
    let answer = of_embedded("OIDC: the state of the callback is invalid");
    assert_eq!(answer.entries[0].id.as_str(), "browser/state-mismatch", "{answer:#?}");
}

#[test]
fn a_package_that_has_the_name_of_another_product_in_it_is_not_that_product() {
    let products = |text: &str| Input::take_apart(text.as_bytes()).products().to_vec();
    assert_eq!(products("com.auth0.jwt.exceptions.TokenExpiredException"), []);
    assert_eq!(products("jwt.exceptions.ExpiredSignatureError"), [Product::PyJwt]);
    assert_eq!(products("https://acme.eu.auth0.com/oauth/token"), [Product::Auth0]);
}

#[test]
fn common_words_without_a_word_of_oauth_are_no_answer() {
    let explain = |text: &str| Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En);
    // A form's token may be that of a sign-in, and may be any other.
    let answer = explain("ForbiddenError: invalid csrf token EBADCSRFTOKEN");
    assert_eq!(answer.outcome, Outcome::Ambiguous, "{answer:#?}");
    let answer = explain("error: no matching manifest for linux/arm64 in the manifest list entries");
    assert_eq!(answer.outcome, Outcome::NoMatch, "{answer:#?}");
    assert_ne!(explain("ID token did not have the nonce claim of the request").outcome, Outcome::NoMatch);
}

#[test]
fn what_other_servers_call_noauth_is_no_word_of_oauth() {
    let explain = |text: &str| Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En);
    let answer = explain("redis.exceptions: NOAUTH Authentication required.");
    assert_eq!(answer.outcome, Outcome::NoMatch, "{answer:#?}");
    assert_ne!(explain("AmazonOAuth login by LDAP: Invalid credentials").outcome, Outcome::NoMatch);
}

#[test]
fn a_number_that_nobody_knows_is_not_explained_by_words_that_many_errors_have() {
    let of = |text: &str| Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En);
    // The page for the numbers that have none of their own is more than what those words may be of, and they are no certainty.
    let answer = of("Authentication failure: AADSTS99999: try again");
    assert_eq!(answer.outcome, Outcome::Ambiguous, "{answer:#?}");
    assert_eq!(answer.entries[0].id.as_str(), "api/entra-aadsts", "{answer:#?}");
    let answer = of("Authentication failure: IDX99999: try again");
    assert_eq!(answer.outcome, Outcome::NoMatch, "{answer:#?}");
    assert_eq!(of("AADSTS50011: try again").outcome, Outcome::Match);
}

#[test]
fn a_number_among_those_of_a_pattern_is_known() {
    for text in ["AADSTS53000: Device is not in required device state", "AADSTS500113: No reply address is registered"]
    {
        let answer = Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En);
        assert_eq!(answer.outcome, Outcome::Match, "{text}\n{answer:#?}");
    }
}

#[test]
fn what_a_product_says_in_its_own_words_is_more_specific_than_what_everybody_says() {
    let own = SEED
        .replacen("product = \"ambit\"", "product = \"keycloak\"", 1)
        .replacen("'scope .{1,80} (?:is )?not (?:registered|allowed|granted)'", "'refused by this realm of ours'", 1)
        .replacen(
            "'invalid_scope.{0,40}scope.{0,80}(?:not registered|unknown|not allowed)'",
            "'a policy refuses the scope'",
            1,
        );
    let knowledge = of(&[
        ("api/one.toml", &SEED.replacen("product = \"ambit\"", "product = \"standard\"", 1)),
        ("api/two.toml", &own),
    ]);
    let first = |text: &str| {
        let answer = knowledge.explain(&Input::take_apart(text.as_bytes()), Language::En);
        answer.entries[0].id.as_str().to_owned()
    };
    assert_eq!(first("invalid_scope: scope 'admin' not registered"), "api/one");
    assert_eq!(first("invalid_scope: scope 'admin' not registered, refused by this realm of ours"), "api/two");
}

#[test]
fn a_pattern_without_a_word_that_is_long_enough_is_tried_on_every_text() {
    let short = SEED.replacen("'scope .{1,80} (?:is )?not (?:registered|allowed|granted)'", "'a1.b2'", 1);
    let answer = of(&[("api/one.toml", &short)]).explain(&Input::take_apart("错误 a1-b2".as_bytes()), Language::En);
    let reasons = answer.entries.iter().flat_map(|found| &found.reasons);
    assert!(reasons.map(|reason| reason.rule).any(|rule| rule == Rule::Pattern), "{answer:#?}");
}

#[test]
fn another_status_excludes_and_the_same_one_counts() {
    let of = |status: &str| explain(&format!("HTTP/1.1 {status} X\n\n{{\"error\":\"invalid_token\"}}"));
    assert_eq!(of("401").entries[0].id.as_str(), "api/invalid-token");
    let reasons: Vec<_> = of("401").entries[0].reasons.iter().map(|reason| reason.rule).collect();
    assert!(reasons.contains(&Rule::Status), "{reasons:?}");
    assert_eq!(of("500").outcome, Outcome::NoMatch);
    let reasons = of("500").nearest.into_iter().flat_map(|found| found.reasons);
    assert!(reasons.map(|reason| reason.rule).all(|rule| rule != Rule::OauthError), "a code of another status is none");
}

#[test]
fn twins_are_ambiguous_and_what_tells_them_apart_is_said() {
    let twin = SEED.replacen("product = \"ambit\"", "product = \"keycloak\"", 1);
    let knowledge = of(&[("api/one.toml", SEED), ("api/two.toml", &twin)]);
    let input = Input::take_apart(br#"{"error":"invalid_scope"}"#);
    let answer = knowledge.explain(&input, Language::En);
    assert_eq!(answer.outcome, Outcome::Ambiguous, "{answer:#?}");
    assert_eq!(answer.entries.len(), 2);
    assert!(answer.apart[0].by.text.contains("Which product"), "{answer:#?}");
    // The product in the input decides.
    let input = Input::take_apart(br#"keycloak: {"error":"invalid_scope"}"#);
    let answer = knowledge.explain(&input, Language::En);
    assert_eq!(answer.outcome, Outcome::Match, "{answer:#?}");
    assert_eq!(answer.entries[0].id.as_str(), "api/two");
    let above = answer.entries[0].above_next.as_ref().expect("there is a next one");
    assert_eq!((above.decided_by, above.next.as_str()), (Rule::Product, "api/one"));
}

#[test]
fn a_written_distinction_is_what_tells_entries_apart() {
    let other = SEED.replacen("id = \"api/insufficient-scope\"", "id = \"api/one\"", 1);
    let answer = of(&[("api/one.toml", SEED), ("api/two.toml", &other)])
        .explain(&Input::take_apart(b"invalid_scope"), Language::Zh);
    assert_eq!(answer.outcome, Outcome::Ambiguous, "{answer:#?}");
    assert!(answer.apart[0].by.text.starts_with("invalid_scope 由授权服务器"), "{answer:#?}");
}

#[test]
fn a_word_that_nobody_has_said_is_no_reason_to_be_sure() {
    let answer = explain(r#"{"error":"use_dpop_nonce"}"#);
    assert_eq!(answer.outcome, Outcome::NoMatch, "{answer:#?}");
}

#[test]
fn another_registered_code_speaks_against_an_entry() {
    let other = SEED.replace("\"invalid_scope\"", "\"slow_down\"");
    let knowledge = of(&[("api/one.toml", SEED), ("api/two.toml", &other)]);
    let input = Input::take_apart(br#"{"error":"slow_down","error_description":"scope 'admin' not registered"}"#);
    let answer = knowledge.explain(&input, Language::En);
    assert_eq!(answer.entries[0].id.as_str(), "api/two", "{answer:#?}");
    let one =
        answer.entries.iter().chain(&answer.nearest).find(|found| found.id.as_str() == "api/one").expect("it is near");
    let against = one.reasons.iter().find(|reason| reason.rule == Rule::ErrorCode).expect("a reason");
    assert!(against.points < 0.0 && against.seen == "slow_down", "{against:?}");
}

#[test]
fn a_message_in_the_words_of_one_and_the_pattern_of_another_is_not_answered_with_either_alone() {
    let words = "Realm rejected: scope 'admin' not registered in the client profile policy of the realm";
    let other = SEED
        .replacen("product = \"ambit\"", "product = \"keycloak\"", 1)
        .replacen("oauth_error = \"invalid_scope\"\n", "", 1)
        .replacen(
            "'scope .{1,80} (?:is )?not (?:registered|allowed|granted)'",
            "'refused by the policy of this realm'",
            1,
        )
        .replacen(
            "'invalid_scope.{0,40}scope.{0,80}(?:not registered|unknown|not allowed)'",
            "'a policy refuses the scope'",
            1,
        )
        .replace("OAuth2 error: invalid_scope: scope 'admin' not registered", words);
    let knowledge = of(&[
        ("api/one.toml", &SEED.replacen("product = \"ambit\"", "product = \"standard\"", 1)),
        ("api/two.toml", &other),
    ]);
    let input = Input::take_apart(b"Realm rejected the scope 'pos': not registered in client profile policy of realm");
    let answer = knowledge.explain(&input, Language::En);
    assert_eq!(answer.outcome, Outcome::Ambiguous, "{answer:#?}");
    let ids: Vec<_> = answer.entries.iter().map(|found| found.id.as_str()).collect();
    assert!(ids.contains(&"api/one") && ids.contains(&"api/two"), "{ids:?}");
}

#[test]
fn the_time_grows_with_the_input_and_not_with_its_square() {
    type Shape = (&'static str, fn(usize) -> String);
    let shapes: [Shape; 12] = [
        ("braces", |n| "{".repeat(n)),
        ("objects that never end", |n| "{\"a\":1,\"b\":".repeat(n / 12)),
        ("brackets", |n| "[".repeat(n)),
        ("names", |n| "name=\"value:".repeat(n / 12)),
        ("quotes that never close", |n| format!("password=\"{}", "code='\\\" ".repeat(n / 9))),
        ("percent signs", |n| "%3D%3Dcode%3D".repeat(n / 13)),
        ("keys", |n| "-----BEGIN PRIVATE KEY-----\n".repeat(n / 28)),
        ("tokens", |n| "eyJhbGciOiJub25l.".repeat(n / 17)),
        ("literals", |n| "invalid_scope scope not registered ".repeat(n / 35)),
        ("errors", |n| "error=invalid_scope&error_description=x ".repeat(n / 40)),
        ("one word", |n| "a".repeat(n)),
        ("different words", |n| {
            (0..n / 8).fold(String::new(), |mut text, word| {
                // Writing to a String cannot fail.
                let _ = write!(text, "w{word:06} ");
                text
            })
        }),
    ];
    for (name, shape) in shapes {
        let time = |size: usize| {
            let text = shape(size);
            let start = now();
            explain(&text);
            start.elapsed()
        };
        time(1024);
        // Eight times the input: a square would be sixty-four times, each time. The machine may be busy with something else.
        let grows_too_much = || {
            let (small, large) = (time(128 * 1024), time(1024 * 1024));
            (large >= small * 30 + Duration::from_secs(1)).then_some((small, large))
        };
        let tries: Vec<_> = (0..4).map_while(|_| grows_too_much()).collect();
        assert!(tries.len() < 4, "{name}: {tries:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is about time")]
fn now() -> Instant {
    Instant::now()
}

fn of_embedded(text: &str) -> Answer {
    Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En)
}

fn of(entries: &[(&str, &str)]) -> Knowledge {
    let entries = entries.iter().map(|(file, text)| Entry::parse(file, text).expect("an entry")).collect();
    Knowledge::new(Arc::new(Corpus::new(entries).expect("a corpus"))).expect("patterns")
}

fn explain(text: &str) -> Answer {
    support::knowledge().explain(&Input::take_apart(text.as_bytes()), Language::En)
}
