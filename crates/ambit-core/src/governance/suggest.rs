//! Names that look like one that was not found. A refusal is not an oracle: only what this application could be granted, or
//! what is advertised to its owner, is ever suggested.

use ambit_protocol::scope::ScopeToken;

use super::rules::Facts;

/// The nearest names, best first, the catalogue's order among equals; at most three.
#[must_use]
pub fn suggest(name: &str, facts: &Facts<'_>) -> Vec<ScopeToken> {
    let shown = facts.catalogue.entries().iter().enumerate().filter(|(place, entry)| {
        entry.owner.offers_to(facts.ceiling.owner)
            && entry.is_live(facts.now)
            && (entry.scope.advertised || facts.ceiling.allows(facts.catalogue, *place, facts.now))
    });
    nearest(name, shown.map(|(_, entry)| &entry.scope.name))
}

/// Those of the known names that come nearest, best first, the order of `known` among equals; at most three.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a ScopeToken>) -> Vec<ScopeToken> {
    if name.is_empty() || name.len() > ambit_protocol::scope::MAX_SCOPE_LENGTH {
        return vec![];
    }
    let folded = name.to_ascii_lowercase();
    let mut nearest: Vec<(usize, &ScopeToken)> =
        known.filter_map(|known| Some((distance(&folded, &known.as_str().to_ascii_lowercase())?, known))).collect();
    nearest.sort_by_key(|(distance, _)| *distance);
    let best = nearest.first().map_or(0, |(distance, _)| *distance);
    nearest.into_iter().take_while(|(distance, _)| *distance == best).take(3).map(|(_, name)| name.clone()).collect()
}

/// How far two names are apart, if they are near enough to be taken for each other: one continues the other at a separator,
/// or a third of the letters differ at most.
fn distance(sent: &str, known: &str) -> Option<usize> {
    let continues = known.strip_prefix(sent).is_some_and(|rest| rest.starts_with(SEPARATORS));
    let allowed = (sent.len() / 3).clamp(1, 4);
    if !continues && sent.len().abs_diff(known.len()) > allowed {
        return None;
    }
    let distance = strsim::osa_distance(sent, known);
    (continues || distance <= allowed).then_some(distance)
}

const SEPARATORS: [char; 5] = [':', '.', '_', '-', '/'];

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn only_near_names_are_taken_for_each_other() {
        assert_eq!(distance("admin", "admin:read"), Some(5));
        assert_eq!(distance("admin", "administrator"), None);
        assert_eq!(distance("pos.raed", "pos.read"), Some(1));
        assert_eq!(distance("offers.read", "offers:read"), Some(1));
        assert_eq!(distance("x", "openid"), None);
    }
}
