//! RPM packages (version 3 and 4 file format): lead, signature header, general header, payload.
//!
//! Border: structure, digests, and which bytes each signature covers. Keys are in `keys/pgp`; what is stored of a package
//! is its kind's affair.
//!
//! Everything points into the file: nothing is allocated by a claimed length but a table of the entries, which are at
//! least 16 bytes each.

use std::collections::HashMap;

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::keys::pgp::{PackageSignature, PgpError, PgpKeyring};

/// Bytes of the lead, which is obsolete but for its magic.
const LEAD: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
const HEADER_MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
/// Bytes before a header's entries: magic, reserved, number of entries, size of the data.
const INTRO: usize = 16;
/// Bytes of an entry: tag, type, offset, count.
const ENTRY: usize = 16;

/// Tags of the signature header.
mod signature_tag {
    pub(super) const DSA: u32 = 267;
    pub(super) const RSA: u32 = 268;
    pub(super) const SHA1: u32 = 269;
    pub(super) const SHA256: u32 = 273;
    pub(super) const PGP: u32 = 1002;
    pub(super) const MD5: u32 = 1004;
    pub(super) const GPG: u32 = 1005;
}

/// Tags of the general header.
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const ARCHITECTURE: u32 = 1022;
    pub(super) const PAYLOAD_DIGEST: u32 = 5092;
    pub(super) const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
}

