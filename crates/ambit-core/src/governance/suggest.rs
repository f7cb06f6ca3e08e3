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
    let letters = Letters::of(&folded);
    let (mut best, mut nearest) = (usize::MAX, vec![]);
    for known in known {
        match distance(&folded, &letters, known.as_str(), best) {
            Some(distance) if distance < best => (best, nearest) = (distance, vec![known]),
            Some(distance) if distance == best => nearest.push(known),
            _ => {}
        }
    }
    nearest.into_iter().take(3).cloned().collect()
}

/// How far two names are apart but for their case, if they are near enough to be taken for each other: one continues the
/// other at a separator, or a third of the letters differ at most. What is further away than `best` may be answered as none.
fn distance(sent: &str, letters: &Letters, known: &str, best: usize) -> Option<usize> {
    let continues = known
        .split_at_checked(sent.len())
        .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(sent) && rest.starts_with(SEPARATORS));
    let allowed = (sent.len() / 3).clamp(1, 4).min(best);
    // Whoever sends a name that nobody knows has it compared with the whole catalogue: what is cheap to rule out goes first.
    if !continues && (sent.len().abs_diff(known.len()) > allowed || letters.least_distance(known) > allowed) {
        return None;
    }
    let distance = strsim::osa_distance(sent, &known.to_ascii_lowercase());
    (continues || distance <= allowed).then_some(distance)
}

/// How often each letter is in a name, case aside.
struct Letters([i16; 128]);

impl Letters {
    fn of(name: &str) -> Self {
        let mut counts = [0; 128];
        name.bytes().for_each(|byte| counts[letter(byte)] += 1);
        Self(counts)
    }

    /// What no way of editing one name into the other can be shorter than: each letter that only one of them has must be
    /// put in, taken out or replaced, and swapping two neighbours changes no count.
    fn least_distance(&self, other: &str) -> usize {
        let mut surplus = self.0;
        other.bytes().for_each(|byte| surplus[letter(byte)] -= 1);
        let only_here: i16 = surplus.iter().map(|count| (*count).max(0)).sum();
        let only_there: i16 = surplus.iter().map(|count| (*count).min(0)).sum();
        usize::from(only_here.unsigned_abs().max(only_there.unsigned_abs()))
    }
}

fn letter(byte: u8) -> usize {
    usize::from(byte.to_ascii_lowercase() & 0x7f)
}

const SEPARATORS: [char; 5] = [':', '.', '_', '-', '/'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Letters, distance};

    fn distance_of(sent: &str, known: &str) -> Option<usize> {
        distance(sent, &Letters::of(sent), known, usize::MAX)
    }

    proptest! {
        #[test]
        fn what_is_ruled_out_by_its_letters_is_as_far_away_as_that(one in "[a-d:]{0,12}", other in "[a-d:]{0,12}") {
            prop_assert!(Letters::of(&one).least_distance(&other) <= strsim::osa_distance(&one, &other));
        }
    }

    #[test]
    fn only_near_names_are_taken_for_each_other() {
        assert_eq!(distance_of("admin", "admin:read"), Some(5));
        assert_eq!(distance_of("admin", "administrator"), None);
        assert_eq!(distance_of("pos.raed", "pos.read"), Some(1));
        assert_eq!(distance_of("offers.read", "offers:read"), Some(1));
        assert_eq!(distance_of("x", "openid"), None);
    }
}
