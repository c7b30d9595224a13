//! The directory of an archive (APPNOTE.TXT sections 4.3.12 to 4.3.16).
//!
//! Border: where it is, and its headers. Readers look for it in several ways: by its place or its size, up to a count
//! or up to its end. Where they would find different files, nobody can say which were verified.

use memchr::memmem;

use super::Archive;

/// Bytes of a header without name, extra field and comment.
pub(super) const HEADER: usize = 46;
/// Bytes of the end without comment.
pub(super) const END: usize = 22;
/// Bytes of the 64-bit form's record and of the locator behind it, both in front of the end.
const RECORD: usize = 56;
const LOCATOR: usize = 20;

/// A number of four bytes that stands elsewhere in eight.
const ELSEWHERE: usize = 0xffff_ffff;

/// A directory that is found in one way only.
pub(super) struct Directory<'a> {
    /// What is before it.
    pub(super) locals: &'a [u8],
    pub(super) files: Vec<File<'a>>,
    /// Whether it is of the 32-bit form, in the place where it says, with nothing behind its end, be it a comment.
    pub(super) is_plain: bool,
}

/// A file as the directory has it.
pub(super) struct File<'a> {
    pub(super) name: &'a [u8],
    /// Of its local header.
    pub(super) start: usize,
    pub(super) method: usize,
    /// Checksum, bytes of the data, bytes of what is in it.
    pub(super) sums: &'a [u8],
}

/// What the end of an archive says about the directory.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Claim {
    count: usize,
    size: usize,
    start: usize,
}

impl<'a> Directory<'a> {
    /// Finds what `archive` has read. `None` if other readers may find something else.
    pub(super) fn find(archive: &Archive<'_>, bytes: &'a [u8]) -> Option<Self> {
        let (before, end) = bytes.split_at(memmem::rfind(bytes, b"PK\x05\x06")?);
        let (end, behind) = end.split_first_chunk::<END>()?;
        // Some take for the end only what has a comment up to the end of the file, and look on.
        if short(end, 20) != behind.len() {
            return None;
        }
        let (before, claim, is_large) = match before.split_last_chunk::<{ RECORD + LOCATOR }>() {
            Some((before, large)) if large[RECORD..].starts_with(b"PK\x06\x07") => {
                (before, Claim::of_large(large, end)?, true)
            }
            _ => (before, Claim::of_end(end)?, false),
        };
        let (locals, mut directory) = before.split_at(before.len().checked_sub(claim.size)?);
        // Something may be in front of the archive, whose places do not count it.
        let shift = locals.len().checked_sub(claim.start)?;
        if claim.count != archive.len() || (shift > 0 && claim.is_met_by(bytes)) {
            return None;
        }
        let mut files = Vec::new();
        while !directory.is_empty() {
            let place = before.len() - directory.len();
            let file = File::next(&mut directory)?;
            if !file.is_read_by(archive, files.len(), place, shift) {
                return None;
            }
            files.push(file);
        }
        let is_plain = !is_large && shift == 0 && behind.is_empty();
        (files.len() == claim.count).then_some(Self { locals, files, is_plain })
    }
}

impl Claim {
    fn of_end(end: &[u8]) -> Option<Self> {
        let [on_disk, count] = [8, 10].map(|at| short(end, at));
        let [size, start] = [12, 16].map(|at| long(end, at));
        (on_disk == count).then_some(Self { count, size, start })
    }

    /// Of record and locator, which the end does not contradict.
    fn of_large(large: &[u8], end: &[u8]) -> Option<Self> {
        let (record, locator) = large.split_at(RECORD);
        let [rest, on_disk, count, size, start] = [4, 24, 32, 40, 48].map(|at| quad(record, at));
        let claim = Self { count: count?, size: size?, start: start? };
        let small = Self::of_end(end)?;
        let may_be = |small, large, elsewhere| small == large || small == elsewhere;
        let agree = may_be(small.count, claim.count, 0xffff)
            && may_be(small.size, claim.size, ELSEWHERE)
            && may_be(small.start, claim.start, ELSEWHERE)
            && on_disk == count
            && rest == Some(RECORD - 12)
            && quad(locator, 8) == claim.start.checked_add(claim.size);
        (agree && record.starts_with(b"PK\x06\x06")).then_some(claim)
    }

    /// Whether there is a directory, or the record behind one, for those who take the places as they stand.
    fn is_met_by(self, bytes: &[u8]) -> bool {
        let is_at = |place: usize, signature| {
            bytes.get(place..).is_some_and(|bytes| bytes.starts_with(signature))
        };
        is_at(self.start, b"PK\x01\x02") || is_at(self.start + self.size, b"PK\x06\x06")
    }
}

impl<'a> File<'a> {
    /// Splits off the next file of the directory.
    fn next(directory: &mut &'a [u8]) -> Option<Self> {
        let (header, rest) = directory.split_at_checked(HEADER)?;
        let (name, rest) = rest.split_at_checked(short(header, 28))?;
        let (_, rest) = rest.split_at_checked(short(header, 30) + short(header, 32))?;
        *directory = rest;
        let (start, method) = (long(header, 42), short(header, 10));
        let file = Self { name, start, method, sums: &header[16..28] };
        header.starts_with(b"PK\x01\x02").then_some(file)
    }

