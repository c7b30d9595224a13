//! Definite lengths and shallow nesting of CBOR (RFC 8949 section 3).
//!
//! Border: walks the items of a message without building anything, before a library
//! builds them. What they mean is not known here.

/// Deepest nesting.
const MAX_DEPTH: usize = 16;
/// Most items of one array or pairs of one map.
const MAX_ITEMS: u64 = 131_072;

/// Checks that the bytes are one item with definite lengths, at most 16 levels deep.
pub(super) fn check(mut bytes: &[u8]) -> Result<(), &'static str> {
    // How many items are still to come on each level.
    let mut open = vec![1_u64];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let (major, value) = head(&mut bytes)?;
        let nested = match major {
            2 | 3 => {
                let length = usize::try_from(value).map_err(|_| SHORT)?;
                bytes = bytes.get(length..).ok_or(SHORT)?;
                continue;
            }
            4 | 5 if value > MAX_ITEMS => return Err("cbor: more than 131072 items"),
            4 => value,
            5 => 2 * value,
            6 => 1,
            _ => continue,
        };
        if open.len() == MAX_DEPTH {
            return Err("cbor: nested deeper than 16 levels");
        }
        open.push(nested);
    }
    if bytes.is_empty() { Ok(()) } else { Err("cbor: bytes behind the message") }
}

const SHORT: &str = "cbor: unexpected EOF";

/// The major type and the argument of the next item.
fn head(bytes: &mut &[u8]) -> Result<(u8, u64), &'static str> {
    let (first, rest) = bytes.split_first().ok_or(SHORT)?;
    let (major, short) = (first >> 5, first & 0x1f);
    let length = match short {
        0..24 => {
            *bytes = rest;
            return Ok((major, u64::from(short)));
        }
        24..28 => 1 << (short - 24),
        31 => return Err("cbor: indefinite-length items are not allowed"),
        _ => return Err("cbor: reserved additional information"),
    };
    let (argument, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
    *bytes = rest;
    Ok((major, argument.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_with_definite_lengths_passes() {
        for good in [&b"\x00"[..], b"\x84\x40\xa0\x41x\x40", b"\xd2\x81\x19\x01\x00", b"\xf6"] {
            assert_eq!(check(good), Ok(()), "{good:x?}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        let deep = [0x81; 17];
        for bad in [
            &b""[..],
            b"\x5f\x41x\xff",
            b"\x9f\xff",
            b"\xbf\xff",
            b"\x42x",
            b"\x00\x00",
            b"\x82\x00",
            b"\x1c",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x9a\xff\xff\xff\xff",
            &deep,
        ] {
            assert!(check(bad).is_err(), "{bad:x?}");
        }
    }
}
