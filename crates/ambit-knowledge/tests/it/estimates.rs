//! How sure an entry is, and how often its advice helps.

use ambit_knowledge::confidence::{Estimate, MAX_EVIDENCE, Outcomes, confidence, fix_success_rate};
use ambit_knowledge::entry::{Entry, Evidence, EvidenceKind, Tier};

use crate::support;

#[test]
fn nothing_reported_is_nothing_known() {
    // Beta(1, 1) is the uniform distribution.
    assert_near(fix_success_rate(Outcomes::default()), (0.5, 0.025, 0.975));
}

#[test]
fn the_interval_is_that_of_the_beta_distribution() {
    // R: qbeta(c(.025, .975), 10, 2) and qbeta(c(.025, .975), 1, 4).
    assert_near(fix_success_rate(Outcomes { helped: 9, failed: 1 }), (10.0 / 12.0, 0.587_22, 0.977_17));
    assert_near(fix_success_rate(Outcomes { helped: 0, failed: 3 }), (0.2, 0.006_31, 0.602_36));
}

#[test]
fn many_reports_leave_a_narrow_interval_around_their_share() {
    let few = fix_success_rate(Outcomes { helped: 3, failed: 1 });
    let many = fix_success_rate(Outcomes { helped: 3000, failed: 1000 });
    assert!(many.high - many.low < (few.high - few.low) / 10.0);
    assert!((many.mean - 0.75).abs() < 0.001);
}

#[test]
fn a_better_tier_and_more_evidence_are_more_sure_and_failures_less() {
    let of = |tier, count| {
        let mut entry = entry();
        entry.tier = tier;
        let evidence = entry.evidence[0].clone();
        entry.evidence = vec![Evidence { kind: EvidenceKind::Source, ..evidence }; count];
        confidence(&entry, Outcomes::default()).mean
    };
    let tiers: Vec<f64> = Tier::ALL.iter().map(|tier| of(*tier, 1)).collect();
    assert!(tiers.is_sorted_by(|one, other| one < other), "{tiers:?}");
    assert!(of(Tier::SourceChecked, 2) > of(Tier::SourceChecked, 1));
    // Up to a limit.
    assert!((of(Tier::SourceChecked, 5) - of(Tier::SourceChecked, 6)).abs() < f64::EPSILON);
    assert!((of(Tier::MachineWritten, 9) - (1.0 + MAX_EVIDENCE) / (2.0 + MAX_EVIDENCE)).abs() < 1e-9);

    let entry = entry();
    let failing = confidence(&entry, Outcomes { helped: 0, failed: 5 });
    assert!(failing.mean < confidence(&entry, Outcomes::default()).mean);
    assert!(confidence(&entry, Outcomes { helped: 5, failed: 0 }).mean > confidence(&entry, Outcomes::default()).mean);
}

fn entry() -> Entry {
    support::knowledge().corpus().find("api/oauth2-invalid-scope-requested").expect("a fixture").clone()
}

fn assert_near(found: Estimate, (mean, low, high): (f64, f64, f64)) {
    for (found, expected) in [(found.mean, mean), (found.low, low), (found.high, high)] {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
}
