//! What people have in hand most often, each answered with its entry and with something to do.

use ambit_knowledge::{Input, Knowledge, Language, Outcome};

const PASTED: &[(&str, &str, &str)] = &[
    ("a bare code", r#"{"error":"invalid_grant"}"#, "api/oauth2-invalid-grant"),
    (
        "a challenge alone",
        r#"WWW-Authenticate: Bearer error="insufficient_scope", scope="orders:write""#,
        "api/insufficient-scope",
    ),
    (
        "the body of a 403 alone",
        r#"{"type":"https://login.example/errors/api/insufficient-scope","title":"The token lacks the scope","status":403,"detail":"the token does not hold scope 'admin:read', which this endpoint requires"}"#,
        "api/insufficient-scope",
    ),
    (
        "a transcript of curl -v",
        "* Connected to login.example (192.0.2.7) port 443\n> POST /oauth2/token HTTP/1.1\n> Host: login.example\n> Content-Type: application/x-www-form-urlencoded\n>\n< HTTP/1.1 401 Unauthorized\n< content-type: application/json\n< www-authenticate: Basic realm=\"token\"\n<\n{\"error\":\"invalid_client\"}\n* Connection #0 to host login.example left intact",
        "api/oauth2-invalid-client",
    ),
    (
        "a stack trace of Java",
        "org.springframework.security.oauth2.jwt.BadJwtException: An error occurred while attempting to decode the Jwt: Signed JWT rejected: Invalid signature\n\tat org.springframework.security.oauth2.jwt.NimbusJwtDecoder.createJwt(NimbusJwtDecoder.java:181)\n\tat org.springframework.security.oauth2.jwt.NimbusJwtDecoder.decode(NimbusJwtDecoder.java:140)\nCaused by: com.nimbusds.jose.proc.BadJWSException: Signed JWT rejected: Invalid signature\n\tat com.nimbusds.jwt.proc.DefaultJWTProcessor.<clinit>(DefaultJWTProcessor.java:104)",
        "jwt/nimbus-invalid-signature",
    ),
    (
        "a line of a Chinese log",
        "2026-11-26 10:15:02.113 错误 [order-service] 获取令牌失败：invalid_scope：作用域 'admin' 未注册",
        "api/oauth2-invalid-scope-requested",
    ),
];

#[test]
fn what_people_have_in_hand_is_answered_with_something_to_do() {
    for (what, text, expected) in PASTED {
        let input = Input::take_apart(text.as_bytes());
        let answer = Knowledge::embedded().explain(&input, Language::Zh);
        assert_eq!(answer.outcome, Outcome::Match, "{what}\n{answer:#?}");
        let found = &answer.entries[0];
        assert_eq!(found.id.as_str(), *expected, "{what}\n{answer:#?}");
        let step = found.first_step.as_ref().expect(what);
        assert!(!step.text.is_empty() && step.language == Language::Zh, "{what}: {step:?}");
        assert!(!found.reasons.is_empty(), "{what}");
    }
}
