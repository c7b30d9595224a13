//! How an archive is laid out (APPNOTE.TXT section 4.3).
//!
//! Border: places, local headers, and where compressed data ends. Some read an archive by the directory at its end, others
//! from its start on; what is added for the ones is not there for the others.

use std::io::{self, Read as _};

use flate2::bufread::DeflateDecoder;

use super::directory::{Directory, File, short};
use super::{Archive, MAX_UNPACKED};

/// Bytes of a local header without name and extra field.
const LOCAL: usize = 30;

const STORED: usize = 0;
const DEFLATED: usize = 8;
/// The flag of a file whose sums follow its data.
const DESCRIBED: usize = 8;

/// Whether the bytes are the files of the directory, one behind the other, the directory and the end, and nothing else.
/// Archives of the 64-bit form, which those of more than 65,535 files have, are not known here.
pub(super) fn is_gapless(archive: &Archive<'_>, bytes: &[u8]) -> bool {
    let Some(Directory { locals, mut files, is_plain }) = Directory::find(archive, bytes) else {
        return false;
    };
    let unpacked = files.iter().map(|file| file.unpacked() as u64).sum::<u64>();
    if !is_plain || unpacked > MAX_UNPACKED {
        return false;
    }
    files.sort_unstable_by_key(|file| file.start);
    let end = files.iter().try_fold(
        0,
        |end, file| {
            if file.start == end { file.end(locals) } else { None }
        },
    );
    end == Some(locals.len())
}

impl File<'_> {
    /// Where the file ends, if its local header and what follows its data say the same as the directory.
    fn end(&self, locals: &[u8]) -> Option<usize> {
        let (header, rest) = locals.get(self.start..)?.split_at_checked(LOCAL)?;
        let (name, rest) = rest.split_at_checked(short(header, 26))?;
        let (_, rest) = rest.split_at_checked(short(header, 28))?;
        let (data, mut rest) = rest.split_at_checked(self.packed())?;
        let mut sums = &header[14..26];
        if short(header, 6) & DESCRIBED != 0 {
            // Nobody can tell where other data ends who comes from the start.
            let zeros = sums.iter().all(|byte| *byte == 0);
            if self.method != DEFLATED || !(zeros || sums == self.sums) {
                return None;
            }
            rest = rest.strip_prefix(b"PK\x07\x08").unwrap_or(rest);
            (sums, rest) = rest.split_at_checked(sums.len())?;
        }
        let same = header.starts_with(b"PK\x03\x04")
            && (name, short(header, 8), sums) == (self.name, self.method, self.sums);
        (same && self.is_filled_by(data)).then(|| locals.len() - rest.len())
    }

    /// Whether all of the data is the file's: compressed data ends by itself, and something may be behind.
    fn is_filled_by(&self, data: &[u8]) -> bool {
        let unpacked = self.unpacked() as u64;
        match self.method {
            STORED => data.len() as u64 == unpacked,
            DEFLATED => {
                let mut inflated = DeflateDecoder::new(data);
                let copied = io::copy(&mut inflated.by_ref().take(unpacked + 1), &mut io::sink());
                copied.is_ok_and(|copied| copied == unpacked)
                    && inflated.total_in() == data.len() as u64
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipArchive, ZipWriter};

    use super::super::directory::{END, HEADER, long};
    use super::*;

    const HIDDEN: &[u8] = b"PK\x03\x04hidden";

    fn archive(method: CompressionMethod) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for name in ["a", "b"] {
            archive.start_file(name, options).unwrap();
            archive.write_all(b"content content content").unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn directory(archive: &[u8]) -> usize {
        long(&archive[archive.len() - END..], 16)
    }

    /// Puts bytes into the archive, at or before the directory, which is led to anew.
    fn insert(archive: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        archive.splice(at..at, bytes.iter().copied());
        let end = archive.len() - END;
        add(archive, end + 16, bytes.len());
    }

    fn add(archive: &mut [u8], at: usize, more: usize) {
        let number = u32::try_from(long(archive, at) + more).unwrap();
        archive[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    fn is_whole(bytes: &[u8]) -> bool {
        let archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        is_gapless(&archive, bytes)
    }

    #[test]
    fn nothing_is_between_files_and_directory() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let whole = archive(method);
            assert!(is_whole(&whole));
            let start = directory(&whole);
            let second = memchr::memmem::rfind(&whole[..start], b"PK\x03\x04").unwrap();

            let mut behind = whole.clone();
            insert(&mut behind, start, HIDDEN);
            assert!(!is_whole(&behind), "{method}");

            let mut between = whole.clone();
            insert(&mut between, second, HIDDEN);
            let header = memchr::memmem::rfind(&between, b"PK\x01\x02").unwrap();
            add(&mut between, header + 42, HIDDEN.len());
            assert!(!is_whole(&between), "{method}");

            // The directory has what the end does not count.
            let mut more = whole.clone();
            let header = more[start..start + HEADER + 1].to_vec();
            let end = more.len() - END;
            more.splice(end..end, header);
            add(&mut more, end + HEADER + 1 + 12, HEADER + 1);
            assert!(!is_whole(&more), "{method}");
        }
    }

    #[test]
    fn data_ends_where_the_directory_says() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let mut longer = archive(method);
            let (start, end) = (directory(&longer), longer.len() - END);
            let local = memchr::memmem::rfind(&longer[..start], b"PK\x03\x04").unwrap();
            let header = memchr::memmem::rfind(&longer[..end], b"PK\x01\x02").unwrap();
            for size in [local + 18, header + 20] {
                add(&mut longer, size, HIDDEN.len());
            }
            insert(&mut longer, start, HIDDEN);
            assert!(!is_whole(&longer), "{method}");
        }
    }

    #[test]
    fn a_local_header_says_what_the_directory_says() {
        let whole = archive(CompressionMethod::Deflated);
        // Signature, flags, method, checksum, both sizes, lengths of name and extra field, name.
        for at in [0, 6, 8, 14, 18, 22, 26, 28, 30] {
            let mut other = whole.clone();
            other[at] ^= 8;
            assert!(!is_whole(&other), "{at}");
        }
    }

    #[test]
    fn sums_may_follow_compressed_data() {
        let whole = archive(CompressionMethod::Deflated);
        let start = directory(&whole);
        let local = memchr::memmem::rfind(&whole[..start], b"PK\x03\x04").unwrap();
        let sums = whole[local + 14..local + 26].to_vec();
        let mut described = whole.clone();
        described[local + 6] |= 8;
        described[local + 14..local + 26].fill(0);
        let with = |sums: &[u8]| {
            let mut archive = described.clone();
            insert(&mut archive, start, sums);
            is_whole(&archive)
        };
        let signature = b"PK\x07\x08".as_slice();
        assert!(with(&sums));
        assert!(with(&[signature, &sums].concat()));
        let mut other = sums.clone();
        other[0] ^= 1;
        for sums in [&[], signature, &sums[1..], &other, &[signature, &sums, HIDDEN].concat()] {
            assert!(!with(sums));
        }
        // Other data does not tell where it ends.
        let mut stored = archive(CompressionMethod::Stored);
        let start = directory(&stored);
        let local = memchr::memmem::rfind(&stored[..start], b"PK\x03\x04").unwrap();
        let sums = stored[local + 14..local + 26].to_vec();
        stored[local + 6] |= 8;
        insert(&mut stored, start, &sums);
        assert!(!is_whole(&stored));
    }
}
