//! A key with what belongs to it: user IDs, subkeys, and the signatures that tie them together (RFC 9580 section 10.1).
//!
//! Border: which packets belong to which key, whether its own signatures hold, and the stored form. Who may sign what and
//! when is decided elsewhere.

use super::error::Fault;
use super::octets::write_packet;
use super::packets::{Packet, Packets, tag};
use super::public_key::PublicKey;
use super::ring::Budget;
use super::signature::{
    CERTIFICATION_REVOCATION, DIRECT_KEY, KEY_REVOCATION, SUBKEY_BINDING, SUBKEY_REVOCATION,
    Signature,
};
use super::subpackets::MAY_SIGN;
use super::user_id;

/// A primary key with everything that it vouches for.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) primary: PublicKey,
    /// Revocations of the primary key, verified.
    pub(super) revocations: Vec<Signature>,
    /// User IDs with a valid signature of the primary key.
    pub(super) identities: Vec<Identity>,
    pub(super) subkeys: Vec<Subkey>,
    /// Signatures over the key itself; of version 6 keys only.
    direct: Vec<Signature>,
    /// The newest of them that the key made, verified.
    main_direct: Option<usize>,
}

/// A user ID.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) user_id: Vec<u8>,
    /// The newest certification by the key itself; none if it only revoked the user ID.
    pub(super) self_signature: Option<Signature>,
    /// Revocations of the user ID by the key itself.
    pub(super) revocations: Vec<Signature>,
    /// Every signature over the user ID, by anybody, in its stored form.
    certifications: Vec<u8>,
}

/// A subkey.
#[derive(Debug)]
pub(super) struct Subkey {
    pub(super) key: PublicKey,
    /// Whether the secret key was there.
    pub(super) secret: bool,
    /// The newest binding.
    pub(super) binding: Signature,
    pub(super) revocations: Vec<Signature>,
}

impl Entity {
    /// Reads the next key; `None` at the end.
    pub(super) fn read(
        packets: &mut Packets<'_>,
        budget: &mut Budget,
    ) -> Result<Option<Self>, Fault> {
        let Some(first) = packets.next()? else { return Ok(None) };
        let primary = match first {
            // (The reference takes a subkey in this place too, and then stores what it cannot read itself.)
            Packet::Key(key) if !key.subkey => key.key,
            other => {
                packets.unread(other);
                return Err(Fault::structural("first packet was not a public/private key"));
            }
        };
        if !primary.can_sign() {
            return Err(Fault::structural("primary key cannot be used for signatures"));
        }
        let mut entity = Self {
            primary,
            revocations: Vec::new(),
            identities: Vec::new(),
            subkeys: Vec::new(),
            direct: Vec::new(),
            main_direct: None,
        };
        let mut revocations = Vec::new();
        while let Some(packet) = packets.next()? {
            match packet {
                Packet::UserId(user_id) => entity.add_user_id(packets, user_id, budget)?,
                Packet::Signature(signature) => match signature.kind {
                    KEY_REVOCATION => revocations.push(*signature),
                    DIRECT_KEY => entity.direct.push(*signature),
                    // It follows nothing that it could be attached to.
                    _ => {}
                },
                Packet::Key(key) if key.subkey => {
                    entity.add_subkey(packets, key.key, key.secret, budget)?;
                }
                next @ Packet::Key(_) => {
                    packets.unread(next);
                    break;
                }
                Packet::Divider | Packet::Nothing => {}
            }
        }
        entity.finish(revocations, budget)?;
        Ok(Some(entity))
    }

    /// Reads the signatures over a user ID, and keeps it if the key itself made one of them.
    fn add_user_id(
        &mut self,
        packets: &mut Packets<'_>,
        user_id: Vec<u8>,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        let mut identity = Identity {
            user_id,
            self_signature: None,
            revocations: Vec::new(),
            certifications: Vec::new(),
        };
        let mut own = false;
        while let Some(signature) = next_signature(packets)? {
            if !matches!(signature.kind, 0x10..=0x13 | CERTIFICATION_REVOCATION) {
                return Err(Fault::structural("user ID signature with wrong type"));
            }
            write_packet(&mut identity.certifications, tag::SIGNATURE, &signature.body);
            if !signature.is_from(&self.primary) {
                continue;
            }
            budget.spend(&self.primary)?;
            let prefix = user_id_prefix(&identity.user_id);
            let message = [self.primary.hashed.as_slice(), &prefix, &identity.user_id];
            self.primary.verify_salted(&message, &signature).map_err(|fault| {
                fault.of_key(|fault| format!("user ID self-signature invalid: {fault}"))
            })?;
            own = true;
            if signature.kind == CERTIFICATION_REVOCATION {
                identity.revocations.push(signature);
            } else if is_newer(&signature, identity.self_signature.as_ref()) {
                identity.self_signature = Some(signature);
            }
        }
        if own {
            // The same user ID again replaces the former.
            match self.identities.iter_mut().find(|known| known.user_id == identity.user_id) {
                Some(known) => *known = identity,
                None => self.identities.push(identity),
            }
        }
        Ok(())
    }

    /// Reads the signatures over a subkey: all must hold, and one must bind it.
    fn add_subkey(
        &mut self,
        packets: &mut Packets<'_>,
        key: PublicKey,
        secret: bool,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        let invalid =
            |fault: Fault| fault.of_key(|fault| format!("subkey signature invalid: {fault}"));
        let (mut binding, mut revocations) = (None, Vec::new());
        while let Some(signature) = next_signature(packets).map_err(invalid)? {
            if !matches!(signature.kind, SUBKEY_BINDING | SUBKEY_REVOCATION) {
                return Err(Fault::structural("subkey signature with wrong type"));
            }
            self.verify_subkey(&key, &signature, budget).map_err(invalid)?;
            if signature.kind == SUBKEY_REVOCATION {
                revocations.push(signature);
            } else if is_newer(&signature, binding.as_ref()) {
                binding = Some(signature);
            }
        }
        let unbound = || Fault::structural("subkey packet not followed by signature");
        let binding = binding.ok_or_else(unbound)?;
        self.subkeys.push(Subkey { key, secret, binding, revocations });
        Ok(())
    }

