//! Ambit's storage on SQLite and PostgreSQL.
//!
//! [`SqlStore`] is the one implementation of [`ambit_core::store::Store`]: the same SQL text on both engines. What differs
//! between them is how they are opened, how a transaction is begun, and the names of two types in the migrations.
//!
//! - Every change of the registry is one transaction. It takes the one row of the table `registry` first, so all changes
//!   stand in one line: revisions have no gaps and become visible in order.
//! - Whatever is answered with success is durable: SQLite writes ahead with `synchronous = FULL`, PostgreSQL commits with
//!   `synchronous_commit` at least `on`.
//! - Whatever is interrupted (a future dropped, a connection lost, a statement refused) is rolled back as a whole; a
//!   connection in doubt is closed and never used again.
//! - SQLite has one writer and a few readers; writers wait in a queue, with a time-out, and never block the runtime. While
//!   a transaction is open, the other writes of this store wait for it: whoever holds one does not ask for another.
//!
//! ```
//! # async fn example() -> Result<(), ambit_core::store::StoreError> {
//! use ambit_core::store::Store as _;
//! use ambit_store::{SqlStore, StoreConfig};
//!
//! let store = SqlStore::open(&StoreConfig::data_dir("/var/lib/ambit")).await?;
//! store.migrate().await?;
//! store.check().await?;
//! # Ok(())
//! # }
//! ```

mod answer;
mod backup;
mod bulk;
mod change;
mod checksum;
pub mod config;
mod dump;
mod error;
mod fill;
mod grouped;
mod journal;
mod migrate;
mod once;
mod outcome;
mod pool;
mod readers;
mod reads;
mod restore;
mod retry;
mod row;
mod scan;
mod scheduling;
mod sign_in;
mod sql;
mod store;
mod transaction;
mod write;

pub use backup::{BackupError, BackupReport};
pub use config::{Location, StoreConfig};
pub use migrate::MigrationReport;
pub use restore::{REVISION_GAP, RestoreError, RestoreReport};
pub use scan::{DamagedRow, ScanReport};
pub use store::SqlStore;
