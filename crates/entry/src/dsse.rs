//! DSSE envelopes (secure-systems-lab/dsse): reading, pre-authentication
//! encoding, and which key verifies which signature.
//!
//! Border: the envelope that `dsse` and `intoto` share. What an entry keeps of it
//! is the kind's affair.

use std::collections::HashSet;

use serde::de::MapAccess;

use crate::EntryError;
use crate::base64;
use crate::json::{self, Members, Object, Slot};
use crate::keys::KeyError;
use crate::keys::message::Message;
use crate::keys::x509::X509Verifier;

/// Signatures that an envelope may carry; each is tried against each key.
const MAX_SIGNATURES: usize = 64;

/// An envelope, its base64 fields still text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) payload: String,
    pub(crate) signatures: Vec<Signature>,
}

/// One signature, its base64 still text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) keyid: String,
    pub(crate) sig: String,
}

impl Envelope {
    /// Reads the JSON text of an envelope. Member names match without case and
    /// the last one counts, unknown members are ignored; nothing may follow the object.
    pub(crate) fn parse(text: &str) -> Result<Self, EntryError> {
        let Object(envelope) = json::document_as::<Object<Self>>(text)
            .map_err(|error| EntryError::invalid(format!("DSSE envelope: {error}")))?;
        envelope.check_count()?;
        Ok(envelope)
    }

    /// Refuses more signatures than are looked at.
    pub(crate) fn check_count(&self) -> Result<(), EntryError> {
        let count = self.signatures.len();
        if count <= MAX_SIGNATURES {
            return Ok(());
        }
        Err(EntryError::invalid(format!(
            "DSSE envelope: {count} signatures, at most {MAX_SIGNATURES} are taken"
        )))
    }

    /// The payload bytes, whichever base64 alphabet they are in.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, EntryError> {
        decode(&self.payload)
    }

    /// Which of `keys` verifies which signature: for each distinct signature text
    /// the position of the last key that matched it, under Rekor's rules.
    pub(crate) fn verify(&self, keys: &[Key<'_>], rule: Rule) -> Result<Vec<usize>, EntryError> {
        let payload = self.payload().map_err(not_verified)?;
        let message = pae(&self.payload_type, &payload);
        self.match_keys(keys, rule, &mut Message::new(&message))
    }

    fn match_keys(
        &self,
        keys: &[Key<'_>],
        rule: Rule,
        message: &mut Message<'_>,
    ) -> Result<Vec<usize>, EntryError> {
        let signatures = self.decoded().map_err(not_verified)?;
        let distinct: HashSet<&str> = self.signatures.iter().map(|s| s.sig.as_str()).collect();
        let mut verified_by: Vec<Option<usize>> = vec![None; signatures.len()];
        let mut matched: HashSet<&str> = HashSet::new();
        for (at, key) in keys.iter().enumerate() {
            if rule == Rule::StopWhenAllMatched && matched.len() == distinct.len() {
                break;
            }
            let verifier = key.verifier()?;
            let first = first_of(signatures.iter().zip(&self.signatures), verifier, message)
                .map_err(not_verified)?;
            let text = first.ok_or_else(|| not_verified(NO_MATCH))?.sig.as_str();
            matched.insert(text);
            for (signature, by) in self.signatures.iter().zip(&mut verified_by) {
                if signature.sig == text {
                    *by = Some(at);
                }
            }
        }
        let all = verified_by.into_iter().collect::<Option<Vec<_>>>();
        all.ok_or_else(|| EntryError::invalid("all signatures must have a key that verifies it"))
    }

    /// Checks that any signature verifies under `key`. A signature whose key ID is
    /// neither empty nor the key's is passed over; a key without one takes any.
    pub(crate) fn verify_any(
        &self,
        key: &X509Verifier,
        key_id: Option<&str>,
    ) -> Result<(), EntryError> {
        let message = pae(&self.payload_type, &self.payload()?);
        let signatures = self.decoded()?;
        let signatures = signatures.iter().zip(&self.signatures);
        let of_key = signatures
            .filter(|(_, s)| s.keyid.is_empty() || key_id.is_none_or(|key_id| s.keyid == key_id));
        let first = first_of(of_key, key, &mut Message::new(&message))?;
        first.map(drop).ok_or_else(|| EntryError::invalid(NO_MATCH))
    }

    fn decoded(&self) -> Result<Vec<Vec<u8>>, EntryError> {
        self.signatures.iter().map(|signature| decode(&signature.sig)).collect()
    }
}

/// The first signature that `key` verifies; each with its bytes.
fn first_of<'a>(
    signatures: impl Iterator<Item = (&'a Vec<u8>, &'a Signature)>,
    key: &X509Verifier,
    message: &mut Message<'_>,
) -> Result<Option<&'a Signature>, KeyError> {
    for (bytes, signature) in signatures {
        if key.key().verifies(message, bytes)? {
            return Ok(Some(signature));
        }
    }
    Ok(None)
}

const NO_MATCH: &str = "accepted signatures do not match threshold, Found: 0, Expected 1";

/// When the search for keys ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Keys behind the one that completed the match are not even parsed (`dsse`).
    StopWhenAllMatched,
    /// Every key must match (`intoto` 0.0.2).
    EveryKey,
}

