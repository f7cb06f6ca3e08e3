//! The issuance journal.

use ambit_core::store::journal::{JournalBlock, RefusalRecord, SecretUse};
use ambit_protocol::time::Timestamp;
use aws_lc_rs::digest::{Context, SHA256};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::error::{Result, number, unsigned};
use crate::sql::{Columns, Sql};

/// Appends all of it. The same call again changes nothing: each record is kept under a digest of itself and its place in
/// the call, so whoever does not know whether an append was committed may repeat it.
pub(crate) async fn append(
    connection: &mut AnyConnection,
    blocks: &[JournalBlock],
    refusals: &[RefusalRecord],
    uses: &[SecretUse],
) -> Result<()> {
    for (place, block) in blocks.iter().enumerate() {
        append_block(connection, place, block).await?;
    }
    for (chunk, refusals) in refusals.chunks(ROWS_PER_STATEMENT).enumerate() {
        append_refusals(connection, chunk * ROWS_PER_STATEMENT, refusals).await?;
    }
    // In one order on every node, so that two of them never wait for each other.
    let mut uses: Vec<&SecretUse> = uses.iter().collect();
    uses.sort_by(|one, other| one.secret_id.cmp(&other.secret_id));
    for used in uses {
        note_use(connection, used).await?;
    }
    Ok(())
}

async fn append_block(connection: &mut AnyConnection, place: usize, block: &JournalBlock) -> Result<()> {
    let (first, last) = (block.first_at.millis(), block.last_at.millis());
    let id = digest(
        place,
        &[
            &first.to_be_bytes(),
            &last.to_be_bytes(),
            &block.count.to_be_bytes(),
            block.issuances.as_bytes(),
            &block.entries,
        ],
    );
    Sql::new(
        "INSERT INTO journal_blocks (id, first_at, last_at, span, count, issuances, entries) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .with(id)
    .with(first)
    .with(last)
    .with(last.saturating_sub(first).clamp(0, FAR))
    .with(block.count)
    .with(block.issuances.as_str())
    .with(block.entries.as_slice())
    .run(connection)
    .await
    .map(drop)
}

async fn append_refusals(connection: &mut AnyConnection, first: usize, refusals: &[RefusalRecord]) -> Result<()> {
    let mut sql = Sql::new("INSERT INTO refusals (id, at, trace_id, client_id, reason, detail, revision) VALUES ");
    for (place, refusal) in refusals.iter().enumerate() {
        let id = digest(
            first + place,
            &[
                &refusal.at.millis().to_be_bytes(),
                refusal.trace_id.as_bytes(),
                refusal.client_id.as_deref().unwrap_or_default().as_bytes(),
                refusal.reason.as_bytes(),
                refusal.detail.as_bytes(),
                &refusal.revision.to_be_bytes(),
            ],
        );
        sql.push(if place == 0 { "(" } else { ", (" }).bind(id).push(", ");
        sql.bind(refusal.at).push(", ").bind(refusal.trace_id.as_str()).push(", ");
        sql.bind(refusal.client_id.as_deref()).push(", ").bind(refusal.reason.as_str()).push(", ");
        sql.bind(refusal.detail.as_str()).push(", ").bind(number(refusal.revision)?).push(")");
    }
    sql.push(" ON CONFLICT DO NOTHING");
    let sql = if refusals.len() == 1 || refusals.len() == ROWS_PER_STATEMENT { sql } else { sql.once() };
    sql.run(connection).await.map(drop)
}

async fn note_use(connection: &mut AnyConnection, used: &SecretUse) -> Result<()> {
    // A secret may have been deleted since: then there is nothing to note. The later moment stays.
    Sql::new(
        "INSERT INTO secret_uses (secret_id, at) SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM secrets WHERE id = $1) \
         ON CONFLICT (secret_id) DO UPDATE SET at = excluded.at WHERE excluded.at > secret_uses.at",
    )
    .with(used.secret_id.as_str())
    .with(used.at)
    .run(connection)
    .await
    .map(drop)
}

pub(crate) async fn blocks(
    connection: &mut AnyConnection,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Result<Vec<JournalBlock>> {
    let mut sql = Sql::new(
        "SELECT first_at, last_at, count, issuances, entries FROM journal_blocks WHERE first_at <= $1 AND last_at >= $2",
    )
    .with(to)
    .with(from);
    if from.millis() > -FAR {
        // No block is wider than the widest, so none that reaches `from` begins earlier than that before it.
        sql.push(" AND first_at >= ").bind(from).push(" - COALESCE((SELECT MAX(span) FROM journal_blocks), 0)");
    }
    sql.push(" ORDER BY first_at DESC, id DESC LIMIT ").bind(limit);
    sql.all(connection).await?.iter().map(block).collect()
}

fn block(row: &AnyRow) -> Result<JournalBlock> {
    let mut columns = Columns::of(row);
    Ok(JournalBlock {
        first_at: columns.timestamp()?,
        last_at: columns.timestamp()?,
        count: unsigned(columns.number()?)?,
        issuances: columns.text()?,
        entries: columns.octets()?,
    })
}

pub(crate) async fn refusals_of_trace(connection: &mut AnyConnection, trace_id: &str) -> Result<Vec<RefusalRecord>> {
    Sql::new(
        "SELECT at, trace_id, client_id, reason, detail, revision FROM refusals WHERE trace_id = $1 ORDER BY at, id",
    )
    .with(trace_id)
    .all(connection)
    .await?
    .iter()
    .map(refusal)
    .collect()
}

fn refusal(row: &AnyRow) -> Result<RefusalRecord> {
    let mut columns = Columns::of(row);
    Ok(RefusalRecord {
        at: columns.timestamp()?,
        trace_id: columns.text()?,
        client_id: columns.optional_text()?,
        reason: columns.text()?,
        detail: columns.text()?,
        revision: unsigned(columns.number()?)?,
    })
}

pub(crate) async fn purge(connection: &mut AnyConnection, before: Timestamp, limit: u32) -> Result<u64> {
    let blocks = Sql::new(
        "DELETE FROM journal_blocks WHERE id IN \
         (SELECT id FROM journal_blocks WHERE last_at < $1 ORDER BY last_at LIMIT $2)",
    )
    .with(before)
    .with(limit)
    .run(connection)
    .await?;
    let refusals =
        Sql::new("DELETE FROM refusals WHERE id IN (SELECT id FROM refusals WHERE at < $1 ORDER BY at LIMIT $2)")
            .with(before)
            .with(number(u64::from(limit).saturating_sub(blocks))?)
            .run(connection)
            .await?;
    Ok(blocks + refusals)
}

/// A digest of the parts; each is preceded by its length, so that no two records have one text.
fn digest(place: usize, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(&(place as u64).to_be_bytes());
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref()[..16].to_vec()
}

const ROWS_PER_STATEMENT: usize = 64;
// Sums of two of these stay within 63 bits.
const FAR: i64 = i64::MAX / 4;
