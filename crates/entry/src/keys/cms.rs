//! CMS signed data (RFC 5652 section 5, PKCS #7 before it): reading it without losing a
//! byte, verifying its signers, and writing it without its content.
//!
//! Border: the container and its signatures. Certificates are taken from the container
//! and not judged: no chain, no purpose, no time, as in Rekor. What the content means is
//! the caller's affair. DER only.

mod algorithm;
mod signer;
mod timestamp;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber};

use super::KeyError;
use super::x509::Certificate;
use signer::SignerInfo;
pub(crate) use timestamp::verify_response;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// Signers that one container may have; each costs a verification.
const MAX_SIGNERS: usize = 16;
/// Certificates that one container may have.
const MAX_CERTIFICATES: usize = 64;

/// Signed data, borrowed from the DER that it was read from.
#[derive(Debug)]
pub(crate) struct SignedData<'a> {
    version: &'a [u8],
    digest_algorithms: Vec<&'a [u8]>,
    content_type: &'a [u8],
    content: Option<&'a [u8]>,
    certificates: Vec<&'a [u8]>,
    certificates_field: Option<&'a [u8]>,
    crls_field: Option<&'a [u8]>,
    signers: Vec<&'a [u8]>,
}

impl<'a> SignedData<'a> {
    /// Reads a ContentInfo that holds signed data; zero bytes may follow it.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: not DER, another content type, more than 16 signers or 64
    /// certificates.
    pub(crate) fn from_der(der: &'a [u8]) -> Result<Self, KeyError> {
        let mut reader = SliceReader::new(der).map_err(malformed)?;
        let outer = reader.tlv_bytes().map_err(malformed)?;
        if der[outer.len()..].iter().any(|byte| *byte != 0) {
            return Err(KeyError::invalid("pkcs7: trailing garbage after PKCS#7 structure"));
        }
        let mut content_info = Fields::of(outer, Tag::Sequence)?;
        let content_type = oid(content_info.next(Tag::ObjectIdentifier)?)?;
        if content_type != SIGNED_DATA {
            return Err(KeyError::invalid(format!("pkcs7: content type {content_type}")));
        }
        let mut explicit = Fields::of(content_info.next(context(0))?, context(0))?;
        content_info.end()?;
        let signed_data = explicit.next(Tag::Sequence)?;
        explicit.end()?;
        Self::read(Fields::of(signed_data, Tag::Sequence)?)
    }

    fn read(mut fields: Fields<'a>) -> Result<Self, KeyError> {
        let version = fields.next(Tag::Integer)?;
        let digest_algorithms = Fields::of(fields.next(Tag::Set)?, Tag::Set)?.all(MAX_SIGNERS)?;
        let mut encapsulated = Fields::of(fields.next(Tag::Sequence)?, Tag::Sequence)?;
        let content_type = encapsulated.next(Tag::ObjectIdentifier)?;
        let content = match encapsulated.optional(context(0))? {
            None => None,
            Some(explicit) => {
                let mut explicit = Fields::of(explicit, context(0))?;
                let content = explicit.any()?;
                explicit.end()?;
                Some(AnyRef::from_der(content).map_err(malformed)?.value())
            }
        };
        encapsulated.end()?;
        let certificates_field = fields.optional(context(0))?;
        let certificates = match certificates_field {
            Some(field) => Fields::of(field, context(0))?.all(MAX_CERTIFICATES)?,
            None => Vec::new(),
        };
        let crls_field = fields.optional(context(1))?;
        let signers = Fields::of(fields.next(Tag::Set)?, Tag::Set)?.all(MAX_SIGNERS)?;
        fields.end()?;
        Ok(Self {
            version,
            digest_algorithms,
            content_type,
            content,
            certificates,
            certificates_field,
            crls_field,
            signers,
        })
    }

