//! JSON objects that are objects: serde's derived readers take an array for a struct as well, member by member.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Reads `T` from a JSON object and from nothing else.
///
/// # Examples
///
/// ```
/// use ambit_protocol::object::ObjectOnly;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Point { x: i32, y: i32 }
///
/// let ObjectOnly(point) = serde_json::from_str::<ObjectOnly<Point>>(r#"{"x":1,"y":2}"#)?;
/// assert_eq!((point.x, point.y), (1, 2));
/// assert!(serde_json::from_str::<Point>("[1,2]").is_ok(), "which nobody asked for");
/// assert!(serde_json::from_str::<ObjectOnly<Point>>("[1,2]").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectOnly<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ObjectOnly<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = ObjectOnly<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(ObjectOnly)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Holder<'a> {
        #[serde(borrow)]
        inner: &'a RawValue,
    }

    #[test]
    fn an_object_is_read_borrowed_parts_included() {
        let ObjectOnly(holder) = serde_json::from_str::<ObjectOnly<Holder<'_>>>(r#"{"inner": [1, 2]}"#).expect("valid");
        assert_eq!(holder.inner.get(), "[1, 2]");
    }

    #[test]
    fn anything_else_is_refused_in_words() {
        for bad in ["[[1]]", "null", "1", "\"x\"", "[]"] {
            let error = serde_json::from_str::<ObjectOnly<Holder<'_>>>(bad).expect_err("refused").to_string();
            assert!(error.contains("expected an object"), "{error}");
        }
    }
}
