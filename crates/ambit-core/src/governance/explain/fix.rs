//! The smallest change that mends a broken chain: who can make it, and the command that makes it when pasted.
//!
//! 1. Each broken link has a [`Mend`]: changes of the registry, another token request, or neither.
//! 2. The changes come in the chain's order, and behind them the token request that makes use of them: a token that was
//!    minted before stays as it is.
//! 3. Where no change helps, that is said, and the command shows what can be had instead.
//!
//! Commands are curl, since whoever debugs has that; but for a role of a person, which `ambit` gives without taking others away.
//! `$ADMIN_TOKEN`, `$CLIENT_SECRET`, `$TENANT`, `$API`, `$CODE_CHALLENGE` and `$PERSON` stand for what only the reader has. Who a
//! person is, an application may not know.

use ambit_protocol::admin::scope::{ScopeKind, ScopeState};
use ambit_protocol::client::TokenEndpointAuthMethod;
use ambit_protocol::decision::Reason;
use ambit_protocol::explain::{Fix, Link, LinkReport};
use ambit_protocol::scope;
use serde_json::{Value, json};

use super::super::catalogue::Entry;
use super::super::decision::{all_against, decide};
use super::super::gates::Gate;
use super::super::rules::{self, Subject};
use super::super::suggest::suggest;
use super::{listed, roles_of};
use crate::client::Facts;
use crate::registry::builtin;

/// Where the server answers.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// The platform's issuer, without a slash at the end.
    pub base: &'a str,
}

/// What mends one link.
enum Mend {
    /// Changes of the registry. A new token has to follow.
    Change(Vec<Fix>),
    /// Nothing has to be changed: another token request does it.
    Ask(&'static str),
    /// No change helps: what to do instead.
    Instead(Fix),
}

/// One broken chain, and all that is known about it.
pub(super) struct Broken<'a> {
    /// The scope that is missing.
    pub(super) name: &'a str,
    /// The API that was called, or that the token is for: where an unknown scope would belong.
    pub(super) api: Option<&'a str>,
    pub(super) rule_facts: &'a rules::Facts<'a>,
    pub(super) facts: &'a Facts,
    pub(super) addresses: &'a Addresses<'a>,
}

