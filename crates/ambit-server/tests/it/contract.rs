//! Every answer that a test gets is held against the OpenAPI document: its status and its media type must be what the document
//! promises for that operation, and of the admin API its body as well.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use ambit_server::admin_api::ROOT;
use ambit_server::openapi;
use axum::http::{Method, StatusCode, header};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::support::Answer;

/// Panics where an answer is not what the document promises.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else { return };
    let at = format!("{method} {template}: {} {}", answer.status, answer.text);
    // Before anybody looks what is asked for.
    if is_by_the_surrounding(answer) {
        return;
    }
    let response = &operation["responses"][answer.status.as_str()];
    assert!(response.is_object(), "the document does not have this status: {at}");
    if *method == Method::HEAD || answer.text.is_empty() {
        let has_body = *method != Method::HEAD && response.get("content").is_some();
        assert!(!has_body, "the document promises a body: {at}");
        return;
    }
    let media_type = answer.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default();
    let schema = &response["content"][media_type]["schema"];
    assert!(schema.is_object(), "the document does not have {media_type}: {at}");
    if !template.starts_with(ROOT) {
        return;
    }
    let faults: Vec<String> = validator(schema)
        .iter_errors(&answer.json)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?} {at}");
}

/// Whether a request was turned away before anybody looked at what it asks for, as any may be.
fn is_by_the_surrounding(answer: &Answer) -> bool {
    let is_of_host = answer.json["detail"].as_str().is_some_and(|detail| detail.contains("Host header"));
    answer.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE || is_of_host
}

/// The operation of a request. A path with fewer names in braces is the nearer one, as in the router.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = path.split('?').next().unwrap_or_default();
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_ascii_lowercase() };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths
        .iter()
        .filter(|(template, _)| matches(template, path))
        .min_by_key(|(template, _)| template.matches('{').count())
        .and_then(|(template, operations)| Some((template.as_str(), operations.get(&method)?)))
}

fn matches(template: &str, path: &str) -> bool {
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
}

fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().expect("no panic while it is held");
    let built = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        // The document leaves answers open for what later releases add; a test knows all there is.
        if whole["$ref"] != PROBLEM {
            whole["unevaluatedProperties"] = json!(false);
        }
        whole["components"] = DOCUMENT["components"].clone();
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        Arc::new(options.build(&whole).expect("a schema"))
    });
    built.clone()
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
const PROBLEM: &str = "#/components/schemas/Problem";

/// What few tests of endpoints do: who is turned away early, and who finds nobody. Each answer is held against the document.
mod turned_away {
    use axum::body::{Body, Bytes};
    use axum::http::{Request, header};

    use super::{Answer, DOCUMENT, Method, ROOT, json};
    use crate::support::Fixture;

    const FORM: &str = "application/x-www-form-urlencoded";

    async fn ask(
        fixture: &Fixture,
        (method, path): (&Method, &str),
        (name, value): (&str, &str),
        body: Body,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header(name, value).body(body);
        fixture.send(request.expect("a request")).await
    }

    fn media_type(answer: &Answer) -> &str {
        answer.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default()
    }

    #[tokio::test]
    async fn a_client_of_a_tenant_that_is_not_there() {
        let fixture = Fixture::new().await;
        let asked = ["connect/token", "connect/introspect", "connect/revoke", "connect/scopes", "connect/explain"]
            .map(|endpoint| (Method::POST, format!("/tenants/nope/{endpoint}")))
            .into_iter()
            .chain(
                ["token", "introspect", "revoke"]
                    .map(|endpoint| (Method::POST, format!("/api/v1/auth/tenants/nope/oauth/{endpoint}"))),
            )
            .chain([(Method::GET, "/tenants/nope/connect/scopes".to_owned())]);
        for (method, path) in asked {
            let answer = ask(&fixture, (&method, &path), ("content-type", FORM), Body::empty()).await;
            assert_eq!((answer.status.as_u16(), media_type(&answer)), (404, "application/problem+json"), "{path}");
        }
        // The platform's issuer is always there, and says nothing else.
        assert!(DOCUMENT["paths"]["/connect/token"]["post"]["responses"]["404"].is_null());
    }

