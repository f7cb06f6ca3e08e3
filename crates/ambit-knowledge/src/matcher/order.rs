//! What comes behind what, whatever its points: rules that look at several entries at once.

use super::{ENOUGH, MARGIN, Ranked};
use crate::corpus::Corpus;
use crate::input::{FactKind, Input, is_registered};

/// Takes points from what others have more right to.
pub(super) fn put_behind(corpus: &Corpus, ranked: &mut [Ranked], input: &Input) {
    behind_its_number(corpus, ranked, input);
    behind_whose_rule_holds(corpus, ranked, input);
    behind_whose_wording_holds(corpus, ranked);
    behind_what_is_said(corpus, ranked);
    behind_what_they_stand_around(corpus, ranked);
}

/// Where the number that a product gave an error stands, and one of its entries is about it, its others are about other
/// numbers, and what merely sounds like the words behind it is not it.
fn behind_its_number(corpus: &Corpus, ranked: &mut [Ranked], input: &Input) {
    let numbers = numbers(input);
    if numbers.is_empty() {
        return;
    }
    let product = |it: &Ranked| corpus.entries()[it.place].product;
    let knows: Vec<bool> = ranked.iter().map(|it| knows_one(corpus, it, &numbers)).collect();
    let is_about_it = ranked.iter().zip(&knows).filter(|(it, knows)| **knows && it.evidence.is_hard());
    let best = is_about_it.map(|(it, _)| it).max_by(|one, other| one.score.total_cmp(&other.score));
    let Some((of, most)) = best.map(|best| (product(best), best.score - MARGIN)) else { return };
    for (it, knows) in ranked.iter_mut().zip(knows) {
        if !knows && (product(it) == of || !it.evidence.is_hard()) {
            it.score = it.score.min(most);
        }
    }
}

/// Whether there are numbers that products gave errors, and the entry is about none of them.
pub(super) fn lacks_number(corpus: &Corpus, it: &Ranked, input: &Input) -> bool {
    let numbers = numbers(input);
    !numbers.is_empty() && !knows_one(corpus, it, &numbers)
}

/// The numbers that products gave errors (`AADSTS90023`), in small letters.
fn numbers(input: &Input) -> Vec<String> {
    let is_numbered = |code: &str| {
        code.starts_with(|c: char| c.is_ascii_uppercase()) && code.bytes().filter(u8::is_ascii_digit).count() >= 4
    };
    let codes = input.values(FactKind::VendorCode).filter(|fact| is_numbered(&fact.value));
    codes.map(|fact| fact.value.to_ascii_lowercase()).collect()
}

fn knows_one(corpus: &Corpus, it: &Ranked, numbers: &[String]) -> bool {
    let entry = &corpus.entries()[it.place];
    let described = it.evidence.structure.as_ref().and_then(|held| held.description.as_ref());
    let hits = || described.into_iter().chain(&it.evidence.pattern);
    numbers.iter().any(|number| {
        entry.id.slug().contains(number)
            || entry.error_code.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(number))
            || entry.matching.patterns.iter().any(|pattern| pattern.to_ascii_lowercase().contains(number))
            // A pattern for several numbers has found this one.
            || hits().any(|hit| hit.seen.to_ascii_lowercase().contains(number))
    })
}

/// Where nothing shows a product, and a rule of everybody's holds, a product's entry that merely sounds like it comes after it.
fn behind_whose_rule_holds(corpus: &Corpus, ranked: &mut [Ranked], input: &Input) {
    let is_anybodys = |it: &Ranked| corpus.entries()[it.place].product.is_anybodys();
    if input.products().is_empty() && ranked.iter().any(|it| is_anybodys(it) && it.evidence.is_hard()) {
        let sounds = |it: &&mut Ranked| !is_anybodys(it) && !it.evidence.is_hard();
        ranked.iter_mut().filter(sounds).for_each(|it| it.score -= NO_RULE);
    }
}

/// Where a rule of a product's own wording holds, what everybody says of the same comes after it.
fn behind_whose_wording_holds(corpus: &Corpus, ranked: &mut [Ranked]) {
    let entry = |it: &Ranked| &corpus.entries()[it.place];
    let is_own = |it: &&Ranked| !entry(it).product.is_anybodys() && it.evidence.is_hard() && !it.evidence.is_general();
    let own: Vec<_> = ranked.iter().filter(is_own).map(|it| entry(it).category).collect();
    let is_general = |it: &&mut Ranked| entry(it).product.is_anybodys() && own.contains(&entry(it).category);
    ranked.iter_mut().filter(is_general).for_each(|it| it.score -= OWN_WORDING);
}

/// A code says less than what the message comes down to: `invalid_client`, *redirect URI does not match*, is about the URI.
fn behind_what_is_said(corpus: &Corpus, ranked: &mut [Ranked]) {
    // What is missing from a request is what that request is invalid for.
    let counts = |it: &Ranked| {
        it.evidence.is_particular_complaint()
            && (it.evidence.code != Some(false) || !it.evidence.is_something_missing())
    };
    if ranked.iter().any(counts) {
        let has_registered = |it: &Ranked| corpus.entries()[it.place].error_code.as_deref().is_some_and(is_registered);
        let is_code = |it: &&mut Ranked| it.evidence.is_hard() && it.evidence.is_general() && has_registered(it);
        ranked.iter_mut().filter(is_code).for_each(|it| it.score -= SAID);
    }
}

/// What libraries say around another error is no answer where the other one is there.
fn behind_what_they_stand_around(corpus: &Corpus, ranked: &mut [Ranked]) {
    let is_around = |it: &Ranked| corpus.entries()[it.place].matching.around;
    if ranked.iter().any(|it| !is_around(it) && it.evidence.is_hard() && it.by_itself() >= ENOUGH) {
        ranked.iter_mut().filter(|it| is_around(it)).for_each(|it| it.score -= AROUND);
    }
}

/// How far an entry falls behind a rule that holds.
const NO_RULE: f32 = 12.0;
/// How far a code falls behind what the message comes down to.
const SAID: f32 = 16.0;
/// How far what everybody says falls behind what a product says.
const OWN_WORDING: f32 = 20.0;
/// How far an entry falls behind the error that it stands around: behind any.
const AROUND: f32 = 200.0;
