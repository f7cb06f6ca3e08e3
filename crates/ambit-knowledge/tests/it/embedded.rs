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

fn explain(text: &str) -> Answer {
    Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En)
}
