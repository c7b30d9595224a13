//! `helm` 0.0.1: the clear-signed provenance file of a chart. The file travels with the entry; of it the chart's digest and
//! the signature are kept.
//!
//! Border: one kind. The signature is verified when the entry is canonicalised.

mod provenance;

use serde_json::{Value, json};

use self::provenance::Provenance;
use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Digest, Fields};
use crate::index_keys;
use crate::keys::pgp::PgpKeyring;
use crate::keys::{EvidenceKey as _, KeyError};
use crate::{EntryError, Inputs, KeyFormat, Kind, ProposeError};

struct Helm {
    key: Vec<u8>,
    /// Absent in the stored form.
    provenance: Option<Vec<u8>>,
    /// As the stored form names it; a proposal's comes from the file.
    digest: Option<Digest>,
}

pub(super) fn read(spec: Fields<'_>, context: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (key, chart) = (spec.object("publicKey"), spec.object("chart"));
    let key_content = fields::bytes(key, "content", "publicKey content")?;
    let provenance = chart.and_then(|chart| chart.object("provenance"));
    let signature = provenance.and_then(|provenance| provenance.object("signature"));
    let signature = fields::bytes(signature, "content", "provenance signature content")?;
    let content = fields::bytes(provenance, "content", "provenance content")?;
    let mut problems = context.problems();
    problems.require("chart", chart.is_some());
    // The digest comes from the file; a claimed one is only looked at.
    let hash = chart.and_then(|chart| chart.object("hash"));
    let digest = Digest::read(hash, "chart.chart.hash.chart.hash", &["sha256"], &mut problems);
    problems.require("chart.chart.provenance", chart.is_none() || provenance.is_some());
    problems.require("publicKey", key.is_some());
    let at = "publicKey.publicKey.content";
    problems.require(at, key.is_none() || key_content.is_some());
    problems.none()?;
    let missing = |what: &'static str| EntryError::invalid(what);
    let key = key_content.ok_or_else(|| missing("'content' must be specified for publicKey"))?;
    if content.is_none() && signature.is_none() {
        return Err(missing("'content' must be specified for provenance"));
    }
    Ok(Box::new(Helm { key, provenance: content, digest }))
}

impl Evidence for Helm {
    fn insertable(&self) -> Result<(), EntryError> {
        match self.provenance {
            Some(_) => Ok(()),
            None => Err(EntryError::not_insertable("missing provenance content")),
        }
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let key = PgpKeyring::parse(&self.key).map_err(KeyError::from)?;
        let file = self.provenance.as_deref().unwrap_or_default();
        let provenance = Provenance::parse(file)?;
        let signature = key.verify_artifact(&provenance.signed, &provenance.signature)?;
        let digest = provenance.digest()?;
        let mut index_keys = index_keys::of_key(&key);
        index_keys.push(digest.index_key());
        let spec = json!({
            "chart": {
                "hash": digest,
                "provenance": { "signature": { "content": base64::encode(&signature.0) } },
            },
            "publicKey": { "content": base64::encode(key.canonical()) },
        });
        Ok(Canonical { spec, index_keys, payload: None })
    }

    /// The file is not kept, but the chart's digest is, and it was signed.
    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let keyring = PgpKeyring::parse(&self.key).map_err(KeyError::from)?;
        let mut keys = index_keys::of_key(&keyring);
        keys.extend(self.digest.as_ref().map(Digest::index_key));
        Ok(keys)
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    // Rekor's client does not look at the format, which is x509 unless something else is asked for.
    inputs.needs_format(Kind::Helm, &[KeyFormat::Pgp, KeyFormat::X509])?;
    Ok(json!({
        "chart": { "provenance": { "content": base64::encode(inputs.artifact()?) } },
        "publicKey": { "content": base64::encode(inputs.only_key()?) },
    }))
}
