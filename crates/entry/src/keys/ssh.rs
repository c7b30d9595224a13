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
    /// comment behind it; other lines are skipped, also where the algorithm that is
    /// named is not the key's.
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
            for text in [Some(line), behind_options(line)].into_iter().flatten() {
                match split_key(text).map(|(name, blob)| Self::new(name, blob)) {
                    Some(Ok(key)) => return Ok(key),
                    Some(Err(refusal)) => first_refusal = first_refusal.or(Some(refusal)),
                    None => {}
                }
            }
        }
        let reason = first_refusal.map_or(String::new(), |refusal| format!(" ({refusal})"));
        Err(KeyError::invalid(format!("ssh: no key found{reason}")))
    }

    fn new(named: &[u8], blob: Vec<u8>) -> Result<Self, KeyError> {
        let (name, key) = SshPublicKey::from_blob(&blob)?;
        if name != named {
            let (named, name) = (String::from_utf8_lossy(named), String::from_utf8_lossy(&name));
            let text = format!("ssh: the line says {named:.64}, the key {name:.64}");
            return Err(KeyError::invalid(text));
        }
        let canonical = [&name, &b" "[..], base64::encode(&blob).as_bytes(), b"\n"].concat();
        Ok(Self { key, blob, canonical })
    }
}

/// The algorithm and the decoded key of `algorithm base64 [comment]`, if the text is that.
fn split_key(text: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let at = text.iter().position(is_blank)?;
    let (name, rest) = (&text[..at], text[at..].trim_ascii());
    let end = rest.iter().position(is_blank).unwrap_or(rest.len());
    let blob = base64::decode(&rest[..end]).ok().filter(|blob| !blob.is_empty())?;
    Some((name, blob))
}

/// What follows the options of a line. Blanks inside quotation marks belong to them; a
/// mark behind a backslash is none, also where that one stands behind another.
fn behind_options(line: &[u8]) -> Option<&[u8]> {
    let (mut quoted, mut before) = (false, 0);
    let end = line.iter().position(|byte| {
        if *byte == b'"' && before != b'\\' {
            quoted = !quoted;
        }
        before = *byte;
        is_blank(byte) && !quoted
    })?;
    Some(line[end..].trim_ascii())
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

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIMT6oFBkVYpl57mq+Vu5xSSqRFKB9K7QwzsV2fOau3L3";

    fn is_key(line: &str) -> bool {
        SshKey::parse(line.as_bytes()).is_ok()
    }

    #[test]
    fn the_first_line_that_is_a_key_is_read() {
        let key = SshKey::parse(format!("# x\nssh-dss AAAA\n\nssh-ed25519 {BLOB} me\n").as_bytes());
        assert_eq!(key.unwrap().canonical(), format!("ssh-ed25519 {BLOB}\n").as_bytes());
        for options in ["no-pty", "ssh-rsa", r#"command="a b",no-pty"#, r#"command="a \" b""#] {
            assert!(is_key(&format!("{options} \t ssh-ed25519   {BLOB}")), "{options}");
        }
        for line in [
            r#"command="a b ssh-ed25519 B"#,
            r#"command="a \\" ssh-ed25519 B"#,
            "a b ssh-ed25519 B",
        ] {
            assert!(!is_key(&line.replace('B', BLOB)), "{line}");
        }
    }

    #[test]
    fn a_line_that_names_another_algorithm_is_no_key() {
        for name in ["ssh-rsa", "foo", "SSH-ED25519", "ssh-ed25519-cert-v01@openssh.com"] {
            let line = format!("{name} {BLOB}");
            let refusal = SshKey::parse(line.as_bytes()).unwrap_err().to_string();
            assert!(refusal.starts_with("ssh: no key found"), "{refusal}");
            assert!(!is_key(&format!("no-pty {line} ssh-ed25519 {BLOB}")));
            assert!(is_key(&format!("{line}\nssh-ed25519 {BLOB}")));
        }
    }
}
