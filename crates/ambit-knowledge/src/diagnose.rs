//! What an input is about: the question that the command line, the API, the MCP server and the pages ask alike, and the
//! answer that they share.

use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::corpus::Corpus;
use crate::entry::{Category, Entry, EntryId, Language, Product, Text};
use crate::input::{Fact, Input, InputKind, Jwt};
use crate::matcher::{Matcher, PatternError, Ranked, Ranking, Reason, Rule, Verdict};
use crate::search::Search;

/// A corpus that can be asked.
#[derive(Debug)]
pub struct Knowledge {
    corpus: Arc<Corpus>,
    matcher: Matcher,
    search: OnceLock<Search>,
}

/// What an input is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Whether there is one entry, several, or none.
    pub outcome: Outcome,
    /// The entry, or those that it may be, best first. Empty where there is none.
    pub entries: Vec<Candidate>,
    /// What comes next; where there is no match, what is nearest.
    pub nearest: Vec<Candidate>,
    /// What would tell the entries apart, where there are several.
    pub apart: Vec<Distinction>,
    /// What was understood of the input.
    pub input: Seen,
}

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One entry, with evidence enough and the next one far enough behind.
    Match,
    /// Several entries for which as much speaks.
    Ambiguous,
    /// None.
    NoMatch,
}

/// An entry that the input may be about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Which.
    pub id: EntryId,
    /// Whose message it is.
    pub product: Product,
    /// What it is about.
    pub category: Category,
    /// The line that people read first.
    pub title: Statement,
    /// Why it happens.
    pub cause: Statement,
    /// What helps most often.
    pub first_step: Option<Statement>,
    /// The points of all reasons together. They rank, and mean nothing by themselves.
    pub score: f32,
    /// What of the input matched which rule, what counts most first; how much its words are alike comes last.
    pub reasons: Vec<Reason>,
    /// Why it ranks above the next one; left out for the last one.
    pub above_next: Option<AboveNext>,
}

/// Why an entry ranks above the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AboveNext {
    /// The next one.
    pub next: EntryId,
    /// By how many points.
    pub margin: f32,
    /// The rule in which they differ most.
    pub decided_by: Rule,
    /// The same in a sentence.
    pub sentence: Statement,
}

/// What tells two entries apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Distinction {
    /// One.
    pub one: EntryId,
    /// The other.
    pub other: EntryId,
    /// How to tell them apart.
    pub by: Statement,
}

/// A text, and the language it is in: not always the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// The language.
    pub language: Language,
    /// The text.
    pub text: String,
}

/// What was understood of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// What it was taken for.
    pub kind: InputKind,
    /// Its text without secrets, shortened.
    pub shown: String,
    /// What was found in it.
    pub facts: Vec<Fact>,
    /// The tokens in it: headers and claims, without signatures.
    pub jwts: Vec<Jwt>,
    /// The products that it shows.
    pub products: Vec<Product>,
    /// Whether it was longer than what is read.
    pub is_cut: bool,
}

