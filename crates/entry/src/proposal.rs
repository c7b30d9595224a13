//! Building proposals, as `rekor-cli upload` does.
//!
//! Border: from the bytes that a signer has at hand to the JSON that is posted.
//! Files and flags are the client's affair, and so is checking the result: it is
//! a [`ProposedEntry`](crate::ProposedEntry) like any other.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::base64;
use crate::dsse::{Envelope, Key, Rule};
use crate::keys::x509::X509Verifier;
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
    let spec = match (kind, version) {
        (Kind::Hashedrekord, "0.0.1") => hashedrekord(inputs)?,
        (Kind::Rekord, "0.0.1") => rekord(inputs)?,
        (Kind::Dsse, "0.0.1") => dsse(inputs)?,
        (Kind::Intoto, "0.0.1") => intoto_v001(inputs)?,
        (Kind::Intoto, "0.0.2") => intoto_v002(inputs)?,
        _ => return Err(ProposeError::Version { kind, version: version.to_owned() }),
    };
    Ok(json!({ "apiVersion": version, "kind": kind.as_str(), "spec": spec }))
}

fn hashedrekord(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Hashedrekord, &[KeyFormat::X509])?;
    let (algorithm, value) = inputs.digest()?;
    Ok(json!({
        "data": { "hash": { "algorithm": algorithm, "value": value } },
        "signature": {
            "content": base64::encode(inputs.signature()?),
            "publicKey": { "content": base64::encode(inputs.only_key()?) },
        },
    }))
}

fn rekord(inputs: &Inputs) -> Result<Value, ProposeError> {
    let formats = [KeyFormat::Pgp, KeyFormat::Minisign, KeyFormat::X509, KeyFormat::Ssh];
    inputs.needs_format(Kind::Rekord, &formats)?;
    let artifact = inputs.artifact()?;
    Ok(json!({
        "data": {
            "content": base64::encode(artifact),
            "hash": { "algorithm": "sha256", "value": hex::encode(Sha256::digest(artifact)) },
        },
        "signature": {
            "content": base64::encode(inputs.signature()?),
            "format": inputs.key_format.as_str(),
            "publicKey": { "content": base64::encode(inputs.only_key()?) },
        },
    }))
}

fn dsse(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Dsse, &[KeyFormat::X509])?;
    let verifiers = inputs.some_keys()?.iter().map(|key| -> Result<_, KeyError> {
        Ok(base64::encode(X509Verifier::parse(key)?.canonical()))
    });
    Ok(json!({ "proposedContent": {
        "envelope": inputs.text()?,
        "verifiers": verifiers.collect::<Result<Vec<_>, _>>()?,
    }}))
}

fn intoto_v001(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Intoto, &[KeyFormat::X509])?;
    let key = X509Verifier::parse(inputs.only_key()?)?;
    Ok(json!({
        "content": { "envelope": inputs.text()? },
        "publicKey": base64::encode(key.canonical()),
    }))
}

fn intoto_v002(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Intoto, &[KeyFormat::X509])?;
    let text = inputs.text()?;
    let envelope = Envelope::parse(text)?;
    let keys: Vec<Key<'_>> = inputs.some_keys()?.iter().map(|key| Key::new(key)).collect();
    let by = envelope.verify(&keys, Rule::EveryKey)?;
    let signatures = envelope.signatures.iter().zip(by).map(|(signature, at)| {
        let key = keys[at].verifier()?;
        let mut signed = json!({
            "publicKey": base64::encode(key.canonical()),
            "sig": base64::encode(&signature.sig),
        });
        if !signature.keyid.is_empty() {
            signed["keyid"] = json!(signature.keyid);
        }
        Ok(signed)
    });
    Ok(json!({ "content": {
        "envelope": {
            "payload": base64::encode(&envelope.payload),
            "payloadType": envelope.payload_type,
            "signatures": signatures.collect::<Result<Vec<_>, EntryError>>()?,
        },
        "hash": { "algorithm": "sha256", "value": hex::encode(Sha256::digest(text)) },
    }}))
}

impl Inputs {
    fn needs_format(&self, kind: Kind, formats: &[KeyFormat]) -> Result<(), ProposeError> {
        if formats.contains(&self.key_format) {
            return Ok(());
        }
        Err(ProposeError::Format { kind, format: self.key_format })
    }

    fn artifact(&self) -> Result<&[u8], ProposeError> {
        let artifact = self.artifact.as_deref();
        artifact.ok_or(ProposeError::Missing("path to artifact file must be specified"))
    }

    fn text(&self) -> Result<&str, ProposeError> {
        std::str::from_utf8(self.artifact()?).map_err(|_| ProposeError::Text)
    }

    fn signature(&self) -> Result<&[u8], ProposeError> {
        let signature = self.signature.as_deref();
        signature.ok_or(ProposeError::Missing("a detached signature must be provided"))
    }

    fn some_keys(&self) -> Result<&[Vec<u8>], ProposeError> {
        match self.public_keys.as_slice() {
            [] => Err(ProposeError::Missing(
                "public key must be provided to verify detached signature",
            )),
            keys => Ok(keys),
        }
    }

    fn only_key(&self) -> Result<&[u8], ProposeError> {
        match self.some_keys()? {
            [key] => Ok(key),
            keys => Err(ProposeError::Keys(keys.len())),
        }
    }

    /// Algorithm and hex of the artifact's digest.
    fn digest(&self) -> Result<(String, String), ProposeError> {
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
