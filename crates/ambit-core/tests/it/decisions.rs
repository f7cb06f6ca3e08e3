//! The decisions, as a table. A change of behaviour is a diff in `golden/decisions.txt`.

use std::fmt::Write as _;

use ambit_core::governance::ceiling::Ceiling;
use ambit_core::governance::decision::{Decision, Outcome, decide};
use ambit_core::governance::rules::{Facts, RULES, Subject};
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::decision::Reason;
use ambit_protocol::scope;
use serde_json::{Value, json};

use crate::support::{ADMIN, NOW, POS, Receipts, application, catalogue, gates, tokens};

#[test]
fn every_decision_is_the_one_in_the_table() {
    let mut table = String::new();
    for (title, cases) in sections() {
        writeln!(table, "## {title}\n").unwrap();
        for case in cases {
            writeln!(table, "{}", case.row()).unwrap();
        }
        table.push('\n');
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("decisions", table);
    });
}

#[test]
fn the_rules_stand_in_the_order_of_the_specification() {
    let order: Vec<Reason> = RULES.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(order, Reason::ALL);
}

#[test]
fn all_reasons_are_recorded_and_the_first_is_shown() {
    let decision =
        Case { asks: Some("pos:managers pos.read"), allowed: "pos.read", resource: Some(ADMIN), ..Case::new() }
            .decide();
    assert_eq!(decision.refused[0].reason, Reason::NotAllowed);
    assert_eq!(decision.against[0].1, [Reason::NotAllowed, Reason::WrongGrant, Reason::WrongResource]);
}

#[test]
fn an_unknown_scope_reads_as_the_clients_of_the_world_know_it() {
    let decision = Case { asks: Some("admin"), allowed: "admin:read", ..Case::new() }.decide();
    assert_eq!(decision.description(), "scope 'admin' not registered; did you mean 'admin:read'?");
    assert_eq!(decision.refused[0].did_you_mean, tokens("admin:read"));
}

#[test]
fn a_name_that_is_sent_again_is_asked_for_once() {
    let decision =
        Case { asks: Some("nope pos:baskets:read nope pos:baskets:read"), allowed: "pos.read", ..Case::new() }.decide();
    assert_eq!(decision.description(), "scope 'nope' not registered");
    assert_eq!(decision.against.len(), 1);
}

#[test]
fn several_offenders_are_all_named() {
    let decision = Case { asks: Some("nope pos.write pos.read xyzzy"), allowed: "pos.read", ..Case::new() }.decide();
    assert_eq!(
        decision.description(),
        "scope 'nope' not registered; scope 'pos.write' not allowed for this application; scope 'xyzzy' not registered"
    );
}

#[test]
fn a_refusal_is_no_oracle() {
    // Another tenant's scope reads as one that does not exist, and what is not advertised is not suggested.
    let secret = Case { asks: Some("others:secret"), allowed: "pos.read", ..Case::new() }.decide();
    assert_eq!(secret.description(), "scope 'others:secret' not registered");
    let near = Case { asks: Some("hidden:raed"), allowed: "pos.read", ..Case::new() }.decide();
    assert_eq!(near.description(), "scope 'hidden:raed' not registered");
    let own = Case { asks: Some("hidden:raed"), allowed: "hidden:read", ..Case::new() }.decide();
    assert_eq!(own.description(), "scope 'hidden:raed' not registered; did you mean 'hidden:read'?");
}

#[test]
fn whatever_is_sent_stays_inside_the_character_set_of_rfc_6749() {
    for sent in ["\u{1F600}", "a\"b", "a\\b", "\u{0}", "a\nb", "\u{202E}niam", LONG] {
        let decision = Case { asks: Some(sent), ..Case::new() }.decide();
        let text = decision.description();
        assert!(!text.is_empty());
        assert!(text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)), "{text:?}");
    }
}

#[test]
fn a_bundle_never_implies_a_gated_member() {
    let catalogue = catalogue();
    let carried = tokens("pos.read");
    assert!(catalogue.holds(&carried, "pos:members:read"));
    assert!(!catalogue.holds(&carried, "pos:receipts:read"));
    assert!(catalogue.holds(&tokens("pos.read pos:receipts:read"), "pos:receipts:read"));
    assert!(!catalogue.holds(&carried, "pos:baskets:create"));
    assert!(!catalogue.holds(&carried, "pos"));
}

