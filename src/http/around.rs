//! What happens around every request: identity, headers, measuring.
//!
//! Border: one layer, so that a request crosses it once. What the request means
//! is in the handlers; the rules that it applies are in `cors`, `negotiate` and
//! `paths`.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::negotiate::{self, Offered};
use super::{Serving, Shared, answer, cors, paths};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");

/// Longest request ID that is taken over from a client or proxy.
const MAX_REQUEST_ID: usize = 128;

/// Bytes of a method or path in a log line.
const MAX_LOGGED: usize = 256;

/// What is counted and logged for a request that has no answer, as its client hung up (Rekor's status
/// for that) or the server closed the connection, to make room or at its end.
const UNANSWERED: u16 = 499;

/// Runs a request with everything around it.
pub(super) async fn request(State(serving): Shared, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let allow = cors::allows(request.method(), request.headers());
    if let Some(mut answer) = cors::preflight(request.method(), request.headers()) {
        answer.headers_mut().insert(REQUEST_ID, id);
        return answer;
    }
    let crossing = Crossing::begin(serving, &request, id);
    let (serving, route) = (&crossing.serving, crossing.route.as_deref());
    let mut answer = match admit(serving, request, route).await {
        Ok(request) => {
            let answer = next.run(request).instrument(crossing.span()).await;
            match route {
                Some(_) => answer::bound(&serving.answers, answer).await,
                None => answer,
            }
        }
        Err(refusal) => *refusal,
    };
    finish(answer.headers_mut(), serving, &crossing.method, route);
    cors::mark(answer.headers_mut(), allow);
    answer.headers_mut().insert(REQUEST_ID, crossing.id.clone());
    crossing.end(answer.status());
    answer
}

/// A request under way. Without an end it is told of all the same: it is dropped with its connection,
/// and what it has done by then stays done.
struct Crossing {
    serving: Arc<Serving>,
    started: Instant,
    id: HeaderValue,
    method: Method,
    path: String,
    /// The route of the API, if it is one.
    route: Option<String>,
    told: bool,
}

impl Crossing {
    fn begin(serving: Arc<Serving>, request: &Request, id: HeaderValue) -> Self {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Self {
            serving,
            started: Instant::now(),
            id,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: route
                .filter(|route| route.starts_with("/api/"))
                .map(|route| paths::template(request.method(), route).to_owned()),
            told: false,
        }
    }

    /// What every line says that is written on the way: on with any of them.
    fn span(&self) -> Span {
        tracing::error_span!("request", id = self.id(), method = self.method(), path = self.path())
    }

    fn end(mut self, status: StatusCode) {
        self.tell(status.as_u16());
    }

    fn tell(&mut self, status: u16) {
        self.told = true;
        let Self { serving, started, method, route, .. } = &*self;
        if let Some(route) =
            route.as_deref().filter(|route| serving.endpoints.serves(method, route))
        {
            serving.meters.count(route, method, status, started.elapsed());
        }
        self.write_line(status);
    }

    /// The access log, under the target `access`, which may be on where nothing else is: so a line
    /// names its request itself.
    fn write_line(&self, status: u16) {
        let milliseconds = self.started.elapsed().as_secs_f64() * 1e3;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "access",
                    id = self.id(),
                    method = self.method(),
                    path = self.path(),
                    status,
                    milliseconds,
                    "completed request"
                )
            };
        }
        match status {
            500.. => line!(error),
            // What is not there, or is there already, is no cause for alarm; and who asks too
            // often must not fill the disk.
            400.. if !matches!(status, 404 | 409 | 429) => line!(warn),
            _ => line!(info),
        }
    }

    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    fn method(&self) -> &str {
        shortened(self.method.as_str())
    }

    fn path(&self) -> &str {
        shortened(&self.path)
    }
}

impl Drop for Crossing {
    fn drop(&mut self) {
        if !self.told {
            self.tell(UNANSWERED);
        }
    }
}

/// As much as is logged of what a client may send by the kilobyte.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LOGGED)]
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

/// Refuses clients that ask too often, methods and content types before a handler sees the
/// request.
async fn admit(
    serving: &Serving,
    mut request: Request,
    route: Option<&str>,
) -> Result<Request, Box<Response>> {
    let Some(route) = route else { return Ok(request) };
    check(serving, &request, route)?;
    let has_body = has_body(serving, &mut request, route).await?;
    let offered = negotiate::judge(route, request.method(), request.headers(), has_body)
        .map_err(|error| Box::new(error.into_response()))?;
    request.extensions_mut().insert(offered);
    Ok(request)
}

fn check(serving: &Serving, request: &Request, route: &str) -> Result<(), Box<Response>> {
    let method = request.method();
    // First of all, so that whoever asks for nothing that there is cannot ask for ever.
    serving.rates.check(request, route).map_err(|refusal| Box::new(refusal.into_response()))?;
    // The router would answer HEAD like GET; Rekor does not.
    if !allows(route, method) {
        return Err(Box::new(paths::refuse_method(method, route)));
    }
    Ok(())
}

/// Whether there is a body: waited for only where the verdict depends on it.
async fn has_body(
    serving: &Serving,
    request: &mut Request,
    route: &str,
) -> Result<bool, Box<Response>> {
    if negotiate::depends_on_pieces(route, request.method(), request.headers()) {
        let begun = serving.budget.has_begun(request).await;
        return begun.map_err(|error| Box::new(error.into_response()));
    }
    Ok(negotiate::announces_body(request.headers()))
}

/// Whether the route is served to the method.
fn allows(route: &str, method: &Method) -> bool {
    paths::allowed_methods(route).split(',').any(|allowed| allowed == method.as_str())
}

/// Headers that depend on the route. What is switched off has none.
fn finish(headers: &mut HeaderMap, serving: &Serving, method: &Method, route: Option<&str>) {
    if method == Method::GET && route.is_some_and(|route| serving.endpoints.serves(method, route)) {
        let never = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(never));
        headers.insert(EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(ACCEL_EXPIRES, HeaderValue::from_static("0"));
    }
}

/// Gives an answer of JSON text the media type that was negotiated.
pub(super) fn label(mut answer: Response, Offered(offer): Offered) -> Response {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(offer));
    answer
}
