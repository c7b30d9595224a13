//! Looking up several entries at once: by UUID, by content, by index.
//!
//! Border: `/api/v1/log/entries/retrieve`. What is not there is left out of the
//! answer; only malformed questions are refused.

use std::error::Error;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use entry::json::{Members, Object, member};
use entry::{ParseError, ProposedEntry, UncheckedEntry};
use http::StatusCode;
use serde::de::MapAccess;
use tlog::{EntryId, EntryRef};
use wire::{ErrorBody, LogEntry, SearchLogQuery};

use super::answer;
use super::around::label;
use super::endpoints::Endpoint;
use super::entries::{UUID_PATTERN, parse_uuid};
use super::negotiate::Offered;
use super::question::{self, Question};
use super::{Serving, Shared};
use crate::error::{ApiError, Validation};
use crate::log::Lookup;

/// Items in one request.
const MAX_ITEMS: usize = 10;

/// Looks up entries by UUID, by content and by index, at most ten in all.
///
/// The order of the answer: entry IDs of 80 digits, UUIDs of 64 digits, proposed entries, indexes.
#[utoipa::path(post, path = "/api/v1/log/entries/retrieve", operation_id = "searchLogQuery",
    tag = "entries",
    request_body(content = SearchLogQuery, description = "Up to ten UUIDs, entries and indexes"),
    responses(
        (status = 200, description = "Those that exist", body = Vec<LogEntry>),
        (status = 400, description = "Malformed JSON, an entry that does not hold, or an entry ID \
            whose tree has more than 63 bits", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not JSON", body = ErrorBody),
        (status = 422, description = "A list or item is malformed; internal code", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "The database is damaged", body = ErrorBody),
        (status = 501, description = "Switched off by the operator", body = ErrorBody),
        (status = 503, description = "Busy, or the database cannot be reached; try again after \
            `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn retrieve(
    State(serving): Shared,
    Extension(offered): Extension<Offered>,
    request: Request,
) -> Response {
    match look_up(&serving, request).await {
        Ok(answer) => label(answer, offered),
        Err(error) => error.labelled(offered.0).into_response(),
    }
}

async fn look_up(serving: &Arc<Serving>, request: Request) -> Result<Response, ApiError> {
    let body = serving.budget.read(request, "entry").await?;
    let room = serving.admission.search()?;
    let (lookups, _room) = question::ask::<Listed>(serving, body, room).await?;
    let mut found = answer::List::new(serving);
    for lookup in lookups {
        found.add(lookup).await?;
    }
    Ok(found.into_answer())
}

/// The lists of a question.
#[derive(Default)]
struct Listed {
    uuids: Option<Vec<Option<String>>>,
    entries: Option<Vec<Object<UncheckedEntry>>>,
    indexes: Option<Vec<Option<i64>>>,
}

impl Question for Listed {
    type Asked = Vec<Lookup>;

    fn has_evidence(&self) -> bool {
        self.entries.is_some()
    }

    fn judge(self, serving: &Serving) -> Result<Vec<Lookup>, ApiError> {
        let wanted = Wanted::read(self)?;
        serving.endpoints.require(Endpoint::SearchLogQuery)?;
        let count = wanted.uuids.len() + wanted.entries.len() + wanted.indexes.len();
        if count > MAX_ITEMS {
            let message = format!("more than max allowed {MAX_ITEMS} entries in request");
            return Err(ApiError::handler(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        wanted.lookups(serving)
    }
}

impl Members for Listed {
    const EXPECTED: &'static str = "an object with entries, entryUUIDs or logIndexes";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "entryuuids" => self.uuids = member("entryUUIDs", map)?,
            "entries" => self.entries = member("entries", map)?,
            "logindexes" => self.indexes = member("logIndexes", map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A well-formed question.
struct Wanted {
    uuids: Vec<EntryRef>,
    /// With the refusals of those that no kind reads, which come when it is their turn.
    entries: Vec<Result<ProposedEntry, ApiError>>,
    indexes: Vec<u64>,
}

impl Wanted {
    fn read(question: Listed) -> Result<Self, ApiError> {
        let entries = question.entries.unwrap_or_default().into_iter();
        let entries: Vec<_> = entries.map(|Object(entry)| entry.check()).collect();
        // A kind decides how the rest is read, so Rekor asks for it before it judges anything.
        entries.iter().try_for_each(has_kind)?;
        count("entries", entries.len(), 0)?;
        let entries = read_entries(entries)?;
        let uuids = question.uuids.map_or_else(|| Ok(Vec::new()), read_uuids)?;
        let indexes = question.indexes.map_or_else(|| Ok(Vec::new()), read_indexes)?;
        Ok(Self { uuids, entries, indexes })
    }

    /// Every look-up in the order of the answer.
    fn lookups(self, serving: &Serving) -> Result<Vec<Lookup>, ApiError> {
        let (with_tree, without): (Vec<EntryRef>, Vec<EntryRef>) =
            self.uuids.into_iter().partition(|uuid| matches!(uuid, EntryRef::Entry(_)));
        for uuid in &with_tree {
            if let EntryRef::Entry(id @ EntryId { tree_id, .. }) = uuid
                && (*tree_id == 0 || *tree_id > i64::MAX.cast_unsigned())
            {
                return Err(ApiError::bad_request(format!("invalid entryID {id}")));
            }
        }
        let mut lookups: Vec<Lookup> =
            with_tree.into_iter().chain(without).map(Lookup::Uuid).collect();
        for entry in self.entries {
            let leaf = serving.verifier.leaf_of(&entry?).map_err(refusal)?;
            lookups.push(Lookup::Uuid(EntryRef::Leaf(leaf)));
        }
        lookups.extend(self.indexes.into_iter().map(Lookup::Index));
        Ok(lookups)
    }
}

/// The bare text, without the prefix that a submission gets.
fn refusal(refused: impl Error) -> ApiError {
    ApiError::bad_request(refused.to_string())
}

fn has_kind(entry: &Result<ProposedEntry, ParseError>) -> Result<(), ApiError> {
    match entry {
        Err(error @ (ParseError::KindMissing | ParseError::KindUnknown(_))) => {
            Err(ApiError::unreadable_body(error))
        }
        _ => Ok(()),
    }
}

fn count(name: &str, items: usize, least: usize) -> Result<(), ApiError> {
    if items > MAX_ITEMS {
        let message = format!("{name} in body should have at most {MAX_ITEMS} items");
        return Err(ApiError::validation(Validation::MaxItems, message));
    }
    if items < least {
        let message = format!("{name} in body should have at least {least} items");
        return Err(ApiError::validation(Validation::MinItems, message));
    }
    Ok(())
}

/// Entries with their outer members; what is inside is judged later.
fn read_entries(
    entries: Vec<Result<ProposedEntry, ParseError>>,
) -> Result<Vec<Result<ProposedEntry, ApiError>>, ApiError> {
    let read = |(at, entry)| match entry {
        Ok(entry) => Ok(Ok(entry)),
        Err(error @ ParseError::KindAbstract) => Ok(Err(refusal(error))),
        Err(error) => Err(ApiError::of_parsing(&error, &format!("entries.{at}."))),
    };
    entries.into_iter().enumerate().map(read).collect()
}

fn read_uuids(texts: Vec<Option<String>>) -> Result<Vec<EntryRef>, ApiError> {
    count("entryUUIDs", texts.len(), 1)?;
    let read = |(at, text): (usize, Option<String>)| {
        text.and_then(|text| parse_uuid(&text)).ok_or_else(|| {
            let message = format!("entryUUIDs.{at} in body should match '{UUID_PATTERN}'");
            ApiError::validation(Validation::Pattern, message)
        })
    };
    texts.into_iter().enumerate().map(read).collect()
}

/// Indexes; null is read as 0.
fn read_indexes(indexes: Vec<Option<i64>>) -> Result<Vec<u64>, ApiError> {
    count("logIndexes", indexes.len(), 1)?;
    let read = |(at, index): (usize, Option<i64>)| {
        u64::try_from(index.unwrap_or(0)).map_err(|_| {
            let message = format!("logIndexes.{at} in body should be greater than or equal to 0");
            ApiError::validation(Validation::Minimum, message)
        })
    };
    indexes.into_iter().enumerate().map(read).collect()
}
