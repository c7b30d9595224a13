//! Reading request bodies within bounds on size, time and memory.
//!
//! Border: bytes in, bytes out. Small bodies are always read; larger ones draw on
//! a budget that all connections share, so slow or many senders cannot fill the
//! memory, and are told to come back when it is used up.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rates::RateLimits;
use crate::error::{ApiError, Validation};

/// Bytes of each body that need no budget: the usual entry is smaller.
const FREE_BYTES: usize = 16 << 10;

/// Unit of the budget, so that its count fits the semaphore.
const UNIT: usize = 16 << 10;

/// Bounds on requests.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Largest body, in bytes.
    pub max_body_bytes: u64,
    /// Bytes of bodies in memory at a time, over all requests, beyond the first
    /// 16 KiB of each.
    pub max_bodies_bytes: u64,
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
    units: Arc<Semaphore>,
    limits: HttpLimits,
}

/// A whole body; its share of the budget is returned when it is dropped.
pub(super) struct ReadBody {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl ReadBody {
    /// Whether it needs no budget, and no time that anybody would notice.
    pub(super) fn is_small(&self) -> bool {
        self.bytes.len() <= FREE_BYTES
    }
}

impl AsRef<[u8]> for ReadBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl BodyBudget {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let units = usize::try_from(limits.max_bodies_bytes).unwrap_or(usize::MAX) / UNIT;
        let units = units.min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), limits: *limits }
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
        if body.bytes.iter().all(u8::is_ascii_whitespace) {
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
        let mut bytes = BytesMut::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                let message = "the request body ended before it was complete";
                ApiError::framework(StatusCode::BAD_REQUEST, message)
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let size = bytes.len() + data.len();
            if size as u64 > self.limits.max_body_bytes {
                return Err(self.too_large());
            }
            self.draw(&mut share, size)?;
            bytes.extend_from_slice(&data);
        }
        Ok(ReadBody { bytes: bytes.freeze(), _share: share })
    }

    /// Draws as much from the budget as a body of `size` bytes needs in all.
    fn draw(&self, share: &mut Option<OwnedSemaphorePermit>, size: usize) -> Result<(), ApiError> {
        let needed = size.saturating_sub(FREE_BYTES).div_ceil(UNIT);
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if needed <= held {
            return Ok(());
        }
        let more = u32::try_from(needed - held).unwrap_or(u32::MAX);
        let busy = || ApiError::busy("too many large requests at a time; nothing was added");
        let drawn = Arc::clone(&self.units).try_acquire_many_owned(more).map_err(|_| busy())?;
        match share {
            Some(held) => held.merge(drawn),
            None => *share = Some(drawn),
        }
        Ok(())
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
