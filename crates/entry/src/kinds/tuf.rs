//! `tuf` 0.0.1: TUF metadata with the root that vouches for it.
//!
//! Border: one kind. Both documents are verified when the entry is canonicalised, against
//! the time that the caller names: expired ones are refused.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Fields, Problems};
use crate::index_keys;
use crate::keys::EvidenceKey as _;
use crate::keys::tuf::{Document, TufRoot};
use crate::{EntryError, Inputs, KeyFormat, Kind, ProposeError};

struct Tuf {
    root: Value,
    metadata: Value,
    now: i64,
}

pub(super) fn read(spec: Fields<'_>, context: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (root, metadata) = (spec.object("root"), spec.object("metadata"));
    let content = |parent: Option<Fields<'_>>| {
        parent.and_then(|parent| parent.value("content")).filter(|value| !value.is_null()).cloned()
    };
    let (root_content, metadata_content) = (content(root), content(metadata));
    let mut problems = Problems::default();
    problems.require("metadata", metadata.is_some());
    problems.require("metadata.metadata.content", metadata.is_none() || metadata_content.is_some());
    problems.require("root", root.is_some());
    problems.require("root.root.content", root.is_none() || root_content.is_some());
    problems.none()?;
    let missing = |what: &'static str| EntryError::invalid(what);
    Ok(Box::new(Tuf {
        root: root_content.ok_or_else(|| missing("root must be specified"))?,
        metadata: metadata_content.ok_or_else(|| missing("TUF metadata must be specified"))?,
        now: context.now,
    }))
}

impl Evidence for Tuf {
    fn insertable(&self) -> Result<(), EntryError> {
        // The stored form is a whole proposal (a duplicate).
        Ok(())
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let root = document(&self.root, "root")?;
        let metadata = document(&self.metadata, "metadata")?;
        let root = TufRoot::new(root, self.now)?;
        root.verify(&metadata, self.now)?;
        let stored = metadata.to_canonical()?;
        let mut spec = json!({
            "metadata": { "content": base64::encode(&stored) },
            "root": { "content": base64::encode(root.canonical()) },
        });
        if !root.spec_version().is_empty() {
            spec["spec_version"] = json!(root.spec_version());
        }
        let index_keys = vec![
            index_keys::bare_digest(&stored),
            metadata.role()?.to_owned(),
            metadata.version().to_string(),
            index_keys::bare_digest(root.canonical()),
        ];
        Ok(Canonical { spec, index_keys, payload: None })
    }
}

/// A document as an object, or as base64 of its text.
fn document(content: &Value, name: &str) -> Result<Document, EntryError> {
    let Value::String(text) = content else {
        return Ok(Document::from_value(content)?);
    };
    let text = fields::decode(text, "TUF content").map_err(|error| {
        // Rekor answers this one with 500.
        EntryError::Internal(format!("base64 decoding TUF {name} content: {error}").into())
    })?;
    Ok(Document::parse(&text)?)
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    inputs.needs_format(Kind::Tuf, &[KeyFormat::Tuf, KeyFormat::X509])?;
    let object = |bytes| Document::parse(bytes).map(|document| document.to_value());
    let metadata = object(inputs.artifact()?).map_err(EntryError::from)?;
    let root = object(inputs.only_key()?).map_err(EntryError::from)?;
    Ok(json!({ "metadata": { "content": metadata }, "root": { "content": root } }))
}