impl Knowledge {
    /// The entries that came with this program, and their index. Made once, when it is first asked for.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Knowledge> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            let corpus = Arc::clone(Corpus::embedded());
            // A test makes it of the entries that are built in.
            Self::new(corpus).expect("the patterns of the entries that came with the program are patterns")
        })
    }

    /// Makes the index of a corpus.
    pub fn new(corpus: Arc<Corpus>) -> Result<Self, PatternError> {
        let matcher = Matcher::new(&corpus)?;
        Ok(Self { corpus, matcher, search: OnceLock::new() })
    }

    /// The entries.
    #[must_use]
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// The entries with these words in their id, code, title, tags, signature or cause, in either language, best first. Those
    /// that have all of the words; where there are none, those that have most of them.
    #[must_use]
    pub fn search(&self, words: &str, limit: usize) -> Vec<&Entry> {
        let places = self.search.get_or_init(|| Search::new(&self.corpus)).find(words, limit);
        places.into_iter().map(|place| &self.corpus.entries()[place]).collect()
    }

    /// Says what an input is about, in a language as far as the entries have it.
    #[must_use]
    pub fn explain(&self, input: &Input, language: Language) -> Answer {
        let ranking = self.rank(input, SHOWN);
        let (outcome, first) = match ranking.verdict {
            Verdict::One => (Outcome::Match, 1),
            Verdict::Ambiguous(tied) => (Outcome::Ambiguous, tied),
            Verdict::None => (Outcome::NoMatch, 0),
        };
        let mut entries = self.candidates(&ranking, input, language);
        let nearest = entries.split_off(first.min(entries.len()));
        let apart =
            if outcome == Outcome::Ambiguous { self.apart(&ranking.ranked[..first], language) } else { Vec::new() };
        Answer { outcome, entries, nearest, apart, input: Seen::new(input) }
    }

    pub(crate) fn rank(&self, input: &Input, limit: usize) -> Ranking {
        self.matcher.rank(&self.corpus, input, limit)
    }

    pub(crate) fn pattern_matches(&self, entry: &Entry, which: usize, input: &Input) -> bool {
        self.matcher.pattern_matches(&self.corpus, entry, which, input)
    }

    fn entry(&self, ranked: &Ranked) -> &Entry {
        &self.corpus.entries()[ranked.place]
    }

    fn candidates(&self, ranking: &Ranking, input: &Input, language: Language) -> Vec<Candidate> {
        let with_reasons: Vec<(&Ranked, &Entry, Vec<Reason>)> = ranking
            .ranked
            .iter()
            .map(|ranked| {
                let entry = self.entry(ranked);
                (ranked, entry, ranked.evidence.reasons(entry, input))
            })
            .collect();
        let next = with_reasons.iter().skip(1).map(Some).chain([None]);
        let pairs = with_reasons.iter().zip(next);
        let candidates = pairs.map(|((ranked, entry, reasons), next)| Candidate {
            id: entry.id.clone(),
            product: entry.product,
            category: entry.category,
            title: Statement::of(&entry.title, language),
            cause: Statement::of(&entry.cause, language),
            first_step: entry.workarounds.first().map(|workaround| Statement::of(&workaround.action, language)),
            score: ranked.score,
            reasons: reasons.clone(),
            above_next: next.map(|(behind, other, theirs)| above((ranked, reasons), (behind, other, theirs), language)),
        });
        candidates.collect()
    }

    /// What tells each of the tied entries from the first one.
    fn apart(&self, tied: &[Ranked], language: Language) -> Vec<Distinction> {
        let Some((first, others)) = tied.split_first() else { return Vec::new() };
        let one = self.entry(first);
        let others = others.iter().map(|ranked| self.entry(ranked));
        others
            .map(|other| Distinction {
                one: one.id.clone(),
                other: other.id.clone(),
                by: distinction(one, other, language),
            })
            .collect()
    }
}

impl Statement {
    /// What a text says, in a language as far as it has it.
    #[must_use]
    pub fn of(text: &Text, language: Language) -> Self {
        let said = text.in_language(language);
        Self { language: said.language, text: said.text.to_owned() }
    }

    fn new(language: Language, en: String, zh: String) -> Self {
        let text = match language {
            Language::En => en,
            Language::Zh => zh,
        };
        Self { language, text }
    }
}

impl Seen {
    fn new(input: &Input) -> Self {
        let mut shown: String = input.shown().chars().take(MAX_SHOWN).collect();
        if shown.len() < input.shown().len() {
            shown.push('…');
        }
        Self {
            kind: input.kind(),
            shown,
            facts: input.facts().to_vec(),
            jwts: input.jwts().to_vec(),
            products: input.products().to_vec(),
            is_cut: input.is_cut(),
        }
    }
}

