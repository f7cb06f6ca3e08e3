//! Every answer that a test gets from the admin API is held against the OpenAPI document: its status, its media type and its
//! body must be what the document promises for that operation.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use ambit_server::admin_api::ROOT;
use ambit_server::openapi;
use axum::http::{Method, header};
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::support::Answer;

/// Panics where an answer is not what the document promises. `path` is below the admin API's root.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else { return };
    let at = format!("{method} {template}: {} {}", answer.status, answer.text);
    let response = &operation["responses"][answer.status.as_str()];
    assert!(response.is_object(), "the document does not have this status: {at}");
    if *method == Method::HEAD || answer.text.is_empty() {
        let has_body = *method != Method::HEAD && response.get("content").is_some();
        assert!(!has_body, "the document promises a body: {at}");
        return;
    }
    let media_type = answer.header(header::CONTENT_TYPE);
    let schema = &response["content"][media_type]["schema"];
    assert!(schema.is_object(), "the document does not have {media_type}: {at}");
    let faults: Vec<String> = validator(schema)
        .iter_errors(&answer.json)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?} {at}");
}

/// The operation of a request. A path with fewer names in braces is the nearer one, as in the router.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = format!("{ROOT}{}", path.split('?').next().unwrap_or_default());
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_ascii_lowercase() };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths
        .iter()
        .filter(|(template, _)| matches(template, &path))
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

/// The check itself: an answer that the document does not promise is found.
mod checked {
    use axum::http::{HeaderMap, StatusCode};

    use super::{Answer, Method, Value, check, json};

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
        check(&Method::GET, "/features/k", &answer(200, "application/json", feature()));
        check(&Method::GET, "/nothing/there", &answer(404, "text/html", json!({})));
    }

    #[test]
    #[should_panic(expected = "does not have this status")]
    fn a_status_that_is_not_promised_is_found() {
        check(&Method::GET, "/features/k", &answer(201, "application/json", feature()));
    }

    #[test]
    #[should_panic(expected = "does not have text/html")]
    fn a_media_type_that_is_not_promised_is_found() {
        check(&Method::GET, "/features/k", &answer(200, "text/html", feature()));
    }

    #[test]
    #[should_panic(expected = "is a required property")]
    fn a_member_that_is_missing_is_found() {
        let mut feature = feature();
        feature.as_object_mut().expect("an object").remove("key");
        check(&Method::GET, "/features/k", &answer(200, "application/json", feature));
    }

    #[test]
    #[should_panic(expected = "Unevaluated properties are not allowed")]
    fn a_member_that_is_not_promised_is_found() {
        let mut feature = feature();
        feature["more"] = json!(1);
        check(&Method::GET, "/features/k", &answer(200, "application/json", feature));
    }
}