/// Why a package is not accepted. The texts are the reference server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RpmError {
    #[error("error reading RPM {0}: unexpected EOF")]
    Truncated(&'static str),
    #[error("file is not an RPM")]
    Magic,
    #[error("bad magic for header")]
    HeaderMagic,
    #[error("tag {0} is truncated")]
    Entry(u32),
    #[error("unsupported datatype for {wanted}: {found}, tag: {tag}")]
    Type { wanted: &'static str, found: u32, tag: u32 },
    #[error("no such tag {0}")]
    Missing(u32),
    #[error("{0} mismatch in signature header")]
    HeaderDigest(&'static str),
    #[error("payload {0} digest mismatch")]
    PayloadDigest(&'static str),
    #[error("md5 digest mismatch")]
    Md5,
    #[error("no usable payload digest found")]
    NoPayloadDigest,
    #[error("no supported PGP signature found in RPM")]
    NoSignature,
    #[error(transparent)]
    Pgp(#[from] PgpError),
}

/// A package file, taken apart; its general header has the digest that the signature header claims.
#[derive(Debug)]
pub(crate) struct Package<'a> {
    signatures: Header<'a>,
    general: Header<'a>,
    payload: &'a [u8],
}

/// What names a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nevra {
    pub(crate) name: String,
    /// 0 if the package has none.
    pub(crate) epoch: u64,
    pub(crate) version: String,
    pub(crate) release: String,
    pub(crate) architecture: String,
}

impl<'a> Package<'a> {
    /// Takes a file apart and checks the digest of the general header.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, RpmError> {
        let (lead, rest) = file.split_at_checked(LEAD).ok_or(RpmError::Truncated("lead"))?;
        if !lead.starts_with(&LEAD_MAGIC) {
            return Err(RpmError::Magic);
        }
        let (raw, rest) = RawHeader::split(rest, true)?;
        let signatures = raw.entries()?;
        let (raw, payload) = RawHeader::split(rest, false)?;
        let sha256 = signatures.text(signature_tag::SHA256).unwrap_or_default();
        let sha1 = signatures.text(signature_tag::SHA1).unwrap_or_default();
        let (name, claimed, computed) = if sha256.is_empty() {
            ("SHA-1", sha1, hex::encode(Sha1::digest(raw.bytes)))
        } else {
            ("SHA-256", sha256, hex::encode(Sha256::digest(raw.bytes)))
        };
        if claimed.len() > 1 && claimed != computed.as_bytes() {
            return Err(RpmError::HeaderDigest(name));
        }
        Ok(Self { signatures, general: raw.entries()?, payload })
    }

    /// Checks the payload's digest, and every signature that the package carries; it must carry one.
    pub(crate) fn verify(&self, keys: &PgpKeyring) -> Result<(), RpmError> {
        let header = [self.general.bytes];
        let whole = [self.general.bytes, self.payload];
        let mut signatures: Vec<(PackageSignature, &[&[u8]])> = Vec::new();
        for (tag, covered) in [
            (signature_tag::RSA, header.as_slice()),
            (signature_tag::DSA, header.as_slice()),
            (signature_tag::PGP, whole.as_slice()),
            (signature_tag::GPG, whole.as_slice()),
        ] {
            if self.signatures.entries.contains_key(&tag) {
                let packet = self.signatures.binary(tag)?;
                signatures.push((PackageSignature::parse(packet)?, covered));
            }
        }
        self.check_payload()?;
        for (signature, covered) in &signatures {
            keys.verify_package(signature, covered)?;
        }
        if signatures.is_empty() { Err(RpmError::NoSignature) } else { Ok(()) }
    }

    /// Compares the payload with the digest in the general header, or else general header and payload with the MD5 of
    /// the signature header.
    fn check_payload(&self) -> Result<(), RpmError> {
        if let Some((name, claimed, computed)) = self.payload_digest() {
            if claimed != computed.as_bytes() {
                return Err(RpmError::PayloadDigest(name));
            }
            return Ok(());
        }
        let claimed = self.md5().ok_or(RpmError::NoPayloadDigest)?;
        let computed = Md5::new_with_prefix(self.general.bytes).chain_update(self.payload);
        if computed.finalize().as_slice() == claimed { Ok(()) } else { Err(RpmError::Md5) }
    }

    fn payload_digest(&self) -> Option<(&'static str, &'a [u8], String)> {
        let claimed = self.general.text(tag::PAYLOAD_DIGEST).ok()?;
        let (name, computed) = match self.general.number(tag::PAYLOAD_DIGEST_ALGORITHM).ok()? {
            1 => ("MD5", hex::encode(Md5::digest(self.payload))),
            2 => ("SHA-1", hex::encode(Sha1::digest(self.payload))),
            8 => ("SHA-256", hex::encode(Sha256::digest(self.payload))),
            9 => ("SHA-384", hex::encode(Sha384::digest(self.payload))),
            10 => ("SHA-512", hex::encode(Sha512::digest(self.payload))),
            11 => ("SHA-224", hex::encode(Sha224::digest(self.payload))),
            _ => return None,
        };
        Some((name, claimed, computed))
    }

    /// The MD5 of general header and payload that the signature header claims, if it does.
    pub(crate) fn md5(&self) -> Option<&'a [u8]> {
        let digest = self.signatures.binary(signature_tag::MD5).ok()?;
        (!digest.is_empty()).then_some(digest)
    }

    /// Name, epoch, version, release, architecture.
    pub(crate) fn nevra(&self) -> Result<Nevra, RpmError> {
        let text = |tag| self.general.text(tag).map(to_text);
        let epoch = match self.general.number(tag::EPOCH) {
            Err(RpmError::Missing(_)) => 0,
            epoch => epoch?,
        };
        Ok(Nevra {
            name: text(tag::NAME)?,
            epoch,
            version: text(tag::VERSION)?,
            release: text(tag::RELEASE)?,
            architecture: text(tag::ARCHITECTURE)?,
        })
    }
}

/// A header whose entries were not looked at.
struct RawHeader<'a> {
    bytes: &'a [u8],
    table: &'a [u8],
    data: &'a [u8],
}

impl<'a> RawHeader<'a> {
    /// Splits a header off. The signature header's data is padded to a multiple of eight bytes.
    fn split(file: &'a [u8], padded: bool) -> Result<(Self, &'a [u8]), RpmError> {
        let (intro, rest) = file.split_at_checked(INTRO).ok_or(RpmError::Truncated("header"))?;
        if !intro.starts_with(&HEADER_MAGIC) {
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
    fn entries(self) -> Result<Header<'a>, RpmError> {
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
struct Header<'a> {
    /// Intro, table and data, as they are in the file.
    bytes: &'a [u8],
    entries: HashMap<u32, Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    kind: u32,
    count: u32,
    content: &'a [u8],
}

impl<'a> Header<'a> {
    fn entry(&self, tag: u32) -> Result<&Entry<'a>, RpmError> {
        self.entries.get(&tag).ok_or(RpmError::Missing(tag))
    }

    /// The first string.
    fn text(&self, tag: u32) -> Result<&'a [u8], RpmError> {
        let Entry { kind, count, content } = *self.entry(tag)?;
        if !matches!(kind, 6 | 8 | 9) {
            return Err(RpmError::Type { wanted: "string", found: kind, tag });
        }
        let end = memchr::memchr(0, content).filter(|_| count > 0);
        end.map(|end| &content[..end]).ok_or(RpmError::Missing(tag))
    }

