//! CBOR (RFC 8949) as the reference reads it in COSE messages: definite lengths, no more than 32 levels, integers that
//! fit 64 bits with their sign, no key twice in a map.
//!
//! Border: items one after the other, borrowed from the message; nothing is built. What they mean is not known here.

use std::collections::HashSet;

/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most items of one array or pairs of one map.
const MAX_ITEMS: u64 = 131_072;

/// Major types.
pub(super) const BYTES: u8 = 2;
pub(super) const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

const SHORT: &str = "cbor: unexpected EOF";

/// An item; of those that hold others only what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item<'a> {
    /// Any that CBOR can express below zero, but at most `i64::MAX`.
    Int(i128),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array,
    Map,
    /// With its number.
    Tag(u64),
    /// `false`, `true`, `null`, `undefined` and the unassigned ones.
    Simple(u8),
    Float,
}

impl Item<'_> {
    pub(super) const NULL: Self = Self::Simple(22);
    pub(super) const UNDEFINED: Self = Self::Simple(23);

    /// Whether it may be the key of a map.
    fn is_key(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Tag(2 | 3))
    }

    /// Whether an equal key of the same map is a second one. Floats and tagged items are not compared.
    fn is_comparable(self) -> bool {
        !matches!(self, Self::Float | Self::Tag(_))
    }
}

/// Whether tags may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    Allowed,
    Refused,
}

