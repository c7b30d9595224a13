//! RPM packages (version 3 and 4 file format): lead, signature header, general header, payload.
//!
//! Border: structure, digests, and which bytes each signature covers. Keys are in `keys/pgp`; what is stored of a package
//! is its kind's affair.
//!
//! Everything points into the file: nothing is allocated by a claimed length but a table of the entries, which are at
//! least 16 bytes each.

mod header;

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use self::header::{Header, RawHeader};
use crate::keys::pgp::{PackageSignature, PgpError, PgpKeyring};
use crate::utf8;

/// Bytes of the lead, which is obsolete but for its magic.
const LEAD: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

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
            if self.signatures.contains(tag) {
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
        let text = |tag| self.general.text(tag).map(|text| utf8::lossy(text).into_owned());
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

#[cfg(test)]
mod tests {
    use super::header::tests::header;
    use super::*;

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
    fn entries_outside_the_data_are_refused() {
        for (entry, error) in [
            ((7, 7, 3, &b"ab"[..]), RpmError::Entry(7)),
            ((7, 6, 2, b"a\0"), RpmError::Entry(7)),
            ((7, 5, u32::MAX, b"a\0"), RpmError::Entry(7)),
        ] {
            assert_eq!(Package::parse(&file(&[], &[entry])).unwrap_err(), error);
        }
    }

    #[test]
    fn a_header_that_differs_from_its_digest_is_refused() {
        for (tag, name) in [(269, "SHA-1"), (273, "SHA-256")] {
            let file = file(&[(tag, 6, 1, b"00\0")], &NAMES);
            assert_eq!(Package::parse(&file).unwrap_err(), RpmError::HeaderDigest(name));
        }
    }
}
