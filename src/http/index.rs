//! Search.
//!
//! Border: `/api/v1/index/retrieve`: which strings the criteria stand for. The
//! index holds a row for every entry from the moment that it is in the log, so
//! "nothing found" is a statement about the whole tree of the size that is named
//! in `Indelible-Tree-Size`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use entry::KeyFormat;
use entry::json::{Members, Object, member};
use http::{HeaderName, HeaderValue};
use serde::de::MapAccess;
use wire::{ErrorBody, SearchIndex, SearchOperator};

use super::answer;
use super::around::label;
use super::endpoints::Endpoint;
use super::mailbox::is_mailbox;
use super::negotiate::Offered;
use super::question::{self, Question};
use super::{Serving, Shared};
use crate::error::{ApiError, Validation};

/// Leaves that the answer is complete for.
const TREE_SIZE: HeaderName = HeaderName::from_static("indelible-tree-size");

/// Characters of `subject`.
const MAX_SUBJECT: usize = 512;

const HASH_PATTERN: &str =
    "^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";

/// Finds entries by digest, e-mail address, subject and public key.
///
/// Complete the moment that an entry is in the log. The answer is in the order of the log.
#[utoipa::path(post, path = "/api/v1/index/retrieve", operation_id = "searchIndex", tag = "index",
    request_body(content = SearchIndex, description = "Criteria"),
    responses(
        (status = 200, description = "Entry IDs of 80 hex digits", body = Vec<String>,
            headers(("Indelible-Tree-Size" = u64, description =
                "The answer is complete for the first so many leaves of the log"))),
        (status = 400, description = "Malformed JSON, a key that cannot be read, or more entries are found \
            than the server shows (10,000 by default)", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not JSON", body = ErrorBody),
        (status = 422, description = "A criterion is malformed; internal code", body = ErrorBody),
        (status = 429, description = "Too many requests from this client address, where the operator \
            limits them; try again after `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 500, description = "The database is damaged", body = ErrorBody),
        (status = 501, description = "Switched off by the operator", body = ErrorBody),
        (status = 503, description = "Busy, or the database cannot be reached; try again after \
            `Retry-After` seconds", body = ErrorBody,
            headers(("Retry-After" = u64, description = "Seconds")))))]
pub(super) async fn search(
    State(serving): Shared,
    Extension(offered): Extension<Offered>,
    request: Request,
) -> Response {
    match find(&serving, request).await {
        Ok(answer) => label(answer, offered),
        Err(error) => error.labelled(offered.0).into_response(),
    }
}

async fn find(serving: &Arc<Serving>, request: Request) -> Result<Response, ApiError> {
    let body = serving.budget.read(request, "query").await?;
    let room = serving.admission.search()?;
    let ((criteria, operator), _room) = question::ask::<Criteria>(serving, body, room).await?;
    // Read before the search: what was published then is in the index now.
    let size = serving.log.published_size();
    let mut answer = answer::json(&serving.log.search(criteria, operator).await?)?;
    answer.headers_mut().insert(TREE_SIZE, HeaderValue::from(size));
    Ok(answer)
}

/// The criteria of a question.
#[derive(Default)]
struct Criteria {
    email: Option<String>,
    subject: Option<String>,
    hash: Option<String>,
    key: Option<Object<PublicKey>>,
    operator: Option<String>,
}

impl Question for Criteria {
    /// For each criterion the strings that it stands for.
    type Asked = (Vec<Vec<String>>, SearchOperator);

    fn has_evidence(&self) -> bool {
        self.key.is_some()
    }

    fn judge(self, serving: &Serving) -> Result<Self::Asked, ApiError> {
        let key = self.key.map(KeyCriterion::read).transpose()?;
        let mut criteria = Vec::new();
        criteria.extend(email(self.email)?);
        criteria.extend(hash(self.hash)?);
        let operator = operator(self.operator)?;
        let key = key.map(KeyCriterion::check).transpose()?;
        let subject = subject(self.subject)?;
        serving.endpoints.require(Endpoint::SearchIndex)?;
        if let Some((format, content)) = key {
            criteria.push(search_key(format, &content)?);
        }
        criteria.extend(subject);
        Ok((criteria, operator))
    }
}