    #[tokio::test]
    async fn a_form_that_is_too_large_or_too_slow() {
        let fixture = Fixture::with("limits.body_timeout = '100 ms'").await;
        for endpoint in ["token", "introspect", "revoke", "scopes", "explain", "userinfo", "endsession", "authorize"] {
            let path = format!("/connect/{endpoint}");
            let huge = Body::from("a".repeat(1024 * 1024));
            let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
            for (body, status) in [(huge, 413), (never, 408)] {
                let answer = ask(&fixture, (&Method::POST, &path), ("content-type", FORM), body).await;
                assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
            }
        }
    }

    #[tokio::test]
    async fn a_caller_of_the_admin_api_by_its_header_or_its_body() {
        let fixture = Fixture::with("limits.body_timeout = '100 ms'").await;
        let bearer = format!("Bearer {}", fixture.root().await);
        for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
            let path = if method == Method::POST { format!("{ROOT}/tenants") } else { format!("{ROOT}/tenants/none") };
            let huge = Body::from("a".repeat(1024 * 1024 + 1));
            let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
            for (credentials, body, status) in
                [("Bearer", Body::empty(), 400), (&bearer, huge, 413), (&bearer, never, 408)]
            {
                let answer = ask(&fixture, (&method, &path), ("authorization", credentials), body).await;
                assert_eq!(answer.status.as_u16(), status, "{method}: {}", answer.text);
            }
        }
    }

    #[tokio::test]
    async fn a_form_of_a_page_that_is_over() {
        let fixture = Fixture::new().await;
        for (path, status) in [
            ("/invitation/0", 404),
            ("/confirm-address/0", 404),
            ("/new-password/0", 404),
            ("/registration/0", 404),
            ("/sign-in/0/password", 404),
            ("/sign-in/0/forgotten", 404),
            ("/sign-in/0/register", 404),
            ("/set-up/0", 403),
        ] {
            let answer = ask(&fixture, (&Method::POST, path), ("content-type", FORM), Body::empty()).await;
            assert_eq!((answer.status.as_u16(), media_type(&answer)), (status, "text/html"), "{path}");
        }
    }

    #[tokio::test]
    async fn nobody_for_a_question_without_a_body() {
        let fixture = Fixture::new().await;
        let path = "/api/v1/errors/match";
        let answer = ask(&fixture, (&Method::POST, path), ("accept", "*/*"), Body::empty()).await;
        assert_eq!((answer.status.as_u16(), &answer.json["outcome"]), (200, &json!("no_match")), "{}", answer.text);
        assert_eq!(DOCUMENT["paths"][path]["post"]["requestBody"]["required"], false);
    }
}

/// What the document says of requests is what the server takes: no more, and no less where a schema can say it.
mod said {
    use ambit_core::idempotency::KeyedRequest;
    use ambit_protocol::admin::text::{Name, Texts};

    use super::{DOCUMENT, Method, Value, json, validator};
    use crate::support::{Fixture, JSON};

    fn is_said_of(schema: &str, value: &Value) -> bool {
        validator(&json!({ "$ref": format!("#/components/schemas/{schema}") })).is_valid(value)
    }

    #[test]
    fn of_texts() {
        let (longest, too_long) = ("é".repeat(200), "é".repeat(201));
        for text in ["", " ", "\u{a0}", "a", " a ", "a\tb", "a\nb", "\u{7f}a", "a\u{85}", "你好", &longest, &too_long]
        {
            assert_eq!(is_said_of("Name", &json!(text)), text.parse::<Name>().is_ok(), "{text:?}");
        }
        let (longest, too_long) = ("é".repeat(2000), "é".repeat(2001));
        for text in ["", " ", "\n", "a", "a\tb", "a\nb", "\u{9f}a", &longest, &too_long] {
            for texts in [json!(text), json!({ "en": text }), json!({ "en": "a", "zh": text }), json!({ "zh": text })] {
                let is_taken = serde_json::from_value::<Texts>(texts.clone()).is_ok();
                assert_eq!(is_said_of("Texts", &texts), is_taken, "{texts}");
            }
        }
        for (language, is_one) in [("zh-Hans", true), ("e", false), ("zh_CN", false), ("abcdefghi", false)] {
            let texts = json!({ "en": "a", language: "a" });
            assert_eq!(is_said_of("Texts", &texts), is_one, "{language}");
            assert_eq!(serde_json::from_value::<Texts>(texts).is_ok(), is_one, "{language}");
        }
    }

