//! A note behind a URL: an object of a web server, or of an S3 service.
//!
//! Border: HTTP. One GET reads, one PUT writes; the answer is bounded in time and
//! bytes, redirects are not followed (they would carry the note, and perhaps the
//! token, elsewhere).
//!
//! A write says what it replaces, by `If-Match` or `If-None-Match` (RFC 9110
//! section 13.1), so that of several servers with one object none undoes what
//! another one wrote. A server that knows no such conditions ignores them, or
//! refuses them with 501; then a smaller head may be written over a larger one
//! within the moment between read and write.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Response;

use super::address::{Address, Condition};
use super::{
    Access, AddressError, Cause, Kept, MAX_BYTES, PlaceError, PlaceName, Written, set_aside_suffix,
};
use crate::causes::explain;

/// Servers close idle connections; an older one is not worth a failed write.
const IDLE: Duration = Duration::from_secs(2);

/// An object with the note. Clones share the connection.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    address: Address,
    name: PlaceName,
    /// Whether the server has not yet refused conditions.
    conditional: AtomicBool,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.0.name).finish()
    }
}

impl Remote {
    /// The object at an `http://`, `https://` or `s3://bucket/key` URL.
    ///
    /// # Errors
    /// [`AddressError`], which does not repeat the URL.
    pub fn new(url: &str, access: &Access) -> Result<Self, AddressError> {
        let (address, name) = Address::parse(url, access)?;
        let http = reqwest::Client::builder()
            .timeout(access.timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("indelible/", env!("CARGO_PKG_VERSION")));
        let http = if access.environment_proxy { http } else { http.no_proxy() };
        let http = http.build().map_err(|error| AddressError::Client(without_url(error)))?;
        Ok(Self(Arc::new(Inner { http, address, name, conditional: AtomicBool::new(true) })))
    }

    pub(super) fn name(&self) -> &PlaceName {
        &self.0.name
    }

    pub(super) async fn read(&self) -> Result<Option<Kept>, PlaceError> {
        let response = self.send(&Method::GET, "", None, None).await?;
        match response.status() {
            StatusCode::OK => {
                let tag = strong_tag(response.headers());
                let bytes = self.bytes(response).await?;
                let note = String::from_utf8(bytes).map_err(|_| self.failed(Cause::NotText))?;
                Ok(Some(Kept { note, tag }))
            }
            StatusCode::NOT_FOUND => match self.refused(response).await {
                Cause::Status { code: Some(code), .. } if code == "NoSuchBucket" => {
                    let status = StatusCode::NOT_FOUND;
                    Err(self.failed(Cause::Status { status, code: Some(code) }))
                }
                _ => Ok(None),
            },
            _ => Err(self.failed(self.refused(response).await)),
        }
    }

    pub(super) async fn write(
        &self,
        note: &str,
        over: Option<&Kept>,
    ) -> Result<Written, PlaceError> {
        let condition = match over {
            None => Some(Condition::Nothing),
            Some(kept) => kept.tag.as_deref().map(Condition::Tag),
        };
        self.put("", note, condition).await
    }

    pub(super) async fn set_aside(
        &self,
        now: i64,
        judged: Option<&str>,
        next: Option<&str>,
    ) -> Result<Option<PlaceName>, PlaceError> {
        let former = self.read().await?;
        let mut aside = None;
        if let Some(former) = &former {
            if Some(&*former.note) != judged {
                return Err(self.failed(Cause::Contended));
            }
            let suffix = set_aside_suffix(now);
            self.put(&suffix, &former.note, Some(Condition::Nothing)).await?.sure(self)?;
            aside = Some(self.0.name.with(&suffix));
        }
        match next {
            Some(next) => self.write(next, former.as_ref()).await?.sure(self)?,
            None if former.is_some() => self.delete().await?,
            None => {}
        }
        Ok(aside)
    }

