//! Headers of a COSE message (RFC 9052 section 3, RFC 9338): the rules for the parameters that the reference knows.
//!
//! Border: a protected and an unprotected header. What they promise about the signature is not checked here.

use std::collections::HashSet;

use super::cbor::{ARRAY, BYTES, Item, Reader, Tags};

/// The parameters of a header that somebody asks for.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    pub(super) algorithm: Option<Label<'a>>,
    /// If it is text.
    pub(super) content_type: Option<&'a str>,
    labels: HashSet<Label<'a>>,
}

/// What names a parameter, or an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Label<'a> {
    Int(i64),
    Text(&'a str),
}

const ALGORITHM: Label<'_> = Label::Int(1);
const CRITICAL: Label<'_> = Label::Int(2);
const CONTENT_TYPE: Label<'_> = Label::Int(3);
const KEY_ID: Label<'_> = Label::Int(4);
const IV: Label<'_> = Label::Int(5);
const PARTIAL_IV: Label<'_> = Label::Int(6);
const COUNTERSIGNATURE: Label<'_> = Label::Int(7);
const COUNTERSIGNATURE_0: Label<'_> = Label::Int(9);
const COUNTERSIGNATURE_V2: Label<'_> = Label::Int(11);
const COUNTERSIGNATURE_0_V2: Label<'_> = Label::Int(12);
const TYPE: Label<'_> = Label::Int(16);

const NOT_ALLOWED: &str = "header parameter: not allowed";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Protected,
    Unprotected,
}

/// Reads the byte string of the protected header and the map of the unprotected one. Returns the encoded and the read
/// protected header; of the other one only whether it has any parameter.
pub(super) fn read_both<'a>(
    reader: &mut Reader<'a>,
) -> Result<(&'a [u8], Header<'a>, bool), &'static str> {
    let encoded = reader.bytes()?;
    let mut protected = Header::default();
    if !encoded.is_empty() {
        let mut inner = Reader::new(encoded, Tags::Allowed);
        protected = Header::read(&mut inner, Side::Protected)?;
        inner.end()?;
    }
    let unprotected = Header::read(reader, Side::Unprotected)?;
    let has = |label| protected.labels.contains(&label) || unprotected.labels.contains(&label);
    if has(IV) && has(PARTIAL_IV) {
        return Err("IV and PartialIV parameters must not both be present");
    }
    Ok((encoded, protected, !unprotected.labels.is_empty()))
}

impl<'a> Header<'a> {
    fn read(reader: &mut Reader<'a>, side: Side) -> Result<Self, &'static str> {
        let mut header = Self::default();
        let mut critical = Vec::new();
        for _ in 0..reader.map()? {
            let label =
                label(reader.item()?).ok_or("cbor: header label: require int / tstr type")?;
            if !header.labels.insert(label) {
                return Err("cbor: found duplicate map key");
            }
            match (label, side) {
                (CRITICAL, Side::Protected) => critical = read_critical(reader)?,
                (CRITICAL, Side::Unprotected) => return Err(NOT_ALLOWED),
                (
                    COUNTERSIGNATURE
                    | COUNTERSIGNATURE_0
                    | COUNTERSIGNATURE_V2
                    | COUNTERSIGNATURE_0_V2,
                    Side::Protected,
                ) => return Err(NOT_ALLOWED),
                (COUNTERSIGNATURE | COUNTERSIGNATURE_V2, _) => read_countersignatures(reader)?,
                (KEY_ID | IV | PARTIAL_IV | COUNTERSIGNATURE_0 | COUNTERSIGNATURE_0_V2, _) => {
                    reader.bytes()?;
                }
                (ALGORITHM, _) => {
                    let found = self::label(reader.item()?);
                    header.algorithm =
                        Some(found.ok_or("header parameter: alg: require int / tstr type")?);
                }
                (CONTENT_TYPE, _) => header.content_type = read_media_type(reader)?,
                (TYPE, _) => drop(read_media_type(reader)?),
                _ => drop(reader.item()?),
            }
        }
        reader.close();
        if !critical.iter().all(|label| header.labels.contains(label)) {
            return Err("header parameter: crit: missing critical header");
        }
        Ok(header)
    }
}

fn label(item: Item<'_>) -> Option<Label<'_>> {
    match item {
        Item::Int(number) => i64::try_from(number).ok().map(Label::Int),
        Item::Text(text) => Some(Label::Text(text)),
        _ => None,
    }
}

fn read_critical<'a>(reader: &mut Reader<'a>) -> Result<Vec<Label<'a>>, &'static str> {
    let mut labels = Vec::new();
    for _ in 0..reader.array()? {
        let item = label(reader.item()?);
        labels.push(item.ok_or("header parameter: crit: require int / tstr type")?);
    }
    reader.close();
    if labels.is_empty() {
        return Err("header parameter: crit: empty crit header");
    }
    Ok(labels)
}

/// A number of the registry, or the text `type/subtype`, which is returned.
fn read_media_type<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>, &'static str> {
    match reader.item()? {
        Item::Int(0..) => Ok(None),
        Item::Text("") => Err("header parameter: content type: require non-empty string"),
        Item::Text(text) if text.starts_with(' ') || text.ends_with(' ') => {
            Err("header parameter: content type: require no leading/trailing whitespace")
        }
        Item::Text(text) if text.matches('/').count() == 1 => Ok(Some(text)),
        Item::Text(_) => Err("header parameter: content type: require text of form type/subtype"),
        _ => Err("header parameter: content type: require tstr / uint type"),
    }
}

