//! How sure an entry is, and how often its advice helps: computed, never typed in.
//!
//! Both are the posterior of a proportion under a Beta prior, shown with the interval that holds 95 % of it, so that two
//! reports do not look like two hundred.
//!
//! **Confidence** is how likely the entry is to be true. Its prior is `Beta(a₀ + e, 1)`, where `a₀` is what the tier stands
//! for (1 written without having been checked, 4 checked against a source, 9 reproduced, 19 confirmed in the field) and `e`
//! is 1 for each source or report and 2 for each reproduction, up to [`MAX_EVIDENCE`] together. Every reported outcome
//! that helped adds 1 to the first parameter, every other one adds 1 to the second:
//!
//! `confidence = Beta(a₀ + e + helped, 1 + failed)`
//!
//! **The rate of success** is about the advice alone, begins from nothing known and has only outcomes:
//!
//! `fix_success_rate = Beta(1 + helped, 1 + failed)`
//!
//! The mean is `a / (a + b)`; the bounds are the 2.5 % and 97.5 % quantiles, by the inverse of the regularised incomplete
//! beta function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::function::beta::inv_beta_reg;

use crate::entry::{Entry, EvidenceKind, Tier};

/// What people reported after they had followed an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// It helped.
    pub helped: u32,
    /// It did not.
    pub failed: u32,
}

/// A proportion that is not known exactly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The mean of what is known.
    pub mean: f64,
    /// The lower bound: 2.5 % lie below.
    pub low: f64,
    /// The upper bound: 2.5 % lie above.
    pub high: f64,
}

/// How likely an entry is to be true.
///
/// ```
/// use ambit_knowledge::Corpus;
/// use ambit_knowledge::confidence::{Outcomes, confidence};
///
/// let entry = Corpus::embedded().find("api/invalid-token").expect("it came with the program");
/// let before = confidence(entry, Outcomes::default());
/// let after = confidence(entry, Outcomes { helped: 0, failed: 10 });
/// assert!(after.mean < before.mean && after.high < before.high);
/// ```
#[must_use]
pub fn confidence(entry: &Entry, outcomes: Outcomes) -> Estimate {
    let tier = match entry.tier {
        Tier::MachineWritten => 1.0,
        Tier::SourceChecked => 4.0,
        Tier::Reproduced => 9.0,
        Tier::FieldConfirmed => 19.0,
    };
    let weight = |kind| match kind {
        EvidenceKind::Reproduced => 2.0,
        EvidenceKind::Source | EvidenceKind::Report => 1.0,
    };
    let evidence: f64 = entry.evidence.iter().map(|evidence| weight(evidence.kind)).sum();
    Estimate::of_beta(tier + evidence.min(MAX_EVIDENCE) + f64::from(outcomes.helped), 1.0 + f64::from(outcomes.failed))
}

/// How often the advice of an entry helps.
#[must_use]
pub fn fix_success_rate(outcomes: Outcomes) -> Estimate {
    Estimate::of_beta(1.0 + f64::from(outcomes.helped), 1.0 + f64::from(outcomes.failed))
}

impl Estimate {
    /// The mean of `Beta(a, b)` and the middle 95 % of it. Both are at least 1 here, so both bounds exist.
    fn of_beta(a: f64, b: f64) -> Self {
        Self { mean: a / (a + b), low: inv_beta_reg(a, b, TAIL), high: inv_beta_reg(a, b, 1.0 - TAIL) }
    }
}

const TAIL: f64 = 0.025;
/// What all evidence together adds to the prior: a tenth reference does not make an entry truer.
pub const MAX_EVIDENCE: f64 = 5.0;
