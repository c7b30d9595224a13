//! Looking up several entries at once: by UUID, by content, by index.
//!
//! Border: `/api/v1/log/entries/retrieve`. What is not there is left out of the
//! answer; only malformed questions are refused.

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use entry::ParseError;
use http::StatusCode;
use serde_json::Value;
use tlog::{EntryId, EntryRef};
use wire::{ErrorBody, LogEntry, SearchLogQuery};

use super::answer;
use super::around::label;
use super::endpoints::Endpoint;
use super::entries::{UUID_PATTERN, parse_uuid};
use super::negotiate::Offered;
use super::question::{self, Members};
use super::{Serving, Shared};
use crate::error::{ApiError, Validation};
use crate::log::Lookup;
use crate::verifier::Refused;

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
        (status = 503, description = "The database cannot be reached", body = ErrorBody)))]
pub(super) async fn retrieve(
    State(serving): Shared,
    Extension(offered): Extension<Offered>,
    request: Request,
) -> Response {
    let mut answer = match look_up(&serving, request).await {
        Ok(answer) => answer,
        Err(error) => error.into_response(),
    };
    label(&mut answer, offered);
    answer
}

async fn look_up(serving: &Serving, request: Request) -> Result<Response, ApiError> {
    let body = serving.budget.read(request, "entry").await?;
    let _room = serving.admission.search()?;
    let wanted = Wanted::read(&question::read(&body.bytes)?)?;
    drop(body);
    serving.endpoints.require(Endpoint::SearchLogQuery)?;
    let count = wanted.uuids.len() + wanted.entries.len() + wanted.indexes.len();
    if count > MAX_ITEMS {
        let message = format!("more than max allowed {MAX_ITEMS} entries in request");
        return Err(ApiError::handler(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let mut found: Vec<LogEntry> = Vec::with_capacity(count);
    for lookup in wanted.lookups(serving).await? {
        found.extend(serving.log.entry(lookup).await?);
    }
    answer::json(&found)
}

/// A well-formed question.
struct Wanted {
    uuids: Vec<EntryRef>,
    entries: Vec<Value>,
    indexes: Vec<u64>,
}

impl Wanted {
    fn read(members: &Members<'_>) -> Result<Self, ApiError> {
        let entries = members.list("entries")?.unwrap_or_default();
        for (at, entry) in entries.iter().enumerate() {
            check_entry(entry, at)?;
        }
        let uuids = members.list("entryUUIDs")?;
        let indexes = members.list("logIndexes")?;
        // Types are a matter of parsing, which comes before any validation.
        let uuids = uuids.map(|items| texts("entryUUIDs", items)).transpose()?;
        let indexes = indexes.map(|items| integers("logIndexes", items)).transpose()?;
        count("entries", entries.len(), 0)?;
        if let Some(uuids) = &uuids {
            count("entryUUIDs", uuids.len(), 1)?;
        }
        let uuids = read_uuids(&uuids.unwrap_or_default())?;
        if let Some(indexes) = &indexes {
            count("logIndexes", indexes.len(), 1)?;
        }
        let indexes = read_indexes(&indexes.unwrap_or_default())?;
        Ok(Self { uuids, entries: entries.to_vec(), indexes })
    }

    /// Every look-up in the order of the answer.
    async fn lookups(self, serving: &Serving) -> Result<Vec<Lookup>, ApiError> {
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
            let leaf = serving.verifier.leaf_of(entry).await.map_err(refusal)?;
            lookups.push(Lookup::Uuid(EntryRef::Leaf(leaf)));
        }
        lookups.extend(self.indexes.into_iter().map(Lookup::Index));
        Ok(lookups)
    }
}

/// The bare text, without the prefix that a submission gets.
fn refusal(refused: Refused) -> ApiError {
    ApiError::bad_request(refused.to_string())
}

/// A proposed entry must have its outer members; what is inside is judged later.
fn check_entry(entry: &Value, at: usize) -> Result<(), ApiError> {
    match entry::ProposedEntry::from_value(entry.clone()) {
        Ok(_) => Ok(()),
        Err(
            error @ (ParseError::Json(_) | ParseError::KindMissing | ParseError::KindUnknown(_)),
        ) => Err(ApiError::unreadable_body(error)),
        Err(error) => Err(ApiError::of_parsing(&error, &format!("entries.{at}."))),
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

fn texts(name: &str, items: &[Value]) -> Result<Vec<String>, ApiError> {
    let text = |item: &Value| match item {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        other => Err(question::wrong_type(name, "a string", other)),
    };
    items.iter().map(text).collect()
}

fn integers(name: &str, items: &[Value]) -> Result<Vec<i64>, ApiError> {
    let integer = |item: &Value| match item {
        Value::Null => Ok(0),
        other => other.as_i64().ok_or_else(|| question::wrong_type(name, "an int64", other)),
    };
    items.iter().map(integer).collect()
}

fn read_uuids(texts: &[String]) -> Result<Vec<EntryRef>, ApiError> {
    let read = |(at, text): (usize, &String)| {
        parse_uuid(text).ok_or_else(|| {
            let message = format!("entryUUIDs.{at} in body should match '{UUID_PATTERN}'");
            ApiError::validation(Validation::Pattern, message)
        })
    };
    texts.iter().enumerate().map(read).collect()
}

fn read_indexes(indexes: &[i64]) -> Result<Vec<u64>, ApiError> {
    let read = |(at, index): (usize, &i64)| {
        u64::try_from(*index).map_err(|_| {
            let message = format!("logIndexes.{at} in body should be greater than or equal to 0");
            ApiError::validation(Validation::Minimum, message)
        })
    };
    indexes.iter().enumerate().map(read).collect()
}
