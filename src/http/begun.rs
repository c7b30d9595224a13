//! A body of which the beginning was waited for.
//!
//! Border: gives out all of it, what was read first included.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Frame;

/// A body whose first bytes were read.
pub(super) struct Begun {
    /// Until they are given out.
    first: Option<Bytes>,
    rest: Body,
}

impl Begun {
    /// Waits for the first bytes. `None` if the body ends without any.
    ///
    /// # Errors
    /// When it is cut off before.
    pub(super) async fn wait_for(mut body: Body) -> Result<Option<Self>, axum::Error> {
        while let Some(frame) = body.frame().await {
            let first = frame?.into_data().unwrap_or_default();
            if !first.is_empty() {
                return Ok(Some(Self { first: Some(first), rest: body }));
            }
        }
        Ok(None)
    }
}

impl HttpBody for Begun {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}
