//! Prometheus' text form, version 0.0.4: families, and the samples in them.

use std::fmt::{Display, Write as _};

use super::families::Family;
use super::histogram::Counted;

/// A text in the making. Families are written one after the other.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// The samples of one family.
#[derive(Debug)]
pub(super) struct Samples<'t> {
    text: &'t mut String,
    family: &'static Family,
}

impl Text {
    /// Begins a family.
    pub(super) fn family(&mut self, family: &'static Family) -> Samples<'_> {
        let help = family.help().replace('\\', r"\\");
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP {0} {help}\n# TYPE {0} {1}", family.name, family.kind.as_str());
        Samples { text: &mut self.0, family }
    }

    /// The family of one sample without labels.
    pub(super) fn one(&mut self, family: &'static Family, value: impl Display) {
        self.family(family).add(&[], value);
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Samples<'_> {
    /// A sample, with the values of the family's labels in their order.
    pub(super) fn add(&mut self, values: &[&str], value: impl Display) {
        self.sample("", values, None, value);
    }

    /// The samples of a histogram.
    pub(super) fn add_histogram(&mut self, values: &[&str], counted: &Counted) {
        for (bound, below) in &counted.cumulative {
            self.sample("_bucket", values, Some(&bound.to_string()), below);
        }
        self.sample("_bucket", values, Some("+Inf"), counted.count);
        self.sample("_sum", values, None, counted.sum);
        self.sample("_count", values, None, counted.count);
    }

    fn sample(&mut self, suffix: &str, values: &[&str], bound: Option<&str>, value: impl Display) {
        debug_assert_eq!(values.len(), self.family.labels.len(), "{}", self.family.name);
        let _ = write!(self.text, "{}{suffix}", self.family.name);
        let labels = self.family.labels.iter().copied().zip(values.iter().copied()).chain(bound.map(|le| ("le", le)));
        let mut before = '{';
        for (name, value) in labels {
            let _ = write!(self.text, "{before}{name}=\"");
            escape(self.text, value);
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// A label's value "can be any sequence of UTF-8 characters, but the backslash, double-quote, and line feed characters have to be
/// escaped".
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str(r"\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str(r"\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line_or_itself() {
        let mut text = String::new();
        escape(&mut text, "a\"} 1\nb\\n\u{7f}é");
        assert_eq!(text, "a\\\"} 1\\nb\\\\n\u{7f}é");
    }
}
