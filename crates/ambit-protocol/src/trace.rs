//! W3C Trace Context: the `traceparent` header, and the trace id that ties a request, its answer and its log lines together.
//!
//! <https://www.w3.org/TR/trace-context/>. A header that does not follow the recommendation is ignored, never an error: the
//! recommendation has the receiver start a new trace then (§3.2.2.3 and §4.3).

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Identifies a whole trace: 16 octets, not all zero, shown as 32 lower-case hexadecimal digits.
///
/// # Examples
///
/// ```
/// use ambit_protocol::trace::TraceId;
///
/// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(TraceId::new([0; 16]).is_none());
/// # Ok::<(), ambit_protocol::trace::NotAnId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// Identifies one step of a trace: 8 octets, not all zero, shown as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

/// A text that is not an id: wrong length, not lower-case hexadecimal, or all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} lower-case hexadecimal digits that are not all zero")]
pub struct NotAnId {
    digits: usize,
}

macro_rules! id {
    ($name:ident, $octets:literal) => {
        impl $name {
            /// An id of these octets; none when all are zero, which the recommendation forbids.
            #[must_use]
            pub const fn new(octets: [u8; $octets]) -> Option<Self> {
                let mut i = 0;
                while i < octets.len() {
                    if octets[i] != 0 {
                        return Some(Self(octets));
                    }
                    i += 1;
                }
                None
            }

            /// The octets.
            #[must_use]
            pub const fn octets(self) -> [u8; $octets] {
                self.0
            }

            /// The digits it is shown as, in ASCII.
            #[must_use]
            pub const fn to_hex(self) -> [u8; 2 * $octets] {
                let mut hex = [0; 2 * $octets];
                let mut i = 0;
                while i < $octets {
                    hex[2 * i] = HEX[(self.0[i] >> 4) as usize];
                    hex[2 * i + 1] = HEX[(self.0[i] & 0xf) as usize];
                    i += 1;
                }
                hex
            }

            fn parse(hex: &[u8]) -> Option<Self> {
                let mut octets = [0; $octets];
                if hex.len() != 2 * octets.len() {
                    return None;
                }
                for (octet, digits) in octets.iter_mut().zip(hex.chunks_exact(2)) {
                    *octet = hex_octet(digits)?;
                }
                Self::new(octets)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Digits of HEX are ASCII.
                f.write_str(str::from_utf8(&self.to_hex()).expect("ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::parse(text.as_bytes()).ok_or(NotAnId { digits: 2 * $octets })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", 2 * $octets) })
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

/// The `traceparent` header: which trace a request belongs to, and which step of it called us.
///
/// # Examples
///
/// ```
/// use ambit_protocol::trace::TraceParent;
///
/// let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let parent = TraceParent::parse(header.as_bytes()).expect("the recommendation's own example");
/// assert!(parent.sampled);
/// assert_eq!(parent.to_string(), header);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The step that sent the request.
    pub parent_id: SpanId,
    /// Whether the caller may have recorded its step.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a header value; none when it must be ignored.
    ///
    /// Version `00` is exactly 55 characters. A higher version is read as far as `00` goes, and may have more after a
    /// further `-` (§4.3, versioning); `ff` is forbidden. Only lower-case digits count (§3.2.2).
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(VERSION_00_LEN)?;
        let version = hex_octet(&known[..2])?;
        let goes_on_well = match version {
            0x00 => more.is_empty(),
            0xff => false,
            _ => more.first().is_none_or(|&next| next == b'-'),
        };
        let dashes = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
        if !goes_on_well || !dashes {
            return None;
        }
        Some(Self {
            trace_id: TraceId::parse(&known[3..35])?,
            parent_id: SpanId::parse(&known[36..52])?,
            sampled: hex_octet(&known[53..])? & SAMPLED != 0,
        })
    }

    /// Reads the one `traceparent` header of a request, given all its values; none when there is none, when it must be
    /// ignored, or when there are several: which of them is right cannot be known.
    #[must_use]
    pub fn from_headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut values = values.into_iter();
        let only = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(only)
    }
}

