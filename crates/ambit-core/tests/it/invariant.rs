//! The invariant of scopes.md §10 against a model that shares no code with the engine: sets of names, and nothing else.

use std::collections::BTreeSet;

use ambit_core::governance::ceiling::Ceiling;
use ambit_core::governance::decision::{Outcome, decide};
use ambit_core::governance::{invariant, rules};
use ambit_protocol::scope::ScopeToken;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{NOW, Receipts, application, catalogue, gates, tokens};

/// Name, members, needs a user, gated, live, stands for.
type Row = (&'static str, &'static [&'static str], bool, bool, bool, &'static str);

/// The catalogue of the tests once more, as the model knows it: name, members, needs a user, feature, live, stands for.
const MODEL: &[Row] = &[
    ("openid", &[], true, false, true, "openid"),
    ("pos.read", &["pos:members:read", "pos:baskets:read", "pos:receipts:read"], false, false, true, "pos.read"),
    ("pos.write", &["pos:baskets:create"], false, false, true, "pos.write"),
    ("pos:members:read", &[], false, false, true, "pos:members:read"),
    ("pos:baskets:read", &[], false, false, true, "pos:baskets:read"),
    ("pos:receipts:read", &[], false, true, true, "pos:receipts:read"),
    ("pos:baskets:create", &[], false, false, true, "pos:baskets:create"),
    ("pos:draft", &[], false, false, false, "pos:draft"),
    ("pos:retired", &[], false, false, false, "pos:retired"),
    ("pos:old", &[], false, false, true, "pos:baskets:read"),
    ("pos:oldest", &[], false, false, false, "pos:baskets:read"),
    ("pos:personal", &[], true, false, true, "pos:personal"),
    ("pos:managers", &[], true, false, true, "pos:managers"),
    ("admin:read", &[], false, false, true, "admin:read"),
    ("admin:write", &[], false, false, true, "admin:write"),
];

type Names = BTreeSet<String>;

/// What the names stand for, with the members of bundles.
fn expanded(names: &Names) -> Names {
    let mut all = Names::new();
    for (name, members, _, _, live, stands_for) in MODEL {
        if names.contains(*name) && *live {
            all.insert((*stands_for).to_owned());
            all.extend(members.iter().map(|member| (*member).to_owned()));
        }
    }
    all
}

fn model(asked: &Names, allowed: &Names, receipts: Receipts) -> Names {
    let within = expanded(asked);
    let ceiling = expanded(allowed);
    MODEL
        .iter()
        .filter(|(name, _, needs_user, gated, live, _)| {
            within.contains(*name)
                && ceiling.contains(*name)
                && !needs_user
                && *live
                && (!gated || receipts == Receipts::On)
        })
        .map(|(name, ..)| (*name).to_owned())
        .collect()
}

fn names() -> impl Strategy<Value = Names> {
    let known = proptest::sample::select(MODEL.iter().map(|row| row.0.to_owned()).collect::<Vec<_>>());
    let strange = "[!#-\\[\\]-~]{1,12}";
    proptest::collection::btree_set(prop_oneof![6 => known.boxed(), 1 => strange.boxed()], 0..8)
}

proptest! {
    #[test]
    fn no_token_carries_more_than_the_model_allows(
        asked in proptest::option::of(names()),
        allowed in names(),
        narrow in any::<bool>(),
        report_only in any::<bool>(),
        receipts in proptest::sample::select(vec![
            Receipts::NoTenant, Receipts::OffForTenant, Receipts::On, Receipts::OffForUnit,
        ]),
    ) {
        let catalogue = catalogue();
        let policy = json!({"on_refused": if narrow { "narrow" } else { "reject" }, "report_only": report_only});
        let listed = allowed.iter().cloned().collect::<Vec<_>>().join(" ");
        let application = application(&listed, policy);
        let ceiling = Ceiling::new(&application, &catalogue);
        let gates = gates(receipts);
        let facts = rules::Facts {
            catalogue: &catalogue,
            ceiling: &ceiling,
            gates: &gates,
            subject: rules::Subject::Service,
            resources: &[],
            original: None,
            now: NOW,
        };
        let requested = asked.as_ref().filter(|asked| !asked.is_empty()).map(|asked| asked.iter().cloned().collect::<Vec<_>>().join(" "));
        let decision = decide(requested.as_deref(), &facts);
        let carried: Names = decision.carried.iter().map(ToString::to_string).collect();
        let bound = model(asked.as_ref().filter(|asked| !asked.is_empty()).unwrap_or(&allowed), &allowed, receipts);
        prop_assert!(carried.is_subset(&bound), "carried {carried:?}, the model allows {bound:?}");
        prop_assert!(invariant::check(&decision.carried, requested.as_deref(), &facts).is_ok());
        // And what is asked for by name and is not carried is named in the answer (product.md, principle 2).
        if let (Some(asked), Outcome::Granted) = (&asked, decision.outcome) {
            for name in asked {
                let held = catalogue.holds(&decision.carried, name)
                    || decision.notices.iter().any(|notice| notice.scope.as_str() == name);
                let told = decision.dropped.iter().any(|dropped| dropped.scope == *name);
                prop_assert!(held || told, "{name} vanished");
            }
        }
        // The same again is the same: nothing but the arguments counts.
        prop_assert_eq!(decide(requested.as_deref(), &facts), decision);
    }
}

#[test]
fn the_invariant_stops_each_excess() {
    let catalogue = catalogue();
    let application = application("pos.read pos:draft openid", json!({}));
    let ceiling = Ceiling::new(&application, &catalogue);
    let closed = gates(Receipts::OffForTenant);
    let pos = [catalogue.api_place(crate::support::ADMIN).unwrap()];
    let original = tokens("pos:baskets:read");
    let facts = rules::Facts {
        catalogue: &catalogue,
        ceiling: &ceiling,
        gates: &closed,
        subject: rules::Subject::Service,
        resources: &[],
        original: None,
        now: NOW,
    };
    let bound = |carried: &str, requested: &str, facts: &rules::Facts<'_>| {
        let carried: Vec<ScopeToken> = tokens(carried);
        invariant::check(&carried, Some(requested), facts).err().map(|violation| violation.bound)
    };
    assert_eq!(bound("pos.read", "pos.read", &facts), None);
    assert_eq!(bound("pos:members:read", "pos.read", &facts), None);
    assert_eq!(bound("nope", "nope", &facts), Some("the catalogue"));
    assert_eq!(bound("pos:draft", "pos:draft", &facts), Some("the catalogue of now"));
    assert_eq!(bound("others:secret", "others:secret", &facts), Some("the catalogue of now"));
    assert_eq!(bound("pos.read", "pos:members:read", &facts), Some("what was asked for"));
    assert_eq!(bound("pos.write", "pos.write", &facts), Some("the application's ceiling"));
    assert_eq!(bound("openid", "openid", &facts), Some("the grant"));
    assert_eq!(
        bound("pos.read", "pos.read", &rules::Facts { resources: &pos, ..facts }),
        Some("the requested resource")
    );
    assert_eq!(bound("pos:receipts:read", "pos.read", &facts), Some("the gates of now"));
    assert_eq!(
        bound("pos.read", "pos.read", &rules::Facts { original: Some(&original), ..facts }),
        Some("the original grant")
    );
    // A gated member was lent by its own name or not at all, however open its gate is by now.
    let (open, bundle) = (gates(Receipts::On), tokens("pos.read"));
    let behind = |original: &[ScopeToken]| {
        let facts = rules::Facts { gates: &open, original: Some(original), ..facts };
        bound("pos:receipts:read", "pos.read", &facts)
    };
    assert_eq!(behind(&bundle), Some("the original grant"));
    assert_eq!(behind(&tokens("pos.read pos:receipts:read")), None);
    let user = rules::Facts { subject: rules::Subject::User { roles: &[], consented: Some(&original) }, ..facts };
    assert_eq!(bound("pos.read", "pos.read", &user), Some("the user's consent"));
}
