//! What goes wrong below, in the words of [`StoreError`].

use std::error::Error;

use ambit_core::store::StoreError;

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// Whatever the engine answers that is nobody's mistake here: it cannot be used now, or not in time.
pub(crate) fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// Whether two transactions got in each other's way and one was rolled back for it: trying again is right.
pub(crate) fn is_contention(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    let Some(sqlx::Error::Database(error)) = source.downcast_ref::<sqlx::Error>() else { return false };
    error.code().is_some_and(|code| CONTENTION.contains(&code.as_ref()))
}

/// Whether the engine answered, with octets that are no text: the driver then gives up on all rows of an answer.
pub(crate) fn is_undecodable(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    matches!(source.downcast_ref(), Some(sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }))
}

/// Whether a write failed by what it was to write, and not by where: another beside it may still go well.
pub(crate) fn is_its_own(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(source) => {
            matches!(source.downcast_ref(), Some(sqlx::Error::Database(error)) if error.is_unique_violation())
        }
        _ => true,
    }
}

/// A count or revision as the tables hold it.
pub(crate) fn number(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| StoreError::Unstorable("a number is beyond 2^63 − 1"))
}

/// A number from a table that never holds a negative one.
pub(crate) fn unsigned<T: TryFrom<i64>>(value: i64) -> Result<T> {
    T::try_from(value).map_err(|_| unavailable(format!("the stored number {value} is out of range")))
}

// PostgreSQL: serialization_failure, deadlock_detected. SQLite: SQLITE_BUSY, _BUSY_RECOVERY, _BUSY_SNAPSHOT, SQLITE_LOCKED.
const CONTENTION: [&str; 6] = ["40001", "40P01", "5", "261", "517", "6"];
