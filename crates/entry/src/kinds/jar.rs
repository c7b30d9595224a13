//! `jar` 0.0.1: a signed JAR, not kept itself; its signature block is.
//!
//! Border: one kind. The archive is verified when the entry is canonicalised. There is no
//! key in the proposal: it comes out of the archive.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Artifact, Fields, Problems};
use crate::index_keys;
use crate::jar::SignedJar;
use crate::keys::EvidenceKey as _;
use crate::keys::pkcs7::Pkcs7;
use crate::{EntryError, Inputs, ProposeError};

struct Jar {
    archive: Artifact,
    /// The signature block of the stored form.
    stored_block: Option<Vec<u8>>,
    max_metadata: u64,
}

pub(super) fn read(spec: Fields<'_>, context: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (archive, signature) = (spec.object("archive"), spec.object("signature"));
    let key = signature.and_then(|signature| signature.object("publicKey"));
    let stored_block = fields::bytes(signature, "content", "signature content")?;
    let key_content = fields::bytes(key, "content", "public key content")?;
    let mut problems = Problems::default();
    problems.require("archive", archive.is_some());
    let archive = Artifact::read(archive, "archive", &mut problems)?;
    if signature.is_some() {
        problems.require("signature.signature.content", stored_block.is_some());
        problems.require("signature.signature.publicKey", key.is_some());
        let at = "signature.signature.publicKey.signature.publicKey.content";
        problems.require(at, key.is_none() || key_content.is_some());
    }
    problems.none()?;
    let archive = archive.checked("package")?;
    Ok(Box::new(Jar { archive, stored_block, max_metadata: context.max_jar_metadata }))
}

impl Evidence for Jar {
    fn insertable(&self) -> Result<(), EntryError> {
        self.archive.insertable("missing archive content")
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let digest = self.archive.digest()?;
        let signed = SignedJar::verify(self.archive.content(), self.max_metadata)?;
        let signature = json!({
            "content": base64::encode(&signed.signature.0),
            "publicKey": { "content": base64::encode(signed.block.canonical()) },
        });
        self.archive.bound_kept(&signature)?;
        let spec = json!({ "archive": { "hash": digest }, "signature": signature });
        let mut keys = block_keys(&signed.signature.0, &signed.block)?;
        keys.push(digest.index_key());
        Ok(Canonical { spec, index_keys: keys, payload: None })
    }

    /// The archive is not kept, but its digest and its signature block are.
    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let block = self.stored_block.as_deref().unwrap_or_default();
        let mut keys = block_keys(block, &Pkcs7::parse(block)?)?;
        keys.extend(self.archive.stored_key());
        Ok(keys)
    }
}

/// Rekor has the digest of the block only; a search by certificate or name finds no
/// archive there. The certificate that is stored as the key may have signed nothing, so
/// those of the signers count.
fn block_keys(stored: &[u8], block: &Pkcs7) -> Result<Vec<String>, EntryError> {
    let signers = block.signers()?;
    let mut keys = vec![index_keys::bare_digest(stored)];
    keys.extend(signers.iter().flat_map(index_keys::of_certificate));
    Ok(keys)
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    Ok(json!({ "archive": Artifact::propose(inputs.artifact()?) }))
}
