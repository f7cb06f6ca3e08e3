//! Consent: what is asked, what an answer does to what was agreed to before, and what of that still counts once the catalogue
//! has changed.

use std::collections::{BTreeMap, BTreeSet};

use ambit_core::consent::{Consented, Question, Said};
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::governance::ceiling::Ceiling;
use ambit_core::governance::decision::decide;
use ambit_core::governance::rules::{Facts, Subject, is_among};
use ambit_core::governance::{gates::Gates, invariant};
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::scope::ScopeToken;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{ADMIN, NOW, POS, Receipts, api, api_id, application, gates, scope, token, tokens};

/// The scopes of one API, and `openid` with `offline_access`; what is special about each is handed in.
fn catalogue(special: &[(&str, Value)]) -> Catalogue {
    let mut scopes = vec![
        scope(1, "openid", None, json!({"kind": "identity", "grants": ["user"]})),
        scope(2, "offline_access", None, json!({"kind": "identity", "grants": ["user"], "sensitivity": "sensitive"})),
    ];
    for ((name, special), ordinal) in special.iter().zip(3..) {
        scopes.push(scope(ordinal, name, Some(api_id(1)), special.clone()));
    }
    Catalogue::new(vec![api(1, POS, None), api(2, ADMIN, None)], scopes)
}

fn bundle(members: &[&str]) -> Value {
    json!({"kind": "coarse", "includes": members})
}

/// The catalogue of most tests: a bundle of two, one of which is gated.
fn shop() -> Catalogue {
    catalogue(&[
        ("shop", bundle(&["shop:list", "shop:receipts"])),
        ("shop:list", json!({})),
        ("shop:receipts", json!({"feature": "digital-receipts"})),
        ("shop:close", json!({"sensitivity": "privileged"})),
        ("shop:managers", json!({"roles": ["manager"]})),
    ])
}

fn agreed(names: &str, catalogue: &Catalogue) -> Consented {
    Consented::default().with(&tokens(names), &tokens(names), catalogue, NOW)
}

fn effective(consented: &Consented, catalogue: &Catalogue) -> String {
    let names: Vec<String> = consented.effective(catalogue).iter().map(ToString::to_string).collect();
    names.join(" ")
}

/// Asks about scopes for an application that may have everything.
fn question(scopes: &str, roles: &[RoleName], gates: &Gates, catalogue: &Catalogue) -> Question {
    let all: Vec<&str> = catalogue.entries().iter().map(|entry| entry.scope.name.as_str()).collect();
    let ceiling = Ceiling::new(&application(&all.join(" "), json!({})), catalogue);
    Question::of(&tokens(scopes), &facts(catalogue, &ceiling, gates, Subject::User { roles, consented: Some(&[]) }))
}

fn facts<'a>(catalogue: &'a Catalogue, ceiling: &'a Ceiling, gates: &'a Gates, subject: Subject<'a>) -> Facts<'a> {
    Facts { catalogue, ceiling, gates, subject, resources: &[], original: None, now: NOW }
}

/// The choices as they are shown: names, with a `!` where required.
fn shown(question: &Question, catalogue: &Catalogue) -> Vec<String> {
    let name = |place: &usize| catalogue.entry(*place).scope.name.to_string();
    let choice = |choice: &ambit_core::consent::Choice| {
        let names: Vec<String> = choice.names.iter().map(name).collect();
        format!("{}{}", names.join("+"), if choice.is_required { "!" } else { "" })
    };
    question.choices().map(choice).collect()
}

#[test]
fn a_bundle_that_grew_counts_for_its_members_of_then() {
    let then = catalogue(&[("shop", bundle(&["shop:list"])), ("shop:list", json!({})), ("shop:close", json!({}))]);
    let consented = agreed("openid shop", &then);
    assert_eq!(effective(&consented, &then), "openid shop");
    let grown = catalogue(&[
        ("shop", bundle(&["shop:list", "shop:close"])),
        ("shop:list", json!({})),
        ("shop:close", json!({})),
    ]);
    assert_eq!(effective(&consented, &grown), "openid shop:list");
    let shrunk = catalogue(&[("shop", bundle(&[])), ("shop:list", json!({})), ("shop:close", json!({}))]);
    assert_eq!(effective(&consented, &shrunk), "openid shop");
}

#[test]
fn a_draft_among_the_members_counts_as_growth_once_it_is_in_use() {
    let with = |state: &str| {
        catalogue(&[
            ("shop", bundle(&["shop:list", "shop:close"])),
            ("shop:list", json!({})),
            ("shop:close", json!({"state": state})),
        ])
    };
    let consented = agreed("shop", &with("draft"));
    assert_eq!(effective(&consented, &with("draft")), "shop");
    assert_eq!(effective(&consented, &with("active")), "shop:list");
}

