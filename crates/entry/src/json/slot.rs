//! Where the members of a JSON object are read to.
//!
//! Border: reading over what is there already, as Rekor does: null leaves an object as it is, and a list is read over
//! the one before it, item by item; only the null that is a list empties it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};
use serde::de::{Unexpected, Visitor};

use super::{Members, folded};

/// Reads text over `text`.
pub(crate) fn text<'de, A: MapAccess<'de>>(map: &mut A, text: &mut String) -> Result<(), A::Error> {
    if let Some(found) = map.next_value()? {
        *text = found;
    }
    Ok(())
}

/// Where the next value is read to.
pub(crate) enum Slot<'a, T> {
    /// An object.
    Object(&'a mut T),
    /// A list of objects. What a list before it held at the same place is read over.
    List(&'a mut Vec<T>),
}

impl<'de, T: Members> DeserializeSeed<'de> for Slot<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Members> Visitor<'de> for Slot<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(_) => f.write_str(T::EXPECTED),
            Self::List(_) => write!(f, "a list, each item {}", T::EXPECTED),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self::Object(object) = self else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        while let Some(name) = map.next_key::<String>()? {
            if !object.read(&folded(&name), &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self::List(list) = self else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        for at in 0.. {
            let mut next = list.get_mut(at).map(std::mem::take).unwrap_or_default();
            if seq.next_element_seed(Slot::Object(&mut next))?.is_none() {
                list.truncate(at);
                break;
            }
            match list.get_mut(at) {
                Some(old) => *old = next,
                None => list.push(next),
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if let Self::List(list) = self {
            list.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Object, document_as};

    #[derive(Debug, Default, PartialEq)]
    struct Node {
        name: String,
        nodes: Vec<Self>,
    }

    impl Members for Node {
        const EXPECTED: &'static str = "a node";

        fn read<'de, A: MapAccess<'de>>(
            &mut self,
            name: &str,
            map: &mut A,
        ) -> Result<bool, A::Error> {
            match name {
                "sk" => text(map, &mut self.name)?,
                "nodes" => map.next_value_seed(Slot::List(&mut self.nodes))?,
                _ => return Ok(false),
            }
            Ok(true)
        }
    }

    /// The names of an object and of its nodes.
    fn names(text: &str) -> Option<Vec<String>> {
        let node = document_as::<Object<Node>>(text).ok()?.0;
        let nodes = node.nodes.into_iter().map(|node| node.name);
        Some(std::iter::once(node.name).chain(nodes).collect())
    }

    #[test]
    fn later_members_are_read_over_earlier_ones() {
        for (text, expected) in [
            (r#"{"sk":"a","SK":"b"}"#, &["b"][..]),
            ("{\"sk\":\"a\",\"\u{17f}\u{212a}\":\"b\"}", &["b"]),
            (r#"{"sk":"a","sK":null,"x":[1e999,{"sk":"b"}]}"#, &["a"]),
            (r#"{"nodes":[{"sk":"a"},{"sk":"b"}],"nodes":[{},{"sk":"c"}]}"#, &["", "a", "c"]),
            (r#"{"nodes":[{"sk":"a"},{"sk":"b"}],"nodes":[null]}"#, &["", "a"]),
            (r#"{"nodes":[{"sk":"a"}],"nodes":null,"nodes":[{}]}"#, &["", ""]),
            (r#"{"sk":"\ud800"}"#, &["\u{fffd}"]),
            ("null", &[""]),
        ] {
            assert_eq!(names(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn other_types_are_refused() {
        for bad in [
            r#"{"nodes":5}"#,
            r#"{"nodes":{"a":[]}}"#,
            "[[]]",
            "true",
            "-1",
            "1.5",
            "\"\"",
            r#"{"sk":5}"#,
            "{} 1",
            "{",
            r#"{"nodes":[}"#,
        ] {
            assert!(names(bad).is_none(), "{bad}");
        }
    }
}
