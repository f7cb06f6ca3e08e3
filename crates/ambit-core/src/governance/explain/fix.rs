//! The smallest change that mends a broken link: who can make it, and the command that makes it when pasted.
//!
//! Commands are curl, since whoever debugs has that; `$ADMIN_TOKEN` and `$CLIENT_SECRET` stand for what only the reader has.

use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::explain::{Fix, Link};

use super::super::gates::Gate;
use super::super::rules;
use super::super::suggest::suggest;
use crate::client::Facts;

/// Where the server answers.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// The platform's issuer, without a slash at the end.
    pub base: &'a str,
}

impl Addresses<'_> {
    /// The issuer that the client gets its tokens from.
    #[must_use]
    pub fn issuer(&self, facts: &Facts) -> String {
        match &facts.tenant {
            Some(tenant) if !facts.client.is_at_platform_issuer() => {
                format!("{}/tenants/{}", self.base, tenant.tenant.slug)
            }
            _ => self.base.to_owned(),
        }
    }

    /// A token request of this client.
    pub(super) fn token_request(&self, facts: &Facts, scope: Option<&str>, text: &str) -> Fix {
        let client_id = facts.client.application.client_id.as_str();
        let mut command = format!(
            "curl -sS {} -u {}:\"$CLIENT_SECRET\" -d grant_type=client_credentials",
            quoted(&format!("{}/connect/token", self.issuer(facts))),
            quoted(client_id),
        );
        if let Some(scope) = scope {
            command.push_str(&format!(" --data-urlencode {}", quoted(&format!("scope={scope}"))));
        }
        if facts.client.is_at_platform_issuer()
            && let Some(tenant) = &facts.tenant
        {
            command.push_str(&format!(" -d tenant={}", tenant.tenant.slug));
        }
        if let Some(unit) = &facts.unit {
            command.push_str(&format!(" -d unit={}", unit.slug));
        }
        Fix { text: text.to_owned(), who: format!("the client '{client_id}'"), command }
    }

    fn admin_call(&self, method: &str, path: &str, body: &serde_json::Value, text: String, who: &str) -> Fix {
        Fix {
            text,
            who: who.to_owned(),
            command: format!(
                "curl -sS -X {method} {} -H \"Authorization: Bearer $ADMIN_TOKEN\" -H 'Content-Type: application/json' -d {}",
                quoted(&format!("{}/api/v1/admin{path}", self.base)),
                quoted(&body.to_string()),
            ),
        }
    }
}

