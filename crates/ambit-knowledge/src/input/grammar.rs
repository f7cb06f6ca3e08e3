//! Which fault of a sentence belongs to which name.

use super::complaint::particularity;
use super::flat::Flat;
use super::vocabulary::{Word, pair, single};
use super::words::{is_hanzi, is_registered};
use crate::entry::{Fault, Subject};

/// A word with its place in the text.
#[derive(Debug, Clone, Copy)]
struct Placed {
    word: Word,
    from: usize,
    to: usize,
}

/// What, what is wrong with it, and the words that say so.
type Found = (Subject, Fault, String);

/// What the sentences of a text complain of; a sentence after a colon goes on with what stands before.
pub(super) fn complaints(flat: &Flat) -> Vec<Found> {
    let mut found = Vec::new();
    let mut sentence: Vec<Placed> = Vec::new();
    let mut before: Option<Subject> = None;
    for (words, goes_on) in sentences(flat) {
        sentence.clear();
        classify(flat, &words, &mut sentence);
        let last = of_sentence(flat, &sentence, before, &mut found);
        before = if goes_on { last.or(before) } else { None };
    }
    found
}

/// The words of each sentence, as places in the text, and whether a colon ends it.
fn sentences(flat: &Flat) -> Vec<(Vec<(usize, usize)>, bool)> {
    let (text, mut found, mut words) = (flat.text(), Vec::new(), Vec::new());
    let mut start: Option<(usize, bool)> = None;
    let mut count = 0;
    let mut after_url = 0;
    for (at, c) in text.char_indices().chain([(text.len(), '.')]) {
        let is_part = c.is_ascii_alphanumeric() || c == '_';
        let is_han = is_hanzi(c);
        if let Some((from, was_han)) = start.filter(|(_, was_han)| *was_han != is_han || !is_part && !is_han) {
            if was_han {
                split_hanzi(text, from, at, &mut words);
            } else if is_registered(&text[from..at]) {
                found.push((std::mem::take(&mut words), true));
            } else {
                split(text, from, at, &mut words);
            }
            count += 1;
            start = None;
        }
        if at < after_url {
            start = None;
            continue;
        }
        if is_part || is_han {
            start.get_or_insert((at, is_han));
            continue;
        }
        let is_path = c == '/' && (at == 0 || text[..at].ends_with([' ', '"', '\'', '(']));
        if is_path || c == ':' && text[at..].starts_with("://") {
            after_url = url(flat, at, &mut words);
            continue;
        }
        let next = text[at..].chars().nth(1);
        let ends = match c {
            // `orders:write` is one word.
            ':' => !is_within(text, at),
            '\u{ff1a}' | ';' | '\u{ff1b}' | '\u{3002}' | '{' | '}' | '|' | '?' | '&' => true,
            '.' | '!' => next.is_none_or(|next| !next.is_alphanumeric()),
            _ => false,
        };
        if ends && !words.is_empty() {
            found.push((std::mem::take(&mut words), matches!(c, ':' | '\u{ff1a}')));
        }
        if count >= MAX_WORDS {
            break;
        }
    }
    if !words.is_empty() {
        found.push((words, false));
    }
    found
}

/// Where a URL or a path ends. Of its words only those count that say whose document it is the address of.
fn url(flat: &Flat, at: usize, words: &mut Vec<(usize, usize)>) -> usize {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}');
    let end = flat.folded()[at..].find(ends).map_or(flat.folded().len(), |length| at + length);
    let address = &flat.folded()[at..end];
    if let Some(place) = address.find("openid-configuration") {
        let from = at + place;
        words.extend([(from, from + "openid".len()), (from + "openid-".len(), from + "openid-configuration".len())]);
    } else if let Some(place) = address.find("jwks") {
        words.push((at + place, at + place + "jwks".len()));
    }
    end
}

/// Whether a character stands between two letters or digits.
fn is_within(text: &str, at: usize) -> bool {
    let is_part = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_part(at.checked_sub(1).map(|before| text.as_bytes()[before])) && is_part(text.as_bytes().get(at + 1).copied())
}

