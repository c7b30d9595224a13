//! Building proposals, as `rekor-cli upload` does.
//!
//! Border: the bytes that a signer has at hand. What a kind makes of them is in
//! its file; reading files and flags is the client's affair, and so is checking
//! the result, a [`ProposedEntry`](crate::ProposedEntry) like any other.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::kinds;
use crate::{EntryError, KeyError, KeyFormat, Kind};

/// What a signer has at hand. Which of it a kind needs is told by its error.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The artifact, package or envelope.
    pub artifact: Option<Vec<u8>>,
    /// Digest of the artifact as `algorithm:hex`, instead of the artifact itself.
    pub artifact_hash: Option<String>,
    /// Detached signature.
    pub signature: Option<Vec<u8>>,
    /// Key or certificate files, in order.
    pub public_keys: Vec<Vec<u8>>,
    /// Format of key and signature.
    pub key_format: KeyFormat,
    /// Additional authenticated data (`cose`).
    pub aad: Option<Vec<u8>>,
}

/// Why there is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The kind needs something that is not there.
    #[error("{0}")]
    Missing(&'static str),
    /// The kind takes one key.
    #[error("only one public key must be provided, not {0}")]
    Keys(usize),
    /// The kind takes keys of another format.
    #[error("{kind} entries do not take keys in the format {format}")]
    Format {
        /// The kind.
        kind: Kind,
        /// The format that was asked for.
        format: KeyFormat,
    },
    /// A digest that is not `sha256:`, `sha384:` or `sha512:` and hex.
    #[error("invalid artifact hash {0:?}: must be sha256:, sha384: or sha512: and hex")]
    ArtifactHash(String),
    /// A file that is not text where the kind needs text.
    #[error("the envelope is not UTF-8 text")]
    Text,
    /// The version does not exist, or this client cannot build it.
    #[error("cannot build {kind} entries of version {version}")]
    Version {
        /// The kind.
        kind: Kind,
        /// The version that was asked for.
        version: String,
    },
    /// The key cannot be read.
    #[error("error reading public key: {0}")]
    Key(#[from] KeyError),
    /// The evidence does not hold.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// Builds the proposal of a kind in a version.
///
/// # Errors
/// [`ProposeError`].
pub fn propose(kind: Kind, version: &str, inputs: &Inputs) -> Result<Value, ProposeError> {
    let spec = kinds::propose(kind, version, inputs)?;
    Ok(json!({ "apiVersion": version, "kind": kind.as_str(), "spec": spec }))
}

impl Inputs {
    pub(crate) fn needs_format(
        &self,
        kind: Kind,
        formats: &[KeyFormat],
    ) -> Result<(), ProposeError> {
        if formats.contains(&self.key_format) {
            return Ok(());
        }
        Err(ProposeError::Format { kind, format: self.key_format })
    }

    pub(crate) fn artifact(&self) -> Result<&[u8], ProposeError> {
        let artifact = self.artifact.as_deref();
        artifact.ok_or(ProposeError::Missing("path to artifact file must be specified"))
    }

    pub(crate) fn text(&self) -> Result<&str, ProposeError> {
        std::str::from_utf8(self.artifact()?).map_err(|_| ProposeError::Text)
    }

    pub(crate) fn signature(&self) -> Result<&[u8], ProposeError> {
        let signature = self.signature.as_deref();
        signature.ok_or(ProposeError::Missing("a detached signature must be provided"))
    }

    pub(crate) fn some_keys(&self) -> Result<&[Vec<u8>], ProposeError> {
        match self.public_keys.as_slice() {
            [] => Err(ProposeError::Missing(
                "public key must be provided to verify detached signature",
            )),
            keys => Ok(keys),
        }
    }

    pub(crate) fn only_key(&self) -> Result<&[u8], ProposeError> {
        match self.some_keys()? {
            [key] => Ok(key),
            keys => Err(ProposeError::Keys(keys.len())),
        }
    }

    /// Algorithm and hex of the artifact's digest.
    pub(crate) fn digest(&self) -> Result<(String, String), ProposeError> {
        let Some(text) = &self.artifact_hash else {
            let computed = hex::encode(Sha256::digest(self.artifact()?));
            return Ok(("sha256".to_owned(), computed));
        };
        let unreadable = || ProposeError::ArtifactHash(text.clone());
        let (algorithm, value) = match text.split_once(':') {
            Some(parts) => parts,
            None => match text.len() {
                64 => ("sha256", text.as_str()),
                96 => ("sha384", text.as_str()),
                128 => ("sha512", text.as_str()),
                _ => return Err(unreadable()),
            },
        };
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return Err(unreadable()),
        };
        if value.len() != length || hex::decode(value).is_err() {
            return Err(unreadable());
        }
        Ok((algorithm.to_owned(), value.to_owned()))
    }
}
