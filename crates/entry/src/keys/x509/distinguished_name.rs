//! Names of issuers and subjects (RFC 5280 section 4.1.2.4), and the strings in them.
//!
//! Border: whether they are well formed. Names are compared byte by byte in their encoding, never here.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};

use super::super::KeyError;

/// Checks that the encoding is an RDNSequence whose values are strings of their type. Sets need not be in DER's order:
/// authorities sign them as they come.
///
/// # Errors
/// [`KeyError::X509`].
pub(super) fn check(name: AnyRef<'_>) -> Result<(), KeyError> {
    for set in parts(name, Tag::Sequence)? {
        for attribute in parts(set, Tag::Set)? {
            let [key, value, ..] = parts(attribute, Tag::Sequence)?[..] else {
                return Err(wrong("an attribute is not a pair"));
            };
            key.decode_as::<ObjectIdentifier>().map_err(|error| wrong(&error.to_string()))?;
            if value.tag() == Tag::GeneralString || text(value).is_none() {
                return Err(wrong(&format!("invalid attribute value: {}", value.tag())));
            }
        }
    }
    Ok(())
}

/// The values inside a constructed one.
fn parts(value: AnyRef<'_>, tag: Tag) -> Result<Vec<AnyRef<'_>>, KeyError> {
    if value.tag() != tag {
        return Err(wrong(&format!("{} instead of {tag}", value.tag())));
    }
    let read = || {
        let mut reader = SliceReader::new(value.value())?;
        let mut parts = Vec::new();
        while !reader.is_finished() {
            parts.push(AnyRef::decode(&mut reader)?);
        }
        Ok(parts)
    };
    read().map_err(|error: der::Error| wrong(&error.to_string()))
}

/// The text of an ASN.1 string; nothing if a character is foreign to the string's type, or the type is none of those that
/// certificates hold.
pub(super) fn text(value: AnyRef<'_>) -> Option<String> {
    let bytes = value.value();
    let ascii = |allowed: fn(u8) -> bool| {
        let good = bytes.iter().all(|byte| allowed(*byte));
        good.then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
    };
    match value.tag() {
        // * and & do not belong there, but authorities use them.
        Tag::PrintableString => {
            ascii(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte))
        }
        Tag::NumericString => ascii(|byte| byte.is_ascii_digit() || byte == b' '),
        Tag::Ia5String => ascii(|byte| byte.is_ascii()),
        // Read as Latin-1, which is what they hold in practice.
        Tag::TeletexString | Tag::GeneralString => ascii(|_| true),
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::BmpString => {
            let (pairs, odd) = bytes.as_chunks::<2>();
            // Two bytes are one character: no surrogates.
            let characters =
                pairs.iter().map(|pair| char::from_u32(u16::from_be_bytes(*pair).into()));
            if odd.is_empty() { characters.collect() } else { None }
        }
        _ => None,
    }
}

fn wrong(what: &str) -> KeyError {
    KeyError::x509(format!("invalid RDNSequence: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: Tag, bytes: &[u8]) -> Option<String> {
        text(AnyRef::new(tag, bytes).unwrap())
    }

    #[test]
    fn strings_hold_the_characters_of_their_type() {
        assert_eq!(read(Tag::PrintableString, b"A & b*c").as_deref(), Some("A & b*c"));
        assert_eq!(read(Tag::NumericString, b"1 2").as_deref(), Some("1 2"));
        assert_eq!(read(Tag::Ia5String, b"a@b_c").as_deref(), Some("a@b_c"));
        assert_eq!(read(Tag::TeletexString, b"\xe9").as_deref(), Some("é"));
        assert_eq!(read(Tag::GeneralString, b"a").as_deref(), Some("a"));
        assert_eq!(read(Tag::Utf8String, "é".as_bytes()).as_deref(), Some("é"));
        assert_eq!(read(Tag::BmpString, b"\0\xe9").as_deref(), Some("é"));
        for (tag, bytes) in [
            (Tag::PrintableString, &b"a@b"[..]),
            (Tag::PrintableString, b"a_b"),
            (Tag::NumericString, b"a"),
            (Tag::Ia5String, b"\xe9"),
            (Tag::Utf8String, b"\xff"),
            (Tag::BmpString, b"\0"),
            (Tag::BmpString, b"\xd8\0"),
            (Tag::VisibleString, b"a"),
            (Tag::OctetString, b"a"),
        ] {
            assert_eq!(read(tag, bytes), None, "{tag} {bytes:?}");
        }
    }

    #[test]
    fn names_are_sets_of_pairs() {
        let checked = |der: &[u8]| check(AnyRef::from_der(der).unwrap());
        checked(b"\x30\0").unwrap();
        checked(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01a").unwrap();
        checked(b"\x31\0").unwrap_err();
        checked(b"\x30\x02\x30\0").unwrap_err();
        checked(b"\x30\x04\x31\x02\x30\0").unwrap_err();
        checked(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01@").unwrap_err();
        checked(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x1b\x01a").unwrap_err();
    }
}
