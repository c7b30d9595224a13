//! Adding an entry, and reading one by index or UUID.
//!
//! Border: `/api/v1/log/entries` and `/api/v1/log/entries/{entryUUID}`.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use entry::{ParseError, Payload, VerifiedEntry};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tlog::{EntryId, EntryRef};
use wire::{ErrorBody, LogEntry, Proposal};

use super::answer;
use super::around::label;
use super::endpoints::Endpoint;
use super::negotiate::{JSON, Offered};
use super::query::Query;
use super::{Serving, Shared};
use crate::error::{ApiError, Validation};
use crate::log::{Lookup, Submitted};
use crate::verifier::Refused;

/// The pattern of `entryUUID`, as error texts quote it.
pub(super) const UUID_PATTERN: &str = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";

/// What became of an entry's payload.
const ATTESTATION: HeaderName = HeaderName::from_static("indelible-attestation");

/// What a submission is answered with when an equal entry is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDuplicate {
    /// 409 with the location, as Rekor does; the body carries the entry too.
    Conflict,
    /// 201 with the entry, so that a retry succeeds.
    Created,
}

/// Adds an entry to the log and answers with its proof.
///
/// The signature is verified, the entry is brought into its canonical form, and the answer comes
/// when it is committed. Adding an equal entry again is safe: it is answered with 409 and the
/// location of the first (or with 201 if the header `Prefer: return=representation` asks for it).
#[utoipa::path(post, path = "/api/v1/log/entries", operation_id = "createLogEntry", tag = "entries",
    request_body(content = Proposal, description = "A proposed entry"),
    params(("Prefer" = Option<String>, Header, description =
        "`return=representation`: answer a duplicate with 201 and the entry")),
    responses(
        (status = 201, description = "The entry with SET, inclusion proof and checkpoint",
            body = LogEntry,
            headers(
                ("Location" = String, description = "Path of the entry"),
                ("Etag" = String, description = "Entry ID, 80 hex digits, without quotes"),
                ("Indelible-Attestation" = String, description =
                    "`kept; size=N`, or `not-kept; size=N; limit=M`: whether the payload is kept; \
                    not with a duplicate"))),
        (status = 400, description = "The entry does not hold, or is not welcome", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 409, description = "An equal entry is in the log; the body carries it",
            body = ErrorBody,
            headers(("Location" = String, description = "Path of the entry"))),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not JSON", body = ErrorBody),
        (status = 422, description = "A member is missing or malformed; internal code", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "Malformed JSON (as Rekor answers it), or an internal failure",
            body = ErrorBody),
        (status = 501, description = "Switched off by the operator", body = ErrorBody),
        (status = 503, description = "Busy, shutting down, or closed to writes after a restore; try \
            again after `Retry-After` seconds",
            body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn create(
    State(serving): Shared,
    Extension(offered): Extension<Offered>,
    request: Request,
) -> Response {
    let prefers_entry = prefers_representation(request.headers());
    match add(&serving, request, prefers_entry).await {
        Ok(answer) => label(answer, offered),
        Err(error) => error.labelled(offered.0).into_response(),
    }
}

async fn add(serving: &Serving, request: Request, prefers: bool) -> Result<Response, ApiError> {
    let body = serving.budget.read(request, "proposedEntry").await?;
    let room = serving.admission.write()?;
    if let Err(off) = serving.endpoints.require(Endpoint::CreateLogEntry) {
        // What is no proposal at all is told first; evidence is nothing to a server that takes none.
        return match serving.verifier.parse(body, room).await {
            Ok(_) | Err(ParseError::KindAbstract) => Err(off),
            Err(error) => Err(ApiError::of_parsing(&error, "")),
        };
    }
    let (verified, _room) = serving.verifier.verify(body, room).await.map_err(refusal)?;
    let share = answer::set_aside(&serving.answers, verified.body())?;
    let answer = submit(serving, verified, prefers).await;
    let answer = answer.unwrap_or_else(IntoResponse::into_response);
    Ok(answer::with_share(&serving.answers, share, answer).await)
}

async fn submit(
    serving: &Serving,
    verified: VerifiedEntry,
    prefers: bool,
) -> Result<Response, ApiError> {
    let fate = fate(verified.payload());
    let (receipt, fate) = match serving.log.submit(verified.into()).await? {
        Submitted::Created(receipt) => (receipt, fate),
        // What came again is not kept again, whether or not it was kept with the first.
        Submitted::Duplicate(receipt)
            if prefers || serving.on_duplicate == OnDuplicate::Created =>
        {
            (receipt.without_attestation(), None)
        }
        Submitted::Duplicate(receipt) => {
            let receipt = receipt.without_attestation();
            return Err(ApiError::duplicate(receipt.entry_id(), answer::text(&receipt)?));
        }
    };
    let id = receipt.entry_id();
    let mut line = answer::text(&receipt)?;
    line.push(b'\n');
    let mut answer = (StatusCode::CREATED, [(CONTENT_TYPE, JSON)], line).into_response();
    let headers = answer.headers_mut();
    headers.insert(LOCATION, header(&format!("/api/v1/log/entries/{id}"))?);
    headers.insert(ETAG, header(id)?);
    if let Some(fate) = fate {
        headers.insert(ATTESTATION, header(&fate)?);
    }
    Ok(answer)
}

fn refusal(refused: Refused) -> ApiError {
    match refused {
        Refused::Parse(error) => ApiError::of_parsing(&error, ""),
        Refused::Entry(error) => error.into(),
    }
}

fn header(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(|_| ApiError::unknown())
}

/// RFC 7240 section 4.2.
fn prefers_representation(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|preference| {
        // Parameters may follow; none of them means anything here.
        let pair = preference.split(';').next().and_then(|first| first.split_once('='));
        pair.is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("return")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("representation")
        })
    })
}