/// The parts of a name: at lines and humps.
fn split(text: &str, from: usize, to: usize, words: &mut Vec<(usize, usize)>) {
    // A name whose humps are no words.
    if text[from..to].eq_ignore_ascii_case("dpop") {
        words.push((from, to));
        return;
    }
    let bytes = text.as_bytes();
    let mut start = from;
    for at in from + 1..=to {
        let ends = at == to
            || bytes[at] == b'_'
            || bytes[at].is_ascii_uppercase() && (bytes[at - 1].is_ascii_lowercase() || bytes[at - 1].is_ascii_digit())
            || bytes[at].is_ascii_uppercase()
                && bytes[at - 1].is_ascii_uppercase()
                && at + 1 < to
                && bytes[at + 1].is_ascii_lowercase();
        if !ends {
            continue;
        }
        let begin = if bytes[start] == b'_' { start + 1 } else { start };
        if begin < at {
            words.push((begin, at));
        }
        start = at;
    }
}

/// The words that are known in a run of Chinese, the longest first; there are no spaces between them.
fn split_hanzi(text: &str, from: usize, to: usize, words: &mut Vec<(usize, usize)>) {
    const OCTETS: usize = 3;
    let mut at = from;
    while at < to {
        let longest = (1..=6)
            .rev()
            .map(|chars| at + chars * OCTETS)
            .find(|end| *end <= to && text.is_char_boundary(*end) && single(&text[at..*end]).is_some());
        if let Some(end) = longest {
            words.push((at, end));
        }
        at = longest.unwrap_or(at + OCTETS);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
}

/// What the words of a sentence are, names of several words first.
fn classify(flat: &Flat, words: &[(usize, usize)], sentence: &mut Vec<Placed>) {
    let word = |at: usize| words.get(at).map_or("", |(from, to)| &flat.folded()[*from..*to]);
    let mut at = 0;
    while at < words.len() {
        let (from, mut to) = words[at];
        let mut taken = 1;
        let together = pair(word(at), word(at + 1));
        let class = if let Some(class) = together {
            taken = 2;
            to = words[at + 1].1;
            // Code challenge method; authorization code flow.
            let longer = match (class, word(at + 2)) {
                (Word::Subject(Subject::Challenge), "method") => Some(Subject::ChallengeMethod),
                (Word::Subject(Subject::Code), "flow" | "grant") => Some(Subject::GrantType),
                _ => None,
            };
            if let Some(longer) = longer {
                taken = 3;
                to = words[at + 2].1;
                Word::Subject(longer)
            } else {
                class
            }
        } else {
            single(word(at)).unwrap_or(Word::Other)
        };
        sentence.push(Placed { word: class, from, to });
        at += taken;
    }
}

/// The complaints of a sentence; gives its last name.
fn of_sentence(flat: &Flat, sentence: &[Placed], before: Option<Subject>, found: &mut Vec<Found>) -> Option<Subject> {
    let good = |from: usize, to: usize| {
        let range = sentence.get(from..to.min(sentence.len())).unwrap_or_default();
        range.iter().position(|it| matches!(it.word, Word::Good(_))).map(|at| from + at)
    };
    let fault_of = |at: Option<usize>| match at.map(|at| sentence[at].word) {
        Some(Word::Good(fault)) => Some(fault),
        _ => None,
    };
    let mut denied = 0;
    for (at, placed) in sentence.iter().enumerate() {
        if at < denied {
            continue;
        }
        let fault = match placed.word {
            Word::Fault(fault) => Some(fault),
            Word::Not => {
                let what = good(at + 1, at + 1 + REACH);
                denied = what.map_or(denied, |what| what + 1);
                let is_expected = sentence[at + 1..].iter().take(REACH).any(|it| it.word == Word::Expected);
                fault_of(what).or_else(|| is_expected.then_some(Fault::Mismatch))
            }
            Word::Must => {
                let is_denied = sentence[at + 1..].iter().take(2).any(|it| it.word == Word::Not);
                // *It should be one but is another*.
                let is_other = || {
                    let next = sentence.get(at + 1).is_some_and(|it| &flat.folded()[it.from..it.to] == "be");
                    next && sentence[at + 1..].iter().any(|it| it.word == Word::Got)
                };
                match fault_of(good(at + 1, at + 1 + REACH)) {
                    None if !is_denied && is_other() => Some(Fault::Mismatch),
                    fault => fault.filter(|_| !is_denied),
                }
            }
            Word::Only => {
                let what = fault_of(good(at + 1, at + 1 + REACH));
                what.filter(|fault| matches!(fault, Fault::Invalid | Fault::Denied | Fault::Unsupported))
            }
            Word::Needs => {
                let what = sentence[at + 1..].iter().take(REACH).any(|it| matches!(it.word, Word::Subject(_)));
                what.then_some(Fault::Missing)
            }
            Word::No if is_end_of_life(flat, sentence.get(at + 1)) => {
                denied = at + 2;
                found.push((Subject::Expiry, Fault::Missing, flat.around(placed.from..sentence[at + 1].to).to_owned()));
                None
            }
            Word::No => {
                let what = good(at + 1, at + 1 + 2 * REACH);
                let is_of_name = sentence[at + 1..].iter().take(REACH).any(|it| matches!(it.word, Word::Subject(_)));
                fault_of(what).or_else(|| is_of_name.then_some(Fault::Missing))
            }
            Word::Fail => {
                let after = good(at + 1, at + 1 + REACH);
                Some(fault_of(after).or_else(|| fault_of(good(at.saturating_sub(3), at))).unwrap_or(Fault::Failed))
            }
            // *CORS error*.
            Word::Error if at > 0 && sentence[at - 1].word == Word::Subject(Subject::Origin) => Some(Fault::Failed),
            Word::Error => fault_of(good(at + 1, at + 2)).or_else(|| fault_of(good(at.saturating_sub(1), at))),
            Word::Another => {
                let next = sentence.get(at + 1).map(|it| it.word);
                let is_one = |subject| matches!(subject, Subject::Audience | Subject::Issuer | Subject::Nonce);
                // *Another port than the registered one*.
                let is_than = |it: &Placed| &flat.folded()[it.from..it.to] == "than";
                let is_compared = sentence[at + 1..].iter().take(3).any(is_than);
                let is_of_next = matches!(next, Some(Word::Subject(subject)) if is_one(subject));
                (is_compared || is_of_next).then_some(Fault::Mismatch)
            }
            Word::Required => {
                let is_of_next = sentence[at + 1..].iter().take(2).any(|it| matches!(it.word, Word::Subject(_)));
                (!is_of_next).then_some(Fault::Missing)
            }
            Word::Expected => {
                let is_other = |it: &Placed| {
                    it.word == Word::Got || matches!(&flat.folded()[it.from..it.to], "has" | "found" | "contains")
                };
                sentence.iter().any(is_other).then_some(Fault::Mismatch)
            }
            Word::Subject(_) | Word::Good(_) | Word::Got | Word::Other => None,
        };
        let Some(fault) = fault else { continue };
        let near = sentence.iter().enumerate().filter_map(|(other, it)| match it.word {
            Word::Subject(subject) if at.abs_diff(other) <= NEAR && !is_apart(flat, sentence, at, other) => {
                Some((subject, at.abs_diff(other), it))
            }
            _ => None,
        });
        let most = near.max_by_key(|(subject, distance, it)| (weight(flat, *subject, it), NEAR - distance));
        let Some(subject) = most.map(|(subject, ..)| subject).or(before) else { continue };
        let (subject, fault) = meant(flat, sentence, (subject, fault), most.map(|(.., it)| it));
        // What failed with a token may be anything: to get it, to send it.
        if subject == Subject::Token && fault == Fault::Failed && good(at.saturating_sub(3), at + 1 + REACH).is_none() {
            continue;
        }
        let (mut from, mut to) = (placed.from, placed.to);
        if let Some((.., it)) = most {
            from = from.min(it.from);
            to = to.max(it.to);
        }
        found.push((subject, fault, flat.around(from..to).to_owned()));
    }
    sentence.iter().rev().find_map(|it| if let Word::Subject(subject) = it.word { Some(subject) } else { None })
}

/// What a name and a fault come to together, where that is something else.
fn meant(
    flat: &Flat,
    sentence: &[Placed],
    (subject, fault): (Subject, Fault),
    name: Option<&Placed>,
) -> (Subject, Fault) {
    let is_around = name.is_some_and(|it| is_place(flat, it));
    let name = name.map_or("", |it| &flat.folded()[it.from..it.to]);
    let says = |word: &str| sentence.iter().any(|it| &flat.folded()[it.from..it.to] == word);
    match (subject, fault) {
        // What is verified of a JWS is its signature.
        (Subject::Token, Fault::Failed) if name == "jws" => (Subject::Signature, fault),
        // Whom a token is meant for is its audience.
        (Subject::Token, Fault::Mismatch)
            if says("meant") || says("intended") || says("issued") && says("for") && !says("client") =>
        {
            (Subject::Audience, fault)
        }
        // *No e-mail in the token*: what a token has in it are its claims.
        (Subject::Token, Fault::Missing) if is_around => (Subject::Claim, fault),
        // PKCE begins with the challenge.
        (Subject::Verifier, Fault::Missing | Fault::Unknown) if name == "pkce" => (Subject::Challenge, Fault::Missing),
        // What nobody can be asked for timed out by being too old.
        (
            Subject::Code | Subject::DeviceCode | Subject::State | Subject::Token | Subject::RefreshToken,
            Fault::Unreachable,
        ) => (subject, Fault::Expired),
        _ => (subject, fault),
    }
}

/// How much a name says where it stands: `HS256` is the value of an algorithm, and often beside the point; the address of
/// the keys is the point where the discovery document is named with it.
fn weight(flat: &Flat, subject: Subject, placed: &Placed) -> usize {
    match (subject, &flat.folded()[placed.from..placed.to]) {
        (Subject::Algorithm, word) if word.bytes().any(|c| c.is_ascii_digit()) => 1,
        (Subject::Server, _) => 0,
        (Subject::Issuer | Subject::RedirectUri, _) if is_place(flat, placed) => 0,
        (Subject::KeySet, "jwks_uri" | "jwks uri" | "jwks url") => 3,
        _ => particularity(subject),
    }
}

/// *The state in the callback URL*: where something is, and not what it is about.
fn is_place(flat: &Flat, placed: &Placed) -> bool {
    let before = flat.folded()[..placed.from].trim_end_matches([' ', '\'', '"']);
    let before =
        [" id", " access", " the"].iter().fold(before, |before, word| before.strip_suffix(word).unwrap_or(before));
    [" in", " at", " from"].iter().any(|word| before.ends_with(word))
}

/// *The token expired and the refresh token is not set*: whether a name is in another half of a sentence than a fault, and
/// either half has both.
fn is_apart(flat: &Flat, sentence: &[Placed], fault: usize, name: usize) -> bool {
    let (from, to) = (fault.min(name), fault.max(name));
    let joins = |it: &Placed| matches!(&flat.folded()[it.from..it.to], "and" | "but" | "because" | "while");
    let Some(joint) = sentence[from..to].iter().position(joins).map(|at| from + at) else { return false };
    let has_fault =
        |half: &[Placed]| half.iter().any(|it| matches!(it.word, Word::Fault(_) | Word::Good(_) | Word::Fail));
    let has_name = |half: &[Placed]| half.iter().any(|it| matches!(it.word, Word::Subject(_)));
    let (before, after) = sentence.split_at(joint);
    [before, after].into_iter().all(|half| has_fault(half) && has_name(half))
}

/// *No expiration*: the end itself, and not that it was reached.
fn is_end_of_life(flat: &Flat, placed: Option<&Placed>) -> bool {
    placed.is_some_and(|it| matches!(&flat.folded()[it.from..it.to], "expiration" | "expiry"))
}

/// How far a negation reaches.
const REACH: usize = 5;
/// How far a fault is from its name.
const NEAR: usize = 10;
const MAX_WORDS: usize = 240;
