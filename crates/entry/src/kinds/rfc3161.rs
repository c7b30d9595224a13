//! `rfc3161` 0.0.1: a timestamp response (RFC 3161 section 2.4.2).
//!
//! Border: one kind. Verified while reading: that the token's signature holds with the
//! certificates inside it. Who issued them, when, and what was stamped is not judged, and
//! what follows the response is kept, but nobody signed it.

use serde_json::{Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Digest, Fields, Problems};
use crate::keys::cms;
use crate::{EntryError, Inputs, ProposeError};

/// Largest response in bytes.
const MAX_RESPONSE: usize = 10_240;

struct Rfc3161 {
    response: Vec<u8>,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let tsr = spec.object("tsr");
    let content = fields::bytes(tsr, "content", "tsr content")?;
    let mut problems = Problems::default();
    problems.require("tsr", tsr.is_some());
    problems.require("tsr.tsr.content", tsr.is_none() || content.is_some());
    problems.none()?;
    let response = content.ok_or_else(|| EntryError::invalid("missing tsr content"))?;
    if response.len() > MAX_RESPONSE {
        return Err(EntryError::invalid("tsr exceeds maximum allowed size (10kB)"));
    }
    cms::verify_response(&response)?;
    Ok(Box::new(Rfc3161 { response }))
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
