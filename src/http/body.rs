//! Reading request bodies within bounds on size, time and memory.
//!
//! Border: bytes in, bytes out. Small bodies are always read; larger ones draw on
//! a budget that all connections share, so slow or many senders cannot fill the
//! memory. When it is used up, the body that has been coming longest makes room; if all have
//! just begun or are whole, the sender is told to come back.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;

use super::begun::Begun;
use super::budget::{Budget, Held, UsedUp};
use super::rates::RateLimits;
use crate::error::{ApiError, Validation};

/// Bytes of each body that need no budget: the usual entry is smaller.
const FREE_BYTES: usize = 16 << 10;

/// Bounds on requests.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Largest body, in bytes.
    pub max_body_bytes: u64,
    /// Bytes of bodies in memory at a time, over all requests, beyond the first
    /// 16 KiB of each.
    pub max_bodies_bytes: u64,
    /// Bytes of answers in memory at a time, over all requests, beyond the first 64 KiB of
    /// each. One answer may be larger than that, and then it is the only one.
    pub max_answers_bytes: u64,
    /// Within which a body must have arrived.
    pub body_timeout: Duration,
    /// Additions under way at a time, from the whole body to the answer.
    pub max_writes: usize,
    /// Searches and look-ups of several entries under way at a time.
    pub max_searches: usize,
    /// Requests per second and client.
    pub rates: RateLimits,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_bodies_bytes: 256 << 20,
            max_answers_bytes: 256 << 20,
            body_timeout: Duration::from_secs(30),
            max_writes: 4_096,
            max_searches: 2_048,
            rates: RateLimits::default(),
        }
    }
}

/// What all bodies share.
#[derive(Clone)]
pub(super) struct BodyBudget {
    budget: Budget,
    limits: HttpLimits,
}

/// A whole body; its share of the budget is returned when it is dropped.
pub(super) struct ReadBody(Held);

impl ReadBody {
    /// Whether it needs no budget, and no time that anybody would notice.
    pub(super) fn is_small(&self) -> bool {
        self.0.bytes.len() <= FREE_BYTES
    }
}

impl AsRef<[u8]> for ReadBody {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl BodyBudget {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self { budget: Budget::new(limits.max_bodies_bytes, FREE_BYTES), limits: *limits }
    }

    /// Waits until the request's body has begun. `false` if it came to its end without a byte.
    ///
    /// # Errors
    /// 408, or 400 for a body that is cut off.
    pub(super) async fn has_begun(&self, request: &mut Request) -> Result<bool, ApiError> {
        let beginning = Begun::wait_for(std::mem::take(request.body_mut()));
        let begun = tokio::time::timeout(self.limits.body_timeout, beginning).await;
        let begun = begun.map_err(|_| self.too_slow())?.map_err(cut_off)?;
        Ok(begun.map(|begun| *request.body_mut() = Body::new(begun)).is_some())
    }

    /// Reads the body of a request. `name` is how an absent body is called.
    ///
    /// # Errors
    /// 413, 408, 503, or 422 when there is nothing but white space.
    pub(super) async fn read(&self, request: Request, name: &str) -> Result<ReadBody, ApiError> {
        self.check_announced(&request)?;
        let reading = self.collect(request.into_body());
        let read = tokio::time::timeout(self.limits.body_timeout, reading).await;
        let body = read.map_err(|_| self.too_slow())??;
        if body.as_ref().iter().all(u8::is_ascii_whitespace) {
            let message = format!("{name} in body is required");
            return Err(ApiError::validation(Validation::Required, message));
        }
        Ok(body)
    }

    /// Refuses a body that says beforehand that it is too large.
    fn check_announced(&self, request: &Request) -> Result<(), ApiError> {
        let announced = request.headers().get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        match announced {
            Some(length) if length > self.limits.max_body_bytes => Err(self.too_large()),
            _ => Ok(()),
        }
    }

    async fn collect(&self, mut body: Body) -> Result<ReadBody, ApiError> {
        let busy = |UsedUp| ApiError::busy("too many large requests at a time; nothing was added");
        let mut coming = self.budget.wait(Held::default());
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(cut_off)?.into_data() else { continue };
            size += data.len();
            if size as u64 > self.limits.max_body_bytes {
                return Err(self.too_large());
            }
            coming.extend(&data).map_err(busy)?;
        }
        Ok(ReadBody(coming.done().map_err(busy)?))
    }

    fn too_slow(&self) -> ApiError {
        let seconds = self.limits.body_timeout.as_secs_f64();
        let message = format!("the request body did not arrive within {seconds} seconds");
        ApiError::framework(StatusCode::REQUEST_TIMEOUT, message)
    }

    fn too_large(&self) -> ApiError {
        let limit = self.limits.max_body_bytes;
        let message = format!("Request Entity Too Large. Limit set to {limit}");
        ApiError::framework(StatusCode::PAYLOAD_TOO_LARGE, message)
    }
}

fn cut_off(_: axum::Error) -> ApiError {
    let message = "the request body ended before it was complete";
    ApiError::framework(StatusCode::BAD_REQUEST, message)
}
