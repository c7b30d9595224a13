//! The pgp format: OpenPGP keys (RFC 9580, versions 4 and 6) and detached signatures, armored or binary.
//!
//! Border: packets, armor, which signatures hold, and the stored forms. The mathematics is in the primitives beside this
//! file. What is accepted is what the reference server accepts, with bounds on size, packets, keys and signatures.
//!
//! The stored form of a key is written anew from what was read, so armor, comments, header formats, and packets that say
//! nothing to others disappear; that of a signature is the submitted armor, or the binary signature armored.

mod armor;
mod brainpool512;
pub(crate) mod cleartext;
mod entity;
mod error;
mod hash;
mod material;
mod octets;
mod packets;
mod public_key;
mod ring;
mod signature;
mod subpackets;
mod user_id;
mod verification;

pub use error::{Fault, PgpError};
pub(crate) use verification::PackageSignature;

use std::borrow::Cow;

use self::entity::Entity;
use self::public_key::PublicKey;
use self::ring::{Budget, read_all};
use self::subpackets::MAY_ENCRYPT;
use super::{CanonicalSignature, EvidenceKey, KeyError};

/// Bytes of the largest key file that is looked at, as packets, and of the packets that are stored of any: a key with
/// thousands of certifications, or a ring of many keys.
const MAX_PACKETS: usize = 4 * 1024 * 1024;
/// Bytes of the largest armored key file. What is stored is below it.
const MAX_ARMORED: usize = 2 * MAX_PACKETS;
/// Bytes of the largest signature that is looked at, armor and text around it included.
const MAX_SIGNATURE: usize = 1024 * 1024;

const KEY_LABEL: &str = "PGP PUBLIC KEY BLOCK";
const SECRET_KEY_LABEL: &str = "PGP PRIVATE KEY BLOCK";
const SIGNATURE_LABEL: &str = "PGP SIGNATURE";

/// Who made a signature, of all the keys of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgpSigner {
    /// The addresses that the primary key vouches for, in the case they were written in.
    pub subjects: Vec<String>,
    /// Of the key that signed, then of its primary key if that is another one; lower-case hex.
    pub fingerprints: Vec<String>,
}

impl PgpSigner {
    fn new(entity: &Entity, key: &PublicKey) -> Self {
        let mut fingerprints = vec![hex::encode(&key.fingerprint)];
        if key.fingerprint != entity.primary.fingerprint {
            fingerprints.push(hex::encode(&entity.primary.fingerprint));
        }
        Self { subjects: entity.addresses().collect(), fingerprints }
    }
}

/// One or several OpenPGP keys from one file.
#[derive(Debug)]
pub struct PgpKeyring {
    entities: Vec<Entity>,
    canonical: Vec<u8>,
}

impl PgpKeyring {
    /// Reads armored blocks, one after the other, or binary packets. Keys that cannot be read are passed over as long as
    /// one can; secret keys that decrypt are refused.
    ///
    /// # Errors
    /// [`PgpError`].
    pub fn parse(content: &[u8]) -> Result<Self, PgpError> {
        let start = content.get(..14).ok_or(PgpError::ShortKey)?;
        let armored = start == b"-----BEGIN PGP";
        let limit = if armored { MAX_ARMORED } else { MAX_PACKETS };
        if content.len() > limit {
            return Err(PgpError::TooLarge { size: content.len(), limit });
        }
        let mut budget = Budget::default();
        let entities = if armored {
            read_armored(content, &mut budget)?
        } else {
            read_all(content, &mut budget).map_err(PgpError::BinaryKey)?
        };
        let decrypts =
            |subkey: &&entity::Subkey| subkey.secret && subkey.binding.allows(MAY_ENCRYPT);
        let secret = entities.iter().flat_map(|entity| &entity.subkeys).filter(decrypts).count();
        if entities.len() == secret {
            return Err(PgpError::NoPublicKeys);
        }
        let mut packets = Vec::new();
        for entity in &entities {
            entity.write(&mut packets);
        }
        if packets.len() > MAX_PACKETS {
            // Several blocks together, or headers that are longer in the stored form, which must read back.
            return Err(PgpError::TooLarge { size: packets.len(), limit: MAX_PACKETS });
        }
        let canonical = armor::encode(KEY_LABEL, &packets);
        Ok(Self { entities, canonical })
    }

