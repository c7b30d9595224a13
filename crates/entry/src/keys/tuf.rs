//! The tuf format: The Update Framework's root as key, any top-level metadata as
//! signature (TUF specification, sections 4.2 and 4.3).
//!
//! Border: documents, roles, thresholds, expiry, and the stored form. Delegated targets
//! are not served, as in Rekor.

mod canonical;
mod document;
mod expiry;
mod key;
mod members;

pub(crate) use document::Document;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::message::Message;
use super::{CanonicalSignature, EvidenceKey, KeyError};
use key::TufKey;

/// Keys that a root may have.
const MAX_KEYS: usize = 256;
/// The roles that documents are verified for; a root may speak of others.
const ROLES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// The stored form of any TUF document, nothing verified: RFC 8785 JSON of `signatures`
/// and `signed`.
///
/// # Errors
/// [`KeyError::Invalid`]: no such document.
pub fn canonical_document(content: &[u8]) -> Result<Vec<u8>, KeyError> {
    Document::parse(content)?.to_canonical()
}

/// A root document that is signed by its own keys.
#[derive(Debug)]
pub struct TufRoot {
    document: Document,
    canonical: Vec<u8>,
    keys: BTreeMap<String, TufKey>,
    roles: BTreeMap<String, Role>,
}

#[derive(Debug)]
struct Role {
    key_ids: BTreeSet<String>,
    threshold: u64,
}

impl TufRoot {
    /// Reads the JSON of a root and verifies it with its own keys at a time in Unix
    /// seconds.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: no such document, a key or role that is not known, too few
    /// signatures, expired.
    pub fn parse(content: &[u8], now: i64) -> Result<Self, KeyError> {
        Self::new(Document::parse(content)?, now)
    }

    /// As [`parse`](Self::parse), from a document that was read before.
    pub(crate) fn new(document: Document, now: i64) -> Result<Self, KeyError> {
        if !matches!(
            document.signed("consistent_snapshot"),
            None | Some(Value::Null | Value::Bool(_))
        ) {
            return Err(KeyError::invalid("tuf: consistent_snapshot is neither true nor false"));
        }
        let keys = read_keys(document.signed("keys"))?;
        let roles = read_roles(document.signed("roles"))?;
        let canonical = document.to_canonical()?;
        let root = Self { document, canonical, keys, roles };
        root.verify_role(&root.document, "root", now)?;
        Ok(root)
    }

    /// `signed.spec_version`; empty if absent.
    pub(crate) fn spec_version(&self) -> &str {
        self.document.signed("spec_version").and_then(Value::as_str).unwrap_or_default()
    }

    /// Verifies metadata for the role that its `_type` names, in small letters.
    pub(crate) fn verify(&self, metadata: &Document, now: i64) -> Result<(), KeyError> {
        self.verify_role(metadata, metadata.role()?, now)
    }

    fn verify_role(&self, metadata: &Document, role: &str, now: i64) -> Result<(), KeyError> {
        let found = self.roles.get(role);
        let found = found.ok_or_else(|| KeyError::invalid("tuf: unknown role"))?;
        if !ROLES.contains(&role) || metadata.role()?.to_lowercase() != role {
            return Err(KeyError::invalid("tuf: meta file has wrong type"));
        }
        if metadata.signatures().is_empty() {
            return Err(KeyError::invalid("tuf: data has no signatures"));
        }
        let message = metadata.signed_bytes()?;
        let signers = self.signers(found, metadata, &mut Message::new(&message))?;
        if (signers as u64) < found.threshold {
            return Err(KeyError::invalid("tuf: valid signatures did not meet threshold"));
        }
        metadata.check_expiry(now)
    }

    /// How many keys of a role signed.
    fn signers(
        &self,
        role: &Role,
        metadata: &Document,
        message: &mut Message<'_>,
    ) -> Result<usize, KeyError> {
        // A key counts once, under however many IDs a root lists it; but one that is written in two ways is two keys, as
        // for Rekor. Whoever wrote the root wanted it so.
        let mut verified: BTreeSet<&[u8]> = BTreeSet::new();
        for signature in metadata.signatures() {
            if !role.key_ids.contains(&signature.key_id) {
                continue;
            }
            let Some(key) = self.keys.get(&signature.key_id) else { continue };
            if !verified.contains(key.preimage()) {
                let held = key.verifies(message, &signature.bytes);
                if held.map_err(|error| KeyError::invalid(format!("tuf: {error}")))? {
                    verified.insert(key.preimage());
                }
            }
        }
        Ok(verified.len())
    }
}

