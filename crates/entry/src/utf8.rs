//! Text from bytes that claim to be UTF-8.
//!
//! Border: one rule, Rekor's: each byte that belongs to no character becomes one U+FFFD.
//! (`String::from_utf8_lossy` makes one of several such bytes.)

use std::borrow::Cow;

/// The text of these bytes.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stray_byte_is_replaced() {
        assert_eq!(lossy("é\u{2028}".as_bytes()), "é\u{2028}");
        assert_eq!(lossy(b"a\xe2\x82b\xff"), "a\u{fffd}\u{fffd}b\u{fffd}");
    }
}
