//! Reading JSON from strangers within a bound on memory.
//!
//! Border: text to values. serde_json bounds the depth (128 levels); this bounds
//! the number of values, because three bytes of text (`[],`) may become seventy of
//! memory.

use serde_json::Value;
use serde_json::de::{Deserializer, StrRead};

/// JSON values (elements and members, nested ones too) in one document.
pub const MAX_VALUES: usize = 262_144;

/// Text that is not read as JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, nested deeper than 128 levels, or of another shape.
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    /// Too many values.
    #[error("more than {MAX_VALUES} JSON values")]
    TooMany,
}

/// Reads a document that is one JSON value and nothing else.
///
/// # Errors
/// [`JsonError`].
pub fn document(text: &str) -> Result<Value, JsonError> {
    check_count(text)?;
    Ok(serde_json::from_str(text)?)
}

/// A reader of the first JSON value of `text`, within the bound.
///
/// # Errors
/// [`JsonError::TooMany`].
pub fn first_value(text: &str) -> Result<Deserializer<StrRead<'_>>, JsonError> {
    check_count(text)?;
    Ok(Deserializer::from_str(text))
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
    let (mut values, mut inside, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b',' | b'[' | b'{' if !inside => values += 1,
            _ => {}
        }
    }
    values
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
    fn the_number_of_values_is_bounded() {
        let many = |n: usize| format!("[{}0]", "0,".repeat(n));
        assert!(document(&many(MAX_VALUES - 3)).is_ok());
        assert!(matches!(document(&many(MAX_VALUES)), Err(JsonError::TooMany)));
        let text = format!("\"{}\"", ",".repeat(3 * MAX_VALUES));
        assert!(document(&text).is_ok());
        assert!(document("1 2").is_err());
    }
}
