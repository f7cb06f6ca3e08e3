//! No secret gets through: every shape that people paste, each with a secret that can be looked for.

use ambit_knowledge::redact::redact;
use ambit_knowledge::{Input, Knowledge, Language};

/// A text with secrets in it, and the secrets.
const SHAPES: &[(&str, &[&str])] = &[
    // Headers, alone, in transcripts, in commands.
    ("Authorization: Bearer 2YotnFZFEjr1zCsicMWpAA", &["2YotnFZFEjr1zCsicMWpAA"]),
    ("> authorization: Basic c2hvcDpodW50ZXIy", &["c2hvcDpodW50ZXIy"]),
    ("Authorization: quokka", &["quokka"]),
    ("Proxy-Authorization: Basic dXNlcjpwYXNz", &["dXNlcjpwYXNz"]),
    ("Authorization: SSWS 00QCjAl4MlV-WPXM", &["00QCjAl4MlV-WPXM"]),
    ("curl -H 'Authorization: Bearer abcdefgh' https://api.example/", &["abcdefgh"]),
    ("curl -H \"authorization: DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU\"", &["Kz~8mXK1", "gxU"]),
    ("sent with bearer 2YotnFZFEjr1zCsicMWpAA, refused", &["2YotnFZFEjr1zCsicMWpAA"]),
    ("Cookie: SESSION=abc; theme=dark", &["abc", "dark"]),
    ("< set-cookie: AUTH_SESSION_ID=0f1e; Path=/; HttpOnly", &["0f1e"]),
    ("curl -b 'sid=letmein' https://as.example", &["letmein"]),
    ("X-Api-Key: 12345", &["12345"]),
    ("DPoP: proof.of.possession", &["proof.of.possession"]),
    ("curl -u shop:hunter2 https://as.example/token", &["hunter2"]),
    ("curl --user 'shop:hunter2' https://as.example/token", &["hunter2"]),
    // Forms and queries.
    ("grant_type=client_credentials&client_id=shop&client_secret=s3cr3t&scope=read", &["s3cr3t"]),
    ("client_secret=hunter", &["hunter"]),
    ("grant_type=password&username=ann&password=correcthorse", &["correcthorse"]),
    (
        "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&code_verifier=dBjftJeZ4CVP",
        &["SplxlOBeZQQYbYS6WxSbIA", "dBjftJeZ4CVP"],
    ),
    ("https://app.example/cb?code=abcdef&state=af0ifjsldkj", &["abcdef", "af0ifjsldkj"]),
    ("https://app.example/cb#access_token=2YotnFZFEjr1&token_type=Bearer", &["2YotnFZFEjr1"]),
    ("https://as.example/login?next=https%3A%2F%2Fapp.example%2Fcb%3Fcode%3Dabcdef%26state%3Dxyz123", &["abcdef"]),
    ("refresh_token=tGzv3JOkF0XG5Qx2TlKWIA", &["tGzv3JOkF0XG5Qx2TlKWIA"]),
    ("client_assertion=abc.def.ghi", &["abc.def.ghi"]),
    ("device_code=GmRhmhcxhwAzkoEqiMEg", &["GmRhmhcxhwAzkoEqiMEg"]),
    ("--data-urlencode 'assertion=PHNhbWxwOl'", &["PHNhbWxwOl"]),
    ("https://as.example/session/end?id_token_hint=opaque-hint", &["opaque-hint"]),
    ("https://api.example/v1?key=AIzaSyA1234567890abcdefghijklmnopqrstuv", &["AIzaSyA1234567890"]),
    // JSON, whole, cut off, escaped, in other languages' spelling.
    (r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer"}"#, &["2YotnFZFEjr1zCsicMWpAA"]),
    (r#"{"client_secret": "with \" quote and space", "x": 1}"#, &["quote and space"]),
    (r#"{"password":"correct horse"#, &["correct horse"]),
    (r#"{"clientSecret":"camel"}"#, &["camel"]),
    (r#"body="{\"refresh_token\":\"secretvalue\",\"a\":\"b\"}""#, &["secretvalue"]),
    ("{'client_secret': 'single', 'grant_type': 'x'}", &["single"]),
    (r#"{"kty":"EC","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#, &["jpsQnnGQmL"]),
    (r#"{"kty":"oct","k":"GawgguFyGrWKav7AX4VKUg"}"#, &["GawgguFyGrWKav7AX4VKUg"]),
    // HTTP archives, in either order of members.
    (r#"{"name": "Authorization", "value": "quokka"}"#, &["quokka"]),
    (r#"{"value":"sid=quokka","name":"Cookie"}"#, &["quokka"]),
    (r#""cookies": [{"name": "theme", "value": "a]b"}], "x": 1"#, &["a]b"]),
    (r#"{"postData":{"text":"client_id=shop&client_secret=quokka"}}"#, &["quokka"]),
    // Configuration and logs.
    ("spring.security.oauth2.client.registration.shop.client-secret: hunter", &["hunter"]),
    ("  password: hunter\n  user: ann", &["hunter"]),
    ("CLIENT_SECRET=hunter", &["hunter"]),
    ("DB_PASSWORD=hunter", &["hunter"]),
    ("token=abcdef, user=ann", &["abcdef"]),
    ("postgres://ambit:hunter2@db.example/ambit", &["hunter2"]),
    ("https://oauth2:ghp_x@git.example", &["ghp_x"]),
    (";jsessionid=0A1B2C", &["0A1B2C"]),
    // What secrets look like wherever they stand.
    ("found ambit_cs_8mXK1EalYznwHLC1fBAo4LjpzsPENeOgxU0123456789abc in a log", &["8mXK1EalYznw"]),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", &["16C7e42F292c"]),
    ("xoxb-123456789012-abcdefABCDEF", &["123456789012-abc"]),
    ("the token 8xLOxBtZp8aQ3kVb2nWc7yRt was refused", &["8xLOxBtZp8aQ3kVb2nWc7yRt"]),
    ("secret abc8Q~AbCdEfGhIjKlMnOpQrStUvWxYz0123456 expired", &["AbCdEfGhIjKl"]),
    (
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----",
        &["MIGHAgEAMBMG"],
    ),
    (r#"{"key":"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"}"#, &["MIIEow"]),
    ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE cut off", &["MHcCAQEE"]),
    (TOKEN, &["c2lnbmF0dXJlLW9mLXRoZS10b2tlbg", "eyJhbGci"]),
    ("jwt malformed: eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3M", &["eyJhbGci", "eyJpc3M"]),
];

const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUiLCJzY29wZSI6InJlYWQiLCJlbWFpbCI6ImFubkBleGFtcGxlIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";

#[test]
fn no_secret_is_left_in_any_shape() {
    for (text, secrets) in SHAPES {
        let shown = redact(text);
        for secret in *secrets {
            assert!(text.contains(secret), "the case itself: {text}");
            assert!(!shown.contains(secret), "{text}\n  became\n{shown}");
        }
    }
}

#[test]
fn no_secret_is_left_in_an_answer() {
    for (text, secrets) in SHAPES {
        let input = Input::take_apart(text.as_bytes());
        let answer = Knowledge::embedded().explain(&input, Language::En);
        let told = format!("{} {input:?}", serde_json::to_string(&answer).expect("JSON"));
        for secret in *secrets {
            assert!(!told.contains(secret), "{text}\n  became\n{told}");
        }
    }
}

#[test]
fn all_shapes_pasted_together_leave_no_secret_either() {
    let all = SHAPES.iter().map(|(text, _)| *text).collect::<Vec<_>>().join("\n");
    let shown = redact(&all);
    for secret in SHAPES.iter().flat_map(|(_, secrets)| *secrets).filter(|secret| secret.len() > 6) {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn a_header_in_quotes_loses_its_value_and_not_its_name() {
    let shown = redact("send an access token: 'Authorization: Bearer 2YotnFZFEjr1'");
    assert_eq!(shown, "send an access token: 'Authorization: Bearer [redacted]'");
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "invalid token: jwt expired",
        "Failed to verify token: invalid signature",
        "JsonWebTokenError: invalid signature",
        "Bearer token authentication is required",
        r#"WWW-Authenticate: Bearer error="insufficient_scope", error_description="The request requires higher privileges", scope="admin:read""#,
        r#"Bearer realm="api", error="invalid_token""#,
        r#"{"error":"invalid_grant","error_description":"Code not valid"}"#,
        r#"{"errorCode":"E0000006","errorSummary":"You do not have permission","errorLink":"E0000006"}"#,
        r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}"#,
        r#"{"code":"invalid_client_metadata","state":"suspended"}"#,
        "AADSTS65001: The user or administrator has not consented to use the application with ID '00000000-0000-0000-0000-000000000000'",
        "at org.springframework.security.oauth2.server.authorization.authentication.OAuth2ClientCredentialsAuthenticationProvider.authenticate(OAuth2ClientCredentialsAuthenticationProvider.java:88)",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 status_code=401",
        "password: must be at least 8 characters",
        "the secret is not the client's",
        "oauth2: cannot fetch token: 401 Unauthorized",
        "retrieving token: AADSTS50011: The reply address does not match",
        "failed to refresh token: oauth2: cannot fetch token",
        "refresh token: invalid_grant",
        "https://app.example/cb?error=invalid_scope&error_description=scope+admin+not+registered",
        "作用域 'admin' 未注册",
        "https://app.example/cb?error=invalid_request&error_description=The+parameter+does+not+match+any+of+the+OAuth+2+Client+urls",
        r#"Bearer scope="pos:read", resource_metadata="https://as.example/.well-known/oauth-protected-resource""#,
        r#"Bearer resource_metadata="https://as.example/.well-known/oauth-protected-resource""#,
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn of_a_token_the_deciding_claims_stay_and_the_signature_and_the_person_do_not() {
    let input = Input::take_apart(TOKEN.as_bytes());
    let [jwt] = input.jwts() else { panic!("one token: {:?}", input.jwts()) };
    assert_eq!(jwt.header["kid"], "k1");
    assert_eq!(jwt.claims["iss"], "https://as.example");
    assert_eq!(jwt.claims["scope"], "read");
    assert!(jwt.is_signed);
    assert!(!jwt.claims.contains_key("email"));
    assert_eq!(input.shown(), "[jwt]");
}

/// No token has spaces, but a secret may be words that somebody chose.
#[test]
fn what_is_said_of_a_token_stays_and_words_that_are_a_secret_do_not() {
    let said = "cannot decode the token: 'Invalid signature'";
    assert_eq!(redact(said), said);
    for text in [
        r#"{"client_secret": "correct horse battery"}"#,
        "client_secret: 'correct horse battery'",
        r#"{"app_secret": "correct horse battery"}"#,
        "shared_secret: 'correct horse battery'",
        r#"{"password": "correct horse battery"}"#,
        "token='correct horse battery'",
    ] {
        assert!(!redact(text).contains("horse"), "{}", redact(text));
    }
}

#[test]
fn what_only_resembles_a_number_of_a_product_is_a_secret_still() {
    for text in ["token: ABC50011", "token: AADSTS50011x", "token: 40112", "token=AADSTS50011"] {
        assert!(redact(text).ends_with("[redacted]"), "{text} became {}", redact(text));
    }
}

#[test]
fn redacting_a_shape_again_changes_nothing() {
    for (text, _) in SHAPES {
        let once = redact(text);
        assert_eq!(redact(&once), once, "{text}");
    }
}
