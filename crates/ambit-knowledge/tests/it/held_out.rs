//! Messages that nobody put into the samples: how many are answered with the right entry, and how many with a wrong one.
//!
//! Half of them were blind for long: what they are answered with is counted and not shown. Others were gathered later.
//!
//! At first sight, before anything was mended, the top answer was right for 842 in 1,000 of the seen half and for 854 of the
//! blind half, and 67 in 1,000 were wrong but confident in either. Of the later ones it was right for 743 in 1,000 at first
//! sight, and 22 were wrong but confident. Of the last ones, 73 with an entry and 16 with none, it was right for 753 in 1,000
//! at first sight, 151 were unanswered, and 22 of all were wrong but confident; then the kinds of what was missed were mended,
//! so that the golden table, which has what it is now, says of them how well that went, and not what others will meet.
//!
//! The fifth ones are of products and libraries that the knowledge base has no entries for (gateways, proxies, frameworks, the
//! JWT libraries of other languages), 204 with an entry and 25 about something else. At first sight the top answer was right
//! for 617 in 1,000, 191 were unanswered, and 74 of all were wrong but confident. Then the engine learned to read what a
//! message complains of, and the answers were looked at, those of the blind half as well: it is blind no longer.
//!
//! The sixth ones, gathered after that from other threads and other products, 108 with an entry and 23 about something else, say
//! how well that went: at first sight the top answer was right for 768 in 1,000,
//! 148 were unanswered, 8 of all were wrong but confident. What its misses had in common was mended afterwards.
//!
//! The seventh to the ninth were gathered by somebody who knows neither the engine nor the answers: threads, source and
//! documentation that no earlier set used, messages as pages, logs and chats have them, reworded ones. Each was answered once
//! before anybody looked at it; what its misses had in common was mended before the next one. The seventh, 107 with an entry
//! and 13 about something else: at first sight the top answer was right for 785 in 1,000, 93 were unanswered, 25 of all were
//! wrong but confident. The eighth, 108 and 12: right for 759, unanswered 101, wrong but confident 50.
//! The ninth, 109 and 12: right for 853, unanswered 91, wrong but confident 8. What its misses had in common was mended
//! afterwards as well, so that what the golden table says of it now is not what others will meet.
//!
//! The tenth, 64 and 6, what threads and products say, retold: at first sight right for 953, unanswered 16, wrong but confident 14.
//! Nobody looked at its answers. The eleventh, 146 and 14, messages that were changed in one way each: right for 876, unanswered 54,
//! wrong but confident 6. Every other one was looked at and mended first (the even places); right for 849 of those that nobody had
//! looked at, then as before, is what a stranger meets. They were looked at and mended afterwards.
//!
//! The twelfth, 514 with an entry and 54 with none, is like the eleventh and three times as large: at first sight right for 821,
//! unanswered 44, wrong but confident 19. Mending single messages had helped few others, so the engine learned to count how much of
//! a message all texts of an entry have together, and entries got wordings (`samples.reworded`) by people who did not know the set.
//! The thirteenth, 506 and 49, gathered meanwhile: at first sight right for 915, unanswered 3, wrong but confident 16; the state before
//! all this would have been right for 783, and wrong but confident 27. Then it was looked at, and more wordings came. The fourteenth,
//! 389 and 38: right for 915, unanswered 12, wrong but confident 18, and before all this 796, 66 and 25. What was wrong in the engine
//! was mended after it, and wordings of what Ambit itself says were added by people who did not know it; its messages were not gone
//! through one by one.
//!
//! Leaving one in ten of the rewordings out and asking for it showed that the engine knew too little of what an entry uses to say,
//! so it learned to compare profiles, and its weights were settled by the rewordings and by the sets above. The fifteenth, 448 and
//! 43, and the sixteenth, 499 and 48, were gathered while that was done, by people who saw of every entry its id, title and cause.
//! The fifteenth was asked some times meanwhile, and nothing but the totals was seen: right for 946 when the engine was new, for 964
//! when its weights were settled and entries had more wordings, unanswered 4, wrong but confident 12; before all this 926, 11 and
//! 14. The sixteenth was asked once, at the end: right for 958, unanswered 2, wrong but confident 5; before all this 948, 2 and 11.
//! Nobody has gone through their messages.

use std::fmt::Write as _;

use ambit_knowledge::{Answer, Input, Knowledge, Language, Outcome};
use serde::Deserialize;

