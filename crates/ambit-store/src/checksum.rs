//! Checksums of rows: what a disk, a memory or a hand altered is noticed, and is not taken for what was written.
//!
//! A checksum is a CRC-64 of the table's name and of the row's columns, each with its length, so that an octet that moves from
//! one column into the next shows as well. It protects from faults, and from nobody who can write to the database: they can
//! write the checksum too. What must withstand them is sealed under the master key.
//!
//! A row without a checksum is not checked: a program of before migration 0010 wrote it. Such a program may still be at work
//! beside a newer one, while nodes are upgraded one by one, and changes a row without knowing of its checksum. So where rows are
//! changed, the checksum holds what every change replaces as well, as it was then (the [`Table::stamp`]): where that is another
//! one now and the rest is too, an older program wrote the row, and it is not checked either.

use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use crc::{CRC_64_XZ, Crc, Table as Slices};

use crate::pool::Engine;
use crate::row::corrupt;
use crate::sql::{Kind, Value};

/// A table whose rows have checksums: in its column `checksum`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What is covered. A column that is not here may be changed alone.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// How many of them, from the first on, tell the row from others.
    pub(crate) key: usize,
    /// Which of them every change replaces: a number that grows, or a token. None where no covered column is ever changed.
    stamp: Option<usize>,
    /// The rows that matter, where not all do.
    pub(crate) only: Option<&'static str>,
}

/// A value as it is summed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    Octets(Option<&'a [u8]>),
    Number(Option<i64>),
}

/// What a checksum says of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it was written.
    Whole,
    /// Nobody knows.
    Unchecked,
    /// It is not as it was written.
    Damaged,
}

