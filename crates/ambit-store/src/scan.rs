//! Looking at every row that has a checksum: which are not as they were written.

use std::fmt;

use futures_util::TryStreamExt as _;
use sqlx::AnyConnection;

use crate::SqlStore;
use crate::checksum::{Part, TABLES, Table, Verdict};
use crate::dump::hexadecimal;
use crate::error::Result;
use crate::fill::values;
use crate::pool::Engine;
use crate::sql::{Columns, Kind, Sql, Value};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// How many rows are as they were written.
    pub whole: u64,
    /// How many have no checksum to tell: an older program wrote them.
    pub unchecked: u64,
    /// Which are not.
    pub damaged: Vec<DamagedRow>,
}

/// A row that is not as it was written. Shown as `applications app_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRow {
    /// The table.
    pub table: &'static str,
    /// The columns that tell the row from others; of a hash its first digits.
    pub key: String,
}

impl fmt::Display for DamagedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.key)
    }
}

impl SqlStore {
    /// Reads every row there is and names those that are not as they were written. It takes as long as a backup, and changes
    /// nothing; others read and write meanwhile.
    ///
    /// # Errors
    /// [`ambit_core::store::StoreError::Unavailable`].
    pub async fn scan(&self) -> Result<ScanReport> {
        self.pools.readers.snapshot(scan).await
    }
}

async fn scan(connection: &mut AnyConnection) -> Result<ScanReport> {
    let engine = Engine::of(connection);
    let mut report = ScanReport::default();
    for table in &TABLES {
        let only = table.only.map(|only| format!(" WHERE {only}")).unwrap_or_default();
        let columns = table.as_octets(engine);
        let sql = Sql::new(format!("SELECT {columns}, checksum FROM {}{only}", table.name));
        let mut rows = sql.stream(connection);
        while let Some(row) = rows.try_next().await? {
            let values = values(table, &row)?;
            let checksum = Columns::behind(&row, table.columns.len()).optional_octets()?;
            let parts: Vec<_> = values.iter().map(Part::from).collect();
            match table.verdict(&parts, checksum.as_deref()) {
                Verdict::Whole => report.whole += 1,
                Verdict::Unchecked => report.unchecked += 1,
                Verdict::Damaged => report.damaged.push(named(table, &values)),
            }
        }
    }
    Ok(report)
}

fn named(table: &Table, values: &[Value]) -> DamagedRow {
    let key = table.columns.iter().zip(values).take(table.key).map(|((_, kind), value)| match (kind, value) {
        (Kind::Text, Value::Octets(Some(octets))) => String::from_utf8_lossy(octets).into_owned(),
        (Kind::Octets, Value::Octets(Some(octets))) => hexadecimal(&octets[..octets.len().min(SHOWN_OF_A_HASH)]),
        (_, Value::Number(Some(number))) => number.to_string(),
        _ => "nothing".to_owned(),
    });
    DamagedRow { table: table.name, key: key.collect::<Vec<_>>().join("/") }
}

const SHOWN_OF_A_HASH: usize = 4;