    /// Verifies a signature over primary key and subkey, and the subkey's own if it may sign.
    fn verify_subkey(
        &self,
        subkey: &PublicKey,
        signature: &Signature,
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        budget.spend(&self.primary)?;
        let message = [self.primary.hashed.as_slice(), &subkey.hashed];
        self.primary.verify_salted(&message, signature)?;
        if !signature.allows(MAY_SIGN) {
            return Ok(());
        }
        let missing = || Fault::structural("signing subkey is missing cross-signature");
        let embedded = signature.says.embedded.as_ref().ok_or_else(missing)?;
        budget.spend(subkey)?;
        subkey.verify_salted(&message, embedded).map_err(|fault| {
            fault.of_key(|fault| format!("error while verifying cross-signature: {fault}"))
        })
    }

    /// The checks on the whole key.
    fn finish(&mut self, revocations: Vec<Signature>, budget: &mut Budget) -> Result<(), Fault> {
        if self.primary.version == 6 {
            self.choose_direct(budget)?;
        } else if self.identities.is_empty() {
            return Err(Fault::structural("v4 entity without any identities"));
        } else {
            self.direct.clear();
        }
        for revocation in &revocations {
            budget.spend(&self.primary)?;
            self.primary.verify_salted(&[&self.primary.hashed], revocation).map_err(|fault| {
                fault.of_key(|_| "revocation signature signed by alternate key".to_owned())
            })?;
        }
        self.revocations = revocations;
        Ok(())
    }

    /// Finds the newest direct-key signature that a version 6 key made.
    fn choose_direct(&mut self, budget: &mut Budget) -> Result<(), Fault> {
        if self.direct.is_empty() {
            return Err(Fault::structural("v6 entity without a valid direct-key signature"));
        }
        let mut main: Option<(usize, &Signature)> = None;
        for (at, signature) in self.direct.iter().enumerate() {
            let newest = main.map(|(_, newest)| newest);
            if signature.is_from(&self.primary) && is_newer(signature, newest) {
                main = Some((at, signature));
            }
        }
        let (at, signature) = main.ok_or_else(|| {
            Fault::structural("no valid direct-key self-signature for v6 primary key found")
        })?;
        budget.spend(&self.primary)?;
        self.primary.verify_salted(&[&self.primary.hashed], signature).map_err(|fault| {
            let text = "invalid direct-key self-signature for v6 primary key";
            fault.of_key(|_| text.to_owned())
        })?;
        self.main_direct = Some(at);
        Ok(())
    }

    /// The user ID that speaks for a version 4 key: with the fewest revocations, else marked as primary, else newest.
    pub(super) fn primary_identity(&self) -> Option<&Identity> {
        if self.primary.version == 6 {
            return None;
        }
        self.identities
            .iter()
            .reduce(|best, next| if next.is_preferred_to(best) { next } else { best })
    }

    /// The address of each user ID, in the case it was written in.
    pub(super) fn addresses(&self) -> impl Iterator<Item = String> {
        self.identities.iter().filter_map(|identity| user_id::address(&identity.user_id))
    }

    /// The signature that says what the primary key may do and how long.
    pub(super) fn self_signature(&self) -> Option<&Signature> {
        if self.primary.version == 6 {
            return self.main_direct.and_then(|at| self.direct.get(at));
        }
        self.primary_identity().and_then(|identity| identity.self_signature.as_ref())
    }

    /// Appends the stored form: the public packets in a fixed order, each with the shortest header.
    ///
    /// User IDs keep their order. (The reference writes them in a random one.)
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_packet(out, tag::PUBLIC_KEY, self.primary.body());
        for signature in self.revocations.iter().chain(&self.direct) {
            write_packet(out, tag::SIGNATURE, &signature.body);
        }
        for identity in &self.identities {
            write_packet(out, tag::USER_ID, &identity.user_id);
            out.extend_from_slice(&identity.certifications);
        }
        for subkey in &self.subkeys {
            write_packet(out, tag::PUBLIC_SUBKEY, subkey.key.body());
            for signature in subkey.revocations.iter().chain([&subkey.binding]) {
                write_packet(out, tag::SIGNATURE, &signature.body);
            }
        }
    }
}

impl Identity {
    fn is_preferred_to(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.revocations.len(), other.revocations.len());
        if mine != theirs {
            return mine < theirs;
        }
        let Some(theirs) = &other.self_signature else { return true };
        let Some(mine) = &self.self_signature else { return false };
        match (mine.says.primary_user_id, theirs.says.primary_user_id) {
            (true, false) => true,
            (false, true) => false,
            _ => mine.created > theirs.created,
        }
    }
}

/// The next packet if it is a signature.
fn next_signature(packets: &mut Packets<'_>) -> Result<Option<Signature>, Fault> {
    Ok(match packets.next()? {
        Some(Packet::Signature(signature)) => Some(*signature),
        Some(other) => {
            packets.unread(other);
            None
        }
        None => None,
    })
}

fn is_newer(signature: &Signature, than: Option<&Signature>) -> bool {
    than.is_none_or(|than| signature.created > than.created)
}

/// What certifications hash before a user ID (section 5.2.4).
fn user_id_prefix(user_id: &[u8]) -> [u8; 5] {
    let [a, b, c, d] = (user_id.len() as u32).to_be_bytes();
    [0xb4, a, b, c, d]
}
