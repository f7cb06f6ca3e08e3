//! What the OAuth endpoints take and answer, for the OpenAPI document. The parameters of a form are those of the rules by which
//! its handler reads it, so none can be forgotten.

use ambit_core::page;
use ambit_protocol::authorization_request::AuthorizationRequest;
use ambit_protocol::catalogue::CatalogueDocument;
use ambit_protocol::explain::{Explanation, Question};
use ambit_protocol::introspection::{ActiveToken, IntrospectionRequest};
use ambit_protocol::jose::JwkSet;
use ambit_protocol::params::ParamRules;
use ambit_protocol::revocation::RevocationRequest;
use ambit_protocol::token::{GrantType, TokenRequest, TokenResponse};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{endsession, explain, metadata, scopes, userinfo};
use crate::admin_api::describe::Operation;

/// `POST /connect/token`.
pub fn token(operation: &mut Operation, generator: &mut SchemaGenerator) {
    operation.request_body = Some(form(TokenRequest::RULES, &["grant_type"]));
    by_form(operation);
    answer::<TokenResponse<'_>>(operation, generator, "The token, what it carries and what it does not.");
    client_errors(operation);
    operation.errors.extend([
        &page::WRONG_ISSUER,
        &page::UNAUTHORIZED_CLIENT,
        &page::UNSUPPORTED_GRANT_TYPE,
        &page::INVALID_TARGET,
        &page::INVALID_SCOPE,
        &page::INVALID_GRANT,
        &page::CODE_EXPIRED,
        &page::CODE_REUSED,
        &page::CODE_REDIRECT_URI,
        &page::VERIFIER_MISSING,
        &page::VERIFIER_MISMATCH,
        &page::OTHER_CLIENTS_GRANT,
        &page::REFRESH_TOKEN_EXPIRED,
        &page::REFRESH_TOKEN_NOT_KNOWN,
        &page::REFRESH_TOKEN_REUSED,
        &page::USER_DISABLED,
        &page::TENANT_NOT_REACHED,
        &page::UNIT_UNKNOWN,
        &page::TENANT_SUSPENDED,
        &page::TENANT_CHURNED,
        &page::PARTNER_SUSPENDED,
    ]);
}

/// `GET /connect/authorize`.
pub fn authorize(operation: &mut Operation, _: &mut SchemaGenerator) {
    for name in AuthorizationRequest::RULES.known {
        let schema = if AuthorizationRequest::RULES.repeatable.contains(name) {
            json!({ "type": "array", "items": { "type": "string" } })
        } else {
            json!({ "type": "string" })
        };
        let is_required = matches!(*name, "client_id" | "response_type");
        operation.parameters.push(json!({
            "name": name, "in": "query", "required": is_required, "description": about(name), "schema": schema,
        }));
    }
    going_on(operation);
}

/// `POST /connect/authorize`.
pub fn authorize_by_form(operation: &mut Operation, _: &mut SchemaGenerator) {
    operation.request_body = Some(form(AuthorizationRequest::RULES, &["client_id", "response_type"]));
    going_on(operation);
    for (status, page) in [(408, "The form did not come in time: a page."), (413, "The form is too large: a page.")] {
        let content = json!({ "text/html": { "schema": { "type": "string" } } });
        operation.answers.insert(status, json!({ "description": page, "content": content }));
    }
}

fn going_on(operation: &mut Operation) {
    let on = "On to the sign-in, or back to the client with a code or an error.";
    operation.answers.insert(303, json!({ "description": on }));
    let form = "A form that takes the answer back to the client (response_mode=form_post).";
    operation
        .answers
        .insert(200, json!({ "description": form, "content": { "text/html": { "schema": { "type": "string" } } } }));
    let page = "Client and redirect URI do not belong together: a page, and nothing is sent anywhere.";
    operation
        .answers
        .insert(400, json!({ "description": page, "content": { "text/html": { "schema": { "type": "string" } } } }));
    let wait = "This address begins too many sign-ins: a page.";
    operation
        .answers
        .insert(429, json!({ "description": wait, "content": { "text/html": { "schema": { "type": "string" } } } }));
    operation.problems.extend([&page::NOT_FOUND, &page::SERVER_ERROR, &page::UNAVAILABLE]);
}

