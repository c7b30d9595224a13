//! Query parameters, read as Rekor reads them.
//!
//! Border: names, types and ranges. Unknown parameters are ignored, of a repeated
//! one the last value counts, and an empty value counts as absent. A pair that is
//! malformed is not there at all, as Go drops it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::extract::Query as Pairs;
use http::Uri;
use http::request::Parts;

use crate::error::{ApiError, Validation};

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn of(text: &str) -> Self {
        let sound: Vec<&str> = text.split('&').filter(|pair| is_sound(pair)).collect();
        // Parts of a valid target make a valid one.
        let target = Uri::try_from(format!("/?{}", sound.join("&")));
        let pairs = target.ok().and_then(|target| Pairs::try_from_uri(&target).ok());
        Self(pairs.map_or_else(Vec::new, |Pairs(pairs)| pairs))
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

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

/// Whether Go reads it: no bare semicolon, and two hex digits behind each `%`.
fn is_sound(pair: &str) -> bool {
    let escapes = |escaped: &str| {
        let digits = escaped.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    !pair.contains(';') && pair.split('%').skip(1).all(escapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_pairs_are_not_there() {
        for (text, value) in [
            ("a=1", Some("1")),
            ("a=1&a=%zz", Some("1")),
            ("a=%3", None),
            ("a=%", None),
            ("a=7;x", None),
            ("a=7%3bx&b=;", Some("7;x")),
            ("%61=2&&", Some("2")),
            ("", None),
        ] {
            assert_eq!(Query::of(text).text("a"), value, "{text}");
        }
    }
}