fn fate(payload: &Payload) -> Option<String> {
    match payload {
        Payload::None => None,
        Payload::Kept(kept) => Some(format!("kept; size={}", kept.data.len())),
        Payload::TooLarge { size, limit } => Some(format!("not-kept; size={size}; limit={limit}")),
    }
}

/// Reads the entry at a position of the log.
#[utoipa::path(get, path = "/api/v1/log/entries", operation_id = "getLogEntryByIndex", tag = "entries",
    params(("logIndex" = u64, Query, description = "Position, from 0")),
    responses(
        (status = 200, description = "The entry with a fresh proof", body = LogEntry),
        (status = 404, description = "There is none at this position; no body"),
        (status = 406, description = "The client takes no JSON", body = ErrorBody),
        (status = 422, description = "`logIndex` is missing or malformed", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "The database is damaged", body = ErrorBody),
        (status = 501, description = "Switched off by the operator", body = ErrorBody),
        (status = 503, description = "Busy, or the database cannot be reached; try again after \
            `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn by_index(State(serving): Shared, query: Query) -> Result<Response, ApiError> {
    let index = query.required_integer("logIndex", 0)?;
    serving.endpoints.require(Endpoint::GetLogEntryByIndex)?;
    read(&serving, Lookup::Index(index.cast_unsigned())).await
}

/// Reads an entry by its UUID: 64 hex digits of the leaf hash, or 80 with the tree ID before it.
#[utoipa::path(get, path = "/api/v1/log/entries/{entryUUID}", operation_id = "getLogEntryByUUID",
    tag = "entries",
    params(("entryUUID" = String, Path, description = "64 or 80 hex digits of either case")),
    responses(
        (status = 200, description = "The entry with a fresh proof", body = LogEntry),
        (status = 400, description = "The tree ID has more than 63 bits", body = ErrorBody),
        (status = 404, description = "There is no such entry; no body"),
        (status = 406, description = "The client takes no JSON", body = ErrorBody),
        (status = 422, description = "`entryUUID` is malformed", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "The database is damaged", body = ErrorBody),
        (status = 501, description = "Switched off by the operator", body = ErrorBody),
        (status = 503, description = "Busy, or the database cannot be reached; try again after \
            `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn by_uuid(
    State(serving): Shared,
    uuid: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let named = uuid.ok().and_then(|Path(uuid)| parse_uuid(&uuid)).ok_or_else(|| {
        let message = format!("entryUUID in path should match '{UUID_PATTERN}'");
        ApiError::validation(Validation::Pattern, message)
    })?;
    serving.endpoints.require(Endpoint::GetLogEntryByUuid)?;
    if let EntryRef::Entry(EntryId { tree_id, .. }) = named
        && tree_id > i64::MAX.cast_unsigned()
    {
        let message = format!("validation error: {tree_id:x} is not a valid TreeID");
        return Err(ApiError::bad_request(message));
    }
    read(&serving, Lookup::Uuid(named)).await
}

/// 64 or 80 hex digits of either case.
pub(super) fn parse_uuid(text: &str) -> Option<EntryRef> {
    text.parse().ok()
}

async fn read(serving: &Serving, lookup: Lookup) -> Result<Response, ApiError> {
    let receipt = serving.log.entry(lookup).await?.ok_or_else(ApiError::no_entry)?;
    answer::entry(serving, receipt).await
}
