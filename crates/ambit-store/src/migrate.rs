//! Bringing the schema up to date, in forward steps.
//!
//! Each step is a transaction that also records itself, so a crash leaves whole steps behind and the next start goes on
//! from there. Two nodes that start at once take turns (SQLite: the write lock; PostgreSQL: an advisory lock).

use ambit_core::store::StoreError;
use aws_lc_rs::digest::{SHA256, digest};
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::dump::hexadecimal;
use crate::error::{Result, unavailable};
use crate::fill;
use crate::pool::{Engine, Pools, acquire};
use crate::sql::{Columns, Sql};
use crate::write::Write;

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The schema's version before; 0 in an empty database.
    pub from: u32,
    /// The version now.
    pub to: u32,
    /// The names of the steps that were taken.
    pub steps: Vec<&'static str>,
}

struct Step {
    name: &'static str,
    text: &'static str,
}

macro_rules! steps {
    ($($name:literal),* $(,)?) => {
        [$(Step { name: $name, text: include_str!(concat!("../migrations/", $name, ".sql")) }),*]
    };
}

/// The version this program knows.
pub(crate) const fn known_version() -> u32 {
    // There are a handful of steps.
    #[expect(clippy::cast_possible_truncation, reason = "a list in this file")]
    let version = STEPS.len() as u32;
    version
}

/// Takes the steps that have not been taken, and gives rows of before what they lack. Without any, this only reads.
pub(crate) async fn migrate(pools: &Pools) -> Result<MigrationReport> {
    let mut reader = acquire(&pools.writer).await?;
    let from = checked(&applied(&mut reader, pools.engine).await?)?;
    drop(reader);
    let mut report = MigrationReport { from, to: from, steps: Vec::new() };
    while report.to < known_version() {
        let (version, step) = one_step(pools).await?;
        report.to = version;
        report.steps.extend(step);
    }
    fill::fill(pools).await?;
    Ok(report)
}

/// The next step, if another node has not taken it meanwhile, and the version then.
async fn one_step(pools: &Pools) -> Result<(u32, Option<&'static str>)> {
    let mut write = Write::begin(&pools.writer, pools.engine.begin_write()).await?;
    let connection = write.enter()?;
    let outcome = async {
        take_turn(connection, pools.engine).await?;
        let version = checked(&applied(connection, pools.engine).await?)?;
        let Some(step) = STEPS.get(version as usize) else { return Ok((version, None)) };
        apply(connection, pools.engine, version + 1, step).await?;
        Ok((version + 1, Some(step.name)))
    }
    .await;
    write.finish(outcome).await
}

async fn take_turn(connection: &mut AnyConnection, engine: Engine) -> Result<()> {
    if engine == Engine::Sqlite {
        // BEGIN IMMEDIATE has it already.
        return Ok(());
    }
    let encoding = Sql::new("SELECT current_setting('server_encoding')").optional(connection).await?;
    let encoding = encoding.map(|row| Columns::of(&row).text()).transpose()?.unwrap_or_default();
    if encoding != "UTF8" {
        return Err(StoreError::Schema(format!(
            "the PostgreSQL database has the encoding {encoding}; it must be UTF8"
        )));
    }
    // Another node's steps may take longer than anybody waits otherwise.
    let turn = format!(
        "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock({ADVISORY_LOCK}, hashtext(current_schema()))"
    );
    sqlx::raw_sql(AssertSqlSafe(turn)).execute(connection).await.map_err(unavailable)?;
    Ok(())
}

async fn apply(connection: &mut AnyConnection, engine: Engine, version: u32, step: &Step) -> Result<()> {
    if version == 1 {
        sqlx::raw_sql(AssertSqlSafe(dialect(engine, TABLE))).execute(&mut *connection).await.map_err(unavailable)?;
    }
    sqlx::raw_sql(AssertSqlSafe(dialect(engine, step.text))).execute(&mut *connection).await.map_err(unavailable)?;
    Sql::new("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)")
        .with(version)
        .with(step.name)
        .with(checksum(step.text))
        .run(connection)
        .await
        .map(drop)
}

/// The version the database has, without looking further.
pub(crate) async fn version(connection: &mut AnyConnection, engine: Engine) -> Result<u32> {
    checked(&applied(connection, engine).await?)
}

