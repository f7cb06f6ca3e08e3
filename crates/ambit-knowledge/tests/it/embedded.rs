//! What the entries that came with the program answer, where a rule of the engine has it so.

use ambit_knowledge::{Answer, Input, Knowledge, Language, Outcome};

/// RFC 6750 §3.1: who brought no token is told no error.
#[test]
fn a_challenge_that_names_no_error_is_about_a_token_that_was_not_sent() {
    let first = |text: &str| explain(text).entries.first().map(|found| found.id.to_string());
    assert_eq!(explain(r#"WWW-Authenticate: Bearer realm="api""#).outcome, Outcome::Match);
    for text in [
        r#"WWW-Authenticate: Bearer realm="api""#,
        "HTTP/1.1 401 Unauthorized\nwww-authenticate: Bearer\ncontent-length: 0",
        "> GET /v1/orders HTTP/1.1\n> Host: api.example.com\n> Accept: */*\n>\n< HTTP/1.1 401 Unauthorized\n\
         < WWW-Authenticate: Bearer realm=\"api\"\n< Content-Length: 0",
    ] {
        assert_eq!(first(text).as_deref(), Some("api/missing-token"), "{text}");
    }
    // Where a token was sent, where it is another refusal, and where more is said, it is not about that.
    for text in [
        "> GET /v1/orders HTTP/1.1\n> Authorization: Bearer [redacted]\n>\n< HTTP/1.1 401 Unauthorized\n\
         < WWW-Authenticate: Bearer realm=\"api\"",
        "HTTP/1.1 403 Forbidden\nwww-authenticate: Bearer realm=\"api\"",
        r#"www-authenticate: Bearer realm="api", error="invalid_token""#,
        r#"WWW-Authenticate: Basic realm="shop""#,
        "HTTP/1.1 401 Unauthorized\nwww-authenticate: Bearer\n\n{\"message\":\"the token has expired\"}",
    ] {
        assert_ne!(first(text).as_deref(), Some("api/missing-token"), "{text}");
    }
}

#[test]
fn the_number_that_a_product_gave_its_error_counts_more_than_the_words_behind_it() {
    let answer = explain(
        "SecurityTokenSignatureKeyNotFoundException: IDX10503: Signature\n      validation failed. Token does\n      not have a \
         kid. Keys tried: 'Microsoft.IdentityModel.Tokens.X509SecurityKey, KeyId: '8F2C'",
    );
    assert_eq!(answer.entries[0].id.as_str(), "jwt/microsoft-identitymodel-idx10503");
}

/// Of a host that is not found, curl says its name and nothing of what was wanted of it.
#[test]
fn a_host_that_curl_does_not_reach_is_an_authorization_server_where_its_name_says_so() {
    for text in [
        "curl: (6) Could not resolve host: as.example",
        "* Could not resolve host: as.example\n* Closing connection 0\ncurl: (6) Could not resolve host: as.example",
        "curl: (7) Failed to connect to sso.shop.example port 443 after 3 ms: Couldn't connect to server",
        "curl: (28) Failed to connect to idp.shop.example port 443 after 130012 ms: Connection timed out",
    ] {
        let answer = explain(text);
        assert_eq!(answer.outcome, Outcome::Match, "{text}\n{answer:#?}");
        assert_eq!(answer.entries[0].id.as_str(), "client/endpoint-unreachable", "{text}");
    }
    for text in
        ["curl: (6) Could not resolve host: deb.debian.example", "curl: (6) Could not resolve host: assets.example"]
    {
        assert_ne!(explain(text).outcome, Outcome::Match, "{text}");
    }
}

fn explain(text: &str) -> Answer {
    Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En)
}