const FILE: &str = include_str!("../held_out.toml");
/// The sets that are counted as a whole, in the order in which they were gathered.
const SETS: [(&str, &str); 14] = [
    ("later", include_str!("../held_out_later.toml")),
    ("last", include_str!("../held_out_last.toml")),
    ("fifth", include_str!("../held_out_fifth.toml")),
    ("sixth", include_str!("../held_out_sixth.toml")),
    ("seventh", include_str!("../held_out_seventh.toml")),
    ("eighth", include_str!("../held_out_eighth.toml")),
    ("ninth", include_str!("../held_out_ninth.toml")),
    ("tenth", include_str!("../held_out_tenth.toml")),
    ("eleventh", include_str!("../held_out_eleventh.toml")),
    ("twelfth", include_str!("../held_out_twelfth.toml")),
    ("thirteenth", include_str!("../held_out_thirteenth.toml")),
    ("fourteenth", include_str!("../held_out_fourteenth.toml")),
    ("fifteenth", include_str!("../held_out_fifteenth.toml")),
    ("sixteenth", include_str!("../held_out_sixteenth.toml")),
];

#[derive(Deserialize)]
struct HeldOut {
    message: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    source: String,
    /// The entries that answer it, the best first; none where there is none.
    expect: Vec<String>,
    text: String,
}

/// How a message was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fared {
    /// With the right entry alone; or with none, where there is none.
    Right,
    /// With several, of which the first is right.
    RightFirst,
    /// With several, of which another one is right; or with several, where there is none.
    Unsure,
    /// With nothing, though there is an entry.
    Unanswered,
    /// With several wrong ones.
    Misled,
    /// With one that is wrong, as if it were sure.
    Wrong,
}

#[test]
fn what_nobody_put_into_the_samples_is_answered() {
    let all: HeldOut = toml::from_str(FILE).expect("held_out.toml");
    let (mut shown, mut blind) = (Tally::default(), Tally::default());
    let mut misses = String::new();
    for (place, message) in all.message.iter().enumerate() {
        let answer = explain(&message.text);
        let fared = message.fared(&answer);
        if place % 2 == 1 {
            blind.add(message, fared);
            continue;
        }
        shown.add(message, fared);
        if fared != Fared::Right {
            let first = answer.entries.iter().chain(&answer.nearest).take(2).map(|found| found.id.as_str());
            let text: String =
                message.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect();
            let expected = message.expect.first().map_or("nothing", String::as_str);
            writeln!(
                misses,
                "{fared:?}: {text}\n  expected {expected}, {:?} {}\n  {}",
                answer.outcome,
                first.collect::<Vec<_>>().join(", "),
                message.source
            )
            .expect("a string takes it");
        }
    }
    let mut told = format!("seen: {shown}\nblind: {blind}\n");
    for (name, file) in SETS {
        let set: HeldOut = toml::from_str(file).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut tally = Tally::default();
        for message in &set.message {
            tally.add(message, message.fared(&explain(&message.text)));
        }
        writeln!(told, "{name}: {tally}").expect("a string takes it");
    }
    let told = format!("{told}\n{misses}");
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("held_out", told);
    });
}

impl Message {
    fn fared(&self, answer: &Answer) -> Fared {
        let is_right = |place: usize| answer.entries.get(place).is_some_and(|found| self.expects(found.id.as_str()));
        match answer.outcome {
            Outcome::NoMatch if self.expect.is_empty() => Fared::Right,
            Outcome::NoMatch => Fared::Unanswered,
            Outcome::Match if is_right(0) => Fared::Right,
            Outcome::Match => Fared::Wrong,
            Outcome::Ambiguous if is_right(0) => Fared::RightFirst,
            Outcome::Ambiguous if self.expect.is_empty() || (1..answer.entries.len()).any(is_right) => Fared::Unsure,
            Outcome::Ambiguous => Fared::Misled,
        }
    }

    fn expects(&self, id: &str) -> bool {
        self.expect.iter().any(|expected| expected == id)
    }
}

/// Counts, of messages with an entry and of those without.
#[derive(Debug, Default)]
struct Tally {
    with: [usize; 6],
    without: [usize; 6],
}

impl Tally {
    fn add(&mut self, message: &Message, fared: Fared) {
        let counts = if message.expect.is_empty() { &mut self.without } else { &mut self.with };
        counts[fared as usize] += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [right, first, unsure, unanswered, misled, wrong] = self.with;
        let with: usize = self.with.iter().sum();
        let without: usize = self.without.iter().sum();
        write!(
            f,
            "of {with} with an entry, the top answer is right for {} ({} in 1,000; alone for {right}), unsure {unsure}, \
             unanswered {unanswered}, misled {misled}, wrong {wrong}; of {without} with none, {} have no answer, {} are \
             unsure, {} wrong; wrong but confident {} in 1,000",
            right + first,
            (right + first) * 1000 / with,
            self.without[Fared::Right as usize],
            self.without[Fared::Unsure as usize],
            self.without[Fared::Wrong as usize],
            (wrong + self.without[Fared::Wrong as usize]) * 1000 / (with + without),
        )
    }
}

fn explain(text: &str) -> Answer {
    Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En)
}
