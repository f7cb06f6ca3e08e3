//! JSON objects that leave no room for two readings: no member twice in one object (RFC 7515 §4, RFC 7519 §4), bounded
//! depth and width, valid Unicode, nothing after the value, and a member of the wrong type is never an absent one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// An object whose members wait, as text, for somebody who knows their types.
#[derive(Debug)]
pub(crate) struct Object<'de> {
    members: Vec<(Cow<'de, str>, &'de RawValue)>,
}

/// The text is no such object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What is wrong with one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Missing(&'static str),
    WrongType(&'static str),
}

impl<'de> Object<'de> {
    /// Takes the object apart and looks into every nested value, also those nobody will ask for: what one reader
    /// skips, another may take for truth.
    pub(crate) fn parse(bytes: &'de [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
        let members = serde_json::from_str::<Members<'de>>(text).map_err(|_| Malformed)?.0;
        for (_, value) in &members {
            if value.get().starts_with(['{', '[']) {
                check(value.get(), 1)?;
            }
        }
        Ok(Self { members })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// The member's value, or nothing when there is no such member. `null` is a value.
    pub(crate) fn find<T: Deserialize<'de>>(&self, name: &'static str) -> Result<Option<T>, Fault> {
        let Some((_, value)) = self.members.iter().find(|(member, _)| member == name) else { return Ok(None) };
        serde_json::from_str(value.get()).map(Some).map_err(|_| Fault::WrongType(name))
    }

    pub(crate) fn require<T: Deserialize<'de>>(&self, name: &'static str) -> Result<T, Fault> {
        self.find(name)?.ok_or(Fault::Missing(name))
    }

    /// A member that must be an object, kept as it is.
    pub(crate) fn find_object(&self, name: &'static str) -> Result<Option<Value>, Fault> {
        match self.find::<Value>(name)? {
            None => Ok(None),
            Some(value) if value.is_object() => Ok(Some(value)),
            Some(_) => Err(Fault::WrongType(name)),
        }
    }
}

fn check(text: &str, depth: usize) -> Result<(), Malformed> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Walk { depth }.deserialize(&mut deserializer).map_err(|_| Malformed)
}

/// The members of the outermost object.
struct Members<'de>(Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(USUAL_MEMBERS);
                while let Some(Name(name)) = map.next_key()? {
                    refuse_repetition(&name, members.iter().map(|(name, _)| name))?;
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Looks at every value and keeps none.
struct Walk {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        while items.next_element_seed(Walk { depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let mut names = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            refuse_repetition(&name, names.iter())?;
            names.push(name);
            map.next_value_seed(Walk { depth })?;
        }
        Ok(())
    }
}

/// Compares each name with each, which is cheapest for the dozen members a token has; the bound keeps it cheap for
/// those that want it to be dear.
fn refuse_repetition<'n, E: de::Error>(
    name: &str,
    mut known: impl ExactSizeIterator<Item = &'n Cow<'n, str>>,
) -> Result<(), E> {
    if known.len() == MAX_MEMBERS {
        return Err(E::custom("too many members"));
    }
    if known.any(|known| known == name) {
        return Err(E::custom("a member appears twice"));
    }
    Ok(())
}

fn deeper<E: de::Error>(depth: usize) -> Result<usize, E> {
    if depth == MAX_DEPTH { Err(E::custom("nested too deeply")) } else { Ok(depth + 1) }
}

/// A member's name, borrowed unless it holds an escape.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// Levels of arrays and objects, the outermost included. An `act` chain adds one for each exchange.
const MAX_DEPTH: usize = 16;
/// Members of one object.
const MAX_MEMBERS: usize = 128;
const USUAL_MEMBERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(text: &str) -> bool {
        Object::parse(text.as_bytes()).is_ok()
    }

    #[test]
    fn an_object_gives_its_members_by_name_and_type() {
        let object = Object::parse(br#" {"a": 1, "b\u0031": "x\ny", "c": {"d": []}, "n": null} "#).unwrap();
        assert_eq!(object.require::<u64>("a"), Ok(1));
        assert_eq!(object.find::<String>("b1"), Ok(Some("x\ny".to_owned())));
        assert_eq!(object.find::<String>("z"), Ok(None));
        assert_eq!(object.require::<String>("z"), Err(Fault::Missing("z")));
        assert_eq!(object.find::<String>("a"), Err(Fault::WrongType("a")));
        assert_eq!(object.find::<u64>("n"), Err(Fault::WrongType("n")), "null is not absence");
        assert!(object.find_object("c").unwrap().is_some());
        assert_eq!(object.find_object("a"), Err(Fault::WrongType("a")));
        assert!(object.contains("n"));
    }

    #[test]
    fn a_member_twice_is_refused_at_every_depth_and_in_every_spelling() {
        assert!(parses(r#"{"a":1,"b":{"a":1}}"#));
        assert!(!parses(r#"{"a":1,"a":1}"#));
        assert!(!parses(r#"{"a":1,"\u0061":1}"#));
        assert!(!parses(r#"{"x":{"a":1,"a":2}}"#));
        assert!(!parses(r#"{"x":[[{"a":1,"b":0,"a":2}]]}"#));
    }

    #[test]
    fn what_is_not_exactly_one_object_is_refused() {
        for text in [
            "",
            " ",
            "1",
            "null",
            "[]",
            "[1]",
            "\"a\"",
            "{",
            "{}{}",
            "{} x",
            "{}\0",
            "\u{feff}{}",
            "{\"a\":}",
            "{'a':1}",
            "{\"a\":1,}",
        ] {
            assert!(!parses(text), "{text:?}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err(), "invalid UTF-8");
        assert!(Object::parse(b"{\"a\":\"\xc0\xaf\"}").is_err(), "overlong UTF-8");
        let object = Object::parse(br#"{"a":"\ud800","b":1e400}"#).unwrap();
        assert_eq!(object.find::<String>("a"), Err(Fault::WrongType("a")), "a lone surrogate is no text");
        assert_eq!(object.find::<f64>("b"), Err(Fault::WrongType("b")));
        assert!(!parses(r#"{"x":["\ud800"]}"#));
    }

    #[test]
    fn depth_and_width_are_bounded() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(parses(&nested(MAX_DEPTH)));
        assert!(!parses(&nested(MAX_DEPTH + 1)));
        assert!(!parses(&nested(100_000)));

        let wide = |members: usize| {
            let members: Vec<String> = (0..members).map(|i| format!("\"m{i}\":{i}")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(parses(&wide(MAX_MEMBERS)));
        assert!(!parses(&wide(MAX_MEMBERS + 1)));
        assert!(parses(&format!("{{\"x\":{}}}", wide(MAX_MEMBERS))));
        assert!(!parses(&format!("{{\"x\":{}}}", wide(MAX_MEMBERS + 1))));
    }
}
