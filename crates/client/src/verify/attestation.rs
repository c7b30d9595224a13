//! Attestations: the payload that a server keeps beside an entry.
//!
//! Border: whether its digest is the one in the entry's body. The log signs the
//! body only, so an attestation without such a digest is just the server's word.

use entry::{Kind, StoredBody};
use sha2::{Digest as _, Sha256};
use wire::EntryBody;

use super::VerifyError;

/// What is proven about an attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationProof {
    /// None came with the entry.
    Absent,
    /// It has the digest that the entry's body names.
    Proven(Vec<u8>),
    /// The body names no digest of a payload (old `intoto` entries): the server's word.
    Unproven(Vec<u8>),
}

impl AttestationProof {
    /// The bytes, if the entry's body proves them.
    #[must_use]
    pub fn proven(&self) -> Option<&[u8]> {
        match self {
            Self::Proven(data) => Some(data),
            Self::Absent | Self::Unproven(_) => None,
        }
    }

    /// The bytes, proven or not.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        match self {
            Self::Proven(data) | Self::Unproven(data) => Some(data),
            Self::Absent => None,
        }
    }
}

pub(super) fn check(body: &EntryBody) -> Result<AttestationProof, VerifyError> {
    let Some(attestation) = &body.attestation else { return Ok(AttestationProof::Absent) };
    let data = attestation.data.as_ref().map_or(&[][..], |data| &data.0);
    let foreign = |reason: String| VerifyError::Attestation(reason);
    let stored = StoredBody::parse(&body.body.0).map_err(|error| foreign(error.to_string()))?;
    let at = match stored.kind {
        Kind::Dsse => "/payloadHash/value",
        Kind::Intoto => "/content/payloadHash/value",
        Kind::Cose => "/data/envelopeHash/value",
        kind => return Err(foreign(format!("{kind} entries have none"))),
    };
    let Some(named) = stored.spec.pointer(at).and_then(serde_json::Value::as_str) else {
        return Ok(AttestationProof::Unproven(data.to_vec()));
    };
    let computed = hex::encode(Sha256::digest(data));
    if computed.eq_ignore_ascii_case(named) {
        return Ok(AttestationProof::Proven(data.to_vec()));
    }
    Err(foreign(format!("its digest is {computed}, the entry names {named:?}")))
}

#[cfg(test)]
mod tests {
    use wire::{AttestationData, Base64};

    use super::*;

    fn body(spec: &str, kind: &str, data: &[u8]) -> EntryBody {
        let leaf = format!(r#"{{"apiVersion":"0.0.1","kind":"{kind}","spec":{spec}}}"#);
        EntryBody {
            attestation: Some(AttestationData { data: Some(Base64(data.to_vec())) }),
            body: Base64(leaf.into_bytes()),
            integrated_time: 0,
            log_id: String::new(),
            log_index: 0,
            verification: None,
        }
    }

    #[test]
    fn only_the_named_payload_is_proven() {
        let digest = hex::encode(Sha256::digest(b"payload"));
        let spec = format!(r#"{{"payloadHash":{{"algorithm":"sha256","value":"{digest}"}}}}"#);
        let proven = check(&body(&spec, "dsse", b"payload")).unwrap();
        assert_eq!(proven, AttestationProof::Proven(b"payload".to_vec()));
        let other = check(&body(&spec, "dsse", b"Payload"));
        let named = format!("the entry names {digest:?}");
        assert!(other.unwrap_err().to_string().ends_with(&named));
        let legacy = check(&body(r#"{"content":{}}"#, "intoto", b"payload")).unwrap();
        assert_eq!(legacy.proven(), None);
        assert_eq!(legacy.data(), Some(&b"payload"[..]));
        let foreign = check(&body(&spec, "hashedrekord", b"payload"));
        assert!(matches!(foreign, Err(VerifyError::Attestation(_))), "{foreign:?}");
        let mut none = body(&spec, "hashedrekord", b"");
        none.attestation = None;
        assert_eq!(check(&none).unwrap(), AttestationProof::Absent);
    }
}
