//! Reading fields of a packet's body (RFC 9580 section 3).
//!
//! Border: bytes and numbers; what they mean is not known here.

use super::error::Fault;

/// A body, read from the front.
#[derive(Clone, Debug)]
pub(super) struct Octets<'a> {
    rest: &'a [u8],
    size: usize,
}

impl<'a> Octets<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body, size: body.len() }
    }

    /// Bytes that were read.
    pub(super) fn consumed(&self) -> usize {
        self.size - self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(Fault::TRUNCATED)?;
        self.rest = tail;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, tail) = self.rest.split_first_chunk().ok_or(Fault::TRUNCATED)?;
        self.rest = tail;
        Ok(*head)
    }

    /// A multiprecision integer: bits in two bytes, then as many bytes as they need (section 3.2). The bits are not
    /// checked against the number: what was signed is what was written.
    pub(super) fn mpi(&mut self) -> Result<&'a [u8], Fault> {
        let bits = usize::from(self.u16()?);
        self.take(bits.div_ceil(8))
    }

    /// Bytes with their number in one byte before them; 0 and 255 are reserved (section 9.2).
    pub(super) fn counted(&mut self) -> Result<&'a [u8], Fault> {
        match self.u8()? {
            0 | 255 => Err(Fault::unsupported("reserved for future extensions")),
            count => self.take(usize::from(count)),
        }
    }
}

/// Appends a packet with a new-format header of the shortest length (section 4.2.1).
pub(super) fn write_packet(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(0xc0 | tag);
    write_length(out, body.len(), 8384);
    out.extend_from_slice(body);
}

/// Appends a length: one byte below 192, two below `two`, else five.
pub(super) fn write_length(out: &mut Vec<u8>, length: usize, two: usize) {
    if length < 192 {
        out.push(length as u8);
    } else if length < two {
        let length = length - 192;
        out.extend_from_slice(&[(length >> 8) as u8 + 192, length as u8]);
    } else {
        // Bodies are far below 4 GiB: they come out of an input whose size is bounded.
        out.push(255);
        out.extend_from_slice(&(length as u32).to_be_bytes());
    }
}