impl Table {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// The covered columns, texts as their octets, for a SELECT.
    pub(crate) fn as_octets(&self, engine: Engine) -> String {
        let columns = self.columns.iter().map(|(name, kind)| match kind {
            Kind::Text => engine.octets(name),
            Kind::Number | Kind::Octets => (*name).to_owned(),
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The checksum of a row that is about to be written.
    pub(crate) fn checksum<'a>(&self, parts: impl IntoIterator<Item = Part<'a>>) -> Value {
        let parts: Vec<_> = parts.into_iter().collect();
        let mut checksum = self.stamp(&parts).map(|stamp| stamp.to_be_bytes().to_vec()).unwrap_or_default();
        checksum.extend_from_slice(&self.sum(&parts).to_be_bytes());
        checksum.into()
    }

    /// Whether a row is as it was written.
    pub(crate) fn verdict(&self, parts: &[Part<'_>], checksum: Option<&[u8]>) -> Verdict {
        let Some(checksum) = checksum else { return Verdict::Unchecked };
        let Some((stamp_then, sum)) = split(checksum) else { return Verdict::Damaged };
        let is_as_written = self.sum(parts) == sum;
        let stamp = self.stamp(parts);
        match (stamp_then, stamp) {
            _ if stamp_then == stamp && is_as_written => Verdict::Whole,
            (Some(then), Some(now)) if then != now && !is_as_written && self.may_follow(parts, then, sum) => {
                Verdict::Unchecked
            }
            _ => Verdict::Damaged,
        }
    }

    /// The same, as an error that names the row.
    pub(crate) fn check(
        &self,
        parts: &[Part<'_>],
        checksum: Option<&[u8]>,
        resource: Resource,
        id: impl FnOnce() -> String,
    ) -> Result<(), StoreError> {
        match self.verdict(parts, checksum) {
            Verdict::Whole | Verdict::Unchecked => Ok(()),
            Verdict::Damaged => Err(corrupt(resource, &id(), ALTERED)),
        }
    }

    /// Whether an older program may have written what there is now over what had this stamp and sum: a number has grown since,
    /// and something else is another one as well.
    fn may_follow(&self, parts: &[Part<'_>], then: i64, sum: u64) -> bool {
        let Some(place) = self.stamp else { return false };
        let Part::Number(now) = parts[place] else { return true };
        let mut before = parts.to_vec();
        before[place] = Part::Number(Some(then));
        now.is_some_and(|now| now > then) && self.sum(&before) != sum
    }

    fn stamp(&self, parts: &[Part<'_>]) -> Option<i64> {
        match parts[self.stamp?] {
            Part::Number(number) => number,
            Part::Octets(octets) => octets?.first_chunk().map(|first| i64::from_be_bytes(*first)),
        }
    }

    fn sum(&self, parts: &[Part<'_>]) -> u64 {
        debug_assert_eq!(parts.len(), self.columns.len(), "{}", self.name);
        let mut digest = CRC.digest();
        for part in [Part::from(self.name)].iter().chain(parts) {
            match part {
                Part::Octets(None) | Part::Number(None) => digest.update(&[0]),
                Part::Octets(Some(octets)) => {
                    digest.update(&[1]);
                    digest.update(&(octets.len() as u64).to_be_bytes());
                    digest.update(octets);
                }
                Part::Number(Some(number)) => {
                    digest.update(&[2]);
                    digest.update(&number.to_be_bytes());
                }
            }
        }
        digest.finalize()
    }
}

/// A stored checksum's stamp, if its table has one, and sum.
fn split(checksum: &[u8]) -> Option<(Option<i64>, u64)> {
    let (rest, sum) = checksum.split_last_chunk()?;
    let stamp = match rest {
        [] => None,
        stamp => Some(i64::from_be_bytes(stamp.try_into().ok()?)),
    };
    Some((stamp, u64::from_be_bytes(*sum)))
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Octets(Some(text.as_bytes()))
    }
}

impl<'a> From<Option<&'a str>> for Part<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Octets(text.map(str::as_bytes))
    }
}

impl From<Timestamp> for Part<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Number(Some(at.millis()))
    }
}

impl<'a> From<&'a SecretHash> for Part<'a> {
    fn from(hash: &'a SecretHash) -> Self {
        Self::Octets(Some(hash.as_bytes()))
    }
}

impl<'a> From<&'a Value> for Part<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Text(text) => Self::Octets(text.as_deref().map(str::as_bytes)),
            Value::Octets(octets) => Self::Octets(octets.as_deref()),
            Value::Number(number) => Self::Number(*number),
        }
    }
}

/// A noun's table.
pub(crate) const fn noun(name: &'static str) -> Table {
    Table { name, columns: NOUN, key: 1, stamp: Some(5), only: None }
}

pub(crate) const ALTERED: &str = "it is not as it was written: its checksum is another one";

// Sixteen octets at a time.
static CRC: Crc<u64, Slices<16>> = Crc::<u64, Slices<16>>::new(&CRC_64_XZ);

const NOUN: &[(&str, Kind)] = &[
    ("id", Kind::Text),
    ("natural_key", Kind::Text),
    ("parent", Kind::Text),
    ("tenant_id", Kind::Text),
    ("partner_id", Kind::Text),
    ("revision", Kind::Number),
    ("document", Kind::Text),
    ("sealed", Kind::Octets),
];

/// The change log, of which nothing is ever changed.
pub(crate) const CHANGES: Table = Table {
    name: "changes",
    columns: &[
        ("revision", Kind::Number),
        ("position", Kind::Number),
        ("at", Kind::Number),
        ("actor", Kind::Text),
        ("action", Kind::Text),
        ("resource", Kind::Text),
        ("resource_id", Kind::Text),
        ("natural_key", Kind::Text),
        ("parent", Kind::Text),
        ("tenant_id", Kind::Text),
        ("partner_id", Kind::Text),
        ("trace_id", Kind::Text),
        ("before", Kind::Text),
        ("after", Kind::Text),
    ],
    key: 2,
    stamp: None,
    only: None,
};

