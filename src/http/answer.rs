//! Successful answers.
//!
//! Border: values to bytes, and bytes to their client within a bound on memory. Failures are in
//! [`crate::error`]. Large answers have a share of a budget until they are taken, and are written
//! off the async threads; what is taken too slowly is cut off when the room is needed.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use super::Serving;
use super::budget::{Budget, Held, UsedUp, Waiting};
use super::negotiate::JSON;
use crate::error::ApiError;
use crate::log::{Lookup, Receipt};

/// Bytes of each answer that need no budget: nearly all are smaller. Also how much a client must
/// take at a time to have taken anything.
pub(super) const FREE_BYTES: usize = 64 << 10;

/// One line of JSON with its newline.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Response, ApiError> {
    let mut line = serde_json::to_vec(value).map_err(|_| ApiError::unknown())?;
    line.push(b'\n');
    Ok(([(CONTENT_TYPE, JSON)], line).into_response())
}

/// The text of an entry.
pub(super) fn text(receipt: &Receipt) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::with_capacity(receipt.size());
    receipt.write(&mut text).map_err(|_| ApiError::unknown())?;
    Ok(text)
}

/// One line with an entry.
pub(super) async fn entry(serving: &Serving, receipt: Receipt) -> Result<Response, ApiError> {
    let text = Text::default().add(serving, Piece::Entry(receipt)).await?;
    Ok(text.into_answer(&serving.answers))
}

/// A line with a list of entries, of which only one at a time is in memory beside its text.
pub(super) struct List<'a> {
    serving: &'a Serving,
    text: Text,
    /// Where the text of each look-up is, so that the same one again costs no more than a copy.
    known: Vec<(Lookup, Range<usize>)>,
}

impl<'a> List<'a> {
    /// Without entries yet.
    pub(super) fn new(serving: &'a Serving) -> Self {
        Self { serving, text: Text::default(), known: Vec::new() }
    }

    /// Adds the entry that is found, if there is one.
    pub(super) async fn add(&mut self, lookup: Lookup) -> Result<(), ApiError> {
        let known = self.known.iter().find(|(known, _)| *known == lookup);
        let piece = match known {
            Some((_, range)) => Piece::Again(range.clone()),
            None => {
                let found = self.serving.log.entry(lookup).await;
                match found.map_err(|error| ApiError::of_look_up(lookup, error))? {
                    Some(receipt) => Piece::Entry(receipt),
                    None => return Ok(()),
                }
            }
        };
        let separator = if self.known.is_empty() { b'[' } else { b',' };
        self.text.0.bytes.push(separator);
        let begin = self.text.0.bytes.len();
        self.text = std::mem::take(&mut self.text).add(self.serving, piece).await?;
        self.known.push((lookup, begin..self.text.0.bytes.len()));
        Ok(())
    }

    pub(super) fn into_answer(mut self) -> Response {
        if self.known.is_empty() {
            self.text.0.bytes.push(b'[');
        }
        self.text.0.bytes.push(b']');
        self.text.into_answer(&self.serving.answers)
    }
}

/// A line that grows within the budget.
#[derive(Default)]
struct Text(Held);

enum Piece {
    Entry(Receipt),
    Again(Range<usize>),
}

impl Piece {
    /// Bytes of its text, or a little more.
    fn size(&self) -> usize {
        match self {
            Self::Again(range) => range.len(),
            Self::Entry(receipt) => receipt.size(),
        }
    }
}

/// Bytes of an entry's text: base64, and the proof beside it.
fn text_size(bytes: usize) -> usize {
    bytes / 3 * 4 + 8_192
}

impl Text {
    async fn add(mut self, serving: &Serving, piece: Piece) -> Result<Self, ApiError> {
        let size = piece.size();
        draw(&serving.answers, &mut self.0, size)?;
        if size <= FREE_BYTES {
            return self.write(size, &piece);
        }
        // With its share: who hangs up while this waits for a thread leaves the bytes there.
        serving.verifier.look_up(move || self.write(size, &piece)).await
    }

