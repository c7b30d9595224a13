//! The values inside a constructed one.
//!
//! Border: one at a time, because a list of millions of empty values would take far more memory than their bytes.

use der::asn1::AnyRef;
use der::{Decode as _, Reader as _, SliceReader};

use super::super::KeyError;

/// Most values that a list in a certificate may have.
pub(super) const MAX_VALUES: usize = 1_024;

/// Refuses what is behind the last value that is read; `index` counts from 0.
///
/// # Errors
/// [`KeyError::X509`].
pub(super) fn check_count(index: usize, what: &str) -> Result<(), KeyError> {
    if index < MAX_VALUES {
        return Ok(());
    }
    Err(KeyError::x509(format!("more than {MAX_VALUES} {what}")))
}

/// Reads the values one after the other; the first malformed one is the last.
pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = Result<AnyRef<'_>, der::Error>> {
    let mut rest = Some(SliceReader::new(bytes));
    std::iter::from_fn(move || {
        let mut reader = match rest.take()? {
            Ok(reader) => reader,
            Err(error) => return Some(Err(error)),
        };
        if reader.is_finished() {
            return None;
        }
        let value = AnyRef::decode(&mut reader);
        if value.is_ok() {
            rest = Some(Ok(reader));
        }
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_malformed_value_is_the_last() {
        let read = |bytes| read(bytes).map(|value| value.is_ok()).collect::<Vec<_>>();
        assert_eq!(read(b""), [true; 0]);
        assert_eq!(read(b"\x05\0\x04\x01a"), [true; 2]);
        assert_eq!(read(b"\x05\0\x04\x05a"), [true, false]);
        assert_eq!(read(b"\x05\0\x05"), [true, false]);
    }
}