    fn binary(&self, tag: u32) -> Result<&'a [u8], RpmError> {
        let Entry { kind, content, .. } = *self.entry(tag)?;
        if kind == 7 {
            Ok(content)
        } else {
            Err(RpmError::Type { wanted: "bytes", found: kind, tag })
        }
    }

    /// The first number, of any width.
    fn number(&self, tag: u32) -> Result<u64, RpmError> {
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

/// Text in which every byte that is not UTF-8 became a U+FFFD of its own, as the reference's JSON writer has it.
fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these entries: tag, type, count, content.
    fn header(entries: &[(u32, u32, u32, &[u8])], pad: bool) -> Vec<u8> {
        let (mut table, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, content) in entries {
            for number in [*tag, *kind, data.len() as u32, *count] {
                table.extend_from_slice(&number.to_be_bytes());
            }
            data.extend_from_slice(content);
        }
        let mut out = [&HEADER_MAGIC[..], &[0; 4]].concat();
        for number in [entries.len() as u32, data.len() as u32] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        if pad {
            data.resize(data.len().next_multiple_of(8), 0);
        }
        [out, table, data].concat()
    }

    fn file(signatures: &[(u32, u32, u32, &[u8])], general: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let mut lead = vec![0; LEAD];
        lead[..4].copy_from_slice(&LEAD_MAGIC);
        [lead, header(signatures, true), header(general, false), b"payload".to_vec()].concat()
    }

    const NAMES: [(u32, u32, u32, &[u8]); 5] = [
        (1000, 6, 1, b"n\0"),
        (1001, 6, 1, b"1\0"),
        (1002, 6, 1, b"r\xe2\x82\0"),
        (1003, 4, 1, &[0, 0, 0, 7]),
        (1022, 6, 1, b"noarch\0"),
    ];

    #[test]
    fn names_are_read_and_bad_bytes_replaced_one_by_one() {
        let file = file(&[], &NAMES);
        let package = Package::parse(&file).unwrap();
        let nevra = package.nevra().unwrap();
        assert_eq!((nevra.name.as_str(), nevra.epoch), ("n", 7));
        assert_eq!(nevra.release, "r\u{fffd}\u{fffd}");
        assert_eq!(package.payload, b"payload");
        assert_eq!(package.md5(), None);
        assert_eq!(package.check_payload(), Err(RpmError::NoPayloadDigest));
        let missing = super::tests::file(&[], &NAMES[1..]);
        assert_eq!(Package::parse(&missing).unwrap().nevra(), Err(RpmError::Missing(1000)));
    }

    #[test]
    fn every_truncation_is_refused() {
        let file = file(&[(1004, 7, 16, &[1; 16])], &NAMES);
        for size in 0..file.len() - b"payload".len() {
            assert!(Package::parse(&file[..size]).is_err(), "{size}");
        }
        assert_eq!(Package::parse(&file).unwrap().check_payload(), Err(RpmError::Md5));
        assert_eq!(Package::parse(&[0; 200]).unwrap_err(), RpmError::Magic);
    }

    #[test]
    fn entries_outside_the_data_or_on_top_of_each_other_are_refused() {
        for (entry, error) in [
            ((7, 7, 3, &b"ab"[..]), RpmError::Entry(7)),
            ((7, 6, 2, b"a\0"), RpmError::Entry(7)),
            ((7, 5, u32::MAX, b"a\0"), RpmError::Entry(7)),
        ] {
            assert_eq!(Package::parse(&file(&[], &[entry])).unwrap_err(), error);
        }
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

    #[test]
    fn a_header_that_differs_from_its_digest_is_refused() {
        for (tag, name) in [(269, "SHA-1"), (273, "SHA-256")] {
            let file = file(&[(tag, 6, 1, b"00\0")], &NAMES);
            assert_eq!(Package::parse(&file).unwrap_err(), RpmError::HeaderDigest(name));
        }
    }
}
