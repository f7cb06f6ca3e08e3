//! What the pages answer, for the OpenAPI document.

use ambit_core::page;
use ambit_protocol::metadata::ProtectedResourceMetadata;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::errors::{EntryDocument, Index};
use crate::admin_api::describe::Operation;

/// A path without the slash at its end.
pub(crate) fn with_slash(operation: &mut Operation, _: &mut SchemaGenerator) {
    moved(operation, "To the same path with a slash, and the same query.");
}

/// A page that is about the person who is signed in, or signs in.
pub(crate) fn of_a_person(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "The page.", &[("text/html", text())]);
    let location = json!({ "Location": { "schema": { "type": "string" } } });
    operation.answers.insert(303, json!({ "description": "Where the person has to go first.", "headers": location }));
    told(operation, 429, "This address begins too many sign-ins.");
    operation.problems.extend([&page::FORBIDDEN, &page::NOT_FOUND, &page::SERVER_ERROR, &page::UNAVAILABLE]);
}

/// What an application asks of a person.
pub(crate) fn consent(operation: &mut Operation, generator: &mut SchemaGenerator) {
    of_a_person(operation, generator);
    astray(operation);
}

/// What the person answers.
pub(crate) fn consent_by_form(operation: &mut Operation, generator: &mut SchemaGenerator) {
    form_of_a_person(operation, generator);
    astray(operation);
}

/// What an application began and cannot go on.
fn astray(operation: &mut Operation) {
    told(
        operation,
        400,
        "The application or its address is not registered any more: a page, and nothing is sent anywhere.",
    );
}

/// A page on the way to a session. What is over says so on a page as well.
pub(crate) fn of_a_sign_in(operation: &mut Operation, generator: &mut SchemaGenerator) {
    of_a_person(operation, generator);
    operation.problems.retain(|problem| ![&page::FORBIDDEN, &page::NOT_FOUND].contains(problem));
    astray(operation);
    told(operation, 403, "The organisation is closed.");
    told(operation, 404, "It is over, or never was.");
}

/// A form of somebody who is signed in. Its fields are the page's, and it carries a token of the browser that was given it.
pub(crate) fn form_of_a_person(operation: &mut Operation, generator: &mut SchemaGenerator) {
    of_a_person(operation, generator);
    with_token(operation);
    say_again(operation);
    told(operation, 403, "It would take away what they must have: the page, which says so.");
}

/// A form on the way to a session, where whatever is wrong is said on a page.
pub(crate) fn form_of_a_sign_in(operation: &mut Operation, generator: &mut SchemaGenerator) {
    of_a_sign_in(operation, generator);
    with_token(operation);
    say_again(operation);
    operation.problems.retain(|problem| ![&page::FORBIDDEN, &page::TOO_MANY_REQUESTS].contains(problem));
    told(operation, 403, "The form is not of this browser's page, or the organisation is closed.");
    told(operation, 409, "The tenant has as many people as it may have.");
}

/// A form that is read and not taken: the page again, or one that says when to come again.
fn say_again(operation: &mut Operation) {
    told(operation, 422, "What was typed will not do: the page, which says why.");
    told(operation, 429, "Too many tries, or letters.");
    told(operation, 503, "Too many passwords are looked at just now.");
}

fn with_token(operation: &mut Operation) {
    operation.request_body = Some(form(&[("form", "The token of the form.")], &["form"]));
    by_form(operation);
}

/// The list of errors.
pub(crate) fn errors(operation: &mut Operation, generator: &mut SchemaGenerator) {
    operation.parameters.push(json!({
        "name": "q", "in": "query", "description": "Words: only entries with them are listed.",
        "schema": { "type": "string" },
    }));
    language(operation);
    let list = generator.subschema_for::<Index<'_>>().to_value();
    put(operation, "The entries: a page, or JSON by Accept.", &[("text/html", text()), ("application/json", list)]);
    kept(operation);
}

/// One error.
pub(crate) fn error(operation: &mut Operation, generator: &mut SchemaGenerator) {
    language(operation);
    let entry = generator.subschema_for::<EntryDocument<'_>>().to_value();
    let forms = [("text/html", text()), ("application/json", entry), ("text/markdown", text())];
    put(operation, "The entry: a page, or JSON or Markdown by the suffix .json or .md, or by Accept.", &forms);
    moved(operation, "The entry has another name now.");
    kept(operation);
    operation.problems.push(&page::NOT_FOUND);
}

/// What something pasted is about.
pub(crate) fn paste(operation: &mut Operation, _: &mut SchemaGenerator) {
    language(operation);
    operation.request_body = Some(form(&[("text", "What was pasted.")], &["text"]));
    put(operation, "A page that says what it is about.", &[("text/html", text())]);
    by_form(operation);
}

/// A button pressed on the page of an error.
pub(crate) fn report_by_form(operation: &mut Operation, _: &mut SchemaGenerator) {
    language(operation);
    let fields = [("helped", "true or false."), ("workaround", "Which advice, by its number; blank for the entry.")];
    operation.request_body = Some(form(&fields, &["helped"]));
    let location = json!({ "Location": { "schema": { "type": "string" } } });
    operation.answers.insert(303, json!({ "description": "It is counted: back to the page.", "headers": location }));
    told(operation, 429, "This address has reported often enough for now: the page, which says so.");
    by_form(operation);
    operation.problems.retain(|problem| *problem != &page::TOO_MANY_REQUESTS);
    operation.problems.extend([&page::FORBIDDEN, &page::NOT_FOUND]);
}

