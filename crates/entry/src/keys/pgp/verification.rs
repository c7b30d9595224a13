//! Verifying signatures over data (RFC 9580 section 5.2) with the keys of a ring.
//!
//! Border: which key made a signature, and whether it could at that moment. "Now" is when the signature says that it was
//! made, so that the same bytes are accepted for ever; the clock is not asked.

use super::PgpSigner;
use super::entity::{Entity, Subkey};
use super::error::{Fault, PgpError};
use super::packets::{Packet, Packets};
use super::public_key::PublicKey;
use super::signature::{BINARY, Signature, TEXT, ended};
use super::subpackets::MAY_SIGN;

/// A key of a ring that may sign.
struct Signer<'a> {
    entity: &'a Entity,
    /// None if the primary key signs.
    subkey: Option<&'a Subkey>,
    /// What says that it may: the primary key's self-signature, or the subkey's binding.
    self_signature: &'a Signature,
}

/// The signature that counts, and who made it if it holds.
pub(super) struct Made<'a> {
    signer: Signer<'a>,
    signature: Box<Signature>,
    now: u32,
}

/// Finds the one of the signatures in `packets` that counts: the first whose issuer is known and may sign.
pub(super) fn detached<'a>(entities: &'a [Entity], packets: &[u8]) -> Result<Made<'a>, PgpError> {
    match Packets::new(packets).next().map_err(PgpError::Signature)? {
        Some(Packet::Signature(_)) => {}
        Some(_) => return Err(PgpError::NotSignature),
        None => return Err(PgpError::NoSignature),
    }
    // Unlike above, packets that are not served are not passed over here.
    let now = match Packets::new(packets).read().map_err(PgpError::FirstPacket)? {
        Some(Packet::Signature(first)) => first.created,
        _ => return Err(PgpError::NotSignature),
    };
    let mut packets = Packets::new(packets);
    while let Some(packet) = packets.next()? {
        let Packet::Signature(signature) = packet else {
            return Err(Fault::structural("non signature packet found").into());
        };
        let no_issuer = || Fault::structural("signature doesn't have an issuer");
        let issuer = signature.says.issuer.ok_or_else(no_issuer)?;
        if let Some(signer) = find_signer(entities, issuer) {
            return Ok(Made { signer, signature, now });
        }
    }
    Err(PgpError::UnknownIssuer)
}

/// The only key that can have made a package's signature; none if there are several, be it keys that are bound to one
/// another.
pub(super) fn only_packager(entities: &[Entity]) -> Option<PgpSigner> {
    let mut able = entities.iter().flat_map(|entity| {
        let subkeys = entity.subkeys.iter().map(|subkey| &subkey.key);
        let keys = std::iter::once(&entity.primary).chain(subkeys);
        keys.filter(|key| key.can_sign()).map(move |key| PgpSigner::new(entity, key))
    });
    able.next().filter(|_| able.next().is_none())
}

/// The first key with this ID that may sign. (A second one with the same ID is never tried, as in the reference.)
fn find_signer(entities: &[Entity], id: u64) -> Option<Signer<'_>> {
    let keys = entities.iter().flat_map(|entity| {
        let primary = (entity.primary.id == id).then(|| entity.self_signature()).flatten();
        let primary = primary.map(|own| Signer { entity, subkey: None, self_signature: own });
        let subkeys = entity.subkeys.iter().filter(move |subkey| subkey.key.id == id);
        let subkeys = subkeys.map(move |subkey| Signer {
            entity,
            subkey: Some(subkey),
            self_signature: &subkey.binding,
        });
        primary.into_iter().chain(subkeys)
    });
    keys.into_iter().find(|signer| signer.self_signature.allows(MAY_SIGN))
}

impl Made<'_> {
    /// Verifies the signature over `message`.
    pub(super) fn check(&self, message: &[u8]) -> Result<(), PgpError> {
        self.signer.check(message, &self.signature, self.now)
    }

    pub(super) fn by(&self) -> PgpSigner {
        PgpSigner::new(self.signer.entity, self.signer.key())
    }
}

