//! `rekord` 0.0.1: a signature of any key format over an artifact that travels
//! with it and is not kept.
//!
//! Border: one kind. The signature is verified when the entry is canonicalised.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Artifact, Fields, Problems};
use crate::index_keys;
use crate::keys::{self, EvidenceKey, KeyFormat};
use crate::{EntryError, Inputs, Kind, ProposeError};

struct Rekord {
    format: KeyFormat,
    signature: Vec<u8>,
    key: Box<dyn EvidenceKey>,
    artifact: Artifact,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (signature, data) = (spec.object("signature"), spec.object("data"));
    let format = signature.and_then(|signature| signature.text("format"));
    let content = fields::bytes(signature, "content", "signature content")?;
    let key = signature.and_then(|signature| signature.object("publicKey"));
    let key_content = fields::bytes(key, "content", "public key content")?;
    let mut problems = Problems::default();
    problems.require("data", data.is_some());
    let artifact = Artifact::read(data, "data", &mut problems)?;
    problems.require("signature", signature.is_some());
    if signature.is_some() {
        problems.require("signature.signature.content", content.is_some());
        problems.require("signature.signature.format", format.is_some());
        let formats = ["pgp", "minisign", "x509", "ssh"];
        problems.one_of("signature.signature.format", format, &formats);
        problems.require("signature.signature.publicKey", key.is_some());
        let at = "signature.signature.publicKey.signature.publicKey.content";
        problems.require(at, key.is_none() || key_content.is_some());
    }
    problems.none()?;
    let missing = |what: &'static str| EntryError::invalid(what);
    let format = format.and_then(|name| name.parse().ok());
    let format = format.ok_or_else(|| missing("missing signature format"))?;
    let signature = content.ok_or_else(|| missing("'content' must be specified for signature"))?;
    let key = key_content.ok_or_else(|| missing("'content' must be specified for publicKey"))?;
    let artifact = artifact.checked("data")?;
    let key = keys::parse_key(format, &key)?;
    Ok(Box::new(Rekord { format, signature, key, artifact }))
}

impl Evidence for Rekord {
    fn insertable(&self) -> Result<(), EntryError> {
        self.artifact.insertable("missing data content")
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let digest = self.artifact.digest()?;
        let signature = self.key.verify_artifact(self.artifact.content(), &self.signature)?;
        let mut keys = index_keys::of_key(&*self.key);
        keys.push(digest.index_key());
        let spec = json!({
            "data": { "hash": digest },
            "signature": {
                "content": base64::encode(&signature.0),
                "format": self.format.as_str(),
                "publicKey": { "content": base64::encode(self.key.canonical()) },
            },
        });
        Ok(Canonical { spec, index_keys: keys, payload: None })
    }

    /// The artifact is not kept, but its digest is, and it was checked.
    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let mut keys = index_keys::of_key(&*self.key);
        keys.extend(self.artifact.stored_key());
        Ok(keys)
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    let formats = [KeyFormat::Pgp, KeyFormat::Minisign, KeyFormat::X509, KeyFormat::Ssh];
    inputs.needs_format(Kind::Rekord, &formats)?;
    Ok(json!({
        "data": Artifact::propose(inputs.artifact()?),
        "signature": {
            "content": base64::encode(inputs.signature()?),
            "format": inputs.key_format.as_str(),
            "publicKey": { "content": base64::encode(inputs.only_key()?) },
        },
    }))
}
