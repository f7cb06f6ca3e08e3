//! The checks that every entry passes before it is published.
//!
//! A [`Finding`] names the entry's file below the folder of the entries, the member, the [`Check`] and what to do. [`confusion`] answers every positive
//! sample with the whole corpus and says which entry came first: what should be a diagonal.

use std::fmt;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use regex_syntax::hir::{Hir, HirKind};
use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnose::Knowledge;
use crate::entry::{
    Domain, Entry, EntryId, EvidenceKind, Language, Product, Resolvable, Risk, Text, Tier, TranslationStatus,
};
use crate::exchange::has_hanzi;
use crate::input::{Input, is_registered};
use crate::matcher::{Expression, Needs, Ranking, Verdict};

/// Something about an entry that has to be put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The entry; its file is `<id>.toml` below the folder of the entries.
    pub entry: EntryId,
    /// The member: `workarounds[0].how`.
    pub member: String,
    /// Which check it does not pass.
    pub check: Check,
    /// What to do.
    pub advice: String,
}

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// There is a rule to recognise the entry by.
    Recognisable,
    /// A pattern is a regular expression of bounded size, with a literal and without an open gap.
    Pattern,
    /// A pattern matches one of the positive samples at least.
    PatternMatches,
    /// The signature is a sample, and there are three samples of each kind at least.
    Samples,
    /// Every positive sample is recognised by a rule, and not only by its words.
    SampleRecognised,
    /// Every positive sample is answered with its own entry first.
    SampleFirst,
    /// No negative sample is recognised by a pattern, or answered with the entry.
    NegativeSample,
    /// No rewording is answered with another entry alone.
    Reworded,
    /// What a message complains of leads to one entry, or to several that say how they differ.
    About,
    /// No text is the copy of another one.
    Copied,
    /// Every text is in the languages that the entry announces, and is what it is announced as.
    Language,
    /// What is referred to exists.
    Reference,
    /// The code is one of a registry.
    Code,
    /// Advice that weakens security stands among the dead ends, with its reason.
    UnsafeAdvice,
    /// There is something to do, unless nothing can be done.
    Advice,
    /// The tier is what the evidence bears out.
    Evidence,
    /// The days follow one another.
    Dates,
}

/// What the checks are told of the world around the corpus.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Whether a path of the repository exists. Without it, paths are taken at their word.
    pub has_path: Option<&'a dyn Fn(&str) -> bool>,
}

/// Which entry comes first for each positive sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    entries: Vec<(EntryId, usize)>,
    strays: Vec<Stray>,
}

/// A sample that is not answered with its entry alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Whose sample.
    pub entry: EntryId,
    /// Which, counted from 0.
    pub sample: usize,
    /// Which entry came first instead, or beside it.
    pub first: Option<EntryId>,
    /// How sure the answer was.
    pub verdict: &'static str,
}

/// Everything that has to be put right, in the order of the entries.
#[must_use]
pub fn check(knowledge: &Knowledge, surroundings: Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in knowledge.corpus().entries() {
        let mut of_entry = Findings { entry, findings: Vec::new() };
        of_entry.patterns();
        of_entry.complaints(knowledge);
        of_entry.samples(knowledge);
        of_entry.texts();
        of_entry.references(knowledge, surroundings);
        of_entry.codes();
        of_entry.advice();
        of_entry.evidence();
        findings.append(&mut of_entry.findings);
    }
    findings
}

/// Answers every positive sample with the whole corpus.
#[must_use]
pub fn confusion(knowledge: &Knowledge) -> Confusion {
    let mut confusion = Confusion { entries: Vec::new(), strays: Vec::new() };
    for entry in knowledge.corpus().entries() {
        confusion.entries.push((entry.id.clone(), entry.samples.positive.len()));
        for (place, sample) in entry.samples.positive.iter().enumerate() {
            let ranking = knowledge.rank(&Input::take_apart(sample.as_bytes()), 2);
            let first = first_of(knowledge, &ranking);
            let verdict = match ranking.verdict {
                Verdict::One if first == Some(&entry.id) => continue,
                Verdict::One => "match",
                Verdict::Ambiguous(_) => "ambiguous",
                Verdict::None => "no match",
            };
            confusion.strays.push(Stray { entry: entry.id.clone(), sample: place, first: first.cloned(), verdict });
        }
    }
    confusion
}

