//! What happens around every request: identity, headers, measuring.
//!
//! Border: one layer, so that a request crosses it once. What the request means
//! is in the handlers; the rules that it applies are in `cors`, `negotiate` and
//! `paths`.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPECT, EXPIRES, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tracing::Instrument as _;
use uuid::Uuid;

use super::negotiate::{self, Offered};
use super::{Serving, Shared, body, cors, paths};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// Longest request ID that is taken over from a client or proxy.
const MAX_REQUEST_ID: usize = 128;

/// Runs a request with everything around it.
pub(super) async fn request(State(serving): Shared, request: Request, next: Next) -> Response {
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
    let mut answer = match admit(&serving, request, route.as_deref()) {
        Ok(request) => next.run(request).instrument(span.clone()).await,
        Err(refused) => {
            let Refused { answer, unread } = *refused;
            if let Some(unread) = unread {
                body::drain(unread).await;
            }
            answer
        }
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

/// An answer to a request that no handler sees, and what its client sends unasked.
struct Refused {
    answer: Response,
    unread: Option<Body>,
}

/// Refuses methods, content types and clients that ask too often before a handler sees
/// the request.
fn admit(
    serving: &Serving,
    mut request: Request,
    route: Option<&str>,
) -> Result<Request, Box<Refused>> {
    let Some(route) = route else { return Ok(request) };
    match judge(serving, &request, route) {
        Ok(offered) => {
            request.extensions_mut().insert(offered);
            Ok(request)
        }
        Err(answer) => {
            // Who asks first is told before it sends anything.
            let asks_first = request.headers().contains_key(EXPECT);
            let unread = (!asks_first).then(|| request.into_body());
            Err(Box::new(Refused { answer: *answer, unread }))
        }
    }
}

fn judge(serving: &Serving, request: &Request, route: &str) -> Result<Offered, Box<Response>> {
    let method = request.method();
    // The router would answer HEAD like GET; Rekor does not.
    if !paths::allowed_methods(route).split(',').any(|allowed| allowed == method.as_str()) {
        return Err(Box::new(paths::refuse_method(method, route)));
    }
    let offered = negotiate::judge(route, request.headers())?;
    serving.rates.check(request, route).map_err(|refusal| {
        let mut answer = refusal.into_response();
        label(&mut answer, offered);
        Box::new(answer)
    })?;
    Ok(offered)
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
        // What is not there, or is there already, is no cause for alarm; and who asks too
        // often must not fill the disk.
        400.. if !matches!(status, 404 | 409 | 429) => {
            tracing::warn!(target: "access", status, milliseconds, "completed request");
        }
        _ => tracing::info!(target: "access", status, milliseconds, "completed request"),
    }
}

/// Gives an answer of JSON text the media type that was negotiated.
pub(super) fn label(answer: &mut Response, Offered(offer): Offered) {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(offer));
}
