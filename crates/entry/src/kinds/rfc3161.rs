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

/// TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }.
fn verify(response: &[u8]) -> Result<(), EntryError> {
    let malformed = |error: der::Error| EntryError::invalid(format!("asn1: {error}"));
    let outer = AnyRef::from_der(response).map_err(malformed)?;
    let mut fields = outer.sequence_reader().map_err(malformed)?;
    let status = AnyRef::decode(&mut fields).map_err(malformed)?;
    let status: u64 =
        status.sequence_reader().and_then(|mut status| status.decode()).map_err(malformed)?;
    if status > 1 {
        return Err(EntryError::invalid(format!("tsr status not granted: {status}")));
    }
    let token = fields.tlv_bytes().map_err(malformed)?;
    fields.finish().map_err(malformed)?;
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