    fn write(mut self, size: usize, piece: &Piece) -> Result<Self, ApiError> {
        let bytes = &mut self.0.bytes;
        bytes.reserve(size);
        match piece {
            Piece::Again(range) => bytes.extend_from_within(range.clone()),
            Piece::Entry(receipt) => receipt.write(bytes).map_err(|_| ApiError::unknown())?,
        }
        Ok(self)
    }

    fn into_answer(self, answers: &Budget) -> Response {
        let mut held = self.0;
        held.bytes.push(b'\n');
        let mut answer = ([(CONTENT_TYPE, JSON)], pieces(answers, held)).into_response();
        answer.extensions_mut().insert(HasShare);
        answer
    }
}

/// A share for so many bytes more. One that is larger than all of the room may have all of it.
fn draw(answers: &Budget, held: &mut Held, more: usize) -> Result<(), ApiError> {
    let most = answers.most().saturating_add(FREE_BYTES);
    let size = held.bytes.len() + more;
    answers.draw(held, size.min(most)).map_err(|UsedUp| {
        ApiError::busy("too many large answers at a time: try again, or ask for fewer entries")
    })
}

/// A share for the answer to an addition with this body, for as long as it can be refused: once
/// it is committed its client must hear of it.
pub(super) fn set_aside(answers: &Budget, body: &[u8]) -> Result<Held, ApiError> {
    let mut held = Held::default();
    match draw(answers, &mut held, text_size(body.len())) {
        Ok(()) => Ok(held),
        Err(_) => Err(ApiError::busy("too many large answers at a time; nothing was added")),
    }
}

/// An answer that has its share of the budget already.
#[derive(Clone, Copy)]
struct HasShare;

/// Gives any other answer its share if it is large: an answer to a search is made first.
pub(super) async fn bound(answers: &Budget, answer: Response) -> Response {
    let size = answer.body().size_hint().lower();
    if size <= FREE_BYTES as u64 || answer.extensions().get::<HasShare>().is_some() {
        return answer;
    }
    let mut held = Held::default();
    match draw(answers, &mut held, usize::try_from(size).unwrap_or(usize::MAX)) {
        Ok(()) => with_share(answers, held, answer).await,
        Err(error) => {
            let mut refused = error.into_response();
            if let Some(media_type) = answer.headers().get(CONTENT_TYPE) {
                refused.headers_mut().insert(CONTENT_TYPE, media_type.clone());
            }
            refused
        }
    }
}

/// Gives an answer that is there the share that was set aside for it.
pub(super) async fn with_share(answers: &Budget, mut held: Held, answer: Response) -> Response {
    if answer.body().size_hint().lower() <= FREE_BYTES as u64 {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // This does not wait.
    let Ok(collected) = body.collect().await else { return ApiError::unknown().into_response() };
    held.bytes = collected.to_bytes().into();
    parts.extensions.insert(HasShare);
    Response::from_parts(parts, pieces(answers, held))
}

/// The body of an answer.
fn pieces(answers: &Budget, held: Held) -> Body {
    if held.bytes.len() <= FREE_BYTES {
        return Body::from(held.bytes);
    }
    let left = held.bytes.len() as u64;
    Body::new(Pieces { waiting: answers.wait(held), left })
}

/// Bytes that their client takes piece by piece.
struct Pieces {
    waiting: Waiting,
    left: u64,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = UsedUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UsedUp>>> {
        let next = self.waiting.next(FREE_BYTES).transpose();
        if let Some(Ok(piece)) = &next {
            self.left -= piece.len() as u64;
        }
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_room_large_answers_come_one_at_a_time() {
        for bytes in [0, 1, 1 << 10, 16 << 10, 1 << 20] {
            let answers = Budget::new(bytes, FREE_BYTES);
            let mut first = Held::default();
            assert!(draw(&answers, &mut first, 2 << 20).is_ok(), "{bytes}");
            assert!(draw(&answers, &mut Held::default(), 2 << 20).is_err(), "{bytes}");
            drop(first);
            assert!(draw(&answers, &mut Held::default(), 2 << 20).is_ok(), "{bytes}");
        }
    }
}
