//! The OpenAPI 3.1 document, computed from the route table and the types of the handlers. Nothing in it is written by hand, so
//! nothing in it can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use ambit_core::page::{self, Page as ErrorPage};
use ambit_core::registry::builtin::{ADMIN_READ, ADMIN_WRITE};
use ambit_protocol::error::ErrorBody;
use ambit_protocol::problem::{MEDIA_TYPE, Problem};
use http::Method;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::admin_api::ROOT;
use crate::admin_api::describe::Operation;
use crate::routes::{Guard, Needs, Route, table};

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = SchemaGenerator::new(settings);
    let problem = generator.subschema_for::<Problem>().to_value();
    let error = generator.subschema_for::<ErrorBody>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    let mut scopes = BTreeSet::new();
    for route in table() {
        let mut operation = route.describe(&mut generator);
        let guarded = guarded(&route, &mut operation);
        if let Guard::Admin(needs) = route.guard {
            scopes.extend(needs.scopes());
        }
        let method = route.method.as_str().to_ascii_lowercase();
        let written = write(&route, operation, guarded, &problem, &error);
        let path = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        path[method] = written;
    }
    let scopes: Map<String, Value> = scopes
        .into_iter()
        .map(|scope| (scope.to_owned(), json!(format!("See scope '{scope}' in the catalogue."))))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ambit",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An authorization server whose scopes explain themselves",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(&paths),
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "admin": {
                    "type": "oauth2",
                    "description": format!("An access token for the admin API, from the token endpoint. {ADMIN_READ} opens what reads, {ADMIN_WRITE} everything, a narrow scope its resource."),
                    "flows": { "clientCredentials": { "tokenUrl": "/connect/token", "scopes": scopes } },
                },
                "client": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A client's own credentials. client_secret_post and private_key_jwt do as well, as the client is registered.",
                },
            },
        },
    })
}

/// What the guard of a route adds: who may call it, and how callers are turned away.
fn guarded(route: &Route, operation: &mut Operation) -> Value {
    match route.guard {
        Guard::Public => json!([]),
        Guard::Client => {
            // A tenant that is not there has no issuer, and nobody to say so in OAuth's own form. The platform's is always there.
            if path_parameters(&route.path).next().is_some() {
                operation.problems.push(&page::NOT_FOUND);
            }
            json!([{ "client": [] }])
        }
        Guard::Admin(needs) => {
            // The gate reads a body whatever the method.
            operation.problems.extend([
                &page::INVALID_AUTHORIZATION,
                &page::REQUEST_TOO_SLOW,
                &page::PAYLOAD_TOO_LARGE,
                &page::MISSING_TOKEN,
                &page::INVALID_TOKEN,
                &page::INSUFFICIENT_SCOPE,
                &page::FORBIDDEN,
                &page::TENANT_SUSPENDED,
                &page::TENANT_CHURNED,
                &page::SERVER_ERROR,
                &page::UNAVAILABLE,
            ]);
            if needs.is_write() {
                operation.parameters.push(json!({
                    "name": "Idempotency-Key", "in": "header",
                    "description": "1 to 255 visible characters of your choice. The same request with the same key takes effect once and is answered alike for a day; another request with it is refused.",
                    "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
                }));
                // Whatever is changed may stand in conflict with what is there, be it the key that was sent before.
                operation.problems.extend([&page::VALIDATION_FAILED, &page::NOT_HELD, &page::CONFLICT]);
            }
            if route.method == Method::GET
                && operation.answers.values().any(|answer| answer["headers"]["ETag"].is_object())
            {
                operation.parameters.push(json!({
                    "name": "If-None-Match", "in": "header",
                    "description": "The ETag of what the caller has: where it is still that, there is no body (RFC 9110 §13.1.2).",
                    "schema": { "type": "string" },
                }));
                operation.answers.insert(304, json!({ "description": "It is what the caller has already." }));
            }
            // Any one of them opens it: alternatives, not a sum.
            needs.scopes().map(|scope| json!({ "admin": [scope] })).collect()
        }
    }
}