/// `POST /connect/userinfo`.
pub fn userinfo_by_form(operation: &mut Operation, generator: &mut SchemaGenerator) {
    operation.request_body = Some(form(userinfo::FORM, &[]));
    operation.problems.extend([&page::REQUEST_TOO_SLOW, &page::PAYLOAD_TOO_LARGE]);
    userinfo(operation, generator);
}

/// `GET /connect/userinfo`.
pub fn userinfo(operation: &mut Operation, generator: &mut SchemaGenerator) {
    answer::<userinfo::Told<'_>>(
        operation,
        generator,
        "The person's `sub` and, by the scopes held, claims about them; signed, where Accept likes that better.",
    );
    if let Some(answer) = operation.answers.get_mut(&200) {
        answer["content"]["application/jwt"] = json!({ "schema": { "type": "string" } });
    }
    operation.problems.extend([
        &page::MISSING_TOKEN,
        &page::INVALID_TOKEN,
        &page::INSUFFICIENT_SCOPE,
        &page::INVALID_AUTHORIZATION,
        &page::NOT_FOUND,
        &page::SERVER_ERROR,
        &page::UNAVAILABLE,
    ]);
}

/// `OPTIONS` of an endpoint that scripts may call.
pub fn preflight(operation: &mut Operation, _: &mut SchemaGenerator) {
    let description =
        "Yes, for scripts of this origin: an application of the issuer has it among its `allowed_origins`.";
    operation.answers.insert(204, json!({ "description": description }));
    operation.problems.extend([&page::FORBIDDEN, &page::NOT_FOUND, &page::SERVER_ERROR, &page::UNAVAILABLE]);
}

/// `POST /connect/introspect`.
pub fn introspect(operation: &mut Operation, generator: &mut SchemaGenerator) {
    operation.request_body = Some(form(IntrospectionRequest::RULES, &["token"]));
    by_form(operation);
    let active = generator.subschema_for::<ActiveToken>();
    let schema = json!({ "oneOf": [active, { "type": "object", "required": ["active"], "properties": { "active": { "const": false } } }] });
    put(operation, "What the token still is; of one that is not active, or none of the caller's, only that.", &schema);
    client_errors(operation);
    operation.errors.push(&page::WRONG_ISSUER);
}

/// `POST /connect/revoke`.
pub fn revoke(operation: &mut Operation, _: &mut SchemaGenerator) {
    operation.request_body = Some(form(RevocationRequest::RULES, &["token"]));
    by_form(operation);
    let description = "Whatever the token was, it is good no longer (RFC 7009 §2.2).";
    operation.answers.insert(200, json!({ "description": description }));
    client_errors(operation);
    operation.errors.push(&page::WRONG_ISSUER);
}

/// `GET /connect/scopes`.
pub fn scopes(operation: &mut Operation, generator: &mut SchemaGenerator) {
    for name in scopes::QUERY.known {
        operation.parameters.push(json!({
            "name": name, "in": "query", "description": about(name), "schema": { "type": "string" },
        }));
    }
    grantable(operation, generator);
}

/// `POST /connect/scopes`.
pub fn scopes_by_form(operation: &mut Operation, generator: &mut SchemaGenerator) {
    operation.request_body = Some(form(scopes::FORM, &[]));
    by_form(operation);
    grantable(operation, generator);
}

fn grantable(operation: &mut Operation, generator: &mut SchemaGenerator) {
    answer::<scopes::Grantable>(operation, generator, "What the client may ask for.");
    client_errors(operation);
    operation.errors.extend([&page::WRONG_ISSUER, &page::TENANT_NOT_REACHED, &page::UNIT_UNKNOWN]);
}

