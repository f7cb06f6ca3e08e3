//! What others wrote, as a page shows it: plain text, of one line, cut where it gets long, in the reader's language where there is one.

use ambit_knowledge::Language;
use ambit_protocol::admin::text::Texts;

/// A text that somebody registered, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The text.
    pub(super) text: String,
    /// Its language, where that is not the page's.
    pub(super) lang: Option<&'static str>,
}

impl Shown {
    /// The text in a language or, where it was not written in that, in English.
    pub(super) fn of(texts: &Texts, language: Language, most: usize) -> Self {
        match texts.get(language.as_str()) {
            Some(text) => Self { text: plain(text, most), lang: None },
            None => Self { text: plain(texts.en(), most), lang: Some("en") },
        }
    }

    /// A text of the page's own.
    pub(super) fn ours(text: &str) -> Self {
        Self { text: text.to_owned(), lang: None }
    }
}

/// At most so many characters of a text, on one line. Characters that nobody sees are left out: those that turn the direction of
/// writing would let a name rewrite the sentence around it (CVE-2021-42574). Markup stays what it is, text: the template escapes it.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .map(|word| word.chars().filter(|c| !is_unseen(*c)).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(most) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(most.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Characters of a name.
pub(crate) const NAME: usize = 80;
/// Characters of a sentence.
pub(super) const SENTENCE: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_on_one_line_without_what_nobody_sees() {
        for (text, shown) in [
            ("Till", "Till"),
            ("  Till \n\t 7 ", "Till 7"),
            ("\u{202e}lliT\u{202c}", "lliT"),
            ("Ti\u{200b}ll\u{feff}", "Till"),
            ("<b>Till</b>", "<b>Till</b>"),
            ("收银台", "收银台"),
            ("\u{202e}", ""),
        ] {
            assert_eq!(plain(text, 20), shown, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_cut_at_its_length_and_not_before() {
        assert_eq!(plain("12345", 5), "12345");
        assert_eq!(plain("123456", 5), "1234…");
        assert_eq!(plain("收银台收银台", 5), "收银台收…");
        assert_eq!(plain(&"x".repeat(1_000_000), 80).chars().count(), 80);
    }
}