impl Broken<'_> {
    /// What mends the broken links of a chain, in the order in which it has to be done. Nothing for a chain that is whole.
    pub(super) fn mended(&self, chain: &[LinkReport]) -> Vec<Fix> {
        let mut changes = vec![];
        let mut ask = None;
        for report in chain.iter().filter(|report| !report.ok) {
            match self.mend(report.link) {
                Mend::Change(more) => changes.extend(more),
                Mend::Ask(text) => ask = ask.or(Some(text)),
                Mend::Instead(fix) => return vec![fix],
            }
        }
        if changes.is_empty() && ask.is_none() {
            return changes;
        }
        let text = match ask {
            Some(text) if changes.is_empty() => text.to_owned(),
            _ => "get a new token: the old one stays as it is".to_owned(),
        };
        changes.push(self.token_request(Some(self.name), &text));
        changes
    }

    fn mend(&self, link: Link) -> Mend {
        match link {
            Link::Registered => self.register(),
            Link::Active => self.activate(),
            Link::GateOpen => self.open_the_gate(),
            Link::Allowed => Mend::Change(vec![self.allow()]),
            Link::CarriedByGrant => self.let_the_grant_carry(),
            Link::AskedFor | Link::Granted => self.ask_for(match self.rule_facts.subject {
                Subject::Service => "ask for it in the token request",
                Subject::User { .. } => "have the person sign in again, and ask for it",
            }),
            Link::Audience => self.ask_the_right_api(),
            Link::TokenFresh | Link::NotRevoked => self.ask_for("get a new token, and forget the cached one"),
        }
    }

    fn register(&self) -> Mend {
        if scope::check(self.name).is_err() {
            return Mend::Instead(self.list_scopes("what was required is no scope's name: list what can be had"));
        }
        if let Some(suggestion) = suggest(self.name, self.rule_facts).first() {
            return Mend::Instead(
                self.token_request(Some(suggestion.as_str()), &format!("ask for '{suggestion}' instead")),
            );
        }
        let name = self.name;
        let mut body = json!({ "name": name, "kind": "granular", "title": name, "description": "Not described yet" });
        let body = if let Some(api) = self.api {
            body["api"] = api.into();
            quoted(&body.to_string())
        } else {
            // Out of the single quotes and in again, so that the shell puts in what the reader set.
            let body = body.to_string();
            format!("'{{\"api\":\"'\"$API\"'\",'{}", quoted(body.trim_start_matches('{')))
        };
        let register = self.admin_call_with(
            "POST",
            "/scopes",
            &body,
            format!("register '{name}' in the catalogue; title and description are for people to read"),
            "a platform administrator with admin:write",
        );
        Mend::Change(vec![register, self.allow()])
    }

    fn activate(&self) -> Mend {
        let Some(entry) = self.entry() else { return Mend::Change(vec![]) };
        match (entry.scope.state, &entry.scope.successor) {
            (_, Some(successor)) => Mend::Instead(self.token_request(
                Some(successor.as_str()),
                &format!(
                    "'{}' does not come back: ask for its successor '{successor}', which the API has to accept",
                    self.name
                ),
            )),
            (ScopeState::Draft, None) => {
                Mend::Change(vec![self.patch_scope(&json!({ "state": "active" }), format!("activate '{}'", self.name))])
            }
            _ => Mend::Instead(self.list_scopes(&format!(
                "'{}' was retired without a successor, and nothing brings it back: list what can be had instead",
                self.name
            ))),
        }
    }

    fn open_the_gate(&self) -> Mend {
        let Some(feature) = self.entry().and_then(|entry| entry.scope.feature.as_ref()) else {
            return Mend::Change(vec![]);
        };
        let on = json!({ "enabled": true });
        let for_tenant = self.facts.tenant.as_ref().map(|tenant| {
            self.admin_call(
                "PUT",
                &format!("/tenants/{}/features/{feature}", tenant.tenant.id),
                &on,
                format!("turn feature '{feature}' on for tenant '{}'", tenant.tenant.slug),
                "a platform administrator with admin:write",
            )
        });
        let for_unit = self.facts.unit.as_ref().map(|unit| {
            self.admin_call(
                "PUT",
                &format!("/units/{}/features/{feature}", unit.id),
                &on,
                format!("turn feature '{feature}' on for unit '{}'", unit.slug),
                "a tenant administrator with admin:write",
            )
        });
        let off_for_unit =
            self.facts.gates.unit.as_ref().is_some_and(|flags| flags.get(feature).is_some_and(|enabled| !enabled));
        match self.rule_facts.gates.gate(feature) {
            Gate::OffForTenant => {
                Mend::Change(for_tenant.into_iter().chain(for_unit.filter(|_| off_for_unit)).collect())
            }
            Gate::OffForUnit => Mend::Change(for_unit.into_iter().collect()),
            Gate::NoTenant | Gate::Open => Mend::Ask("name the tenant that the token is for"),
        }
    }

    fn allow(&self) -> Fix {
        let client_id = &self.facts.client.application.client_id;
        self.admin_call(
            "POST",
            &format!("/applications/{}/allowed_scopes", percent(client_id.as_str())),
            &json!({ "scope": self.name }),
            format!("allow '{}' for application '{client_id}'", self.name),
            "an administrator of the application with admin:write",
        )
    }

    fn let_the_grant_carry(&self) -> Mend {
        let against = all_against(self.name, self.rule_facts);
        match (against.contains(&Reason::WrongGrant), self.rule_facts.subject) {
            (true, Subject::Service) => self.let_services_carry(),
            (true, Subject::User { .. }) => Mend::Change(vec![self.patch_scope(
                &json!({ "grants": ["service", "user"] }),
                format!(
                    "let people lend '{}' too, if that is theirs to lend; otherwise call with a token of the application's own",
                    self.name
                ),
            )]),
            (false, _) if against.contains(&Reason::WrongResource) => {
                Mend::Ask("name the scope's own API as resource, or none")
            }
            (false, _) if against.contains(&Reason::RoleMissing) => Mend::Change(self.give_a_role().into_iter().collect()),
            (false, _) => Mend::Ask("have the person sign in again: they are asked whether they agree to it"),
        }
    }

    fn give_a_role(&self) -> Option<Fix> {
        let roles = roles_of(self.name, self.rule_facts);
        let role = roles.first()?;
        Some(Fix {
            text: match roles {
                [role] => format!("give the person the role '{role}', which '{}' asks for", self.name),
                roles => format!("give the person one of the roles that '{}' asks for: {}", self.name, listed(roles)),
            },
            who: "an administrator of the person's tenant with admin:write".to_owned(),
            command: format!(
                "AMBIT_TOKEN=\"$ADMIN_TOKEN\" ambit user roles \"$PERSON\" --add {} --url {}",
                quoted(role.as_str()),
                quoted(self.addresses.base)
            ),
        })
    }

    fn let_services_carry(&self) -> Mend {
        let is_personal = self.entry().is_some_and(|entry| entry.scope.kind == ScopeKind::Identity);
        let is_fixed = self.name.parse().is_ok_and(|name| builtin::is_built_in(&name));
        if is_personal || is_fixed {
            return Mend::Instead(self.list_scopes(&format!(
                "'{}' is about a person, and no change lets a service carry it: a grant in which a user takes part can. \
                 List what can be had here",
                self.name
            )));
        }
        Mend::Change(vec![self.patch_scope(
            &json!({ "grants": ["service", "user"] }),
            format!(
                "let services carry '{}' too, if it is not about a person; otherwise use a grant in which a user takes part",
                self.name
            ),
        )])
    }

    fn ask_the_right_api(&self) -> Mend {
        match (self.own_api(), self.api) {
            (Some(own), Some(called)) if own != called => Mend::Instead(Fix {
                text: format!(
                    "'{}' is a scope of {own}, and no token opens {called} with it: let {called} require a scope of its own. \
                     List those",
                    self.name
                ),
                who: format!("whoever runs {called}"),
                command: format!(
                    "curl -sS -G {} --data-urlencode {} -H \"Authorization: Bearer $ADMIN_TOKEN\"",
                    quoted(&format!("{}/api/v1/admin/scopes", self.addresses.base)),
                    quoted(&format!("api={called}")),
                ),
            }),
            _ => self.ask_for("ask for it in the token request"),
        }
    }

    /// Asking helps only if what is asked for is what comes out: a deprecated scope is granted as its successor.
    fn ask_for(&self, text: &'static str) -> Mend {
        let successor = self
            .entry()
            .filter(|entry| entry.scope.state == ScopeState::Deprecated)
            .and_then(|entry| entry.scope.successor.as_ref());
        let Some(successor) = successor else { return Mend::Ask(text) };
        let granted = decide(Some(self.name), self.rule_facts);
        if self.facts.catalogue.holds(&granted.carried, self.name) {
            return Mend::Ask(text);
        }
        Mend::Instead(self.token_request(
            Some(successor.as_str()),
            &format!(
                "'{}' is deprecated and granted as its successor '{successor}', whoever asks: the API has to accept that",
                self.name
            ),
        ))
    }

    fn entry(&self) -> Option<&Entry> {
        self.rule_facts.catalogue.find(self.name)
    }

    fn own_api(&self) -> Option<&str> {
        let place = self.entry()?.api?;
        Some(self.rule_facts.catalogue.apis()[place].identifier.as_str())
    }

    /// What gets this client another token, with all that the scope needs: a tenant where a gate wants one, no wrong resource.
    fn token_request(&self, scope: Option<&str>, text: &str) -> Fix {
        let mut fix = match self.rule_facts.subject {
            Subject::Service => self.addresses.token_request(self.facts, scope, text),
            Subject::User { .. } => self.addresses.authorization_request(self.facts, scope, text),
        };
        let gated = self.entry().and_then(|entry| entry.scope.feature.as_ref());
        if gated.is_some_and(|feature| self.rule_facts.gates.gate(feature) == Gate::NoTenant) {
            fix.command.push_str(" -d tenant=\"$TENANT\"");
        }
        fix
    }

    fn list_scopes(&self, text: &str) -> Fix {
        let application = &self.facts.client.application;
        Fix {
            text: text.to_owned(),
            who: format!("the client '{}'", application.client_id),
            command: format!(
                "curl -sS {} -u {}:\"$CLIENT_SECRET\"",
                quoted(&format!("{}/connect/scopes", self.addresses.issuer(self.facts))),
                quoted(application.client_id.as_str()),
            ),
        }
    }

    fn patch_scope(&self, body: &Value, text: String) -> Fix {
        let path = format!("/scopes/{}", percent(self.name));
        self.admin_call("PATCH", &path, body, text, "a platform administrator with admin:write")
    }

    fn admin_call(&self, method: &str, path: &str, body: &Value, text: String, who: &str) -> Fix {
        self.admin_call_with(method, path, &quoted(&body.to_string()), text, who)
    }

    /// A call whose body is written as the shell reads it.
    fn admin_call_with(&self, method: &str, path: &str, body: &str, text: String, who: &str) -> Fix {
        Fix {
            text,
            who: who.to_owned(),
            command: format!(
                "curl -sS -X {method} {} -H \"Authorization: Bearer $ADMIN_TOKEN\" -H 'Content-Type: application/json' -d {body}",
                quoted(&format!("{}/api/v1/admin{path}", self.addresses.base)),
            ),
        }
    }
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
        let application = &facts.client.application;
        let client_id = application.client_id.as_str();
        let mut command = format!("curl -sS {}", quoted(&format!("{}/connect/token", self.issuer(facts))));
        if application.token_endpoint_auth_method == TokenEndpointAuthMethod::PrivateKeyJwt {
            let method = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            command.push_str(&format!(" -d client_assertion_type={method} -d client_assertion=\"$CLIENT_ASSERTION\""));
        } else {
            command.push_str(&format!(" -u {}:\"$CLIENT_SECRET\"", quoted(client_id)));
        }
        command.push_str(" -d grant_type=client_credentials");
        command.push_str(&asked(facts, scope));
        Fix { text: text.to_owned(), who: format!("the client '{client_id}'"), command }
    }

    /// An authorization request of this client. The person is asked once more, also about what they said no to before.
    fn authorization_request(&self, facts: &Facts, scope: Option<&str>, text: &str) -> Fix {
        let application = &facts.client.application;
        let client_id = application.client_id.as_str();
        let address = format!("{}/connect/authorize", self.issuer(facts));
        let mut command = format!("curl -sS -G -w '%{{url_effective}}\\n' {} -d response_type=code", quoted(&address));
        command.push_str(&format!(" --data-urlencode {}", quoted(&format!("client_id={client_id}"))));
        if let Some(uri) = application.redirect_uris.first() {
            command.push_str(&format!(" --data-urlencode {}", quoted(&format!("redirect_uri={uri}"))));
        }
        command.push_str(" -d prompt=consent -d code_challenge_method=S256 -d code_challenge=\"$CODE_CHALLENGE\"");
        command.push_str(&asked(facts, scope));
        Fix {
            text: format!("{text}. The command prints the address that their browser is sent to"),
            who: format!("the client '{client_id}', with the person"),
            command,
        }
    }
}

/// The parameters that say what is asked for, at either endpoint.
fn asked(facts: &Facts, scope: Option<&str>) -> String {
    let mut parameters = String::new();
    if let Some(scope) = scope {
        parameters.push_str(&format!(" --data-urlencode {}", quoted(&format!("scope={scope}"))));
    }
    if facts.client.is_at_platform_issuer()
        && let Some(tenant) = &facts.tenant
    {
        parameters.push_str(&format!(" -d tenant={}", tenant.tenant.slug));
    }
    if let Some(unit) = &facts.unit {
        parameters.push_str(&format!(" -d unit={}", unit.slug));
    }
    parameters
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
