//! From an error to a status and a body: the only file that does so.
//!
//! Border: every refusal and failure of the API. Each has two messages: one for
//! the client, in Rekor's words where its clients may know them, and a cause for
//! the operator, which is logged here, once, and never reaches the client.
//!
//! Rekor's answers come from two producers that differ visibly. A *framework*
//! error (routing, content types, parameters) is JSON to everybody, has no final newline and escapes
//! `<`, `>` and `&`; its code may be an internal one from 601 to 619 under HTTP
//! 422. A *handler* error ends with a newline and carries its HTTP status.

use std::error::Error;
use std::fmt::Display;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use entry::{EntryError, ParseError};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use wire::ErrorBody;

use crate::causes::explain;
use crate::log::{ConsistencyError, Lookup, ReadError, SearchError, SubmitError};
use crate::store::StoreError;

/// The media type of an error that is not [labelled](ApiError::labelled) otherwise.
const JSON: &str = "application/json";

/// Seconds after which a client may try again when the server is busy.
const BUSY_RETRY: u64 = 1;

/// The same when a person has to act first.
const SEALED_RETRY: u64 = 300;

/// An answer that is not a success.
#[derive(Debug)]
pub struct ApiError(Box<Answer>);

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Shape,
    location: Option<String>,
    retry_after: Option<u64>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    media_type: &'static str,
}

#[derive(Debug)]
enum Shape {
    /// No body and no content type.
    Empty,
    Framework(ErrorBody),
    Handler(Box<ErrorBody>),
    /// A handler's with the text of its member `entry`.
    Duplicate(Box<ErrorBody>, Vec<u8>),
    /// A bare JSON string.
    Text(&'static str),
}

/// Internal codes of validation failures (go-openapi's), all under HTTP 422.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Validation {
    /// Wrong type or format.
    Type = 601,
    /// Absent.
    Required = 602,
    /// Too long.
    MaxLength = 603,
    /// Does not match a pattern.
    Pattern = 605,
    /// Not one of the allowed values.
    Enum = 606,
    /// Below the minimum.
    Minimum = 609,
    /// Too many items.
    MaxItems = 611,
    /// Too few items.
    MinItems = 612,
}

impl ApiError {
    fn new(status: StatusCode, body: Shape) -> Self {
        Self(Box::new(Answer {
            status,
            body,
            location: None,
            retry_after: None,
            cause: None,
            media_type: JSON,
        }))
    }

    /// A refusal by the framework; `code` in the body equals the status.
    pub fn framework(status: StatusCode, message: impl Into<String>) -> Self {
        let body = ErrorBody { code: status.as_u16(), message: message.into(), entry: None };
        Self::new(status, Shape::Framework(body))
    }

