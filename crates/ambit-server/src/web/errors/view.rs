//! The pages as structs: what their templates show.

use ambit_knowledge::confidence::{Estimate, Outcomes, confidence, fix_success_rate};
use ambit_knowledge::diagnose::Candidate;
use ambit_knowledge::entry::{DeadEnd, Domain, Product, Risk, Workaround};
use ambit_knowledge::{Answer, Corpus, Entry, Language, Outcome};
use askama::Template;

use super::Asked;
use super::chain::{Chain, Neighbours};
use super::markdown::percent;
use super::prose::{Block, Piece, Prose, Told};
use super::wording::Words;

/// One entry.
#[derive(Debug, Template)]
#[template(path = "errors/entry.html")]
pub(super) struct EntryPage {
    words: &'static Words,
    language: Language,
    suffix: &'static str,
    entry: &'static Entry,
    title: Told<'static>,
    signature: Told<'static>,
    cause: Prose<'static>,
    is_in_another_language: bool,
    workarounds: Vec<Advice>,
    dead_ends: Vec<Advice>,
    chain: Option<Chain>,
    before: Vec<&'static Entry>,
    after: Vec<&'static Entry>,
    confused_with: Vec<(&'static Entry, Told<'static>)>,
    outcomes: Outcomes,
    confidence: Estimate,
    success: Estimate,
    notice: Notice,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// There was none.
    None,
    /// It is counted.
    Thanks,
    /// It is not: there were too many.
    Wait,
}

/// Something that helps, or does not.
#[derive(Debug)]
struct Advice {
    risk: Risk,
    condition: Option<Told<'static>>,
    action: Told<'static>,
    /// How to do it, or why it fails.
    text: Prose<'static>,
    sources: &'static [String],
}

/// All entries, those that were searched for, or what something pasted is about.
#[derive(Debug, Template)]
#[template(path = "errors/index.html")]
pub(super) struct IndexPage<'a> {
    words: &'static Words,
    language: Language,
    suffix: &'static str,
    searched: String,
    /// The query of the same page in the other language.
    other_query: String,
    found: Option<Vec<&'static Entry>>,
    explained: Option<&'a Answer>,
    domains: Vec<Group>,
}

/// The entries of a domain, by product.
#[derive(Debug)]
struct Group {
    domain: Domain,
    count: usize,
    products: Vec<(Product, Vec<&'static Entry>)>,
}

impl EntryPage {
    pub(super) fn new(asked: &Asked, entry: &'static Entry, outcomes: Outcomes) -> Self {
        let language = asked.language;
        let words = Words::of(language);
        let Neighbours { before, after } = Neighbours::of(entry);
        let corpus = Corpus::embedded();
        Self {
            words,
            language,
            suffix: asked.suffix(),
            title: Told::new(&entry.title, language),
            signature: Told::new(&entry.signature, language),
            cause: Prose::new(&entry.cause, language),
            is_in_another_language: entry.texts().any(|(_, text)| text.get(language).is_none()),
            workarounds: entry.workarounds.iter().map(|it| Advice::of_workaround(it, language)).collect(),
            dead_ends: entry.dead_ends.iter().map(|it| Advice::of_dead_end(it, language)).collect(),
            chain: Chain::of(entry, language, words),
            before,
            after,
            confused_with: entry
                .graph
                .confused_with
                .iter()
                .filter_map(|it| Some((corpus.find(it.id.as_str())?, Told::new(&it.distinction, language))))
                .collect(),
            outcomes,
            confidence: confidence(entry, outcomes),
            success: fix_success_rate(outcomes),
            notice: Notice::None,
            entry,
        }
    }

    pub(super) fn with(self, notice: Notice) -> Self {
        Self { notice, ..self }
    }

    /// How the texts in this language came to be.
    fn translation(&self) -> &'static str {
        self.entry.languages.status(self.language).map_or("", |status| self.words.translation(status))
    }

    fn reported(&self) -> u64 {
        u64::from(self.outcomes.helped) + u64::from(self.outcomes.failed)
    }

    fn told(&self, entry: &'static Entry) -> Told<'static> {
        Told::new(&entry.title, self.language)
    }
}

impl Advice {
    fn of_workaround(it: &'static Workaround, language: Language) -> Self {
        Self {
            risk: it.risk,
            condition: it.condition.as_ref().map(|text| Told::new(text, language)),
            action: Told::new(&it.action, language),
            text: Prose::new(&it.how, language),
            sources: &it.sources,
        }
    }

    fn of_dead_end(it: &'static DeadEnd, language: Language) -> Self {
        Self {
            risk: it.risk,
            condition: it.condition.as_ref().map(|text| Told::new(text, language)),
            action: Told::new(&it.action, language),
            text: Prose::new(&it.why_fails, language),
            sources: &it.sources,
        }
    }
}

impl<'a> IndexPage<'a> {
    pub(super) fn new(asked: &Asked, found: Option<Vec<&'static Entry>>) -> Self {
        let words = Words::of(asked.language);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("lang", words.other_lang);
        if let Some(searched) = &asked.words {
            query.append_pair("q", searched);
        }
        Self {
            words,
            language: asked.language,
            suffix: asked.suffix(),
            searched: asked.words.clone().unwrap_or_default(),
            other_query: query.finish(),
            domains: if found.is_some() { Vec::new() } else { groups() },
            found,
            explained: None,
        }
    }

    /// The same page with what something pasted is about, which is all that is wanted of it then.
    pub(super) fn explaining(self, explained: &'a Answer) -> Self {
        Self { explained: Some(explained), domains: Vec::new(), ..self }
    }

    fn told(&self, entry: &'static Entry) -> Told<'static> {
        Told::new(&entry.title, self.language)
    }

    /// Why a candidate is one, what counts most first; so much as somebody reads.
    fn reasons<'b>(&self, candidate: &'b Candidate) -> Vec<(&'static str, &'b str)> {
        let told = candidate.reasons.iter().filter(|reason| reason.points > 0.0 && !reason.seen.is_empty());
        told.take(MOST_REASONS).map(|reason| (self.words.rule(reason.rule), reason.seen.as_str())).collect()
    }

    /// The language of a text, where it is not the page's.
    fn other_language(&self, language: Language) -> Option<&'static str> {
        (language != self.language).then(|| language.as_str())
    }
}

fn groups() -> Vec<Group> {
    let of_domain = |domain: Domain| {
        let entries: Vec<&'static Entry> =
            Corpus::embedded().entries().iter().filter(|entry| entry.id.domain() == domain).collect();
        let products = Product::ALL.iter().map(|product| {
            (*product, entries.iter().copied().filter(|entry| entry.product == *product).collect::<Vec<_>>())
        });
        let products = products.filter(|(_, entries)| !entries.is_empty()).collect();
        Group { domain, count: entries.len(), products }
    };
    Domain::ALL.iter().map(|domain| of_domain(*domain)).filter(|group| group.count > 0).collect()
}

fn is_url(reference: &str) -> bool {
    reference.starts_with("https://")
}

const MOST_REASONS: usize = 4;