impl Confusion {
    /// The samples that are not answered with their entry alone.
    #[must_use]
    pub fn strays(&self) -> &[Stray] {
        &self.strays
    }

    /// The samples for which another entry comes first: what is off the diagonal.
    pub fn off_diagonal(&self) -> impl Iterator<Item = &Stray> {
        self.strays.iter().filter(|stray| stray.first.as_ref() != Some(&stray.entry))
    }
}

/// A line for each entry: how many of its samples are answered with it alone, and what the others were answered with.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (entry, samples) in &self.entries {
            let strays: Vec<&Stray> = self.strays.iter().filter(|stray| stray.entry == *entry).collect();
            writeln!(f, "{entry}: {} of {samples}", samples - strays.len())?;
            for stray in strays {
                let first = stray.first.as_ref().map_or("nothing", |id| id.as_str());
                writeln!(f, "  sample {}: {}, first {first}", stray.sample, stray.verdict)?;
            }
        }
        Ok(())
    }
}

/// The file first, below the folder of the entries: whoever knows that folder puts it before.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.toml: {}: {}: {}", self.entry, self.member, self.check, self.advice)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recognisable => "recognisable",
            Self::Pattern => "pattern",
            Self::PatternMatches => "pattern_matches",
            Self::Samples => "samples",
            Self::SampleRecognised => "sample_recognised",
            Self::SampleFirst => "sample_first",
            Self::NegativeSample => "negative_sample",
            Self::Reworded => "reworded",
            Self::About => "about",
            Self::Copied => "copied",
            Self::Language => "language",
            Self::Reference => "reference",
            Self::Code => "code",
            Self::UnsafeAdvice => "unsafe_advice",
            Self::Advice => "advice",
            Self::Evidence => "evidence",
            Self::Dates => "dates",
        })
    }
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("has_path", &self.has_path.is_some()).finish()
    }
}

/// The findings of one entry.
struct Findings<'a> {
    entry: &'a Entry,
    findings: Vec<Finding>,
}