    /// Who made a detached signature that [`verify_artifact`] took. The other keys of the ring may be anybody's, and so
    /// may a subkey that does not sign: its owner need not know of it.
    ///
    /// # Errors
    /// [`PgpError`] when no key of the ring can have made it.
    ///
    /// [`verify_artifact`]: EvidenceKey::verify_artifact
    pub fn signer(&self, signature: &[u8]) -> Result<PgpSigner, PgpError> {
        let (packets, _) = signature_packets(signature)?;
        Ok(verification::detached(&self.entities, &packets)?.by())
    }

    /// Who made a package's signatures, if only one key of the ring can have; whether a key may sign does not matter
    /// there.
    #[must_use]
    pub fn only_packager(&self) -> Option<PgpSigner> {
        verification::only_packager(&self.entities)
    }

    /// Verifies a package's signature over a message given in parts.
    ///
    /// # Errors
    /// [`PgpError::KeyNotFound`] when no key of the ring made it, or a [`Fault`].
    pub(crate) fn verify_package(
        &self,
        signature: &PackageSignature,
        message: &[&[u8]],
    ) -> Result<(), PgpError> {
        signature.verify(&self.entities, message)
    }
}

/// The packets of a detached signature, and whether they are armored.
fn signature_packets(signature: &[u8]) -> Result<(Cow<'_, [u8]>, bool), PgpError> {
    if signature.len() > MAX_SIGNATURE {
        return Err(PgpError::TooLarge { size: signature.len(), limit: MAX_SIGNATURE });
    }
    let Some(block) = armor::decode(signature) else { return Ok((signature.into(), false)) };
    if block.label != SIGNATURE_LABEL.as_bytes() {
        return Err(PgpError::NotSignatureArmor);
    }
    let broken = PgpError::Signature(Fault::Broken("illegal base64 data"));
    Ok((block.content.ok_or(broken)?.into(), true))
}

/// Reads the blocks of an armored file. Text behind the last END line is ignored, be it an unfinished block.
fn read_armored(content: &[u8], budget: &mut Budget) -> Result<Vec<Entity>, PgpError> {
    let (mut entities, mut rest) = (Vec::new(), content);
    let mut block = content;
    while let Some(line) = armor::next_line(&mut rest) {
        if !line.starts_with(b"-----END PGP") {
            continue;
        }
        let (text, after) = block.split_at(block.len() - rest.len());
        block = after;
        let found = armor::decode(text).ok_or(PgpError::BrokenKeyArmor)?;
        let labels = [KEY_LABEL, SECRET_KEY_LABEL];
        if !labels.iter().any(|label| label.as_bytes() == found.label) {
            return Err(PgpError::NotKeyArmor);
        }
        let packets = found.content.ok_or(PgpError::Key(Fault::Broken("illegal base64 data")))?;
        entities.extend(read_all(&packets, budget).map_err(PgpError::Key)?);
    }
    Ok(entities)
}

impl EvidenceKey for PgpKeyring {
    fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The address of each user ID that the keys vouch for, in the case it was written in.
    fn subjects(&self) -> Vec<String> {
        self.entities.iter().flat_map(Entity::addresses).collect()
    }

    /// Checks a detached signature of type 0x00 or 0x01 at the moment it says it was made. Armor is stored as it came,
    /// with the text around it; a binary signature is armored.
    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError> {
        let (packets, armored) = signature_packets(signature)?;
        verification::detached(&self.entities, &packets)?.check(artifact)?;
        let armor = || armor::encode(SIGNATURE_LABEL, signature);
        Ok(CanonicalSignature(if armored { signature.to_vec() } else { armor() }))
    }

    /// The fingerprint of every key and subkey, lower-case hex. (The reference tells those of RSA keys only.)
    fn fingerprints(&self) -> Vec<String> {
        let keys = self.entities.iter().flat_map(|entity| {
            std::iter::once(&entity.primary).chain(entity.subkeys.iter().map(|subkey| &subkey.key))
        });
        keys.map(|key| hex::encode(&key.fingerprint)).collect()
    }
}
