//! Bodies, read strictly: JSON and nothing else, each member once, nothing unknown, nothing too deep. Every fault is named by a
//! JSON pointer (RFC 6901).

use std::fmt;

use ambit_core::page;
use ambit_core::registry::RegistryError;
use ambit_protocol::problem::FieldError;
use axum::extract::FromRequestParts;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::answer::Stop;
use super::call::Admin;

/// The body of a request.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// The body of a partial change, not yet held against the thing it changes.
#[derive(Debug)]
pub struct Patch<T> {
    members: Map<String, Value>,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Patch<T> {
    /// A member as it was sent, before it is known whether it is any good.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// What changes, given the thing as it is.
    ///
    /// Whoever reads a thing, edits it and sends the whole of it back also sends what cannot be changed. That is no fault as long
    /// as it is what is there: so a thing sent back as it was read changes nothing.
    ///
    /// # Errors
    /// Every member that cannot be changed and differs; every unknown member; every value that breaks a rule.
    pub fn over(self, current: &impl Serialize) -> Result<T, Stop>
    where
        T: JsonSchema,
    {
        let current = serde_json::to_value(current).map_err(|error| Stop::Internal(Box::new(error)))?;
        let schema = schemars::schema_for!(T);
        let changeable = schema.get("properties").and_then(Value::as_object);
        let mut members = self.members;
        let mut faults = vec![];
        members.retain(|name, value| {
            if changeable.is_some_and(|changeable| changeable.contains_key(name)) {
                return true;
            }
            match current.get(name) {
                Some(there) if there == value => {}
                Some(_) => faults.push(fault([name.as_str()], "is fixed and cannot be changed")),
                None => faults.push(fault([name.as_str()], "is unknown here")),
            }
            false
        });
        match read(&Value::Object(members)) {
            Ok(changes) if faults.is_empty() => Ok(changes),
            Ok(_) => Err(RegistryError::Invalid(faults).into()),
            Err(more) => {
                faults.extend(more);
                Err(RegistryError::Invalid(faults).into())
            }
        }
    }
}

impl<S: Sync, T: DeserializeOwned + JsonSchema> FromRequestParts<S> for Body<T> {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Stop> {
        let admin = Admin::from_request_parts(parts, state).await?;
        let members = object(parse(parts, admin.body())?)?;
        read(&Value::Object(members)).map(Self).map_err(|faults| RegistryError::Invalid(faults).into())
    }
}

impl<S: Sync, T> FromRequestParts<S> for Patch<T> {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Stop> {
        let admin = Admin::from_request_parts(parts, state).await?;
        let members = object(parse(parts, admin.body())?)?;
        Ok(Self { members, kind: std::marker::PhantomData })
    }
}

/// Every body is an object. serde would also take a list of the members' values, in the order of a struct's fields.
fn object(body: Value) -> Result<Map<String, Value>, Stop> {
    match body {
        Value::Object(members) => Ok(members),
        _ => Err(Stop::invalid("", "must be a JSON object")),
    }
}

/// Bytes → JSON.
fn parse(parts: &Parts, bytes: &[u8]) -> Result<Value, Stop> {
    let mut types = parts.headers.get_all(CONTENT_TYPE).iter();
    let is_json = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(is_json),
        _ => false,
    };
    if !is_json {
        return Err(Stop::bad(&page::UNSUPPORTED_MEDIA_TYPE, "the admin API reads application/json"));
    }
    parse_json(bytes)
}

fn parse_json(bytes: &[u8]) -> Result<Value, Stop> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut repeated = vec![];
    let strict = Strict { path: vec![], repeated: &mut repeated };
    let value = strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Stop::bad(&page::MALFORMED_JSON, error.to_string()))?;
    if repeated.is_empty() {
        return Ok(value);
    }
    let errors: Vec<FieldError> =
        repeated.into_iter().map(|path| fault(path.iter().map(String::as_str), "is there twice")).collect();
    Err(RegistryError::Invalid(errors).into())
}

/// `application/json`, with parameters or without; another charset than UTF-8 is another format.
fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| {
            parameter.split_once('=').is_none_or(|(name, value)| {
                !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        })
}

