//! Key packets (RFC 9580 section 5.5.2) of versions 4 and 6.
//!
//! Border: one packet: its numbers, its fingerprint, the bytes that signatures over it hash. What vouches for a key is in
//! the entity's file.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::error::Fault;
use super::hash::Hash;
use super::material::{Material, algorithm, oid};
use super::octets::Octets;
use super::signature::Signature;

/// A public key, or the public part of a secret one.
#[derive(Debug)]
pub(super) struct PublicKey {
    /// 4 or 6.
    pub(super) version: u8,
    /// Unix seconds.
    pub(super) created: u32,
    /// Number of the algorithm (section 9.1).
    pub(super) algorithm: u8,
    /// 20 bytes (version 4) or 32 (version 6).
    pub(super) fingerprint: Vec<u8>,
    /// The part of the fingerprint by which signatures name their key.
    pub(super) id: u64,
    /// Bytes of the packet that were read; those of a secret key go on.
    pub(super) size: usize,
    /// What signatures over the key hash (section 5.2.4): a header, then the packet's body up to the end of the public
    /// numbers.
    pub(super) hashed: Vec<u8>,
    material: Material,
}

impl PublicKey {
    /// Reads a packet's body; what follows the public numbers is left alone.
    pub(super) fn parse(packet: &[u8]) -> Result<Self, Fault> {
        let mut octets = Octets::new(packet);
        let (version, created) = (octets.u8()?, octets.u32()?);
        let algorithm = octets.u8()?;
        if !matches!(version, 4 | 6) {
            return Err(Fault::unsupported(format!("public key version {version}")));
        }
        if version == 6 {
            // Counts the bytes of the numbers. The reference does not look at it and writes the right one.
            octets.u32()?;
        }
        let from = octets.consumed();
        let material = read_material(version, algorithm, &mut octets)?;
        let size = octets.consumed();
        let mut body = packet[..from].to_vec();
        if version == 6 {
            body[6..].copy_from_slice(&((size - from) as u32).to_be_bytes());
        }
        body.extend_from_slice(&packet[from..size]);
        let hashed = hashed_form(version, &body);
        let (fingerprint, id) = if version == 6 {
            let digest = Sha256::digest(&hashed);
            (digest.to_vec(), digest.first_chunk().copied())
        } else {
            let digest = Sha1::digest(&hashed);
            (digest.to_vec(), digest.last_chunk().copied())
        };
        let id = id.map_or(0, u64::from_be_bytes);
        Ok(Self { version, created, algorithm, fingerprint, id, size, hashed, material })
    }

    /// Whether the key's algorithm makes signatures.
    pub(super) fn can_sign(&self) -> bool {
        algorithm::can_sign(self.algorithm)
    }

    /// Whether verifying with the key takes well below a millisecond.
    pub(super) fn is_fast(&self) -> bool {
        self.material.is_fast()
    }

    /// The packet's body up to the end of the public numbers.
    pub(super) fn body(&self) -> &[u8] {
        let header = if self.version == 6 { 5 } else { 3 };
        &self.hashed[header..]
    }

    /// Verifies a signature of this key over `message`, given in parts.
    pub(super) fn verify(&self, message: &[&[u8]], signature: &Signature) -> Result<(), Fault> {
        if !self.can_sign() {
            return Err(Fault::Argument("public key cannot generate signatures".into()));
        }
        let digest = signature.digest(message);
        if signature.version == 6 && !digest.starts_with(&signature.tag) {
            return Err(Fault::signature("hash tag doesn't match"));
        }
        if self.algorithm != signature.algorithm {
            let text = "public key and signature use different algorithms";
            return Err(Fault::Argument(text.into()));
        }
        self.material.verify(self.algorithm, signature.hash, &digest, &signature.numbers)
    }

