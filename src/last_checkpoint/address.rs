//! Which object a URL means, and what it takes to get there.
//!
//! Border: parses and signs; sends nothing. A refused URL is never repeated in a
//! message, for a slip may have put a password into it.

use std::time::Duration;

use http::{HeaderValue, Method};
use reqwest::Url;
use rusty_s3::{Bucket, BucketError, Credentials, S3Action as _, UrlStyle};

use super::{Access, PlaceName, Token};

/// How long a signed request may be under way, with room for clocks that differ.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// What a region is called where the service has none.
const NO_REGION: &str = "us-east-1";

/// A URL that cannot hold the last checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Neither of the known ways.
    #[error("must begin with `https://`, `http://` or `s3://`")]
    Scheme,
    /// It is no URL.
    #[error("is no URL: {0}")]
    Url(String),
    /// It would show the password wherever it is named.
    #[error(
        "must not hold a user name or password: give a token in INDELIBLE_LAST_CHECKPOINT_TOKEN"
    )]
    UserInfo,
    /// Bucket or key are missing, or no URL could lead there.
    #[error("must be `s3://bucket/key`, the key without empty, `.` and `..` parts")]
    Object,
    /// Nothing to sign with.
    #[error("needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")]
    Credentials,
    /// Amazon has many.
    #[error("needs AWS_REGION in the environment, or AWS_ENDPOINT_URL for another service")]
    Region,
    /// The service's URL cannot be used.
    #[error("needs a URL like `https://host:port` in AWS_ENDPOINT_URL, if any: {0}")]
    Endpoint(String),
    /// It would break the header.
    #[error("cannot go with this token: it holds characters that no header takes")]
    Token,
    /// The client for it cannot be made, such as when there are no root certificates.
    #[error("cannot be reached from here: {0}")]
    Client(String),
}

/// An object behind a URL.
pub(super) enum Address {
    Http { url: Url, authorization: Option<HeaderValue> },
    S3 { bucket: Box<Bucket>, key: String, credentials: Credentials },
}

/// When a write may replace what is there (RFC 9110 section 13.1).
#[derive(Clone, Copy)]
pub(super) enum Condition<'a> {
    /// `If-None-Match: *`
    Nothing,
    /// `If-Match` with this entity tag.
    Tag(&'a str),
}

impl Condition<'_> {
    /// Name, in lower case, and value of the header.
    fn header(&self) -> (&'static str, &str) {
        match self {
            Self::Nothing => ("if-none-match", "*"),
            Self::Tag(tag) => ("if-match", tag),
        }
    }
}

impl Address {
    pub(super) fn parse(text: &str, access: &Access) -> Result<(Self, PlaceName), AddressError> {
        match text.split_once("://") {
            Some(("s3", object)) => s3(object, access),
            Some(("http" | "https", _)) => web(text, access),
            _ => Err(AddressError::Scheme),
        }
    }

    pub(super) fn is_s3(&self) -> bool {
        matches!(self, Self::S3 { .. })
    }

