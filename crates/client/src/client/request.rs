//! One request: attempts, waits, the time limit, and bounded reading.
//!
//! Border: bytes in, bytes out. What they mean is the caller's affair. Every
//! operation of the API may be repeated: a second upload of an entry is answered
//! with the entry that is there.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, Url};

use super::operation::Operation;
use super::{Client, retry_after};
use crate::error::{Cause, ClientError};

/// Bytes of a failure's body that are kept for its text.
const EXCERPT_BYTES: usize = 512;

/// What became of the payload of an upload.
const ATTESTATION: HeaderName = HeaderName::from_static("indelible-attestation");

/// What is asked.
pub(super) struct Call {
    pub(super) operation: &'static Operation,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    /// JSON, for a POST.
    pub(super) body: Option<Bytes>,
}

/// What was answered: a status that means success, or 409.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    /// The header `Indelible-Attestation`.
    pub(super) attestation: Option<String>,
    pub(super) body: Vec<u8>,
}

/// One attempt that did not end the matter.
struct Again {
    cause: Cause,
    wait: Duration,
}

enum Failed {
    Again(Again),
    Finally(ClientError),
}

impl Client {
    /// Asks, as often as the settings allow.
    ///
    /// # Errors
    /// [`ClientError`]; a status other than success and 409 is one.
    pub(super) async fn ask(&self, call: Call) -> Result<Answer, ClientError> {
        let Some(limit) = self.timeout else { return self.attempts(&call, None).await };
        // A limit past the end of the clock is none.
        let attempts = self.attempts(&call, Instant::now().checked_add(limit));
        let (method, url) = (call.operation.verb(), call.shown_url());
        let timed_out = || ClientError::Timeout { method, url, limit };
        tokio::time::timeout(limit, attempts).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn attempts(
        &self,
        call: &Call,
        deadline: Option<Instant>,
    ) -> Result<Answer, ClientError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Again { cause, wait } = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::Finally(error)) => return Err(error),
                Err(Failed::Again(again)) => again,
            };
            // Waiting past the deadline would only hide what the server said.
            let too_long = deadline.is_some_and(|at| wait > at - Instant::now());
            if attempts > self.retries || too_long {
                let (method, url) = (call.operation.verb(), call.shown_url());
                return Err(ClientError::GaveUp { method, url, attempts, cause });
            }
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Failed> {
        let method = if call.body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.http.request(method, call.url.clone()).header(ACCEPT, call.accept);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|error| call.unsent(error))?;
        let status = response.status().as_u16();
        if status == 429 || (status >= 500 && status != 501) {
            return Err(Failed::Again(refused_for_now(response).await));
        }
        let (location, attestation) = (header(&response, LOCATION), header(&response, ATTESTATION));
        let body = self.read(call, response).await?;
        if status == call.operation.success || status == 409 {
            return Ok(Answer { status, location, attestation, body });
        }
        let text = excerpt(&body);
        Err(Failed::Finally(call.operation.failure(status, &body, text)))
    }

    /// Reads a whole body, but no more of it than settings and operation allow.
    async fn read(&self, call: &Call, mut response: Response) -> Result<Vec<u8>, Failed> {
        let limit = self.max_answer_bytes.min(call.operation.max_bytes);
        let mut body = Vec::new();
        // The claimed length only decides early; what counts is what comes.
        let mut size = response.content_length().unwrap_or_default();
        loop {
            if size > limit {
                let (method, url) = (call.operation.verb(), call.shown_url());
                return Err(Failed::Finally(ClientError::TooLarge { method, url, limit }));
            }
            let Some(chunk) = response.chunk().await.map_err(|error| call.unsent(error))? else {
                return Ok(body);
            };
            body.extend_from_slice(&chunk);
            size = body.len() as u64;
        }
    }
}

impl Call {
    /// The URL for error texts; a password in it is masked.
    pub(super) fn shown_url(&self) -> String {
        let mut url = self.url.clone();
        if url.password().is_some() {
            // Only URLs without a host refuse a password, and they have none.
            let _ = url.set_password(Some("xxxxx"));
        }
        url.into()
    }

    fn unsent(&self, error: reqwest::Error) -> Failed {
        let error = error.without_url();
        if error.is_builder() || error.is_redirect() {
            let (method, url) = (self.operation.verb(), self.shown_url());
            return Failed::Finally(ClientError::Request { method, url, reason: chain(&error) });
        }
        Failed::Again(Again { cause: Cause::Connection(chain(&error)), wait: Duration::ZERO })
    }
}

async fn refused_for_now(mut response: Response) -> Again {
    let status = response.status().as_u16();
    let wait = match header(&response, RETRY_AFTER) {
        Some(value) if status == 429 || status == 503 => {
            retry_after::wait(&value, Timestamp::now()).unwrap_or_default()
        }
        _ => Duration::ZERO,
    };
    let mut body = Vec::new();
    while body.len() < EXCERPT_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    Again { cause: Cause::Status { status, text: escaped(&excerpt(&body)) }, wait }
}

fn header(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]).into_owned()
}

/// Control characters other than line breaks at the end could steer a terminal.
fn escaped(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.trim_end().chars().map(escape).collect()
}

/// The error with everything that caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