impl Findings<'_> {
    fn find(&mut self, member: impl Into<String>, check: Check, advice: impl Into<String>) {
        self.findings.push(Finding {
            entry: self.entry.id.clone(),
            member: member.into(),
            check,
            advice: advice.into(),
        });
    }

    fn patterns(&mut self) {
        let entry = self.entry;
        let asked = &entry.matching;
        let is_structured = asked.oauth_error.is_some()
            || asked.description_pattern.is_some()
            || asked.www_authenticate.is_some()
            || asked.problem_type.is_some()
            || !asked.status.is_empty()
            || !asked.about.is_empty();
        if !is_structured && asked.patterns.is_empty() {
            self.find(
                "match",
                Check::Recognisable,
                "name a code, a status, a type or a pattern that it is recognised by",
            );
        }
        if asked.problem_type.as_deref().is_some_and(|path| !path.starts_with('/')) {
            self.find(
                "match.problem_type",
                Check::Recognisable,
                "write the end of the type's path, beginning with a slash",
            );
        }
        if asked.status.iter().any(|status| !(100..600).contains(status)) {
            self.find("match.status", Check::Recognisable, "a status is between 100 and 599");
        }
        for (member, pattern) in patterns(entry) {
            if let Some(fault) = pattern_fault(pattern) {
                self.find(member, Check::Pattern, fault);
            }
        }
    }

    fn complaints(&mut self, knowledge: &Knowledge) {
        let entry = self.entry;
        // The entries of another product stand where that is shown.
        let is_beside = |other: &Entry| {
            other.product == entry.product || other.product.is_anybodys() && entry.product.is_anybodys()
        };
        let about = |other: &Entry, subject, fault| {
            is_beside(other) && other.matching.about.get(&subject).is_some_and(|faults| faults.contains(&fault))
        };
        let tells = |one: &Entry, other: &Entry| one.graph.confused_with.iter().any(|it| it.id == other.id);
        for (&subject, faults) in &entry.matching.about {
            for &fault in faults {
                // Of two entries the later one is found fault with.
                let before = knowledge.corpus().entries().iter().take_while(|other| other.id != entry.id);
                let other = before.filter(|other| about(other, subject, fault));
                if let Some(other) = other.into_iter().find(|other| !tells(entry, other) && !tells(other, entry)) {
                    self.find(
                        format!("match.about.{subject}"),
                        Check::About,
                        format!("{} is about {subject} {fault} as well: leave it to one, or say in confused_with how they differ", other.id),
                    );
                }
            }
        }
    }

    fn samples(&mut self, knowledge: &Knowledge) {
        let entry = self.entry;
        let all = &entry.samples;
        let kinds = [("positive", &all.positive), ("negative", &all.negative), ("reworded", &all.reworded)];
        for (kind, samples) in kinds {
            if kind != "reworded" && samples.len() < MIN_SAMPLES {
                self.find(
                    format!("samples.{kind}"),
                    Check::Samples,
                    format!("give {MIN_SAMPLES} at least; there are {}", samples.len()),
                );
            }
            for (place, sample) in samples.iter().enumerate() {
                if sample.trim().is_empty() {
                    self.find(format!("samples.{kind}[{place}]"), Check::Samples, "a sample is not blank");
                }
                if samples[..place].contains(sample) {
                    self.find(format!("samples.{kind}[{place}]"), Check::Copied, "the same sample stands before it");
                }
            }
        }
        let originals = entry
            .signature
            .all()
            .filter(|said| entry.languages.status(said.language) == Some(TranslationStatus::Original));
        for said in originals {
            if !entry.samples.positive.iter().any(|sample| sample.trim() == said.text.trim()) {
                self.find(
                    format!("signature.{}", said.language),
                    Check::Samples,
                    "add it to samples.positive, as it is",
                );
            }
        }

        let mut matched = vec![false; entry.matching.patterns.len() + 1];
        for (place, sample) in entry.samples.positive.iter().enumerate() {
            let member = format!("samples.positive[{place}]");
            let input = Input::take_apart(sample.as_bytes());
            for (which, is_matched) in matched.iter_mut().enumerate() {
                *is_matched |= knowledge.pattern_matches(entry, which, &input);
            }
            let ranking = knowledge.rank(&input, usize::MAX);
            let own = ranking.ranked.iter().find(|ranked| knowledge.corpus().entries()[ranked.place].id == entry.id);
            if !own.is_some_and(|own| own.evidence.is_hard()) {
                self.find(
                    &*member,
                    Check::SampleRecognised,
                    "no code and no pattern of the entry fits it: add one, or correct the sample",
                );
            }
            let first = first_of(knowledge, &ranking);
            if first != Some(&entry.id) {
                let first = first.map_or("nothing".to_owned(), ToString::to_string);
                self.find(
                    member,
                    Check::SampleFirst,
                    format!("{first} comes first: make the pattern more specific, here or there"),
                );
            } else if let Verdict::Ambiguous(tied) = ranking.verdict {
                let others = ranking
                    .ranked
                    .iter()
                    .skip(1)
                    .take(tied - 1)
                    .map(|it| knowledge.corpus().entries()[it.place].id.as_str());
                let others = others.collect::<Vec<_>>().join(", ");
                self.find(
                    member,
                    Check::SampleFirst,
                    format!("it is tied with {others}: make the pattern more specific, here or there"),
                );
            }
        }
        for ((member, _), which) in patterns(entry).zip(0..) {
            let is_matched = matched.get(which).copied().unwrap_or_default();
            if !is_matched {
                self.find(
                    member,
                    Check::PatternMatches,
                    "it matches no positive sample: add the message that it is for, or drop it",
                );
            }
        }
        for (place, text) in entry.samples.reworded.iter().enumerate() {
            let ranking = knowledge.rank(&Input::take_apart(text.as_bytes()), 1);
            if let Some(first) = first_of(knowledge, &ranking).filter(|first| **first != entry.id)
                && ranking.verdict == Verdict::One
            {
                self.find(
                    format!("samples.reworded[{place}]"),
                    Check::Reworded,
                    format!("it is answered with {first}: leave it out, or make a rule more specific, here or there"),
                );
            }
        }
        for (place, sample) in entry.samples.negative.iter().enumerate() {
            let member = format!("samples.negative[{place}]");
            let input = Input::take_apart(sample.as_bytes());
            if let Some((pattern, _)) = patterns(entry)
                .zip(0..)
                .find(|(_, which)| knowledge.pattern_matches(entry, *which, &input))
                .map(|((name, _), which)| (name, which))
            {
                self.find(
                    &*member,
                    Check::NegativeSample,
                    format!("{pattern} matches it: make the pattern more specific"),
                );
                continue;
            }
            let ranking = knowledge.rank(&input, 1);
            if first_of(knowledge, &ranking) == Some(&entry.id) && ranking.verdict == Verdict::One {
                self.find(
                    member,
                    Check::NegativeSample,
                    "it is answered with this entry: narrow match, or write the entry that it is about",
                );
            }
        }
    }

    fn texts(&mut self) {
        let entry = self.entry;
        for (member, text) in entry.texts() {
            for &language in Language::ALL {
                match (entry.languages.status(language), text.get(language)) {
                    (Some(_), None) => {
                        self.find(
                            format!("{member}.{language}"),
                            Check::Language,
                            "write it, since the entry announces the language",
                        );
                    }
                    (None, Some(_)) => {
                        self.find(
                            format!("languages.{language}"),
                            Check::Language,
                            format!("say how {member}.{language} came to be"),
                        );
                    }
                    _ => {}
                }
            }
            if text.get(Language::Zh).is_some_and(|zh| !has_hanzi(zh) && zh.split_whitespace().count() > 3) {
                self.find(format!("{member}.zh"), Check::Language, "it is not Chinese");
            }
            let is_message = member == "signature";
            if !is_message && text.get(Language::En).is_some_and(has_hanzi) {
                self.find(format!("{member}.en"), Check::Language, "it is not English");
            }
            if !is_message && text.get(Language::En).is_some() && text.get(Language::En) == text.get(Language::Zh) {
                self.find(format!("{member}.zh"), Check::Copied, "it is the English text");
            }
        }
        let both = [entry.languages.en, entry.languages.zh];
        if entry.product == Product::Ambit && both.contains(&None) {
            self.find("languages", Check::Language, "what Ambit itself says is explained in English and in Chinese");
        }
        if !both.contains(&Some(TranslationStatus::Original)) {
            self.find("languages", Check::Language, "one language is the original");
        }
        for (place, it) in entry.workarounds.iter().enumerate() {
            self.copied(&format!("workarounds[{place}].how"), &it.action, &it.how);
        }
        for (place, it) in entry.dead_ends.iter().enumerate() {
            self.copied(&format!("dead_ends[{place}].why_fails"), &it.action, &it.why_fails);
        }
    }

    fn copied(&mut self, member: &str, one: &Text, other: &Text) {
        for said in one.all() {
            let same = |text: &str| {
                text.trim().trim_end_matches('.').eq_ignore_ascii_case(said.text.trim().trim_end_matches('.'))
            };
            if other.get(said.language).is_some_and(same) {
                self.find(
                    format!("{member}.{}", said.language),
                    Check::Copied,
                    "it is the text of the action: say what that does not say",
                );
            }
        }
    }

    fn references(&mut self, knowledge: &Knowledge, surroundings: Surroundings<'_>) {
        let entry = self.entry;
        let graph = &entry.graph;
        let confused = graph.confused_with.iter().map(|it| &it.id);
        let edges = [
            ("leads_to", graph.leads_to.iter().collect()),
            ("preceded_by", graph.preceded_by.iter().collect()),
            ("confused_with", confused.collect::<Vec<_>>()),
        ];
        for (name, ids) in edges {
            for (place, id) in ids.into_iter().enumerate() {
                let member = format!("graph.{name}[{place}]");
                match knowledge.corpus().find(id.as_str()) {
                    None => self.find(member, Check::Reference, format!("there is no entry {id}")),
                    Some(found) if found.id == entry.id => {
                        self.find(member, Check::Reference, "an entry is not its own neighbour");
                    }
                    Some(found) if found.id != *id => {
                        self.find(member, Check::Reference, format!("{id} is an alias: write {}", found.id));
                    }
                    Some(_) => {}
                }
            }
        }
        if entry.doc_url.as_deref().is_some_and(|url| !url.starts_with("https://")) {
            self.find("doc_url", Check::Reference, "write a URL with https");
        }
        let workarounds = entry.workarounds.iter().map(|it| ("workarounds", &it.sources));
        let dead_ends = entry.dead_ends.iter().map(|it| ("dead_ends", &it.sources));
        for (name, sources) in workarounds.chain(dead_ends) {
            if sources.iter().any(|source| !source.starts_with("https://")) {
                self.find(format!("{name}.sources"), Check::Reference, "write URLs with https");
            }
        }
        for (place, evidence) in entry.evidence.iter().enumerate() {
            let member = format!("evidence[{place}].reference");
            let reference = evidence.reference.trim();
            let is_path =
                !reference.starts_with("https://") && !reference.starts_with("RFC ") && !reference.contains(' ');
            if reference.is_empty() {
                self.find(member, Check::Reference, "name the source");
            } else if evidence.kind == EvidenceKind::Reproduced && !is_path {
                self.find(
                    member,
                    Check::Reference,
                    "name the test or fixture of this repository that provokes the error",
                );
            } else if is_path
                && surroundings
                    .has_path
                    .is_some_and(|has_path| !has_path(reference.split(['#', ':']).next().unwrap_or(reference)))
            {
                self.find(member, Check::Reference, format!("there is no {reference} in this repository"));
            }
        }
    }

    fn codes(&mut self) {
        let entry = self.entry;
        if entry.product != Product::Standard || entry.id.domain() != Domain::Api {
            return;
        }
        let codes = [
            ("error_code", &entry.error_code),
            ("match.oauth_error", &entry.matching.oauth_error),
            ("match.www_authenticate", &entry.matching.www_authenticate),
        ];
        for (member, code) in codes {
            if let Some(code) = code.as_deref().filter(|code| !is_registered(code)) {
                self.find(member, Check::Code, format!("{code} is in no registry of OAuth or OpenID Connect: correct it, or name the product that says it"));
            }
        }
    }

    fn advice(&mut self) {
        let entry = self.entry;
        if entry.workarounds.is_empty() && entry.resolvable != Resolvable::No {
            self.find("workarounds", Check::Advice, "say what helps, or that nothing does (resolvable = \"false\")");
        }
        for (place, it) in entry.workarounds.iter().enumerate() {
            let advises = |text: &Text| text.all().any(|said| is_unsafe_advice(said.text));
            if it.risk == Risk::Unsafe || advises(&it.action) || advises(&it.how) {
                self.find(
                    format!("workarounds[{place}]"),
                    Check::UnsafeAdvice,
                    "it weakens security: make it a dead end with risk = \"unsafe\" and say why",
                );
            }
        }
    }

    fn evidence(&mut self) {
        let entry = self.entry;
        if entry.evidence.is_empty() {
            self.find("evidence", Check::Evidence, "name what it is known from");
        }
        let has = |kind| entry.evidence.iter().any(|evidence| evidence.kind == kind);
        let is_borne_out = match entry.tier {
            Tier::MachineWritten => true,
            Tier::SourceChecked => has(EvidenceKind::Source) || has(EvidenceKind::Reproduced),
            Tier::Reproduced => has(EvidenceKind::Reproduced),
            Tier::FieldConfirmed => has(EvidenceKind::Report) || has(EvidenceKind::Reproduced),
        };
        if !is_borne_out {
            self.find("tier", Check::Evidence, format!("no evidence bears out {}", entry.tier));
        }
        if entry.first_seen > entry.last_confirmed || entry.first_seen > entry.last_updated {
            self.find("first_seen", Check::Dates, "it is later than last_confirmed or last_updated");
        }
    }
}

