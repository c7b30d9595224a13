//! Query parameters, read as Rekor reads them.
//!
//! Border: names, types and ranges. Unknown parameters are ignored, of a repeated
//! one the last value counts, and an empty value counts as absent.

use crate::error::{ApiError, Validation};

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// The pairs that the query string decodes to.
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The last value of a parameter, if it is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(known, _)| known == name);
        last.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A 64-bit integer, `minimum` or more.
    pub(super) fn integer(&self, name: &str, minimum: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let Ok(value) = text.parse::<i64>() else {
            let message = format!("{name} in query must be of type int64: {text:?}");
            return Err(ApiError::validation(Validation::Type, message));
        };
        if value < minimum {
            let message = format!("{name} in query should be greater than or equal to {minimum}");
            return Err(ApiError::validation(Validation::Minimum, message));
        }
        Ok(Some(value))
    }

    /// As [`integer`](Self::integer), where it must be there.
    pub(super) fn required_integer(&self, name: &str, minimum: i64) -> Result<i64, ApiError> {
        let missing =
            || ApiError::validation(Validation::Required, format!("{name} in query is required"));
        self.integer(name, minimum)?.ok_or_else(missing)
    }

    /// `treeID`: decimal digits of any length.
    pub(super) fn tree_id(&self) -> Result<Option<&str>, ApiError> {
        let Some(text) = self.text("treeID") else { return Ok(None) };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Some(text));
        }
        let message = "treeID in query should match '^[0-9]+$'";
        Err(ApiError::validation(Validation::Pattern, message))
    }
}
