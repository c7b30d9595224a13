//! The members of a signed document, read as Rekor reads them.
//!
//! Border: names and their repetition. Those of the outer object match without case and
//! the last one counts; inside `signed` no name comes twice, because nobody could say
//! which one was signed.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::json;

/// The outer object.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) signed: Value,
    pub(super) signatures: Value,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with signed and signatures")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<String>()? {
            match &*json::folded(&name) {
                "signed" => members.signed = map.next_value::<Distinct>()?.0,
                "signatures" => members.signatures = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}

/// The member of this name, in lower case, in any case: of several, the exact one.
pub(super) fn any_case<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other = || object.iter().find(|(key, _)| json::folded(key) == name);
    object.get(name).or_else(|| other().map(|(_, value)| value))
}

/// A value in which no object has two members of one name.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor).map(Distinct)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Distinct(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom(format!("{name:.64?} comes twice in one object")));
            }
            let Distinct(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Members, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn outer_names_match_without_case_and_the_last_one_counts() {
        let mixed = read(
            r#"{"Signatures":[],"x":1e999,"x":2,"signed":{},"SIGNED":{"a":[1,-1,0.5,"b",true,null]}}"#,
        );
        let members = mixed.unwrap();
        assert_eq!(members.signed.to_string(), r#"{"a":[1,-1,0.5,"b",true,null]}"#);
        assert_eq!(members.signatures.to_string(), "[]");
        let members = read("{\"\u{17f}igned\":{\"a\":1},\"signature\u{17f}\":[1]}").unwrap();
        assert_eq!(members.signed.to_string(), r#"{"a":1}"#);
        assert_eq!(members.signatures.to_string(), "[1]");
    }

    #[test]
    fn the_exact_name_comes_before_its_other_cases() {
        let read = |text: &str| {
            let object = serde_json::from_str(text).unwrap();
            any_case(&object, "keyid").and_then(Value::as_i64)
        };
        assert_eq!(read(r#"{"KEYID":1,"keyid":2}"#), Some(2));
        assert_eq!(read(r#"{"KeyID":1}"#), Some(1));
        assert_eq!(read("{\"\u{212a}eyid\":1}"), Some(1));
        assert_eq!(read(r#"{"key":1}"#), None);
    }

    #[test]
    fn no_name_comes_twice_in_what_is_signed() {
        for signed in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"\u0061":2}]}"#, r#"{"a":{"":1,"":1}}"#]
        {
            let refusal = read(&format!(r#"{{"signed":{signed}}}"#)).unwrap_err().to_string();
            assert!(refusal.contains("comes twice"), "{refusal}");
        }
        assert!(read(r#"{"signed":{"a":{"b":1},"b":[{"a":1},{"a":1}],"A":1}}"#).is_ok());
        assert!(read("[]").is_err());
    }
}
