//! The JSON body of a look-up or a search, read as leniently as Rekor reads it.
//!
//! Border: the outer object. Names match without case, unknown members are
//! ignored, `null` means absent; malformed JSON is 400.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Reads the first JSON value of a body, which must be an object or null.
pub(super) fn read(body: &[u8]) -> Result<Members<'static>, ApiError> {
    match entry::json::first_value(body).map_err(ApiError::unreadable_body)? {
        Value::Object(map) => Ok(Members(std::borrow::Cow::Owned(map))),
        Value::Null => Ok(Members(std::borrow::Cow::Owned(Map::new()))),
        other => Err(wrong_type("the body", "an object", &other)),
    }
}

/// The members of a JSON object.
pub(super) struct Members<'a>(std::borrow::Cow<'a, Map<String, Value>>);

impl Members<'_> {
    /// The member with this name in any case, unless it is null.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        let other_case = || self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = self.0.get(name).or_else(|| other_case().map(|(_, value)| value));
        value.filter(|value| !value.is_null())
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&[Value]>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(wrong_type(name, "an array", other)),
        }
    }

    /// Text; empty counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(wrong_type(name, "a string", other)),
        }
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Members<'_>>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Members(std::borrow::Cow::Borrowed(map)))),
            Some(other) => Err(wrong_type(name, "an object", other)),
        }
    }
}

/// 400 for a member of the wrong JSON type.
pub(super) fn wrong_type(name: &str, expected: &str, actual: &Value) -> ApiError {
    let actual = match actual {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ApiError::unreadable_body(format!("{name} must be {expected}, not {actual}"))
}