impl Members for Criteria {
    const EXPECTED: &'static str = "an object with criteria";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "email" => question::text(&mut self.email, "email", map)?,
            "subject" => question::text(&mut self.subject, "subject", map)?,
            "hash" => question::text(&mut self.hash, "hash", map)?,
            "publickey" => self.key = member("publicKey", map)?,
            "operator" => question::text(&mut self.operator, "operator", map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The member `publicKey`.
#[derive(Default)]
struct PublicKey {
    format: Option<String>,
    content: Option<String>,
}

impl Members for PublicKey {
    const EXPECTED: &'static str = "an object with format and content";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "format" => question::text(&mut self.format, "format", map)?,
            "content" => question::text(&mut self.content, "content", map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Empty text counts as absent.
fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn email(text: Option<String>) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = not_empty(text) else { return Ok(None) };
    if !is_mailbox(&text) {
        let message = format!("email in body must be of type email: {text:?}");
        return Err(ApiError::validation(Validation::Type, message));
    }
    Ok(Some(vec![text]))
}

fn hash(text: Option<String>) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = not_empty(text) else { return Ok(None) };
    let algorithms = [("sha512", 128), ("sha256", 64), ("sha1", 40)];
    let found = algorithms.iter().find_map(|(algorithm, length)| {
        let rest = text.strip_prefix(algorithm).and_then(|rest| rest.strip_prefix(':'));
        let digits = rest.unwrap_or(&text);
        let hex = digits.len() == *length && digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| format!("{algorithm}:{digits}"))
    });
    let refused = || {
        let message = format!("hash in body should match '{HASH_PATTERN}'");
        ApiError::validation(Validation::Pattern, message)
    };
    found.ok_or_else(refused).map(|key| Some(vec![key]))
}

fn operator(text: Option<String>) -> Result<SearchOperator, ApiError> {
    match not_empty(text).as_deref() {
        None | Some("or") => Ok(SearchOperator::Or),
        Some("and") => Ok(SearchOperator::And),
        Some(_) => {
            let message = "operator in body should be one of [and or]";
            Err(ApiError::validation(Validation::Enum, message))
        }
    }
}

fn subject(text: Option<String>) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = not_empty(text) else { return Ok(None) };
    if text.chars().count() > MAX_SUBJECT {
        let message = format!("subject in body should be at most {MAX_SUBJECT} chars long");
        return Err(ApiError::validation(Validation::MaxLength, message));
    }
    Ok(Some(vec![text]))
}

/// The key as it came, its base64 decoded.
struct KeyCriterion {
    format: Option<String>,
    content: Vec<u8>,
}

impl KeyCriterion {
    fn read(Object(key): Object<PublicKey>) -> Result<Self, ApiError> {
        let content = key.content.unwrap_or_default();
        let content =
            entry::base64::decode(content.as_bytes()).map_err(ApiError::unreadable_body)?;
        Ok(Self { format: not_empty(key.format), content })
    }

    fn check(self) -> Result<(KeyFormat, Vec<u8>), ApiError> {
        let Some(name) = self.format else {
            let message = "publicKey.publicKey.format in body is required";
            return Err(ApiError::validation(Validation::Required, message));
        };
        let allowed = ["pgp", "x509", "minisign", "ssh", "tuf"];
        let format = name.parse().ok().filter(|_| allowed.contains(&name.as_str()));
        let Some(format) = format else {
            let allowed = allowed.join(" ");
            let message =
                format!("publicKey.publicKey.format in body should be one of [{allowed}]");
            return Err(ApiError::validation(Validation::Enum, message));
        };
        Ok((format, self.content))
    }
}

fn search_key(format: KeyFormat, content: &[u8]) -> Result<Vec<String>, ApiError> {
    entry::search_key_for_public_key(format, content)
        .map_err(|_| ApiError::bad_request("public key provided could not be parsed"))
}
