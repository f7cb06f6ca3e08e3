//! A change of the registry.
//!
//! 1. It waits for its turn among this process's changes, then takes the row of `registry`, for which the other processes'
//!    changes wait. From here on nobody else changes anything.
//! 2. Each row it inserts, replaces or deletes is written together with its entry in the change log.
//! 3. It commits; or, if it changed nothing, gives its revision back.

use std::fmt;

use ambit_core::reach::Reach;
use ambit_core::store::{By, ChangeContext, Filter, Reads, Row, SavedAnswer, StoreError, Transaction};
use ambit_protocol::admin::audit::{Action, Resource};
use async_trait::async_trait;
use sqlx::AnyConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::change::Entry;
use crate::error::{Result, unsigned};
use crate::pool::Pools;
use crate::row::{COLUMNS, decode, table, values};
use crate::sql::{Columns, Sql};
use crate::write::Write;
use crate::{answer, change, reads};

pub(crate) struct SqlTransaction {
    revision: u64,
    context: ChangeContext,
    open: Mutex<Open>,
    _turn: OwnedMutexGuard<()>,
}

struct Open {
    write: Write,
    changes: u32,
    answers: bool,
}

impl SqlTransaction {
    /// Step 1, after the wait for the turn.
    pub(crate) async fn take_registry(pools: &Pools) -> Result<(Write, u64)> {
        let mut write = Write::begin(&pools.writer, pools.engine.begin_write()).await?;
        let revision = take_revision(write.enter()?).await;
        let revision = write.settle(revision)?;
        Ok((write, revision))
    }

    pub(crate) fn new(write: Write, revision: u64, context: ChangeContext, turn: OwnedMutexGuard<()>) -> Self {
        Self { revision, context, open: Mutex::new(Open { write, changes: 0, answers: false }), _turn: turn }
    }

    async fn insert(&self, connection: &mut AnyConnection, position: u32, row: &Row) -> Result<()> {
        let table = table(row.resource).ok_or_else(|| missing(row.resource, &row.id))?;
        let added = Sql::new(format!(
            "INSERT INTO {table} ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"
        ))
        .with_all(values(table, row, self.revision)?)
        .run(connection)
        .await?;
        if added == 0 {
            let holder = holder(connection, table, row).await?;
            let key = row.natural_key.as_ref().filter(|_| holder.is_some()).unwrap_or(&row.id).clone();
            return Err(StoreError::Conflict { resource: row.resource, key });
        }
        self.append(connection, position, Action::Create, row, (None, Some(&row.document))).await
    }

    async fn update(&self, connection: &mut AnyConnection, position: u32, row: &Row) -> Result<()> {
        let table = table(row.resource).ok_or_else(|| missing(row.resource, &row.id))?;
        let before = current(connection, row.resource, table, &row.id).await?;
        if holder(connection, table, row).await?.is_some_and(|holder| holder != row.id) {
            let key = row.natural_key.clone().unwrap_or_default();
            return Err(StoreError::Conflict { resource: row.resource, key });
        }
        Sql::new(format!(
            "UPDATE {table} SET natural_key = $2, parent = $3, tenant_id = $4, partner_id = $5, revision = $6, \
             document = $7, sealed = $8, checksum = $9 WHERE id = $1"
        ))
        .with_all(values(table, row, self.revision)?)
        .run(connection)
        .await?;
        self.append(connection, position, Action::Update, row, (Some(&before.document), Some(&row.document))).await
    }

    async fn delete(&self, connection: &mut AnyConnection, position: u32, resource: Resource, id: &str) -> Result<()> {
        let table = table(resource).ok_or_else(|| missing(resource, id))?;
        let before = current(connection, resource, table, id).await?;
        Sql::new(format!("DELETE FROM {table} WHERE id = $1")).with(id).run(connection).await?;
        if resource == Resource::Secret {
            Sql::new("DELETE FROM secret_uses WHERE secret_id = $1").with(id).run(connection).await?;
        }
        self.append(connection, position, Action::Delete, &before, (Some(&before.document), None)).await
    }

    async fn append(
        &self,
        connection: &mut AnyConnection,
        position: u32,
        action: Action,
        subject: &Row,
        (before, after): (Option<&str>, Option<&str>),
    ) -> Result<()> {
        let entry = Entry { revision: self.revision, position, context: &self.context, action, subject, before, after };
        change::append(connection, &entry).await
    }
}

#[async_trait]
impl Reads for SqlTransaction {
    async fn find_row(&self, resource: Resource, by: By<'_>, reach: Reach) -> Result<Option<Row>> {
        let mut open = self.open.lock().await;
        let found = reads::find(open.write.enter()?, resource, by, reach).await;
        open.write.settle(found)
    }

    async fn list_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Row>> {
        let mut open = self.open.lock().await;
        let found = reads::list(open.write.enter()?, resource, filter, reach).await;
        open.write.settle(found)
    }

