//! Problem details (RFC 9457): how everything that is not an OAuth endpoint says what went wrong.

use schemars::JsonSchema;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::trace::TraceId;

/// A problem: RFC 9457's members, the trace id, the faults of a validation, and whatever members its type adds.
///
/// Read leniently, as RFC 9457 §3.1 asks ("if a member's value type does not match the specified type, the member MUST be
/// ignored"), so that problems of other servers can be read too.
///
/// # Examples
///
/// ```
/// use ambit_protocol::problem::Problem;
///
/// let problem = Problem::new("https://host/errors/api/validation", "The request body is not valid", 422)
///     .with_detail("1 field has a fault")
///     .with_error("/name", "must not be empty")
///     .with_extension("limit", 3);
/// let json = serde_json::to_value(&problem)?;
/// assert_eq!(json["errors"][0]["pointer"], "/name");
/// assert_eq!(json["limit"], 3);
/// assert_eq!(serde_json::from_value::<Problem>(json)?, problem);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(from = "Map<String, Value>")]
pub struct Problem {
    /// The page that explains this type of problem; `about:blank` when there is none.
    pub r#type: String,
    /// What the type is about, in few words, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    #[schemars(default)]
    pub detail: Option<String>,
    /// The request it happened to: its path.
    #[schemars(default)]
    pub instance: Option<String>,
    /// The W3C trace id of the request; the same is in the logs.
    #[schemars(default)]
    pub trace_id: Option<TraceId>,
    /// The faults of a request body, one by one.
    #[schemars(default)]
    pub errors: Vec<FieldError>,
    /// Further members. A name of one of the members above is never written from here.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

/// One fault of a request body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body, empty for the body as a whole.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Problem {
    /// A problem with the members every problem has.
    #[must_use]
    pub fn new(r#type: impl Into<String>, title: impl Into<String>, status: u16) -> Self {
        Self {
            r#type: r#type.into(),
            title: title.into(),
            status,
            detail: None,
            instance: None,
            trace_id: None,
            errors: Vec::new(),
            extensions: Map::new(),
        }
    }

    /// Says what happened this time.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the request it happened to.
    #[must_use]
    pub fn with_instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Names the trace it belongs to.
    #[must_use]
    pub fn with_trace_id(mut self, trace_id: TraceId) -> Self {
        self.trace_id = Some(trace_id);
        self
    }

    /// Adds a fault of the request body.
    #[must_use]
    pub fn with_error(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), message: message.into() });
        self
    }

    /// Adds a member of this type of problem.
    #[must_use]
    pub fn with_extension(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.into(), value.into());
        self
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.r#type)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("status", &self.status)?;
        if let Some(detail) = &self.detail {
            map.serialize_entry("detail", detail)?;
        }
        if let Some(instance) = &self.instance {
            map.serialize_entry("instance", instance)?;
        }
        if let Some(trace_id) = &self.trace_id {
            map.serialize_entry("trace_id", trace_id)?;
        }
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        for (name, value) in &self.extensions {
            if !MEMBERS.contains(&name.as_str()) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

impl From<Map<String, Value>> for Problem {
    fn from(mut map: Map<String, Value>) -> Self {
        Self {
            // RFC 9457 §3.1.1: "When this member is not present, its value is assumed to be about:blank."
            r#type: take(&mut map, "type").unwrap_or_else(|| "about:blank".to_owned()),
            title: take(&mut map, "title").unwrap_or_default(),
            status: take(&mut map, "status").unwrap_or_default(),
            detail: take(&mut map, "detail"),
            instance: take(&mut map, "instance"),
            trace_id: take(&mut map, "trace_id"),
            errors: take(&mut map, "errors").unwrap_or_default(),
            extensions: map,
        }
    }
}

/// Takes a member out of the map; none when it is absent or not of its type, which RFC 9457 §3.1 has us ignore.
fn take<T: serde::de::DeserializeOwned>(map: &mut Map<String, Value>, member: &str) -> Option<T> {
    map.remove(member).and_then(|value| serde_json::from_value(value).ok())
}

/// The media type of a problem (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

const MEMBERS: [&str; 7] = ["type", "title", "status", "detail", "instance", "trace_id", "errors"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_written_in_reading_order_and_read_back() {
        let problem = Problem::new("https://h/errors/x", "Too few rights", 403)
            .with_detail("Platform token requires admin:write scope")
            .with_instance("/api/v1/admin/tenants")
            .with_trace_id("0af7651916cd43dd8448eb211c80319c".parse().expect("a trace id"))
            .with_extension("required", json!(["admin:write"]));
        let text = serde_json::to_string(&problem).expect("json");
        assert_eq!(
            text,
            concat!(
                r#"{"type":"https://h/errors/x","title":"Too few rights","status":403,"#,
                r#""detail":"Platform token requires admin:write scope","instance":"/api/v1/admin/tenants","#,
                r#""trace_id":"0af7651916cd43dd8448eb211c80319c","required":["admin:write"]}"#
            )
        );
        assert_eq!(serde_json::from_str::<Problem>(&text).expect("reads back"), problem);
    }

    #[test]
    fn an_extension_cannot_take_the_place_of_a_member() {
        let problem = Problem::new("a", "b", 404).with_extension("status", 200).with_extension("detail", "x");
        let text = serde_json::to_string(&problem).expect("json");
        assert_eq!(text, r#"{"type":"a","title":"b","status":404}"#);
    }

    #[test]
    fn members_that_are_absent_or_of_another_type_are_ignored() {
        let foreign =
            json!({"title": 7, "status": "403", "detail": ["x"], "errors": "no", "trace_id": "zz", "more": true});
        let problem: Problem = serde_json::from_value(foreign).expect("any object is a problem");
        assert_eq!(problem, Problem::new("about:blank", "", 0).with_extension("more", true));
        assert!(serde_json::from_str::<Problem>("[]").is_err());
    }
}
