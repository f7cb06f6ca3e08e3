//! Finds entries by words, for people who look around rather than paste.

use crate::corpus::Corpus;
use crate::entry::Entry;
use crate::input::Flat;

/// The texts of a corpus in the form that is searched.
#[derive(Debug)]
pub(crate) struct Search {
    entries: Vec<Searched>,
}

/// An entry's texts in small letters, by what a hit in them is worth.
#[derive(Debug)]
struct Searched {
    fields: [Box<str>; WORTH.len()],
}

impl Search {
    pub(crate) fn new(corpus: &Corpus) -> Self {
        Self { entries: corpus.entries().iter().map(Searched::new).collect() }
    }

    /// The places of the entries that have all of the words, or else as many of them as any has; best first.
    pub(crate) fn find(&self, query: &str, limit: usize) -> Vec<usize> {
        let query = Flat::new(query);
        let words: Vec<&str> = query.folded().split(' ').filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
        if words.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(usize, u32, usize)> = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let worths = words.iter().map(|word| entry.worth(word));
            let (mut known, mut worth) = (0, 0);
            for of_word in worths {
                known += usize::from(of_word > 0);
                worth += of_word;
            }
            if known > 0 {
                found.push((known, worth, place));
            }
        }
        let most = found.iter().map(|(known, ..)| *known).max().unwrap_or(0);
        found.retain(|(known, ..)| *known == most);
        found.sort_by(|one, other| other.1.cmp(&one.1).then(one.2.cmp(&other.2)));
        found.into_iter().take(limit).map(|(.., place)| place).collect()
    }
}

impl Searched {
    fn new(entry: &Entry) -> Self {
        let text = |parts: &[&str]| Flat::new(&parts.join(" ")).folded().into();
        let both =
            |texts: &crate::entry::Text| texts.all().map(|said| said.text.to_owned()).collect::<Vec<_>>().join(" ");
        let code = entry.error_code.as_deref().unwrap_or_default();
        let names = [entry.aliases.join(" "), entry.tags.join(" ")].join(" ");
        Self {
            fields: [
                text(&[entry.id.as_str(), code, entry.id.slug().replace('-', "_").as_str()]),
                text(&[&both(&entry.title)]),
                text(&[&names, entry.product.title(), entry.product.as_str(), entry.category.as_str()]),
                text(&[&both(&entry.signature)]),
                text(&[&both(&entry.cause)]),
            ],
        }
    }

    /// What a word is worth: the best of the fields that have it.
    fn worth(&self, word: &str) -> u32 {
        let has = |field: &str| memchr::memmem::find(field.as_bytes(), word.as_bytes()).is_some();
        self.fields.iter().zip(WORTH).find(|(field, _)| has(field)).map_or(0, |(_, worth)| worth)
    }
}

/// Id and code; title; tags, product and category; signature; cause.
const WORTH: [u32; 5] = [8, 6, 4, 3, 1];
const MAX_WORDS: usize = 16;