/// JSON → the type, or all its faults with their places.
///
/// serde stops at the first fault. So where there is one, each part of the body is read by itself, to the bottom: whoever sent it
/// has all of it to mend at once.
fn read<T: DeserializeOwned + JsonSchema>(body: &Value) -> Result<T, Vec<FieldError>> {
    let first = match read_once(body) {
        Ok(it) => return Ok(it),
        Err(misfit) => misfit,
    };
    let mut faults = vec![];
    find_faults::<T>(body, &|part| part, &mut Place::default(), &mut faults);
    if let Value::Object(members) = body {
        let schema = schemars::schema_for!(T);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        faults.extend(required.filter(|name| !members.contains_key(*name)).map(|name| fault([name], MISSING)));
    }
    if faults.is_empty() {
        faults.push(fault(first.path.iter().map(String::as_str), &first.message));
    }
    Err(faults)
}

/// The faults of the parts of a value. `within` puts a part where it belongs in a body that has nothing else.
fn find_faults<T: DeserializeOwned>(
    value: &Value,
    within: &dyn Fn(Value) -> Value,
    place: &mut Place,
    faults: &mut Vec<FieldError>,
) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, part)| (name.clone(), part)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, part)| (index.to_string(), part)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for (name, part) in parts {
        if faults.len() >= MAX_FAULTS {
            return;
        }
        let alone = |part: Value| {
            within(match value {
                Value::Array(_) => Value::Array(vec![part]),
                _ => Value::Object(Map::from_iter([(name.clone(), part)])),
            })
        };
        let Err(misfit) = read_once::<T>(&alone(part.clone())) else { continue };
        place.sent.push(name.clone());
        place.read.push(if value.is_array() { "0".to_owned() } else { name.clone() });
        // Of a body with one part, what is missing elsewhere may be a fault as well: that is not this part's.
        if misfit.path.starts_with(&place.read) {
            let before = faults.len();
            find_faults::<T>(part, &alone, place, faults);
            if faults.len() == before {
                let deeper = &misfit.path[place.read.len()..];
                faults.push(fault(place.sent.iter().chain(deeper).map(String::as_str), &misfit.message));
            }
        }
        place.sent.pop();
        place.read.pop();
    }
}

/// Where a part stands: in what was sent, and in the body that is read for it, in which every list has one item.
#[derive(Default)]
struct Place {
    sent: Vec<String>,
    read: Vec<String>,
}

/// The first thing that does not fit, and where.
struct Misfit {
    path: Vec<String>,
    message: String,
}

fn read_once<T: DeserializeOwned>(value: &Value) -> Result<T, Misfit> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path: Vec<String> = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                // The variant of an enum has no place of its own in the text.
                serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
            })
            .collect();
        let message = error.into_inner().to_string();
        // serde names these members in its text, at the place of the object they are missing from or unknown to.
        let (name, message) = match (quoted(&message, "unknown field `"), quoted(&message, "missing field `")) {
            (Some(name), _) => (Some(name), "is unknown here".to_owned()),
            (_, Some(name)) => (Some(name), MISSING.to_owned()),
            (None, None) => (None, message),
        };
        if path.last() != name.as_ref() {
            path.extend(name);
        }
        Misfit { path, message }
    })
}

fn quoted(message: &str, before: &str) -> Option<String> {
    let (name, _) = message.strip_prefix(before)?.split_once('`')?;
    Some(name.to_owned())
}

fn fault<'p>(path: impl IntoIterator<Item = &'p str>, message: &str) -> FieldError {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        // RFC 6901 §3: "'~' needs to be encoded as '~0' and '/' needs to be encoded as '~1'".
        pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
    }
    FieldError { pointer, message: message.to_owned() }
}