/// Whether a text advises what weakens security. Advice against it ("never…") is not advice of it.
#[must_use]
pub fn is_unsafe_advice(text: &str) -> bool {
    sentences(text).any(|sentence| UNSAFE.is_match(sentence) && !AGAINST.is_match(sentence))
}

/// The entry that comes first.
fn first_of<'a>(knowledge: &'a Knowledge, ranking: &Ranking) -> Option<&'a EntryId> {
    ranking.ranked.first().map(|ranked| &knowledge.corpus().entries()[ranked.place].id)
}

/// The patterns of an entry by their members; that of the description last.
fn patterns(entry: &Entry) -> impl Iterator<Item = (String, &str)> {
    let free = entry
        .matching
        .patterns
        .iter()
        .enumerate()
        .map(|(place, pattern)| (format!("match.patterns[{place}]"), pattern.as_str()));
    let described = entry
        .matching
        .description_pattern
        .iter()
        .map(|pattern| ("match.description_pattern".to_owned(), pattern.as_str()));
    free.chain(described)
}

/// What is wrong with a pattern.
fn pattern_fault(pattern: &str) -> Option<String> {
    let expression = match Expression::new(pattern) {
        Ok(expression) => expression,
        Err(fault) => return Some(format!("it is no regular expression, or too large a one: {fault}")),
    };
    let needs = Needs::of(&expression);
    if needs.triggers().is_empty()
        || needs.triggers().iter().any(|literal| literal.chars().count() < MIN_LITERAL && literal.is_ascii())
    {
        return Some(format!("it has no fixed part of {MIN_LITERAL} characters, so it would be tried on every text"));
    }
    if needs.weight < MIN_WEIGHT {
        return Some(format!("fewer than {MIN_WEIGHT} of its letters are fixed: it matches too much"));
    }
    let hir = regex_syntax::parse(pattern).ok()?;
    if has_open_gap(&hir) {
        return Some("it has a gap without an end: write .{0,80} for .*".to_owned());
    }
    if needs.all.iter().any(|literal| literal.contains(['\n', '\r', '\t']) || literal.contains("  ")) {
        return Some("white space is one space in what is searched: it never matches".to_owned());
    }
    None
}

