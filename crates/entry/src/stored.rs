//! Reading a stored body, without verifying anything.
//!
//! Border: for clients that show an entry. The leaf hash covers the bytes as they
//! are stored; nothing is canonicalised anew.

use serde_json::Value;

use crate::Kind;

/// The members of a canonical body.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBody {
    /// The kind.
    pub kind: Kind,
    /// The kind's version.
    pub version: String,
    /// The canonical spec.
    pub spec: Value,
}

/// Bytes that are no entry body.
#[derive(Debug, thiserror::Error)]
pub enum StoredBodyError {
    /// Not JSON.
    #[error("the entry's body is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// No known kind, no version or no spec.
    #[error("the entry's body has no {0} that is known here")]
    Member(&'static str),
}

impl StoredBody {
    /// Reads canonical leaf bytes.
    ///
    /// # Errors
    /// [`StoredBodyError`].
    pub fn parse(body: &[u8]) -> Result<Self, StoredBodyError> {
        let mut value: Value = serde_json::from_slice(body)?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let kind = text("kind").and_then(|kind| kind.parse().ok());
        let kind = kind.ok_or(StoredBodyError::Member("kind"))?;
        let version = text("apiVersion").ok_or(StoredBodyError::Member("apiVersion"))?.to_owned();
        let spec = value.get_mut("spec").map(Value::take);
        let spec = spec.filter(Value::is_object).ok_or(StoredBodyError::Member("spec"))?;
        Ok(Self { kind, version, spec })
    }
}
