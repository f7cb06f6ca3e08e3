//! What was reported about the entries of the error knowledge base: counts.

use ambit_core::store::{OutcomeCount, OutcomeReport, StoreError};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::error::{Result, unsigned};
use crate::sql::{Columns, Sql};

/// Counts a report. Where a commit is not answered and tried again, it may count twice, which moves an estimate by little.
pub(crate) async fn report(connection: &mut AnyConnection, report: &OutcomeReport) -> Result<()> {
    Sql::new(
        "INSERT INTO outcomes (entry, workaround, helped, failed) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (entry, workaround) DO UPDATE SET \
         helped = outcomes.helped + excluded.helped, failed = outcomes.failed + excluded.failed",
    )
    .with(report.entry.as_str())
    .with(i64::from(report.workaround))
    .with(i64::from(report.helped))
    .with(i64::from(!report.helped))
    .run(connection)
    .await
    .map(drop)
}

/// Found out before anything is written.
pub(crate) fn storable(report: &OutcomeReport) -> Result<()> {
    if report.entry.contains('\0') {
        return Err(StoreError::Unstorable("a text holds a NUL octet"));
    }
    Ok(())
}

/// All counts, by entry and advice. There is a row for each advice that anybody reported about: a few thousand at most.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<OutcomeCount>> {
    let rows = Sql::new("SELECT entry, workaround, helped, failed FROM outcomes ORDER BY entry, workaround")
        .all(connection)
        .await?;
    rows.iter().map(count).collect()
}

fn count(row: &AnyRow) -> Result<OutcomeCount> {
    let mut columns = Columns::of(row);
    Ok(OutcomeCount {
        entry: columns.text()?,
        // It was written from as small a number.
        workaround: u32::try_from(columns.number()?).unwrap_or(u32::MAX),
        helped: unsigned(columns.number()?)?,
        failed: unsigned(columns.number()?)?,
    })
}
