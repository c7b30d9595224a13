//! Names of issuers and subjects (RFC 5280 section 4.1.2.4), and the strings in them.
//!
//! Border: whether they are well formed, and the e-mail addresses in them. Names are compared byte by byte in their encoding, never here.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Tag, Tagged as _};

use super::super::KeyError;
use super::values;

/// emailAddress (RFC 2985 section 5.2.1).
const EMAIL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// Checks that the encoding is an RDNSequence whose values are strings of their type, and gives the e-mail addresses
/// among them. Sets need not be in DER's order: authorities sign them as they come.
///
/// # Errors
/// [`KeyError::X509`].
pub(super) fn emails(name: AnyRef<'_>) -> Result<Vec<String>, KeyError> {
    let mut emails = Vec::new();
    let mut seen = 0;
    let mut count = || {
        seen += 1;
        values::check_count(seen - 1, "parts in a distinguished name")
    };
    for set in parts(name, Tag::Sequence)? {
        count()?;
        for attribute in parts(set?, Tag::Set)? {
            count()?;
            let mut pair = parts(attribute?, Tag::Sequence)?;
            let (Some(key), Some(value)) = (pair.next(), pair.next()) else {
                return Err(wrong("an attribute is not a pair"));
            };
            let (key, value) = (key?, value?);
            // What follows is passed over, but well formed.
            pair.try_for_each(|more| more.map(drop))?;
            let key = key.decode_as::<ObjectIdentifier>();
            let key = key.map_err(|error| wrong(&error.to_string()))?;
            let text = text(value).filter(|_| value.tag() != Tag::GeneralString);
            let invalid = || wrong(&format!("invalid attribute value: {}", value.tag()));
            let text = text.ok_or_else(invalid)?;
            if key == EMAIL {
                emails.push(text);
            }
        }
    }
    Ok(emails)
}

/// The values inside a constructed one.
fn parts<'a>(
    value: AnyRef<'a>,
    tag: Tag,
) -> Result<impl Iterator<Item = Result<AnyRef<'a>, KeyError>>, KeyError> {
    if value.tag() != tag {
        return Err(wrong(&format!("{} instead of {tag}", value.tag())));
    }
    Ok(values::read(value.value()).map(|part| part.map_err(|error| wrong(&error.to_string()))))
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
    use der::Decode as _;

    use super::super::values::MAX_VALUES;
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
        let checked = |der: &[u8]| emails(AnyRef::from_der(der).unwrap());
        checked(b"\x30\0").unwrap();
        checked(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01a").unwrap();
        checked(b"\x31\0").unwrap_err();
        checked(b"\x30\x02\x30\0").unwrap_err();
        checked(b"\x30\x04\x31\x02\x30\0").unwrap_err();
        checked(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01@").unwrap_err();
        checked(b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x1b\x01a").unwrap_err();
        // A third value is passed over if it is one.
        checked(b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x01a\x05\0").unwrap();
        checked(b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x01a\x05\x05").unwrap_err();
        checked(b"\x30\x07\x31\x05\x30\x03\x06\x01\x55").unwrap_err();
    }

    #[test]
    fn the_number_of_parts_is_bounded() {
        let attribute = b"\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01a";
        let sets = |set: &[u8], count| {
            let name = set.repeat(count);
            let emails = emails(AnyRef::new(Tag::Sequence, &name).unwrap());
            emails.map(drop).map_err(|error| error.to_string())
        };
        sets(b"\x31\0", MAX_VALUES).unwrap();
        sets(attribute, MAX_VALUES / 2).unwrap();
        let refusal = "x509: more than 1024 parts in a distinguished name".to_owned();
        assert_eq!(sets(b"\x31\0", MAX_VALUES + 1), Err(refusal.clone()));
        assert_eq!(sets(attribute, MAX_VALUES / 2 + 1), Err(refusal));
    }
}
