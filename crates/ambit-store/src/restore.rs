//! Reading a backup into an empty database of either engine: all of it or nothing.

use std::io;
use std::path::Path;

use ambit_core::store::{ChangeContext, Row, StoreError};
use ambit_protocol::admin::audit::{Action, Resource};
use ambit_protocol::time::Timestamp;
use serde_json::{Value as Json, json};
use sqlx::AnyConnection;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use crate::SqlStore;
use crate::bulk::Rows;
use crate::change::{self, Entry};
use crate::dump::{FORMAT, Header, TABLES, Table, Tally};
use crate::error::{Result as StoreResult, number, unavailable};
use crate::migrate::known_version;
use crate::sql::Sql;
use crate::transaction::take_revision;

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreReport {
    /// When the backup was made.
    pub backup_at: Timestamp,
    /// The registry's revision now: so far above the backup's that no number is used twice.
    pub revision: u64,
    /// How many rows there were.
    pub rows: u64,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The database could not be written.
    #[error("the database could not be written")]
    Store(#[from] StoreError),
    /// The backup could not be read.
    #[error("the backup could not be read")]
    Io(#[from] io::Error),
    /// There is something in the database.
    #[error("the database is not empty ({0}): a backup is restored into an empty one only")]
    NotEmpty(String),
    /// It is no backup, or not all of one, or not as it was written.
    #[error("line {line} of the backup: {why}")]
    Damaged {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

impl SqlStore {
    /// Reads a backup into this database, which must be empty; its schema is brought up to date first.
    ///
    /// The revision goes on [`REVISION_GAP`] above the backup's, and the change log says so: numbers that were given out
    /// after the backup was made are not given out again.
    ///
    /// # Errors
    /// [`RestoreError`]; then the database is as empty as before.
    pub async fn restore(
        &self,
        reader: &mut (impl AsyncRead + Unpin + Send),
        now: Timestamp,
    ) -> Result<RestoreReport, RestoreError> {
        self.migrate().await?;
        let mut write = self.begin_write().await?;
        let connection = write.enter()?;
        sqlx::raw_sql(self.pools.engine.patience()).execute(&mut *connection).await.map_err(unavailable)?;
        if take_revision(connection).await? != 1 {
            return Err(RestoreError::NotEmpty("its registry has changes".to_owned()));
        }
        for table in TABLES {
            let any = Sql::new(format!("SELECT 1 FROM {} LIMIT 1", table.name)).optional(connection).await?;
            if any.is_some() {
                return Err(RestoreError::NotEmpty(format!("there is something in {}", table.name)));
            }
        }
        let report = load(connection, reader, now).await?;
        write.settle(Ok(()))?;
        write.commit().await?;
        Ok(report)
    }

    /// Reads a backup from a file.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub async fn restore_file(&self, path: &Path, now: Timestamp) -> Result<RestoreReport, RestoreError> {
        let mut file = tokio::fs::File::open(path).await?;
        self.restore(&mut file, now).await
    }
}

async fn load(
    connection: &mut AnyConnection,
    reader: &mut (impl AsyncRead + Unpin + Send),
    now: Timestamp,
) -> Result<RestoreReport, RestoreError> {
    let mut lines = Lines { reader: BufReader::with_capacity(BUFFER, reader), number: 0 };
    let mut tally = Tally::new();
    let first = lines.next().await?;
    tally.line(&first);
    let header = header(&first).map_err(|why| lines.damaged(why))?;
    let mut rows: Option<Rows> = None;
    loop {
        let line = lines.next().await?;
        if line.first() != Some(&b'[') {
            // Whatever is not a row has to be the footer that belongs here, to the letter.
            if tally.footer().map_err(io::Error::other)?.as_bytes() != line {
                return Err(lines.damaged("the backup was changed or cut short, or is no backup"));
            }
            break;
        }
        tally.line(&line);
        let (table, values) = row(&line).ok_or_else(|| lines.damaged("this is no row"))?;
        tally.row(table.name);
        if let Some(other) = rows.take_if(|rows| rows.table != table.name) {
            other.flush(connection).await?;
        }
        let pending = rows.get_or_insert_with(|| Rows::new(table.name, table.column_names()));
        pending.push(values, connection).await?;
    }
    if lines.reader.read_u8().await.is_ok() {
        return Err(lines.damaged("something follows the backup's end"));
    }
    if let Some(rows) = rows {
        rows.flush(connection).await?;
    }
    let revision = header.revision + REVISION_GAP;
    conclude(connection, &header, revision, now).await?;
    Ok(RestoreReport { backup_at: header.at, revision, rows: tally.rows.values().sum() })
}

async fn conclude(connection: &mut AnyConnection, header: &Header, revision: u64, now: Timestamp) -> StoreResult<()> {
    Sql::new("UPDATE registry SET revision = $1").with(number(revision)?).run(connection).await?;
    Sql::new("UPDATE revocation_counter SET sequence = $1").with(number(header.revocations)?).run(connection).await?;
    Sql::new("INSERT INTO restores (revision, backup_at, restored_at) VALUES ($1, $2, $3)")
        .with(number(revision)?)
        .with(header.at)
        .with(now)
        .run(connection)
        .await?;
    let context = ChangeContext { actor: "system".to_owned(), at: now, trace_id: None };
    let before = json!({ "revision": header.revision }).to_string();
    let after = json!({ "revision": revision, "restored_from_backup_at": header.at }).to_string();
    let entry = Entry {
        revision,
        position: 0,
        context: &context,
        action: Action::Update,
        subject: &registry(revision),
        before: Some(&before),
        after: Some(&after),
    };
    change::append(connection, &entry).await
}

/// The registry as a whole, as the change log names it.
pub(crate) fn registry(revision: u64) -> Row {
    Row {
        resource: Resource::Registry,
        id: Resource::Registry.as_str().to_owned(),
        natural_key: None,
        parent: None,
        tenant_id: None,
        partner_id: None,
        revision,
        document: String::new(),
        sealed: None,
    }
}

struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line with its end.
    async fn next(&mut self) -> Result<Vec<u8>, RestoreError> {
        self.number += 1;
        let mut line = Vec::new();
        (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        match line.last() {
            Some(b'\n') => Ok(line),
            _ if line.len() as u64 == LONGEST_LINE => Err(self.damaged("the line is too long")),
            _ => Err(self.damaged("the backup ends before its footer")),
        }
    }

    fn damaged(&self, why: impl Into<String>) -> RestoreError {
        RestoreError::Damaged { line: self.number, why: why.into() }
    }
}

fn header(line: &[u8]) -> Result<Header, String> {
    let header: Header = serde_json::from_slice(line).map_err(|_| "this is no header of a backup".to_owned())?;
    if header.ambit_backup != FORMAT {
        return Err(format!("the backup has format {}, this program reads {FORMAT}", header.ambit_backup));
    }
    if header.schema != known_version() {
        return Err(format!(
            "the backup was made with schema version {}, this program has {}: restore it with the program that made it, \
             then migrate",
            header.schema,
            known_version()
        ));
    }
    if number(header.revision.saturating_add(REVISION_GAP)).is_err() || number(header.revocations).is_err() {
        return Err("the numbers in the header are out of range".to_owned());
    }
    Ok(header)
}

fn row(line: &[u8]) -> Option<(&'static Table, Vec<crate::sql::Value>)> {
    let values: Vec<Json> = serde_json::from_slice(line).ok()?;
    let (name, values) = values.split_first()?;
    let table = Table::find(name.as_str()?)?;
    Some((table, table.values(values)?))
}

/// How far above the backup's the revision goes on. Nobody makes as many changes between a backup and a restore.
pub const REVISION_GAP: u64 = 1 << 20;

const BUFFER: usize = 64 * 1024;
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Header {
        Header {
            ambit_backup: FORMAT,
            schema: known_version(),
            revision: 7,
            revocations: 3,
            at: Timestamp::from_secs(9),
        }
    }

    #[test]
    fn the_revision_after_a_restore_stays_within_63_bits() {
        let with = |revision| header(&serde_json::to_vec(&Header { revision, ..good() }).unwrap());
        let last = i64::MAX as u64 - REVISION_GAP;
        assert!(with(last).is_ok());
        assert!(with(last + 1).is_err());
        assert!(with(u64::MAX).is_err());
    }

    #[test]
    fn a_member_nobody_knows_is_no_header() {
        let text = serde_json::to_string(&good()).unwrap();
        assert!(header(text.as_bytes()).is_ok());
        assert!(header(text.replacen('{', r#"{"encrypted":true,"#, 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = header(&octets);
            prop_assert!(row(&octets).is_none());
        }

        #[test]
        fn no_values_make_it_panic(name in "[a-z_]{0,12}|partners|changes|journal_blocks", values in "[\\[\\]{}\",0-9a-z.:-]{0,80}") {
            let _ = row(format!("[\"{name}\",{values}]").as_bytes());
        }

        #[test]
        fn a_row_reads_back_as_it_was_written(id in ".{0,20}", at in any::<i64>()) {
            let line = serde_json::to_vec(&json!(["secret_uses", id, at])).unwrap();
            let (table, values) = row(&line).unwrap();
            prop_assert_eq!(table.name, "secret_uses");
            prop_assert_eq!(values, [crate::sql::Value::from(id), crate::sql::Value::from(at)]);
        }
    }
}