    /// As [`verify`](Self::verify), with the salt of a version 6 signature before the message.
    pub(super) fn verify_salted(
        &self,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Fault> {
        let salted: Vec<&[u8]> =
            std::iter::once(signature.salt.as_slice()).chain(parts.iter().copied()).collect();
        self.verify(&salted, signature)
    }
}

fn hashed_form(version: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u32;
    let mut out = Vec::with_capacity(body.len() + 5);
    if version == 6 {
        out.push(0x9b);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(0x99);
        // Two bytes: four numbers of up to 8 KiB fit.
        out.extend_from_slice(&(length as u16).to_be_bytes());
    }
    out.extend_from_slice(body);
    out
}

fn read_material(version: u8, number: u8, octets: &mut Octets<'_>) -> Result<Material, Fault> {
    match number {
        algorithm::RSA | algorithm::RSA_ENCRYPT_ONLY | algorithm::RSA_SIGN_ONLY => {
            let (modulus, exponent) = (octets.mpi()?, octets.mpi()?);
            if exponent.len() > 3 {
                return Err(Fault::unsupported("large public exponent"));
            }
            let exponent = exponent.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            Ok(Material::rsa(modulus, exponent))
        }
        algorithm::DSA => {
            Ok(Material::dsa(octets.mpi()?, octets.mpi()?, octets.mpi()?, octets.mpi()?))
        }
        algorithm::ELGAMAL => {
            for _ in 0..3 {
                octets.mpi()?;
            }
            Ok(Material::Mute)
        }
        algorithm::ECDSA => {
            let curve = octets.counted()?;
            known_curve(curve)?;
            let point = octets.mpi()?;
            if !oid::ECDSA.contains(&curve) {
                return Err(Fault::unsupported(format!("unsupported oid: {}", hex::encode(curve))));
            }
            Material::ecdsa(curve, point)
        }
        algorithm::ECDH => read_ecdh(version, octets),
        algorithm::EDDSA => read_eddsa(version, octets),
        algorithm::X25519 => octets.take(32).map(|_| Material::Mute),
        algorithm::X448 => octets.take(56).map(|_| Material::Mute),
        algorithm::ED25519 => Material::ed25519(octets.take(32)?),
        algorithm::ED448 => octets.take(57).map(|_| Material::ED448),
        other => Err(Fault::unsupported(format!("public key type: {other}"))),
    }
}

fn known_curve(curve: &[u8]) -> Result<(), Fault> {
    let others = [oid::CURVE25519, oid::X448, oid::ED25519, oid::ED448];
    if oid::ECDSA.contains(&curve) || others.contains(&curve) {
        return Ok(());
    }
    Err(Fault::unsupported(format!("unknown oid: {}", hex::encode(curve))))
}

/// A curve, a point, and how the shared secret becomes a key: its hash and its cipher.
fn read_ecdh(version: u8, octets: &mut Octets<'_>) -> Result<Material, Fault> {
    let curve = octets.counted()?;
    known_curve(curve)?;
    if version == 6 && matches!(curve, oid::CURVE25519 | oid::ED25519) {
        let text = "cannot read v6 key with deprecated OID: Curve25519Legacy";
        return Err(Fault::structural(text));
    }
    octets.mpi()?;
    let derivation = octets.counted()?;
    if matches!(curve, oid::ED25519 | oid::ED448) {
        return Err(Fault::unsupported(format!("unsupported oid: {}", hex::encode(curve))));
    }
    match derivation {
        [1, hash, cipher, ..] => {
            if Hash::from_number(*hash).is_none_or(|hash| hash == Hash::Sha1) {
                return Err(Fault::unsupported(format!("unsupported ECDH KDF hash: {hash}")));
            }
            if !matches!(cipher, 2 | 3 | 7 | 8 | 9) {
                return Err(Fault::unsupported(format!("unsupported ECDH KDF cipher: {cipher}")));
            }
            Ok(Material::Mute)
        }
        [other, _, _, ..] => {
            Err(Fault::unsupported(format!("unsupported KDF reserved field: {other}")))
        }
        short => Err(Fault::unsupported(format!("unsupported ECDH KDF length: {}", short.len()))),
    }
}

/// The legacy form of Ed25519 keys: a curve, and a point behind the byte 0x40.
fn read_eddsa(version: u8, octets: &mut Octets<'_>) -> Result<Material, Fault> {
    if version == 6 {
        let text = "cannot generate v6 key with deprecated algorithm: EdDSALegacy";
        return Err(Fault::structural(text));
    }
    let curve = octets.counted()?;
    known_curve(curve)?;
    if !matches!(curve, oid::ED25519 | oid::ED448) {
        return Err(Fault::unsupported(format!("unsupported oid: {}", hex::encode(curve))));
    }
    match octets.mpi()? {
        [] => Err(Fault::structural("empty EdDSA public key")),
        [0x40, point @ ..] if curve == oid::ED25519 => Material::ed25519(point),
        [0x40, ..] => Ok(Material::ED448),
        [other, ..] => Err(Fault::unsupported(format!("unsupported EdDSA compression: {other}"))),
    }
}