    pub(super) fn packed(&self) -> usize {
        long(self.sums, 4)
    }

    pub(super) fn unpacked(&self) -> usize {
        long(self.sums, 8)
    }

    /// Whether the archive's file of this index is this one: an extra field may give it another name, which some do
    /// not read.
    fn is_read_by(&self, archive: &Archive<'_>, index: usize, place: usize, shift: usize) -> bool {
        let is = |here: usize, there: u64| here == ELSEWHERE || here as u64 == there;
        archive.by_index_data(index).is_ok_and(|read| {
            read.name_raw() == self.name
                && read.central_header_start() == place as u64
                && is(self.start, read.header_start().saturating_sub(shift as u64))
                && is(self.packed(), read.compressed_size())
                && is(self.unpacked(), read.size())
        })
    }
}

/// A number of two bytes in a header.
pub(super) fn short(header: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([header[at], header[at + 1]]))
}

/// A number of four bytes in a header.
pub(super) fn long(header: &[u8], at: usize) -> usize {
    short(header, at) | short(header, at + 2) << 16
}

/// A number of eight bytes in a header.
fn quad(header: &[u8], at: usize) -> Option<usize> {
    let bytes = header[at..].first_chunk()?;
    usize::try_from(u64::from_le_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::SimpleFileOptions;
    use zip::{ZipArchive, ZipWriter};

    use super::*;

    fn archive(name: &str) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(b"content").unwrap();
        archive.finish().unwrap().into_inner()
    }

    /// Whether it is plain, if it is found.
    fn find(bytes: &[u8]) -> Option<bool> {
        let archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
        Directory::find(&archive, bytes).map(|directory| directory.is_plain)
    }

    /// The same archive in the 64-bit form.
    fn large(archive: &[u8]) -> Vec<u8> {
        let (before, end) = archive.split_at(archive.len() - END);
        let quads = |numbers: &[usize]| {
            numbers.iter().flat_map(|number| (*number as u64).to_le_bytes()).collect::<Vec<_>>()
        };
        let [count, size, start] = [short(end, 10), long(end, 12), long(end, 16)];
        let rest = quads(&[RECORD - 12]);
        let record = [&b"PK\x06\x06"[..], &rest, &[45, 0, 45, 0], &[0; 8]].concat();
        let record = [record, quads(&[count, count, size, start])].concat();
        let locator = [&b"PK\x06\x07\0\0\0\0"[..], &quads(&[before.len()]), &[1, 0, 0, 0]].concat();
        let end = [&end[..8], &[0xff; 12], &end[20..]].concat();
        [before, &record, &locator, &end].concat()
    }

    #[test]
    fn what_tools_write_is_found() {
        let plain = archive("a");
        let end = plain.len() - 2;
        assert_eq!(find(&plain), Some(true));
        assert_eq!(find(&[&plain[..end], b"\x04\0note"].concat()), Some(false));
        assert_eq!(find(&[b"#!/bin/sh\n", plain.as_slice()].concat()), Some(false));
        assert_eq!(find(&large(&plain)), Some(false));
    }

    #[test]
    fn no_second_end_is_in_the_comment() {
        let plain = archive("a");
        let end = plain.len() - 2;
        for second in [&plain[end - 20..], b"PK\x05\x06"] {
            let length = u8::try_from(second.len()).unwrap();
            assert_eq!(find(&[&plain[..end], &[length, 0], second].concat()), None);
        }
    }

    #[test]
    fn the_comment_ends_with_the_file() {
        let plain = archive("a");
        let end = plain.len() - 2;
        for behind in [&b"\0\0x"[..], b"\x01\0xy", b"\x02\0x"] {
            assert_eq!(find(&[&plain[..end], behind].concat()), None);
        }
    }

    #[test]
    fn nothing_else_is_where_the_directory_would_be_without_what_is_in_front() {
        let (front, behind) = (archive("b"), archive("a"));
        // Both have their directory in the same place.
        assert_eq!(find(&[front, behind].concat()), None);
    }

    #[test]
    fn the_end_does_not_contradict_the_64_bit_form() {
        let large = large(&archive("a"));
        let end = large.len() - END;
        let record = end - LOCATOR - RECORD;
        // Signature, size of the record, counts, size, place; place of the record; counts, size, place.
        let places = [0, 4, 24, 32, 40, 48].map(|at| record + at);
        for at in
            places.into_iter().chain([end - LOCATOR + 8]).chain([8, 10, 12, 16].map(|at| end + at))
        {
            let mut other = large.clone();
            other[at] ^= 2;
            assert_eq!(find(&other), None, "{at}");
        }
    }

    #[test]
    fn the_counts_and_the_size_are_those_of_the_headers() {
        let plain = archive("a");
        let end = plain.len() - END;
        for at in [8, 10, 12] {
            for other in [0, 2] {
                let mut archive = plain.clone();
                archive[end + at] ^= other ^ 1;
                assert_eq!(find(&archive), None, "{at}");
            }
        }
    }
}
