//! COSE_Sign1 messages (RFC 9052): reading and verifying.
//!
//! Border: one tagged message, one x509 key. The algorithm follows from the key (ES256 or
//! PS256) and the protected header must agree. What an entry keeps is the kind's affair.

mod definite;

use coset::TaggedCborSerializable as _;
use coset::iana::{Algorithm, EnumI64 as _};
use coset::{ContentType, CoseSign1, Header, Label, RegisteredLabelWithPrivate};
use sha2::{Digest as _, Sha256};

use crate::EntryError;
use crate::keys::x509::{KeyAlgorithm, PublicKey};

/// Tag 18 and an array of four: how every message must begin.
const PREFIX: [u8; 2] = [0xd2, 0x84];
/// Largest message in bytes: each byte may become a value of 64.
const MAX_MESSAGE: usize = 16 << 20;

/// A message whose payload is inside it.
pub(crate) struct Sign1 {
    message: CoseSign1,
    payload: Vec<u8>,
}

impl Sign1 {
    /// Reads a tagged message in definite lengths; nothing may follow it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if !bytes.starts_with(&PREFIX) {
            return Err(EntryError::invalid("cbor: invalid COSE_Sign1_Tagged object"));
        }
        if bytes.len() > MAX_MESSAGE {
            let text = format!("cbor: message of {} bytes, at most {MAX_MESSAGE}", bytes.len());
            return Err(EntryError::invalid(text));
        }
        definite::check(bytes).map_err(EntryError::invalid)?;
        let mut message = CoseSign1::from_tagged_slice(bytes)
            .map_err(|error| EntryError::invalid(format!("cbor: {error}")))?;
        let payload = message.payload.take();
        let payload = payload.ok_or_else(|| EntryError::invalid("missing payload"))?;
        if message.signature.is_empty() {
            return Err(EntryError::invalid("empty signature"));
        }
        check_critical(&message.protected.header)?;
        Ok(Self { message, payload })
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The protected content type, if it is text.
    pub(crate) fn content_type(&self) -> Option<&str> {
        match &self.message.protected.header.content_type {
            Some(ContentType::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Verifies the signature over payload, protected header and external data.
    pub(crate) fn verify(&self, key: &PublicKey, aad: &[u8]) -> Result<(), EntryError> {
        let expected = algorithm_of(key)?;
        match &self.message.protected.header.alg {
            Some(RegisteredLabelWithPrivate::Assigned(found)) if *found == expected => {}
            // With external data a signer may leave the algorithm to it.
            None if !aad.is_empty() => {}
            None => return Err(EntryError::invalid("algorithm not found")),
            Some(other) => {
                let text = format!(
                    "algorithm mismatch: verifier {}: header {}",
                    name(&RegisteredLabelWithPrivate::Assigned(expected)),
                    name(other)
                );
                return Err(EntryError::invalid(text));
            }
        }
        let signed = coset::sig_structure_data(
            coset::SignatureContext::CoseSign1,
            self.message.protected.clone(),
            None,
            aad,
            &self.payload,
        );
        let digest = Sha256::digest(signed);
        let signature = self.message.signature.as_slice();
        let verified = if let Some(ecdsa) = key.as_ecdsa() {
            let halves = signature.split_at_checked(32).filter(|(_, s)| s.len() == 32);
            halves.is_some_and(|(r, s)| ecdsa.verify_numbers(&digest, r, s))
        } else {
            let sha256 = crate::DigestAlgorithm::Sha256;
            key.as_rsa().is_some_and(|rsa| rsa.verify_pss(sha256, &digest, signature).is_ok())
        };
        if verified { Ok(()) } else { Err(EntryError::invalid("verification error")) }
    }
}

fn algorithm_of(key: &PublicKey) -> Result<Algorithm, EntryError> {
    match key.algorithm() {
        KeyAlgorithm::P256 => Ok(Algorithm::ES256),
        KeyAlgorithm::Rsa { .. } => Ok(Algorithm::PS256),
        KeyAlgorithm::P384 => Err(EntryError::invalid("unsupported elliptic curve P-384")),
        KeyAlgorithm::P521 => Err(EntryError::invalid("unsupported elliptic curve P-521")),
        KeyAlgorithm::Ed25519 => {
            Err(EntryError::invalid("unsupported algorithm type ed25519.PublicKey"))
        }
    }
}

fn name(algorithm: &RegisteredLabelWithPrivate<Algorithm>) -> String {
    match algorithm {
        RegisteredLabelWithPrivate::Assigned(algorithm) => format!("{algorithm:?}"),
        RegisteredLabelWithPrivate::PrivateUse(number) => number.to_string(),
        RegisteredLabelWithPrivate::Text(text) => format!("{text:.32}"),
    }
}

/// Every label that is called critical must be there (RFC 9052 section 3.1).
fn check_critical(header: &Header) -> Result<(), EntryError> {
    for label in &header.crit {
        let label = match label {
            RegisteredLabelWithPrivate::Assigned(parameter) => Label::Int(parameter.to_i64()),
            RegisteredLabelWithPrivate::PrivateUse(number) => Label::Int(*number),
            RegisteredLabelWithPrivate::Text(text) => Label::Text(text.clone()),
        };
        let present = match label {
            Label::Int(1) => header.alg.is_some(),
            Label::Int(2) => true,
            Label::Int(3) => header.content_type.is_some(),
            Label::Int(4) => !header.key_id.is_empty(),
            Label::Int(5) => !header.iv.is_empty(),
            Label::Int(6) => !header.partial_iv.is_empty(),
            Label::Int(7) => !header.counter_signatures.is_empty(),
            _ => header.rest.iter().any(|(found, _)| *found == label),
        };
        if !present {
            return Err(EntryError::invalid("protected header: a critical label is missing"));
        }
    }
    Ok(())
}
