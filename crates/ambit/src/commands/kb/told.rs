//! Answers and entries for people. What helps stands first: whoever asks has something that does not work.

use ambit_knowledge::diagnose::{Candidate, Seen, Statement};
use ambit_knowledge::entry::{Text, Workaround};
use ambit_knowledge::{Answer, Corpus, Entry, Language, Outcome};
use serde::Serialize;

use super::Shown;
use crate::output::Paint;

/// What a text is about.
pub fn answer(corpus: &Corpus, answer: &Answer, lang: Language, paint: Paint) -> String {
    let mut lines = Lines { paint, lang, lines: vec![] };
    match answer.outcome {
        Outcome::Match => lines.found(corpus, &answer.entries),
        Outcome::Ambiguous => lines.several(corpus, answer),
        Outcome::NoMatch => lines.none(&answer.nearest),
    }
    lines.understood(&answer.input);
    lines.lines.join("\n")
}

/// One entry, from what helps to where it is from.
pub fn entry(shown: &Shown, lang: Language, paint: Paint) -> String {
    let entry = &shown.entry;
    let mut lines = Lines { paint, lang, lines: vec![] };
    lines.title(entry);
    for workaround in &entry.workarounds {
        lines.workaround(workaround);
    }
    lines.section("why it happens");
    lines.indented(&said(&entry.cause, lang));
    if !entry.dead_ends.is_empty() {
        lines.section("what does not help");
        for dead_end in &entry.dead_ends {
            let risk = if dead_end.risk == ambit_knowledge::entry::Risk::Unsafe { " (unsafe)" } else { "" };
            let condition = dead_end.condition.as_ref().map(|text| format!("{}: ", said(text, lang)));
            lines.push(format!("  - {}{}{risk}", condition.unwrap_or_default(), said(&dead_end.action, lang)));
            lines.indented_by("    ", &said(&dead_end.why_fails, lang));
        }
    }
    let graph = &entry.graph;
    if !graph.confused_with.is_empty() {
        lines.section("what it is mistaken for");
        for other in &graph.confused_with {
            lines.push(format!("  {}: {}", other.id, said(&other.distinction, lang)));
        }
    }
    for (name, ids) in [("what often comes before", &graph.preceded_by), ("what often comes next", &graph.leads_to)] {
        if !ids.is_empty() {
            lines.section(name);
            lines.push(format!("  {}", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
        }
    }
    lines.section("how it is known");
    let confidence = shown.confidence;
    lines.push(format!(
        "  {}; true with {:.0} % (95 % of it between {:.0} and {:.0} %)",
        entry.tier.title(),
        confidence.mean * 100.0,
        confidence.low * 100.0,
        confidence.high * 100.0
    ));
    for evidence in &entry.evidence {
        lines.push(format!("  {} ({}, {})", evidence.reference, evidence.kind.title(), evidence.date));
    }
    if let Some(url) = &entry.doc_url {
        let section = entry.doc_section.as_ref().map(|section| format!(", section {section}"));
        lines.push(format!("  see {url}{}", section.unwrap_or_default()));
    }
    lines.lines.join("\n")
}

/// What is said, line by line.
struct Lines {
    paint: Paint,
    lang: Language,
    lines: Vec<String>,
}

impl Lines {
    fn push(&mut self, line: String) {
        self.lines.push(line);
    }

    fn section(&mut self, name: &str) {
        self.push(format!("\n{}", self.paint.strong(&format!("{name}:"))));
    }

    fn indented(&mut self, text: &str) {
        self.indented_by("  ", text);
    }

    fn indented_by(&mut self, by: &str, text: &str) {
        self.lines.extend(text.trim_end().lines().map(|line| format!("{by}{line}")));
    }

    fn title(&mut self, entry: &Entry) {
        let id = self.paint.strong(entry.id.as_str());
        self.push(format!("{id} ({})", entry.product.title()));
        self.push(said(&entry.title, self.lang));
    }

    fn workaround(&mut self, workaround: &Workaround) {
        let condition = workaround.condition.as_ref().map(|text| format!("{}: ", said(text, self.lang)));
        let action = format!("fix: {}{}", condition.unwrap_or_default(), said(&workaround.action, self.lang));
        self.push(format!("\n{}", self.paint.good(&action)));
        let how = said(&workaround.how, self.lang);
        self.indented(&how);
    }

    /// The one entry: its first advice whole, the others by what they are for.
    fn found(&mut self, corpus: &Corpus, entries: &[Candidate]) {
        for candidate in entries {
            // A candidate is of this corpus.
            let Some(entry) = corpus.find(candidate.id.as_str()) else { continue };
            self.title(entry);
            if let Some((first, others)) = entry.workarounds.split_first() {
                self.workaround(first);
                for other in others {
                    let condition = other.condition.as_ref().map(|text| format!("{}: ", said(text, self.lang)));
                    self.push(format!("or: {}{}", condition.unwrap_or_default(), said(&other.action, self.lang)));
                }
            }
            self.section("why it happens");
            let cause = stated(&candidate.cause, self.lang);
            self.indented(&cause);
            self.section("why this entry");
            self.reasons(candidate);
            self.push(format!("\nall of it: ambit kb show {}", candidate.id));
        }
    }

    /// Several entries, and what tells them apart.
    fn several(&mut self, corpus: &Corpus, answer: &Answer) {
        self.push(self.paint.strong("It is one of these:"));
        for candidate in &answer.entries {
            let Some(entry) = corpus.find(candidate.id.as_str()) else { continue };
            self.push(String::new());
            self.title(entry);
            if let Some(first) = &candidate.first_step {
                let fix = format!("fix: {}", stated(first, self.lang));
                self.push(self.paint.good(&fix));
            }
            self.reasons(candidate);
        }
        self.section("what tells them apart");
        for distinction in &answer.apart {
            let by = stated(&distinction.by, self.lang);
            self.push(format!("  {} or {}: {by}", distinction.one, distinction.other));
        }
    }

    fn none(&mut self, nearest: &[Candidate]) {
        self.push(self.paint.strong("No entry is about this for sure."));
        if nearest.is_empty() {
            return;
        }
        self.push("The nearest:".to_owned());
        for candidate in nearest {
            let title = stated(&candidate.title, self.lang);
            self.push(format!("  {}  {title}", candidate.id));
        }
    }

    fn reasons(&mut self, candidate: &Candidate) {
        for reason in &candidate.reasons {
            let seen: String = reason.seen.chars().take(MAX_SEEN).collect();
            let cut = if seen.len() < reason.seen.len() { "…" } else { "" };
            self.push(format!(
                "  {:+4.0}  {} in the {}: {seen}{cut}",
                reason.points,
                word(&reason.rule),
                word(&reason.part)
            ));
        }
        if let Some(above) = &candidate.above_next {
            let sentence = stated(&above.sentence, self.lang);
            self.push(format!("  {sentence}"));
        }
    }

    /// What was read, so that whoever pasted the wrong half of an answer sees it.
    fn understood(&mut self, seen: &Seen) {
        self.push(String::new());
        let mut facts: Vec<String> = seen
            .facts
            .iter()
            .take(MAX_FACTS)
            .map(|fact| {
                let value: String = fact.value.chars().take(MAX_FACT).collect();
                format!("{} {value}", word(&fact.kind))
            })
            .collect();
        if !seen.jwts.is_empty() {
            facts.push(format!("{} token(s)", seen.jwts.len()));
        }
        let facts = if facts.is_empty() { "nothing but words".to_owned() } else { facts.join("; ") };
        self.push(format!("read as {}: {facts}", word(&seen.kind)));
        if seen.is_cut {
            self.push("It was longer than what is read of it, 1 MiB.".to_owned());
        }
    }
}

/// A text in a language; one that is not the one asked for is marked, and never passed off as it.
fn said(text: &Text, lang: Language) -> String {
    stated(&Statement::of(text, lang), lang)
}

fn stated(statement: &Statement, lang: Language) -> String {
    if statement.language == lang {
        return statement.text.clone();
    }
    format!("[{}] {}", statement.language, statement.text)
}

/// The name of a member of a closed list, as people write it.
fn word(member: &impl Serialize) -> String {
    let name = serde_json::to_value(member).ok().and_then(|name| name.as_str().map(|name| name.replace('_', " ")));
    name.unwrap_or_default()
}

/// Characters of what was seen, in one line.
const MAX_SEEN: usize = 120;
const MAX_FACTS: usize = 8;
const MAX_FACT: usize = 80;
