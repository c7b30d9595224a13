//! Pages and documents outside of the API: the home page and the API document.
//!
//! Border: static content, and the few routes that the OpenAPI document leaves out.

use std::sync::Arc;

use axum::Router;
use axum::response::Html;
use axum::routing::{any, get};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa::openapi::OpenApi;

use super::Serving;
use super::entries::UUID_PATTERN;
use super::negotiate::JSON;
use crate::error::{ApiError, Validation};

/// Adds the pages to the routes.
///
/// # Panics
/// When the document cannot be written as JSON, before anything is served.
pub(super) fn add(routes: Router<Arc<Serving>>, document: &OpenApi) -> Router<Arc<Serving>> {
    let document = Bytes::from(document.to_json().expect("the document is JSON"));
    let serve_document = move || {
        let document = document.clone();
        async { ([(CONTENT_TYPE, JSON)], document) }
    };
    routes
        // Rekor's has no charset either; the page names its own.
        .route("/", any(async || ([(CONTENT_TYPE, "text/html")], include_str!("pages/home.html"))))
        .route("/docs", get(async || Html(include_str!("pages/docs.html"))))
        .route("/openapi.json", get(serve_document.clone()))
        .route("/swagger.json", get(serve_document))
        // A GET there asks for the entry of that name.
        .route("/api/v1/log/entries/retrieve", get(no_such_uuid))
}

async fn no_such_uuid() -> ApiError {
    let message = format!("entryUUID in path should match '{UUID_PATTERN}'");
    ApiError::validation(Validation::Pattern, message)
}