pub(crate) const INTERACTIONS: Table = Table {
    name: "interactions",
    columns: &[
        ("id", Kind::Octets),
        ("browser", Kind::Octets),
        ("version", Kind::Number),
        ("expires_at", Kind::Number),
        ("document", Kind::Text),
    ],
    key: 1,
    stamp: Some(2),
    only: None,
};

/// Without the times, which every use changes: what a session may last is also reckoned from its document.
pub(crate) const SESSIONS: Table = Table {
    name: "sessions",
    columns: &[
        ("id", Kind::Text),
        ("token", Kind::Octets),
        ("user_id", Kind::Text),
        ("created_at", Kind::Number),
        ("document", Kind::Text),
    ],
    key: 1,
    stamp: Some(1),
    only: None,
};

/// Without `spent_at`, which is set once.
pub(crate) const CODES: Table = Table {
    name: "codes",
    columns: &[
        ("token", Kind::Octets),
        ("grant_id", Kind::Text),
        ("expires_at", Kind::Number),
        ("document", Kind::Text),
    ],
    key: 1,
    stamp: None,
    only: None,
};

/// While they go on: nothing comes of one that has ended, and its end changes when it expires.
pub(crate) const GRANTS: Table = Table {
    name: "grants",
    columns: &[
        ("id", Kind::Text),
        ("application_id", Kind::Text),
        ("client_id", Kind::Text),
        ("user_id", Kind::Text),
        ("session_id", Kind::Text),
        ("created_at", Kind::Number),
        ("expires_at", Kind::Number),
        ("document", Kind::Text),
    ],
    key: 1,
    stamp: None,
    only: Some("ended_at IS NULL"),
};

/// Without `used_at`, which is set once.
pub(crate) const REFRESH_TOKENS: Table = Table {
    name: "refresh_tokens",
    columns: &[("token", Kind::Octets), ("grant_id", Kind::Text), ("expires_at", Kind::Number)],
    key: 1,
    stamp: None,
    only: None,
};

pub(crate) const CONSENTS: Table = Table {
    name: "consents",
    columns: &[
        ("user_id", Kind::Text),
        ("application_id", Kind::Text),
        ("updated_at", Kind::Number),
        ("document", Kind::Text),
    ],
    key: 2,
    stamp: Some(2),
    only: None,
};

/// Without `used_at`, which is set once.
pub(crate) const ONE_TIME_TOKENS: Table = Table {
    name: "one_time_tokens",
    columns: &[
        ("token", Kind::Octets),
        ("purpose", Kind::Text),
        ("subject", Kind::Text),
        ("expires_at", Kind::Number),
        ("document", Kind::Text),
    ],
    key: 1,
    stamp: Some(0),
    only: None,
};

