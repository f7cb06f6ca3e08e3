//! A backup as text: one JSON value a line, of no engine.
//!
//! 1. The header: [`Header`].
//! 2. A line per row: the table's name and its columns in the order of [`TABLES`]. Octets are base64.
//! 3. The footer: [`Footer`], which counts the rows and carries the SHA-256 of every octet before it. A file that was cut
//!    short or changed does not end in the footer that its beginning calls for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx::any::AnyRow;

use crate::checksum::{self, CHANGES, CONSENTS};
use crate::error::Result;
use crate::sql::{Columns, Kind, Value};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// The version of this format.
    pub(crate) ambit_backup: u32,
    /// The version of the schema the rows are of.
    pub(crate) schema: u32,
    /// The registry's revision.
    pub(crate) revision: u64,
    /// The number of the last revocation.
    pub(crate) revocations: u64,
    /// When the backup was begun.
    pub(crate) at: Timestamp,
}

/// The last line.
#[derive(Debug, Serialize)]
pub(crate) struct Footer<'a> {
    /// How many rows there are, by table.
    pub(crate) rows: &'a BTreeMap<&'static str, u64>,
    /// SHA-256 of the lines before, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// The digest of what was written or read so far, and what was in it.
pub(crate) struct Tally {
    digest: Context,
    pub(crate) rows: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { digest: Context::new(&SHA256), rows: BTreeMap::new() }
    }

    pub(crate) fn line(&mut self, line: &[u8]) {
        self.digest.update(line);
    }

    pub(crate) fn row(&mut self, table: &'static str) {
        *self.rows.entry(table).or_default() += 1;
    }

    /// The footer that belongs here, with its line's end.
    pub(crate) fn footer(&self) -> serde_json::Result<String> {
        let sha256 = hexadecimal(self.digest.clone().finish().as_ref());
        Ok(serde_json::to_string(&Footer { rows: &self.rows, sha256 })? + "\n")
    }
}

/// Octets as hexadecimal digits.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A table with its columns; it is written in the order of the first `key`.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    columns: &'static [(&'static str, Kind)],
    key: usize,
    /// Whether a checksum of them stands behind them.
    has_checksum: bool,
}

impl Table {
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// A table whose rows have checksums.
    const fn checked(table: &checksum::Table) -> Self {
        Self { name: table.name, columns: table.columns, key: table.key, has_checksum: true }
    }

