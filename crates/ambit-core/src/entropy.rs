//! Randomness is handed in, and identifiers are made of it and of the moment.

use std::fmt;

use ambit_protocol::id::Id;
use ambit_protocol::time::Timestamp;
use uuid::{Builder, Uuid};

/// Fills with random octets fit for secrets.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// A new identifier: a UUIDv7 (RFC 9562 §5.7), so identifiers sort by the time they were made.
pub fn new_id<I: Id>(now: Timestamp, entropy: &dyn Entropy) -> I {
    I::from_uuid(new_uuid(now, entropy))
}

/// A new UUIDv7 of this moment.
pub fn new_uuid(now: Timestamp, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    // Before 1970 there is no UUIDv7; a clock that says so makes identifiers of 1970.
    Builder::from_unix_timestamp_millis(u64::try_from(now.millis()).unwrap_or(0), &random).into_uuid()
}

/// The moment a UUIDv7 was made, to the millisecond; none where it is of another version.
#[must_use]
pub fn moment_of(id: &Uuid) -> Option<Timestamp> {
    let (secs, nanos) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    Some(Timestamp::from_millis(i64::try_from(secs).ok()? * 1000 + i64::from(nanos) / 1_000_000))
}
