//! The ssh format: a line of an `authorized_keys` file and an SSHSIG signature
//! (`ssh-keygen -Y sign -n file`).
//!
//! Border: which line is the key, and the stored forms. The comment is dropped, so no
//! e-mail address of it reaches the index; nobody has vouched for it anyway. The key
//! that the signature embeds is stored and not compared with the one submitted, as in
//! Rekor: what counts is that the submitted one verifies.

mod fingerprint;
mod public_key;
mod signature;
mod wire;

pub(crate) use fingerprint::of_public_key as fingerprint_of;

use super::{CanonicalSignature, EvidenceKey, KeyError};
use crate::base64;
use public_key::SshPublicKey;
use signature::{Container, signed_bytes};

/// Largest key file in bytes.
const MAX_KEY_FILE: usize = 65_536;

/// An SSH public key or certificate.
#[derive(Debug)]
pub struct SshKey {
    key: SshPublicKey,
    blob: Vec<u8>,
    canonical: Vec<u8>,
}

impl SshKey {
    /// Reads the first line that holds a key: options may stand before it and a
    /// comment behind it; other lines are skipped.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: no such line, or a file of more than 65,536 bytes.
    pub fn parse(content: &[u8]) -> Result<Self, KeyError> {
        if content.len() > MAX_KEY_FILE {
            let text = format!("ssh: key file of {} bytes, at most {MAX_KEY_FILE}", content.len());
            return Err(KeyError::invalid(text));
        }
        let mut first_refusal = None;
        for line in content.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'\r').next().unwrap_or_default().trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match blob_of_line(line).map(Self::from_blob) {
                Some(Ok(key)) => return Ok(key),
                Some(Err(refusal)) => first_refusal = first_refusal.or(Some(refusal)),
                None => {}
            }
        }
        let reason = first_refusal.map_or(String::new(), |refusal| format!(" ({refusal})"));
        Err(KeyError::invalid(format!("ssh: no key found{reason}")))
    }

    fn from_blob(blob: Vec<u8>) -> Result<Self, KeyError> {
        let (name, key) = SshPublicKey::from_blob(&blob)?;
        let canonical = [&name, &b" "[..], base64::encode(&blob).as_bytes(), b"\n"].concat();
        Ok(Self { key, blob, canonical })
    }
}

/// The decoded key of a line `[options] algorithm base64 [comment]`, if it has one.
fn blob_of_line(line: &[u8]) -> Option<Vec<u8>> {
    let blob = |line: &[u8]| {
        let (_algorithm, rest) = split_word(line)?;
        let text = rest.trim_ascii();
        let end = text.iter().position(is_blank).unwrap_or(text.len());
        base64::decode(&text[..end]).ok().filter(|blob| !blob.is_empty())
    };
    blob(line).filter(|blob| blob.starts_with(&[0, 0, 0])).or_else(|| {
        let mut quoted = false;
        let mut escaped = false;
        let options = line.iter().position(|byte| {
            if *byte == b'"' && !escaped {
                quoted = !quoted;
            }
            escaped = *byte == b'\\' && !escaped;
            is_blank(byte) && !quoted
        })?;
        blob(line[options..].trim_ascii())
    })
}

fn split_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    line.iter().position(is_blank).map(|at| line.split_at(at))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl EvidenceKey for SshKey {
    /// Algorithm, blank, base64, newline.
    fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    fn subjects(&self) -> Vec<String> {
        Vec::new()
    }

    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError> {
        let container = Container::parse(signature)?;
        let fields = container.fields()?;
        SshPublicKey::from_blob(fields.public_key)?;
        self.key.verify(&signed_bytes(artifact), fields.signature)?;
        Ok(fields.canonical())
    }

    /// OpenSSH's: `SHA256:` and unpadded base64.
    fn fingerprints(&self) -> Vec<String> {
        vec![fingerprint::of_blob(&self.blob)]
    }
}