/// Whether something that matches nearly any character may go on for ever.
fn has_open_gap(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(it) => it.max.is_none() && is_any(&it.sub) || has_open_gap(&it.sub),
        HirKind::Capture(it) => has_open_gap(&it.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_open_gap),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// Whether a class has letters, digits and the space: it runs over the borders of words.
fn is_any(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            let has = |c: char| class.ranges().iter().any(|range| range.start() <= c && c <= range.end());
            has('a') && has('0') && has(' ')
        }
        HirKind::Capture(it) => is_any(&it.sub),
        _ => false,
    }
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '。', '；']).flat_map(|line| line.split(". ")).flat_map(|line| line.split("; "))
}

/// What weakens security, as advice words it.
static UNSAFE: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"(?i)\balg(?:orithm)?s?\b.{0,12}\bnone\b",
        r#"(?i)verify(?:_signature|_exp|_aud|_iss)?["']?\s{0,2}[:=]\s{0,2}false"#,
        r"(?i)(?:ignore(?:expiration|notbefore)|skip(?:audience|issuer|signature|expiry|clientid)\w{0,20}|insecureskip\w{1,30})\W{0,3}(?:[:=]\W{0,2})?true",
        r"(?i)validate(?:issuer|audience|lifetime|issuersigningkey|signature)\s{0,2}=\s{0,2}false",
        r"(?i)requirehttpsmetadata\s{0,2}=\s{0,2}false",
        r"(?i)node_tls_reject_unauthorized\W{1,4}0|rejectunauthorized\W{1,3}false",
        r"(?i)\b(?:disable|switch off|turn off|skip|bypass)\b.{0,30}\b(?:validation|verification|signature|certificate|tls|ssl|expiry check|audience check|issuer check|pkce)\b",
        r"(?i)access-control-allow-origin\W{1,4}\*",
        r"(?i)\bcurl\b.{0,40} (?:-k|--insecure)\b",
        r"(?i)\bmap(?:ped|s)?\b.{0,60}\badmin(?:istrator)?\b.{0,20}\b(?:rights?|privileges?|role)\b",
        r"(?i)\bwildcard\b.{0,30}\b(?:redirect|origin)",
        r"(?:关闭|禁用|跳过|绕过).{0,12}(?:校验|验证|签名|证书)",
    ])
    .expect("constants that a test compiles")
});
/// A sentence that warns.
static AGAINST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:never|not|don't|no|nobody|instead of|rather than|without|avoid|refuse[sd]?|reject(?:s|ed)?)\b|不要|切勿|请勿|不能|不会|不得|而不是|避免|拒绝|不应")
        .expect("a constant that a test compiles")
});

const MIN_SAMPLES: usize = 3;
const MIN_LITERAL: usize = 3;
const MIN_WEIGHT: usize = 6;