#[test]
fn the_order_of_what_is_asked_changes_nothing() {
    let one =
        Case { asks: Some("pos.write pos.read pos.write"), allowed: "pos.read pos.write", ..Case::new() }.decide();
    let other = Case { asks: Some("pos.read pos.write"), allowed: "pos.write pos.read", ..Case::new() }.decide();
    assert_eq!(one.carried, other.carried);
}

const LONG: &str = match std::str::from_utf8(&[b'x'; 5000]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

#[derive(Clone)]
struct Case {
    asks: Option<&'static str>,
    allowed: &'static str,
    policy: Value,
    receipts: Receipts,
    resource: Option<&'static str>,
    user: Option<(&'static str, Option<&'static str>)>,
    original: Option<&'static str>,
}

impl Case {
    fn new() -> Self {
        Self {
            asks: None,
            allowed: "",
            policy: json!({}),
            receipts: Receipts::NoTenant,
            resource: None,
            user: None,
            original: None,
        }
    }

    fn decide(&self) -> Decision {
        let catalogue = catalogue();
        let application = application(self.allowed, self.policy.clone());
        let ceiling = Ceiling::new(&application, &catalogue);
        let gates = gates(self.receipts);
        let resources: Vec<usize> =
            self.resource.iter().map(|identifier| catalogue.api_place(identifier).unwrap()).collect();
        let roles: Vec<RoleName> =
            self.user.map_or("", |(roles, _)| roles).split_whitespace().map(|role| role.parse().unwrap()).collect();
        let consented = self.user.and_then(|(_, consented)| consented).map(tokens);
        let original = self.original.map(tokens);
        let facts = Facts {
            catalogue: &catalogue,
            ceiling: &ceiling,
            gates: &gates,
            subject: match self.user {
                None => Subject::Service,
                Some(_) => Subject::User { roles: &roles, consented: consented.as_deref() },
            },
            resources: &resources,
            original: original.as_deref(),
            now: NOW,
        };
        let decision = decide(self.asks, &facts);
        // Whatever the table says, it never says more than the invariant allows.
        ambit_core::governance::invariant::check(&decision.carried, self.asks, &facts).unwrap();
        decision
    }

    fn row(&self) -> String {
        let decision = self.decide();
        let mut row = match self.asks {
            Some(asks) => format!("asks '{}'", asks.escape_debug()),
            None => "asks for nothing by name".to_owned(),
        };
        write!(row, " | allowed '{}'", self.allowed).unwrap();
        if self.policy != json!({}) {
            write!(row, " | {}", self.policy).unwrap();
        }
        if self.receipts != Receipts::NoTenant {
            write!(row, " | receipts {:?}", self.receipts).unwrap();
        }
        if let Some(resource) = self.resource {
            write!(row, " | resource {resource}").unwrap();
        }
        if let Some((roles, consented)) = self.user {
            write!(row, " | user with roles '{roles}', consented {consented:?}").unwrap();
        }
        if let Some(original) = self.original {
            write!(row, " | original grant '{original}'").unwrap();
        }
        match decision.outcome {
            Outcome::Granted => write!(row, "\n    carries '{}'", scope::join(&decision.carried)).unwrap(),
            outcome => write!(row, "\n    {outcome:?}: {}", decision.description()).unwrap(),
        }
        for refused in &decision.refused {
            write!(row, "\n    refused '{}': {}", refused.scope, refused.reason).unwrap();
        }
        for dropped in &decision.dropped {
            write!(row, "\n    dropped '{}': {} ({})", dropped.scope, dropped.reason, dropped.hint).unwrap();
        }
        for notice in &decision.notices {
            write!(row, "\n    notice: {}", notice.text).unwrap();
        }
        row
    }
}

fn sections() -> Vec<(&'static str, Vec<Case>)> {
    let narrow = json!({"on_refused": "narrow"});
    let report_only = json!({"report_only": true});
    let all = "pos.read pos.write admin:read openid";
    let each = |names: &[&'static str], base: &Case| -> Vec<Case> {
        names.iter().map(|name| Case { asks: Some(name), ..base.clone() }).collect()
    };
    let receipts = [Receipts::NoTenant, Receipts::OffForTenant, Receipts::OffForUnit, Receipts::On];
    vec![
        (
            "Every rule by itself",
            each(
                &[
                    "",
                    "two  spaces",
                    "a\"quote",
                    "read,admin",
                    "nope",
                    "Pos.Read",
                    "pos:draft",
                    "pos:retired",
                    "pos:oldest",
                    "pos.write",
                    "pos:personal",
                    "others:secret",
                    "hidden:read",
                    "openid",
                ],
                &Case { allowed: "pos.read pos:draft pos:retired pos:oldest pos:personal openid", ..Case::new() },
            ),
        ),
        (
            "What an allowed bundle allows",
            each(
                &[
                    "pos.read",
                    "pos:members:read",
                    "pos:receipts:read",
                    "pos:baskets:create",
                    "pos.read pos:members:read",
                ],
                &Case { allowed: "pos.read", receipts: Receipts::On, ..Case::new() },
            ),
        ),
        (
            "The gate, on both levels",
            receipts
                .iter()
                .flat_map(|receipts| {
                    each(
                        &["pos.read", "pos:receipts:read", "pos:receipts:read pos:members:read"],
                        &Case { allowed: "pos.read", receipts: *receipts, ..Case::new() },
                    )
                })
                .collect(),
        ),
        (
            "Deprecated scopes",
            [("pos:old", "pos:old"), ("pos:old", "pos:baskets:read"), ("pos:baskets:read", "pos:old"), ("pos:old", "")]
                .into_iter()
                .map(|(asks, allowed)| Case { asks: Some(asks), allowed, ..Case::new() })
                .collect(),
        ),
        (
            "reject, narrow, report_only",
            [json!({}), narrow.clone(), report_only]
                .into_iter()
                .flat_map(|policy| {
                    each(
                        &["pos.read nope", "pos.read pos.write", "nope", "pos.read openid"],
                        &Case { allowed: "pos.read openid", policy, ..Case::new() },
                    )
                })
                .collect(),
        ),
        (
            "Under narrow, a bundle gives the members that are allowed",
            each(
                &["pos.read", "pos.read pos.write"],
                &Case {
                    allowed: "pos:members:read pos:receipts:read",
                    policy: narrow,
                    receipts: Receipts::On,
                    ..Case::new()
                },
            ),
        ),
        (
            "Nothing asked for by name",
            [
                json!({}),
                json!({"when_omitted": "none"}),
                json!({"when_omitted": "reject"}),
                json!({"when_omitted": "default_scopes", "default_scopes": ["pos:members:read", "pos.write"]}),
                json!({"when_omitted": "default_scopes"}),
            ]
            .into_iter()
            .flat_map(|policy| {
                [all, "", "openid", "pos.read pos:retired gone:forever"].into_iter().map(move |allowed| Case {
                    allowed,
                    policy: policy.clone(),
                    ..Case::new()
                })
            })
            .collect(),
        ),
        (
            "A named resource",
            each(
                &["pos.read", "pos.read admin:read", "openid pos.read"],
                &Case { allowed: all, resource: Some(POS), ..Case::new() },
            )
            .into_iter()
            .chain([Case { allowed: all, resource: Some(POS), ..Case::new() }])
            .collect(),
        ),
        (
            "A user takes part",
            [("", None), ("manager", None), ("manager", Some("openid pos.read")), ("manager", Some("pos:managers"))]
                .into_iter()
                .flat_map(|user| {
                    each(
                        &["openid", "pos:managers", "openid pos:personal pos:managers pos:members:read"],
                        &Case { allowed: "openid pos.read pos:personal pos:managers", user: Some(user), ..Case::new() },
                    )
                })
                .collect(),
        ),
        (
            "Within the original grant",
            each(
                &["pos:members:read", "pos.write", "pos.read", "admin:read"],
                &Case { allowed: all, original: Some("pos.read"), ..Case::new() },
            ),
        ),
        (
            "Within the original grant, behind a gate that has opened since or was open",
            ["pos.read", "pos.read pos:receipts:read"]
                .into_iter()
                .flat_map(|original| {
                    each(
                        &["pos.read", "pos:receipts:read", "pos.read pos:receipts:read", "pos:members:read"],
                        &Case { allowed: all, receipts: Receipts::On, original: Some(original), ..Case::new() },
                    )
                })
                .collect(),
        ),
    ]
}
