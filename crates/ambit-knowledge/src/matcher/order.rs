//! What comes behind what, whatever its points: rules that look at several entries at once.

use rustc_hash::FxHashSet;

use super::{ENOUGH, LIKE_LITTLE, LIKE_MUCH, LIKE_SOMEWHAT, Ranked};
use crate::corpus::Corpus;
use crate::input::{FactKind, Input, is_registered};

/// Takes points from what others have more right to.
pub(super) fn put_behind(corpus: &Corpus, ranked: &mut [Ranked], input: &Input) {
    by_whose_wording(corpus, ranked, input);
    behind_what_they_stand_around(corpus, ranked);
    behind_what_is_said(corpus, ranked);
    behind_what_it_comes_down_to(ranked);
}

/// Where two entries are about the same code, one of them everybody's and one a product's, the wording decides. A rule that
/// holds of the product's own wording is the more specific one. Where nothing shows the product, and what holds is
/// everybody's wording, an entry that merely sounds like it comes after it.
fn by_whose_wording(corpus: &Corpus, ranked: &mut [Ranked], input: &Input) {
    let is_anybodys = |it: &Ranked| corpus.entries()[it.place].product.is_anybodys();
    let about = |it: &Ranked| {
        let entry = &corpus.entries()[it.place];
        (entry.category, entry.error_code.as_deref())
    };
    let worded = |it: &&Ranked| it.evidence.has_wording(corpus.entries()[it.place].error_code.as_deref());
    let category = |it: &Ranked| corpus.entries()[it.place].category;
    let is_read = ranked.iter().any(|it| is_anybodys(it) && it.evidence.comes_down_to_it);
    // The number that a product gave the error is nobody else's, however much others have of the words behind it.
    let is_numbered = |it: &Ranked| {
        let slug = corpus.entries()[it.place].id.slug();
        let mut numbers =
            input.values(FactKind::VendorCode).filter(|fact| fact.value.bytes().any(|c| c.is_ascii_digit()));
        it.evidence.is_hard() && numbers.any(|number| slug.contains(&number.value.to_ascii_lowercase()))
    };
    let has_number = ranked.iter().any(|it| !is_anybodys(it) && is_numbered(it));
    // Whoever names the product may say the rest in words of his own.
    let best = ranked.iter().filter(|it| is_anybodys(it)).max_by(|one, other| one.score.total_cmp(&other.score));
    let covered = best.map_or(0.0, |best| best.evidence.coverage) + COVERS_MUCH_MORE;
    let is_told = |it: &Ranked| {
        let evidence = &it.evidence;
        let is_alike = it.likeness >= LIKE_SOMEWHAT && evidence.coverage > covered;
        evidence.product == Some(true) && evidence.code != Some(false) && is_alike
    };
    let has_told = ranked.iter().any(|it| !is_anybodys(it) && is_told(it));
    let (general, own): (Vec<_>, Vec<_>) = ranked.iter().filter(worded).partition(|it| is_anybodys(it));
    let general: FxHashSet<_> = general.into_iter().map(about).collect();
    let own: Vec<_> = own.into_iter().filter(|it| !it.evidence.is_general()).collect();
    let of_own: FxHashSet<_> = own.iter().map(|it| category(it)).collect();
    let own: FxHashSet<_> = own.into_iter().map(about).collect();
    for it in ranked {
        let is_behind = if is_anybodys(it) {
            has_number
                || has_told
                || own.contains(&about(it))
                || it.evidence.comes_down_to_it && of_own.contains(&category(it))
        } else {
            input.products().is_empty() && !it.evidence.is_hard() && (is_read || general.contains(&about(it)))
        };
        if is_behind {
            it.score -= OTHER_WORDING;
        }
    }
}

/// What only sounds like the message is no better than what the message complains of, unless it has more of its words.
fn behind_what_it_comes_down_to(ranked: &mut [Ranked]) {
    let complained = ranked.iter().filter(|it| it.evidence.comes_down_to_it && it.score >= ENOUGH);
    let Some(best) = complained.max_by(|one, other| one.score.total_cmp(&other.score)) else { return };
    let (most, covered) = (best.score - BESIDE, best.evidence.coverage + COVERS_MORE);
    let sounds = |it: &&mut Ranked| !it.evidence.is_hard() && it.likeness < LIKE_MUCH && it.evidence.coverage < covered;
    ranked.iter_mut().filter(sounds).for_each(|it| it.score = it.score.min(most));
}

/// What libraries say around another error is no answer where the other one is there.
fn behind_what_they_stand_around(corpus: &Corpus, ranked: &mut [Ranked]) {
    let is_around = |it: &Ranked| corpus.entries()[it.place].matching.around;
    if ranked.iter().any(|it| !is_around(it) && it.evidence.is_hard() && it.score >= ENOUGH) {
        ranked.iter_mut().filter(|it| is_around(it)).for_each(|it| it.score -= AROUND);
    }
}

/// A code says less than what the message comes down to: `invalid_client`, *redirect URI does not match*, is about the URI. And
/// it says less than what has the code, too, and much more of the message.
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
    let has_code = |it: &&Ranked| it.evidence.code == Some(true) && !it.evidence.is_hard();
    let covered = ranked.iter().filter(has_code).map(|it| it.evidence.coverage).fold(0.0, f32::max);
    let is_bare = |it: &&mut Ranked| {
        let evidence = &it.evidence;
        let says_little = it.likeness < LIKE_LITTLE && evidence.coverage + COVERS_MUCH_MORE < covered;
        evidence.is_hard() && evidence.is_general() && says_little
    };
    ranked.iter_mut().filter(is_bare).for_each(|it| it.score -= SAID);
}

/// How far an entry falls behind one of the same code of which the wording holds.
const OTHER_WORDING: f32 = 12.0;
/// How far an entry falls behind the error that it stands around: behind any.
const AROUND: f32 = 200.0;
/// How far behind something comes that is named beside it.
const BESIDE: f32 = 1.0;
/// How much more of the input something has that is more than a sound.
const COVERS_MORE: f32 = 0.05;
const COVERS_MUCH_MORE: f32 = 0.2;
/// How far a code falls behind what the message comes down to.
const SAID: f32 = 16.0;