fn read_keys(keys: Option<&Value>) -> Result<BTreeMap<String, TufKey>, KeyError> {
    let keys = keys.and_then(Value::as_object);
    let keys = keys.ok_or_else(|| KeyError::invalid("tuf: the root has no keys"))?;
    if keys.len() > MAX_KEYS {
        let text = format!("tuf: {} keys, at most {MAX_KEYS} are taken", keys.len());
        return Err(KeyError::invalid(text));
    }
    keys.iter().map(|(id, key)| Ok((id.clone(), TufKey::read(key)?))).collect()
}

fn read_roles(roles: Option<&Value>) -> Result<BTreeMap<String, Role>, KeyError> {
    let roles = roles.and_then(Value::as_object);
    let roles = roles.ok_or_else(|| KeyError::invalid("tuf: the root has no roles"))?;
    roles.iter().map(|(name, role)| Ok((name.clone(), read_role(role)?))).collect()
}

fn read_role(role: &Value) -> Result<Role, KeyError> {
    let threshold = role.get("threshold").and_then(Value::as_u64).filter(|number| *number > 0);
    let threshold = threshold.ok_or_else(|| KeyError::invalid("tuf: invalid role threshold"))?;
    let ids = match role.get("keyids") {
        None | Some(Value::Null) => Some(&[][..]),
        Some(ids) => ids.as_array().map(Vec::as_slice),
    };
    let ids = ids.and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect());
    let key_ids = ids.ok_or_else(|| KeyError::invalid("tuf: a key ID is no text"))?;
    Ok(Role { key_ids, threshold })
}

impl EvidenceKey for TufRoot {
    /// RFC 8785 JSON of `signatures` and `signed`.
    fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    fn subjects(&self) -> Vec<String> {
        Vec::new()
    }

    /// Refuses: a root verifies metadata, which carries its signatures inside.
    fn verify_artifact(&self, _: &[u8], _: &[u8]) -> Result<CanonicalSignature, KeyError> {
        Err(KeyError::invalid("tuf: a root verifies metadata, not detached signatures"))
    }

    /// Hex SHA-256 of the SubjectPublicKeyInfo of each key.
    fn fingerprints(&self) -> Vec<String> {
        self.keys.values().map(TufKey::fingerprint).collect()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tries_of_a_document_are_bounded() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let public = hex::encode(signer.verifying_key().to_bytes());
        let role = json!({ "keyids": ["k"], "threshold": 1 });
        let signed = json!({
            "_type": "root",
            "expires": "9999-12-31T23:59:59Z",
            "keys": { "k": { "keytype": "ed25519", "keyval": { "public": public } } },
            "roles": { "root": role },
        });
        let document = |signatures: &[[u8; 64]]| {
            let signatures =
                signatures.iter().map(|s| json!({"keyid": "k", "sig": hex::encode(s)}));
            let signatures: Vec<Value> = signatures.collect();
            Document::from_value(&json!({ "signatures": signatures, "signed": signed })).unwrap()
        };
        let bytes = document(&[]).signed_bytes().unwrap();
        let signature = signer.sign(&bytes).to_bytes();
        let root = TufRoot::new(document(&[signature]), 0).unwrap();
        let signers = |signatures: &[[u8; 64]]| {
            let mut message = Message::with_limit(&bytes, 2 * bytes.len());
            root.signers(&root.roles["root"], &document(signatures), &mut message)
        };
        assert_eq!(signers(&[[1; 64], [1; 64], [1; 64], signature, [2; 64]]), Ok(1));
        let refusal = signers(&[[1; 64], [2; 64], signature]).unwrap_err().to_string();
        assert!(refusal.starts_with("tuf: trying so many Ed25519 signatures"), "{refusal}");
    }
}
