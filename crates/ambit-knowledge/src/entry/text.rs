//! A text in the languages that it has been written in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Language;

/// A text, language by language. It has at least one of them, and none of them is blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Translations")]
#[schemars(with = "Translations")]
pub struct Text {
    #[serde(skip_serializing_if = "Option::is_none")]
    en: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zh: Option<Box<str>>,
}

/// A text in one language, and which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said<'a> {
    /// The language that it is in: not always the one that was asked for.
    pub language: Language,
    /// The text.
    pub text: &'a str,
}

/// A text in English, in Chinese, or both.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Text")]
struct Translations {
    /// English.
    #[serde(default)]
    #[schemars(length(min = 1))]
    en: Option<String>,
    /// Chinese.
    #[serde(default)]
    #[schemars(length(min = 1))]
    zh: Option<String>,
}

impl Text {
    /// A text in English.
    ///
    /// Returns `None` for a blank one.
    #[must_use]
    pub fn english(text: &str) -> Option<Self> {
        let en = filled(text)?;
        Some(Self { en: Some(en), zh: None })
    }

    /// The same text with its Chinese form. A blank one changes nothing.
    #[must_use]
    pub fn with_chinese(self, text: &str) -> Self {
        Self { zh: filled(text).or(self.zh), ..self }
    }

    /// The text in a language; `None` where nobody has written it.
    #[must_use]
    pub fn get(&self, language: Language) -> Option<&str> {
        match language {
            Language::En => self.en.as_deref(),
            Language::Zh => self.zh.as_deref(),
        }
    }

    /// The text in the language asked for, or else in one that there is. Which one it became is part of the answer, so
    /// that nobody takes it for the other.
    #[must_use]
    pub fn in_language(&self, wanted: Language) -> Said<'_> {
        let others = Language::ALL.iter().copied().filter(|other| *other != wanted);
        let mut found = [wanted].into_iter().chain(others);
        let said = found.find_map(|language| self.get(language).map(|text| Said { language, text }));
        // `try_from` and `english` let no text through that is in no language.
        said.unwrap_or(Said { language: wanted, text: "" })
    }

    /// The text in every language that it has.
    pub fn all(&self) -> impl Iterator<Item = Said<'_>> {
        Language::ALL.iter().filter_map(|&language| self.get(language).map(|text| Said { language, text }))
    }
}

impl TryFrom<Translations> for Text {
    type Error = &'static str;

    fn try_from(read: Translations) -> Result<Self, Self::Error> {
        let is_blank = |text: &Option<String>| text.as_deref().is_some_and(|text| text.trim().is_empty());
        if is_blank(&read.en) || is_blank(&read.zh) {
            return Err("a text is not blank: leave the language out, or write it");
        }
        if read.en.is_none() && read.zh.is_none() {
            return Err("a text is in at least one language: en, zh");
        }
        Ok(Self { en: read.en.map(Into::into), zh: read.zh.map(Into::into) })
    }
}

fn filled(text: &str) -> Option<Box<str>> {
    (!text.trim().is_empty()).then(|| text.into())
}
