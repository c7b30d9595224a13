//! COSE_Sign1 messages (RFC 9052): reading and verifying.
//!
//! Border: one tagged message, one x509 key. The algorithm follows from the key (ES256 or
//! PS256) and the protected header must agree. What an entry keeps is the kind's affair.

mod cbor;
mod header;

use sha2::{Digest as _, Sha256};

use self::cbor::{Item, Reader, Tags};
use self::header::Label;
use crate::EntryError;
use crate::keys::x509::{KeyAlgorithm, PublicKey};
use crate::statement;

/// Tag 18 and an array of four: how every message must begin.
const PREFIX: [u8; 2] = [0xd2, 0x84];
/// Largest message in bytes: the keys of its maps are remembered, at 64 bytes each, while they are read.
const MAX_MESSAGE: usize = 16 << 20;

/// A message whose payload is inside it.
pub struct Sign1<'a> {
    /// Encoded, as it is signed.
    protected: &'a [u8],
    algorithm: Option<Label<'a>>,
    content_type: Option<&'a str>,
    payload: &'a [u8],
    signature: &'a [u8],
    has_unprotected: bool,
}

impl<'a> Sign1<'a> {
    /// Reads a tagged message in definite lengths; nothing may follow it. Its signature is not looked at.
    ///
    /// # Errors
    /// [`EntryError`] for anything else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EntryError> {
        if !bytes.starts_with(&PREFIX) {
            return Err(EntryError::invalid("cbor: invalid COSE_Sign1_Tagged object"));
        }
        if bytes.len() > MAX_MESSAGE {
            let text = format!("cbor: message of {} bytes, at most {MAX_MESSAGE}", bytes.len());
            return Err(EntryError::invalid(text));
        }
        Self::read(&bytes[1..]).map_err(EntryError::invalid)
    }

    /// Reads what is behind the tag.
    fn read(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes, Tags::Refused);
        reader.array()?;
        let (protected, header, has_unprotected) = header::read_both(&mut reader)?;
        let payload = match reader.item()? {
            Item::Bytes(payload) => payload,
            Item::NULL => return Err("missing payload"),
            _ => return Err("cbor: require bstr type"),
        };
        let signature = reader.bytes()?;
        reader.end()?;
        if signature.is_empty() {
            return Err("empty signature");
        }
        let (algorithm, content_type) = (header.algorithm, header.content_type);
        Ok(Self { protected, algorithm, content_type, payload, signature, has_unprotected })
    }

    /// Whether there is an unprotected header: parameters that the signature does not cover, so that anybody may have
    /// put them there.
    #[must_use]
    pub fn has_unprotected_header(&self) -> bool {
        self.has_unprotected
    }

    /// The payload, if the protected content type says that it is an in-toto statement.
    #[must_use]
    pub fn statement(&self) -> Option<&[u8]> {
        (self.content_type == Some(statement::PAYLOAD_TYPE)).then_some(self.payload)
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.payload
    }

    /// The protected content type, if it is text.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.content_type
    }

    /// Verifies the signature over payload, protected header and external data.
    pub(crate) fn verify(&self, key: &PublicKey, aad: &[u8]) -> Result<(), EntryError> {
        let expected = algorithm_of(key)?;
        match self.algorithm {
            Some(Label::Int(found)) if found == expected => {}
            // With external data a signer may leave the algorithm to it.
            None if !aad.is_empty() => {}
            None => return Err(EntryError::invalid("algorithm not found")),
            Some(other) => {
                let (verifier, header) = (name(Label::Int(expected)), name(other));
                let text = format!("algorithm mismatch: verifier {verifier}: header {header}");
                return Err(EntryError::invalid(text));
            }
        }
        let digest = self.signed_digest(aad);
        let verified = if let Some(ecdsa) = key.as_ecdsa() {
            let halves = self.signature.split_at_checked(32).filter(|(_, s)| s.len() == 32);
            halves.is_some_and(|(r, s)| ecdsa.verify_numbers(&digest, r, s))
        } else {
            let sha256 = crate::DigestAlgorithm::Sha256;
            key.as_rsa().is_some_and(|rsa| rsa.verify_pss(sha256, &digest, self.signature).is_ok())
        };
        if verified { Ok(()) } else { Err(EntryError::invalid("verification error")) }
    }

    /// The SHA-256 of the `Sig_structure` (RFC 9052 section 4.4).
    fn signed_digest(&self, aad: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(b"\x84\x6aSignature1");
        for part in [self.protected, aad, self.payload] {
            digest.update(cbor::bytes_head(part.len()));
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// Algorithms of the COSE registry.
const ES256: i64 = -7;
const PS256: i64 = -37;

/// Bytes of the smallest RSA modulus that signs (RFC 8230 section 6.1).
const MIN_MODULUS: usize = 256;

fn algorithm_of(key: &PublicKey) -> Result<i64, EntryError> {
    match key.algorithm() {
        KeyAlgorithm::P256 => Ok(ES256),
        KeyAlgorithm::Rsa { modulus_bytes } if modulus_bytes < MIN_MODULUS => {
            Err(EntryError::invalid("RSA key must be at least 2048 bits long"))
        }
        KeyAlgorithm::Rsa { .. } => Ok(PS256),
        KeyAlgorithm::P224 => Err(EntryError::invalid("unsupported elliptic curve P-224")),
        KeyAlgorithm::P384 => Err(EntryError::invalid("unsupported elliptic curve P-384")),
        KeyAlgorithm::P521 => Err(EntryError::invalid("unsupported elliptic curve P-521")),
        KeyAlgorithm::Ed25519 => {
            Err(EntryError::invalid("unsupported algorithm type ed25519.PublicKey"))
        }
    }
}

/// How errors name an algorithm.
fn name(algorithm: Label<'_>) -> String {
    match algorithm {
        Label::Int(ES256) => "ES256".to_owned(),
        Label::Int(-35) => "ES384".to_owned(),
        Label::Int(-36) => "ES512".to_owned(),
        Label::Int(PS256) => "PS256".to_owned(),
        Label::Int(-8) => "EdDSA".to_owned(),
        Label::Int(number) => format!("Algorithm({number})"),
        Label::Text(text) => format!("Algorithm({text:.32?})"),
    }
}
