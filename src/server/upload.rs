//! A request's body that tells when all of it is there, and is read on when nobody wants it.
//!
//! Border: passing frames on. From its end on the server is at work for the connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

use super::places::Turn;

/// How much of a body that nobody wants is read, and for how long: twice what an entry may have unless the operator
/// allows more.
const UNWANTED_BYTES: usize = 64 << 20;
const UNWANTED_TIME: Duration = Duration::from_secs(5);

/// The body of a request, and whose turn it is.
///
/// What is left of it when it is dropped is read beside the answer: most clients send all of a
/// request before they listen, and a connection that is closed while they send takes the answer with
/// it.
pub(super) struct Upload {
    /// Until its end.
    body: Option<Incoming>,
    turn: Turn,
    /// The client waits to be told that it may send, and it was not: `Expect: 100-continue`.
    holds_back: bool,
}

impl Upload {
    /// Wraps a body with its request's headers; one that is empty has come to its end.
    pub(super) fn watch(body: Incoming, headers: &HeaderMap, turn: Turn) -> Self {
        let mut upload = Self { body: None, turn, holds_back: headers.contains_key(EXPECT) };
        if body.is_end_stream() {
            upload.turn.is_the_servers();
        } else {
            upload.body = Some(body);
        }
        upload
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // hyper tells it as soon as it is asked for the body.
        self.holds_back = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *body).poll_frame(context);
        let over = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
        };
        if over {
            self.body = None;
            self.turn.is_the_servers();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Without a runtime there is no connection any more either.
        if let Some(body) = self.body.take()
            && !self.holds_back
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(UNWANTED_TIME, read_on(body)));
        }
    }
}

async fn read_on(mut body: Incoming) {
    let mut left = UNWANTED_BYTES;
    while left > 0 {
        let Some(Ok(frame)) = body.frame().await else { return };
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
}
