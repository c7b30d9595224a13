//! DSA signature verification (FIPS 186-4 section 4), for OpenPGP and SSH.
//!
//! Border: numbers. Which digest a format uses, and which sizes it knows, is not known here.

use super::modular::{Modulus, Order, trim};

/// Bytes of the largest modulus and order that verify anything: a bound on work; GnuPG makes 3072 bits and 256.
const MAX: (usize, usize) = (512, 64);

/// A DSA public key.
#[derive(Debug)]
pub(super) struct DsaKey {
    p: Modulus,
    q: Order,
    g: Vec<u8>,
    y: Vec<u8>,
}

/// Why numbers make no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoDsaKey {
    /// No signature holds for them, nor does it for the reference: an order that has not whole bytes, or no modulus.
    Invalid,
    /// Nothing here calculates with them: they are too large, or even.
    NotServed,
}

impl DsaKey {
    /// Takes big-endian numbers.
    pub(super) fn new(p: &[u8], q: &[u8], g: &[u8], y: &[u8]) -> Result<Self, NoDsaKey> {
        let (p, q) = (trim(p), trim(q));
        let whole_bytes = q.first().is_some_and(|top| top & 0x80 != 0);
        if !whole_bytes || matches!(p, [] | [1]) {
            return Err(NoDsaKey::Invalid);
        }
        if p.len() > MAX.0 || q.len() > MAX.1 {
            return Err(NoDsaKey::NotServed);
        }
        let (p, q) = Modulus::new(p).zip(Order::new(q)).ok_or(NoDsaKey::NotServed)?;
        Ok(Self { p, q, g: g.to_vec(), y: y.to_vec() })
    }

    /// Verifies big-endian numbers of any length over a digest (FIPS 186-4 section 4.7).
    pub(super) fn verify(&self, digest: &[u8], r: &[u8], s: &[u8]) -> bool {
        let Some([u1, u2]) = self.q.multipliers(digest, r, s) else { return false };
        let v = self.p.residue(&self.g).power(&u1).times(&self.p.residue(&self.y).power(&u2));
        self.q.reduce(&v.to_bytes()) == trim(r)
    }
}