/// What mends one link for one scope. The first entry is the change; a new token follows where the old one stays as it is.
pub(super) fn for_link(
    link: Link,
    name: &str,
    rule_facts: &rules::Facts<'_>,
    facts: &Facts,
    addresses: &Addresses<'_>,
) -> Vec<Fix> {
    let application = &facts.client.application;
    let entry = rule_facts.catalogue.find(name);
    let new_token = || addresses.token_request(facts, Some(name), "get a new token: the old one stays as it is");
    match link {
        Link::Registered => match suggest(name, rule_facts).first() {
            Some(suggestion) => vec![addresses.token_request(
                facts,
                Some(suggestion.as_str()),
                &format!("ask for '{suggestion}' instead"),
            )],
            None => vec![addresses.admin_call(
                "POST",
                "/scopes",
                &serde_json::json!({
                    "name": name,
                    "api": "IDENTIFIER OF ITS API",
                    "kind": "granular",
                    "title": "TITLE",
                    "description": "WHAT IT ALLOWS",
                }),
                format!("register '{name}' in the catalogue"),
                "a platform administrator with admin:write",
            )],
        },
        Link::Active => {
            let successor = entry.and_then(|entry| entry.scope.successor.as_ref());
            match (entry.map(|entry| entry.scope.state), successor) {
                (_, Some(successor)) => vec![addresses.token_request(
                    facts,
                    Some(successor.as_str()),
                    &format!("ask for its successor '{successor}'"),
                )],
                (Some(ScopeState::Draft), None) => vec![
                    addresses.admin_call(
                        "PATCH",
                        &format!("/scopes/{}", percent(name)),
                        &serde_json::json!({ "state": "active" }),
                        format!("activate '{name}'"),
                        "a platform administrator with admin:write",
                    ),
                    new_token(),
                ],
                _ => vec![Fix {
                    text: format!("'{name}' was retired without a successor: nothing brings it back; list what can be had instead"),
                    who: format!("the client '{}'", application.client_id),
                    command: format!(
                        "curl -sS {} -u {}:\"$CLIENT_SECRET\"",
                        quoted(&format!("{}/connect/scopes", addresses.issuer(facts))),
                        quoted(application.client_id.as_str()),
                    ),
                }],
            }
        }
        Link::GateOpen => {
            let Some(feature) = entry.and_then(|entry| entry.scope.feature.as_ref()) else { return vec![] };
            match (rule_facts.gates.gate(feature), &facts.tenant, &facts.unit) {
                (Gate::OffForTenant, Some(tenant), _) => vec![
                    addresses.admin_call(
                        "PUT",
                        &format!("/tenants/{}/features/{feature}", tenant.tenant.id),
                        &serde_json::json!({ "enabled": true }),
                        format!("turn feature '{feature}' on for tenant '{}'", tenant.tenant.slug),
                        "a platform administrator with admin:write",
                    ),
                    new_token(),
                ],
                (Gate::OffForUnit, _, Some(unit)) => vec![
                    addresses.admin_call(
                        "PUT",
                        &format!("/units/{}/features/{feature}", unit.id),
                        &serde_json::json!({ "enabled": true }),
                        format!("turn feature '{feature}' on for unit '{}'", unit.slug),
                        "a tenant administrator with admin:write",
                    ),
                    new_token(),
                ],
                _ => {
                    let mut fix = addresses.token_request(facts, Some(name), "name the tenant that the token is for");
                    fix.command.push_str(" -d tenant=\"$TENANT\"");
                    vec![fix]
                }
            }
        }
        Link::Allowed => vec![
            addresses.admin_call(
                "POST",
                &format!("/applications/{}/allowed_scopes", application.client_id),
                &serde_json::json!({ "scope": name }),
                format!("allow '{name}' for application '{}'", application.client_id),
                "an administrator of the application with admin:write",
            ),
            new_token(),
        ],
        Link::CarriedByGrant if !rule_facts.resources.is_empty() => {
            let api = entry.and_then(|entry| entry.api).map(|place| rule_facts.catalogue.apis()[place].identifier.as_str());
            let mut fix = addresses.token_request(facts, Some(name), "name the scope's own API as resource, or none");
            if let Some(api) = api {
                fix.command.push_str(&format!(" --data-urlencode {}", quoted(&format!("resource={api}"))));
            }
            vec![fix]
        }
        Link::CarriedByGrant => vec![
            addresses.admin_call(
                "PATCH",
                &format!("/scopes/{}", percent(name)),
                &serde_json::json!({ "grants": ["service", "user"] }),
                format!("let services carry '{name}' too, if it is not about a person; otherwise use a grant in which a user takes part"),
                "a platform administrator with admin:write",
            ),
            new_token(),
        ],
        Link::AskedFor | Link::Granted | Link::Audience => vec![addresses.token_request(
            facts,
            Some(name),
            &format!("ask for '{name}' in the token request"),
        )],
        Link::TokenFresh | Link::NotRevoked => {
            vec![addresses.token_request(facts, Some(name), "get a new token, and forget the cached one")]
        }
    }
}

/// In single quotes, for a POSIX shell.
fn quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/=@,".contains(&b)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A scope's name as one segment of a path (RFC 3986 §3.3).
fn percent(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_command_reaches_the_shell_unquoted() {
        assert_eq!(quoted("pos.read"), "pos.read");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert_eq!(quoted("$(id)"), "'$(id)'");
        assert_eq!(quoted("`id`;"), "'`id`;'");
        assert_eq!(percent("a/b#?"), "a%2Fb%23%3F");
    }
}