    async fn list_rows_apart(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<Vec<Result<Row>>> {
        let mut open = self.open.lock().await;
        let found = reads::list_apart(open.write.enter()?, resource, filter, reach).await;
        open.write.settle(found)
    }

    async fn count_rows(&self, resource: Resource, filter: &Filter<'_>, reach: Reach) -> Result<u64> {
        let mut open = self.open.lock().await;
        let counted = reads::count(open.write.enter()?, resource, filter, reach).await;
        open.write.settle(counted)
    }
}

/// Step 2, and 3 in [`Transaction::commit`].
#[async_trait]
impl Transaction for SqlTransaction {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn context(&self) -> &ChangeContext {
        &self.context
    }

    async fn insert_row(&self, row: Row) -> Result<()> {
        storable(&self.context, &row)?;
        let mut open = self.open.lock().await;
        let position = open.changes;
        let inserted = self.insert(open.write.enter()?, position, &row).await;
        open.changed(inserted)
    }

    async fn update_row(&self, row: Row) -> Result<()> {
        storable(&self.context, &row)?;
        let mut open = self.open.lock().await;
        let position = open.changes;
        let updated = self.update(open.write.enter()?, position, &row).await;
        open.changed(updated)
    }

    async fn delete_row(&self, resource: Resource, id: &str) -> Result<()> {
        without_nul([Some(self.context.actor.as_str()), self.context.trace_id.as_deref()])?;
        let mut open = self.open.lock().await;
        let position = open.changes;
        let deleted = self.delete(open.write.enter()?, position, resource, id).await;
        open.changed(deleted)
    }

    async fn log_update(&self, before: &Row, after: &str) -> Result<()> {
        storable(&self.context, before)?;
        without_nul([Some(after)])?;
        let mut open = self.open.lock().await;
        let (position, documents) = (open.changes, (Some(before.document.as_str()), Some(after)));
        let logged = self.append(open.write.enter()?, position, Action::Update, before, documents).await;
        open.changed(logged)
    }

    async fn save_answer(&self, answer: &SavedAnswer) -> Result<()> {
        let mut open = self.open.lock().await;
        let saved = answer::save(open.write.enter()?, answer).await;
        open.write.settle(saved)?;
        open.answers = true;
        Ok(())
    }

    async fn find_answer(&self, actor: &str, key: &str) -> Result<Option<SavedAnswer>> {
        let mut open = self.open.lock().await;
        let found = answer::find(open.write.enter()?, actor, key).await;
        open.write.settle(found)
    }

    async fn commit(self: Box<Self>) -> Result<u64> {
        let Open { mut write, changes, answers } = self.open.into_inner();
        if changes > 0 {
            write.commit().await?;
            return Ok(self.revision);
        }
        if answers {
            let given_back = Sql::new("UPDATE registry SET revision = revision - 1").run(write.enter()?).await;
            write.settle(given_back)?;
            write.commit().await?;
        } else {
            write.rollback().await?;
        }
        Ok(self.revision - 1)
    }
}

impl Open {
    fn changed(&mut self, outcome: Result<()>) -> Result<()> {
        self.write.settle(outcome)?;
        self.changes += 1;
        Ok(())
    }
}

impl fmt::Debug for SqlTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlTransaction").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// Takes the registry, and the next revision with it.
pub(crate) async fn take_revision(connection: &mut AnyConnection) -> Result<u64> {
    let row = Sql::new("UPDATE registry SET revision = revision + 1 RETURNING revision").returning(connection).await?;
    unsigned(Columns::of(&row).number()?)
}

/// The row as it stands, its document as it is kept.
async fn current(connection: &mut AnyConnection, resource: Resource, table: &str, id: &str) -> Result<Row> {
    // Without a secret's last use, which is no part of the change log.
    let sql = format!("SELECT {COLUMNS}, CAST(NULL AS BIGINT) FROM {table} WHERE id = $1");
    let found = Sql::new(sql).with(id).optional(connection).await?;
    match found {
        Some(row) => decode(resource, &row),
        None => Err(missing(resource, id)),
    }
}

/// The identifier of the row that has this row's natural key.
async fn holder(connection: &mut AnyConnection, table: &str, row: &Row) -> Result<Option<String>> {
    let Some(key) = row.natural_key.as_deref() else { return Ok(None) };
    let found =
        Sql::new(format!("SELECT id FROM {table} WHERE natural_key = $1")).with(key).optional(connection).await?;
    found.map(|row| Columns::of(&row).text()).transpose()
}

fn missing(resource: Resource, id: &str) -> StoreError {
    StoreError::Missing { resource, id: id.to_owned() }
}

/// Found out before anything is written, so that what was written before stays good.
fn storable(context: &ChangeContext, row: &Row) -> Result<()> {
    without_nul([
        Some(row.id.as_str()),
        row.natural_key.as_deref(),
        row.parent.as_deref(),
        Some(&row.document),
        Some(&context.actor),
        context.trace_id.as_deref(),
    ])
}

fn without_nul<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Result<()> {
    if texts.into_iter().flatten().any(|text| text.as_bytes().contains(&0)) {
        return Err(StoreError::Unstorable("a text holds a NUL octet"));
    }
    Ok(())
}
