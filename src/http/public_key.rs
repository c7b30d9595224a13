//! The log's public key.
//!
//! Border: `/api/v1/log/publicKey`, as PEM, or as a JSON string with the PEM in it.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use wire::ErrorBody;

use super::endpoints::Endpoint;
use super::negotiate::{Offered, PEM};
use super::query::Query;
use super::{Serving, Shared, answer};
use crate::error::ApiError;

/// The public key that verifies checkpoints and SETs.
#[utoipa::path(get, path = "/api/v1/log/publicKey", operation_id = "getPublicKey", tag = "tlog",
    params(
        ("treeID" = Option<String>, Query, description = "Decimal tree ID [default: the active tree]")),
    responses(
        (status = 200, description = "PEM SubjectPublicKeyInfo", content(
            (String = "application/x-pem-file"), (String = "application/json"))),
        (status = 400, description = "An unknown tree", content(
            (ErrorBody = "application/x-pem-file"), (ErrorBody = "application/json"))),
        (status = 406, description = "The client takes neither PEM nor JSON", body = ErrorBody),
        (status = 422, description = "`treeID` is malformed", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 501, description = "Switched off by the operator", content(
            (ErrorBody = "application/x-pem-file"), (ErrorBody = "application/json")))))]
pub(super) async fn public_key(
    State(serving): Shared,
    Extension(offered): Extension<Offered>,
    query: Query,
) -> Response {
    match show(&serving, &query, offered) {
        Ok(answer) => answer,
        Err(error) => {
            let error = error.labelled(offered.0);
            let error = if offered == Offered(PEM) { error.without_newline() } else { error };
            error.into_response()
        }
    }
}

fn show(serving: &Serving, query: &Query, offered: Offered) -> Result<Response, ApiError> {
    let tree = query.tree_id()?.map(str::to_owned);
    serving.endpoints.require(Endpoint::GetPublicKey)?;
    if tree.is_some_and(|tree| tree.parse() != Ok(serving.log.tree_id())) {
        return Err(ApiError::bad_request("Bad Request"));
    }
    let pem = serving.log.public_key_pem();
    match offered {
        Offered(PEM) => Ok(([(CONTENT_TYPE, PEM)], pem.to_owned()).into_response()),
        Offered(_) => answer::json(&pem),
    }
}
