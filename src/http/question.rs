//! The JSON body of a look-up or a search, read as leniently as Rekor reads it.
//!
//! Border: the types of the members, all of which are read before any of them is
//! judged; malformed JSON and wrong types are 400. `null` means absent.

use entry::json::{Members, Object, first_value, member};
use serde::de::MapAccess;

use crate::error::ApiError;

/// Reads the first JSON value of a body, which must be an object or null.
pub(super) fn read<T: Members>(body: &[u8]) -> Result<T, ApiError> {
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
