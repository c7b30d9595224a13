//! Signature packets (RFC 9580 section 5.2.3) of versions 4 and 6.
//!
//! Border: one packet, its stored form and what it hashes. Version 3 is refused as the reference does.

use super::error::Fault;
use super::hash::Hash;
use super::material::{algorithm, skip_numbers};
use super::octets::Octets;
use super::public_key::PublicKey;
use super::subpackets::Statements;

/// Signature types (section 5.2.1).
pub(super) const BINARY: u8 = 0x00;
pub(super) const TEXT: u8 = 0x01;
pub(super) const SUBKEY_BINDING: u8 = 0x18;
pub(super) const PRIMARY_KEY_BINDING: u8 = 0x19;
pub(super) const DIRECT_KEY: u8 = 0x1f;
pub(super) const KEY_REVOCATION: u8 = 0x20;
pub(super) const SUBKEY_REVOCATION: u8 = 0x28;
pub(super) const CERTIFICATION_REVOCATION: u8 = 0x30;

/// Reason for revocation: the key was compromised.
const COMPROMISED: u8 = 2;

/// A signature of any type.
#[derive(Debug)]
pub(super) struct Signature {
    /// 4 or 6.
    pub(super) version: u8,
    /// Signature type.
    pub(super) kind: u8,
    /// Number of the public-key algorithm.
    pub(super) algorithm: u8,
    pub(super) hash: Hash,
    /// First two bytes of the digest, as claimed.
    pub(super) tag: [u8; 2],
    /// Hashed before the message; empty in version 4.
    pub(super) salt: Vec<u8>,
    /// The algorithm-specific part, as read.
    pub(super) numbers: Vec<u8>,
    /// What the subpackets say.
    pub(super) says: Statements,
    /// When it was made; Unix seconds.
    pub(super) created: u32,
    /// The packet's body in its stored form.
    pub(super) body: Vec<u8>,
    /// Bytes at the front of `body` that the signature covers.
    covered: usize,
}

impl Signature {
    /// Reads a packet's body; also returns how many bytes it took. `depth` counts the signatures around it.
    pub(super) fn parse(packet: &[u8], depth: u8) -> Result<(Self, usize), Fault> {
        let mut octets = Octets::new(packet);
        let version = octets.u8()?;
        if !matches!(version, 4 | 6) {
            return Err(Fault::unsupported(format!("signature packet version {version}")));
        }
        let [kind, algorithm, hash] = octets.array()?;
        if !algorithm::can_sign(algorithm) {
            return Err(Fault::unsupported(format!("public key algorithm {algorithm}")));
        }
        let known = Hash::from_number(hash).filter(|hash| version == 4 || *hash != Hash::Sha1);
        let hash = known.ok_or_else(|| Fault::unsupported(format!("hash function {hash}")))?;
        let mut says = Statements::default();
        let area = read_area(&mut octets, version)?;
        says.read(area, true, version, depth)?;
        let covered = octets.consumed();
        let mut body = packet[..covered].to_vec();
        let area = read_area(&mut octets, version)?;
        let unhashed = says.read(area, false, version, depth)?;
        if version == 6 {
            body.extend_from_slice(&(unhashed.len() as u32).to_be_bytes());
        } else {
            // No longer than it was, and then two bytes were enough.
            body.extend_from_slice(&(unhashed.len() as u16).to_be_bytes());
        }
        body.extend_from_slice(&unhashed);
        let from = octets.consumed();
        let tag = octets.array()?;
        let salt = if version == 6 { read_salt(&mut octets, hash)? } else { Vec::new() };
        let start = octets.consumed();
        skip_numbers(algorithm, &mut octets)?;
        let size = octets.consumed();
        body.extend_from_slice(&packet[from..size]);
        let numbers = packet[start..size].to_vec();
        let created = says.created.unwrap_or_default();
        let signature = Self {
            version,
            kind,
            algorithm,
            hash,
            tag,
            salt,
            numbers,
            says,
            created,
            body,
            covered,
        };
        Ok((signature, size))
    }

    /// Hashes a message, then what the signature says about itself (section 5.2.4).
    pub(super) fn digest(&self, message: &[&[u8]]) -> Vec<u8> {
        let length = (self.covered as u32).to_be_bytes();
        let trailer = [self.version, 0xff, length[0], length[1], length[2], length[3]];
        let mut parts = message.to_vec();
        parts.extend([&self.body[..self.covered], &trailer]);
        self.hash.digest(&parts)
    }

    /// Whether the signature names this key as its issuer, by fingerprint if it gives one.
    pub(super) fn is_from(&self, key: &PublicKey) -> bool {
        match &self.says.issuer_fingerprint {
            Some(fingerprint) => *fingerprint == key.fingerprint,
            None => self.says.issuer == Some(key.id),
        }
    }

    /// Whether the signature was not made yet at a time, or not valid any more.
    pub(super) fn expired(&self, now: u32) -> bool {
        self.created > now || ended(self.created, self.says.lifetime, now)
    }

    /// Whether this revocation holds at a time; that of a compromised key always did.
    pub(super) fn revokes(&self, now: u32) -> bool {
        self.says.reason == Some(COMPROMISED) || !self.expired(now)
    }

    /// Whether the key flags say so; without flags nothing is allowed.
    pub(super) fn allows(&self, flags: u8) -> bool {
        self.says.flags.is_some_and(|allowed| allowed & flags != 0)
    }
}

/// Whether a time span from `from` is over; 0 and none mean for ever.
pub(super) fn ended(from: u32, lifetime: Option<u32>, now: u32) -> bool {
    lifetime.is_some_and(|seconds| {
        seconds != 0 && u64::from(now) > u64::from(from) + u64::from(seconds)
    })
}

/// A subpacket area with its length before it.
fn read_area<'a>(octets: &mut Octets<'a>, version: u8) -> Result<&'a [u8], Fault> {
    let length = if version == 6 { octets.u32()? } else { u32::from(octets.u16()?) };
    octets.take(usize::try_from(length).unwrap_or(usize::MAX))
}

fn read_salt(octets: &mut Octets<'_>, hash: Hash) -> Result<Vec<u8>, Fault> {
    let length = usize::from(octets.u8()?);
    if hash.salt_len() != Some(length) {
        let text = "unexpected salt size for the given hash algorithm";
        return Err(Fault::structural(text));
    }
    octets.take(length).map(<[u8]>::to_vec)
}
