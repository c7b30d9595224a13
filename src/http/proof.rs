//! Consistency proofs.
//!
//! Border: `/api/v1/log/proof`. Sizes are those of one tree.

use axum::extract::State;
use axum::response::Response;
use wire::{ConsistencyProof, ErrorBody};

use super::endpoints::Endpoint;
use super::query::Query;
use super::{Shared, answer};
use crate::error::ApiError;

/// Proves that the log of `lastSize` leaves continues the log of `firstSize` leaves.
///
/// `rootHash` is the root of the log's current size, not of `lastSize`: verify against a checkpoint.
#[utoipa::path(get, path = "/api/v1/log/proof", operation_id = "getLogProof", tag = "tlog",
    params(
        ("firstSize" = Option<u64>, Query, description = "Smaller size, at least 1 [default: 1]"),
        ("lastSize" = u64, Query, description = "Larger size, at least 1"),
        ("treeID" = Option<String>, Query, description = "Decimal tree ID [default: the active tree]")),
    responses(
        (status = 200, description = "RFC 6962 consistency proof", body = ConsistencyProof),
        (status = 400, description = "Sizes in the wrong order or beyond the log, or an unknown tree",
            body = ErrorBody),
        (status = 406, description = "The client takes no JSON", body = ErrorBody),
        (status = 422, description = "A parameter is missing or malformed", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "The database is damaged", body = ErrorBody),
        (status = 501, description = "Switched off by the operator", body = ErrorBody),
        (status = 503, description = "The database cannot be reached; try again after `Retry-After` seconds",
            body = ErrorBody, headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn proof(State(serving): Shared, query: Query) -> Result<Response, ApiError> {
    let first = query.integer("firstSize", 1)?.unwrap_or(1).cast_unsigned();
    let last = query.required_integer("lastSize", 1)?.cast_unsigned();
    let tree = query.tree_id()?.map(str::to_owned);
    serving.endpoints.require(Endpoint::GetLogProof)?;
    if first > last {
        let message = format!("firstSize({first}) must be less than lastSize({last})");
        return Err(ApiError::bad_request(message));
    }
    if let Some(tree) = tree {
        let id: i64 = tree
            .parse()
            .map_err(|_| ApiError::bad_request(format!("invalid tree ID specified: {tree}")))?;
        if id.cast_unsigned() != serving.log.tree_id() {
            let message = format!("no log range found for tree ID {id}");
            return Err(ApiError::bad_request(message));
        }
    }
    answer::json(&serving.log.consistency(first, last).await?)
}
