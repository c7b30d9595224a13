//! The ASN.1 of a certificate (RFC 5280 section 4.1), borrowed from its DER.
//!
//! Border: form alone. Serial numbers may have any length and times any year, as in Rekor; what
//! the extensions say is read in `extensions.rs`.

use std::collections::BTreeSet;

use der::asn1::{AnyRef, BitStringRef, IntRef};
use der::{Decode as _, Encode as _, Sequence, Tag, Tagged as _};
use jiff::civil::DateTime;
use x509_cert::Version;
use x509_cert::ext::Extension;

use super::super::KeyError;
use super::distinguished_name;
use super::values;

/// Certificate.
#[derive(Sequence)]
struct Signed<'a> {
    tbs: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

/// TBSCertificate.
#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", default = "Default::default")]
    version: Version,
    serial: IntRef<'a>,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity<'a>,
    subject: AnyRef<'a>,
    key: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", optional = "true")]
    extensions: Option<AnyRef<'a>>,
}

/// Validity.
#[derive(Sequence)]
struct Validity<'a> {
    not_before: AnyRef<'a>,
    not_after: AnyRef<'a>,
}

/// The parts of a well-formed certificate; what is encoded stands for itself, header included.
pub(super) struct Structure<'a> {
    pub(super) version: Version,
    pub(super) tbs: Vec<u8>,
    /// AlgorithmIdentifier of the issuer's signature.
    pub(super) algorithm: AnyRef<'a>,
    pub(super) signature: &'a [u8],
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    /// SubjectPublicKeyInfo.
    pub(super) key: Vec<u8>,
    /// In UTC.
    pub(super) not_before: DateTime,
    /// In UTC.
    pub(super) not_after: DateTime,
    /// None before version 3, which brought them; whatever stands there means nothing.
    pub(super) extensions: Vec<Extension>,
}

impl<'a> Structure<'a> {
    /// Reads one DER certificate; nothing may follow it.
    ///
    /// # Errors
    /// [`KeyError::X509`] with what is wrong.
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, KeyError> {
        let signed = Signed::from_der(der).map_err(malformed)?;
        let tbs: Tbs<'a> = signed.tbs.decode_as().map_err(malformed)?;
        if signed.algorithm != tbs.signature {
            let text = "inner and outer signature algorithm identifiers don't match";
            return Err(KeyError::x509(text));
        }
        if tbs.serial.as_bytes().first().is_some_and(|top| top & 0x80 != 0) {
            return Err(KeyError::x509("negative serial number"));
        }
        distinguished_name::check(tbs.issuer)?;
        distinguished_name::check(tbs.subject)?;
        let extensions = tbs.extensions.map_or_else(|| Ok(Vec::new()), read_extensions)?;
        let extensions = match tbs.version {
            Version::V3 => extensions,
            Version::V1 | Version::V2 => Vec::new(),
        };
        let mut known = BTreeSet::new();
        if let Some(twice) = extensions.iter().find(|extension| !known.insert(extension.extn_id)) {
            let text =
                format!("certificate contains duplicate extension with OID \"{}\"", twice.extn_id);
            return Err(KeyError::x509(text));
        }
        let signature = signed.signature.as_bytes();
        Ok(Self {
            version: tbs.version,
            tbs: signed.tbs.to_der().map_err(malformed)?,
            algorithm: signed.algorithm,
            signature: signature.ok_or_else(|| KeyError::x509("malformed signature"))?,
            issuer: tbs.issuer.to_der().map_err(malformed)?,
            subject: tbs.subject.to_der().map_err(malformed)?,
            key: tbs.key.to_der().map_err(malformed)?,
            not_before: time(tbs.validity.not_before)?,
            not_after: time(tbs.validity.not_after)?,
            extensions,
        })
    }
}

fn read_extensions(list: AnyRef<'_>) -> Result<Vec<Extension>, KeyError> {
    list.tag().assert_eq(Tag::Sequence).map_err(malformed)?;
    let extensions = values::read(list.value()).enumerate().map(|(index, extension)| {
        values::check_count(index, "extensions in a certificate")?;
        extension.and_then(|extension| extension.decode_as()).map_err(malformed)
    });
    extensions.collect()
}

/// UTCTime (1950 to 2049) or GeneralizedTime, in DER's one form (RFC 5280 section 4.1.2.5): UTC, with seconds.
fn time(value: AnyRef<'_>) -> Result<DateTime, KeyError> {
    let wrong = || KeyError::x509(format!("malformed {}", value.tag()));
    let digits = value.value().strip_suffix(b"Z").ok_or_else(wrong)?;
    let year_digits = match value.tag() {
        Tag::UtcTime => 2,
        Tag::GeneralizedTime => 4,
        _ => return Err(wrong()),
    };
    if digits.len() != year_digits + 10 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(wrong());
    }
    let (year, rest) = digits.split_at(year_digits);
    let year = year.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0'));
    let year = match (year_digits, year) {
        (2, ..50) => 2000 + year,
        (2, _) => 1900 + year,
        _ => year,
    };
    let pair =
        |at: usize| (rest[at] - b'0').cast_signed() * 10 + (rest[at + 1] - b'0').cast_signed();
    DateTime::new(year, pair(0), pair(2), pair(4), pair(6), pair(8), 0).map_err(|_| wrong())
}

fn malformed(error: der::Error) -> KeyError {
    KeyError::x509(format!("malformed certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: Tag, text: &str) -> Option<String> {
        let value = AnyRef::new(tag, text.as_bytes()).unwrap();
        time(value).ok().map(|time| time.to_string())
    }

    #[test]
    fn times_are_read_from_any_year() {
        let utc = |text| read(Tag::UtcTime, text);
        assert_eq!(utc("491231235959Z").unwrap(), "2049-12-31T23:59:59");
        assert_eq!(utc("500101000000Z").unwrap(), "1950-01-01T00:00:00");
        assert_eq!(utc("690101000000Z").unwrap(), "1969-01-01T00:00:00");
        let general = |text| read(Tag::GeneralizedTime, text);
        assert_eq!(general("99991231235959Z").unwrap(), "9999-12-31T23:59:59");
        assert_eq!(general("00010101000000Z").unwrap(), "0001-01-01T00:00:00");
    }

    #[test]
    fn the_number_of_extensions_is_bounded() {
        let read = |list: &[u8]| read_extensions(AnyRef::new(Tag::Sequence, list).unwrap());
        let list = |count| read(&b"\x30\x05\x06\x01\x55\x04\0".repeat(count));
        assert_eq!(list(values::MAX_VALUES).unwrap().len(), values::MAX_VALUES);
        let refusal = list(values::MAX_VALUES + 1).unwrap_err().to_string();
        assert_eq!(refusal, "x509: more than 1024 extensions in a certificate");
        assert!(read(b"\x30\x03\x06\x01\x55").is_err());
        assert!(read_extensions(AnyRef::new(Tag::Set, b"").unwrap()).is_err());
    }

    #[test]
    fn other_forms_of_a_time_are_refused() {
        for text in [
            "",
            "Z",
            "2401010000Z",
            "240101000060Z",
            "240230000000Z",
            "230229000000Z",
            "2401010000+0Z",
        ] {
            assert_eq!(read(Tag::UtcTime, text), None, "{text}");
        }
        for text in ["20240101000000", "20240101000000.5Z", "240101000000Z", "20240101240000Z"] {
            assert_eq!(read(Tag::GeneralizedTime, text), None, "{text}");
        }
        assert_eq!(read(Tag::Utf8String, "240101000000Z"), None);
    }
}
