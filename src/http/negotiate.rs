//! Content types: what a request may carry, and what its client takes.
//!
//! Border: the headers `Content-Type` and `Accept` against what a route knows. A
//! body is JSON; answers are JSON, except the public key, which is PEM first.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::media_type;
use crate::error::ApiError;

/// The media type of everything but the public key.
pub(super) const JSON: &str = "application/json";

/// The media type of a PEM key.
pub(super) const PEM: &str = "application/x-pem-file";

/// The media type that the answer has; empty when a POST's client takes none of
/// those on offer (Rekor answers it all the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offered(pub(super) &'static str);

/// Judges the headers of a request to the route `path`, with a body or without.
pub(super) fn judge(
    path: &str,
    method: &Method,
    headers: &HeaderMap,
    has_body: bool,
) -> Result<Offered, ApiError> {
    let offers = offers(path);
    if has_body {
        check_content_type(headers)?;
    }
    match best(headers, offers) {
        Some(offer) => Ok(Offered(offer)),
        None if has_body && method == Method::POST => Ok(Offered("")),
        None => Err(not_acceptable(offers)),
    }
}

/// What the answers of a route may be.
fn offers(path: &str) -> &'static [&'static str] {
    if path == "/api/v1/log/publicKey" { &[PEM, JSON] } else { &[JSON] }
}

fn not_acceptable(offers: &[&'static str]) -> ApiError {
    let available = offers.join(" ");
    let message = format!("unsupported media type requested, only [{available}] are available");
    ApiError::framework(StatusCode::NOT_ACCEPTABLE, message)
}

/// Whether a body is announced. One that comes in pieces may turn out to be none.
pub(super) fn announces_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING)
}

/// Whether the verdict depends on the first of a body's pieces: on whether there is one.
pub(super) fn depends_on_pieces(path: &str, method: &Method, headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        && (check_content_type(headers).is_err()
            // It passes with a body only.
            || method == Method::POST && best(headers, offers(path)).is_none())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let given = String::from_utf8_lossy(given.unwrap_or(b"application/octet-stream"));
    let media_type = media_type::parse(&given).map_err(|reason| malformed(&given, reason))?;
    if media_type == JSON {
        return Ok(());
    }
    let message = format!("unsupported media type \"{media_type}\", only [{JSON}] are allowed");
    Err(ApiError::framework(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

fn malformed(given: &str, reason: &str) -> ApiError {
    let message =
        format!("parsing Content-Type header from \"{given}\" failed, because mime: {reason}");
    ApiError::framework(StatusCode::BAD_REQUEST, message)
}

/// The offer that the client weighs highest; among equals what it names more exactly, then the first.
fn best<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let ranges: Vec<(String, f32)> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(media_range)
        .collect();
    if ranges.is_empty() {
        return offers.first().copied();
    }
    let mut chosen: Option<(&str, (f32, u8))> = None;
    for offer in offers {
        let Some(rank) = rank(offer, &ranges).filter(|(weight, _)| *weight > 0.0) else { continue };
        if chosen.is_none_or(|(_, best)| rank > best) {
            chosen = Some((offer, rank));
        }
    }
    chosen.map(|(offer, _)| offer)
}

fn media_range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?.to_ascii_lowercase();
    let weight =
        parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
    Some((range, weight))
}

/// The weight of the most specific range that covers the offer, and how specific it is.
fn rank(offer: &str, ranges: &[(String, f32)]) -> Option<(f32, u8)> {
    let group = offer.split('/').next().unwrap_or_default();
    let specificity = |range: &str| match range {
        range if range == offer => 3,
        "*/*" => 1,
        range if range.strip_suffix("/*") == Some(group) => 2,
        _ => 0,
    };
    let ranked = ranges.iter().map(|(range, weight)| (*weight, specificity(range)));
    ranked.filter(|(_, specificity)| *specificity > 0).max_by_key(|(_, specificity)| *specificity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(accept: &str, offers: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        best(&headers, offers)
    }

    #[test]
    fn the_heaviest_offer_wins_then_the_more_exact_then_the_first() {
        for (accept, chosen) in [
            ("", Some(PEM)),
            ("*/*", Some(PEM)),
            ("application/*", Some(PEM)),
            ("application/json", Some(JSON)),
            ("application/x-pem-file;q=0.5, application/json", Some(JSON)),
            ("application/json;q=0.1, */*", Some(PEM)),
            // As axios asks for everything.
            ("application/json, text/plain, */*", Some(JSON)),
            ("*/*, application/x-pem-file", Some(PEM)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(offered(accept, &[PEM, JSON]), chosen, "{accept}");
        }
        assert_eq!(offered("text/html, application/json; charset=utf-8", &[JSON]), Some(JSON));
    }
}