/// What is left of a message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    tags: Tags,
    /// Arrays, maps and tags that are open.
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], tags: Tags) -> Self {
        Self { rest: bytes, tags, depth: 0 }
    }

    /// Fails unless everything was read.
    pub(super) fn end(&self) -> Result<(), &'static str> {
        if self.rest.is_empty() { Ok(()) } else { Err("cbor: extraneous data") }
    }

    /// The major type of the next item.
    pub(super) fn major(&self) -> Result<u8, &'static str> {
        self.rest.first().map(|first| first >> 5).ok_or(SHORT)
    }

    /// Opens an array and returns the number of its items; [`close`](Self::close) it behind them.
    pub(super) fn array(&mut self) -> Result<u64, &'static str> {
        self.open(ARRAY, "cbor: require array type")
    }

    /// As [`array`](Self::array), a map with the number of its pairs.
    pub(super) fn map(&mut self) -> Result<u64, &'static str> {
        self.open(MAP, "cbor: require map type")
    }

    fn open(&mut self, expected: u8, other: &'static str) -> Result<u64, &'static str> {
        let (major, _, count) = self.head()?;
        if major != expected {
            return Err(other);
        }
        self.enter(count)?;
        Ok(count)
    }

    fn enter(&mut self, count: u64) -> Result<(), &'static str> {
        if count > MAX_ITEMS {
            return Err("cbor: exceeded max number of elements 131072");
        }
        if self.depth == MAX_DEPTH {
            return Err("cbor: exceeded max nested level 32");
        }
        self.depth += 1;
        Ok(())
    }

    /// Ends the innermost array or map.
    pub(super) fn close(&mut self) {
        self.depth -= 1;
    }

    /// Reads a byte string.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], &'static str> {
        match self.item()? {
            Item::Bytes(bytes) => Ok(bytes),
            _ => Err("cbor: require bstr type"),
        }
    }

    /// Reads an item with everything in it.
    pub(super) fn item(&mut self) -> Result<Item<'a>, &'static str> {
        let (major, short, value) = self.head()?;
        Ok(match major {
            0 if i64::try_from(value).is_err() => return Err("cbor: integer overflows int64"),
            0 => Item::Int(i128::from(value)),
            1 => Item::Int(-1 - i128::from(value)),
            BYTES => Item::Bytes(self.take(value)?),
            3 => {
                let text = std::str::from_utf8(self.take(value)?);
                Item::Text(text.map_err(|_| "cbor: invalid UTF-8 string")?)
            }
            ARRAY => {
                self.enter(value)?;
                for _ in 0..value {
                    self.item()?;
                }
                self.close();
                Item::Array
            }
            MAP => {
                self.enter(value)?;
                self.pairs(value)?;
                self.close();
                Item::Map
            }
            TAG => self.tagged(value)?,
            _ => match (short, u8::try_from(value)) {
                (0..24, Ok(value)) | (24, Ok(value @ 32..)) => Item::Simple(value),
                (25..28, _) => Item::Float,
                _ => return Err("cbor: invalid simple value"),
            },
        })
    }

    fn pairs(&mut self, count: u64) -> Result<(), &'static str> {
        let mut keys = HashSet::new();
        for _ in 0..count {
            let key = self.item()?;
            if !key.is_key() {
                return Err("cbor: invalid map key type");
            }
            if key.is_comparable() && !keys.insert(key) {
                return Err("cbor: found duplicate map key");
            }
            self.item()?;
        }
        Ok(())
    }

    fn tagged(&mut self, number: u64) -> Result<Item<'a>, &'static str> {
        if self.tags == Tags::Refused {
            return Err("cbor: CBOR tag isn't allowed");
        }
        self.enter(1)?;
        let item = self.item()?;
        self.close();
        let fits = match (number, item) {
            (0, Item::Text(text)) => text.parse::<jiff::Timestamp>().is_ok(),
            (1, Item::Int(_) | Item::Float) | (2 | 3, Item::Bytes(_)) | (4.., _) => true,
            _ => false,
        };
        if fits { Ok(Item::Tag(number)) } else { Err("cbor: tag around an item of another type") }
    }

    /// The major type, the short form of the argument, and the argument of the next item.
    fn head(&mut self) -> Result<(u8, u8, u64), &'static str> {
        let (first, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        let (major, short) = (first >> 5, first & 0x1f);
        let length = match short {
            0..24 => return Ok((major, short, u64::from(short))),
            24..28 => 1 << (short - 24),
            31 => return Err("cbor: indefinite-length items are not allowed"),
            _ => return Err("cbor: invalid additional information"),
        };
        let argument = self.take(length)?;
        let value = argument.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok((major, short, value))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(length).map_err(|_| SHORT)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// The head of a byte string of this length.
pub(super) fn bytes_head(length: usize) -> Vec<u8> {
    let major = BYTES << 5;
    let argument = (length as u64).to_be_bytes();
    match length {
        0..24 => vec![major | argument[7]],
        24..0x100 => vec![major | 24, argument[7]],
        0x100..0x1_0000 => [&[major | 25], &argument[6..]].concat(),
        0x1_0000..0x1_0000_0000 => [&[major | 26], &argument[4..]].concat(),
        _ => [&[major | 27], &argument[..]].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], tags: Tags) -> Result<Item<'_>, &'static str> {
        let mut reader = Reader::new(bytes, tags);
        let item = reader.item()?;
        reader.end().map(|()| item)
    }

    /// An integer inside so many arrays.
    fn nested(arrays: usize) -> Vec<u8> {
        [vec![0x81; arrays], vec![0]].concat()
    }

    #[test]
    fn items_are_told_apart() {
        for (bytes, item) in [
            (&b"\x18\x05"[..], Item::Int(5)),
            (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", Item::Int(-(1 << 64))),
            (b"\x59\x00\x01x", Item::Bytes(b"x")),
            (b"\x62\xc3\xa9", Item::Text("\u{e9}")),
            (b"\x82\x00\x81\x80", Item::Array),
            (b"\xa4\x01\x00\x20\x00\x41a\x00\x61a\x00", Item::Map),
            (b"\xf6", Item::NULL),
            (b"\xf0", Item::Simple(16)),
            (b"\xf8\x63", Item::Simple(99)),
            (b"\xf9\x7e\x00", Item::Float),
            (&nested(MAX_DEPTH), Item::Array),
        ] {
            assert_eq!(read(bytes, Tags::Refused), Ok(item), "{bytes:x?}");
        }
        for good in [
            &b"\xc0\x742020-01-01T00:00:00Z"[..],
            b"\xc1\xf9\x00\x00",
            b"\xc1\x20",
            b"\xc2\x41a",
            b"\xd8\x63\x80",
        ] {
            assert!(matches!(read(good, Tags::Allowed), Ok(Item::Tag(_))), "{good:x?}");
            assert!(read(good, Tags::Refused).is_err(), "{good:x?}");
        }
    }

    #[test]
    fn what_the_reference_does_not_read_is_refused() {
        for bad in [
            &b""[..],
            b"\x5f\x41x\xff",
            b"\x9f\xff",
            b"\xbf\xff",
            b"\x42x",
            b"\x00\x00",
            b"\x82\x00",
            b"\x1c",
            b"\x1b\x80\x00\x00\x00\x00\x00\x00\x00",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x9a\xff\xff\xff\xff",
            b"\x61\xff",
            b"\xf8\x14",
            b"\xa2\x01\x00\x18\x01\x00",
            b"\xa1\x80\x00",
            b"\xc0\x61a",
            b"\xc1\x61a",
            b"\xc2\x01",
            b"\xa1\xc2\x41a\x00",
            &nested(MAX_DEPTH + 1),
        ] {
            assert!(read(bad, Tags::Allowed).is_err(), "{bad:x?}");
        }
    }

    #[test]
    fn heads_are_as_short_as_can_be() {
        for length in [0, 23, 24, 255, 256, 65_535, 65_536] {
            let bytes = [bytes_head(length), vec![0; length]].concat();
            let mut reader = Reader::new(&bytes, Tags::Refused);
            assert_eq!(reader.bytes().map(<[u8]>::len), Ok(length));
        }
        assert_eq!(bytes_head(256), [0x59, 1, 0]);
    }
}