fn write(route: &Route, operation: Operation, security: Value, problem: &Value, error: &Value) -> Value {
    let Operation { parameters, request_body, answers, problems, errors } = operation;
    let mut parameters_written: Vec<Value> = path_parameters(&route.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters_written.extend(parameters);
    let mut responses: BTreeMap<String, Value> =
        answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
    for (pages, media_type, schema) in [(problems, MEDIA_TYPE, problem), (errors, "application/json", error)] {
        for (status, pages) in by_status(pages) {
            let description: Vec<String> =
                pages.iter().map(|page| format!("[{}](/errors/{})", page.title, page.slug)).collect();
            also(responses.entry(status.to_string()).or_default(), &description.join(" · "), media_type, schema);
        }
    }
    let mut written = json!({
        "operationId": operation_id(&route.method, &route.path),
        "summary": route.summary,
        "tags": [tag(&route.path)],
        "security": security,
        "responses": responses,
    });
    if !parameters_written.is_empty() {
        written["parameters"] = Value::Array(parameters_written);
    }
    if let Some(body) = request_body {
        written["requestBody"] = body;
    }
    written
}

/// Adds a form to what a status says already: some of it may be for people, some for programs.
fn also(response: &mut Value, description: &str, media_type: &str, schema: &Value) {
    let before = response["description"].as_str().map(|before| format!("{before} · ")).unwrap_or_default();
    response["description"] = format!("{before}{description}").into();
    response["content"][media_type] = json!({ "schema": schema });
}

fn by_status(pages: Vec<&'static ErrorPage>) -> BTreeMap<u16, Vec<&'static ErrorPage>> {
    let mut by_status: BTreeMap<u16, Vec<&'static ErrorPage>> = BTreeMap::new();
    for page in pages {
        let there = by_status.entry(page.status).or_default();
        if !there.contains(&page) {
            there.push(page);
        }
    }
    by_status
}

/// The names of what varies in a path.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// `get_tenants_id_units`: the method and the path, as one word. A path that ends with a slash is a list of its own.
fn operation_id(method: &Method, path: &str) -> String {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let mut id = method.as_str().to_ascii_lowercase();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        id.push('_');
        id.extend(
            segment.chars().filter(|c| *c != '{' && *c != '}').map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }),
        );
    }
    if path.ends_with('/') {
        id.push_str("_index");
    }
    id
}

/// What a path is about: the noun behind the admin API's root, or the part of the server it belongs to.
fn tag(path: &str) -> &str {
    if let Some(rest) = path.strip_prefix(ROOT) {
        let mut segments = rest.trim_start_matches('/').split('/');
        let noun = segments.next().unwrap_or_default();
        // A sub-resource is read about where its own noun is.
        return match segments.nth(1) {
            Some("units") => "units",
            Some("features") => "features",
            _ => noun,
        };
    }
    if path.contains("/.well-known/") {
        "discovery"
    } else if path.contains("/connect/") || path.contains("/oauth/") {
        "oauth"
    } else if path.starts_with("/errors") || path.starts_with("/api/v1/errors/") {
        "errors"
    } else {
        "pages"
    }
}