/// Reads JSON into a value and notes every member that an object has twice: two readers could take different ones for true.
struct Strict<'r> {
    path: Vec<String>,
    repeated: &'r mut Vec<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = vec![];
        loop {
            let mut path = self.path.clone();
            path.push(list.len().to_string());
            match items.next_element_seed(Strict { path, repeated: &mut *self.repeated })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if self.repeated.len() > MAX_FAULTS {
                return Err(A::Error::custom("too many repeated members"));
            }
            let mut path = self.path.clone();
            path.push(name.clone());
            if map.contains_key(&name) {
                self.repeated.push(path.clone());
            }
            let value = members.next_value_seed(Strict { path, repeated: &mut *self.repeated })?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// After so many faults nobody is making an honest mistake.
const MAX_FAULTS: usize = 20;

const MISSING: &str = "is missing";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        #[serde(default)]
        sizes: Vec<u32>,
        #[serde(default)]
        inner: Option<Box<Thing>>,
    }

    #[derive(Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct PatchThing {
        #[serde(default)]
        name: Option<String>,
    }

    fn faults(stop: Stop) -> Vec<(String, String)> {
        match stop {
            Stop::Registry(RegistryError::Invalid(errors)) => {
                errors.into_iter().map(|error| (error.pointer, error.message)).collect()
            }
            Stop::Request(bad) => vec![(bad.page.slug.to_owned(), bad.detail)],
            other => panic!("{other:?}"),
        }
    }

    fn fault_of(text: &str) -> (String, String) {
        all_faults_of(text).remove(0)
    }

    fn all_faults_of(text: &str) -> Vec<(String, String)> {
        let read = |body| read::<Thing>(&body).map_err(|faults| RegistryError::Invalid(faults).into());
        faults(parse_json(text.as_bytes()).and_then(read).expect_err(text))
    }

    fn pointer_of(text: &str) -> String {
        fault_of(text).0
    }

    #[test]
    fn every_fault_is_named_by_its_place() {
        assert_eq!(fault_of(r#"{"name":"a","size":1}"#), ("/size".to_owned(), "is unknown here".to_owned()));
        assert_eq!(fault_of(r#"{"sizes":[]}"#), ("/name".to_owned(), "is missing".to_owned()));
        assert_eq!(fault_of(r#"{"name":"a","inner":{}}"#), ("/inner/name".to_owned(), "is missing".to_owned()));
        assert_eq!(pointer_of(r#"{"name":"a","inner":{"name":"b","x":1}}"#), "/inner/x");
        assert_eq!(pointer_of(r#"{"name":"a","sizes":[1,-2]}"#), "/sizes/1");
        assert_eq!(pointer_of(r#"{"name":7}"#), "/name");
        assert_eq!(pointer_of("[]"), "");
        assert_eq!(pointer_of(r#"{"name":"a","name":"b"}"#), "/name");
        assert_eq!(pointer_of(r#"{"name":"a","inner":{"name":"a","name":"a"}}"#), "/inner/name");
        assert_eq!(pointer_of(r#"{"name":"a","a/b~c":1}"#), "/a~1b~0c");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let pointers = |text| all_faults_of(text).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>();
        assert_eq!(pointers(r#"{"nmae":"a","sizes":[1,-2,3,"x"]}"#), ["/nmae", "/sizes/1", "/sizes/3", "/name"]);
        assert_eq!(pointers(r#"{"name":"a","inner":{"name":7,"sizes":[-1]}}"#), ["/inner/name", "/inner/sizes/0"]);
        assert_eq!(pointers(r#"{"name":7,"sizes":{},"inner":[]}"#), ["/inner", "/name", "/sizes"]);
        // However many there are, the answer stays short.
        let many = format!(r#"{{"name":"a","sizes":[{}]}}"#, ["\"x\""; 500].join(","));
        assert_eq!(all_faults_of(&many).len(), MAX_FAULTS);
    }

    #[test]
    fn what_is_not_json_is_said_with_line_and_column() {
        for text in ["", "{", "{\"name\":}", "{} x", "nul", "{\"name\":\"\\ud800\"}", "{\"a\":1e999}", "\u{feff}{}"] {
            let (slug, detail) = fault_of(text);
            assert_eq!(slug, "api/malformed-json", "{text}");
            assert!(detail.contains("line 1"), "{detail}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(fault_of(&deep).0, "api/malformed-json");
        assert!(parse_json(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_thing_sent_back_as_it_was_read_changes_nothing_and_a_fixed_member_stays() {
        let current = serde_json::json!({"id": "x", "name": "a", "created_at": "t", "tags": ["b"]});
        let patch = |body: Value| match body {
            Value::Object(members) => Patch::<PatchThing> { members, kind: std::marker::PhantomData }.over(&current),
            _ => unreachable!("an object"),
        };
        assert_eq!(patch(current.clone()).unwrap(), PatchThing { name: Some("a".to_owned()) });
        let stop = patch(serde_json::json!({"id": "y", "name": "b", "tags": [], "more": 1})).expect_err("fixed");
        let pointers: Vec<(String, String)> = faults(stop);
        assert_eq!(
            pointers,
            [
                ("/id".to_owned(), "is fixed and cannot be changed".to_owned()),
                ("/more".to_owned(), "is unknown here".to_owned()),
                ("/tags".to_owned(), "is fixed and cannot be changed".to_owned()),
            ]
        );
    }

    #[test]
    fn only_json_is_json() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/json", "application/json; charset=latin1", "application/jsonx", "text/plain"] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(parse_json(&bytes).map(|body| read::<Thing>(&body)));
        }

        #[test]
        fn strict_reading_reads_what_the_library_reads(text in "[\\[\\]{}:,\"a-c0-9 -]{0,40}") {
            if let Ok(value) = parse_json(text.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str::<Value>(&text).ok());
            }
        }
    }
}