/// `POST /connect/explain`.
pub fn explain(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let mut body = form(explain::RULES, &["question"]);
    body["content"]["application/json"] = json!({ "schema": generator.subschema_for::<Question>() });
    operation.request_body = Some(body);
    by_form(operation);
    answer::<Explanation>(operation, generator, "Why, and how to change it.");
    client_errors(operation);
    operation.errors.push(&page::WRONG_ISSUER);
    operation.problems.extend([&page::NOT_FOUND, &page::VALIDATION_FAILED]);
}

/// `GET /connect/endsession` and `POST /connect/endsession`.
pub fn end_session(operation: &mut Operation, _: &mut SchemaGenerator) {
    for name in endsession::RULES.known.iter().filter(|name| **name != "form") {
        operation.parameters.push(json!({
            "name": name, "in": "query", "description": about(name), "schema": { "type": "string" },
        }));
    }
    signed_out(operation);
}

/// `POST /connect/endsession`.
pub fn end_session_by_form(operation: &mut Operation, _: &mut SchemaGenerator) {
    operation.request_body = Some(form(endsession::RULES, &[]));
    operation.problems.extend([&page::REQUEST_TOO_SLOW, &page::PAYLOAD_TOO_LARGE]);
    signed_out(operation);
}

fn signed_out(operation: &mut Operation) {
    let page = json!({ "text/html": { "schema": { "type": "string" } } });
    let description = "A page: whether it is meant, or that it is done.";
    operation.answers.insert(200, json!({ "description": description, "content": page }));
    operation.answers.insert(303, json!({ "description": "It is done; back where the application asks." }));
    operation.problems.extend([
        &page::INVALID_REQUEST,
        &page::FORBIDDEN,
        &page::NOT_FOUND,
        &page::SERVER_ERROR,
        &page::UNAVAILABLE,
    ]);
}

/// The key set.
pub fn jwks(operation: &mut Operation, generator: &mut SchemaGenerator) {
    let schema = generator.subschema_for::<JwkSet>();
    let content = json!({ "application/jwk-set+json": { "schema": schema } });
    operation.answers.insert(200, json!({ "description": "Next, active and retiring keys.", "content": content }));
    public(operation);
}

/// The metadata of an issuer.
pub fn metadata(operation: &mut Operation, generator: &mut SchemaGenerator) {
    answer::<metadata::Metadata>(operation, generator, "What the issuer can do.");
    public(operation);
}

/// The scope catalogue.
pub fn catalogue(operation: &mut Operation, generator: &mut SchemaGenerator) {
    answer::<CatalogueDocument>(operation, generator, "What there is to ask for.");
    public(operation);
}

fn public(operation: &mut Operation) {
    operation.answers.insert(304, json!({ "description": "It is what the caller has already." }));
    // A tenant that is not there has no issuer.
    operation.problems.extend([&page::NOT_FOUND, &page::SERVER_ERROR, &page::UNAVAILABLE]);
}

/// What may go wrong wherever a client authenticates.
fn client_errors(operation: &mut Operation) {
    operation.errors.extend([
        &page::INVALID_REQUEST,
        &page::INVALID_CLIENT,
        &page::TOO_MANY_FAILURES,
        &page::SERVER_ERROR,
        &page::UNAVAILABLE,
    ]);
}

/// What may go wrong with a body that a client sends.
fn by_form(operation: &mut Operation) {
    operation.errors.extend([&page::REQUEST_TOO_SLOW, &page::PAYLOAD_TOO_LARGE]);
}

fn answer<T: JsonSchema>(operation: &mut Operation, generator: &mut SchemaGenerator, description: &str) {
    let schema = generator.subschema_for::<T>().to_value();
    put(operation, description, &schema);
}

fn put(operation: &mut Operation, description: &str, schema: &Value) {
    let content = json!({ "application/json": { "schema": schema } });
    operation.answers.insert(200, json!({ "description": description, "content": content }));
}

