//! Traces of our own making tell their moment: the first 48 bits are the Unix time in milliseconds, which finds a token's block
//! in the journal.

use ambit_core::entropy::Entropy;
use ambit_protocol::time::Timestamp;
use ambit_protocol::trace::TraceId;

/// A new trace.
pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> TraceId {
    let mut octets = [0; 16];
    entropy.fill(&mut octets[6..]);
    octets[..6].copy_from_slice(&now.millis().to_be_bytes()[2..]);
    // W3C Trace Context §3.2.2.3: all zeros is no trace id. The last bit is always set, so this is none.
    octets[15] |= 1;
    TraceId::new(octets).expect("the last bit is set")
}

/// The moment in a trace of our own making. Of any other it is some moment.
#[must_use]
pub fn moment(trace_id: &TraceId) -> Timestamp {
    let octets = trace_id.octets();
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&octets[..6]);
    Timestamp::from_millis(i64::from_be_bytes(millis))
}
