//! SSH public keys and certificates in wire format (RFC 4253 section 6.6, RFC 5656,
//! RFC 8709, OpenSSH's PROTOCOL.u2f and PROTOCOL.certkeys), and what they verify.
//!
//! Border: one blob. A certificate is read for its key; who signed it and when it is
//! valid is not judged, as in Rekor.

use sha2::{Digest as _, Sha256};

use super::super::dsa::DsaKey;
use super::super::ecdsa::{Curve, EcdsaKey};
use super::super::ed25519::Ed25519Key;
use super::super::rsa::RsaKey;
use super::super::{DigestAlgorithm, KeyError};
use super::signature::Signature;
use super::wire::Reader;

const CERTIFICATE_SUFFIX: &[u8] = b"-cert-v01@openssh.com";
/// Largest RSA public exponent in bytes (24 bits).
const MAX_EXPONENT: usize = 3;
/// Bytes of a DSA modulus and order: SSH has one size, 1024 and 160 bits (RFC 4253 section 6.6).
const DSA_SIZES: (usize, usize) = (128, 20);
/// The flag of a hardware key's signature for which somebody touched it.
const USER_PRESENT: u8 = 1;

/// A key that verifies SSH signatures.
#[derive(Debug)]
pub(super) struct SshPublicKey {
    /// The name of the key's algorithm, without a certificate's suffix.
    algorithm: Vec<u8>,
    material: Material,
    /// The application of a hardware key.
    application: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaKey),
    Dsa(Box<DsaKey>),
    Ecdsa(Box<EcdsaKey>),
    Ed25519(Ed25519Key),
}

impl SshPublicKey {
    /// Reads a key or certificate; nothing may follow it.
    pub(super) fn from_blob(blob: &[u8]) -> Result<(Vec<u8>, Self), KeyError> {
        let mut reader = Reader::new(blob);
        let name = reader.string()?;
        let is_certificate = name.ends_with(CERTIFICATE_SUFFIX);
        let plain = plain_name(name);
        if is_certificate {
            let _nonce = reader.string()?;
        }
        let key = Self::read(plain, &mut reader)?;
        if is_certificate {
            read_certificate(&mut reader)?;
        }
        reader.end().map_err(|_| KeyError::invalid("ssh: trailing junk in public key"))?;
        Ok((name.to_vec(), key))
    }

