//! The SSHSIG container (OpenSSH's PROTOCOL.sshsig).
//!
//! Border: armor, fields, what is signed, and the stored form. As in Rekor, the
//! container is written anew with `sha512` in its digest field and verified in that
//! form, so a signature over a SHA-256 is read and then never verifies.

use sha2::{Digest as _, Sha512};

use super::super::{CanonicalSignature, KeyError};
use super::wire::{self, Reader};
use crate::pem;

const LABEL: &str = "SSH SIGNATURE";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const NAMESPACE: &[u8] = b"file";
const DIGEST: &[u8] = b"sha512";

/// A signature as SSH packs it (RFC 4253 section 6.6).
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature<'a> {
    /// The algorithm, such as `rsa-sha2-512`.
    pub(super) format: &'a [u8],
    pub(super) blob: &'a [u8],
    /// What hardware keys add: flags and a counter.
    pub(super) rest: &'a [u8],
}

impl<'a> Signature<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(bytes);
        let (format, blob) = (reader.string()?, reader.string()?);
        Ok(Self { format, blob, rest: reader.rest() })
    }
}

/// An SSHSIG container.
pub(super) struct Container {
    bytes: Vec<u8>,
}

/// The fields of a container that matter.
pub(super) struct Fields<'a> {
    pub(super) public_key: &'a [u8],
    pub(super) signature: Signature<'a>,
    packed_signature: &'a [u8],
}

impl Container {
    /// Takes the armor off; text around it is ignored.
    pub(super) fn parse(content: &[u8]) -> Result<Self, KeyError> {
        let (block, _) =
            pem::decode(content).ok_or_else(|| KeyError::invalid("unable to decode pem file"))?;
        if block.label != LABEL {
            let label = block.label;
            let text = format!("wrong pem block type: {label}. Expected SSH-SIGNATURE");
            return Err(KeyError::invalid(text));
        }
        Ok(Self { bytes: block.bytes })
    }

    pub(super) fn fields(&self) -> Result<Fields<'_>, KeyError> {
        let mut reader = Reader::new(&self.bytes);
        let magic = reader.bytes(MAGIC.len())?;
        let version = reader.u32()?;
        let [public_key, namespace, _reserved, digest, packed_signature] = {
            let mut next = || reader.string();
            [next()?, next()?, next()?, next()?, next()?]
        };
        reader.end()?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if version != VERSION {
            return Err(KeyError::invalid(format!("unsupported signature version: {version}")));
        }
        if magic != MAGIC {
            return Err(KeyError::invalid(format!("invalid magic header: {}", text(magic))));
        }
        if namespace != NAMESPACE {
            let text = format!("invalid signature namespace: {}", text(namespace));
            return Err(KeyError::invalid(text));
        }
        if digest != b"sha256" && digest != DIGEST {
            let text = format!("unsupported hash algorithm: {}", text(digest));
            return Err(KeyError::invalid(text));
        }
        let signature = Signature::read(packed_signature)?;
        Ok(Fields { public_key, signature, packed_signature })
    }
}

impl Fields<'_> {
    /// The stored form: reserved emptied, digest `sha512`, 64 columns.
    pub(super) fn canonical(&self) -> CanonicalSignature {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        let fields = [self.public_key, NAMESPACE, b"", DIGEST, self.packed_signature];
        bytes.extend_from_slice(&wire::strings(&fields));
        CanonicalSignature(pem::encode(LABEL, &bytes).into_bytes())
    }
}

/// What is signed for an artifact.
pub(super) fn signed_bytes(artifact: &[u8]) -> Vec<u8> {
    let digest = Sha512::digest(artifact);
    [MAGIC, &wire::strings(&[NAMESPACE, b"", DIGEST, &digest])].concat()
}