    /// A field that is not what it must be: HTTP 422 with an internal code.
    pub fn validation(code: Validation, message: impl Into<String>) -> Self {
        let body = ErrorBody { code: code as u16, message: message.into(), entry: None };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Shape::Framework(body))
    }

    /// A refusal or failure of a handler.
    pub fn handler(status: StatusCode, message: impl Into<String>) -> Self {
        let body = ErrorBody { code: status.as_u16(), message: message.into(), entry: None };
        Self::new(status, Shape::Handler(Box::new(body)))
    }

    /// 400 of a handler.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::handler(StatusCode::BAD_REQUEST, message)
    }

    /// 404 without body, as the entry look-ups answer.
    #[must_use]
    pub fn no_entry() -> Self {
        Self::new(StatusCode::NOT_FOUND, Shape::Empty)
    }

    /// JSON that cannot be read, on the look-up endpoints.
    pub fn unreadable_body(reason: impl Display) -> Self {
        let message = format!("parsing entry body from \"\" failed, because {reason}");
        Self::framework(StatusCode::BAD_REQUEST, message)
    }

    /// An operation that the operator switched off.
    #[must_use]
    pub fn disabled(name: &str) -> Self {
        let message = format!("{name} API not enabled in this Rekor instance");
        Self::handler(StatusCode::NOT_IMPLEMENTED, message)
    }

    /// `getLogInfo` switched off, which has a shape of its own.
    #[must_use]
    pub fn log_info_disabled() -> Self {
        let text = "operation tlog.GetLogInfo has not yet been implemented";
        Self::new(StatusCode::NOT_IMPLEMENTED, Shape::Text(text))
    }

    /// An equal entry is in the log: 409 with its location and the entry itself, as its text.
    #[must_use]
    pub fn duplicate(entry_id: &str, entry: Vec<u8>) -> Self {
        let message = format!(
            "an equivalent entry already exists in the transparency log with UUID {entry_id}"
        );
        let code = StatusCode::CONFLICT.as_u16();
        let body = ErrorBody { code, message, entry: None };
        let mut error = Self::new(StatusCode::CONFLICT, Shape::Duplicate(Box::new(body), entry));
        error.0.location = Some(format!("/api/v1/log/entries/{entry_id}"));
        error
    }

    /// The server cannot take this now.
    pub fn busy(message: impl Into<String>) -> Self {
        let mut error = Self::handler(StatusCode::SERVICE_UNAVAILABLE, message);
        error.0.retry_after = Some(BUSY_RETRY);
        error
    }

    /// This client has sent too many requests; it may come back after `seconds`.
    pub fn too_many(message: impl Into<String>, seconds: u64) -> Self {
        let mut error = Self::framework(StatusCode::TOO_MANY_REQUESTS, message);
        error.0.retry_after = Some(seconds);
        error
    }

    /// A panic, or anything else that must not happen.
    #[must_use]
    pub fn unknown() -> Self {
        Self::handler(StatusCode::INTERNAL_SERVER_ERROR, "Unknown error")
    }

    fn unread(message: &str, error: ReadError) -> Self {
        match error {
            // The database is away for the moment; everything else needs a human.
            ReadError::Store(
                StoreError::Unavailable(_) | StoreError::Refused(_) | StoreError::Conflict,
            ) => Self::busy(message).because(error),
            _ => Self::handler(StatusCode::INTERNAL_SERVER_ERROR, message).because(error),
        }
    }

    /// One of several look-ups that failed.
    #[must_use]
    pub fn of_look_up(lookup: Lookup, error: ReadError) -> Self {
        Self::unread(&format!("error getting log entry for {lookup}"), error)
    }

    fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Said to be of the media type that the client takes; empty for none. A framework error is JSON to
    /// everybody.
    #[must_use]
    pub fn labelled(mut self, media_type: &'static str) -> Self {
        if !matches!(self.0.body, Shape::Framework(_)) {
            self.0.media_type = media_type;
        }
        self
    }

    /// Written without its final newline: only JSON that was asked for as such ends with one.
    #[must_use]
    pub fn without_newline(mut self) -> Self {
        self.0.body = match self.0.body {
            Shape::Handler(body) => Shape::Framework(*body),
            other => other,
        };
        self
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// A proposed entry that cannot be read; `path` names the body or list item.
    #[must_use]
    pub fn of_parsing(error: &ParseError, path: &str) -> Self {
        let code = match error {
            // Rekor's answer to JSON that it cannot decode, on this endpoint only.
            ParseError::Json(text) => {
                return Self::framework(StatusCode::INTERNAL_SERVER_ERROR, text.clone());
            }
            ParseError::KindUnknown(_) => {
                return Self::framework(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
            }
            // Beyond a limit of this server's own, the JSON may be sound: Rekor's answer to what is none would mislead.
            ParseError::KindAbstract | ParseError::Limit(_) => {
                return Self::bad_request(format!("error processing entry: {error}"));
            }
            ParseError::KindMissing | ParseError::VersionMissing | ParseError::SpecMissing => {
                Validation::Required
            }
            ParseError::VersionPattern => Validation::Pattern,
        };
        Self::validation(code, format!("{path}{error}"))
    }
}

impl From<EntryError> for ApiError {
    fn from(error: EntryError) -> Self {
        if error.is_input() {
            return Self::bad_request(format!("error processing entry: {error}"));
        }
        let message = format!("error generating canonicalized entry: {error}");
        Self::handler(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        let message = match &error {
            ReadError::Signing(_) => "error signing",
            ReadError::Store(_) | ReadError::Proof(_) => {
                "unexpected error communicating with transparency log"
            }
        };
        Self::unread(message, error)
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::TooMany { most } => Self::bad_request(format!(
                "more than {most} entries are found, and this server shows {most} at most: name \
                 criteria that fewer entries meet, or several with the operator \"and\""
            )),
            SearchError::Read(error) => {
                Self::unread("unexpected result from searching index", error)
            }
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Full { max_leaves, retry_after, .. } => {
                let mut busy = Self::busy(format!(
                    "the log is busy: its queue of {max_leaves} entries is full; nothing was added"
                ));
                busy.0.retry_after = Some(retry_after.as_secs());
                busy
            }
            SubmitError::ShuttingDown => {
                Self::busy("the server is shutting down; nothing was added")
            }
            SubmitError::Sealed(_) => {
                // Why was logged; what the operator can do is no client's affair.
                let mut sealed = Self::busy(
                    "the log can be read, but takes no entries: its database does not continue a \
                     checkpoint that the log has signed; nothing was added",
                );
                sealed.0.retry_after = Some(SEALED_RETRY);
                sealed
            }
            // The sequencer logged why; submitting again is safe in every case.
            SubmitError::NotCommitted => Self::busy("unexpected result from transparency log"),
            SubmitError::Receipt(error @ ReadError::Signing(_)) => error.into(),
            SubmitError::Receipt(error) => {
                Self::unread("unexpected result from transparency log", error)
            }
        }
    }
}

impl From<ConsistencyError> for ApiError {
    fn from(error: ConsistencyError) -> Self {
        match error {
            ConsistencyError::TooLarge { requested, size } => Self::bad_request(format!(
                "the tree size requested({requested}) was greater than what is currently \
                 observable({size})"
            )),
            ConsistencyError::Read(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Answer { status, body, location, retry_after, cause, media_type } = *self.0;
        if let Some(cause) = cause {
            tracing::error!(status = status.as_u16(), cause = %explain(&*cause), "request failed");
        }
        let text = match &body {
            Shape::Empty => None,
            Shape::Framework(body) => Some(escape_html(&to_json(body)).into_bytes()),
            Shape::Handler(body) => Some((to_json(body) + "\n").into_bytes()),
            Shape::Duplicate(body, entry) => Some(with_entry(&to_json(body), entry)),
            Shape::Text(text) => Some(format!("\"{text}\"\n").into_bytes()),
        };
        let mut response = Response::new(text.map_or_else(Body::empty, Body::from));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if !matches!(body, Shape::Empty) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Some(location) = location.and_then(|l| HeaderValue::from_str(&l).ok()) {
            headers.insert(LOCATION, location);
        }
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        response
    }
}

fn to_json(body: &ErrorBody) -> String {
    // Strings and numbers only: this cannot fail.
    serde_json::to_string(body).unwrap_or_default()
}

/// A line of JSON with the member that comes last.
fn with_entry(body: &str, entry: &[u8]) -> Vec<u8> {
    let members = body.strip_suffix('}').unwrap_or(body);
    [members.as_bytes(), b",\"entry\":", entry, b"}\n"].concat()
}

/// Go's JSON encoder writes these three characters as escapes.
fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
