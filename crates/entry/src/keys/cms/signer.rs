//! One signer of CMS signed data (RFC 5652 section 5.3) and its timestamp (RFC 3161
//! appendix A).
//!
//! Border: one signature over one content with one certificate of the container.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Tag};

use super::super::x509::Certificate;
use super::super::{DigestAlgorithm, KeyError};
use super::algorithm::{Scheme, digest_algorithm};
use super::timestamp::message_imprint;
use super::{Fields, SignedData, context, malformed, oid, tlv};

const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const TIMESTAMP_TOKEN: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.14");
/// Attributes that one signer may have.
const MAX_ATTRIBUTES: usize = 64;

/// A signer, borrowed from the container's DER.
#[derive(Debug)]
pub(super) struct SignerInfo<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
    digest: DigestAlgorithm,
    signed: Option<Attributes<'a>>,
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
    unsigned: Option<Attributes<'a>>,
}

impl<'a> SignerInfo<'a> {
    pub(super) fn from_der(encoding: &'a [u8]) -> Result<Self, KeyError> {
        let mut fields = Fields::of(encoding, Tag::Sequence)?;
        fields.next(Tag::Integer)?;
        let signer = fields.optional(Tag::Sequence)?.ok_or_else(|| {
            KeyError::invalid("pkcs7: the signer is not named by issuer and serial number")
        })?;
        let mut signer = Fields::of(signer, Tag::Sequence)?;
        let (issuer, serial) = (signer.next(Tag::Sequence)?, signer.next(Tag::Integer)?);
        signer.end()?;
        let digest = digest_algorithm(fields.next(Tag::Sequence)?)?;
        let signed = fields.optional(context(0))?.map(|field| Attributes::read(field, 0));
        let signature_algorithm = fields.next(Tag::Sequence)?;
        let signature = fields.next(Tag::OctetString)?;
        let unsigned = fields.optional(context(1))?.map(|field| Attributes::read(field, 1));
        fields.end()?;
        Ok(Self {
            issuer,
            serial,
            digest,
            signed: signed.transpose()?,
            signature_algorithm,
            signature: AnyRef::from_der(signature).map_err(malformed)?.value(),
            unsigned: unsigned.transpose()?,
        })
    }

    /// Verifies the signature over the content.
    pub(super) fn verify(&self, content: &[u8], certificates: &[&[u8]]) -> Result<(), KeyError> {
        let mut digest = self.digest.digest(content);
        if let Some(attributes) = &self.signed {
            let claimed = attributes.only(MESSAGE_DIGEST)?;
            let claimed = claimed.ok_or_else(|| KeyError::invalid("pkcs7: no message digest"))?;
            if AnyRef::from_der(claimed).map_err(malformed)?.value() != digest {
                return Err(KeyError::invalid("pkcs7: content digest does not match"));
            }
            digest = self.digest.digest(&tlv(Tag::Set, attributes.value)?);
        }
        self.verify_digest(&digest, &self.certificate(certificates)?)
    }

    /// The first certificate of this issuer and serial number.
    pub(super) fn certificate(&self, certificates: &[&[u8]]) -> Result<Certificate, KeyError> {
        let is_signers = |certificate: &&&[u8]| {
            name_and_number(certificate)
                .is_ok_and(|(issuer, serial)| issuer == self.issuer && serial == self.serial)
        };
        let found = certificates.iter().find(is_signers);
        let found =
            found.ok_or_else(|| KeyError::invalid("pkcs7: certificate missing from signedData"))?;
        Certificate::from_der(found.to_vec())
    }

    fn verify_digest(&self, digest: &[u8], certificate: &Certificate) -> Result<(), KeyError> {
        let key = certificate.public_key();
        let scheme = Scheme::read(self.signature_algorithm, self.digest)?;
        match (scheme, key.as_rsa(), key.as_ecdsa()) {
            (Scheme::Pkcs1, Some(rsa), _) => rsa.verify_pkcs1(self.digest, digest, self.signature),
            (Scheme::Pss { salt }, Some(rsa), _) => {
                rsa.verify_pss_with_salt(self.digest, digest, salt, self.signature)
            }
            (Scheme::Ecdsa, _, Some(ecdsa)) if ecdsa.verify_der(digest, self.signature) => Ok(()),
            (Scheme::Ecdsa, _, Some(_)) => Err(KeyError::EcdsaDer),
            _ => Err(KeyError::invalid("incorrect key type for signature")),
        }
    }

    /// Verifies the timestamp over the signature, if there is one.
    pub(super) fn verify_timestamp(&self) -> Result<(), KeyError> {
        let token = self.unsigned.as_ref().map(|attributes| attributes.only(TIMESTAMP_TOKEN));
        let Some(token) = token.transpose()?.flatten() else { return Ok(()) };
        let wrong = |error| KeyError::invalid(format!("pkcs9: timestamp: {error}"));
        let token = SignedData::from_der(token).map_err(wrong)?;
        if token
            .signers
            .iter()
            .any(|signer| SignerInfo::from_der(signer).is_ok_and(|signer| signer.has_timestamp()))
        {
            // A timestamp on the timestamp would make this recursive.
            return Err(wrong(KeyError::invalid("a timestamp carries a timestamp")));
        }
        token.verify(None).map_err(wrong)?;
        let (algorithm, imprint) =
            message_imprint(token.content().unwrap_or_default()).map_err(wrong)?;
        if algorithm.digest(self.signature) != imprint {
            return Err(wrong(KeyError::invalid("message imprint does not match the signature")));
        }
        Ok(())
    }

    fn has_timestamp(&self) -> bool {
        self.unsigned.as_ref().is_some_and(|a| !matches!(a.only(TIMESTAMP_TOKEN), Ok(None)))
    }
}

/// A set of attributes (RFC 5652 section 5.3).
#[derive(Debug)]
struct Attributes<'a> {
    /// The attributes' encodings, without the set's header.
    value: &'a [u8],
    number: u32,
    field: &'a [u8],
}

impl<'a> Attributes<'a> {
    fn read(field: &'a [u8], number: u32) -> Result<Self, KeyError> {
        let value = AnyRef::from_der(field).map_err(malformed)?.value();
        Ok(Self { value, number, field })
    }

    /// The only value of the attribute, if it is there.
    fn only(&self, wanted: ObjectIdentifier) -> Result<Option<&'a [u8]>, KeyError> {
        for attribute in Fields::of(self.field, context(self.number))?.all(MAX_ATTRIBUTES)? {
            let mut attribute = Fields::of(attribute, Tag::Sequence)?;
            if oid(attribute.next(Tag::ObjectIdentifier)?)? != wanted {
                continue;
            }
            let mut values = Fields::of(attribute.next(Tag::Set)?, Tag::Set)?;
            let value = values.any()?;
            values.end()?;
            return Ok(Some(value));
        }
        Ok(None)
    }
}

/// Issuer and serial number of a certificate (RFC 5280 section 4.1), as encoded.
fn name_and_number(certificate: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let mut certificate = Fields::of(certificate, Tag::Sequence)?;
    let mut tbs = Fields::of(certificate.next(Tag::Sequence)?, Tag::Sequence)?;
    tbs.optional(context(0))?;
    let serial = tbs.next(Tag::Integer)?;
    tbs.next(Tag::Sequence)?;
    Ok((tbs.next(Tag::Sequence)?, serial))
}
