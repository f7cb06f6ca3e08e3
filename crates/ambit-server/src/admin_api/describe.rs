//! What a handler takes and answers, told by its own types: this is what the OpenAPI document is made of.

use std::collections::BTreeMap;

use ambit_core::page::{self, Page as ErrorPage};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::answer::{Added, Created, Done, Gone, Plain, Shown, Stop};
use super::body::{Body, Patch};
use super::call::{Admin, At, IfMatch, NamesInBody};
use super::query::{DEFAULT_LIMIT, List, MAX_LIMIT, Query};

/// An operation of the document while it is put together.
#[derive(Debug, Default)]
pub struct Operation {
    /// Query parameters and headers.
    pub parameters: Vec<Value>,
    /// The body.
    pub request_body: Option<Value>,
    /// The answers that are no problem, by status.
    pub answers: BTreeMap<u16, Value>,
    /// The problems.
    pub problems: Vec<&'static ErrorPage>,
    /// The errors in OAuth's own form (RFC 6749 §5.2).
    pub errors: Vec<&'static ErrorPage>,
}

/// Something a handler takes.
pub trait Argument {
    /// Says what it reads, and what may be wrong with that.
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator);
}

/// Something a handler answers.
pub trait Described {
    /// Says what goes out.
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator);
}

/// A handler whose types are told.
pub trait DescribedHandler<T> {
    /// Says everything about it.
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator);
}

macro_rules! handlers {
    ($(($($argument:ident),*))*) => {$(
        impl<H, Fut, A, $($argument),*> DescribedHandler<($($argument,)*)> for H
        where
            H: Fn($($argument),*) -> Fut,
            Fut: Future<Output = Result<Done<A>, Stop>>,
            A: Described,
            $($argument: Argument),*
        {
            fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
                $($argument::describe(operation, generator);)*
                A::describe(operation, generator);
            }
        }
    )*};
}

handlers! {
    (A1)
    (A1, A2)
    (A1, A2, A3)
    (A1, A2, A3, A4)
}

impl Argument for Admin {
    fn describe(_: &mut Operation, _: &mut SchemaGenerator) {}
}

impl<T> Argument for At<T> {
    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        // The path itself names its parameters; what they name may not be there.
        operation.problems.push(&page::NOT_FOUND);
    }
}

impl<T: JsonSchema> Argument for Body<T> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        describe_body::<T>(operation, generator);
    }
}

impl Argument for NamesInBody {
    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        operation.problems.push(&page::NOT_FOUND);
    }
}

impl Argument for IfMatch {
    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        describe_if_match(operation);
    }
}

fn describe_if_match(operation: &mut Operation) {
    operation.parameters.push(json!({
        "name": "If-Match", "in": "header",
        "description": "The ETag of what is changed: where somebody else changed it meanwhile, nothing happens (RFC 9110 §13.1.1).",
        "schema": { "type": "string" },
    }));
    operation.problems.push(&page::PRECONDITION_FAILED);
}

impl<T: JsonSchema + DeserializeOwned> Argument for Patch<T> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        describe_if_match(operation);
        describe_body::<T>(operation, generator);
        // Every member may be left out, and only some may be `null`: the type itself tells which.
        let schema = generator.definitions_mut().get_mut(&*T::schema_name());
        let properties = schema.and_then(|schema| schema.get_mut("properties")).and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            if serde_json::from_value::<T>(json!({ name: null })).is_err() {
                let description = property.as_object_mut().and_then(|property| property.remove("description"));
                *property = without_null(property.take());
                if let (Some(property), Some(description)) = (property.as_object_mut(), description) {
                    property.insert("description".to_owned(), description);
                }
            }
        }
    }
}

fn describe_body<T: JsonSchema>(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let schema = generator.subschema_for::<T>();
    operation.request_body = Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
    operation.problems.extend([&page::MALFORMED_JSON, &page::UNSUPPORTED_MEDIA_TYPE, &page::VALIDATION_FAILED]);
}

impl<F: JsonSchema> Argument for List<F> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        operation.parameters.push(json!({
            "name": "limit", "in": "query",
            "description": "At most so many on a page.",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT },
        }));
        operation.parameters.push(json!({
            "name": "cursor", "in": "query",
            "description": "Where the page begins, as the page before answered it. Good for the same caller, list and filters.",
            "schema": { "type": "string" },
        }));
        describe_query::<F>(operation, generator);
    }
}

impl<F: JsonSchema> Argument for Query<F> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        describe_query::<F>(operation, generator);
    }
}

/// Each property of the filters is a query parameter.
fn describe_query<F: JsonSchema>(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let schema = F::json_schema(generator);
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, mut property) in properties {
        let description = property.as_object_mut().and_then(|property| property.remove("description"));
        let mut parameter = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("in".to_owned(), json!("query")),
            ("required".to_owned(), json!(required.contains(&name.as_str()))),
            ("schema".to_owned(), without_null(property)),
        ]);
        parameter.extend(description.map(|description| ("description".to_owned(), description)));
        operation.parameters.push(Value::Object(parameter));
    }
    operation.problems.push(&page::VALIDATION_FAILED);
}

/// A query parameter is there or not, and never `null`.
fn without_null(mut schema: Value) -> Value {
    let is_null = |schema: &Value| schema.get("type") == Some(&json!("null"));
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|schema| !is_null(schema));
        if let [only] = &mut any[..] {
            return only.take();
        }
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = &mut types[..] {
            let only = only.take();
            schema["type"] = only;
        }
    }
    if let Some(members) = schema.as_object_mut() {
        members.remove("default");
    }
    schema
}

impl<T: JsonSchema> Described for Created<T> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        describe_new::<T>("It was made.", operation, generator);
    }
}

impl<T: JsonSchema> Described for Added<T> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        describe_new::<T>("It was added.", operation, generator);
        let mut answer = json_answer::<T>("It was there already.", generator);
        answer["headers"] = json!({ "ETag": etag() });
        operation.answers.insert(200, answer);
    }
}

fn describe_new<T: JsonSchema>(description: &str, operation: &mut Operation, generator: &mut SchemaGenerator) {
    let mut answer = json_answer::<T>(description, generator);
    answer["headers"] = json!({
        "Location": { "description": "Where it is.", "schema": { "type": "string" } },
        "ETag": etag(),
    });
    operation.answers.insert(201, answer);
}

impl<T: JsonSchema> Described for Shown<T> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        let mut answer = json_answer::<T>("Here it is.", generator);
        answer["headers"] = json!({ "ETag": etag() });
        operation.answers.insert(200, answer);
    }
}

impl<T: JsonSchema> Described for Plain<T> {
    fn describe(operation: &mut Operation, generator: &mut SchemaGenerator) {
        operation.answers.insert(200, json_answer::<T>("Here it is.", generator));
    }
}

impl Described for Gone {
    fn describe(operation: &mut Operation, _: &mut SchemaGenerator) {
        describe_if_match(operation);
        operation.answers.insert(204, json!({ "description": "It is gone." }));
    }
}

fn json_answer<T: JsonSchema>(description: &str, generator: &mut SchemaGenerator) -> Value {
    let schema = generator.subschema_for::<T>();
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn etag() -> Value {
    json!({ "description": "The registry revision of its last change, in quotes.", "schema": { "type": "string" } })
}
