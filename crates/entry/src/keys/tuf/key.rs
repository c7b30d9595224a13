//! One key of a TUF root (TUF specification, section 4.2).
//!
//! Border: the three key types and what they verify: Ed25519, ECDSA with SHA-256
//! (whatever the curve) and RSA-PSS with SHA-256 (whatever the salt, which must not be empty).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::ecdsa::{Curve, EcdsaKey};
use super::super::ed25519::Ed25519Key;
use super::super::message::Message;
use super::super::x509::PublicKey;
use super::super::{DigestAlgorithm, KeyError};
use super::canonical;
use crate::pem;

/// A key and what tells it from others.
#[derive(Debug)]
pub(super) struct TufKey {
    preimage: Vec<u8>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Ed25519(Box<Ed25519Key>),
    Ecdsa(Box<EcdsaKey>),
    /// RSA or ECDSA, from PEM.
    Pem(Box<PublicKey>),
}

impl TufKey {
    /// Reads an element of `signed.keys`.
    pub(super) fn read(key: &Value) -> Result<Self, KeyError> {
        let text = |pointer: &str| key.pointer(pointer).and_then(Value::as_str);
        let public = text("/keyval/public").unwrap_or_default();
        let material = match text("/keytype").unwrap_or_default() {
            "ed25519" => {
                let bytes = hex::decode(public).ok().and_then(|bytes| bytes.try_into().ok());
                let bytes = bytes.ok_or_else(|| {
                    KeyError::invalid("tuf: unexpected public key length for ed25519 key")
                })?;
                Material::Ed25519(Box::new(Ed25519Key::new(bytes)))
            }
            "ecdsa" | "ecdsa-sha2-nistp256" => read_ecdsa(public)?,
            "rsa" => Material::Pem(Box::new(read_rsa(public)?)),
            _ => return Err(KeyError::invalid("tuf: invalid key")),
        };
        Ok(Self { preimage: preimage(key)?, material })
    }

    /// What the key's ID is the digest of, whatever ID the root lists it under.
    pub(super) fn preimage(&self) -> &[u8] {
        &self.preimage
    }

    /// Whether the signature over the message holds.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: too much would be hashed.
    pub(super) fn verifies(
        &self,
        message: &mut Message<'_>,
        signature: &[u8],
    ) -> Result<bool, KeyError> {
        Ok(match &self.material {
            Material::Ed25519(key) => return message.verifies_ed25519(key, signature),
            Material::Ecdsa(key) => key.verify_der(message.sha256(), signature),
            Material::Pem(key) => {
                let (hash, sha256) = (message.sha256(), DigestAlgorithm::Sha256);
                match (key.as_rsa(), key.as_ecdsa()) {
                    (Some(key), _) => key.verify_pss_with_salt(sha256, hash, 0, signature).is_ok(),
                    (None, Some(key)) => key.verify_der(hash, signature),
                    (None, None) => false,
                }
            }
        })
    }

    /// Hex SHA-256 of the SubjectPublicKeyInfo, or of the bare key where it came bare.
    pub(super) fn fingerprint(&self) -> String {
        hex::encode(match &self.material {
            Material::Pem(key) => Sha256::digest(key.spki_der()),
            Material::Ed25519(key) => Sha256::digest(key.as_bytes()),
            Material::Ecdsa(key) => Sha256::digest(key.point()),
        })
    }
}

/// The canonical JSON of the members that make up a key's ID.
fn preimage(key: &Value) -> Result<Vec<u8>, KeyError> {
    let member = |name: &str| key.get(name).cloned().unwrap_or_default();
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut members = json!({
        "keytype": text("keytype"),
        "keyval": member("keyval"),
        "scheme": text("scheme"),
    });
    let algorithms = member("keyid_hash_algorithms");
    if algorithms.as_array().is_some_and(|algorithms| !algorithms.is_empty()) {
        members["keyid_hash_algorithms"] = algorithms;
    }
    let mut bytes = Vec::new();
    canonical::write(&members, &mut bytes)?;
    Ok(bytes)
}

/// The first PEM block, whatever its label says: PKCS #1, as some tools wrote it, or SubjectPublicKeyInfo.
fn read_rsa(public: &str) -> Result<PublicKey, KeyError> {
    let (block, _) = pem::decode(public.as_bytes()).ok_or(KeyError::NoPem)?;
    let key = PublicKey::from_pkcs1_der(&block.bytes)
        .or_else(|_| PublicKey::from_spki_der(&block.bytes))?;
    if key.as_rsa().is_none() {
        return Err(KeyError::invalid("tuf: invalid public key"));
    }
    Ok(key)
}

/// PEM, or the hex of an uncompressed P-256 point, as old repositories have it.
fn read_ecdsa(public: &str) -> Result<Material, KeyError> {
    if let Ok(point) = hex::decode(public) {
        let key = EcdsaKey::from_uncompressed(Curve::P256, &point)?;
        return Ok(Material::Ecdsa(Box::new(key)));
    }
    let key = PublicKey::from_pem(public)?;
    if key.as_ecdsa().is_none() {
        return Err(KeyError::invalid("tuf: invalid public key"));
    }
    Ok(Material::Pem(Box::new(key)))
}
