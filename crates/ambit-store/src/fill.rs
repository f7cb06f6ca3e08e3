//! Checksums for the rows that were there before migration 0010.
//!
//! A large registry takes its time, so this is no part of the step: it goes on a few rows at a time, in transactions of their own,
//! while other nodes read and write. Which tables are left stands in `checksums_to_fill`, so a start that was broken off is
//! gone on with by the next, and all others have nothing to look for. Rows that an older program adds meanwhile stay without.

use sqlx::any::AnyRow;

use crate::checksum::Table;
use crate::error::Result;
use crate::pool::{Engine, Pools, acquire};
use crate::retry::retrying;
use crate::sql::{Columns, Kind, Sql, Value};
use crate::write::Write;

/// Gives all rows that have none a checksum, as they are.
pub(crate) async fn fill(pools: &Pools) -> Result<()> {
    for table in tables(pools).await? {
        let mut last = None;
        loop {
            last = retrying(|| batch(pools, table, last.as_deref())).await?;
            if last.is_none() {
                break;
            }
        }
        retrying(|| strike_off(pools, table)).await?;
    }
    Ok(())
}

async fn tables(pools: &Pools) -> Result<Vec<&'static Table>> {
    let mut connection = acquire(&pools.writer).await?;
    let rows = Sql::new("SELECT name FROM checksums_to_fill ORDER BY name").all(&mut connection).await?;
    let names = rows.iter().map(|row| Columns::of(row).text()).collect::<Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| Table::find(name)).collect())
}

/// The next rows behind a key. Answers the key of the last of them, if there were any.
async fn batch(pools: &Pools, table: &Table, after: Option<&[Value]>) -> Result<Option<Vec<Value>>> {
    let mut write = Write::begin(&pools.writer, pools.engine.begin_write()).await?;
    let connection = write.enter()?;
    let outcome = async {
        // Whoever changes the registry waits for it, on whichever node and of whichever version: the rows stay as they are read.
        let mine = format!("SELECT revision FROM registry{}", pools.engine.for_update());
        Sql::new(mine).optional(&mut *connection).await?;
        let rows = select(pools.engine, table, after).all(&mut *connection).await?;
        let rows = rows.iter().map(|row| values(table, row)).collect::<Result<Vec<_>>>()?;
        if !rows.is_empty() {
            update(pools.engine, table, &rows).run(connection).await?;
        }
        Ok(rows.into_iter().last().map(|mut values| values.drain(..table.key).collect()))
    }
    .await;
    write.finish(outcome).await
}

async fn strike_off(pools: &Pools, table: &Table) -> Result<()> {
    let mut write = Write::begin(&pools.writer, pools.engine.begin_write()).await?;
    let sql = Sql::new("DELETE FROM checksums_to_fill WHERE name = $1").with(table.name);
    let struck = sql.run(write.enter()?).await;
    write.finish(struck.map(drop)).await
}

fn select(engine: Engine, table: &Table, after: Option<&[Value]>) -> Sql {
    let mut sql = Sql::new(format!("SELECT {} FROM {} WHERE checksum IS NULL", table.as_octets(engine), table.name));
    let key = &table.columns[..table.key];
    let names = key.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if let Some(after) = after {
        sql.push(&format!(" AND ({names}) > ("));
        for (place, (value, (_, kind))) in after.iter().zip(key).enumerate() {
            sql.push(if place == 0 { "" } else { ", " });
            let placeholder = format!("${}", place + 1);
            sql.push(&as_it_is(engine, *kind, &placeholder));
            sql = sql.with(value.clone());
        }
        sql.push(")");
    }
    sql.push(&format!(" ORDER BY {names} LIMIT {ROWS_AT_ONCE}"));
    sql
}

fn update(engine: Engine, table: &Table, rows: &[Vec<Value>]) -> Sql {
    let name = table.name;
    let mut sql = Sql::new(format!("UPDATE {name} SET checksum = v.column{} FROM (VALUES ", table.key + 1));
    for (place, values) in rows.iter().enumerate() {
        sql.push(if place == 0 { "(" } else { ", (" });
        for value in &values[..table.key] {
            sql.bind(value.clone()).push(", ");
        }
        sql.bind(table.checksum(values.iter().map(Into::into))).push(")");
    }
    sql.push(") AS v WHERE ");
    for (place, (column, kind)) in table.columns[..table.key].iter().enumerate() {
        let value = as_it_is(engine, *kind, &format!("v.column{}", place + 1));
        sql.push(if place == 0 { "" } else { " AND " }).push(&format!("{name}.{column} = {value}"));
    }
    if rows.len() == ROWS_AT_ONCE { sql } else { sql.once() }
}

/// A value that was read by [`Table::as_octets`], as the column holds it.
fn as_it_is(engine: Engine, kind: Kind, value: &str) -> String {
    match kind {
        Kind::Text => engine.text(value),
        Kind::Number | Kind::Octets => value.to_owned(),
    }
}

/// What a row holds, its texts as octets: none of them keeps the others from being read.
pub(crate) fn values(table: &Table, row: &AnyRow) -> Result<Vec<Value>> {
    let mut columns = Columns::of(row);
    table
        .columns
        .iter()
        .map(|(_, kind)| match kind {
            Kind::Text | Kind::Octets => columns.optional_octets().map(Value::from),
            Kind::Number => columns.optional_number().map(Value::Number),
        })
        .collect()
}

// For some milliseconds nobody changes the registry.
const ROWS_AT_ONCE: usize = 256;
