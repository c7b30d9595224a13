//! A JSON object, read member by member.
//!
//! Border: how names match. What a member means is its reader's affair.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed as _, Deserializer, Error, MapAccess};

use super::Slot;

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
/// are ignored, whatever numbers they hold. A JSON `null` equals `{}`.
///
/// To be read from text: a `Value` no longer knows the order of its members.
#[derive(Clone, Debug, Default)]
pub struct Object<T>(pub T);

impl<'de, T: Members> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = T::default();
        Slot::Object(&mut members).deserialize(deserializer)?;
        Ok(Self(members))
    }
}

/// The name in the form in which it is compared: ASCII in lower case, and so the two other
/// characters that have an ASCII letter as their other case.
pub(crate) fn folded(name: &str) -> Cow<'_, str> {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    if name.chars().all(|character| character == fold(character)) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.chars().map(fold).collect())
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
            ("{\"Size\u{17f}\":[1],\"x\":1e999}", Some(vec![1])),
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
