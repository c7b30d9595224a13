//! Reading JSON from strangers within a bound on memory.
//!
//! Border: text to values. serde_json bounds the depth (127 levels) of what is kept; this bounds
//! the number of values, because three bytes of text (`[],`) may become seventy of
//! memory.

mod object;
mod slot;

use std::borrow::Cow;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny};
use serde_json::Value;
use serde_json::de::Deserializer;

pub(crate) use object::folded;
pub use object::{Members, Object, member};
pub(crate) use slot::{Slot, text};

use crate::utf8;

/// JSON values (elements and members, nested ones too) in one document.
pub const MAX_VALUES: usize = 262_144;

/// Levels of objects and lists of what is kept, as serde_json bounds them.
const MAX_DEPTH: usize = 127;

/// Text that is not read as JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or of another shape.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// Too many values.
    #[error("more than {MAX_VALUES} JSON values")]
    TooMany,
    /// Too many levels.
    #[error("JSON of more than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads a document that is one JSON value and nothing else.
///
/// # Errors
/// [`JsonError`].
pub fn document(text: &str) -> Result<Value, JsonError> {
    document_as(text)
}

/// As [`document`], into a type that looks at the members itself.
pub(crate) fn document_as<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    check_count(text)?;
    serde_json::from_str(&without_lone_surrogates(text)).map_err(|error| why(error, text))
}

/// As [`document`], of any number of values, over what the seed keeps of them, which is the seed's to bound.
pub(crate) fn document_over<S>(seed: S, text: &str) -> Result<(), serde_json::Error>
where
    S: for<'de> DeserializeSeed<'de, Value = ()>,
{
    let text = without_lone_surrogates(text);
    let mut reader = Deserializer::from_str(&text);
    seed.deserialize(&mut reader)?;
    reader.end()
}

/// Reads the first JSON value of a text; what follows it is ignored. Bytes that are
/// not UTF-8 count as U+FFFD.
///
/// # Errors
/// [`JsonError`].
pub fn first_value<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    let text = utf8::lossy(text);
    check_count(&text)?;
    let fixed = without_lone_surrogates(&text);
    let read = T::deserialize(&mut Deserializer::from_str(&fixed));
    read.map_err(|error| why(error, &text))
}

/// What serde_json stumbled over, which does not tell a text that is too deep from one that is malformed.
fn why(error: serde_json::Error, text: &str) -> JsonError {
    let is_deep = error.is_syntax() && depth(text.as_bytes()) > MAX_DEPTH;
    if is_deep { JsonError::TooDeep } else { JsonError::Syntax(error) }
}

/// Replaces each escape of a surrogate that has no partner by that of U+FFFD, as
/// Rekor reads it; serde_json would refuse the text.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut fixed = String::new();
    let (mut copied, mut skip_to) = (0, 0);
    for at in memchr::memchr_iter(b'\\', text.as_bytes()) {
        if at < skip_to {
            continue;
        }
        // The escaped character cannot begin an escape itself.
        skip_to = at + 2;
        let lone = match surrogate(text, at) {
            Some(0xd800..=0xdbff) => {
                let paired = matches!(surrogate(text, at + 6), Some(0xdc00..=0xdfff));
                skip_to = at + if paired { 12 } else { 6 };
                !paired
            }
            Some(_) => true,
            None => false,
        };
        if lone {
            fixed.push_str(&text[copied..at]);
            fixed.push_str("\\ufffd");
            copied = at + 6;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    fixed.push_str(&text[copied..]);
    Cow::Owned(fixed)
}

/// The surrogate that an escape at this place stands for.
fn surrogate(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

fn check_count(text: &str) -> Result<(), JsonError> {
    // Each value needs two bytes, so short texts need no look.
    if text.len() < 2 * MAX_VALUES || count(text.as_bytes()) <= MAX_VALUES {
        return Ok(());
    }
    Err(JsonError::TooMany)
}

/// An upper bound on the values: one, and one more behind each `,`, `[` and `{`
/// that is not inside a string.
fn count(text: &[u8]) -> usize {
    let starts = |(byte, outside): &(u8, bool)| *outside && matches!(byte, b',' | b'[' | b'{');
    1 + bytes(text).filter(starts).count()
}

/// The levels of objects and lists, unclosed ones included.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (byte, outside) in bytes(text) {
        match byte {
            b'[' | b'{' if outside => depth += 1,
            b']' | b'}' if outside => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The text with a 0 in the place of each number. What only looks like one stays, and is refused by whoever reads it.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut fixed = String::with_capacity(text.len());
    let (mut copied, mut number) = (0, None);
    let end = (b' ', true);
    for (at, (byte, outside)) in bytes(text.as_bytes()).chain([end]).enumerate() {
        let goes_on = number.is_some() && matches!(byte, b'+' | b'.' | b'e' | b'E');
        if outside && (goes_on || matches!(byte, b'-' | b'0'..=b'9')) {
            number.get_or_insert(at);
        } else if let Some(start) = number.take()
            && serde_json::from_str::<IgnoredAny>(&text[start..at]).is_ok()
        {
            fixed.push_str(&text[copied..start]);
            fixed.push('0');
            copied = at;
        }
    }
    fixed.push_str(&text[copied..]);
    fixed
}

/// Each byte, and whether it is outside of strings.
fn bytes(text: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let (mut inside, mut escaped) = (false, false);
    text.iter().map(move |byte| {
        let outside = !inside;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
        (*byte, outside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_count_as_one() {
        assert_eq!(count(br#"{"a":"[,{\"[","b":[1,2]}"#), 5);
        assert_eq!(count(br#""\\",[]"#), 3);
    }

    #[test]
    fn numbers_are_replaced_outside_of_strings() {
        let text = r#"{"1\"2":-1.5e+9,"é":[0,true,1E9 ,"e3",{}]}"#;
        let fixed = r#"{"1\"2":0,"é":[0,true,0 ,"e3",{}]}"#;
        assert_eq!(without_numbers(text), fixed);
        assert_eq!(without_numbers("12"), "0");
        let text = "[01,-,1.,1e,1.2.3,1-2,--1,1e999]";
        assert_eq!(without_numbers(text), "[01,-,1.,1e,1.2.3,1-2,--1,0]");
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let many = |n: usize| format!("[{}0]", "0,".repeat(n));
        assert!(document(&many(MAX_VALUES - 3)).is_ok());
        assert!(matches!(document(&many(MAX_VALUES)), Err(JsonError::TooMany)));
        let text = format!("\"{}\"", ",".repeat(3 * MAX_VALUES));
        assert!(document(&text).is_ok());
        assert!(document("1 2").is_err());
    }

    #[test]
    fn the_number_of_levels_is_bounded() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(document(&deep(MAX_DEPTH)).is_ok());
        assert!(matches!(document(&deep(MAX_DEPTH + 1)), Err(JsonError::TooDeep)));
        let objects = r#"{"a":"#.repeat(MAX_DEPTH + 1);
        let read = first_value::<Value>(objects.as_bytes());
        assert!(matches!(read, Err(JsonError::TooDeep)));
        let wide = format!("[{}\"{}\"", "[[{}]],".repeat(200), "[".repeat(200));
        assert!(matches!(document(&wide), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn surrogates_without_a_partner_are_replaced() {
        for (text, read) in [
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00\ud83d!""#, "\u{fffd}\u{fffd}!"),
            (r#""\uD83D\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
        ] {
            assert_eq!(document(text).unwrap(), read, "{text}");
        }
    }
}
