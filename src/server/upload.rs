//! A request's body that tells when all of it is there.
//!
//! Border: passing frames on. From its end on the server is at work for the connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};

use super::places::Turn;

/// The body of a request, and whose turn it is.
pub(super) struct Upload {
    body: Incoming,
    turn: Turn,
}

impl Upload {
    /// Wraps a body; one that is empty has come to its end.
    pub(super) fn watch(body: Incoming, turn: Turn) -> Self {
        if body.is_end_stream() {
            turn.is_the_servers();
        }
        Self { body, turn }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let over = match &polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
        };
        if over {
            self.turn.is_the_servers();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
