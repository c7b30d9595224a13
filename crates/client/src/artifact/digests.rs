//! The digests by which entries name a file.
//!
//! Border: hashing, for TUF of another form than the file's; opening files is the caller's affair.

use std::io::{self, Read};

use entry::keys::tuf::canonical_document;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::envelope::is_name;

/// Digests of one file, lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// 64 digits.
    pub sha256: String,
    /// 96 digits.
    pub sha384: String,
    /// 128 digits.
    pub sha512: String,
    /// SHA-256 of the canonical form in which entries hold TUF metadata, 64 digits;
    /// `None` unless the file is known to be some.
    pub tuf: Option<String>,
}

/// TUF metadata without members that could be anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "signed")]
    _signed: IgnoredAny,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

impl Digests {
    /// Reads to the end, in pieces.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of(mut reader: impl Read) -> io::Result<Self> {
        let (mut sha256, mut sha384, mut sha512) = (Sha256::new(), Sha384::new(), Sha512::new());
        let mut piece = vec![0; 64 << 10];
        loop {
            let read = match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => &piece[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            sha256.update(read);
            sha384.update(read);
            sha512.update(read);
        }
        Ok(Self {
            sha256: hex::encode(sha256.finalize()),
            sha384: hex::encode(sha384.finalize()),
            sha512: hex::encode(sha512.finalize()),
            tuf: None,
        })
    }

    /// Adds the digest of TUF metadata, if the file's content is that and nothing more: the
    /// canonical form leaves out what is neither signed nor a signature.
    #[must_use]
    pub fn with_tuf(self, content: &[u8]) -> Self {
        let plain = serde_json::from_slice(content).is_ok_and(|document: Document| {
            let mut signatures = document.signatures.iter();
            signatures.all(|signature| is_name(&signature.keyid) && is_name(&signature.sig))
        });
        let canonical = plain.then(|| canonical_document(content).ok()).flatten();
        Self { tuf: canonical.map(|bytes| hex::encode(Sha256::digest(bytes))), ..self }
    }

    /// Whether a digest of this algorithm (`sha256`, `sha384`, `sha512`) is the file's.
    #[must_use]
    pub fn has(&self, algorithm: &str, value: &str) -> bool {
        let own = match algorithm {
            "sha256" => &self.sha256,
            "sha384" => &self.sha384,
            "sha512" => &self.sha512,
            _ => return false,
        };
        own.eq_ignore_ascii_case(value)
    }
}