    /// The encapsulated content's octets.
    pub(crate) fn content(&self) -> Option<&'a [u8]> {
        self.content
    }

    /// The first certificate, which need not be a signer's.
    pub(crate) fn first_certificate(&self) -> Option<&'a [u8]> {
        self.certificates.first().copied()
    }

    /// The certificates that signers are verified with, each once. Nothing is verified here.
    ///
    /// # Errors
    /// [`KeyError`]: a signer without its certificate.
    pub(crate) fn signer_certificates(&self) -> Result<Vec<Certificate>, KeyError> {
        let mut found: Vec<Certificate> = Vec::new();
        for signer in &self.signers {
            let certificate = SignerInfo::from_der(signer)?.certificate(&self.certificates)?;
            if found.iter().all(|other| other.der() != certificate.der()) {
                found.push(certificate);
            }
        }
        Ok(found)
    }

    /// Verifies every signer over the content, be it encapsulated or `external`, and the
    /// timestamp that a signer may carry.
    ///
    /// # Errors
    /// [`KeyError`]: no signer, no content or two different ones, a signer without its
    /// certificate, a digest or signature that does not match.
    pub(crate) fn verify(&self, external: Option<&[u8]>) -> Result<(), KeyError> {
        let content = match (self.content, external) {
            (Some(inner), Some(outer)) if inner != outer => {
                let text = "pkcs7: internal and external content were both provided but are not \
                            equal";
                return Err(KeyError::invalid(text));
            }
            (Some(content), _) | (None, Some(content)) => content,
            (None, None) => return Err(KeyError::invalid("pkcs7: missing content")),
        };
        if self.signers.is_empty() {
            return Err(KeyError::invalid("pkcs7: no signers"));
        }
        for signer in &self.signers {
            let signer = SignerInfo::from_der(signer)?;
            signer.verify(content, &self.certificates)?;
            signer.verify_timestamp()?;
        }
        Ok(())
    }

    /// The same container without its content: everything else byte for byte, the two
    /// sets in DER's order.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for more than 256 MiB.
    pub(crate) fn to_detached_der(&self) -> Result<Vec<u8>, KeyError> {
        let sorted = |items: &[&[u8]]| {
            let mut items = items.to_vec();
            items.sort_unstable();
            items.concat()
        };
        let signed_data = [
            self.version,
            &tlv(Tag::Set, &sorted(&self.digest_algorithms))?,
            &tlv(Tag::Sequence, self.content_type)?,
            self.certificates_field.unwrap_or_default(),
            self.crls_field.unwrap_or_default(),
            &tlv(Tag::Set, &sorted(&self.signers))?,
        ];
        let signed_data = tlv(Tag::Sequence, &signed_data.concat())?;
        let content_type = SIGNED_DATA.to_der().map_err(malformed)?;
        tlv(Tag::Sequence, &[content_type, tlv(context(0), &signed_data)?].concat())
    }
}

/// The elements of a constructed value, each as its whole encoding.
struct Fields<'a>(SliceReader<'a>);

impl<'a> Fields<'a> {
    fn of(encoding: &'a [u8], tag: Tag) -> Result<Self, KeyError> {
        let value = AnyRef::from_der(encoding).map_err(malformed)?;
        if der::Tagged::tag(&value) != tag {
            return Err(KeyError::invalid(format!("pkcs7: a {tag} is missing")));
        }
        Ok(Self(SliceReader::new(value.value()).map_err(malformed)?))
    }

    fn any(&mut self) -> Result<&'a [u8], KeyError> {
        self.0.tlv_bytes().map_err(malformed)
    }

    fn next(&mut self, tag: Tag) -> Result<&'a [u8], KeyError> {
        let found = self.optional(tag)?;
        found.ok_or_else(|| KeyError::invalid(format!("pkcs7: a {tag} is missing")))
    }

    fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, KeyError> {
        if self.0.is_finished() || Tag::peek(&self.0).map_err(malformed)? != tag {
            return Ok(None);
        }
        self.any().map(Some)
    }

    fn all(mut self, limit: usize) -> Result<Vec<&'a [u8]>, KeyError> {
        let mut all = Vec::new();
        while !self.0.is_finished() {
            if all.len() == limit {
                let text = format!("pkcs7: more than {limit} signers or certificates");
                return Err(KeyError::invalid(text));
            }
            all.push(self.any()?);
        }
        Ok(all)
    }

    fn end(self) -> Result<(), KeyError> {
        self.0.finish().map_err(malformed)
    }
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

fn oid(encoding: &[u8]) -> Result<ObjectIdentifier, KeyError> {
    ObjectIdentifier::from_der(encoding).map_err(malformed)
}

fn tlv(tag: Tag, value: &[u8]) -> Result<Vec<u8>, KeyError> {
    AnyRef::new(tag, value).and_then(|any| any.to_der()).map_err(malformed)
}

fn malformed(error: der::Error) -> KeyError {
    KeyError::invalid(format!("pkcs7: {error}"))
}
