//! What it takes to reach an object behind a URL.
//!
//! Border: values that somebody else read from the settings. What of them is secret
//! `Debug` does not show.

use std::fmt;
use std::time::Duration;

use rusty_s3::Credentials;

/// A bearer token (RFC 6750). `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

/// What it takes to reach an object.
#[derive(Clone, Debug)]
pub struct Access {
    /// Sent with each request to an `http` or `https` URL.
    pub token: Option<Token>,
    /// Key, secret and session token of an S3 service.
    pub credentials: Option<Credentials>,
    /// Region of an S3 service.
    pub region: Option<String>,
    /// URL of an S3 service that is not Amazon's.
    pub endpoint: Option<String>,
    /// Whether the proxy variables of the environment are obeyed.
    pub environment_proxy: bool,
    /// Longest time for a question and its whole answer.
    pub timeout: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            token: None,
            credentials: None,
            region: None,
            endpoint: None,
            environment_proxy: false,
            timeout: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
