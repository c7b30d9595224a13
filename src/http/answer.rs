//! Successful answers.
//!
//! Border: values to bytes. Failures are in [`crate::error`].

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::negotiate::JSON;
use crate::error::ApiError;

/// One line of JSON with its newline.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Response, ApiError> {
    let mut line = serde_json::to_vec(value).map_err(|_| ApiError::unknown())?;
    line.push(b'\n');
    Ok(([(CONTENT_TYPE, JSON)], line).into_response())
}