    /// Writes under the name with this suffix. Of a server that refuses conditions
    /// none are asked from then on.
    async fn put(
        &self,
        suffix: &str,
        note: &str,
        condition: Option<Condition<'_>>,
    ) -> Result<Written, PlaceError> {
        let condition = condition.filter(|_| self.0.conditional.load(Ordering::Relaxed));
        let response = self.send(&Method::PUT, suffix, condition, Some(note)).await?;
        let response = match response.status() {
            StatusCode::NOT_IMPLEMENTED if condition.is_some() => {
                self.0.conditional.store(false, Ordering::Relaxed);
                tracing::warn!(
                    place = %self.0.name,
                    "the server knows no conditional writes: only one server of this log should \
                     keep its last checkpoint there"
                );
                self.send(&Method::PUT, suffix, None, Some(note)).await?
            }
            _ => response,
        };
        match (response.status(), condition) {
            (status, _) if status.is_success() => Ok(Written::Done),
            // S3 has 409 for a write at the same moment, and 404 for `If-Match` on nothing.
            (StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT, Some(_))
            | (StatusCode::NOT_FOUND, Some(Condition::Tag(_))) => Ok(Written::Overtaken),
            _ => Err(self.failed(self.refused(response).await)),
        }
    }

    async fn delete(&self) -> Result<(), PlaceError> {
        let response = self.send(&Method::DELETE, "", None, None).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.failed(self.refused(response).await)),
        }
    }

    async fn send(
        &self,
        method: &Method,
        suffix: &str,
        condition: Option<Condition<'_>>,
        note: Option<&str>,
    ) -> Result<Response, PlaceError> {
        let inner = &*self.0;
        let request = inner.address.request(&inner.http, method, suffix, condition);
        let request = match note {
            Some(note) => {
                request.header(CONTENT_TYPE, "text/plain; charset=utf-8").body(note.to_owned())
            }
            None => request.header(CACHE_CONTROL, "no-cache"),
        };
        request.send().await.map_err(|error| self.failed(Cause::NoAnswer(without_url(error))))
    }

    /// The body, if it is not too long.
    async fn bytes(&self, mut response: Response) -> Result<Vec<u8>, PlaceError> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > MAX_BYTES => {
                    return Err(self.failed(Cause::TooLarge));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(self.failed(Cause::NoAnswer(without_url(error)))),
            }
        }
    }

    /// What an answer without success says. Of its body only an S3 error code is
    /// told, for the rest may repeat what was sent.
    async fn refused(&self, response: Response) -> Cause {
        let status = response.status();
        let body = match self.0.address.is_s3() {
            true => self.bytes(response).await.unwrap_or_default(),
            false => Vec::new(),
        };
        Cause::Status { status, code: error_code(&String::from_utf8_lossy(&body)) }
    }

    fn failed(&self, cause: Cause) -> PlaceError {
        PlaceError { place: self.0.name.clone(), cause }
    }
}

impl Written {
    /// For a write that is not worth another try.
    fn sure(self, remote: &Remote) -> Result<(), PlaceError> {
        match self {
            Self::Done => Ok(()),
            Self::Overtaken => Err(remote.failed(Cause::Contended)),
        }
    }
}

/// `If-Match` takes no weak tag (RFC 9110 section 13.1.1).
fn strong_tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    tag.starts_with('"').then(|| tag.to_owned())
}

/// What the S3 error document in this body is about.
fn error_code(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

/// An error with its causes, and without the URL, which may be signed.
fn without_url(error: reqwest::Error) -> String {
    explain(&error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_an_error_is_told() {
        let body = "<?xml?><Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId>";
        assert_eq!(error_code(body).as_deref(), Some("AccessDenied"));
        assert_eq!(error_code("<Code>a secret</Code>"), None);
        assert_eq!(error_code(&format!("<Code>{}</Code>", "a".repeat(65))), None);
        assert_eq!(error_code("<html>"), None);
    }

    #[test]
    fn a_weak_tag_is_none() {
        let tag = |value: &'static str| {
            strong_tag(&HeaderMap::from_iter([(ETAG, http::HeaderValue::from_static(value))]))
        };
        assert_eq!(tag("\"abc\"").as_deref(), Some("\"abc\""));
        assert_eq!(tag("W/\"abc\""), None);
        assert_eq!(tag("abc"), None);
    }
}