pub(crate) static TABLES: [Table; 24] = [
    noun("partners"),
    noun("tenants"),
    noun("units"),
    noun("features"),
    noun("tenant_features"),
    noun("unit_features"),
    noun("apis"),
    noun("scopes"),
    noun("applications"),
    noun("secrets"),
    noun("administrators"),
    noun("keys"),
    noun("users"),
    noun("groups"),
    noun("memberships"),
    noun("credentials"),
    CHANGES,
    INTERACTIONS,
    SESSIONS,
    CODES,
    GRANTS,
    REFRESH_TOKENS,
    CONSENTS,
    ONE_TIME_TOKENS,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(document: &str, revision: i64) -> Vec<Value> {
        let none = || Value::Text(None);
        vec![
            "app_1".into(),
            "till-7".into(),
            none(),
            none(),
            none(),
            revision.into(),
            document.into(),
            Value::Octets(Some(vec![7; 32])),
        ]
    }

    fn parts(values: &[Value]) -> Vec<Part<'_>> {
        values.iter().map(Part::from).collect()
    }

    fn verdict(values: &[Value], checksum: &Value) -> Verdict {
        let Value::Octets(checksum) = checksum else { panic!("{checksum:?}") };
        noun("applications").verdict(&parts(values), checksum.as_deref())
    }

    /// Every octet of a value, each with another bit flipped.
    fn flipped(value: &Value) -> Vec<Value> {
        match value {
            Value::Text(None) => vec!["a".into()],
            Value::Number(None) => vec![0_i64.into()],
            Value::Octets(None) => vec![Value::Octets(Some(vec![]))],
            Value::Text(Some(text)) => (0..text.len())
                .map(|place| {
                    let mut octets = text.clone().into_bytes();
                    octets[place] ^= 1 << (place % 7);
                    Value::from(String::from_utf8(octets).unwrap())
                })
                .collect(),
            Value::Number(Some(number)) => (0..64).map(|bit| (number ^ (1 << bit)).into()).collect(),
            Value::Octets(Some(octets)) => (0..octets.len() * 8)
                .map(|bit| {
                    let mut octets = octets.clone();
                    octets[bit / 8] ^= 1 << (bit % 8);
                    octets.into()
                })
                .collect(),
        }
    }

    #[test]
    fn a_bit_that_was_flipped_anywhere_shows() {
        let whole = written(r#"{"allowed_scopes":["offers:read"]}"#, 7);
        let checksum = noun("applications").checksum(parts(&whole));
        assert_eq!(verdict(&whole, &checksum), Verdict::Whole);
        for column in 0..whole.len() {
            for damaged in flipped(&whole[column]) {
                let mut row = whole.clone();
                row[column] = damaged;
                assert_eq!(verdict(&row, &checksum), Verdict::Damaged, "{row:?}");
            }
        }
        for damaged in flipped(&checksum) {
            assert_eq!(verdict(&whole, &damaged), Verdict::Damaged, "{damaged:?}");
        }
        assert_eq!(verdict(&whole, &Value::Octets(None)), Verdict::Unchecked);
        assert_eq!(verdict(&whole, &Value::Octets(Some(vec![0; 7]))), Verdict::Damaged);
    }

    #[test]
    fn an_octet_that_moves_into_the_next_column_shows() {
        let mut row = written("{}", 7);
        let checksum = noun("applications").checksum(parts(&row));
        (row[0], row[1]) = ("app_".into(), "1till-7".into());
        assert_eq!(verdict(&row, &checksum), Verdict::Damaged);
        // Nor is nothing the same as an empty text, or a row the same in another table.
        row = written("{}", 7);
        row[2] = "".into();
        assert_eq!(verdict(&row, &checksum), Verdict::Damaged);
        assert_ne!(noun("keys").checksum(parts(&written("{}", 7))), checksum);
    }

    #[test]
    fn what_an_older_program_wrote_since_is_not_checked() {
        let checksum = noun("applications").checksum(parts(&written("{}", 7)));
        assert_eq!(verdict(&written(r#"{"n":2}"#, 8), &checksum), Verdict::Unchecked);
        // A revision does not go back, and none comes alone.
        assert_eq!(verdict(&written(r#"{"n":2}"#, 6), &checksum), Verdict::Damaged);
        assert_eq!(verdict(&written("{}", 8), &checksum), Verdict::Damaged);

        let session = |token: u8, document: &'static str| {
            vec![
                Value::from("ses_1"),
                Value::Octets(Some(vec![token; 32])),
                "usr_1".into(),
                5_i64.into(),
                document.into(),
            ]
        };
        let Value::Octets(checksum) = SESSIONS.checksum(parts(&session(1, "{}"))) else { panic!() };
        let verdict = |row: &[Value]| SESSIONS.verdict(&parts(row), checksum.as_deref());
        assert_eq!(verdict(&session(1, "{}")), Verdict::Whole);
        assert_eq!(verdict(&session(1, "[]")), Verdict::Damaged);
        assert_eq!(verdict(&session(2, "[]")), Verdict::Unchecked);
    }

    #[test]
    fn every_noun_has_checksums() {
        for resource in Resource::ALL {
            if let Some(name) = crate::row::table(resource) {
                assert!(Table::find(name).is_some(), "{name}");
            }
        }
    }
}
