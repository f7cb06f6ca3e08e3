//! Many rows at once: for a restore, and for tests and benchmarks that need a large registry.

use std::collections::BTreeMap;

use ambit_core::store::{ChangeContext, Row, StoreError};
use ambit_protocol::admin::audit::Action;
use serde_json::json;
use sqlx::AnyConnection;

use crate::SqlStore;
use crate::change::{self, Entry};
use crate::error::Result;
use crate::restore::registry;
use crate::row::{COLUMNS, table, values};
use crate::sql::{Sql, Value};
use crate::transaction::take_revision;

impl SqlStore {
    /// Adds rows in one transaction, quickly: **for tests and benchmarks**. The change log gets a single entry for all of
    /// them (a change of the registry as a whole), so other nodes forget everything, and the history of these rows begins
    /// with their next change. Answers the revision it made.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a row is there already; then none was added.
    pub async fn bulk_insert(
        &self,
        context: &ChangeContext,
        rows: impl IntoIterator<Item = Row, IntoIter: Send>,
    ) -> Result<u64> {
        let mut write = self.begin_write().await?;
        // Left broken by an error, and so rolled back whatever the error is: some rows may have been written.
        let revision = load(write.enter()?, context, rows.into_iter()).await?;
        write.finish(Ok(revision)).await
    }
}

async fn load(
    connection: &mut AnyConnection,
    context: &ChangeContext,
    rows: impl Iterator<Item = Row> + Send,
) -> Result<u64> {
    let revision = take_revision(connection).await?;
    let mut counts = BTreeMap::<&'static str, u64>::new();
    let mut pending: Option<Rows> = None;
    for row in rows {
        let Some(table) = table(row.resource) else {
            return Err(StoreError::Missing { resource: row.resource, id: row.id });
        };
        if let Some(other) = pending.take_if(|pending| pending.table != table) {
            other.flush(connection).await?;
        }
        *counts.entry(row.resource.as_str()).or_default() += 1;
        let rows = pending.get_or_insert_with(|| Rows::new(table, COLUMNS.to_owned()));
        rows.push(values(table, &row, revision)?, connection).await?;
    }
    if let Some(rows) = pending {
        rows.flush(connection).await?;
    }
    let after = json!({ "revision": revision, "loaded": counts }).to_string();
    let entry = Entry {
        revision,
        position: 0,
        context,
        action: Action::Update,
        subject: &registry(revision),
        before: None,
        after: Some(&after),
    };
    change::append(connection, &entry).await?;
    Ok(revision)
}

/// Rows on their way into one table, many to a statement.
pub(crate) struct Rows {
    pub(crate) table: &'static str,
    columns: String,
    pending: Vec<Vec<Value>>,
    octets: usize,
}

impl Rows {
    pub(crate) fn new(table: &'static str, columns: String) -> Self {
        Self { table, columns, pending: Vec::new(), octets: 0 }
    }

    pub(crate) async fn push(&mut self, values: Vec<Value>, connection: &mut AnyConnection) -> Result<()> {
        self.octets += values.iter().map(Value::size).sum::<usize>();
        self.pending.push(values);
        if self.pending.len() == ROWS_PER_STATEMENT || self.octets > OCTETS_PER_STATEMENT {
            self.write(connection).await?;
        }
        Ok(())
    }

    pub(crate) async fn flush(mut self, connection: &mut AnyConnection) -> Result<()> {
        if self.pending.is_empty() { Ok(()) } else { self.write(connection).await }
    }

    async fn write(&mut self, connection: &mut AnyConnection) -> Result<()> {
        let rows = std::mem::take(&mut self.pending);
        self.octets = 0;
        let count = rows.len();
        let mut sql = Sql::new(format!("INSERT INTO {} ({}) VALUES ", self.table, self.columns));
        for (place, row) in rows.into_iter().enumerate() {
            sql.push(if place == 0 { "(" } else { ", (" });
            for (column, value) in row.into_iter().enumerate() {
                sql.push(if column == 0 { "" } else { ", " }).bind(value);
            }
            sql.push(")");
        }
        sql.push(" ON CONFLICT DO NOTHING");
        let sql = if count == ROWS_PER_STATEMENT { sql } else { sql.once() };
        if sql.run(connection).await? != count as u64 {
            let key = format!("one of {count} rows of {}", self.table);
            return Err(StoreError::Conflict { resource: ambit_protocol::admin::audit::Resource::Registry, key });
        }
        Ok(())
    }
}

// 15 columns at most, so well below the 32,766 values that SQLite takes.
const ROWS_PER_STATEMENT: usize = 128;
const OCTETS_PER_STATEMENT: usize = 4 * 1024 * 1024;