fn form(rules: ParamRules, required: &[&str]) -> Value {
    let properties: Map<String, Value> = rules
        .known
        .iter()
        .map(|name| {
            let mut schema = match *name {
                "grant_type" => json!({ "enum": GrantType::ALL.map(GrantType::as_str) }),
                name if rules.repeatable.contains(&name) => json!({ "type": "array", "items": { "type": "string" } }),
                _ => json!({ "type": "string" }),
            };
            schema["description"] = about(name).into();
            ((*name).to_owned(), schema)
        })
        .collect();
    let schema = json!({ "type": "object", "required": required, "properties": properties });
    json!({ "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema } } })
}

fn about(name: &str) -> &'static str {
    let known = PARAMETERS.iter().find(|(known, _)| *known == name);
    known.map_or("", |(_, about)| about)
}

const PARAMETERS: &[(&str, &str)] = &[
    ("grant_type", "How the client asks (RFC 6749 §4.1.3, §4.4.2, §6)."),
    ("access_token", "The access token, where it is not in the Authorization header (RFC 6750 §2.2)."),
    ("form", "The token of the form, where a person confirms it on the page."),
    ("code", "The code that the browser brought (RFC 6749 §4.1.3)."),
    ("redirect_uri", "Where the browser goes back to: registered, character by character (RFC 6749 §3.1.2)."),
    ("code_verifier", "What the client kept for itself (RFC 7636 §4.5)."),
    ("refresh_token", "The newest refresh token (RFC 6749 §6)."),
    ("response_type", "code (RFC 6749 §4.1.1)."),
    ("state", "Goes back as it came (RFC 6749 §4.1.1)."),
    ("nonce", "Goes into the ID token as it came (OpenID Connect Core §3.1.2.1)."),
    ("response_mode", "query, or form_post."),
    ("code_challenge", "The SHA-256 of the verifier, in base64url (RFC 7636 §4.2)."),
    ("code_challenge_method", "S256 (RFC 7636 §4.3)."),
    ("prompt", "none, login, consent, select_account (OpenID Connect Core §3.1.2.1)."),
    ("max_age", "How long ago the person may have signed in, in seconds (OpenID Connect Core §3.1.2.1)."),
    ("display", "Ignored: pages fit the window that they are in."),
    ("ui_locales", "The languages that the person reads (OpenID Connect Core §3.1.2.1)."),
    ("id_token_hint", "An ID token of the person who is expected (OpenID Connect Core §3.1.2.1)."),
    ("login_hint", "What the person may sign in with; fills a field in (OpenID Connect Core §3.1.2.1)."),
    ("acr_values", "How strongly the person should sign in (OpenID Connect Core §3.1.2.1)."),
    ("claims", "Claims by name, and an essential acr (OpenID Connect Core §5.5)."),
    ("request", "Not supported: request_not_supported."),
    ("request_uri", "Not supported: request_uri_not_supported."),
    (
        "scope",
        "The scopes, separated by single spaces (RFC 6749 §3.3). Without it, what the application's policy says.",
    ),
    ("resource", "The identifier of an API the token is for (RFC 8707 §2). May be sent several times."),
    ("tenant", "The slug of the tenant that a platform's or partner's application acts for."),
    ("unit", "The slug of the tenant's unit."),
    ("token", "The token in question."),
    ("token_type_hint", "What the caller believes the token is (RFC 7009 §2.1)."),
    ("question", "The question, as JSON."),
    ("client_id", "The client, where it does not use the Authorization header (RFC 6749 §2.3.1)."),
    ("logout_hint", "Whom the application means; not looked at."),
    ("post_logout_redirect_uri", "Where the browser goes afterwards: one that is registered, character by character."),
    ("client_secret", "Its secret (RFC 6749 §2.3.1)."),
    ("client_assertion", "A JWT that authenticates the client (RFC 7523 §2.2)."),
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer, with an assertion."),
];