#[test]
fn a_scope_that_can_do_more_harm_than_it_could_does_not_count() {
    let with = |bundle_is: &str, member_is: &str| {
        let mut of = bundle(&["shop:list", "shop:close"]);
        of["sensitivity"] = json!(bundle_is);
        catalogue(&[("shop", of), ("shop:list", json!({})), ("shop:close", json!({"sensitivity": member_is}))])
    };
    let consented = agreed("shop", &with("sensitive", "sensitive"));
    for (bundle_is, member_is, counts) in [
        ("sensitive", "sensitive", "shop"),
        ("normal", "normal", "shop"),
        ("sensitive", "privileged", "shop:list"),
        ("privileged", "sensitive", ""),
    ] {
        assert_eq!(effective(&consented, &with(bundle_is, member_is)), counts, "{bundle_is} {member_is}");
    }
}

#[test]
fn a_scope_that_is_no_longer_active_or_belongs_to_another_api_does_not_count() {
    let consented = agreed("shop:list", &shop());
    for (state, counts) in [
        (json!({"state": "active"}), "shop:list"),
        // Without a successor it is granted as itself until its sunset.
        (json!({"state": "deprecated"}), "shop:list"),
        (json!({"state": "deprecated", "successor": "shop:close"}), ""),
        (json!({"state": "retired"}), ""),
        (json!({"state": "draft"}), ""),
        (json!({"api": api_id(2)}), ""),
    ] {
        let now = catalogue(&[("shop:list", state.clone()), ("shop:close", json!({}))]);
        assert_eq!(effective(&consented, &now), counts, "{state}");
    }
    assert_eq!(effective(&consented, &catalogue(&[])), "");
}

#[test]
fn what_was_ticked_is_added_what_was_unticked_is_taken_away_and_what_was_not_shown_stays() {
    let catalogue = shop();
    let consented = agreed("shop:list shop:close", &catalogue);
    let consented = consented.with(&tokens("openid"), &tokens("openid shop:close"), &catalogue, NOW);
    assert_eq!(effective(&consented, &catalogue), "openid shop:list");
}

#[test]
fn what_is_ticked_without_having_been_shown_is_not_granted() {
    let catalogue = shop();
    let consented = Consented::default().with(&tokens("openid shop:close"), &tokens("openid"), &catalogue, NOW);
    assert_eq!(effective(&consented, &catalogue), "openid");
    let question = question("openid", &[], &gates(Receipts::On), &catalogue);
    assert_eq!(question.granted(|_| true, &catalogue), tokens("openid"));
}

#[test]
fn a_member_that_is_unticked_is_not_left_in_the_bundle() {
    let catalogue = catalogue(&[
        ("shop", bundle(&["shop:list", "shop:close"])),
        ("shop:list", json!({})),
        ("shop:close", json!({})),
    ]);
    let consented = agreed("shop", &catalogue).with(&[], &tokens("shop:close"), &catalogue, NOW);
    assert_eq!(effective(&consented, &catalogue), "shop:list");
}

#[test]
fn what_was_agreed_to_again_with_a_bundle_outlives_the_bundle() {
    let with = |harm: &str| {
        catalogue(&[
            ("shop", bundle(&["shop:list", "shop:close"])),
            ("shop:list", json!({"sensitivity": harm})),
            ("shop:close", json!({})),
        ])
    };
    let consented =
        agreed("shop:list", &with("normal")).with(&tokens("shop"), &tokens("shop"), &with("sensitive"), NOW);
    let consented = consented.with(&[], &tokens("shop:close"), &with("sensitive"), NOW);
    assert_eq!(effective(&consented, &with("sensitive")), "shop:list");
    assert_eq!(effective(&consented, &with("privileged")), "");
}

#[test]
fn whoever_agreed_to_a_bundle_while_a_gate_was_closed_is_asked_once_it_opens() {
    let catalogue = shop();
    let ceiling = Ceiling::new(&application("shop", json!({})), &catalogue);
    let closed = question("shop", &[], &gates(Receipts::OffForTenant), &catalogue);
    assert_eq!(shown(&closed, &catalogue), ["shop"]);
    let consented =
        Consented::default().with(&closed.granted(|_| true, &catalogue), &closed.asked(&catalogue), &catalogue, NOW);
    let list = consented.effective(&catalogue);
    let on = gates(Receipts::On);
    let facts = facts(&catalogue, &ceiling, &on, Subject::User { roles: &[], consented: Some(&list) });
    let decision = decide(Some("shop"), &facts);
    assert_eq!(decision.carried, tokens("shop"));
    let dropped: Vec<String> = decision.dropped.iter().map(|it| format!("{} {}", it.scope, it.reason)).collect();
    assert_eq!(dropped, ["shop:receipts not_consented"]);
    let violation = invariant::check(&tokens("shop shop:receipts"), Some("shop"), &facts).unwrap_err();
    assert_eq!(violation.bound, "the user's consent");

    let open = question("shop", &[], &on, &catalogue);
    assert!(!closed.is_open(&consented, &catalogue));
    assert!(open.is_open(&consented, &catalogue));
    assert_eq!(shown(&open, &catalogue), ["shop+shop:receipts"]);
    let consented = consented.with(&open.granted(|_| true, &catalogue), &open.asked(&catalogue), &catalogue, NOW);
    let list = consented.effective(&catalogue);
    let facts = Facts { subject: Subject::User { roles: &[], consented: Some(&list) }, ..facts };
    assert_eq!(decide(Some("shop"), &facts).carried, tokens("shop shop:receipts"));
    assert_eq!(invariant::check(&tokens("shop shop:receipts"), Some("shop"), &facts), Ok(()));
}

