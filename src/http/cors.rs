//! Cross-origin reads from browsers.
//!
//! Border: the headers that let any page read this log: it is public, sends no
//! credentials, and nothing depends on the origin.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

const ANY: HeaderValue = HeaderValue::from_static("*");

/// Headers that a page may set.
const ALLOWED_HEADERS: [&str; 3] = ["accept", "content-type", "x-requested-with"];

fn is_allowed(method: &[u8]) -> bool {
    [&b"GET"[..], b"POST", b"HEAD"].contains(&method)
}

/// The answer to a preflight, if the request is one.
pub(super) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let requested = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    if method != Method::OPTIONS {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    answer.insert(VARY, HeaderValue::from_static(vary));
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let headers_allowed = asked.is_none_or(|asked| {
        asked.to_str().is_ok_and(|asked| {
            let mut names = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.all(|name| ALLOWED_HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)))
        })
    });
    let has_origin = headers.get(ORIGIN).is_some_and(|origin| !origin.is_empty());
    if has_origin && is_allowed(requested.as_bytes()) && headers_allowed {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, requested.clone());
        if let Some(asked) = asked {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    }
    Some(response)
}

/// What every other answer gets; `allow` when the request came from a page.
pub(super) fn mark(answer: &mut HeaderMap, allow: bool) {
    answer.insert(VARY, HeaderValue::from_static("Origin"));
    if allow {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    }
}

/// Whether the answer to this request may be read by a page.
pub(super) fn allows(method: &Method, headers: &HeaderMap) -> bool {
    let has_origin = headers.get(ORIGIN).is_some_and(|origin| !origin.is_empty());
    has_origin && is_allowed(method.as_str().as_bytes())
}