impl Signer<'_> {
    fn key(&self) -> &PublicKey {
        self.subkey.map_or(&self.entity.primary, |subkey| &subkey.key)
    }

    fn check(&self, message: &[u8], signature: &Signature, now: u32) -> Result<(), PgpError> {
        let text;
        let message = match signature.kind {
            BINARY => message,
            TEXT => {
                text = with_crlf(message);
                text.as_slice()
            }
            kind => {
                let text = format!("unsupported signature type: {kind}");
                return Err(Fault::unsupported(text).into());
            }
        };
        self.key().verify_salted(&[message], signature)?;
        self.check_details(signature, now)
    }

    /// Everything that the reference asks of a signature that verified, in its order.
    fn check_details(&self, signature: &Signature, now: u32) -> Result<(), PgpError> {
        let own = self.entity.self_signature();
        let embedded = self.subkey.and_then(|subkey| subkey.binding.says.embedded.as_deref());
        let binding = self.subkey.map(|subkey| &subkey.binding);
        let involved: Vec<&Signature> =
            [Some(signature), own, binding, embedded].into_iter().flatten().collect();
        if let Some(name) = involved.iter().find_map(|s| s.says.critical_notation.as_ref()) {
            return Err(Fault::signature(format!("unknown critical notation: {name}")).into());
        }
        let identity = self.entity.primary_identity();
        let mut revocations = (self.entity.revocations.iter())
            .chain(self.subkey.iter().flat_map(|subkey| &subkey.revocations))
            .chain(identity.iter().flat_map(|identity| &identity.revocations));
        if revocations.any(|revocation| revocation.revokes(now)) {
            return Err(PgpError::Revoked);
        }
        let expired = |key: &PublicKey, says: &Signature| {
            key.created > now || ended(key.created, says.says.key_lifetime, now)
        };
        if own.is_some_and(|own| expired(&self.entity.primary, own))
            || binding.is_some_and(|binding| expired(self.key(), binding))
        {
            return Err(PgpError::KeyExpired);
        }
        if involved.iter().any(|signature| signature.expired(now)) {
            return Err(PgpError::SignatureExpired);
        }
        Ok(())
    }
}

/// Text with its line ends as signatures of type 0x01 hash them (section 5.2.1.2): each LF that no CR precedes becomes
/// CRLF. After a CR one byte is not looked at, whatever it is.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    let mut after_cr = false;
    for byte in text {
        if *byte == b'\n' && !after_cr {
            out.push(b'\r');
        }
        out.push(*byte);
        after_cr = *byte == b'\r' && !after_cr;
    }
    out
}

/// A signature of a package's header, over bytes that are hashed as they are.
#[derive(Debug)]
pub(crate) struct PackageSignature {
    signature: Signature,
    issuer: u64,
}

impl PackageSignature {
    /// Reads a header tag's value: one signature packet of version 4 or 6 with an issuer, and nothing behind it.
    ///
    /// # Errors
    /// [`PgpError`].
    pub(crate) fn parse(value: &[u8]) -> Result<Self, PgpError> {
        let mut packets = Packets::new(value);
        let packet = packets.read()?.ok_or(Fault::Broken("EOF"))?;
        if !packets.is_finished() {
            return Err(PgpError::TrailingGarbage);
        }
        match packet {
            Packet::Signature(signature) => match signature.says.issuer {
                Some(issuer) => Ok(Self { signature: *signature, issuer }),
                None => Err(PgpError::NoIssuer),
            },
            _ => Err(PgpError::NoIssuer),
        }
    }

    /// Verifies over a message given in parts, with whatever key of the ring made the signature: its usage flags, its
    /// expiry and its revocation do not matter.
    pub(super) fn verify(&self, entities: &[Entity], message: &[&[u8]]) -> Result<(), PgpError> {
        let keys = entities.iter().flat_map(|entity| {
            std::iter::once(&entity.primary).chain(entity.subkeys.iter().map(|subkey| &subkey.key))
        });
        let key = keys.into_iter().find(|key| self.signature.is_from(key));
        let key = key.ok_or(PgpError::KeyNotFound(self.issuer))?;
        Ok(key.verify(message, &self.signature)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf_once() {
        for (text, canonical) in [
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb", "a\r\nb"),
            ("\n\n", "\r\n\r\n"),
            ("a\rb\n", "a\rb\r\n"),
            ("\r\r\n", "\r\r\r\n"),
        ] {
            assert_eq!(with_crlf(text.as_bytes()), canonical.as_bytes(), "{text:?}");
        }
    }
}
