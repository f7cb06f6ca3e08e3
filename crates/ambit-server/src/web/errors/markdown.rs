//! Entries as Markdown, for whoever reads text: the same words as the page, without its picture.

use std::fmt::Write as _;

use ambit_knowledge::confidence::{Outcomes, confidence};
use ambit_knowledge::entry::Domain;
use ambit_knowledge::{Corpus, Entry, Language};

use super::chain::Neighbours;
use super::prose::{Block, Piece, Prose, Told};
use super::wording::Words;
use crate::state::App;

/// A text under construction. Writing to it cannot fail.
struct Markdown {
    text: String,
    language: Language,
    words: &'static Words,
}

/// One entry.
pub(super) fn entry(app: &App, entry: &'static Entry, outcomes: Outcomes, language: Language) -> String {
    let words = Words::of(language);
    let mut page = Markdown { text: String::new(), language, words };
    page.line(&format!("# {}", plain(Told::new(&entry.title, language).text)));
    page.facts(app, entry);
    if entry.texts().any(|(_, text)| text.get(language).is_none()) {
        page.line(&format!("> {}", words.fallback));
    }
    page.code(Told::new(&entry.signature, language).text);
    page.heading(words.why);
    page.prose(&Prose::new(&entry.cause, language));
    if !entry.workarounds.is_empty() {
        page.heading(words.helps);
    }
    for (place, it) in entry.workarounds.iter().enumerate() {
        let condition = it.condition.as_ref().map(|text| format!("{} · ", plain(Told::new(text, language).text)));
        let action = plain(Told::new(&it.action, language).text);
        page.line(&format!("{}. {}**{action}** ({})", place + 1, condition.unwrap_or_default(), words.risk(it.risk)));
        page.prose(&Prose::new(&it.how, language));
    }
    if !entry.dead_ends.is_empty() {
        page.heading(words.dead_ends);
    }
    for it in &entry.dead_ends {
        let action = plain(Told::new(&it.action, language).text);
        page.line(&format!("- **{action}** ({})", words.risk(it.risk)));
        page.prose(&Prose::new(&it.why_fails, language));
    }
    page.neighbours(app, entry);
    page.heading(words.samples);
    for sample in &entry.samples.positive {
        page.code(sample);
    }
    page.heading(words.how_sure);
    let sure = confidence(entry, outcomes);
    page.line(&format!(
        "{}. {}: {} ({}: {} – {}), {}.",
        words.tier(entry.tier),
        words.confidence,
        percent(sure.mean),
        words.interval,
        percent(sure.low),
        percent(sure.high),
        words.interval_explained
    ));
    page.heading(words.evidence);
    for it in &entry.evidence {
        page.item(&format!("{}: {} ({})", words.evidence_kind(it.kind), it.reference, it.date));
    }
    page.text
}

/// The list of all entries for language models, as llmstxt.org has it.
pub(super) fn llms(app: &App) -> String {
    let base = &app.base_url;
    let mut text = String::from(
        "# Ambit: errors of OAuth and OpenID Connect\n\n\
         > What an error means, why it happens and what helps. Each entry is a page, and Markdown with .md or JSON with .json \
         behind its address; ?lang=zh has it in Chinese.\n\n",
    );
    let _ = writeln!(
        text,
        "To find out which entry a message is about, POST it as text/plain to {base}/api/v1/errors/match. All entries in \
         short: {base}/errors/index.json. The form of an entry: {base}/errors/schema.json."
    );
    for domain in Domain::ALL {
        let _ = writeln!(text, "\n## {}\n", domain.title());
        for entry in Corpus::embedded().entries().iter().filter(|entry| entry.id.domain() == *domain) {
            let title = plain(Told::new(&entry.title, Language::En).text);
            let code = entry.error_code.as_deref().map(|code| format!("{code}, ")).unwrap_or_default();
            let _ = writeln!(text, "- [{title}]({base}/errors/{}.md): {code}{}", entry.id, entry.product.title());
        }
    }
    text
}

