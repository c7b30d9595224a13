//! A JSON object, read member by member.
//!
//! Border: how names match. What a member means is its reader's affair.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// What the members of an object become.
pub trait Members: Default {
    /// What anything but an object is told to be, such as `an object with a name`.
    const EXPECTED: &'static str;

    /// Reads the value of the member with this name, which is in lower case, over what an
    /// earlier one of that name left; `false` leaves it unread, because nobody knows the name.
    ///
    /// # Errors
    /// A value of the wrong type.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

/// An object whose member names match without case, of which the last one counts; unknown ones
/// are ignored. A JSON `null` equals `{}`.
///
/// To be read from text: a `Value` no longer knows the order of its members.
#[derive(Clone, Debug, Default)]
pub struct Object<T>(pub T);

impl<'de, T: Members> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Members> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut members = T::default();
        while let Some(mut name) = map.next_key::<String>()? {
            name.make_ascii_lowercase();
            if !members.read(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// Reads the value of the member that `name` is the proper spelling of, which errors quote.
///
/// # Errors
/// A value of the wrong type.
pub fn member<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    name: &str,
    map: &mut A,
) -> Result<T, A::Error> {
    map.next_value().map_err(|error| A::Error::custom(format_args!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::first_value;

    #[derive(Debug, Default, PartialEq)]
    struct Sizes(Option<Vec<u8>>);

    impl Members for Sizes {
        const EXPECTED: &'static str = "an object with sizes";

        fn read<'de, A: MapAccess<'de>>(
            &mut self,
            name: &str,
            map: &mut A,
        ) -> Result<bool, A::Error> {
            if name == "sizes" {
                self.0 = member("Sizes", map)?;
            }
            Ok(name == "sizes")
        }
    }

    fn sizes(text: &str) -> Result<Option<Vec<u8>>, String> {
        let read = first_value::<Object<Sizes>>(text.as_bytes());
        read.map(|object| object.0.0).map_err(|error| error.to_string())
    }

    #[test]
    fn the_last_spelling_counts() {
        for (text, read) in [
            (r#"{"sizes":[1],"SIZES":[2]}"#, Some(vec![2])),
            (r#"{"SIZES":[1],"x":{"sizes":[3]},"sizes":[2]}"#, Some(vec![2])),
            (r#"{"Sizes":[1],"sizes":null}"#, None),
            ("{}", None),
            ("null x", None),
        ] {
            assert_eq!(sizes(text), Ok(read), "{text}");
        }
    }

    #[test]
    fn errors_name_the_member_and_what_was_expected() {
        for (text, error) in [
            ("[]", "invalid type: sequence, expected an object with sizes at line 1 column 2"),
            (
                r#"{"SIZES":["x"]}"#,
                "Sizes: invalid type: string \"x\", expected u8 at line 1 column 13",
            ),
        ] {
            assert_eq!(sizes(text), Err(error.to_owned()), "{text}");
        }
    }
}