/// All errors in short, for programs.
pub(crate) fn error_list(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let list = generator.subschema_for::<Index<'_>>().to_value();
    put(operation, "The entries.", &[("application/json", list)]);
    unchanged(operation);
}

/// The schema of an error.
pub(crate) fn error_schema(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "A JSON Schema (draft 2020-12).", &[("application/schema+json", object())]);
    unchanged(operation);
}

/// A list for language models.
pub(crate) fn plain_text(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "Addresses, and what is found there.", &[("text/plain", text())]);
    unchanged(operation);
}

/// A script of our pages.
pub(crate) fn script(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "The script.", &[("text/javascript", text())]);
    unchanged(operation);
}

/// The list of the documentation's pages.
pub(crate) fn docs(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "A page with links to all of them.", &[("text/html", text())]);
    unchanged(operation);
}

/// A page of the documentation.
pub(crate) fn docs_page(operation: &mut Operation, _: &mut SchemaGenerator) {
    let forms = [("text/html", text()), ("text/markdown", text()), ("text/plain", text())];
    put(operation, "The page, or Markdown by the suffix .md or by Accept; a file that is no page is text.", &forms);
    unchanged(operation);
    operation.problems.push(&page::NOT_FOUND);
}

/// The process is up.
pub(crate) fn alive(operation: &mut Operation, _: &mut SchemaGenerator) {
    let schema = json!({ "type": "object", "required": ["status"], "properties": { "status": { "const": "up" } } });
    put(operation, "It is.", &[("application/json", schema)]);
}

/// The server can do its work.
pub(crate) fn ready(operation: &mut Operation, _: &mut SchemaGenerator) {
    let revision = json!({ "type": "integer", "description": "The registry revision that this node decides by." });
    let schema = json!({
        "type": "object",
        "required": ["status", "revision"],
        "properties": { "status": { "const": "ready" }, "revision": revision },
    });
    put(operation, "It can.", &[("application/json", schema)]);
    let schema = json!({
        "type": "object",
        "required": ["status", "reason", "revision"],
        "properties": { "status": { "const": "not ready" }, "reason": { "type": "string" }, "revision": revision },
    });
    let content = json!({ "application/json": { "schema": schema } });
    operation.answers.insert(503, json!({ "description": "It cannot, and says why.", "content": content }));
}

/// What is counted.
pub(crate) fn metrics(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "The metrics (docs/reference/metrics.md).", &[("text/plain", text())]);
    let elsewhere = "They are shown on an address of their own (`metrics.listen`).";
    operation.answers.insert(404, json!({ "description": elsewhere }));
}

/// The metadata of the admin API as a protected resource.
pub(crate) fn protected_resource(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let schema = generator.subschema_for::<ProtectedResourceMetadata>().to_value();
    put(operation, "Its issuers and its scopes.", &[("application/json", schema)]);
}

/// The stylesheet of a colour.
pub(crate) fn stylesheet(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "A stylesheet.", &[("text/css", text())]);
    unchanged(operation);
    operation.problems.push(&page::NOT_FOUND);
}

/// This document.
pub(crate) fn openapi(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "An OpenAPI document (3.1).", &[("application/json", object())]);
    unchanged(operation);
}

/// The page of this document.
pub(crate) fn openapi_page(operation: &mut Operation, _: &mut SchemaGenerator) {
    put(operation, "A page.", &[("text/html", text())]);
}

fn put(operation: &mut Operation, description: &str, forms: &[(&str, Value)]) {
    let content: serde_json::Map<String, Value> =
        forms.iter().map(|(media_type, schema)| ((*media_type).to_owned(), json!({ "schema": schema }))).collect();
    operation.answers.insert(200, json!({ "description": description, "content": content }));
}

/// A page that says what is wrong.
fn told(operation: &mut Operation, status: u16, description: &str) {
    let content = json!({ "text/html": { "schema": text() } });
    operation.answers.insert(status, json!({ "description": description, "content": content }));
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn object() -> Value {
    json!({ "type": "object" })
}

fn moved(operation: &mut Operation, description: &str) {
    let location = json!({ "Location": { "schema": { "type": "string" } } });
    operation.answers.insert(308, json!({ "description": description, "headers": location }));
}

fn unchanged(operation: &mut Operation) {
    operation.answers.insert(304, json!({ "description": "It is what the caller has already." }));
}

/// A page in a language, which may be kept.
fn kept(operation: &mut Operation) {
    unchanged(operation);
    operation.problems.push(&page::INVALID_REQUEST);
}

fn language(operation: &mut Operation) {
    operation.parameters.push(json!({
        "name": "lang", "in": "query",
        "description": "The language of the page, en or zh. Without it Accept-Language counts.",
        "schema": { "type": "string", "enum": ["en", "zh"] },
    }));
}

fn form(fields: &[(&str, &str)], required: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|(name, about)| ((*name).to_owned(), json!({ "type": "string", "description": about })))
        .collect();
    let schema = json!({ "type": "object", "required": required, "properties": properties });
    json!({ "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema } } })
}

/// What may be wrong with a form.
fn by_form(operation: &mut Operation) {
    operation.problems.extend([
        &page::INVALID_REQUEST,
        &page::REQUEST_TOO_SLOW,
        &page::PAYLOAD_TOO_LARGE,
        &page::UNSUPPORTED_MEDIA_TYPE,
        &page::TOO_MANY_REQUESTS,
        &page::SERVER_ERROR,
        &page::UNAVAILABLE,
    ]);
}
