//! The JSON body of a look-up or a search, read as leniently as Rekor reads it.
//!
//! Border: the types of the members, all of which are read before any of them is
//! judged; malformed JSON and wrong types are 400. `null` means absent. Large bodies and evidence
//! are read off the async threads, and a body counts until nothing of it is left, even if its client
//! hangs up.

use std::sync::Arc;

use entry::json::{Members, Object, first_value, member};
use serde::de::MapAccess;
use tokio::sync::OwnedSemaphorePermit;

use super::Serving;
use super::body::ReadBody;
use crate::error::ApiError;

/// A question with members of the right types.
pub(super) trait Question: Members + Send + 'static {
    /// What is asked for, when all members are as they must be.
    type Asked: Send + 'static;

    /// Whether there is evidence in it, which takes long to read.
    fn has_evidence(&self) -> bool;

    /// Judges the members.
    ///
    /// # Errors
    /// The first that applies.
    fn judge(self, serving: &Serving) -> Result<Self::Asked, ApiError>;
}

/// Reads and judges the first JSON value of a body, which must be an object or null. `room` is
/// what the question was admitted to, and comes back with what it asks for.
///
/// # Errors
/// 400 for malformed JSON, and those of [`Question::judge`].
pub(super) async fn ask<Q: Question>(
    serving: &Arc<Serving>,
    body: ReadBody,
    room: OwnedSemaphorePermit,
) -> Result<(Q::Asked, OwnedSemaphorePermit), ApiError> {
    let shared = Arc::clone(serving);
    // The work owns body and room: who hangs up while it waits for a thread leaves the bytes there,
    // and their shares of the bounds with them.
    let work: Box<dyn FnOnce() -> Result<Q::Asked, ApiError> + Send> = if body.is_small() {
        let question: Q = read(body.as_ref())?;
        if !question.has_evidence() {
            return Ok((question.judge(serving)?, room));
        }
        Box::new(move || question.judge(&shared))
    } else {
        Box::new(move || read::<Q>(body.as_ref())?.judge(&shared))
    };
    serving.verifier.look_up(move || Ok((work()?, room))).await
}

fn read<T: Members>(body: &[u8]) -> Result<T, ApiError> {
    let Object(question) = first_value(body).map_err(ApiError::unreadable_body)?;
    Ok(question)
}

/// Reads text into `slot`; a null leaves what an earlier member of this name put there.
pub(super) fn text<'de, A: MapAccess<'de>>(
    slot: &mut Option<String>,
    name: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    *slot = member::<Option<String>, A>(name, map)?.or(slot.take());
    Ok(())
}
