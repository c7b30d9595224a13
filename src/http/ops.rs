//! For operators and load balancers.
//!
//! Border: whether the process lives, and whether it can serve.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::Shared;
use crate::log::NotReady;

/// Rekor's liveness probe: one dot.
#[utoipa::path(get, path = "/ping", tag = "operations",
    responses((status = 200, description = "`.`", body = String, content_type = "text/plain")))]
pub(super) async fn ping() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain")], ".")
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether entries can be served: the database answers, the key is there, and the stored head
/// carries its signature over the root that its leaves hash to. A server whose clock is ahead of the
/// database's by more than a minute is not ready, for it adds nothing. A log that the restore guard closed
/// to writes is not ready, though it can be read. No write is tried: with a full disk, or without the standbys
/// that commits wait for, a server is ready.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "`ok`", body = String, content_type = "text/plain"),
        (status = 503, description = "Not ready, or ready for reading only; the reason is in the \
            server's log", body = String, content_type = "text/plain")))]
pub(super) async fn readyz(State(serving): Shared) -> Response {
    match serving.log.ready().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let text = match error {
                NotReady::Read(_) | NotReady::Ahead(_) => "not ready\n",
                NotReady::Sealed(_) => {
                    "not ready: entries can be read, but none is added, because the database \
                     does not continue a checkpoint that this log has signed\n"
                }
            };
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}
