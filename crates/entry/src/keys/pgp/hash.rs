//! Hash algorithms by their numbers (RFC 9580 section 9.5).
//!
//! Border: digests. MD5 and RIPEMD-160 have no place here, as in the reference.

use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_256, Sha3_512};

use crate::keys::DigestAlgorithm;

/// A hash algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_256,
    Sha3_512,
}

impl Hash {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            2 => Self::Sha1,
            8 => Self::Sha256,
            9 => Self::Sha384,
            10 => Self::Sha512,
            11 => Self::Sha224,
            12 => Self::Sha3_256,
            14 => Self::Sha3_512,
            _ => return None,
        })
    }

    /// Hashes the parts one after the other.
    pub(super) fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1 => digest::<Sha1>(parts),
            Self::Sha224 => digest::<Sha224>(parts),
            Self::Sha256 => digest::<Sha256>(parts),
            Self::Sha384 => digest::<Sha384>(parts),
            Self::Sha512 => digest::<Sha512>(parts),
            Self::Sha3_256 => digest::<Sha3_256>(parts),
            Self::Sha3_512 => digest::<Sha3_512>(parts),
        }
    }

    /// Bytes of the salt of a version 6 signature; `None` if such a signature must not use it.
    pub(super) fn salt_len(self) -> Option<usize> {
        match self {
            Self::Sha1 => None,
            Self::Sha224 | Self::Sha256 | Self::Sha3_256 => Some(16),
            Self::Sha384 => Some(24),
            Self::Sha512 | Self::Sha3_512 => Some(32),
        }
    }

    /// The same algorithm where other formats use it too.
    pub(super) fn shared(self) -> Option<DigestAlgorithm> {
        match self {
            Self::Sha1 => Some(DigestAlgorithm::Sha1),
            Self::Sha224 => Some(DigestAlgorithm::Sha224),
            Self::Sha256 => Some(DigestAlgorithm::Sha256),
            Self::Sha384 => Some(DigestAlgorithm::Sha384),
            Self::Sha512 => Some(DigestAlgorithm::Sha512),
            Self::Sha3_256 | Self::Sha3_512 => None,
        }
    }

    /// What stands before the digest in a DER DigestInfo (RFC 8017 section 9.2, NIST's `hashAlgs` arc).
    pub(super) fn digest_info(self, digest: &[u8]) -> Vec<u8> {
        let (oid, size): (&[u8], u8) = match self {
            Self::Sha1 => (&[0x2b, 0x0e, 0x03, 0x02, 0x1a], 20),
            Self::Sha256 => (&nist(1), 32),
            Self::Sha384 => (&nist(2), 48),
            Self::Sha512 => (&nist(3), 64),
            Self::Sha224 => (&nist(4), 28),
            Self::Sha3_256 => (&nist(8), 32),
            Self::Sha3_512 => (&nist(10), 64),
        };
        let oid_len = oid.len() as u8;
        [
            &[0x30, oid_len + 8 + size, 0x30, oid_len + 4, 0x06, oid_len],
            oid,
            &[0x05, 0x00, 0x04, size],
            digest,
        ]
        .concat()
    }
}

/// 2.16.840.1.101.3.4.2.`last`.
fn nist(last: u8) -> [u8; 9] {
    [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last]
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_info_is_that_of_rfc_8017() {
        let info = Hash::Sha256.digest_info(&[7; 32]);
        let prefix = "3031300d060960864801650304020105000420";
        assert_eq!(hex::encode(&info[..19]), prefix);
        let prefix = "3021300906052b0e03021a05000414";
        assert_eq!(hex::encode(&Hash::Sha1.digest_info(&[7; 20])[..15]), prefix);
        let prefix = "302d300d06096086480165030402040500041c";
        assert_eq!(hex::encode(&Hash::Sha224.digest_info(&[7; 28])[..19]), prefix);
    }

    #[test]
    fn parts_are_hashed_as_one() {
        for number in 0..=20 {
            let Some(hash) = Hash::from_number(number) else { continue };
            assert_eq!(hash.digest(&[b"a", b"", b"bc"]), hash.digest(&[b"abc"]));
            if let Some(shared) = hash.shared() {
                assert_eq!(shared.digest(b"abc"), hash.digest(&[b"abc"]));
            }
        }
    }
}
