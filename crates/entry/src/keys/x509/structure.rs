//! The ASN.1 of a certificate (RFC 5280 section 4.1), borrowed from its DER.
//!
//! Border: form alone. Serial numbers may have any length and times any year, as in Rekor; what
//! the extensions say is read in `extensions.rs`.

use std::collections::BTreeSet;

use der::asn1::{AnyRef, BitStringRef, ContextSpecific, IntRef};
use der::{Decode as _, Encode as _, Sequence, SliceReader, Tag, TagNumber, Tagged as _};
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
    /// The e-mail addresses in the subject's name.
    pub(super) emails: Vec<String>,
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
        let misshapen = |error| malformed_start(der).unwrap_or_else(|| malformed(error));
        let signed = Signed::from_der(der).map_err(misshapen)?;
        let tbs: Tbs<'a> = signed.tbs.decode_as().map_err(misshapen)?;
        if signed.algorithm != tbs.signature {
            let text = "inner and outer signature algorithm identifiers don't match";
            return Err(KeyError::x509(text));
        }
        if tbs.serial.as_bytes().first().is_some_and(|top| top & 0x80 != 0) {
            return Err(KeyError::x509("negative serial number"));
        }
        distinguished_name::emails(tbs.issuer)?;
        let emails = distinguished_name::emails(tbs.subject)?;
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
            emails,
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

/// Where something that is no certificate ends to look like one, as Rekor tells it: a public key
/// has no serial number.
fn malformed_start(der: &[u8]) -> Option<KeyError> {
    fn sequence(value: AnyRef<'_>) -> der::Result<SliceReader<'_>> {
        value.tag().assert_eq(Tag::Sequence)?;
        SliceReader::new(value.value())
    }
    let tbs = AnyRef::from_der(der).and_then(sequence);
    let tbs = tbs.and_then(|mut certificate| AnyRef::decode(&mut certificate)).ok()?;
    let Ok(mut tbs) = sequence(tbs) else {
        return Some(KeyError::x509("malformed tbs certificate"));
    };
    let version = ContextSpecific::<Version>::decode_explicit(&mut tbs, TagNumber(0));
    if version.is_err() {
        return Some(KeyError::x509("malformed version"));
    }
    let serial = IntRef::decode(&mut tbs);
    serial.is_err().then(|| KeyError::x509("malformed serial number"))
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
    fn what_is_no_certificate_is_told_by_where_it_ends_to_look_like_one() {
        for (encoding, reason) in [
            ("", "malformed certificate"),
            ("0400", "malformed certificate"),
            ("3003020101", "malformed tbs certificate"),
            // The beginning of a public key: an algorithm.
            ("3007300506032a0304", "malformed serial number"),
            ("30073005a003020105", "malformed version"),
            ("30073005a003020102", "malformed serial number"),
            ("30053003020101", "malformed certificate"),
        ] {
            let encoding = hex::decode(encoding).unwrap();
            let refusal = Structure::from_der(&encoding).err().unwrap().to_string();
            assert!(refusal.starts_with(&format!("x509: {reason}")), "{refusal}, not {reason}");
        }
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
