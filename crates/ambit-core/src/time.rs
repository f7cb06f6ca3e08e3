//! The moment is handed in. This is the hand.

use std::fmt;

use ambit_protocol::time::Timestamp;

/// Tells the moment. The server has the machine's clock; tests have one they move.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The moment.
    fn now(&self) -> Timestamp;
}
