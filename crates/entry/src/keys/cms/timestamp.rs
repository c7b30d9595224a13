//! Timestamps (RFC 3161 section 2.4.2): the response that an authority sends, and what a token speaks about.
//!
//! Border: the response around a token, and the digest inside it. The token itself is signed data like any other.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

use super::super::{DigestAlgorithm, KeyError};
use super::algorithm::digest_algorithm;
use super::{Fields, SIGNED_DATA, SignedData, malformed};

/// Verifies a granted response's token with the certificates inside it.
///
/// TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }. As in Rekor anything may
/// follow response and token; nobody signed it.
///
/// # Errors
/// [`KeyError::Invalid`]: not DER, a status other than granted, a token that does not verify.
pub(crate) fn verify_response(response: &[u8]) -> Result<(), KeyError> {
    let malformed = |error: der::Error| KeyError::invalid(format!("asn1: {error}"));
    let mut reader = SliceReader::new(response).map_err(malformed)?;
    let mut fields = AnyRef::decode(&mut reader).and_then(sequence).map_err(malformed)?;
    let status = AnyRef::decode(&mut fields).and_then(sequence);
    let status: u64 = status.and_then(|mut status| status.decode()).map_err(malformed)?;
    if status > 1 {
        return Err(KeyError::invalid(format!("tsr status not granted: {status}")));
    }
    let token = fields.tlv_bytes().map_err(malformed)?;
    let content_type: ObjectIdentifier =
        AnyRef::from_der(token).and_then(|token| sequence(token)?.decode()).map_err(malformed)?;
    if content_type != SIGNED_DATA {
        return Err(KeyError::invalid(format!("tsr wrong content type: {content_type}")));
    }
    SignedData::from_der(token)
        .and_then(|token| token.verify(None))
        .map_err(|error| KeyError::invalid(format!("tsr verification error: {error}")))
}

/// The fields of a SEQUENCE.
fn sequence(value: AnyRef<'_>) -> der::Result<SliceReader<'_>> {
    value.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(value.value())
}

/// What a token's content (TSTInfo) speaks about.
pub(super) fn message_imprint(token: &[u8]) -> Result<(DigestAlgorithm, &[u8]), KeyError> {
    let mut token = Fields::of(token, Tag::Sequence)?;
    token.next(Tag::Integer)?;
    token.next(Tag::ObjectIdentifier)?;
    let mut imprint = Fields::of(token.next(Tag::Sequence)?, Tag::Sequence)?;
    let algorithm = digest_algorithm(imprint.next(Tag::Sequence)?)?;
    let digest = AnyRef::from_der(imprint.next(Tag::OctetString)?).map_err(malformed)?;
    Ok((algorithm, digest.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] = include_bytes!("../../../tests/fixtures/rfc3161/prime256v1.tsr");

    #[test]
    fn anything_may_follow_a_response() {
        let mut response = RESPONSE.to_vec();
        response.push(1);
        assert_eq!(verify_response(&response), Ok(()));
        response.resize(10_240, 0);
        assert_eq!(verify_response(&response), Ok(()));
        assert!(verify_response(&RESPONSE[..RESPONSE.len() - 1]).is_err());
    }

    #[test]
    fn a_response_is_granted_and_holds_signed_data() {
        for (response, reason) in [
            ("0400", "asn1: "),
            ("30053003020101", "asn1: "),
            ("30053003020102", "tsr status not granted: 2"),
            ("300c3003020100300506032a0304", "tsr wrong content type: 1.2.3.4"),
        ] {
            let response = hex::decode(response).unwrap();
            let refused = verify_response(&response).unwrap_err().to_string();
            assert!(refused.starts_with(reason), "{refused}, not {reason}");
        }
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
            assert_eq!(verify_response(&response).unwrap_err().to_string(), reason);
        }
    }
}