#[test]
fn a_closed_gate_a_missing_role_and_a_ceiling_are_never_asked_about() {
    let catalogue = shop();
    let manager: RoleName = "manager".parse().unwrap();
    let asked = "openid shop:receipts shop:managers shop:list unheard-of";
    let off = gates(Receipts::OffForTenant);
    assert_eq!(shown(&question(asked, &[], &off, &catalogue), &catalogue), ["openid!", "shop:list"]);
    let on = question(asked, &[manager], &gates(Receipts::On), &catalogue);
    assert_eq!(shown(&on, &catalogue), ["openid!", "shop:list", "shop:receipts", "shop:managers"]);

    let ceiling = Ceiling::new(&application("openid", json!({})), &catalogue);
    let user = Subject::User { roles: &[], consented: None };
    let narrow = Question::of(&tokens(asked), &facts(&catalogue, &ceiling, &off, user));
    assert_eq!(shown(&narrow, &catalogue), ["openid!"]);
    assert_eq!(Question::of(&tokens(asked), &facts(&catalogue, &ceiling, &off, Subject::Service)).groups, []);
}

#[test]
fn the_most_dangerous_comes_first_and_a_bundle_hides_nothing() {
    let catalogue = catalogue(&[
        ("shop", bundle(&["shop:list"])),
        ("till", bundle(&["shop:close"])),
        ("shop:list", json!({})),
        ("shop:close", json!({"sensitivity": "privileged"})),
    ]);
    let asked = question("openid offline_access shop till shop:list", &[], &Gates::default(), &catalogue);
    assert_eq!(shown(&asked, &catalogue), ["till", "shop+shop:list", "offline_access", "openid!"]);
    let members: Vec<&[usize]> = asked.choices().map(|choice| choice.members.as_slice()).collect();
    assert_eq!(catalogue.entry(members[0][0]).scope.name, token("shop:close"));
}

#[test]
fn a_deprecated_scope_is_asked_about_as_what_is_granted_in_its_place() {
    let catalogue =
        catalogue(&[("shop:list", json!({})), ("shop:old", json!({"state": "deprecated", "successor": "shop:list"}))]);
    let question = question("shop:old", &[], &Gates::default(), &catalogue);
    assert_eq!(shown(&question, &catalogue), ["shop:list"]);
    let consented = Consented::default().with(
        &question.granted(|name| name == "shop:list", &catalogue),
        &question.asked(&catalogue),
        &catalogue,
        NOW,
    );
    assert!(!question.is_open(&consented, &catalogue));
}

#[test]
fn what_was_left_out_is_not_asked_again_until_it_means_something_else() {
    let then = shop();
    let gates = gates(Receipts::OffForTenant);
    let asked = question("openid shop", &[], &gates, &then);
    let consented = Consented::default().with(&asked.granted(|_| false, &then), &asked.asked(&then), &then, NOW);
    let said = |question: &Question, catalogue: &Catalogue| -> Vec<Said> {
        question.choices().map(|choice| consented.said(choice, catalogue)).collect()
    };
    assert_eq!(said(&asked, &then), [Said::Yes, Said::No]);
    assert!(!asked.is_open(&consented, &then));
    let now = catalogue(&[("shop", bundle(&[])), ("shop:list", json!({}))]);
    let again = question("openid shop", &[], &gates, &now);
    assert_eq!(said(&again, &now), [Said::Yes, Said::Nothing]);
}

#[test]
fn a_consent_reads_back_as_itself() {
    let catalogue = shop();
    let consented = agreed("openid shop", &catalogue).with(&[], &tokens("shop:close"), &catalogue, NOW);
    let document = serde_json::to_string(&consented).unwrap();
    assert_eq!(serde_json::from_str::<Consented>(&document).unwrap(), consented);
}

/// Every scope there can be: bundles and what may be in them.
const BUNDLES: [&str; 2] = ["most", "rest"];
const GRANULAR: [&str; 5] = ["a", "b", "c", "d", "gated"];
const LEVELS: [&str; 3] = ["normal", "sensitive", "privileged"];

