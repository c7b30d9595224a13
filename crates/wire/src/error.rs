//! The body of every error answer.
//!
//! Border: its members. Which status and which words a failure gets is decided in the server.

use serde::{Deserialize, Serialize};

use crate::LogEntry;

/// `{"code":N,"message":"…"}`, Rekor's `Error` model.
///
/// `code` equals the HTTP status except for validation failures, which carry
/// an internal code from 601 to 619 under HTTP 422.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// HTTP status, or the internal validation code (601–619).
    pub code: u16,
    /// One sentence naming the field, the limit and the actual value.
    #[serde(default)]
    pub message: String,
    /// Only in a 409: the entry that is already in the log, with a fresh proof.
    ///
    /// An addition to Rekor's model, so that a client whose first answer was
    /// lost on the way has everything that the lost 201 carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<LogEntry>,
}