    fn read(name: &[u8], reader: &mut Reader<'_>) -> Result<Self, KeyError> {
        let material = match name {
            b"ssh-rsa" => Material::Rsa(read_rsa(reader)?),
            b"ssh-dss" => Material::Dsa(Box::new(read_dsa(reader)?)),
            b"ecdsa-sha2-nistp256" | b"sk-ecdsa-sha2-nistp256@openssh.com" => {
                read_ecdsa(Curve::P256, b"nistp256", reader)?
            }
            b"ecdsa-sha2-nistp384" => read_ecdsa(Curve::P384, b"nistp384", reader)?,
            b"ecdsa-sha2-nistp521" => read_ecdsa(Curve::P521, b"nistp521", reader)?,
            b"ssh-ed25519" | b"sk-ssh-ed25519@openssh.com" => {
                let bytes = reader.string()?.try_into();
                let bytes = bytes
                    .map_err(|_| KeyError::invalid("ssh: invalid size for Ed25519 public key"))?;
                Material::Ed25519(Ed25519Key::new(bytes))
            }
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(KeyError::invalid(format!("ssh: unknown key algorithm: {name:.64}")));
            }
        };
        let application = match name.starts_with(b"sk-") {
            true => Some(reader.string()?.to_vec()),
            false => None,
        };
        Ok(Self { algorithm: name.to_vec(), material, application })
    }

    /// Verifies a signature over a message.
    pub(super) fn verify(&self, message: &[u8], signature: Signature<'_>) -> Result<(), KeyError> {
        let format_matches = match &self.material {
            Material::Rsa(_) => rsa_digest(signature.format).is_some(),
            _ => signature.format == self.algorithm,
        };
        if !format_matches {
            return Err(KeyError::invalid(format!(
                "ssh: signature type {:.64} for key type {}",
                String::from_utf8_lossy(signature.format),
                String::from_utf8_lossy(&self.algorithm),
            )));
        }
        let verified = match &self.application {
            None => self.verify_bytes(message, signature),
            Some(application) => {
                let signed = hardware_bytes(application, message, signature.rest)?;
                self.verify_bytes(&signed, signature)
            }
        };
        verified.map_err(|_| KeyError::invalid("ssh: signature did not verify"))
    }

    fn verify_bytes(&self, message: &[u8], signature: Signature<'_>) -> Result<(), KeyError> {
        match &self.material {
            Material::Rsa(key) => {
                let digest = rsa_digest(signature.format).ok_or(KeyError::RsaVerification)?;
                // Some signers drop leading zeros (RFC 4253 section 6.6 allows it).
                let missing = key.modulus().len().saturating_sub(signature.blob.len());
                let padded = [&vec![0; missing], signature.blob].concat();
                key.verify_pkcs1(digest, &digest.digest(message), &padded)
            }
            Material::Dsa(key) => {
                let numbers = signature.blob.split_at_checked(DSA_SIZES.1);
                let numbers = numbers.filter(|(_, s)| s.len() == DSA_SIZES.1);
                let digest = DigestAlgorithm::Sha1.digest(message);
                let holds = numbers.is_some_and(|(r, s)| key.verify(&digest, r, s));
                if holds { Ok(()) } else { Err(KeyError::invalid("dsa: verification error")) }
            }
            Material::Ecdsa(key) => {
                let mut reader = Reader::new(signature.blob);
                let (r, s) = (reader.positive()?, reader.positive()?);
                reader.end()?;
                let digest = match key.curve() {
                    Curve::P224 | Curve::P256 => DigestAlgorithm::Sha256,
                    Curve::P384 => DigestAlgorithm::Sha384,
                    Curve::P521 => DigestAlgorithm::Sha512,
                };
                let holds = key.verify_numbers(&digest.digest(message), r, s);
                if holds { Ok(()) } else { Err(KeyError::EcdsaFixed) }
            }
            Material::Ed25519(key) => key.verify(message, signature.blob),
        }
    }
}

fn plain_name(name: &[u8]) -> &[u8] {
    match name.strip_suffix(CERTIFICATE_SUFFIX) {
        Some(b"sk-ssh-ed25519") => b"sk-ssh-ed25519@openssh.com",
        Some(b"sk-ecdsa-sha2-nistp256") => b"sk-ecdsa-sha2-nistp256@openssh.com",
        Some(plain) => plain,
        None => name,
    }
}

fn read_rsa(reader: &mut Reader<'_>) -> Result<RsaKey, KeyError> {
    let (exponent, modulus) = (reader.positive()?, reader.positive()?);
    if exponent.len() > MAX_EXPONENT {
        return Err(KeyError::invalid("ssh: exponent too large"));
    }
    let exponent = exponent.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    if exponent < 3 || exponent % 2 == 0 {
        return Err(KeyError::invalid("ssh: incorrect exponent"));
    }
    Ok(RsaKey::new(modulus, exponent))
}

fn read_dsa(reader: &mut Reader<'_>) -> Result<DsaKey, KeyError> {
    let (p, q) = (reader.positive()?, reader.positive()?);
    let (g, y) = (reader.positive()?, reader.positive()?);
    let is_full = |number: &[u8], size: usize| number.len() == size && number[0] & 0x80 != 0;
    if !is_full(p, DSA_SIZES.0) || !is_full(q, DSA_SIZES.1) {
        return Err(KeyError::invalid("ssh: unsupported DSA key size"));
    }
    DsaKey::new(p, q, g, y).map_err(|_| KeyError::invalid("ssh: invalid DSA key"))
}

fn read_ecdsa(curve: Curve, name: &[u8], reader: &mut Reader<'_>) -> Result<Material, KeyError> {
    if reader.string()? != name {
        return Err(KeyError::invalid("ssh: unsupported curve"));
    }
    let key = EcdsaKey::from_uncompressed(curve, reader.string()?)
        .map_err(|_| KeyError::invalid("ssh: invalid curve point"))?;
    Ok(Material::Ecdsa(Box::new(key)))
}