/// One countersignature, a list of them, or nothing.
fn read_countersignatures(reader: &mut Reader<'_>) -> Result<(), &'static str> {
    const OTHER: &str = "invalid Countersignature object / list of objects";
    if reader.major()? != ARRAY {
        let item = reader.item()?;
        return if matches!(item, Item::NULL | Item::UNDEFINED) { Ok(()) } else { Err(OTHER) };
    }
    let count = reader.array()?;
    if count == 3 && reader.major()? == BYTES {
        read_countersignature(reader)?;
    } else {
        for _ in 0..count {
            if reader.array()? != 3 {
                return Err(OTHER);
            }
            read_countersignature(reader)?;
            reader.close();
        }
    }
    reader.close();
    Ok(())
}

fn read_countersignature(reader: &mut Reader<'_>) -> Result<(), &'static str> {
    read_both(reader)?;
    if reader.bytes()?.is_empty() { Err("empty signature") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the two headers, given encoded.
    fn read(protected: &[u8], unprotected: &[u8]) -> Result<(), &'static str> {
        let bytes = [&super::super::cbor::bytes_head(protected.len()), protected, unprotected];
        let bytes = bytes.concat();
        let mut reader = Reader::new(&bytes, Tags::Refused);
        read_both(&mut reader)?;
        reader.end()
    }

    #[test]
    fn parameters_of_the_right_types_are_taken() {
        for either in [
            &b"\xa0"[..],
            b"\xa1\x01\x26",
            b"\xa1\x01\x61x",
            b"\xa1\x03\x1a\x00\x01\x11\x70",
            b"\xa1\x10\x63a/b",
            b"\xa2\x04\x40\x05\x40",
            b"\xa2\x18\x63\xf0\x61x\xf8\x63",
            b"\xa1\x0f\xf6",
        ] {
            assert_eq!(read(either, either), Ok(()), "{either:x?}");
        }
        for protected in
            [&b""[..], b"\xa2\x02\x81\x04\x04\x41k", b"\xa1\x02\x81\x02", b"\xa1\x18\x63\xc1\x01"]
        {
            assert_eq!(read(protected, b"\xa0"), Ok(()), "{protected:x?}");
        }
        let one = b"\xa1\x07\x83\x40\xa0\x41s";
        let two = b"\xa1\x0b\x82\x83\x40\xa0\x41s\x83\x40\xa0\x41s";
        for unprotected in
            [&one[..], two, b"\xa1\x07\x80", b"\xa1\x07\xf6", b"\xa2\x09\x40\x0c\x40"]
        {
            assert_eq!(read(b"", unprotected), Ok(()), "{unprotected:x?}");
            assert!(read(unprotected, b"\xa0").is_err(), "{unprotected:x?}");
        }
    }

    #[test]
    fn other_parameters_are_refused() {
        for either in [
            &b"\xf6"[..],
            b"\xa1\x01\x40",
            b"\xa1\x40\x01",
            b"\xa1\x03\x61a",
            b"\xa1\x03\x60",
            b"\xa1\x03\x64 a/b",
            b"\xa1\x03\x20",
            b"\xa1\x10\x41x",
            b"\xa1\x04\x61k",
            b"\xa2\x05\x41i\x06\x41p",
            b"\xa2\x04\x40\x18\x04\x40",
            b"\xa1\x02\x80",
            b"\xa1\x02\x81\x04",
            b"\xa1\x02\x01",
            b"\xa1\x02\x81\xf6",
        ] {
            assert!(read(either, b"\xa0").is_err(), "{either:x?}");
            assert!(read(b"", either).is_err(), "{either:x?}");
        }
        assert!(read(b"", b"\xa1\x02\x81\x02").is_err());
        assert!(read(b"\xa1\x05\x41i", b"\xa1\x06\x41p").is_err());
        assert!(read(b"\xa1\x06\x41p", b"\xa1\x05\x41i").is_err());
        assert!(read(b"\xa0\x00", b"\xa0").is_err());
        for signature in [
            &b"\x83\x40\xa0\x40"[..],
            b"\x82\x40\xa0",
            b"\x81\x82\x40\xa0",
            b"\x83\x40\xa1\x02\x81\x02\x41s",
            b"\x01",
        ] {
            let unprotected = [b"\xa1\x07", signature].concat();
            assert!(read(b"", &unprotected).is_err(), "{signature:x?}");
        }
    }
}
