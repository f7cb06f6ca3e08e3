//! What a value of the configuration can be: how it is read, which rule it breaks when it cannot be, how it is shown.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ambit_protocol::jose::Algorithm;

/// A value as it was written.
#[derive(Clone, PartialEq)]
pub(super) enum Raw {
    /// From a flag or the environment, where everything is text.
    Loose(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    List(Vec<Raw>),
    /// A TOML value of a type that no key has.
    Other(&'static str),
}

impl Raw {
    /// The text of a flag, a variable or a TOML string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Loose(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Loose(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// As an error message quotes it: on one line and not too long.
    pub(super) fn quoted(&self) -> String {
        let mut quoted = String::new();
        match self {
            Self::Loose(text) | Self::Text(text) => {
                let short: String = text.chars().take(QUOTED_CHARS).collect();
                let mark = if short.len() < text.len() { "…" } else { "" };
                // Writing to a String cannot fail.
                let _ = write!(quoted, "{short:?}{mark}");
            }
            Self::Integer(integer) => quoted = integer.to_string(),
            Self::Boolean(boolean) => quoted = boolean.to_string(),
            Self::List(_) => quoted.push_str("an array"),
            Self::Other(what) => quoted.push_str(what),
        }
        quoted
    }
}

/// A type that keys can have.
pub(super) trait Setting: Sized {
    /// What a value must be, after the words "must be".
    const FORM: &'static str;
    /// Whether it is shown to nobody.
    const SECRET: bool = false;

    /// Reads it; the error completes "must be …".
    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>>;

    /// As it would be written in the file; none where there is no value.
    fn show(&self) -> Option<String>;

    /// What an absent key without a default stands for, if it may be absent.
    fn absent() -> Option<Self> {
        None
    }

    /// Compares, where a key of this type can have bounds.
    fn compare(&self, _other: &Self) -> Option<Ordering> {
        None
    }
}

impl<T: Setting> Setting for Option<T> {
    const FORM: &'static str = T::FORM;
    const SECRET: bool = T::SECRET;

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        T::read(raw).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const FORM: &'static str = T::FORM;
    const SECRET: bool = T::SECRET;

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw {
            // In the environment and in flags a list is written with commas.
            Raw::Loose(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| T::read(&Raw::Loose(item.to_owned())))
                .collect(),
            Raw::List(items) => items.iter().map(T::read).collect(),
            _ => Err(Cow::Borrowed("an array")),
        }
    }

    fn show(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(T::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

impl Setting for bool {
    const FORM: &'static str = "true or false";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Loose(text) => text.parse().map_err(|_| Self::FORM.into()),
            _ => Err(Self::FORM.into()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

macro_rules! integer_settings {
    ($($type:ty)*) => {$(
        impl Setting for $type {
            const FORM: &'static str = "a whole number";

            fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
                raw.integer().and_then(|integer| integer.try_into().ok()).ok_or(Self::FORM.into())
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }

            fn compare(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    )*};
}

integer_settings!(u16 u32 usize);

/// Written with a unit, because a bare number has none.
impl Setting for Duration {
    const FORM: &'static str = "a duration with its unit (ms, s, min, h, days), such as \"30 s\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        raw.text().and_then(parse_duration).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(format!("{:?}", duration_text(*self)))
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Setting for PathBuf {
    const FORM: &'static str = "a path";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        match raw.text() {
            Some(text) if !text.contains('\0') => Ok(text.into()),
            _ => Err(Self::FORM.into()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(toml_text(&self.display().to_string()))
    }
}

impl Setting for String {
    const FORM: &'static str = "a text";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        raw.text().map(str::to_owned).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(toml_text(self))
    }
}

impl Setting for SocketAddr {
    const FORM: &'static str = "an IP address and a port, such as \"127.0.0.1:5000\" or \"[::1]:5000\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        raw.text().and_then(|text| text.parse().ok()).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

impl Setting for Algorithm {
    const FORM: &'static str = "\"ES256\", \"RS256\", \"PS256\" or \"EdDSA\"";

    fn read(raw: &Raw) -> Result<Self, Cow<'static, str>> {
        raw.text().and_then(|text| text.parse().ok()).ok_or(Self::FORM.into())
    }

    fn show(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

/// A text as TOML writes it: Rust's own escapes are not all TOML's.
pub(super) fn toml_text(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

fn duration_text(duration: Duration) -> String {
    // Durations come from parse_duration: whole milliseconds of less than 2^64.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (name, unit) = UNITS
        .iter()
        .rev()
        .find(|(name, unit)| millis >= *unit && millis.is_multiple_of(*unit) && *name != "day")
        .unwrap_or(&UNITS[0]);
    match (millis / unit, *name) {
        (1, "days") => "1 day".to_owned(),
        (count, name) => format!("{count} {name}"),
    }
}

/// A whole number and the unit behind it, with or without a space between.
pub(super) fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.strip_prefix(' ').unwrap_or(unit)))
}

const QUOTED_CHARS: usize = 60;
const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("day", 86_400_000), ("days", 86_400_000)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_unit_it_knows() {
        for (text, millis) in [("250 ms", 250), ("30s", 30_000), ("5 min", 300_000), ("2 h", 7_200_000), ("0 s", 0)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration("1 day"), parse_duration("24 h"));
        for bad in ["", "30", "s", "-1 s", "1.5 s", "30  s", "30 sec", "5m", "30 S", "18446744073709551615 days"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert!(Duration::read(&Raw::Integer(30)).is_err());
    }

    #[test]
    fn a_duration_is_shown_in_its_largest_whole_unit_and_reads_back() {
        for text in ["0 ms", "1 ms", "90 s", "1 min", "36 h", "1 day", "30 days"] {
            let duration = parse_duration(text).expect("a duration");
            assert_eq!(duration_text(duration), text);
        }
    }

    #[test]
    fn a_number_in_the_file_is_a_number_and_not_a_text() {
        assert_eq!(u32::read(&Raw::Integer(5)), Ok(5));
        assert_eq!(u32::read(&Raw::Loose("5".into())), Ok(5));
        assert!(u32::read(&Raw::Text("5".into())).is_err());
        assert!(u32::read(&Raw::Integer(-1)).is_err());
        assert!(u32::read(&Raw::Integer(1 << 32)).is_err());
        assert!(u32::read(&Raw::Loose("5 ".into())).is_err());
    }

    #[test]
    fn a_list_is_an_array_in_the_file_and_has_commas_elsewhere() {
        assert_eq!(Vec::<u32>::read(&Raw::Loose("1, 2,".into())), Ok(vec![1, 2]));
        assert_eq!(Vec::<u32>::read(&Raw::List(vec![Raw::Integer(1)])), Ok(vec![1]));
        assert!(Vec::<u32>::read(&Raw::Text("1".into())).is_err());
        assert!(Vec::<u32>::read(&Raw::List(vec![Raw::Boolean(true)])).is_err());
    }

    #[test]
    fn what_is_quoted_stays_short_and_on_one_line() {
        assert_eq!(Raw::Text("a\nb\u{1b}[0m".into()).quoted(), r#""a\nb\u{1b}[0m""#);
        assert!(Raw::Text("x".repeat(10_000)).quoted().chars().count() < 80);
    }
}
