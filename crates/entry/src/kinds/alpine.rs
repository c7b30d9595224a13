//! `alpine` 0.0.1: a signed Alpine package, not kept itself.
//!
//! Border: one kind. The package is verified when the entry is canonicalised.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::apk::Apk;
use crate::base64;
use crate::fields::{self, Artifact, Fields, Problems};
use crate::index_keys;
use crate::keys::DigestAlgorithm;
use crate::keys::x509::{KeyAlgorithm, X509Verifier};
use crate::{EntryError, Inputs, KeyError, KeyFormat, Kind, ProposeError};

struct Alpine {
    key: X509Verifier,
    package: Artifact,
    max_metadata: u64,
}

pub(super) fn read(spec: Fields<'_>, context: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (key, package) = (spec.object("publicKey"), spec.object("package"));
    let key_content = fields::bytes(key, "content", "public key content")?;
    let mut problems = Problems::default();
    problems.require("package", package.is_some());
    let package = Artifact::read(package, "package", &mut problems)?;
    problems.require("publicKey", key.is_some());
    let at = "publicKey.publicKey.content";
    problems.require(at, key.is_none() || key_content.is_some());
    problems.none()?;
    let key = key_content.ok_or_else(|| EntryError::invalid("missing public key"))?;
    let key = X509Verifier::parse(&key)?;
    let package = package.checked("package")?;
    Ok(Box::new(Alpine { key, package, max_metadata: context.max_apk_metadata }))
}

impl Evidence for Alpine {
    fn insertable(&self) -> Result<(), EntryError> {
        self.package.insertable("missing package content")
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let digest = self.package.digest()?;
        let apk = Apk::parse(self.package.content(), self.max_metadata)?;
        let pkginfo = json!(apk.pkginfo);
        self.package.bound_kept(&pkginfo)?;
        let key = self.key.key();
        if key.algorithm() == KeyAlgorithm::Ed25519 {
            return Err(KeyError::MessageNeeded.into());
        }
        key.verify_digest(DigestAlgorithm::Sha1, &apk.control_sha1, &apk.signature)?;
        let spec = json!({
            "package": { "hash": digest, "pkginfo": pkginfo },
            "publicKey": { "content": base64::encode(self.key.canonical()) },
        });
        let mut keys = index_keys::of_key(&self.key);
        keys.push(digest.index_key());
        Ok(Canonical { spec, index_keys: keys, payload: None })
    }

    /// The package is not kept, but its digest is, and it was checked.
    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let mut keys = index_keys::of_key(&self.key);
        keys.extend(self.package.stored_key());
        Ok(keys)
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Alpine, &[KeyFormat::X509])?;
    Ok(json!({
        "package": Artifact::propose(inputs.artifact()?),
        "publicKey": { "content": base64::encode(inputs.only_key()?) },
    }))
}