/// A submitted key, parsed when its turn comes.
pub(crate) struct Key<'a> {
    content: &'a [u8],
    parsed: std::cell::OnceCell<X509Verifier>,
}

impl<'a> Key<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self { content, parsed: std::cell::OnceCell::new() }
    }

    /// Parses the key, once.
    pub(crate) fn verifier(&self) -> Result<&X509Verifier, EntryError> {
        if self.parsed.get().is_none() {
            let parsed = X509Verifier::parse(self.content).map_err(|error| {
                let what = match error {
                    // To Rekor it is a key that can be read and verifies nothing.
                    KeyError::UnsupportedKeyType => "could not load verifier",
                    _ => "could not parse public key as x509",
                };
                EntryError::invalid(format!("{what}: {error}"))
            })?;
            // Set for the first time, so the value cannot be refused.
            let _ = self.parsed.set(parsed);
        }
        self.parsed.get().ok_or_else(|| EntryError::invalid("could not load verifier"))
    }

    /// The parsed key.
    pub(crate) fn into_verifier(self) -> Result<X509Verifier, EntryError> {
        self.verifier()?;
        self.parsed.into_inner().ok_or_else(|| EntryError::invalid("could not load verifier"))
    }
}

impl Members for Envelope {
    const EXPECTED: &'static str = "a DSSE envelope";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "payloadtype" => json::text(map, &mut self.payload_type)?,
            "payload" => json::text(map, &mut self.payload)?,
            "signatures" => map.next_value_seed(Slot::List(&mut self.signatures))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Members for Signature {
    const EXPECTED: &'static str = "a signature of a DSSE envelope";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "keyid" => json::text(map, &mut self.keyid)?,
            "sig" => json::text(map, &mut self.sig)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Pre-authentication encoding (DSSE protocol): what is signed.
pub(crate) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Payload or signature, in either base64 alphabet.
fn decode(text: &str) -> Result<Vec<u8>, EntryError> {
    let undecodable = "unable to base64 decode payload (is payload in the right format?)";
    base64::decode_either(text.as_bytes()).map_err(|_| EntryError::invalid(undecodable))
}

/// The reason as `dsse` and `intoto` 0.0.2 give it; `intoto` 0.0.1 has it bare.
fn not_verified(reason: impl std::fmt::Display) -> EntryError {
    EntryError::invalid(format!("could not verify envelope: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_protocols_example() {
        let encoded = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn names_match_without_case_and_nothing_may_follow() {
        let text = r#"{"PAYLOADTYPE":"t","payload":"eA==","x":1e999,"Payload":"cA==","payload":null,
            "Signatures":[{"SIG":"eA=="},null]}"#;
        let envelope = Envelope::parse(text).unwrap();
        assert_eq!(
            (envelope.payload_type.as_str(), envelope.payload().unwrap()),
            ("t", b"p".to_vec())
        );
        assert_eq!(envelope.signatures[0].sig, "eA==");
        assert_eq!(envelope.signatures[1..], [Signature::default()]);
        assert!(Envelope::parse(&format!("{text} x")).is_err());
        for bad in ["[]", r#"{"payload":1}"#, r#"{"signatures":{}}"#, r#"{"signatures":[1]}"#] {
            assert!(Envelope::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_tries_of_an_envelope_are_bounded() {
        use ed25519_dalek::{Signer as _, SigningKey};

        let message = pae("t", b"payload");
        let signer = SigningKey::from_bytes(&[7; 32]);
        let head = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\0";
        let spki = [&head[..], signer.verifying_key().as_bytes()].concat();
        let pem = crate::pem::encode("PUBLIC KEY", &spki);
        let valid = signer.sign(&message).to_bytes();
        let matched = |signatures: &[[u8; 64]], tries: usize| {
            let sig = |bytes: &[u8; 64]| base64::encode(bytes);
            let signatures =
                signatures.iter().map(|s| Signature { sig: sig(s), ..Default::default() });
            let envelope = Envelope { signatures: signatures.collect(), ..Default::default() };
            let keys: Vec<Key<'_>> = (0..3).map(|_| Key::new(pem.as_bytes())).collect();
            let mut message = Message::with_limit(&message, tries * message.len());
            let matched = envelope.match_keys(&keys, Rule::EveryKey, &mut message);
            matched.map_err(|error| error.to_string())
        };
        // The same key tries nothing again.
        assert_eq!(matched(&[valid, valid], 1), Ok(vec![2, 2]));
        let unmatched = "all signatures must have a key that verifies it".to_owned();
        assert_eq!(matched(&[[1; 64], [2; 64], valid], 3), Err(unmatched));
        let refusal = matched(&[[1; 64], [2; 64], valid], 2).unwrap_err();
        let start = "could not verify envelope: trying so many Ed25519 signatures on 20 bytes";
        assert!(refusal.starts_with(start), "{refusal}");
    }

    #[test]
    fn the_number_of_signatures_is_bounded() {
        let many = r#"{"sig":"eA=="},"#.repeat(MAX_SIGNATURES);
        let refused = Envelope::parse(&format!(r#"{{"signatures":[{many}{{}}]}}"#)).unwrap_err();
        assert!(refused.to_string().contains("65 signatures"), "{refused}");
    }
}
