//! The HTTP API: Sigstore Rekor v1's, and what operators need beside it.
//!
//! Border: requests, answers, statuses and the OpenAPI document. One endpoint
//! family per file, with everything about it inside. Evidence is judged by
//! [`crate::verifier`], the log is [`crate::log`]; neither SQL nor hashing is here.

mod admission;
mod answer;
mod around;
mod begun;
mod body;
mod budget;
mod client_address;
mod cors;
mod endpoints;
mod entries;
mod index;
mod log_info;
mod mailbox;
mod media_type;
mod meters;
mod negotiate;
mod ops;
mod pages;
mod paths;
mod proof;
mod public_key;
mod query;
mod question;
mod rates;
mod retrieve;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use body::HttpLimits;
pub use endpoints::{EnabledEndpoints, UnknownEndpoint};
pub use entries::OnDuplicate;
pub use rates::RateLimits;

use crate::error::ApiError;
use crate::log::Log;
use crate::verifier::Verifier;
use admission::Admission;
use body::BodyBudget;
use budget::Budget;
use meters::Meters;
use rates::Rates;

/// What the handlers work with.
#[derive(Clone)]
pub struct App {
    /// The log.
    pub log: Log,
    /// Judges evidence.
    pub verifier: Verifier,
    /// Bounds on requests.
    pub limits: HttpLimits,
    /// Which operations are served.
    pub endpoints: EnabledEndpoints,
    /// What an equal entry is answered with.
    pub on_duplicate: OnDuplicate,
}

/// [`App`] with what belongs to this listener alone.
struct Serving {
    app: App,
    budget: BodyBudget,
    answers: Budget,
    admission: Admission,
    rates: Rates,
    meters: Meters,
}

impl std::ops::Deref for Serving {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

type Shared = axum::extract::State<Arc<Serving>>;

/// Every route, behind what cleans paths and headers.
pub fn router(app: App) -> Router {
    let budget = BodyBudget::new(&app.limits);
    let answers = Budget::new(app.limits.max_answers_bytes, answer::FREE_BYTES);
    let admission = Admission::new(app.limits.max_writes, app.limits.max_searches);
    let rates = Rates::new(&app.limits.rates);
    let serving =
        Arc::new(Serving { app, budget, answers, admission, rates, meters: Meters::default() });
    let (routes, document) = api().split_for_parts();
    let routes = pages::add(routes, &document)
        .fallback(paths::unknown)
        .method_not_allowed_fallback(paths::wrong_method)
        .layer(CatchPanicLayer::custom(|_| {
            // The panic hook wrote where it happened.
            axum::response::IntoResponse::into_response(ApiError::unknown())
        }))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&serving), around::request))
        .with_state(serving);
    // Outside of the router: routing needs the cleaned path, and adds a header of its own.
    let outside = ServiceBuilder::new()
        .map_request(|request: Request| paths::clean(request))
        .map_response(paths::allow_only_refusals);
    Router::new().fallback_service(outside.service(routes))
}

/// The OpenAPI 3.1 document of [`router`].
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().split_for_parts().1
}

fn api() -> OpenApiRouter<Arc<Serving>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(entries::create, entries::by_index))
        .routes(routes!(entries::by_uuid))
        .routes(routes!(retrieve::retrieve))
        .routes(routes!(index::search))
        .routes(routes!(log_info::log_info))
        .routes(routes!(public_key::public_key))
        .routes(routes!(proof::proof))
        .routes(routes!(ops::ping))
        .routes(routes!(ops::healthz))
        .routes(routes!(ops::readyz))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Indelible",
        description = "A transparency log for signed software, speaking the API of Sigstore's \
            Rekor v1.\n\nLimits (the first three can be configured): a request body has at most \
            33,554,432 bytes (413); of an attestation at most 4,194,304 bytes are kept; a body \
            must arrive within 30 seconds (408). JSON that is read nests at most 127 levels and \
            holds at most 262,144 values; an envelope has at most 64 signatures and 64 keys; a certificate \
            chain has at most 10 certificates; `retrieve` takes at most 10 items; the head \
            of a request, its first line included, has at most 65,536 bytes and 100 headers \
            (431). An operator may limit the requests per second of each client address \
            (429).\n\nA validation failure is HTTP 422 with an internal `code` from \
            601 to 619.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "entries", description = "Adding, reading and finding entries"),
        (name = "tlog", description = "The log itself: head, proofs, key"),
        (name = "index", description = "Search"),
        (name = "operations", description = "For operators")
    )
)]
struct Document;
