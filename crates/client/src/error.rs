//! Why a request brought nothing.
//!
//! Border: the errors of [`Client`](crate::Client) and their texts, which are
//! those of the clients that scripts were written for. What a server said is
//! printed as JSON text, so that it cannot steer a terminal.

use std::time::Duration;

use wire::ErrorBody;

/// A request that brought no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server's address is no http or https URL.
    #[error("invalid server address {address:?}: {reason}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be set up.
    #[error("setting up the HTTP client: {0}")]
    Setup(String),
    /// The server answered with a status that means failure.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// Every attempt failed in a way that another attempt might have mended.
    #[error("{method} \"{url}\": giving up after {attempts} attempt(s): {cause}")]
    GaveUp {
        /// `Get` or `Post`.
        method: &'static str,
        /// The URL, without its password.
        url: String,
        /// Attempts that were made.
        attempts: u32,
        /// How the last one failed.
        cause: Cause,
    },
    /// The request could not be made at all.
    #[error("{method} \"{url}\": {reason}")]
    Request {
        /// `Get` or `Post`.
        method: &'static str,
        /// The URL, without its password.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The time limit passed, over all attempts.
    #[error("{method} \"{url}\": context deadline exceeded (no answer within {limit:?})")]
    Timeout {
        /// `Get` or `Post`.
        method: &'static str,
        /// The URL, without its password.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The answer is larger than this client reads.
    #[error("{method} \"{url}\": the answer is larger than {limit} bytes")]
    TooLarge {
        /// `Get` or `Post`.
        method: &'static str,
        /// The URL, without its password.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The answer says success and makes no sense.
    #[error("{method} \"{url}\": unintelligible answer: {reason}")]
    Unintelligible {
        /// `Get` or `Post`.
        method: &'static str,
        /// The URL, without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// How an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// With 429 or a status from 500 on, other than 501.
    #[error("status {status}: {text}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The first 512 bytes of the body, control characters escaped.
        text: String,
    },
    /// Without an answer: no connection, or one that broke.
    #[error("{0}")]
    Connection(String),
}

/// A status that means failure, with what the server says about it.
///
/// As text: `[GET /api/v1/log/entries][404] getLogEntryByIndexNotFound`, followed
/// by the body as JSON if there is one.
#[derive(Debug, thiserror::Error)]
#[error("[{method} {path}][{status}] {name}{said}", said = said(.body.as_ref(), .text))]
pub struct ApiError {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path template, such as `/api/v1/log/entries/{entryUUID}`.
    pub path: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The name of this answer in generated clients, such as
    /// `createLogEntryBadRequest` or `createLogEntry default`.
    pub name: String,
    /// The body, if it is an error body.
    pub body: Option<ErrorBody>,
    /// The first 512 bytes of any other body.
    pub text: String,
}

fn said(body: Option<&ErrorBody>, text: &str) -> String {
    #[derive(serde::Serialize)]
    struct Said<'a> {
        code: u16,
        message: &'a str,
    }
    let json = match body {
        Some(body) => serde_json::to_string(&Said { code: body.code, message: &body.message }),
        None if text.trim().is_empty() => return String::new(),
        None => serde_json::to_string(text),
    };
    // Texts and numbers always have a JSON form. Those from U+007F on stand in it as they are.
    let escape = |c: char| match c.is_control() {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.into(),
    };
    let json: String = json.unwrap_or_default().chars().map(escape).collect();
    format!(" {json}")
}

impl ClientError {
    /// The HTTP status behind this error, if the server sent one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            Self::GaveUp { cause: Cause::Status { status, .. }, .. } => Some(*status),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: Option<ErrorBody>, text: &str) -> String {
        ApiError {
            method: "POST",
            path: "/api/v1/log/entries",
            status: 400,
            name: "createLogEntryBadRequest".to_owned(),
            body,
            text: text.to_owned(),
        }
        .to_string()
    }

    #[test]
    fn texts_are_those_that_scripts_know() {
        let body = ErrorBody { code: 400, message: "a\u{1b}[2J\"\u{9b}b".to_owned(), entry: None };
        assert_eq!(
            error(Some(body), ""),
            "[POST /api/v1/log/entries][400] createLogEntryBadRequest \
             {\"code\":400,\"message\":\"a\\u001b[2J\\\"\\u009bb\"}"
        );
        let bare = "[POST /api/v1/log/entries][400] createLogEntryBadRequest";
        assert_eq!(error(None, "\n"), bare);
        assert_eq!(error(None, "<p>\n"), format!("{bare} \"<p>\\n\""));
    }
}
