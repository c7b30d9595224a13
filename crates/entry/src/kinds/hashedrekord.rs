//! `hashedrekord` 0.0.1: a signature over a digest; the artifact stays with the
//! signer.
//!
//! Border: one kind. The signature is verified while reading.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Digest, Fields, Problems};
use crate::index_keys;
use crate::keys::DigestAlgorithm;
use crate::keys::x509::X509Verifier;
use crate::{EntryError, Inputs, KeyFormat, Kind, Policy, ProposeError};

struct HashedRekord {
    digest: Digest,
    algorithm: DigestAlgorithm,
    signature: Vec<u8>,
    submitted_key: Vec<u8>,
    verifier: X509Verifier,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (signature, data) = (spec.object("signature"), spec.object("data"));
    let content = fields::bytes(signature, "content", "signature content")?.unwrap_or_default();
    let key = signature.and_then(|signature| signature.object("publicKey"));
    let submitted_key = fields::bytes(key, "content", "public key content")?.unwrap_or_default();
    let mut problems = Problems::default();
    problems.require("data", data.is_some());
    let hash = data.and_then(|data| data.object("hash"));
    let allowed = ["sha256", "sha384", "sha512"];
    let digest = Digest::read(hash, "data.data.hash.data.hash", &allowed, &mut problems);
    problems.require("signature", signature.is_some());
    problems.none()?;

    if key.is_none() {
        return Err(EntryError::invalid("missing public key"));
    }
    let verifier = X509Verifier::parse(&submitted_key)?;
    let digest = digest.ok_or_else(|| EntryError::invalid("missing hash"))?;
    let (algorithm, bytes) = decode_digest(&digest)?;
    verifier.verify_chain().map_err(EntryError::Signature)?;
    verifier.key().verify_digest(algorithm, &bytes, &content).map_err(EntryError::Signature)?;
    Ok(Box::new(HashedRekord { digest, algorithm, signature: content, submitted_key, verifier }))
}

fn decode_digest(digest: &Digest) -> Result<(DigestAlgorithm, Vec<u8>), EntryError> {
    let algorithm = match digest.algorithm.as_str() {
        "sha384" => DigestAlgorithm::Sha384,
        "sha512" => DigestAlgorithm::Sha512,
        _ => DigestAlgorithm::Sha256,
    };
    if digest.value.len() != 2 * algorithm.size() {
        return Err(EntryError::invalid("invalid value for hash"));
    }
    let bytes = hex::decode(&digest.value).map_err(|error| EntryError::invalid(no_hex(error)))?;
    Ok((algorithm, bytes))
}

/// Rekor's text about a value of the right length that is not hex.
fn no_hex(error: hex::FromHexError) -> String {
    let hex::FromHexError::InvalidHexCharacter { c, .. } = error else { return error.to_string() };
    let shown = match c.is_control() || matches!(c, '\u{a0}' | '\u{ad}') {
        true => String::new(),
        false => format!(" '{c}'"),
    };
    format!("encoding/hex: invalid byte: U+{:04X}{shown}", u32::from(c))
}

impl Evidence for HashedRekord {
    fn insertable(&self) -> Result<(), EntryError> {
        // Reading demands every part; the stored form is a valid proposal (a duplicate).
        Ok(())
    }

    fn allowed(&self, policy: &Policy) -> Result<(), EntryError> {
        let (key, digest) = (self.verifier.key().algorithm(), self.algorithm);
        if policy.allows(key, digest) {
            return Ok(());
        }
        Err(EntryError::AlgorithmNotAllowed { key, digest })
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let spec = json!({
            "data": { "hash": self.digest },
            "signature": {
                "content": base64::encode(&self.signature),
                "publicKey": { "content": base64::encode(self.verifier.canonical()) },
            },
        });
        let mut keys = index_keys::of_key(&self.verifier);
        // Rekor indexes the key as it was submitted; a search looks for the canonical one.
        keys.push(index_keys::bare_digest(&self.submitted_key));
        keys.push(self.digest.index_key());
        Ok(Canonical { spec, index_keys: keys, payload: None })
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
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
