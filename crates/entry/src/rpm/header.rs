//! Headers of RPM packages: tables of tagged values.
//!
//! Border: tags, types and bytes. What a tag means is not known here.

use std::collections::HashMap;

use super::RpmError;

const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
/// Bytes before a header's entries: magic, reserved, number of entries, size of the data.
const INTRO: usize = 16;
/// Bytes of an entry: tag, type, offset, count.
const ENTRY: usize = 16;

/// A header whose entries were not looked at.
pub(super) struct RawHeader<'a> {
    /// Intro, table and data, as they are in the file.
    pub(super) bytes: &'a [u8],
    table: &'a [u8],
    data: &'a [u8],
}

impl<'a> RawHeader<'a> {
    /// Splits a header off. The signature header's data is padded to a multiple of eight bytes.
    pub(super) fn split(file: &'a [u8], padded: bool) -> Result<(Self, &'a [u8]), RpmError> {
        let (intro, rest) = file.split_at_checked(INTRO).ok_or(RpmError::Truncated("header"))?;
        if !intro.starts_with(&MAGIC) {
            return Err(RpmError::HeaderMagic);
        }
        let table = u64::from(number_at(intro, 8)) * ENTRY as u64;
        let table_error = RpmError::Truncated("header table");
        let (table, rest) = split_at(rest, table).ok_or(table_error)?;
        let size = u64::from(number_at(intro, 12));
        let size = if padded { size.next_multiple_of(8) } else { size };
        let (data, rest) = split_at(rest, size).ok_or(RpmError::Truncated("header data"))?;
        Ok((Self { bytes: &file[..file.len() - rest.len()], table, data }, rest))
    }

    /// Finds each entry's content; of a tag that is there twice the later one counts.
    pub(super) fn entries(self) -> Result<Header<'a>, RpmError> {
        let mut entries = HashMap::new();
        // Entries do not overlap in real packages; if they may, strings could be scanned over and over.
        let mut scannable = 2 * self.data.len();
        for entry in self.table.chunks_exact(ENTRY) {
            let [tag, kind, offset, count] = [0, 4, 8, 12].map(|at| number_at(entry, at));
            let content = usize::try_from(offset)
                .ok()
                .and_then(|offset| self.data.get(offset..))
                .and_then(|data| content(data, kind, count))
                .ok_or(RpmError::Entry(tag))?;
            scannable = scannable.checked_sub(content.len()).ok_or(RpmError::Entry(tag))?;
            entries.insert(tag, Entry { kind, count, content });
        }
        Ok(Header { bytes: self.bytes, entries })
    }
}

/// The bytes of an entry's values. Strings end with NUL; everything else has a size.
fn content(data: &[u8], kind: u32, count: u32) -> Option<&[u8]> {
    let size = match kind {
        0 => 0,
        1 | 2 | 7 => 1,
        3 => 2,
        4 => 4,
        5 => 8,
        _ => {
            let count = usize::try_from(count).ok()?;
            let Some(last) = count.checked_sub(1) else { return Some(&[]) };
            let end = memchr::memchr_iter(0, data).nth(last)?;
            return Some(&data[..=end]);
        }
    };
    split_at(data, size * u64::from(count)).map(|(content, _)| content)
}

fn split_at(bytes: &[u8], at: u64) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::try_from(at).ok()?)
}

/// The big-endian number at an offset; the caller has made sure that it is there.
fn number_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// A header with its entries by tag.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// Intro, table and data, as they are in the file.
    pub(super) bytes: &'a [u8],
    entries: HashMap<u32, Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    kind: u32,
    count: u32,
    content: &'a [u8],
}

impl<'a> Header<'a> {
    pub(super) fn contains(&self, tag: u32) -> bool {
        self.entries.contains_key(&tag)
    }

    fn entry(&self, tag: u32) -> Result<&Entry<'a>, RpmError> {
        self.entries.get(&tag).ok_or(RpmError::Missing(tag))
    }

    /// The first string.
    pub(super) fn text(&self, tag: u32) -> Result<&'a [u8], RpmError> {
        let Entry { kind, count, content } = *self.entry(tag)?;
        if !matches!(kind, 6 | 8 | 9) {
            return Err(RpmError::Type { wanted: "string", found: kind, tag });
        }
        let end = memchr::memchr(0, content).filter(|_| count > 0);
        end.map(|end| &content[..end]).ok_or(RpmError::Missing(tag))
    }

    pub(super) fn binary(&self, tag: u32) -> Result<&'a [u8], RpmError> {
        let Entry { kind, content, .. } = *self.entry(tag)?;
        if kind == 7 {
            Ok(content)
        } else {
            Err(RpmError::Type { wanted: "bytes", found: kind, tag })
        }
    }

    /// The first number, of any width.
    pub(super) fn number(&self, tag: u32) -> Result<u64, RpmError> {
        let Entry { kind, content, .. } = *self.entry(tag)?;
        let width = match kind {
            1 | 2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            found => return Err(RpmError::Type { wanted: "number", found, tag }),
        };
        let bytes = content.get(..width).ok_or(RpmError::Missing(tag))?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header with these entries: tag, type, count, content.
    pub(in crate::rpm) fn header(entries: &[(u32, u32, u32, &[u8])], pad: bool) -> Vec<u8> {
        let (mut table, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, content) in entries {
            for number in [*tag, *kind, data.len() as u32, *count] {
                table.extend_from_slice(&number.to_be_bytes());
            }
            data.extend_from_slice(content);
        }
        let mut out = [&MAGIC[..], &[0; 4]].concat();
        for number in [entries.len() as u32, data.len() as u32] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        if pad {
            data.resize(data.len().next_multiple_of(8), 0);
        }
        [out, table, data].concat()
    }

    #[test]
    fn overlapping_entries_are_refused_once_they_could_cost_time() {
        let mut overlapping =
            header(&[(1, 6, 1, b"abcdefgh\0"), (2, 6, 1, b""), (3, 6, 1, b"")], true);
        for entry in 0..3 {
            overlapping[INTRO + entry * ENTRY + 8..][..4].fill(0);
        }
        let (raw, _) = RawHeader::split(&overlapping, true).unwrap();
        assert!(raw.entries().is_ok());
        let many: Vec<(u32, u32, u32, &[u8])> = vec![(1, 7, 2, b""); 3];
        let mut many = header(&many, true);
        many[12..16].copy_from_slice(&2u32.to_be_bytes());
        many.extend_from_slice(&[0; 8]);
        let (raw, _) = RawHeader::split(&many, false).unwrap();
        assert_eq!(raw.entries().unwrap_err(), RpmError::Entry(1));
    }
}
