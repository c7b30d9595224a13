//! SSH's wire format (RFC 4251 section 5): strings, numbers and mpints.
//!
//! Border: bytes to fields and back. What the fields mean is not known here; nothing
//! is allocated by a claimed length.

use super::super::KeyError;

/// Reads fields one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], KeyError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn u32(&mut self) -> Result<u32, KeyError> {
        let (head, tail) = self.0.split_first_chunk::<4>().ok_or_else(short)?;
        self.0 = tail;
        Ok(u32::from_be_bytes(*head))
    }

    pub(super) fn u64(&mut self) -> Result<u64, KeyError> {
        Ok(u64::from(self.u32()?) << 32 | u64::from(self.u32()?))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], KeyError> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).map_err(|_| short())?)
    }

    /// A positive mpint in its shortest form, without the sign's leading zero.
    pub(super) fn positive(&mut self) -> Result<&'a [u8], KeyError> {
        match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|top| top & 0x80 != 0) => Ok(rest),
            number @ [first, ..] if *first != 0 && first & 0x80 == 0 => Ok(number),
            _ => {
                Err(KeyError::invalid("ssh: a number is not positive or not in its shortest form"))
            }
        }
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Fails if anything is left.
    pub(super) fn end(self) -> Result<(), KeyError> {
        if self.0.is_empty() { Ok(()) } else { Err(KeyError::invalid("ssh: trailing data")) }
    }
}

fn short() -> KeyError {
    KeyError::invalid("ssh: short read")
}

/// Each string with its length in four bytes before it.
pub(super) fn strings(strings: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for string in strings {
        // Nothing of more than 4 GiB gets here: bodies are bounded.
        bytes.extend_from_slice(&(string.len() as u32).to_be_bytes());
        bytes.extend_from_slice(string);
    }
    bytes
}
