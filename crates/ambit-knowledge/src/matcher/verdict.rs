//! One entry, one of several, or none: a wrong answer that sounds sure costs more than none.

use super::{ENOUGH, LIKE_MUCH, LIKE_SOMEWHAT, MARGIN, Ranked, order};
use crate::corpus::Corpus;
use crate::entry::Product;
use crate::input::Input;

/// What the ranking amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The first.
    One,
    /// One of the first so many.
    Ambiguous(usize),
    /// None of them for sure.
    None,
}

/// What the scores amount to.
pub(super) fn of(corpus: &Corpus, ranked: &[Ranked], input: &Input) -> Verdict {
    let Some(first) = ranked.first() else { return Verdict::None };
    // Another protocol's words for the same thing: what sounds like it is not it. What we say stands in any surroundings.
    let is_ours = corpus.entries()[first.place].product == Product::Ambit
        && first.evidence.is_hard()
        && first.likeness() >= LIKE_MUCH;
    if input.is_of_another_protocol() && !is_ours {
        return Verdict::None;
    }
    let has_unknown_number = order::lacks_number(corpus, first, input);
    // An entry about another code of the registries than the one that is there may sound alike; it is not the other one.
    let contends = |other: &&Ranked| other.evidence.is_hard() || other.evidence.code != Some(false);
    let second = ranked.iter().skip(1).find(contends);
    let tied = || {
        let is_near = |other: &&Ranked| first.score - other.score < MARGIN && other.by_itself() >= ENOUGH;
        unsure(ranked, ranked.iter().take_while(is_near).count().min(MAX_TIED))
    };
    if !first.evidence.is_hard() {
        // An entry about a code that the input does not have may be near, and is not it.
        let lacks_code = first.evidence.code != Some(true) && corpus.entries()[first.place].error_code.is_some();
        // A number that nobody here knows is not explained by what stands around it.
        if first.likeness() < LIKE_WELL && has_unknown_number {
            return Verdict::None;
        }
        let has_hard =
            ranked.iter().take(MAX_TIED).any(|other| other.evidence.is_hard() && other.by_itself() >= ENOUGH);
        // Where nothing says that it is about OAuth, common words are alike by chance.
        let (alike, enough) =
            if input.is_about_oauth() { (LIKE_A_LITTLE, SOUNDS) } else { (LIKE_MUCH, SOUNDS_ANYWHERE) };
        let sounds = first.likeness() >= alike && first.by_itself() >= ENOUGH || first.by_itself() >= enough;
        // Words alone are an answer where no other entry comes near.
        let lead = first.score - second.map_or(0.0, |second| second.score);
        if sounds && lead >= FAR_BEHIND && !lacks_code && input.is_about_oauth() {
            return Verdict::One;
        }
        return if has_hard || sounds { tied() } else { Verdict::None };
    }
    if first.by_itself() < ENOUGH {
        return Verdict::None;
    }
    let is_vague = first.evidence.is_bare_description() && first.likeness() < LIKE_MUCH
        // Where nothing else comes near, a particular complaint of OAuth's stands by itself.
        || first.evidence.is_bare_complaint()
            && first.likeness() < LIKE_BARELY
            && !(ranked.len() == 1 && first.evidence.is_particular_complaint() && input.is_about_oauth());
    // A number that nobody here knows: what merely sounds like it is not it.
    let is_read = first.evidence.comes_down_to_it;
    if first.evidence.is_bare_description() && !is_read && has_unknown_number {
        return Verdict::None;
    }
    if second.is_some_and(|second| first.score - second.score < MARGIN) {
        return tied();
    }
    // Another entry resembles the input much more: a product's own wording of what the first one says in general.
    let is_general = first.evidence.is_general() || corpus.entries()[first.place].product == Product::Standard;
    let lead = if is_general { LIKE_MARGIN } else { 2.0 * LIKE_MARGIN };
    let resembles = |other: &Ranked| other.likeness() >= LIKE_SOMEWHAT && other.likeness() > first.likeness() + lead;
    if let Some(place) = ranked.iter().take(MAX_TIED).position(|other| contends(&other) && resembles(other)) {
        return unsure(ranked, place + 1);
    }
    // It complains of something else than its code.
    let complains = |other: &Ranked| other.evidence.is_particular_complaint() && other.by_itself() >= ENOUGH;
    if first.evidence.is_general()
        && first.likeness() < LIKE_MUCH
        && let Some(place) = ranked.iter().take(MAX_TIED).position(complains)
    {
        return unsure(ranked, place + 1);
    }
    // A description that was pasted alone, of which the entry says little else; or a numbered code that the entry does not
    // know, where others come near: it may be this, and nobody can be sure.
    let is_vague = is_vague
        || first.evidence.may_be_of_others() && first.evidence.is_bare_complaint()
        // It complains of something else than its code is for.
        || first.likeness() < LIKE_MUCH && first.evidence.comes_down_to_it && first.evidence.code == Some(false);
    if is_vague || second.is_some() && has_unknown_number {
        return unsure(ranked, 2);
    }
    Verdict::One
}

/// The first so many, two at least. What may be it, and has nothing beside it, is only the nearest.
fn unsure(ranked: &[Ranked], so_many: usize) -> Verdict {
    if ranked.len() < 2 { Verdict::None } else { Verdict::Ambiguous(so_many.clamp(2, ranked.len())) }
}

/// How far the next one is behind where words alone are enough.
const FAR_BEHIND: f32 = 80.0;
/// The score of words alone that may be it; where nothing else says that it is about OAuth, more.
const SOUNDS: f32 = 12.0;
const SOUNDS_ANYWHERE: f32 = 26.0;
/// How alike words have to be to be an answer by themselves.
const LIKE_WELL: f32 = 0.7;
const LIKE_A_LITTLE: f32 = 0.36;
const LIKE_BARELY: f32 = 0.3;
const LIKE_MARGIN: f32 = 0.1;
const MAX_TIED: usize = 5;