    #[test]
    fn of_keys() {
        let parameters = DOCUMENT["paths"]["/api/v1/admin/tenants"]["post"]["parameters"].as_array().expect("a list");
        let named = parameters.iter().find(|parameter| parameter["name"] == "Idempotency-Key").expect("the key");
        let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
        for key in ["", "k", "!~", "a b", "a\t", "é", &longest, &too_long] {
            let is_taken = KeyedRequest::new("somebody", key.as_bytes(), &[]).is_ok();
            assert_eq!(validator(&named["schema"]).is_valid(&json!(key)), is_taken, "{key:?}");
        }
    }

    #[tokio::test]
    async fn of_spans_and_lengths() {
        let fixture = Fixture::new().await;
        let root = fixture.root().await;
        let tenant = fixture.made(Method::POST, "/tenants", &json!({ "name": "T", "slug": "t" })).await;
        let api = json!({ "identifier": "https://api.example", "name": "A" });
        let api = fixture.made(Method::POST, "/apis", &api).await;
        let at = |noun: &str, thing: &Value| format!("/{noun}/{}", thing["id"].as_str().expect("an id"));
        let (tenant, api) = (at("tenants", &tenant), at("apis", &api));
        let lasts = |secs: u32| json!({ "token_lifetime_secs": secs });
        let setting = |name: &str, value: u32| json!({ "settings": { name: value } });
        for (schema, path, patch, is_taken) in [
            ("PatchApi", &api, lasts(59), false),
            ("PatchApi", &api, lasts(60), true),
            ("PatchApi", &api, lasts(86_400), true),
            ("PatchApi", &api, lasts(86_401), false),
            ("PatchTenant", &tenant, setting("password_min_length", 7), false),
            ("PatchTenant", &tenant, setting("password_min_length", 8), true),
            ("PatchTenant", &tenant, setting("password_min_length", 64), true),
            ("PatchTenant", &tenant, setting("password_min_length", 65), false),
            ("PatchTenant", &tenant, setting("session_max_secs", 2_592_000), true),
            ("PatchTenant", &tenant, setting("session_max_secs", 2_592_001), false),
            ("PatchTenant", &tenant, setting("session_idle_secs", 60), true),
            ("PatchTenant", &tenant, setting("session_idle_secs", 59), false),
        ] {
            let answer = fixture.admin_with(&root, Method::PATCH, path, &[JSON], patch.to_string()).await;
            assert_eq!(answer.status.as_u16(), if is_taken { 200 } else { 422 }, "{patch}: {}", answer.text);
            assert_eq!(is_said_of(schema, &patch), is_taken, "{patch}");
        }
    }
}

/// The check itself: an answer that the document does not promise is found.
mod checked {
    use axum::http::HeaderMap;

    use super::{Answer, Method, StatusCode, Value, check, json};

    fn answer(status: u16, media_type: &str, json: Value) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media_type.parse().expect("a header's value"));
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, headers, text: json.to_string(), json }
    }

    fn feature() -> Value {
        json!({
            "key": "k", "title": {"en": "K"}, "revision": 1,
            "created_at": "2027-01-15T08:00:00Z", "updated_at": "2027-01-15T08:00:00Z",
        })
    }

    #[test]
    fn what_is_promised_passes() {
        check(&Method::GET, "/api/v1/admin/features/k", &answer(200, "application/json", feature()));
        check(&Method::GET, "/nothing/there", &answer(404, "text/html", json!({})));
    }

    #[test]
    #[should_panic(expected = "does not have this status")]
    fn a_status_that_is_not_promised_is_found() {
        check(&Method::GET, "/api/v1/admin/features/k", &answer(201, "application/json", feature()));
    }

    #[test]
    #[should_panic(expected = "does not have text/html")]
    fn a_media_type_that_is_not_promised_is_found() {
        check(&Method::GET, "/api/v1/admin/features/k", &answer(200, "text/html", feature()));
    }

    #[test]
    #[should_panic(expected = "is a required property")]
    fn a_member_that_is_missing_is_found() {
        let mut feature = feature();
        feature.as_object_mut().expect("an object").remove("key");
        check(&Method::GET, "/api/v1/admin/features/k", &answer(200, "application/json", feature));
    }

    #[test]
    #[should_panic(expected = "Unevaluated properties are not allowed")]
    fn a_member_that_is_not_promised_is_found() {
        let mut feature = feature();
        feature["more"] = json!(1);
        check(&Method::GET, "/api/v1/admin/features/k", &answer(200, "application/json", feature));
    }
}
