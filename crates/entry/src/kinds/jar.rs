//! `jar` 0.0.1: a signed JAR, not kept itself; its signature block is.
//!
//! Border: one kind. The archive is verified when the entry is canonicalised. There is no
//! key in the proposal: it comes out of the archive.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{Artifact, Fields, Problems};
use crate::index_keys;
use crate::jar::SignedJar;
use crate::keys::EvidenceKey as _;
use crate::{EntryError, Inputs, ProposeError};

struct Jar {
    archive: Artifact,
    max_metadata: u64,
}

pub(super) fn read(spec: Fields<'_>, context: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let archive = spec.object("archive");
    let mut problems = Problems::default();
    problems.require("archive", archive.is_some());
    if let Some(signature) = spec.object("signature") {
        let content = signature.bytes("content", "signature content")?;
        let key = signature.object("publicKey");
        problems.require("signature.signature.content", content.is_some());
        problems.require("signature.signature.publicKey", key.is_some());
    }
    let archive = Artifact::read(archive, "archive", &mut problems)?;
    problems.none()?;
    let archive = archive.checked("package")?;
    Ok(Box::new(Jar { archive, max_metadata: context.max_jar_metadata }))
}

impl Evidence for Jar {
    fn insertable(&self) -> Result<(), EntryError> {
        self.archive.insertable("missing archive content")
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let digest = self.archive.digest()?;
        let signed = SignedJar::verify(self.archive.content(), self.max_metadata)?;
        let spec = json!({
            "archive": { "hash": digest },
            "signature": {
                "content": base64::encode(&signed.signature.0),
                "publicKey": { "content": base64::encode(signed.block.canonical()) },
            },
        });
        let mut keys = vec![index_keys::bare_digest(&signed.signature.0), digest.index_key()];
        // Rekor stops here, and a search by certificate or name finds no archive.
        keys.extend(index_keys::of_key(&signed.block));
        Ok(Canonical { spec, index_keys: keys, payload: None })
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    Ok(json!({ "archive": Artifact::propose(inputs.artifact()?) }))
}