/// A catalogue as the model knows it: the members of bundles, and how much harm each scope can do.
#[derive(Debug, Clone)]
struct World {
    members: BTreeMap<&'static str, BTreeSet<&'static str>>,
    harm: BTreeMap<&'static str, usize>,
}

impl World {
    fn catalogue(&self) -> Catalogue {
        let level = |name: &str| LEVELS[self.harm[name]];
        let bundles = BUNDLES
            .map(|name| (name, json!({"kind": "coarse", "includes": self.members[name], "sensitivity": level(name)})));
        let granular = GRANULAR.map(|name| {
            let feature = (name == "gated").then_some("beta");
            (name, json!({"sensitivity": level(name), "feature": feature}))
        });
        catalogue(&[bundles.to_vec(), granular.to_vec()].concat())
    }

    /// What a scope gives without any other name.
    fn gives(&self, name: &'static str) -> BTreeSet<&'static str> {
        let members = self.members.get(name).into_iter().flatten().copied().filter(|member| *member != "gated");
        members.chain([name]).collect()
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let members = || proptest::sample::subsequence(GRANULAR.to_vec(), 0..=5);
    let harm = proptest::collection::vec(0..3_usize, BUNDLES.len() + GRANULAR.len());
    (members(), members(), harm).prop_map(|(most, rest, harm)| World {
        members: [("most", most.into_iter().collect()), ("rest", rest.into_iter().collect())].into(),
        harm: BUNDLES.iter().chain(&GRANULAR).copied().zip(harm).collect(),
    })
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence([BUNDLES.as_slice(), &GRANULAR].concat(), 0..=7)
}

proptest! {
    #[test]
    fn nothing_counts_that_was_not_agreed_to_and_nothing_that_was_taken_away(
        answers in proptest::collection::vec((worlds(), names(), names()), 1..6),
        now in worlds(),
    ) {
        let mut consented = Consented::default();
        // For each scope, the most harm it could do when somebody agreed to it, alone or in a bundle.
        let mut agreed: BTreeMap<&str, usize> = BTreeMap::new();
        for (world, ticked, asked) in &answers {
            let catalogue = world.catalogue();
            let covers = |consented: &Consented, name: &str| {
                let entry = catalogue.find(name).expect("every scope is there");
                is_among(entry, &consented.effective(&catalogue), &catalogue)
            };
            let before = consented.clone();
            let scopes = |names: &[&str]| -> Vec<ScopeToken> { names.iter().map(|name| token(name)).collect() };
            consented = consented.with(&scopes(ticked), &scopes(asked), &catalogue, NOW);
            let (yes, no): (Vec<&str>, Vec<&str>) = asked.iter().partition(|name| ticked.contains(name));
            for name in &yes {
                prop_assert!(covers(&consented, name), "{name} was ticked");
                for given in world.gives(GRANULAR.iter().chain(&BUNDLES).find(|it| *it == name).expect("a name")) {
                    let harm = agreed.entry(given).or_default();
                    *harm = world.harm[given].max(*harm);
                }
            }
            let gives = |bundle: &&str, name: &str| *name != **bundle && world.members.get(*bundle).is_some_and(|it| it.contains(name)) && name != "gated";
            for name in &no {
                let is_in_a_bundle = yes.iter().any(|bundle| gives(bundle, name));
                prop_assert!(!covers(&consented, name) || is_in_a_bundle, "{name} was taken away");
            }
            for name in GRANULAR.iter().chain(&BUNDLES).filter(|name| !asked.contains(name)) {
                // A member goes with a bundle that is taken away, where nothing else gave it.
                let went_with = no.iter().any(|bundle| before.scopes.get(*bundle).is_some_and(|it| it.members.contains_key(*name)));
                // A bundle goes with a member that is taken away.
                let lost_one = no.iter().any(|member| before.scopes.get(*name).is_some_and(|it| it.members.contains_key(*member)));
                if covers(&before, name) && !went_with && !lost_one {
                    prop_assert!(covers(&consented, name), "{name} was not shown");
                }
            }
            let again = consented.clone().with(&scopes(ticked), &scopes(asked), &catalogue, NOW);
            prop_assert_eq!(&again, &consented, "the same answer twice is one answer");
        }
        let catalogue = now.catalogue();
        for scope in consented.effective(&catalogue) {
            let name = GRANULAR.iter().chain(&BUNDLES).find(|it| **it == scope.as_str()).expect("a name");
            for given in now.gives(name) {
                let harm = agreed.get(given);
                prop_assert!(harm.is_some_and(|harm| now.harm[given] <= *harm), "nobody agreed to {given} in {name}");
            }
        }
    }
}
