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

use self::entity::Entity;
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
        let identities = self.entities.iter().flat_map(|entity| &entity.identities);
        identities.filter_map(|identity| user_id::address(&identity.user_id)).collect()
    }

    /// Checks a detached signature of type 0x00 or 0x01 at the moment it says it was made. Armor is stored as it came,
    /// with the text around it; a binary signature is armored.
    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError> {
        if signature.len() > MAX_SIGNATURE {
            let size = signature.len();
            return Err(PgpError::TooLarge { size, limit: MAX_SIGNATURE }.into());
        }
        let Some(block) = armor::decode(signature) else {
            verification::detached(&self.entities, artifact, signature)?;
            return Ok(CanonicalSignature(armor::encode(SIGNATURE_LABEL, signature)));
        };
        if block.label != SIGNATURE_LABEL.as_bytes() {
            return Err(PgpError::NotSignatureArmor.into());
        }
        let broken = PgpError::Signature(Fault::Broken("illegal base64 data"));
        let packets = block.content.ok_or(broken)?;
        verification::detached(&self.entities, artifact, &packets)?;
        Ok(CanonicalSignature(signature.to_vec()))
    }

    /// The fingerprint of every key and subkey, lower-case hex. (The reference tells those of RSA keys only.)
    fn fingerprints(&self) -> Vec<String> {
        let keys = self.entities.iter().flat_map(|entity| {
            std::iter::once(&entity.primary).chain(entity.subkeys.iter().map(|subkey| &subkey.key))
        });
        keys.map(|key| hex::encode(&key.fingerprint)).collect()
    }
}