/// Reads a certificate's fields behind its key.
fn read_certificate(reader: &mut Reader<'_>) -> Result<(), KeyError> {
    let _serial = reader.u64()?;
    let _type = reader.u32()?;
    let _key_id = reader.string()?;
    let mut principals = Reader::new(reader.string()?);
    while !principals.rest().is_empty() {
        principals.string()?;
    }
    let (_after, _before) = (reader.u64()?, reader.u64()?);
    let (_critical, _extensions, _reserved) =
        (reader.string()?, reader.string()?, reader.string()?);
    let signer = reader.string()?;
    if Reader::new(signer).string()?.ends_with(CERTIFICATE_SUFFIX) {
        // A certificate that signs certificates would make this recursive.
        return Err(KeyError::invalid("ssh: a certificate is signed by a certificate"));
    }
    SshPublicKey::from_blob(signer)?;
    let mut signature = Reader::new(reader.string()?);
    signature.string()?;
    signature.string()?;
    Ok(())
}

fn rsa_digest(format: &[u8]) -> Option<DigestAlgorithm> {
    match format {
        b"ssh-rsa" => Some(DigestAlgorithm::Sha1),
        b"rsa-sha2-256" => Some(DigestAlgorithm::Sha256),
        b"rsa-sha2-512" => Some(DigestAlgorithm::Sha512),
        _ => None,
    }
}

/// What a hardware key signs for a message: the application's digest, flags, counter
/// and the message's digest. Somebody must have touched it.
fn hardware_bytes(application: &[u8], message: &[u8], rest: &[u8]) -> Result<Vec<u8>, KeyError> {
    if rest.len() != 5 {
        return Err(KeyError::invalid("ssh: a hardware key's signature lacks flags and counter"));
    }
    if rest[0] & USER_PRESENT == 0 {
        return Err(KeyError::invalid("ssh: signature missing required user presence flag"));
    }
    Ok([&Sha256::digest(application), rest, &Sha256::digest(message)].concat())
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    /// As a hardware key signs `message`, with these flags.
    fn verify(flags: u8, message: &[u8]) -> Result<(), KeyError> {
        let name = b"sk-ssh-ed25519@openssh.com";
        let signer = SigningKey::from_bytes(&[7; 32]);
        let point = signer.verifying_key().to_bytes();
        let (_, key) = SshPublicKey::from_blob(&wire::strings(&[name, &point, b"ssh:"])).unwrap();
        let rest = [flags, 0, 0, 0, 5];
        let signed = [&Sha256::digest(b"ssh:")[..], &rest, &Sha256::digest(b"a message")].concat();
        let blob = signer.sign(&signed).to_bytes();
        key.verify(message, Signature { format: name, blob: &blob, rest: &rest })
    }

    #[test]
    fn dsa_keys_have_one_size() {
        let key = |p: &[u8], q: &[u8]| {
            let number = |bytes: &[u8]| [&[0], bytes].concat();
            let fields = [b"ssh-dss", &number(p)[..], &number(q), &[2], &[3]];
            SshPublicKey::from_blob(&wire::strings(&fields)).map(drop)
        };
        let (p, q) = ([0xff; 128], [0xff; 20]);
        assert_eq!(key(&p, &q), Ok(()));
        for (p, q) in
            [(&[0xff; 256][..], &q[..]), (&p[..127], &q), (&p, &[0xff; 32]), (&p, &q[1..])]
        {
            let refusal = key(p, q).unwrap_err().to_string();
            assert_eq!(refusal, "ssh: unsupported DSA key size", "{} {}", p.len(), q.len());
        }
    }

    #[test]
    fn a_hardware_key_was_touched() {
        for flags in [0x01, 0x05, 0x81] {
            assert_eq!(verify(flags, b"a message"), Ok(()));
            assert!(verify(flags, b"another").is_err());
        }
        for flags in [0x00, 0x04, 0x80] {
            let refusal = verify(flags, b"a message").unwrap_err().to_string();
            assert_eq!(refusal, "ssh: signature missing required user presence flag");
        }
    }
}
