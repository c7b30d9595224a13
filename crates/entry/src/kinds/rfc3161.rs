//! `rfc3161` 0.0.1: a timestamp response (RFC 3161 section 2.4.2).
//!
//! Border: one kind. Verified while reading: that the token's signature holds with the
//! certificates inside it. Who issued them, when, and what was stamped is not judged.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{Digest, Fields, Problems};
use crate::keys::cms::SignedData;
use crate::{EntryError, Inputs, ProposeError};

/// Largest response in bytes.
const MAX_RESPONSE: usize = 10_240;
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

struct Rfc3161 {
    response: Vec<u8>,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let tsr = spec.object("tsr");
    let content = match tsr {
        Some(tsr) => tsr.bytes("content", "tsr content")?,
        None => None,
    };
    let mut problems = Problems::default();
    problems.require("tsr", tsr.is_some());
    problems.require("tsr.tsr.content", tsr.is_none() || content.is_some());
    problems.none()?;
    let response = content.ok_or_else(|| EntryError::invalid("missing tsr content"))?;
    if response.len() > MAX_RESPONSE {
        return Err(EntryError::invalid("tsr exceeds maximum allowed size (10kB)"));
    }
    verify(&response)?;
    Ok(Box::new(Rfc3161 { response }))
}

/// TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }. As in
/// Rekor anything may follow response and token; it is kept, but nobody signed it.
fn verify(response: &[u8]) -> Result<(), EntryError> {
    let malformed = |error: der::Error| EntryError::invalid(format!("asn1: {error}"));
    let mut reader = SliceReader::new(response).map_err(malformed)?;
    let outer = AnyRef::decode(&mut reader).map_err(malformed)?;
    let mut fields = outer.sequence_reader().map_err(malformed)?;
    let status = AnyRef::decode(&mut fields).map_err(malformed)?;
    let status: u64 =
        status.sequence_reader().and_then(|mut status| status.decode()).map_err(malformed)?;
    if status > 1 {
        return Err(EntryError::invalid(format!("tsr status not granted: {status}")));
    }
    let token = fields.tlv_bytes().map_err(malformed)?;
    let content_type: ObjectIdentifier = AnyRef::from_der(token)
        .and_then(|token| token.sequence_reader()?.decode())
        .map_err(malformed)?;
    if content_type != SIGNED_DATA {
        return Err(EntryError::invalid(format!("tsr wrong content type: {content_type}")));
    }
    SignedData::from_der(token)
        .and_then(|token| token.verify(None))
        .map_err(|error| EntryError::invalid(format!("tsr verification error: {error}")))
}

/// The fields of a SEQUENCE.
trait SequenceReader<'a> {
    fn sequence_reader(&self) -> der::Result<SliceReader<'a>>;
}

impl<'a> SequenceReader<'a> for AnyRef<'a> {
    fn sequence_reader(&self) -> der::Result<SliceReader<'a>> {
        self.tag().assert_eq(Tag::Sequence)?;
        SliceReader::new(self.value())
    }
}

impl Evidence for Rfc3161 {
    fn insertable(&self) -> Result<(), EntryError> {
        // The stored form is a whole proposal (a duplicate).
        Ok(())
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let spec = json!({ "tsr": { "content": base64::encode(&self.response) } });
        let index_keys = vec![Digest::sha256(&self.response).index_key()];
        Ok(Canonical { spec, index_keys, payload: None })
    }
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    Ok(json!({ "tsr": { "content": base64::encode(inputs.artifact()?) } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] = include_bytes!("../../tests/fixtures/rfc3161/prime256v1.tsr");

    #[test]
    fn anything_may_follow_a_response_up_to_its_largest_size() {
        let mut response = RESPONSE.to_vec();
        response.push(1);
        assert!(verify(&response).is_ok());
        response.resize(MAX_RESPONSE, 0);
        assert!(verify(&response).is_ok());
        assert!(verify(&response[..RESPONSE.len() - 1]).is_err());
    }

    #[test]
    fn a_signature_under_another_algorithms_name_is_refused() {
        // ecdsa-with-SHA256, whose last use is the signer's.
        let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        let at = memchr::memmem::rfind(RESPONSE, &oid).unwrap() + oid.len() - 1;
        for (last, reason) in [
            (4, "tsr verification error: signature type does not match digest type"),
            (9, "tsr verification error: unsupported public key algorithm"),
        ] {
            let mut response = RESPONSE.to_vec();
            response[at] = last;
            assert_eq!(verify(&response).unwrap_err().to_string(), reason);
        }
    }
}
