//! A statement and its values: text with `$1` placeholders, the same on both engines.

use std::fmt::Write as _;

use ambit_core::secret::SecretHash;
use ambit_core::store::StoreError;
use ambit_protocol::id::Id;
use ambit_protocol::time::Timestamp;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row as _};

use crate::error::{Result, unavailable};

/// A value as the tables hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Octets(Option<Vec<u8>>),
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Number,
    Octets,
}

impl Value {
    /// About how much room it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.as_ref().map_or(0, String::len),
            Self::Number(_) => 8,
            Self::Octets(octets) => octets.as_ref().map_or(0, Vec::len),
        }
    }
}

/// A statement under construction. Its text comes from this crate alone; whatever comes from outside is a value.
#[derive(Debug)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
    persistent: bool,
}

impl Sql {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new(), persistent: true }
    }

    /// The value of the next placeholder, which the text has already.
    pub(crate) fn with(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The values of the next placeholders, which the text has already.
    pub(crate) fn with_all(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder and its value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Not worth keeping prepared: a statement whose length depends on what was handed in.
    pub(crate) fn once(mut self) -> Self {
        self.persistent = false;
        self
    }

    /// Asks SQLite how it would do it.
    #[cfg(test)]
    pub(crate) fn explained(mut self) -> Self {
        self.text.insert_str(0, "EXPLAIN QUERY PLAN ");
        self
    }

    /// How many rows it changed.
    pub(crate) async fn run(self, connection: &mut AnyConnection) -> Result<u64> {
        self.refuse_nul()?;
        let done = self.query().execute(connection).await.map_err(unavailable)?;
        Ok(done.rows_affected())
    }

    /// The one row of a statement that changes something and tells what it became.
    pub(crate) async fn returning(self, connection: &mut AnyConnection) -> Result<AnyRow> {
        self.refuse_nul()?;
        self.query().fetch_one(connection).await.map_err(unavailable)
    }

    /// The row it finds. Nothing is found by a text with a NUL octet, for none is stored.
    pub(crate) async fn optional(self, connection: &mut AnyConnection) -> Result<Option<AnyRow>> {
        if self.has_nul() {
            return Ok(None);
        }
        self.query().fetch_optional(connection).await.map_err(unavailable)
    }

    /// The rows it finds.
    pub(crate) async fn all(self, connection: &mut AnyConnection) -> Result<Vec<AnyRow>> {
        if self.has_nul() {
            return Ok(Vec::new());
        }
        self.query().fetch_all(connection).await.map_err(unavailable)
    }

    /// The rows it finds, one after the other.
    pub(crate) fn stream(self, connection: &mut AnyConnection) -> BoxStream<'_, Result<AnyRow>> {
        Box::pin(self.query().fetch(connection).map_err(unavailable))
    }

    fn query(self) -> Query<'static, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(self.text)).persistent(self.persistent);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Octets(octets) => query.bind(octets),
        })
    }

    // PostgreSQL cannot keep a NUL octet in a text (SQLite can, and then cuts it short in places): neither gets one.
    fn refuse_nul(&self) -> Result<()> {
        if self.has_nul() { Err(StoreError::Unstorable("a text holds a NUL octet")) } else { Ok(()) }
    }

    fn has_nul(&self) -> bool {
        self.values.iter().any(|value| matches!(value, Value::Text(Some(text)) if text.as_bytes().contains(&0)))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(ToOwned::to_owned))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(Some(number.into()))
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Number(Some(at.millis()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Number(at.map(Timestamp::millis))
    }
}

impl From<&SecretHash> for Value {
    fn from(hash: &SecretHash) -> Self {
        Self::Octets(Some(hash.as_bytes().to_vec()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(Some(octets))
    }
}

impl From<&[u8]> for Value {
    fn from(octets: &[u8]) -> Self {
        Self::Octets(Some(octets.to_vec()))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(octets: Option<Vec<u8>>) -> Self {
        Self::Octets(octets)
    }
}

/// Reads a row's columns from left to right.
pub(crate) struct Columns<'r> {
    row: &'r AnyRow,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r AnyRow) -> Self {
        Self { row, next: 0 }
    }

    /// The columns behind so many.
    pub(crate) fn behind(row: &'r AnyRow, count: usize) -> Self {
        Self { row, next: count }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        let place = self.step();
        self.row.try_get(place).map_err(unavailable)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        let place = self.step();
        self.row.try_get(place).map_err(unavailable)
    }

    pub(crate) fn number(&mut self) -> Result<i64> {
        let place = self.step();
        self.row.try_get(place).map_err(unavailable)
    }

    pub(crate) fn optional_number(&mut self) -> Result<Option<i64>> {
        let place = self.step();
        self.row.try_get(place).map_err(unavailable)
    }

    pub(crate) fn timestamp(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    pub(crate) fn optional_timestamp(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.optional_number()?.map(Timestamp::from_millis))
    }

    pub(crate) fn id<T: Id>(&mut self) -> Result<T> {
        self.text()?.parse().map_err(unavailable)
    }

    pub(crate) fn optional_id<T: Id>(&mut self) -> Result<Option<T>> {
        self.optional_text()?.map(|text| text.parse()).transpose().map_err(unavailable)
    }

    pub(crate) fn hash(&mut self) -> Result<SecretHash> {
        SecretHash::from_bytes(&self.octets()?).ok_or_else(|| unavailable("a stored hash has not 32 octets"))
    }

    pub(crate) fn octets(&mut self) -> Result<Vec<u8>> {
        let place = self.step();
        self.row.try_get(place).map_err(unavailable)
    }

    pub(crate) fn optional_octets(&mut self) -> Result<Option<Vec<u8>>> {
        let place = self.step();
        self.row.try_get(place).map_err(unavailable)
    }

    fn step(&mut self) -> usize {
        let place = self.next;
        self.next += 1;
        place
    }
}
