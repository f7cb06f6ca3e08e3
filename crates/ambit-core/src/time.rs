//! The moment is handed in. This is the hand.

use std::fmt;
use std::time::Duration;

use ambit_protocol::time::Timestamp;

/// Tells the moment. The server has the machine's clock; tests have one they move.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The moment.
    fn now(&self) -> Timestamp;

    /// How long something has been running that goes on evenly while the time of day is corrected. Only what lies between two
    /// of these means anything. For a clock that nobody corrects that is its own course.
    fn steady(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now().millis()).unwrap_or(0))
    }
}