    const fn unchecked(name: &'static str, columns: &'static [(&'static str, Kind)], key: usize) -> Self {
        Self { name, columns, key, has_checksum: false }
    }

    fn columns(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.columns.iter().copied().chain(self.has_checksum.then_some(("checksum", Kind::Octets)))
    }

    pub(crate) fn column_names(&self) -> String {
        self.columns().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn select(&self) -> String {
        let order = self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        format!("SELECT {} FROM {} ORDER BY {order}", self.column_names(), self.name)
    }

    /// A row as a line.
    pub(crate) fn line(&self, row: &AnyRow) -> Result<String> {
        let mut columns = Columns::of(row);
        let mut values = vec![Json::from(self.name)];
        for (_, kind) in self.columns() {
            values.push(match kind {
                Kind::Text => columns.optional_text()?.into(),
                Kind::Number => columns.optional_number()?.into(),
                Kind::Octets => columns.optional_octets()?.map(|octets| BASE64.encode(octets)).into(),
            });
        }
        Ok(Json::from(values).to_string() + "\n")
    }

    /// A line's values as the table holds them.
    pub(crate) fn values(&self, values: &[Json]) -> Option<Vec<Value>> {
        if values.len() != self.columns().count() {
            return None;
        }
        self.columns().zip(values).map(|((_, kind), value)| kind.value(value)).collect()
    }
}

impl Kind {
    fn value(self, value: &Json) -> Option<Value> {
        Some(match (self, value) {
            (Self::Text, Json::Null) => Value::Text(None),
            (Self::Number, Json::Null) => Value::Number(None),
            (Self::Octets, Json::Null) => Value::Octets(None),
            (Self::Text, Json::String(text)) => Value::Text(Some(text.clone())),
            (Self::Number, Json::Number(number)) => Value::Number(Some(number.as_i64()?)),
            (Self::Octets, Json::String(text)) => Value::Octets(Some(BASE64.decode(text).ok()?)),
            _ => return None,
        })
    }
}

pub(crate) const FORMAT: u32 = 1;

const fn noun(name: &'static str) -> Table {
    Table::checked(&checksum::noun(name))
}

/// Everything that is kept, but for the two counters, which the header carries, and for what was issued to people: sessions,
/// codes, grants, refresh tokens, one-time tokens, and the requests that wait for one. Of these a backup cannot know which
/// were ended, used or replayed since it was made, and to take one back would undo a logout; so a restore ends them all, and
/// everybody signs in again. What people consented to they need not be asked again.
pub(crate) const TABLES: &[Table] = &[
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
    Table::checked(&CHANGES),
    Table::unchecked(
        "journal_blocks",
        &[
            ("id", Kind::Octets),
            ("first_at", Kind::Number),
            ("last_at", Kind::Number),
            ("span", Kind::Number),
            ("count", Kind::Number),
            ("issuances", Kind::Text),
            ("entries", Kind::Octets),
        ],
        1,
    ),
    Table::unchecked(
        "refusals",
        &[
            ("id", Kind::Octets),
            ("at", Kind::Number),
            ("trace_id", Kind::Text),
            ("client_id", Kind::Text),
            ("reason", Kind::Text),
            ("detail", Kind::Text),
            ("revision", Kind::Number),
        ],
        1,
    ),
    Table::unchecked("secret_uses", &[("secret_id", Kind::Text), ("at", Kind::Number)], 1),
    Table::unchecked(
        "revocations",
        &[
            ("sequence", Kind::Number),
            ("jti", Kind::Text),
            ("client_id", Kind::Text),
            ("revoked_at", Kind::Number),
            ("expires_at", Kind::Number),
        ],
        1,
    ),
    Table::unchecked("assertions", &[("digest", Kind::Octets), ("expires_at", Kind::Number)], 1),
    Table::checked(&CONSENTS),
    Table::unchecked(
        "outcomes",
        &[("entry", Kind::Text), ("workaround", Kind::Number), ("helped", Kind::Number), ("failed", Kind::Number)],
        2,
    ),
    Table::unchecked(
        "saved_answers",
        &[
            ("actor", Kind::Text),
            ("answer_key", Kind::Text),
            ("request_hash", Kind::Octets),
            ("status", Kind::Number),
            ("sealed", Kind::Octets),
            ("expires_at", Kind::Number),
        ],
        2,
    ),
    Table::unchecked(
        "restores",
        &[("revision", Kind::Number), ("backup_at", Kind::Number), ("restored_at", Kind::Number)],
        1,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_noun_has_its_table() {
        for resource in ambit_protocol::admin::audit::Resource::ALL {
            if let Some(table) = crate::row::table(resource) {
                assert!(Table::find(table).is_some(), "{table}");
            }
        }
    }

    #[test]
    fn values_of_another_kind_or_number_are_refused() {
        let table = Table::find("secret_uses").unwrap();
        assert!(table.values(&["sec_1".into(), 7.into()]).is_some());
        assert!(table.values(&["sec_1".into(), i64::MAX.into()]).is_some());
        for wrong in [
            vec![],
            vec!["sec_1".into()],
            vec![7.into(), 7.into()],
            vec!["sec_1".into(), u64::MAX.into()],
            vec!["sec_1".into(), 1.5.into()],
        ] {
            assert!(table.values(&wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn the_footer_tells_every_line_and_count() {
        let mut tally = Tally::new();
        let empty = tally.footer().unwrap();
        tally.line(b"[]\n");
        let one = tally.footer().unwrap();
        tally.row("keys");
        let counted = tally.footer().unwrap();
        assert!(empty != one && one != counted);
        assert!(counted.starts_with(r#"{"rows":{"keys":1},"sha256":""#) && counted.ends_with("\"}\n"));
    }
}
