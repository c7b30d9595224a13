//! The x509 format: a PEM public key, a PEM certificate, or a PEM chain of
//! certificates.
//!
//! Border: which of the three the bytes are, the stored form, and the names to
//! index. Whether an algorithm is welcome is policy; what time it is does not
//! matter: a chain is judged at the moment its leaf became valid, so the same
//! bytes are accepted for ever.

mod certificate;
mod chain;
mod distinguished_name;
mod domain;
mod extensions;
mod issuer_signature;
mod link;
mod mailbox;
mod name_constraints;
mod names;
mod public_key;
mod structure;
mod uri;
mod values;

pub use certificate::Certificate;
use certificate::Issuer;
pub use public_key::{KeyAlgorithm, PublicKey};

use sha2::{Digest as _, Sha256};

use super::{CanonicalSignature, EvidenceKey, KeyError};
use crate::pem;

/// Most certificates that a chain may have.
const MAX_CERTIFICATES: usize = 10;

/// What a signer submits in the x509 format.
#[derive(Debug)]
pub struct X509Verifier {
    identity: Identity,
    canonical: Vec<u8>,
}

#[derive(Debug)]
enum Identity {
    Key(Box<PublicKey>),
    /// The signer's certificate, then those of its issuers as submitted.
    Certificates(Box<Certificate>, Vec<Issuer>),
}

impl X509Verifier {
    /// Reads a PEM public key, certificate, or chain of at most ten certificates.
    ///
    /// # Errors
    /// A [`KeyError`] for anything else. A chain is only parsed here; see
    /// [`verify_chain`](Self::verify_chain).
    pub fn parse(content: &[u8]) -> Result<Self, KeyError> {
        let content = pem::trim(content);
        let (block, rest) = pem::decode(content).ok_or(KeyError::NoPem)?;
        if !rest.is_empty() {
            return Self::chain(block.bytes, rest);
        }
        match block.label.as_str() {
            "PUBLIC KEY" => {
                let key = Box::new(PublicKey::from_spki_der(&block.bytes)?);
                Ok(Self::new(Identity::Key(key)))
            }
            "CERTIFICATE" => {
                let leaf = Box::new(Certificate::from_der(block.bytes)?);
                Ok(Self::new(Identity::Certificates(leaf, Vec::new())))
            }
            _ => Err(KeyError::WrongLabel(block.label)),
        }
    }

    /// Reads the blocks behind the first as certificates too, whatever their labels say.
    fn chain(first: Vec<u8>, mut rest: &[u8]) -> Result<Self, KeyError> {
        let leaf = Box::new(Certificate::from_der(first)?);
        let mut issuers = Vec::new();
        while !rest.is_empty() {
            if issuers.len() + 1 == MAX_CERTIFICATES {
                return Err(KeyError::TooManyCertificates);
            }
            let (block, after) = pem::decode(rest).ok_or(KeyError::PemTail)?;
            issuers.push(Issuer::from_der(block.bytes)?);
            rest = after;
        }
        Ok(Self::new(Identity::Certificates(leaf, issuers)))
    }

    fn new(identity: Identity) -> Self {
        let canonical = match &identity {
            Identity::Key(key) => key.to_pem(),
            Identity::Certificates(leaf, issuers) => std::iter::once(leaf.der())
                .chain(issuers.iter().map(Issuer::der))
                .map(|der| pem::encode("CERTIFICATE", der))
                .collect(),
        };
        Self { identity, canonical: canonical.into_bytes() }
    }

    /// The PEM that entries store: 64 columns, final newline, certificates in the
    /// order they came.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The key that signatures are checked with: the key itself, or that of the
    /// first certificate.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        match &self.identity {
            Identity::Key(key) => key,
            Identity::Certificates(leaf, _) => leaf.public_key(),
        }
    }

    /// The first certificate, if this is no bare key.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        match &self.identity {
            Identity::Key(_) => None,
            Identity::Certificates(leaf, _) => Some(leaf),
        }
    }

    /// The first certificate's names as they are indexed: DNS names, e-mail
    /// addresses, IP addresses, URIs, then Fulcio's OtherName. Empty for a bare key.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        self.certificate().map_or(&[], Certificate::subjects)
    }

    /// Validates a chain of two or more certificates: the last is the only trust
    /// anchor, those between are helpers, the time is the first one's NotBefore,
    /// any purpose will do. A key or a single certificate has nothing to validate.
    ///
    /// # Errors
    /// [`KeyError::X509`] with the reason.
    pub fn verify_chain(&self) -> Result<(), KeyError> {
        match &self.identity {
            Identity::Certificates(leaf, issuers) => match issuers.split_last() {
                Some((root, intermediates)) => chain::verify(leaf, intermediates, root),
                None => Ok(()),
            },
            Identity::Key(_) => Ok(()),
        }
    }
}

impl EvidenceKey for X509Verifier {
    fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    fn subjects(&self) -> Vec<String> {
        self.subjects().to_vec()
    }

    /// Validates the chain, then checks a SHA-256 (RSA, ECDSA) or pure Ed25519
    /// signature; it is stored unchanged.
    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError> {
        self.verify_chain()?;
        self.key().verify(artifact, signature)?;
        Ok(CanonicalSignature(signature.to_vec()))
    }

    /// Lower-case hex SHA-256 of the SubjectPublicKeyInfo, or of the first
    /// certificate's DER.
    fn fingerprints(&self) -> Vec<String> {
        let identity = match &self.identity {
            Identity::Key(key) => key.spki_der(),
            Identity::Certificates(leaf, _) => leaf.der(),
        };
        vec![hex::encode(Sha256::digest(identity))]
    }
}
