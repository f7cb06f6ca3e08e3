//! Feature gates: a feature is on or off per tenant and per unit, and a gate is open only when both are.

use std::sync::Arc;

use ambit_protocol::admin::text::FeatureKey;
use hashbrown::{HashMap, HashSet};

/// The features of the tenant and the unit that a request acts for.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    /// Level 1: the features that are on for the tenant; none where no tenant was named.
    pub tenant: Option<Arc<HashSet<FeatureKey>>>,
    /// Level 2: the flags that are set for the unit; none where no unit was named.
    pub unit: Option<Arc<HashMap<FeatureKey, bool>>>,
}

/// How a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Both levels are on.
    Open,
    /// No tenant was named, so there is nothing it could be on for.
    NoTenant,
    /// Off for the tenant; whatever the unit says does not count.
    OffForTenant,
    /// On for the tenant, off for the unit.
    OffForUnit,
}

impl Gates {
    /// How a feature's gate stands here. An unset unit flag follows the tenant.
    #[must_use]
    pub fn gate(&self, feature: &FeatureKey) -> Gate {
        let Some(tenant) = &self.tenant else { return Gate::NoTenant };
        if !tenant.contains(feature) {
            return Gate::OffForTenant;
        }
        match self.unit.as_ref().and_then(|unit| unit.get(feature)) {
            Some(false) => Gate::OffForUnit,
            Some(true) | None => Gate::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_open_only_when_both_levels_are() {
        let key: FeatureKey = "receipts".parse().unwrap();
        let on = Some(Arc::new(HashSet::from_iter([key.clone()])));
        let off = Some(Arc::new(HashSet::new()));
        let unit = |flag: Option<bool>| Some(Arc::new(flag.map(|flag| (key.clone(), flag)).into_iter().collect()));
        for (tenant, unit, gate) in [
            (None, None, Gate::NoTenant),
            (None, unit(Some(true)), Gate::NoTenant),
            (off.clone(), None, Gate::OffForTenant),
            (off, unit(Some(true)), Gate::OffForTenant),
            (on.clone(), None, Gate::Open),
            (on.clone(), unit(None), Gate::Open),
            (on.clone(), unit(Some(true)), Gate::Open),
            (on, unit(Some(false)), Gate::OffForUnit),
        ] {
            assert_eq!(Gates { tenant, unit }.gate(&key), gate);
        }
    }
}