/// The root's list for language models: where to go.
pub(super) fn llms_of_the_server(app: &App) -> String {
    let base = &app.base_url;
    format!(
        "# Ambit\n\n> An OAuth 2.1 authorization server whose scopes explain themselves.\n\n\
         ## Errors\n\n- [Every error, its cause and what helps]({base}/errors/llms.txt)\n\n\
         ## Documentation\n\n- [What it is and how to run it]({base}/docs/)\n\n\
         ## API\n\n- [OpenAPI document]({base}/api/v1/openapi.json): the admin API, the OAuth endpoints, the error knowledge base\n"
    )
}

/// A share in whole percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

impl Markdown {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}\n");
    }

    fn item(&mut self, item: &str) {
        let _ = writeln!(self.text, "- {item}");
    }

    fn heading(&mut self, heading: &str) {
        let end = if self.text.ends_with("\n\n") { "" } else { "\n" };
        let _ = writeln!(self.text, "{end}## {heading}\n");
    }

    /// Code between as many backticks as it does not have itself.
    fn code(&mut self, code: &str) {
        let mut fence = "```".to_owned();
        while code.contains(&fence) {
            fence.push('`');
        }
        let _ = writeln!(self.text, "{fence}\n{code}\n{fence}\n");
    }

    fn prose(&mut self, prose: &Prose<'_>) {
        for block in &prose.blocks {
            match block {
                Block::Code(code) => self.code(code),
                Block::Sentences(pieces) => {
                    let mut sentence = String::new();
                    for piece in pieces {
                        match piece {
                            Piece::Plain(text) => sentence.push_str(&plain(text)),
                            Piece::Code(text) => sentence.push_str(&format!("`{text}`")),
                        }
                    }
                    self.line(&sentence);
                }
            }
        }
    }

    fn facts(&mut self, app: &App, entry: &Entry) {
        let words = self.words;
        let mut facts = entry.error_code.as_deref().map(|code| format!("`{code}` · ")).unwrap_or_default();
        for status in &entry.matching.status {
            facts.push_str(&format!("HTTP {status} · "));
        }
        let (product, category) = (words.product(entry.product), words.category(entry.category));
        self.line(&format!("{facts}{product} · {category} · {}/errors/{}", app.base_url, entry.id));
    }

    fn neighbours(&mut self, app: &App, entry: &'static Entry) {
        let (words, language) = (self.words, self.language);
        let neighbours = Neighbours::of(entry);
        for (heading, entries) in [(words.often_before, neighbours.before), (words.often_after, neighbours.after)] {
            if !entries.is_empty() {
                self.heading(heading);
            }
            for it in entries {
                let title = plain(Told::new(&it.title, language).text);
                self.item(&format!("[{title}]({}/errors/{}.md)", app.base_url, it.id));
            }
        }
        if !entry.graph.confused_with.is_empty() {
            self.heading(words.confused_with);
        }
        for it in &entry.graph.confused_with {
            let Some(other) = Corpus::embedded().find(it.id.as_str()) else { continue };
            let title = plain(Told::new(&other.title, language).text);
            let distinction = plain(Told::new(&it.distinction, language).text);
            self.item(&format!("[{title}]({}/errors/{}.md): {distinction}", app.base_url, other.id));
        }
    }
}

/// A text that says what it says, whatever is in it.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '<' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(if c == '\n' { ' ' } else { c });
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_become_markup_and_code_cannot_end_its_fence() {
        assert_eq!(plain("<b> *x* [y](z) `c`\n# d"), "\\<b> \\*x\\* \\[y\\](z) \\`c\\` # d");
        let mut page = Markdown { text: String::new(), language: Language::En, words: Words::of(Language::En) };
        page.code("a\n```\nb");
        assert_eq!(page.text, "````\na\n```\nb\n````\n\n");
    }
}
