//! The head of the log.
//!
//! Border: `/api/v1/log`.

use axum::extract::State;
use axum::response::Response;
use wire::{ErrorBody, LogInfo};

use super::endpoints::Endpoint;
use super::{Shared, answer};
use crate::error::ApiError;

/// The newest signed head of the log.
#[utoipa::path(get, path = "/api/v1/log", operation_id = "getLogInfo", tag = "tlog",
    responses(
        (status = 200, description = "Size, root and checkpoint", body = LogInfo),
        (status = 406, description = "The client takes no JSON", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "The database is damaged", body = ErrorBody),
        (status = 501, description = "Switched off by the operator; a JSON string", body = String),
        (status = 503, description = "The database cannot be reached; try again after `Retry-After` seconds",
            body = ErrorBody, headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn log_info(State(serving): Shared) -> Result<Response, ApiError> {
    serving.endpoints.require(Endpoint::GetLogInfo)?;
    answer::json(&serving.log.log_info().await?)
}
