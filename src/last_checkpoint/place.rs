//! What a place is called, and why it gave or took nothing.
//!
//! Border: words. Nothing secret is in them: no query of a URL, no credentials, no
//! bodies of error answers, which may repeat both.

use std::fmt;
use std::io;
use std::path::PathBuf;

use http::StatusCode;

use super::{DISK_PATIENCE, LOCK_PATIENCE, MAX_BYTES};
use crate::durable;

/// A place as it is named in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceName {
    /// A file.
    File(PathBuf),
    /// An `http` or `https` URL, its query replaced by `…`.
    Http(String),
    /// `s3://bucket/key`.
    S3(String),
}

/// A place gave no note, or took none.
#[derive(Debug, thiserror::Error)]
#[error("the last checkpoint in {place}: {cause}")]
pub struct PlaceError {
    /// The place.
    pub place: PlaceName,
    /// What happened there.
    #[source]
    pub cause: Cause,
}

/// What happened at a place.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file system gave no answer in time. What was asked of it may be done later.
    #[error("the disk has not answered for {} s", DISK_PATIENCE.as_secs())]
    Silent,
    /// There is too much of it for a note.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// It is no text.
    #[error("it is not UTF-8")]
    NotText,
    /// No whole answer came.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The server refused, or failed.
    #[error("the server answered {status}{}", .code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Status {
        /// Its status.
        status: StatusCode,
        /// Code of an S3 error, such as `AccessDenied`.
        code: Option<String>,
    },
    /// Each time that it was to be written somebody else had just done so.
    #[error("others wrote it each time that it was to be written")]
    Contended,
    /// Another process keeps the lock of the file.
    #[error("another process has had its lock for {} s", LOCK_PATIENCE.as_secs())]
    Locked,
    /// It was taken, and is not there.
    #[error("what was just written there cannot be read back: the place does not keep it")]
    NotKept,
}

impl PlaceName {
    /// What kind of place it is, as a label of metrics: `file`, `http` or `s3`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::S3(_) => "s3",
        }
    }

    /// The name with more behind it.
    pub(super) fn with(&self, suffix: &str) -> Self {
        match self {
            Self::File(path) => Self::File(durable::beside(path, suffix)),
            // The query, if there is one, is the last character.
            Self::Http(url) => Self::Http(match url.strip_suffix("?…") {
                Some(url) => format!("{url}{suffix}?…"),
                None => format!("{url}{suffix}"),
            }),
            Self::S3(url) => Self::S3(format!("{url}{suffix}")),
        }
    }

    /// What it holds, for a person who is to move it.
    pub(crate) fn thing(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Http(_) | Self::S3(_) => "object",
        }
    }

    /// How a server runs without it.
    pub(crate) fn way_out(&self) -> &'static str {
        match self {
            Self::File(_) => {
                "give --last-checkpoint another file, or `off` to run without this guard"
            }
            Self::Http(_) | Self::S3(_) => {
                "make it work, or start without --last-checkpoint-url to run without this guard"
            }
        }
    }
}

impl fmt::Display for PlaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Http(url) | Self::S3(url) => f.write_str(url),
        }
    }
}
