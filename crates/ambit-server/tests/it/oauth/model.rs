//! The invariant of scopes.md §10 through the doors: random changes by the admin API, and after each a token request, against a
//! model of sets that shares no code with the engine. Caches, and what makes them forget, are inside.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::doors::PATIENT;
use crate::support::{Fixture, ROOT, ROOT_SECRET, claims};

type Names = BTreeSet<&'static str>;

/// Every scope there can be: its name, the members of a bundle, and whether the feature `beta` gates it.
const POOL: [(&str, &[&str], bool); 9] = [
    ("one", &[], false),
    ("two", &[], false),
    ("three", &[], false),
    ("four", &[], false),
    ("beta:one", &[], true),
    ("beta:two", &[], true),
    ("most", &["one", "two", "beta:one"], false),
    ("rest", &["two", "three", "beta:one", "beta:two"], false),
    ("bare", &[], false),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Active,
    Deprecated(Option<&'static str>),
    Retired,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Register(&'static str),
    Allow(&'static str),
    Disallow(&'static str),
    Deprecate(&'static str, Option<&'static str>),
    Retire(&'static str),
    Tenant(bool),
    Unit(Option<bool>),
    Suspend(bool),
    Disable(bool),
    Narrow(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Nobody,
    Tenant,
    Unit,
}

#[derive(Debug, Clone)]
struct Asked {
    names: Option<Names>,
    acting: For,
}

/// What is so, as far as it was acknowledged.
#[derive(Debug, Default)]
struct Model {
    scopes: BTreeMap<&'static str, (Names, bool, Option<Life>)>,
    allowed: Names,
    tenant_on: bool,
    unit: Option<bool>,
    suspended: bool,
    disabled: bool,
    narrow: bool,
}

/// What a request must come to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Disabled,
    Shut,
    Refused,
    Granted(Names),
}

impl Model {
    fn life(&self, name: &str) -> Option<Life> {
        self.scopes.get(name).map(|(_, _, life)| life.unwrap_or(Life::Active))
    }

    fn is_live(&self, name: &str) -> bool {
        matches!(self.life(name), Some(Life::Active | Life::Deprecated(_)))
    }

    /// What a name stands for now.
    fn stands_for(&self, name: &'static str) -> Option<&'static str> {
        let stands_for = match self.life(name)? {
            Life::Active | Life::Deprecated(None) => name,
            Life::Deprecated(Some(successor)) => successor,
            Life::Retired => return None,
        };
        self.is_live(stands_for).then_some(stands_for)
    }

    fn members(&self, name: &str) -> Names {
        self.scopes.get(name).map(|(members, ..)| members.clone()).unwrap_or_default()
    }

    /// The ceiling: what is listed, what the deprecated of it became, and what is in the bundles of both.
    fn ceiling(&self) -> Names {
        let successors = self.allowed.iter().filter_map(|name| match self.life(name) {
            Some(Life::Deprecated(Some(successor))) => Some(successor),
            _ => None,
        });
        let listed: Names = self.allowed.iter().copied().chain(successors).collect();
        let members = listed.iter().filter(|name| self.is_live(name)).flat_map(|name| self.members(name));
        listed.iter().copied().chain(members).collect()
    }

    fn is_open(&self, name: &str, acting: For) -> bool {
        let gated = self.scopes.get(name).is_some_and(|(_, gated, _)| *gated);
        let open = match acting {
            For::Nobody => false,
            For::Tenant => self.tenant_on,
            For::Unit => self.tenant_on && self.unit != Some(false),
        };
        !gated || open
    }

    fn answer(&self, asked: &Asked) -> Outcome {
        if self.disabled {
            return Outcome::Disabled;
        }
        if self.suspended && asked.acting != For::Nobody {
            return Outcome::Shut;
        }
        let ceiling = self.ceiling();
        let mut granted = Names::new();
        let mut refused = false;
        for name in asked.names.as_ref().unwrap_or(&self.allowed) {
            match self.stands_for(name) {
                Some(scope) if ceiling.contains(scope) => {
                    if self.is_open(scope, asked.acting) {
                        granted.insert(scope);
                    }
                }
                Some(bundle) => {
                    refused = true;
                    if self.narrow && asked.names.is_some() {
                        let members = self.members(bundle).into_iter().filter_map(|member| self.stands_for(member));
                        granted.extend(members.filter(|it| ceiling.contains(it) && self.is_open(it, asked.acting)));
                    }
                }
                None => refused = true,
            }
        }
        let bundled: Names = granted.iter().flat_map(|name| self.members(name)).collect();
        let gated = |name: &&str| self.scopes.get(name).is_some_and(|(_, gated, _)| *gated);
        granted
            .extend(bundled.into_iter().filter(gated).filter(|it| self.is_live(it) && self.is_open(it, asked.acting)));
        if granted.is_empty() || (refused && asked.names.is_some() && !self.narrow) {
            return Outcome::Refused;
        }
        Outcome::Granted(granted)
    }
}

fn change() -> impl Strategy<Value = Change> {
    let name = || proptest::sample::select(POOL.map(|(name, ..)| name).to_vec());
    prop_oneof![
        4 => name().prop_map(Change::Register),
        5 => name().prop_map(Change::Allow),
        2 => name().prop_map(Change::Disallow),
        2 => (name(), proptest::option::of(name())).prop_map(|(name, successor)| Change::Deprecate(name, successor)),
        1 => name().prop_map(Change::Retire),
        3 => any::<bool>().prop_map(Change::Tenant),
        3 => proptest::option::of(any::<bool>()).prop_map(Change::Unit),
        1 => any::<bool>().prop_map(Change::Suspend),
        1 => any::<bool>().prop_map(Change::Disable),
        2 => any::<bool>().prop_map(Change::Narrow),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let names = proptest::sample::subsequence(POOL.map(|(name, ..)| name).to_vec(), 1..4);
    let names = proptest::option::weighted(0.6, names.prop_map(|names| names.into_iter().collect()));
    let acting = prop_oneof![Just(For::Nobody), Just(For::Tenant), Just(For::Unit)];
    (names, acting).prop_map(|(names, acting)| Asked { names, acting })
}

/// A server on which the model's changes are made.
struct Real {
    fixture: Fixture,
    tenant: String,
    unit: String,
    secret: String,
}

const API: &str = "https://model.example";

impl Real {
    async fn new() -> Self {
        let fixture = Fixture::with(PATIENT).await;
        let tenant = fixture.made(Method::POST, "/tenants", &json!({"name": "Acme", "slug": "acme"})).await;
        let tenant = tenant["id"].as_str().expect("an id").to_owned();
        fixture.made(Method::POST, &format!("/tenants/{tenant}/status"), &json!({"status": "active"})).await;
        let unit = json!({"name": "North", "slug": "north", "kind": "retailer"});
        let unit = fixture.made(Method::POST, &format!("/tenants/{tenant}/units"), &unit).await;
        fixture.made(Method::POST, "/features", &json!({"key": "beta", "title": "Beta"})).await;
        fixture.made(Method::POST, "/apis", &json!({"name": "Model", "identifier": API})).await;
        let app = json!({"name": "App", "client_id": "app", "type": "service", "level": "platform"});
        let app = fixture.made(Method::POST, "/applications", &app).await;
        Self {
            tenant,
            unit: unit["id"].as_str().expect("an id").to_owned(),
            secret: app["client_secret"].as_str().expect("shown once").to_owned(),
            fixture,
        }
    }

    /// Makes a change; answers whether it was made.
    async fn make(&self, change: Change, model: &Model) -> bool {
        let (tenant, unit) = (&self.tenant, &self.unit);
        let (method, path, body) = match change {
            Change::Register(name) => {
                let (_, members, gated) = POOL.iter().find(|(it, ..)| *it == name).expect("in the pool");
                let there: Vec<&str> = members.iter().copied().filter(|it| model.scopes.contains_key(it)).collect();
                let kind = if members.is_empty() { "granular" } else { "coarse" };
                let feature = gated.then_some("beta");
                let body = json!({"name": name, "api": API, "kind": kind, "includes": there, "feature": feature,
                    "title": name, "description": name});
                (Method::POST, "/scopes".to_owned(), body)
            }
            Change::Allow(name) => {
                (Method::POST, "/applications/app/allowed_scopes".to_owned(), json!({"scope": name}))
            }
            Change::Disallow(name) => (Method::DELETE, format!("/applications/app/allowed_scopes/{name}"), Value::Null),
            Change::Deprecate(name, successor) => {
                (Method::PATCH, format!("/scopes/{name}"), json!({"state": "deprecated", "successor": successor}))
            }
            Change::Retire(name) => (Method::PATCH, format!("/scopes/{name}"), json!({"state": "retired"})),
            Change::Tenant(on) => (Method::PUT, format!("/tenants/{tenant}/features/beta"), json!({"enabled": on})),
            Change::Unit(on) => (Method::PUT, format!("/units/{unit}/features/beta"), json!({"enabled": on})),
            Change::Suspend(on) => {
                let status = if on { "suspended" } else { "active" };
                (Method::POST, format!("/tenants/{tenant}/status"), json!({"status": status}))
            }
            Change::Disable(on) => (
                Method::PATCH,
                "/applications/app".to_owned(),
                json!({"status": if on { "disabled" } else { "active" }}),
            ),
            Change::Narrow(on) => {
                let policy = json!({"scope_policy": {"on_refused": if on { "narrow" } else { "reject" }}});
                (Method::PATCH, "/applications/app".to_owned(), policy)
            }
        };
        let body = (!body.is_null()).then_some(&body);
        let answer = self.fixture.admin(&self.fixture.root().await, method, &path, body).await;
        assert!(
            answer.status.is_success() || matches!(answer.status.as_u16(), 404 | 409 | 422),
            "{change:?}: {}",
            answer.text
        );
        answer.status.is_success()
    }

    async fn ask(&self, asked: &Asked) -> Outcome {
        let scope = asked.names.as_ref().map(|names| names.iter().copied().collect::<Vec<_>>().join(" "));
        let mut fields = vec![];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend((asked.acting != For::Nobody).then_some(("tenant", "acme")));
        fields.extend((asked.acting == For::Unit).then_some(("unit", "north")));
        let answer = self.fixture.token("/connect/token", ("app", &self.secret), &fields).await;
        match answer.status {
            StatusCode::UNAUTHORIZED => Outcome::Disabled,
            StatusCode::PAYMENT_REQUIRED => Outcome::Shut,
            StatusCode::BAD_REQUEST => {
                assert_eq!(answer.json["error"], "invalid_scope", "{}", answer.text);
                Outcome::Refused
            }
            StatusCode::OK => {
                let scope = answer.json["scope"].as_str().expect("a scope");
                let token = answer.access_token();
                assert_eq!(claims(&token)["scope"], scope);
                // Seen from the other doors it is the same.
                let told =
                    self.fixture.form("/connect/introspect", Some((ROOT, ROOT_SECRET)), &[("token", &token)]).await;
                assert_eq!((&told.json["active"], &told.json["scope"]), (&json!(true), &json!(scope)), "{}", told.text);
                let mut question =
                    json!({"question": "request", "scope": asked.names.as_ref().and(fields_scope(&fields))});
                for (name, value) in fields.iter().filter(|(name, _)| *name != "scope") {
                    question[*name] = json!(value);
                }
                let question = question.to_string();
                let simulated = self
                    .fixture
                    .form("/connect/explain", Some(("app", &self.secret)), &[("question", &question)])
                    .await;
                let simulated = simulated.json["decision"]["granted"].as_array().expect("a decision").clone();
                let simulated: Vec<&str> = simulated.iter().filter_map(Value::as_str).collect();
                assert_eq!(simulated.join(" "), scope);
                let known = |name| POOL.iter().map(|(it, ..)| *it).find(|it| *it == name).expect("in the pool");
                Outcome::Granted(scope.split(' ').map(known).collect())
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
}

fn fields_scope<'a>(fields: &[(&str, &'a str)]) -> Option<&'a str> {
    fields.iter().find(|(name, _)| *name == "scope").map(|(_, value)| *value)
}

impl Model {
    fn note(&mut self, change: Change) {
        match change {
            Change::Register(name) => {
                let (_, members, gated) = POOL.iter().find(|(it, ..)| *it == name).expect("in the pool");
                let there = members.iter().copied().filter(|it| self.scopes.contains_key(it)).collect();
                self.scopes.insert(name, (there, *gated, None));
            }
            Change::Allow(name) => {
                self.allowed.insert(name);
            }
            Change::Disallow(name) => {
                self.allowed.remove(name);
            }
            Change::Deprecate(name, successor) => self.live(name, Life::Deprecated(successor)),
            Change::Retire(name) => self.live(name, Life::Retired),
            Change::Tenant(on) => self.tenant_on = on,
            Change::Unit(on) => self.unit = on,
            Change::Suspend(on) => self.suspended = on,
            Change::Disable(on) => self.disabled = on,
            Change::Narrow(on) => self.narrow = on,
        }
    }

    fn live(&mut self, name: &'static str, life: Life) {
        self.scopes.get_mut(name).expect("it was changed, so it is there").2 = Some(life);
    }
}

async fn run(steps: Vec<(Change, Asked)>) -> Result<u32, TestCaseError> {
    let real = Real::new().await;
    let mut model = Model::default();
    let mut granted = 0;
    for (step, (change, asked)) in steps.iter().enumerate() {
        if real.make(*change, &model).await {
            model.note(*change);
        }
        let (real, expected) = (real.ask(asked).await, model.answer(asked));
        granted += u32::from(matches!(real, Outcome::Granted(_)));
        prop_assert_eq!(real, expected, "step {}: {:?}, then {:?}, with {:?}", step, change, asked, &model);
    }
    Ok(granted)
}

#[test]
fn no_sequence_of_changes_makes_a_token_carry_more_or_less_than_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let granted = std::cell::Cell::new(0);
    let config =
        ProptestConfig { cases: 6, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let steps = proptest::collection::vec((change(), asked()), 30..50);
    let outcome = runner.run(&steps, |steps| {
        // A beginning on which something can be granted, before chance takes over.
        let beginning = [
            Change::Register("one"),
            Change::Register("two"),
            Change::Register("beta:one"),
            Change::Register("most"),
            Change::Allow("most"),
            Change::Tenant(true),
        ];
        let whole = Asked { names: None, acting: For::Unit };
        let steps = beginning.into_iter().map(|change| (change, whole.clone())).chain(steps).collect();
        runtime.block_on(run(steps)).map(|count| granted.set(granted.get() + count))
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(granted.get() >= 10, "hardly anything was granted: the changes say nothing");
}