/// Why one ranks above another: the rule in which it gains most.
fn above(one: (&Ranked, &[Reason]), other: (&Ranked, &Entry, &[Reason]), language: Language) -> AboveNext {
    let points = |reasons: &[Reason], rule: Rule| {
        reasons.iter().filter(|reason| reason.rule == rule).map(|reason| reason.points).sum::<f32>()
    };
    let gain = |rule: Rule| points(one.1, rule) - points(other.2, rule);
    let decided_by = RULES.into_iter().max_by(|a, b| gain(*a).total_cmp(&gain(*b))).unwrap_or(Rule::Words);
    let margin = one.0.score - other.0.score;
    let next = other.1.id.clone();
    let (en, zh) = match decided_by {
        Rule::ProblemType => ("the problem type or error_uri names it", "问题类型或 error_uri 指明了它"),
        Rule::DescriptionPattern => ("its pattern fits the description more closely", "它的模式与错误描述更吻合"),
        Rule::Pattern => ("one of its patterns fits the text more closely", "它的某个模式与文本更吻合"),
        Rule::WwwAuthenticate => ("the challenge has its error", "质询头中的 error 与它一致"),
        Rule::OauthError => ("the answer has its error code", "响应中的错误码与它一致"),
        Rule::About => ("the message complains of what it is about", "消息所述的问题正是它所讲的"),
        Rule::Status => ("the HTTP status agrees", "HTTP 状态码一致"),
        Rule::Product => ("the input shows its product", "输入中出现了它所属的产品"),
        Rule::ErrorCode => ("the input names its code", "输入中出现了它的错误码"),
        Rule::Words => ("more of its words are in the input", "输入与它的用词更接近"),
    };
    let sentence = Statement::new(
        language,
        format!("It ranks above {next} by {margin:.0} points, mostly because {en}."),
        format!("它比 {next} 高 {margin:.0} 分，主要因为{zh}。"),
    );
    AboveNext { next, margin, decided_by, sentence }
}

/// What tells two entries apart: what somebody has written down about it, or else what differs.
fn distinction(one: &Entry, other: &Entry, language: Language) -> Statement {
    let written = |from: &Entry, to: &Entry| {
        from.graph.confused_with.iter().find(|it| it.id == to.id).map(|it| Statement::of(&it.distinction, language))
    };
    if let Some(written) = written(one, other).or_else(|| written(other, one)) {
        return written;
    }
    if one.product != other.product {
        let (a, b) = (one.product.title(), other.product.title());
        return Statement::new(
            language,
            format!("Which product answered: {a} ({}) or {b} ({})?", one.id, other.id),
            format!("响应来自哪个产品：{a}（{}）还是 {b}（{}）？", one.id, other.id),
        );
    }
    let statuses = |entry: &Entry| entry.matching.status.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let (a, b) = (statuses(one), statuses(other));
    if a != b && !a.is_empty() && !b.is_empty() {
        return Statement::new(
            language,
            format!("The HTTP status: {a} for {}, {b} for {}.", one.id, other.id),
            format!("HTTP 状态码：{} 为 {a}，{} 为 {b}。", one.id, other.id),
        );
    }
    let (a, b) = (one.signature.in_language(language).text, other.signature.in_language(language).text);
    Statement::new(
        language,
        format!("The whole message. {}: {a:?}. {}: {b:?}.", one.id, other.id),
        format!("完整的错误消息。{}：{a:?}。{}：{b:?}。", one.id, other.id),
    )
}

const RULES: [Rule; 10] = [
    Rule::Words,
    Rule::ErrorCode,
    Rule::Product,
    Rule::Status,
    Rule::OauthError,
    Rule::About,
    Rule::WwwAuthenticate,
    Rule::Pattern,
    Rule::DescriptionPattern,
    Rule::ProblemType,
];
/// Entries in an answer, tied and nearest together.
const SHOWN: usize = 6;
/// Characters of the input in an answer.
const MAX_SHOWN: usize = 4000;
