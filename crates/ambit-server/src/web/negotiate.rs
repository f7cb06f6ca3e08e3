//! Which form an answer takes, and which language: what the address names counts, else what the request prefers
//! (RFC 9110 §12.5).

use std::cmp::Reverse;

use ambit_knowledge::Language;
use axum::http::{HeaderMap, HeaderName, header};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Html,
    /// For programs.
    Json,
    /// For whoever reads text.
    Markdown,
}

/// `lang` names a language that nothing here is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("parameter 'lang' is en or zh: nothing here is written in another language")]
pub(super) struct UnknownLanguage;

impl Form {
    /// Its media type, as it is announced.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }

    /// What is behind the dot of an address that asks for it.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Html => "",
            Self::Json => ".json",
            Self::Markdown => ".md",
        }
    }

    /// The one of those offered that the request likes best; the first where it likes none, since a page is of more use than
    /// a 406 (RFC 9110 §12.4.1 leaves it to the server).
    pub(super) fn preferred(headers: &HeaderMap, offered: &[Self]) -> Self {
        let accepted = weighted(headers, &header::ACCEPT);
        let best = offered.iter().enumerate().max_by(|(place, form), (other_place, other)| {
            let weights = weight(&accepted, form.essence()).total_cmp(&weight(&accepted, other.essence()));
            weights.then(Reverse(place).cmp(&Reverse(other_place)))
        });
        best.map_or(Self::Html, |(_, form)| *form)
    }

    /// Its media type without parameters, as a request names it.
    fn essence(self) -> &'static str {
        self.media_type().split(';').next().unwrap_or_default()
    }
}

/// Whether the request likes one media type better than another. One that likes both alike does not.
pub(super) fn prefers(headers: &HeaderMap, media_type: &str, other: &str) -> bool {
    let accepted = weighted(headers, &header::ACCEPT);
    weight(&accepted, media_type) > weight(&accepted, other)
}

/// RFC 9110 §12.5.1: "the most specific reference has precedence".
fn weight(accepted: &[(String, f32)], media_type: &str) -> f32 {
    let kind = format!("{}/*", media_type.split('/').next().unwrap_or_default());
    [media_type, &kind, "*/*"]
        .iter()
        .find_map(|range| accepted.iter().find(|(name, _)| name == range).map(|(_, weight)| *weight))
        .unwrap_or(0.0)
}

/// The language that an address names, else the one that the request prefers, else English.
pub(super) fn language(named: Option<&str>, headers: &HeaderMap) -> Result<Language, UnknownLanguage> {
    match named {
        Some(tag) => of_tag(&tag.to_ascii_lowercase()).ok_or(UnknownLanguage),
        None => Ok(preferred_language(headers)),
    }
}

/// The first language that the wishes name and that pages are written in, else the one that the request prefers. A wish is a list of
/// BCP 47 tags separated by spaces (OpenID Connect Core §3.1.2.1, `ui_locales`).
pub(super) fn wished_language<'w>(wishes: impl IntoIterator<Item = Option<&'w str>>, headers: &HeaderMap) -> Language {
    let tags = wishes.into_iter().flatten().flat_map(|wish| wish.split(' ')).take(MOST);
    let mut known = tags.filter_map(|tag| of_tag(&tag.to_ascii_lowercase()));
    known.next().unwrap_or_else(|| preferred_language(headers))
}

fn preferred_language(headers: &HeaderMap) -> Language {
    let mut best = (Language::En, 0.0);
    for (tag, weight) in weighted(headers, &header::ACCEPT_LANGUAGE) {
        let language = if tag == "*" { Some(Language::En) } else { of_tag(&tag) };
        if let Some(language) = language.filter(|_| weight > best.1) {
            best = (language, weight);
        }
    }
    best.0
}

/// `zh-CN` and `zh-Hant-TW` are Chinese, `en-GB` is English: there is one of each.
fn of_tag(tag: &str) -> Option<Language> {
    let primary = tag.split('-').next().unwrap_or_default();
    Language::ALL.iter().copied().find(|language| language.as_str() == primary)
}

/// The members of a header of preferences, in small letters, with their weights. A weight that cannot be read is none.
fn weighted(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, f32)> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    let members = lines.flat_map(|line| line.split(',')).take(MOST);
    members
        .filter_map(|member| {
            let mut parts = member.split(';');
            let value = parts.next()?.trim().to_ascii_lowercase();
            let named = parts.find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>())
            });
            let weight = match named {
                None => 1.0,
                Some(Ok(weight)) if (0.0..=1.0).contains(&weight) => weight,
                Some(_) => 0.0,
            };
            (!value.is_empty()).then_some((value, weight))
        })
        .collect()
}

/// Nobody prefers more things than that.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a header"))])
    }

    #[test]
    fn the_most_specific_range_counts_and_the_first_form_breaks_a_tie() {
        let offered = [Form::Html, Form::Json, Form::Markdown];
        for (accept, form) in [
            ("", Form::Html),
            ("*/*", Form::Html),
            ("application/json", Form::Json),
            ("text/markdown", Form::Markdown),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Html),
            ("application/json;q=0.5, text/html;q=0.4", Form::Json),
            ("text/*;q=0.9, text/html;q=0.1", Form::Markdown),
            ("text/html;q=0, */*", Form::Json),
            ("Application/JSON", Form::Json),
            ("application/json;q=7", Form::Html),
            ("image/png", Form::Html),
            ("\u{e9},;;q=,", Form::Html),
        ] {
            assert_eq!(Form::preferred(&headers(header::ACCEPT, accept), &offered), form, "{accept}");
        }
    }

    #[test]
    fn a_named_language_counts_before_a_preferred_one() {
        for (accept, language) in [
            ("", Language::En),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Zh),
            ("de, fr;q=0.9", Language::En),
            ("en;q=0.3, ZH-hant;q=0.4", Language::Zh),
            ("zh;q=0", Language::En),
            ("*", Language::En),
            ("zhx", Language::En),
        ] {
            assert_eq!(preferred_language(&headers(header::ACCEPT_LANGUAGE, accept)), language, "{accept}");
        }
        let chinese = headers(header::ACCEPT_LANGUAGE, "zh");
        assert_eq!(language(Some("en"), &chinese), Ok(Language::En));
        assert_eq!(language(Some("ZH-cn"), &HeaderMap::new()), Ok(Language::Zh));
        for (wishes, language) in [
            ([Some("de zh-CN en"), Some("en")], Language::Zh),
            ([Some("de"), Some("en-GB")], Language::En),
            ([None, Some("../../zh")], Language::Zh),
            ([None, None], Language::Zh),
        ] {
            assert_eq!(wished_language(wishes, &chinese), language, "{wishes:?}");
        }
        for unknown in ["", "de", "*", "zh\r\nSet-Cookie: a=b", "english"] {
            assert_eq!(language(Some(unknown), &chinese), Err(UnknownLanguage), "{unknown:?}");
        }
    }
}
