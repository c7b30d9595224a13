//! What happens around every request: identity, headers, measuring.
//!
//! Border: one layer, so that a request crosses it once. What the request means
//! is in the handlers; the rules that it applies are in `cors`, `negotiate` and
//! `paths`.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tracing::Instrument as _;
use uuid::Uuid;

use super::negotiate::{self, Offered};
use super::{cors, paths};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// Longest request ID that is taken over from a client or proxy.
const MAX_REQUEST_ID: usize = 128;

/// Runs a request with everything around it.
pub(super) async fn request(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let allow = cors::allows(&method, request.headers());
    if let Some(mut answer) = cors::preflight(&method, request.headers()) {
        answer.headers_mut().insert(REQUEST_ID, id);
        return answer;
    }
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let route = route.filter(|route| route.starts_with("/api/"));
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), %method, path);
    let mut answer = match admit(&mut request, route.as_deref()) {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(refusal) => *refusal,
    };
    finish(answer.headers_mut(), &method, route.as_deref());
    cors::mark(answer.headers_mut(), allow);
    answer.headers_mut().insert(REQUEST_ID, id);
    if let Some(route) = route {
        measure(route, &method, answer.status().as_u16(), started);
    }
    span.in_scope(|| write_line(answer.status().as_u16(), started));
    answer
}

/// The client's ID if it is a plain short one, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if let Some(id) = headers.get(REQUEST_ID).filter(plain) {
        return id.clone();
    }
    let mut text = Uuid::encode_buffer();
    let id = Uuid::now_v7().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Refuses methods and content types before a handler sees the request.
fn admit(request: &mut Request, route: Option<&str>) -> Result<(), Box<Response>> {
    let Some(route) = route else { return Ok(()) };
    let method = request.method();
    // The router would answer HEAD like GET; Rekor does not.
    if !paths::allowed_methods(route).split(',').any(|allowed| allowed == method.as_str()) {
        return Err(Box::new(paths::refuse_method(method, route)));
    }
    let offered = negotiate::judge(route, request.headers())?;
    request.extensions_mut().insert(offered);
    Ok(())
}

/// Headers that depend on the route.
fn finish(headers: &mut HeaderMap, method: &Method, route: Option<&str>) {
    if route.is_some() && method == Method::GET {
        let never = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(never));
        headers.insert(EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(ACCEL_EXPIRES, HeaderValue::from_static("0"));
    }
}

fn measure(route: String, method: &Method, status: u16, started: Instant) {
    let nanoseconds = started.elapsed().as_nanos() as f64;
    let method = method.as_str().to_owned();
    metrics::histogram!("rekor_latency_by_api", "path" => route.clone(), "method" => method.clone())
        .record(nanoseconds);
    metrics::counter!("rekor_qps_by_api", "path" => route, "method" => method,
        "code" => status.to_string())
    .increment(1);
}

/// The access log, under the target `access`.
fn write_line(status: u16, started: Instant) {
    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
    match status {
        500.. => tracing::error!(target: "access", status, milliseconds, "completed request"),
        // What is not there, or is there already, is no cause for alarm.
        400.. if !matches!(status, 404 | 409) => {
            tracing::warn!(target: "access", status, milliseconds, "completed request");
        }
        _ => tracing::info!(target: "access", status, milliseconds, "completed request"),
    }
}

/// Gives an answer of JSON text the media type that was negotiated.
pub(super) fn label(answer: &mut Response, Offered(offer): Offered) {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(offer));
}
