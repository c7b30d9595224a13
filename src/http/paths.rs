//! Paths: cleaning them before routing, and answering those that lead nowhere.
//!
//! Border: the path and the method. Clients send trailing and doubled slashes and
//! expect an answer all the same.

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use http::header::ALLOW;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Method, StatusCode};

use crate::error::ApiError;

/// The path as it was asked for, beside the one that is looked up.
#[derive(Clone)]
struct Asked(String);

/// Removes empty, `.` and `..` segments and a trailing slash from the path.
pub(super) fn clean<B>(mut request: http::Request<B>) -> http::Request<B> {
    let path = request.uri().path();
    let cleaned = if path.eq_ignore_ascii_case("/ping") {
        "/ping".to_owned()
    } else if is_clean(path) {
        return request;
    } else {
        cleaned(path)
    };
    let asked = Asked(path.to_owned());
    let text = match request.uri().query() {
        Some(query) => format!("{cleaned}?{query}"),
        None => cleaned,
    };
    // Parts of a valid target make a valid target; if not, the original stays.
    if let Ok(target) = PathAndQuery::try_from(text) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(asked);
        }
    }
    request
}

fn is_clean(path: &str) -> bool {
    let plain = !path.contains("//") && !path.contains("/.");
    path == "/" || (plain && !path.ends_with('/'))
}

fn cleaned(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// The path of the operation that a request to a route of the API asks for, as the API's document has it.
pub(super) fn template<'a>(method: &Method, route: &'a str) -> &'a str {
    match (method, route) {
        // Not the look-up of that path, but of the entry of that name.
        (&Method::GET, "/api/v1/log/entries/retrieve") => "/api/v1/log/entries/{entryUUID}",
        _ => route,
    }
}

/// 404 for a path that is not served.
pub(super) async fn unknown(request: Request) -> ApiError {
    let asked = request.extensions().get::<Asked>();
    let path = asked.map_or_else(|| request.uri().path(), |Asked(path)| path);
    ApiError::framework(StatusCode::NOT_FOUND, format!("path {path} was not found"))
}

/// 405 for a path that is served to other methods.
pub(super) async fn wrong_method(request: Request) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if route == "/ping" {
        // Rekor does not know this path under another method.
        return unknown(request).await.into_response();
    }
    refuse_method(request.method(), route)
}

/// The methods that a route of the API is served to, as `Allow` lists them.
pub(super) fn allowed_methods(route: &str) -> &'static str {
    match route {
        "/api/v1/log/entries" | "/api/v1/log/entries/retrieve" => "POST,GET",
        "/api/v1/index/retrieve" => "POST",
        _ => "GET",
    }
}

/// 405 with the methods that the route is served to.
pub(super) fn refuse_method(method: &Method, route: &str) -> Response {
    let allowed = allowed_methods(route);
    let message = format!("method {method} is not allowed, but [{allowed}] are");
    let refused = ApiError::framework(StatusCode::METHOD_NOT_ALLOWED, message);
    let mut response = refused.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Removes `Allow` from all answers but 405: the router adds it to whatever a route answers to
/// methods that it does not have.
pub(super) fn allow_only_refusals<B>(mut answer: http::Response<B>) -> http::Response<B> {
    if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
        answer.headers_mut().remove(ALLOW);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_dots_are_cleaned_and_the_query_stays() {
        for (from, to) in [
            ("/", "/"),
            ("/api/v1/log", "/api/v1/log"),
            ("/api/v1/log/", "/api/v1/log"),
            ("//api//v1/./log/?a=/b/", "/api/v1/log?a=/b/"),
            ("/api/v1/x/../log", "/api/v1/log"),
            ("/../..", "/"),
            ("/PinG", "/ping"),
            ("/a/%2e%2e/b", "/a/%2e%2e/b"),
        ] {
            let request = http::Request::get(from).body(()).unwrap();
            assert_eq!(clean(request).uri().to_string(), to, "{from}");
        }
    }
}
