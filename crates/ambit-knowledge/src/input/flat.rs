//! The text in the form that is searched.

use std::ops::Range;

/// A text with every run of white space made one space, beside the same in small letters. A place in one is the same
/// place in the other, so that what was found in small letters can be shown as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Flat {
    text: String,
    folded: String,
}

impl Flat {
    pub(crate) fn new(original: &str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut folded = String::with_capacity(original.len());
        let mut is_space = true;
        for c in original.chars() {
            if c.is_whitespace() {
                if !is_space {
                    text.push(' ');
                    folded.push(' ');
                }
                is_space = true;
                continue;
            }
            is_space = false;
            // The two characters that fold to ASCII letters and are none.
            let c = match c {
                '\u{212a}' => 'k',
                '\u{17f}' => 's',
                c => c,
            };
            text.push(c);
            folded.push(fold(c));
        }
        if text.ends_with(' ') {
            text.pop();
            folded.pop();
        }
        Self { text, folded }
    }

    /// As it was written, white space apart.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// In small letters.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }

    /// What stands around a place, for people.
    pub(crate) fn around(&self, place: Range<usize>) -> &str {
        let mut to = place.end.min(place.start + MAX_SHOWN);
        while !self.text.is_char_boundary(to) {
            to -= 1;
        }
        &self.text[place.start..to]
    }
}

/// A character's small form, where that takes as many octets.
pub(crate) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut small = c.to_lowercase();
    match (small.next(), small.next()) {
        (Some(one), None) if one.len_utf8() == c.len_utf8() => one,
        _ => c,
    }
}

const MAX_SHOWN: usize = 240;
