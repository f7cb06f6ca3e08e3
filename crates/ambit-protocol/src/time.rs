//! Moments: whole milliseconds since 1970-01-01T00:00:00Z. JSON shows RFC 3339, tables hold the integer, tokens carry
//! whole seconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC, in milliseconds.
///
/// ```
/// use ambit_protocol::time::Timestamp;
/// let minted = Timestamp::from_secs(1_700_000_000);
/// assert_eq!(minted.to_string(), "2023-11-14T22:13:20Z");
/// assert_eq!(minted.plus_secs(60).secs(), 1_700_000_060);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch, saturating.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: what `iat` and `exp` carry (RFC 7519 §2, `NumericDate`).
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and so many seconds.
    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1000)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => fmt::Display::fmt(&moment, f),
            // jiff's moments end a day before its dates do, so that every time zone has room.
            Err(_) => match EPOCH.checked_add(SignedDuration::from_millis(self.0)) {
                Ok(date_time) => write!(f, "{date_time}Z"),
                // Outside the years −9999 to 9999 there is no RFC 3339 text.
                Err(_) => write!(f, "{}ms", self.0),
            },
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const DAY_SECS: i32 = 24 * 3600;

/// A text that is no RFC 3339 moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a moment in RFC 3339 form, such as 2026-01-31T12:00:00Z")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let parts = Pieces::parse(text).map_err(|_| TimestampError)?;
        let (Some(time), Some(offset)) = (parts.time(), parts.to_numeric_offset()) else { return Err(TimestampError) };
        // RFC 3339 §5.6: the hours of an offset end at 23, and behind it there is nothing.
        if offset.seconds().abs() >= DAY_SECS || parts.time_zone_annotation().is_some() {
            return Err(TimestampError);
        }
        let since = DateTime::from_parts(parts.date(), time).duration_since(EPOCH);
        let since = since - SignedDuration::from_secs(offset.seconds().into());
        i64::try_from(since.as_millis()).map(Self).map_err(|_| TimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i64> {
        text.parse().ok().map(Timestamp::millis)
    }

    #[test]
    fn a_text_is_the_moment_it_names() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-31T12:00:00.250Z", 1_769_860_800_250),
            ("2026-01-31T13:30:00+01:30", 1_769_860_800_000),
            ("2026-01-30T12:01:00-23:59", 1_769_860_800_000),
            ("2026-01-31t12:00:00z", 1_769_860_800_000),
            ("1969-12-31T23:59:59.999Z", -1),
            // "Never", as many write it: the last moment that RFC 3339 has.
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ] {
            assert_eq!(read(text), Some(millis), "{text}");
            assert_eq!(read(&Timestamp::from_millis(millis).to_string()), Some(millis), "{text}, written again");
        }
        assert_eq!(Timestamp::from_millis(253_402_300_799_000).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), format!("{}ms", i64::MAX));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-02-30T12:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+25:00",
            "2026-01-31T12:00:00-24:00",
            "2026-01-31T12:00:00Z[UTC]",
            "2026-01-31T12:00:00+01:00[Europe/Paris]",
            "10000-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
