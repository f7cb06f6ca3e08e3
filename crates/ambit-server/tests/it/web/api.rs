//! `POST /api/v1/errors/match`, and reports whether an advice helped: open to anybody, and so bounded.

use ambit_core::store::OutcomeCount;
use ambit_knowledge::input::MAX_INPUT;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::store::{Faulty, READS, WRITES};
use crate::support::{Answer, BASE, Fixture};

const MATCH: &str = "/api/v1/errors/match";
const SCOPE: &str = "api/oauth2-invalid-scope-requested";
const REPORT: &str = "/api/v1/errors/api/oauth2-invalid-scope-requested/outcomes";
const PAGE: &str = "/errors/api/oauth2-invalid-scope-requested";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_text_is_answered_with_what_it_is_about_and_why_in_either_form() {
    let fixture = Fixture::new().await;
    let text = r#"{"error":"invalid_scope"}"#;
    let in_json = json!({ "text": text }).to_string();
    let schema = schema_of(&fixture, MATCH).await;
    for (media_type, body) in
        [("text/plain", text), ("text/plain; charset=utf-8", text), ("", text), ("application/json", &in_json)]
    {
        let answer = post(&fixture, MATCH, media_type, body, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{media_type}: {}", answer.text);
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        assert_eq!((&answer.json["outcome"], &answer.json["entries"][0]["id"]), (&json!("match"), &json!(SCOPE)));
        assert!(answer.json["entries"][0]["reasons"][0]["rule"].is_string(), "{}", answer.text);
        let faults: Vec<String> = schema.iter_errors(&answer.json).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
    let chinese = post(&fixture, &format!("{MATCH}?lang=zh"), "text/plain", text, &[]).await;
    assert_eq!(chinese.json["entries"][0]["title"], json!({"language": "zh", "text": "请求的作用域未被授予"}));
    let nothing = post(&fixture, MATCH, "text/plain", "the weather is fine", &[]).await;
    assert_eq!(nothing.json["outcome"], "no_match", "{}", nothing.text);
}

#[tokio::test]
async fn no_secret_comes_back_and_what_cannot_be_read_is_not_quoted() {
    let fixture = Fixture::new().await;
    let secret = "s3cr3t-value-that-nobody-may-see-again-0123456789";
    let text = format!(
        "curl -u till:{secret} -d client_secret={secret}\n{{\"error\":\"invalid_client\",\"client_secret\":\"{secret}\"}}"
    );
    let answer = post(&fixture, MATCH, "text/plain", &text, &[]).await;
    assert!(answer.status == StatusCode::OK && !answer.text.contains(secret), "{}", answer.text);
    for (body, status) in [
        (json!({ "txt": secret }), 422),
        (json!({ "text": { secret: secret } }), 422),
        (json!({ "text": "x", secret: 1 }), 422),
        (json!([secret]), 422),
    ] {
        let answer = post(&fixture, MATCH, "application/json", &body.to_string(), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.text.contains(secret)), (status, false), "{}", answer.text);
    }
    let answer = post(&fixture, MATCH, "application/json", &format!("{{\"text\":\"{secret}"), &[]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!answer.text.contains(secret) && answer.text.contains("malformed-json"), "{}", answer.text);
}

#[tokio::test]
async fn a_question_has_a_size_and_a_form() {
    let fixture = Fixture::new().await;
    let most = post(&fixture, MATCH, "text/plain", &"a ".repeat(MAX_INPUT / 2), &[]).await;
    assert_eq!(most.status, StatusCode::OK);
    let more = post(&fixture, MATCH, "text/plain", &"a".repeat(MAX_INPUT + 1), &[]).await;
    assert_eq!(more.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(more.json["instance"], MATCH);
    for media_type in [FORM, "image/png", "multipart/form-data; boundary=x"] {
        let other = post(&fixture, MATCH, media_type, "text=x", &[]).await;
        assert_eq!(other.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type}");
    }
    let language = post(&fixture, &format!("{MATCH}?lang=xx"), "text/plain", "x", &[]).await;
    assert_eq!(language.status, StatusCode::BAD_REQUEST);
    let octets = Request::post(MATCH).body(Body::from(vec![0, 255, 254, b'<', 0])).expect("a request");
    assert_eq!(fixture.send(octets).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_address_asks_so_often_and_not_more_and_waiting_helps() {
    let fixture = Fixture::with("rate_limits.matches = 3\nrate_limits.window = '1 min'").await;
    for _ in 0..3 {
        assert_eq!(post(&fixture, MATCH, "text/plain", "invalid_grant", &[]).await.status, StatusCode::OK);
    }
    for path in [MATCH, "/errors/"] {
        let (media_type, body) = if path == MATCH { ("text/plain", "invalid_grant") } else { (FORM, "text=x") };
        let refused = post(&fixture, path, media_type, body, &[]).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert_eq!(refused.json["type"], format!("{BASE}/errors/api/too-many-requests"));
        assert_eq!(refused.header(header::RETRY_AFTER), "20");
    }
    // Reading pages is not asking.
    assert_eq!(fixture.get("/errors/?q=scope").await.status, StatusCode::OK);
    fixture.clock.advance_secs(20);
    assert_eq!(post(&fixture, MATCH, "text/plain", "invalid_grant", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_report_is_kept_and_moves_the_confidence_on_the_page_and_in_json() {
    let fixture = Fixture::new().await;
    let before = fixture.get(&format!("{PAGE}.json")).await.json;
    assert_eq!(before["outcomes"], json!({"helped": 0, "failed": 0}));
    let schema = schema_of(&fixture, "/api/v1/errors/{domain}/{name}/outcomes").await;

    let report = post(&fixture, REPORT, "application/json", r#"{"helped":false,"workaround":1}"#, &[]).await;
    assert_eq!(report.status, StatusCode::OK, "{}", report.text);
    assert!(schema.is_valid(&report.json), "{}", report.text);
    let after = fixture.get(&format!("{PAGE}.json")).await.json;
    assert_eq!(after["outcomes"], json!({"helped": 0, "failed": 1}));
    assert_eq!(after["confidence"], report.json["confidence"]);
    let mean = |entry: &Value, name: &str| entry[name]["mean"].as_f64().expect("a number");
    assert!(mean(&after, "confidence") < mean(&before, "confidence"));
    assert!(mean(&after, "fix_success_rate") < mean(&before, "fix_success_rate"));
    let page = fixture.get(&format!("{PAGE}?lang=en")).await.text;
    assert!(page.contains("; reports: 1)") && !page.contains("Nobody has reported"), "{page}");

    // Under an earlier name it is about the same entry, a day later.
    fixture.clock.advance_secs(86_400);
    let alias = "/api/v1/errors/api/oauth2-invalid-scope/outcomes";
    let report = post(&fixture, alias, "application/json", r#"{"helped":true}"#, &[]).await;
    assert_eq!(report.json["outcomes"], json!({"helped": 1, "failed": 1}), "{}", report.text);
    let count = |workaround, helped, failed| OutcomeCount { entry: SCOPE.to_owned(), workaround, helped, failed };
    assert_eq!(fixture.store.outcomes().await.expect("counts"), [count(0, 1, 0), count(1, 0, 1)]);
}

#[tokio::test]
async fn what_was_reported_elsewhere_shows_half_a_minute_later_and_under_earlier_names_too() {
    let fixture = Fixture::new().await;
    let outcomes = async || fixture.get(&format!("{PAGE}.json")).await.json["outcomes"].clone();
    assert_eq!(outcomes().await, json!({"helped": 0, "failed": 0}));
    for entry in [SCOPE, "api/oauth2-invalid-scope"] {
        let report = ambit_core::store::OutcomeReport { entry: entry.to_owned(), workaround: 0, helped: true };
        fixture.store.report_outcome(&report).await.expect("counted");
    }
    fixture.clock.advance_secs(29);
    assert_eq!(outcomes().await, json!({"helped": 0, "failed": 0}));
    fixture.clock.advance_secs(1);
    assert_eq!(outcomes().await, json!({"helped": 2, "failed": 0}));
}

#[tokio::test]
async fn a_flood_of_reports_counts_once_for_an_error_and_so_often_for_an_address() {
    let fixture = Fixture::with("rate_limits.reports = 3").await;
    let report = async |id: &str| {
        post(&fixture, &format!("/api/v1/errors/{id}/outcomes"), "application/json", r#"{"helped":true}"#, &[]).await
    };
    assert_eq!(report(SCOPE).await.status, StatusCode::OK);
    let again = report(SCOPE).await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(again.header(header::RETRY_AFTER), "86400");
    assert_eq!(report("api/invalid-token").await.status, StatusCode::OK);
    let third = report("api/insufficient-scope").await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS, "refused ones count for the address");
    assert_eq!(third.header(header::RETRY_AFTER), "1200");
    let counted: u64 = fixture.store.outcomes().await.expect("counts").iter().map(|count| count.helped).sum();
    assert_eq!(counted, 2);
}

#[tokio::test]
async fn a_report_that_says_nothing_known_is_refused() {
    let fixture = Fixture::new().await;
    for (path, body, status) in [
        (REPORT, r#"{"helped":"yes"}"#, 422),
        (REPORT, r"{}", 422),
        (REPORT, r#"{"helped":true,"who":"me"}"#, 422),
        (REPORT, r#"{"helped":true,"workaround":0}"#, 422),
        (REPORT, r#"{"helped":true,"workaround":5}"#, 422),
        (REPORT, r#"{"helped":true,"workaround":-1}"#, 422),
        (REPORT, r#"{"helped":tru"#, 400),
        ("/api/v1/errors/api/no-such-error/outcomes", r#"{"helped":true}"#, 404),
        ("/api/v1/errors/nowhere/x/outcomes", r#"{"helped":true}"#, 404),
    ] {
        let answer = post(&fixture, path, "application/json", body, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}: {}", answer.text);
        assert_eq!(answer.json["instance"], path);
    }
    assert_eq!(
        post(&fixture, REPORT, "text/plain", r#"{"helped":true}"#, &[]).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let huge = format!(r#"{{"helped":true,"x":"{}"}}"#, "a".repeat(5000));
    assert_eq!(post(&fixture, REPORT, "application/json", &huge, &[]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fixture.store.outcomes().await.expect("counts"), []);
    // None of these took from what the address may report.
    assert_eq!(
        post(&fixture, REPORT, "application/json", r#"{"helped":true,"workaround":4}"#, &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_buttons_report_without_a_script_and_lead_back_to_the_page() {
    let fixture = Fixture::new().await;
    let page = fixture.get(&format!("{PAGE}?lang=zh")).await;
    assert!(page.text.contains(&format!("<form action=\"{PAGE}?lang=zh\" method=\"post\"")), "{}", page.text);
    assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("form-action 'self'"));
    // A form of a page that refers to nothing would say `Origin: null`.
    assert_eq!(page.header(header::REFERRER_POLICY), "same-origin");

    let own = [("sec-fetch-site", "same-origin"), ("origin", BASE)];
    let sent = post(&fixture, &format!("{PAGE}?lang=zh"), FORM, "workaround=2&helped=true", &own).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    assert_eq!(sent.header(header::LOCATION), format!("{PAGE}?lang=zh&reported=yes#helped"));
    let thanks = fixture.get(&format!("{PAGE}?lang=zh&reported=yes")).await.text;
    assert!(thanks.contains("谢谢，你的反馈已计入。"), "{thanks}");
    let again = post(&fixture, PAGE, FORM, "helped=false&workaround=", &own).await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(again.text.contains("Too many reports from your address") && again.text.contains("<h1>"), "{}", again.text);
    let counts = fixture.store.outcomes().await.expect("counts");
    assert_eq!(
        counts.iter().map(|count| (count.workaround, count.helped, count.failed)).collect::<Vec<_>>(),
        [(2, 1, 0)]
    );
    for body in
        ["", "helped=maybe", "helped=true&helped=false", "helped=true&workaround=x", "helped=true&workaround=99"]
    {
        let odd = post(&fixture, "/errors/api/invalid-token", FORM, body, &own).await;
        assert_eq!(odd.status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_cannot_report_in_the_name_of_who_looks_at_it() {
    let fixture = Fixture::new().await;
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", BASE)],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://as.example")],
        &[("origin", "https://as.example.evil.example")],
    ] {
        for (path, media_type, body) in
            [(PAGE, FORM, "helped=true"), (REPORT, "application/json", r#"{"helped":true}"#)]
        {
            let answer = post(&fixture, path, media_type, body, headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
    }
    assert_eq!(fixture.store.outcomes().await.expect("counts"), []);
    let old_browser = post(&fixture, PAGE, FORM, "helped=true", &[("origin", BASE)]).await;
    assert_eq!(old_browser.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn pages_are_read_while_the_store_does_not_answer_and_reports_are_not_lost_silently() {
    let (fixture, store) = Faulty::fixture("").await;
    let page = async || fixture.get(&format!("{PAGE}.json")).await;
    assert_eq!(post(&fixture, REPORT, "application/json", r#"{"helped":true}"#, &[]).await.status, StatusCode::OK);
    store.fail(&READS);
    fixture.clock.advance_secs(3600);
    let read = page().await;
    assert_eq!((read.status, &read.json["outcomes"]["helped"]), (StatusCode::OK, &json!(1)));
    store.fail(&[&READS[..], &WRITES].concat());
    fixture.clock.advance_secs(86_400);
    let refused = post(&fixture, REPORT, "application/json", r#"{"helped":true}"#, &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
}

async fn post(fixture: &Fixture, path: &str, media_type: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(path);
    if !media_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, media_type);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    fixture.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

/// The schema of an operation's answer, with the definitions that it refers to.
async fn schema_of(fixture: &Fixture, path: &str) -> jsonschema::Validator {
    let document = fixture.get("/api/v1/openapi.json").await.json;
    let mut schema =
        document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"].clone();
    assert!(schema.is_object(), "{path} says what it answers");
    schema["components"] = document["components"].clone();
    jsonschema::validator_for(&schema).expect("a schema")
}