fn tags(paths: &Map<String, Value>) -> Vec<Value> {
    let mut names: Vec<&str> = vec![];
    for path in paths.keys() {
        let tag = tag(path);
        if !names.contains(&tag) {
            names.push(tag);
        }
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

/// Which scopes open a route, for people.
#[must_use]
pub fn opened_by(needs: Needs) -> String {
    needs.scopes().collect::<Vec<_>>().join(" · ")
}

const DESCRIPTION: &str = "\
Everything that is registered here, and who changed what. Tokens come from `/connect/token`; a token of a tenant sees that tenant, \
and what is another's is answered with 404.

Lists have `limit` (50, at most 200) and `cursor`. Single things have an `ETag`; `If-Match` guards a change, `If-None-Match` saves a \
transfer. `PATCH` replaces the members it names, lists as a whole; a thing sent back as it was read changes nothing. \
`Idempotency-Key` makes a write safe to repeat. Trouble is `application/problem+json`, and its `type` is a page on this server.";

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().expect("paths");
        paths
            .iter()
            .flat_map(|(path, item)| {
                let item = item.as_object().expect("an object").clone();
                item.into_iter().map(move |(method, operation)| (method, path.clone(), operation))
            })
            .collect()
    }

    #[test]
    fn every_route_is_in_the_document_once_with_an_id_of_its_own() {
        let document = document();
        let operations = operations(&document);
        assert_eq!(operations.len(), table().len());
        let ids: BTreeSet<&str> =
            operations.iter().map(|(_, _, operation)| operation["operationId"].as_str().expect("an id")).collect();
        assert_eq!(ids.len(), operations.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        let pointer = reference.strip_prefix('#').expect("a reference into the document");
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    members.values().for_each(|value| check(value, document));
                }
                Value::Array(items) => items.iter().for_each(|value| check(value, document)),
                _ => {}
            }
        }
        let document = document();
        check(&document, &document);
    }

    #[test]
    fn every_admin_operation_says_who_may_what_is_answered_and_how_it_is_turned_away() {
        for (method, path, operation) in operations(&document()) {
            if !path.starts_with(ROOT) {
                continue;
            }
            let at = format!("{method} {path}");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
            for status in ["401", "402", "403", "500", "503"] {
                assert!(responses.contains_key(status), "{at} {status}");
            }
            let names_something = path.contains('{') || path.ends_with("/explain");
            assert_eq!(responses.contains_key("404"), names_something, "{at}");
            let security = operation["security"].as_array().expect("security");
            assert!(!security.is_empty(), "{at}");
            let names: Vec<&Value> =
                operation["parameters"].as_array().into_iter().flatten().map(|it| &it["name"]).collect();
            let is_write = security.iter().all(|it| it["admin"][0] == ADMIN_WRITE);
            assert_eq!(names.contains(&&json!("Idempotency-Key")), is_write, "{at}");
            assert_eq!(is_write, method != "get" && path != "/api/v1/admin/explain", "{at}");
            assert_eq!(responses.contains_key("409"), is_write, "{at}");
            if matches!(method.as_str(), "patch" | "delete") {
                assert!(names.contains(&&json!("If-Match")) && responses.contains_key("412"), "{at}");
            }
            if matches!(method.as_str(), "post" | "put" | "patch")
                && !path.ends_with("/revoke")
                && !path.ends_with("/invitation")
                && !path.ends_with("/{member}")
            {
                assert!(operation["requestBody"].is_object(), "{at}");
            }
            for segment in path_parameters(&path) {
                assert!(names.contains(&&json!(segment)), "{at}");
            }
        }
    }

    #[test]
    fn every_oauth_operation_says_what_it_takes_what_it_answers_and_how_it_refuses() {
        let mut forms = 0;
        for (method, path, operation) in operations(&document()) {
            if tag(&path) != "oauth" {
                continue;
            }
            let at = format!("{method} {path}");
            let responses = operation["responses"].as_object().expect("responses");
            if method == "options" {
                // A browser asks before a script does; nobody is authenticated.
                assert!(responses.contains_key("204"), "{at}");
                continue;
            }
            assert!(responses.contains_key("200"), "{at}");
            let has_client = operation["security"] == json!([{ "client": [] }]);
            for status in ["400", "401", "429", "503"] {
                let has_it = responses.get(status).is_some_and(|it| it["content"]["application/json"].is_object());
                assert_eq!(has_it, has_client, "{at} {status}");
            }
            assert_eq!(operation["requestBody"].is_object(), method == "post", "{at}");
            let form = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
            for (name, parameter) in form["properties"].as_object().into_iter().flatten() {
                forms += 1;
                assert!(parameter["description"].as_str().is_some_and(|it| !it.is_empty()), "{at} {name}");
            }
        }
        assert!(forms > 50, "{forms} parameters");
    }

    #[test]
    fn every_operation_says_what_it_answers() {
        let document = document();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let answers = operation["responses"].as_object().expect("answers");
                let tells = answers.keys().any(|status| status.starts_with(['2', '3']));
                assert!(tells && !answers.contains_key("default"), "{method} {path}: {answers:?}");
            }
        }
    }

    #[test]
    fn only_what_may_be_taken_away_may_be_null() {
        let document = document();
        let is_nullable = |schema: &str, name: &str| {
            let property = &document["components"]["schemas"][schema]["properties"][name];
            assert!(property.is_object() && property["description"].is_string(), "{schema} {name}: {property}");
            property.to_string().contains("\"null\"")
        };
        for (schema, name) in [("PatchApplication", "allowed_scopes"), ("PatchTenant", "name"), ("PatchScope", "state")]
        {
            assert!(!is_nullable(schema, name), "{schema} {name}");
        }
        for (schema, name) in [("PatchApplication", "jwks"), ("PatchTenant", "plan_tier"), ("PatchScope", "feature")] {
            assert!(is_nullable(schema, name), "{schema} {name}");
        }
        assert_eq!(document["components"]["schemas"]["SetFeature"]["required"], json!(["enabled"]));
    }

    #[test]
    fn the_document_is_the_same_each_time() {
        assert_eq!(document().to_string(), document().to_string());
    }
}