    /// A request to this object, or to the one whose name ends in `suffix`, as
    /// well. It holds secrets: it must not be shown.
    pub(super) fn request(
        &self,
        http: &reqwest::Client,
        method: &Method,
        suffix: &str,
        condition: Option<Condition<'_>>,
    ) -> reqwest::RequestBuilder {
        let header = condition.as_ref().map(Condition::header);
        let request = match self {
            Self::Http { url, authorization } => {
                let mut url = url.clone();
                url.set_path(&format!("{}{suffix}", url.path()));
                let request = http.request(method.clone(), url);
                match authorization {
                    Some(value) => request.header(http::header::AUTHORIZATION, value),
                    None => request,
                }
            }
            Self::S3 { bucket, key, credentials } => {
                let key = format!("{key}{suffix}");
                let url = signed(bucket, &key, credentials, method, header);
                http.request(method.clone(), url)
            }
        };
        header.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// Signed in the query, with the condition, so that nobody on the way drops it.
fn signed(
    bucket: &Bucket,
    key: &str,
    credentials: &Credentials,
    method: &Method,
    condition: Option<(&'static str, &str)>,
) -> Url {
    let with = Some(credentials);
    match *method {
        Method::PUT => {
            let mut put = bucket.put_object(with, key);
            if let Some((name, value)) = condition {
                put.headers_mut().insert(name, value.to_owned());
            }
            put.sign(SIGNED_FOR)
        }
        Method::DELETE => bucket.delete_object(with, key).sign(SIGNED_FOR),
        _ => bucket.get_object(with, key).sign(SIGNED_FOR),
    }
}

fn web(text: &str, access: &Access) -> Result<(Address, PlaceName), AddressError> {
    let mut url = Url::parse(text).map_err(|error| AddressError::Url(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::UserInfo);
    }
    url.set_fragment(None);
    let mut shown = url.clone();
    shown.set_query(None);
    let query = if url.query().is_some() { "?…" } else { "" };
    let authorization = access.token.as_ref().map(|Token(token)| {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| AddressError::Token)?;
        value.set_sensitive(true);
        Ok(value)
    });
    let address = Address::Http { url, authorization: authorization.transpose()? };
    Ok((address, PlaceName::Http(format!("{shown}{query}"))))
}

fn s3(object: &str, access: &Access) -> Result<(Address, PlaceName), AddressError> {
    let (bucket, key) = object.split_once('/').ok_or(AddressError::Object)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if bucket.is_empty()
        || !bucket.chars().all(plain)
        || key.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(AddressError::Object);
    }
    let credentials = access.credentials.clone().ok_or(AddressError::Credentials)?;
    let (endpoint, style, region) = match (&access.endpoint, &access.region) {
        (Some(endpoint), region) => {
            (endpoint.clone(), UrlStyle::Path, region.as_deref().unwrap_or(NO_REGION))
        }
        // The certificate of the service covers one label in front of its name.
        (None, Some(region)) => {
            let virtual_host = !bucket.contains(['.', '_']) && bucket == bucket.to_lowercase();
            let style = if virtual_host { UrlStyle::VirtualHost } else { UrlStyle::Path };
            (format!("https://s3.{region}.amazonaws.com"), style, region.as_str())
        }
        (None, None) => return Err(AddressError::Region),
    };
    let endpoint = Url::parse(&endpoint).map_err(|e| AddressError::Endpoint(e.to_string()))?;
    let made = Bucket::new(endpoint, style, bucket.to_owned(), region.to_owned());
    let made = made.map_err(|error| {
        AddressError::Endpoint(match error {
            BucketError::UnsupportedScheme => "neither `http` nor `https`".to_owned(),
            BucketError::MissingHost => "no host".to_owned(),
            BucketError::ParseError(error) => error.to_string(),
        })
    })?;
    let address = Address::S3 { bucket: Box::new(made), key: key.to_owned(), credentials };
    Ok((address, PlaceName::S3(format!("s3://{bucket}/{key}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access {
            credentials: Some(Credentials::new("id", "very-secret")),
            token: Some(Token("very-secret".to_owned())),
            region: Some("eu-west-1".to_owned()),
            ..Access::default()
        }
    }

    fn refusal(text: &str, access: &Access) -> String {
        let Err(error) = Address::parse(text, access) else { panic!("{text} was taken") };
        error.to_string()
    }

    fn url_of(text: &str, access: &Access, suffix: &str) -> Url {
        let Ok((address, _)) = Address::parse(text, access) else { panic!("{text}") };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = address.request(&client, &Method::GET, suffix, None);
        request.build().unwrap().url().clone()
    }

    #[test]
    fn a_url_that_cannot_be_is_refused_and_not_repeated() {
        for (text, reason) in [
            ("", "begin with"),
            ("/a/path", "begin with"),
            ("ftp://host/secret", "begin with"),
            ("https://", "is no URL"),
            ("https://me:secret@host/x", "user name or password"),
            ("https://secret@host/x", "user name or password"),
            ("s3://bucket", "`s3://bucket/key`"),
            ("s3:///key", "`s3://bucket/key`"),
            ("s3://bucket/", "`s3://bucket/key`"),
            ("s3://bucket/a/../secret", "`s3://bucket/key`"),
            ("s3://me:secret@bucket/key", "`s3://bucket/key`"),
        ] {
            let refused = refusal(text, &access());
            assert!(refused.contains(reason) && !refused.contains("secret"), "{text}: {refused}");
        }
        let token = Some(Token("a\nsecret".to_owned()));
        let refused = refusal("https://h/x", &Access { token, ..access() });
        assert!(refused.contains("token") && !refused.contains("secret"), "{refused}");
    }

    #[test]
    fn s3_takes_credentials_and_a_region_or_another_service() {
        let url = "s3://bucket/a/key";
        let refused = refusal(url, &Access { credentials: None, ..access() });
        assert!(refused.contains("AWS_ACCESS_KEY_ID"), "{refused}");
        let refused = refusal(url, &Access { region: None, ..access() });
        assert!(refused.contains("AWS_REGION"), "{refused}");
        for endpoint in ["nonsense", "ftp://host", "https://"] {
            let endpoint = Some(endpoint.to_owned());
            let refused = refusal(url, &Access { endpoint, ..access() });
            assert!(refused.contains("AWS_ENDPOINT_URL"), "{refused}");
        }
        let amazon = url_of(url, &access(), ".x");
        assert_eq!(amazon.host_str(), Some("bucket.s3.eu-west-1.amazonaws.com"));
        assert_eq!(amazon.path(), "/a/key.x");
        let dotted = url_of("s3://a.bucket/key", &access(), "");
        assert_eq!(dotted.host_str(), Some("s3.eu-west-1.amazonaws.com"));
        let endpoint = Some("http://[::1]:9000".to_owned());
        let other = url_of(url, &Access { region: None, endpoint, ..access() }, "");
        assert!(other.as_str().starts_with("http://[::1]:9000/bucket/a/key?"), "{other}");
        assert!(!other.as_str().contains("very-secret"));
    }

    #[test]
    fn a_query_is_kept_and_not_shown() {
        let url = "https://host/a/note?sig=secret#part";
        let Ok((_, name)) = Address::parse(url, &access()) else { panic!("refused") };
        assert_eq!(name.to_string(), "https://host/a/note?…");
        assert_eq!(url_of(url, &access(), ".x").as_str(), "https://host/a/note.x?sig=secret");
        assert!(!format!("{:?}", access()).contains("very-secret"));
    }
}
