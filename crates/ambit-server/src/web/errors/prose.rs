//! The texts of entries: sentences, with code in lines of its own and between backticks.

use ambit_knowledge::Language;
use ambit_knowledge::entry::Text;

/// A short text of an entry, as it stands on a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// Its language, where that is not the page's.
    pub(super) lang: Option<&'static str>,
    /// The text.
    pub(super) text: &'a str,
}

/// A long text of an entry.
#[derive(Debug)]
pub(super) struct Prose<'a> {
    /// Its language, where that is not the page's.
    pub(super) lang: Option<&'static str>,
    /// Paragraphs and code, in their order.
    pub(super) blocks: Vec<Block<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// Sentences.
    Sentences(Vec<Piece<'a>>),
    /// Lines of code.
    Code(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Plain(&'a str),
    Code(&'a str),
}

impl<'a> Told<'a> {
    pub(super) fn new(text: &'a Text, language: Language) -> Self {
        let said = text.in_language(language);
        Self { lang: (said.language != language).then(|| said.language.as_str()), text: said.text }
    }
}

impl<'a> Prose<'a> {
    pub(super) fn new(text: &'a Text, language: Language) -> Self {
        let Told { lang, text } = Told::new(text, language);
        Self { lang, blocks: blocks(text) }
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let is_alone = !text.trim().contains('\n');
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if is_alone || is_sentence(line) {
            blocks.push(Block::Sentences(pieces(line.trim())));
        } else if let Some(Block::Code(code)) = blocks.last_mut() {
            code.push('\n');
            code.push_str(line.trim_end());
        } else {
            blocks.push(Block::Code(line.trim_end().to_owned()));
        }
    }
    blocks
}

/// A sentence begins with a word and ends as sentences do; a command or a line of code does not.
fn is_sentence(line: &str) -> bool {
    let ends = line.trim_end().ends_with(['.', ':', '?', '。', '：', '？']);
    let begins = line.starts_with(|c: char| c.is_alphabetic() || matches!(c, '`' | '“' | '"' | '「'));
    let first = line.split(' ').next().unwrap_or_default();
    ends && begins && !COMMANDS.contains(&first)
}

/// What stands between backticks is code; a lone backtick is itself.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, code, after)) = rest
        .split_once('`')
        .and_then(|(before, behind)| behind.split_once('`').map(|(code, after)| (before, code, after)))
    {
        if !before.is_empty() {
            pieces.push(Piece::Plain(before));
        }
        pieces.push(Piece::Code(code));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

const COMMANDS: [&str; 8] = ["ambit", "curl", "openssl", "date", "export", "docker", "kubectl", "az"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_lines_of_their_own() {
        let text = "By hand, in this order:\nambit app allow etl admin:read\ncurl -s https://as.example/.\nThen call it again.";
        assert_eq!(
            blocks(text),
            [
                Block::Sentences(vec![Piece::Plain("By hand, in this order:")]),
                Block::Code("ambit app allow etl admin:read\ncurl -s https://as.example/.".to_owned()),
                Block::Sentences(vec![Piece::Plain("Then call it again.")]),
            ]
        );
    }

    #[test]
    fn a_text_of_one_line_is_sentences_and_backticks_make_code() {
        assert_eq!(blocks("curl it"), [Block::Sentences(vec![Piece::Plain("curl it")])]);
        let pieces = vec![Piece::Plain("Set "), Piece::Code("iss"), Piece::Plain(", not ` this.")];
        assert_eq!(blocks("Set `iss`, not ` this."), [Block::Sentences(pieces)]);
    }

    #[test]
    fn a_text_that_is_not_in_the_language_asked_for_says_which_it_is_in() {
        let english = Text::english("Get a new token.").expect("a text");
        assert_eq!(Told::new(&english, Language::Zh).lang, Some("en"));
        assert_eq!(Prose::new(&english, Language::Zh).lang, Some("en"));
        assert_eq!(Told::new(&english, Language::En).lang, None);
        let both = english.with_chinese("获取新令牌。");
        let told = Told::new(&both, Language::Zh);
        assert_eq!((told.lang, told.text), (None, "获取新令牌。"));
    }
}