/// Writes version `00`, the only one there is to write.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { SAMPLED } else { 0 };
        write!(f, "00-{}-{}-{flags:02x}", self.trace_id, self.parent_id)
    }
}

fn hex_octet(digits: &[u8]) -> Option<u8> {
    let digit = |d: u8| match d {
        b'0'..=b'9' => Some(d - b'0'),
        b'a'..=b'f' => Some(d - b'a' + 10),
        _ => None,
    };
    match *digits {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const VERSION_00_LEN: usize = 55;
const SAMPLED: u8 = 0x01;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn parse(text: &str) -> Option<TraceParent> {
        TraceParent::parse(text.as_bytes())
    }

    #[test]
    fn version_00_is_read_and_written() {
        for flags in ["00", "01"] {
            let header = format!("00-{TRACE}-{SPAN}-{flags}");
            let parent = parse(&header).expect("valid");
            assert_eq!(parent.trace_id.to_string(), TRACE);
            assert_eq!(parent.parent_id.to_string(), SPAN);
            assert_eq!(parent.sampled, flags == "01");
            assert_eq!(parent.to_string(), header);
        }
    }

    #[test]
    fn unknown_flags_are_dropped_and_the_sampled_one_is_kept() {
        assert_eq!(
            parse(&format!("00-{TRACE}-{SPAN}-ff")).map(|p| p.to_string()),
            Some(format!("00-{TRACE}-{SPAN}-01"))
        );
        assert_eq!(parse(&format!("00-{TRACE}-{SPAN}-02")).map(|p| p.sampled), Some(false));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        assert!(parse(&format!("01-{TRACE}-{SPAN}-01")).is_some());
        assert!(parse(&format!("fe-{TRACE}-{SPAN}-01-what-comes-then")).is_some());
        assert!(parse(&format!("01-{TRACE}-{SPAN}-01what")).is_none());
        assert!(parse(&format!("ff-{TRACE}-{SPAN}-01")).is_none());
        assert!(parse(&format!("00-{TRACE}-{SPAN}-01-more")).is_none());
    }

    #[test]
    fn what_breaks_the_grammar_is_ignored() {
        let zero_trace = "0".repeat(32);
        let zero_span = "0".repeat(16);
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{zero_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{zero_span}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}_{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}_01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!("00-{}\u{e9}-{SPAN}-01", &TRACE[2..]),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn two_headers_are_as_good_as_none() {
        let header = format!("00-{TRACE}-{SPAN}-01");
        let one: &[u8] = header.as_bytes();
        assert!(TraceParent::from_headers([one]).is_some());
        assert!(TraceParent::from_headers([one, one]).is_none());
        assert!(TraceParent::from_headers([]).is_none());
    }

    #[test]
    fn an_id_has_exactly_its_length_and_is_not_zero() {
        assert!(TRACE.parse::<TraceId>().is_ok());
        assert!(TRACE[1..].parse::<TraceId>().is_err());
        assert!(format!("{TRACE}0").parse::<TraceId>().is_err());
        assert!("0".repeat(32).parse::<TraceId>().is_err());
        assert!(format!("{}1", "0".repeat(31)).parse::<TraceId>().is_ok());
        assert_eq!(serde_json::to_value(TRACE.parse::<TraceId>().expect("valid")).expect("json"), TRACE);
        assert!(serde_json::from_value::<TraceId>("xyz".into()).is_err());
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_ignored(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(parent) = TraceParent::parse(&value) {
                prop_assert_eq!(TraceParent::parse(parent.to_string().as_bytes()), Some(parent));
            }
        }

        #[test]
        fn what_is_written_reads_back(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled in any::<bool>()) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let parent = TraceParent {
                trace_id: TraceId::new(trace).expect("not zero"),
                parent_id: SpanId::new(span).expect("not zero"),
                sampled,
            };
            prop_assert_eq!(parse(&parent.to_string()), Some(parent));
        }
    }
}