struct Applied {
    version: i64,
    name: String,
    checksum: String,
}

async fn applied(connection: &mut AnyConnection, engine: Engine) -> Result<Vec<Applied>> {
    let exists = match engine {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
        Engine::Postgres => {
            "SELECT tablename::text FROM pg_tables \
             WHERE schemaname = current_schema() AND tablename = 'schema_migrations'"
        }
    };
    if Sql::new(exists).optional(connection).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows =
        Sql::new("SELECT version, name, checksum FROM schema_migrations ORDER BY version").all(connection).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(Applied { version: columns.number()?, name: columns.text()?, checksum: columns.text()? })
        })
        .collect()
}

/// The version, if it was reached by the steps this program knows.
fn checked(applied: &[Applied]) -> Result<u32> {
    for (place, done) in applied.iter().enumerate() {
        let Some(step) = STEPS.get(place) else {
            return Err(StoreError::Schema(format!(
                "the database's schema is newer than this program: it has step {} ({}), this program knows {}. \
                 Use the program that took that step, or a newer one",
                done.version,
                done.name,
                STEPS.len()
            )));
        };
        if done.version != i64::try_from(place + 1).unwrap_or(i64::MAX) || done.name != step.name {
            return Err(StoreError::Schema(format!(
                "the database's schema is another one: where this program has step {} ({}), it has step {} ({})",
                place + 1,
                step.name,
                done.version,
                done.name
            )));
        }
        if done.checksum != checksum(step.text) {
            return Err(StoreError::Schema(format!(
                "step {} ({}) was taken with another text than this program has",
                done.version, done.name
            )));
        }
    }
    u32::try_from(applied.len()).map_err(unavailable)
}

/// The text as an engine reads it (see `migrations/README.md`).
fn dialect(engine: Engine, text: &str) -> String {
    match engine {
        Engine::Sqlite => text.to_owned(),
        Engine::Postgres => text.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" BLOB", " BYTEA"),
    }
}

fn checksum(text: &str) -> String {
    // However a checkout ends its lines.
    let text = text.replace('\r', "");
    hexadecimal(digest(&SHA256, text.as_bytes()).as_ref())
}

const TABLE: &str = "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
    checksum TEXT NOT NULL, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";
const ADVISORY_LOCK: i32 = 0x616D_6269;
const STEPS: [Step; 10] = steps![
    "0001_create_registry",
    "0002_create_change_log",
    "0003_create_journal",
    "0004_create_revocations_assertions_and_answers",
    "0005_create_restores",
    "0006_create_outcomes",
    "0007_create_people",
    "0008_create_sign_ins",
    "0009_create_logout_notices",
    "0010_add_checksums",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(count: usize) -> Vec<Applied> {
        STEPS[..count]
            .iter()
            .zip(1..)
            .map(|(step, version)| Applied { version, name: step.name.to_owned(), checksum: checksum(step.text) })
            .collect()
    }

    #[test]
    fn steps_are_numbered_from_one_without_gaps() {
        for (place, step) in STEPS.iter().enumerate() {
            assert!(step.name.starts_with(&format!("{:04}_", place + 1)), "{}", step.name);
        }
    }

    #[test]
    fn steps_taken_so_far_are_the_version() {
        for count in 0..=STEPS.len() {
            assert_eq!(checked(&taken(count)).unwrap() as usize, count);
        }
    }

    #[test]
    fn a_step_from_the_future_another_text_or_a_gap_is_refused() {
        let mut future = taken(STEPS.len());
        future.push(Applied { version: 99, name: "0099_fly".to_owned(), checksum: String::new() });
        assert!(checked(&future).unwrap_err().to_string().contains("newer than this program"));

        let mut altered = taken(2);
        altered[1].checksum = checksum("DROP TABLE keys");
        assert!(checked(&altered).unwrap_err().to_string().contains("another text"));

        let mut gap = taken(2);
        gap.remove(0);
        assert!(checked(&gap).is_err());
    }

    #[test]
    fn no_line_ending_changes_a_checksum() {
        assert_eq!(checksum("a\r\nb"), checksum("a\nb"));
    }
}
