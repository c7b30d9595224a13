//! The lists of resources that a statement speaks of, read as leniently as Rekor does.
//!
//! Border: text to digests by place and algorithm. Of everything else in a statement nothing is kept, so its size
//! costs no memory; what is kept is bounded here.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json;

/// Digests that are kept of one list, equal ones included.
pub(super) const MAX_DIGESTS: usize = 65_536;

/// The digests of a list of resources, by the place of the resource and the algorithm.
#[derive(Debug, Default)]
pub(super) struct Resources {
    digests: BTreeMap<(usize, String), String>,
    too_many: bool,
}

impl Resources {
    /// `algorithm:value` of each digest, in the order of the list.
    pub(super) fn into_keys(self) -> impl Iterator<Item = String> {
        self.digests.into_iter().map(|((_, algorithm), value)| format!("{algorithm}:{value}"))
    }

    fn insert<E: Error>(&mut self, at: usize, algorithm: String, value: &str) -> Result<(), E> {
        self.digests.insert((at, algorithm), value.to_owned());
        self.too_many = self.digests.len() > MAX_DIGESTS;
        if self.too_many { Err(E::custom("too many digests")) } else { Ok(()) }
    }

    fn truncate(&mut self, length: usize) {
        drop(self.digests.split_off(&(length, String::new())));
    }
}

/// What is kept of a statement.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) subjects: Resources,
    /// `None` to leave them unread.
    pub(super) materials: Option<Resources>,
}

impl Statement {
    /// Whether the reading ended because a list has more digests than are kept.
    pub(super) fn has_too_many(&self) -> bool {
        self.subjects.too_many || self.materials.as_ref().is_some_and(|list| list.too_many)
    }
}

/// What the next value is. A value of another type than its part has is passed over, a list is read over the one
/// before it, resource by resource, and only the null that is a list empties it.
pub(super) enum Part<'a> {
    Statement(&'a mut Statement),
    Predicate(&'a mut Resources),
    List(&'a mut Resources),
    Resource(&'a mut Resources, usize),
    Digests(&'a mut Resources, usize),
    Value(&'a mut Resources, usize, String),
}

impl Part<'_> {
    /// What the value of this member is, if it is read. Any case will do but for an algorithm.
    fn member(&mut self, name: String) -> Option<Part<'_>> {
        Some(match (self, &*json::folded(&name)) {
            (Self::Statement(statement), "subject") => Part::List(&mut statement.subjects),
            (Self::Statement(statement), "predicate") => {
                Part::Predicate(statement.materials.as_mut()?)
            }
            (Self::Predicate(materials), "materials") => Part::List(materials),
            (Self::Resource(list, at), "digest") => Part::Digests(list, *at),
            (Self::Digests(list, at), _) => Part::Value(list, *at, name),
            _ => return None,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("part of an in-toto statement")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match self.member(name) {
                Some(part) => map.next_value_seed(part)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self::List(list) = self else {
            return IgnoredAny.visit_seq(seq).map(drop);
        };
        let mut length = 0;
        while seq.next_element_seed(Part::Resource(list, length))?.is_some() {
            length += 1;
        }
        list.truncate(length);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self {
            Self::List(list) => list.truncate(0),
            Self::Value(list, at, algorithm) => list.insert(at, algorithm, "")?,
            _ => {}
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        match self {
            Self::Value(list, at, algorithm) => list.insert(at, algorithm, value),
            _ => Ok(()),
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}
