//! The pkcs7 format: what `jarsigner` writes, which holds signature and certificates at
//! once.
//!
//! Border: PEM or DER, the stored forms, and the certificates. As in Rekor the key is that of
//! the first certificate, be it a signer's or not; signatures are verified with the signers'.

use sha2::{Digest as _, Sha256};

use super::cms::SignedData;
use super::x509::Certificate;
use super::{CanonicalSignature, EvidenceKey, KeyError};
use crate::pem;

const LABEL: &str = "PKCS7";

/// A PKCS #7 container with the certificate that counts as its key.
#[derive(Debug)]
pub struct Pkcs7 {
    der: Vec<u8>,
    /// PEM of the first certificate.
    canonical_key: Vec<u8>,
}

impl Pkcs7 {
    /// Reads a PEM block `PKCS7`, or DER.
    ///
    /// # Errors
    /// [`KeyError::Invalid`]: not signed data, or without a certificate. [`KeyError::X509`]: the first one is none.
    pub fn parse(content: &[u8]) -> Result<Self, KeyError> {
        let der = match pem::decode(content) {
            Some((block, _)) if block.label == LABEL => block.bytes,
            _ => content.to_vec(),
        };
        let first = SignedData::from_der(&der)?.first_certificate();
        let first = first.ok_or_else(|| KeyError::invalid("malformed pkcs7: no certificates"))?;
        Certificate::check_form(first)?;
        let canonical_key = pem::encode("CERTIFICATE", first).into_bytes();
        Ok(Self { der, canonical_key })
    }

    /// Verifies every signer over `content` and gives the stored form: PEM without the
    /// content.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn verify(&self, content: &[u8]) -> Result<CanonicalSignature, KeyError> {
        SignedData::from_der(&self.der)?.verify(Some(content))?;
        self.detached()
    }

    /// The stored form, nothing verified.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for more than 256 MiB.
    pub fn detached(&self) -> Result<CanonicalSignature, KeyError> {
        let der = SignedData::from_der(&self.der)?.to_detached_der()?;
        Ok(CanonicalSignature(pem::encode(LABEL, &der).into_bytes()))
    }

    /// The certificates that the signatures are verified with, each once. The first certificate
    /// need not be among them: anybody may put anybody's there.
    ///
    /// # Errors
    /// [`KeyError`]: a signer without its certificate.
    pub fn signers(&self) -> Result<Vec<Certificate>, KeyError> {
        SignedData::from_der(&self.der)?.signer_certificates()
    }

    fn certificate(&self) -> Option<Certificate> {
        let first = SignedData::from_der(&self.der).ok()?.first_certificate()?;
        Certificate::from_der(first.to_vec()).ok()
    }
}

impl EvidenceKey for Pkcs7 {
    /// PEM of the first certificate.
    fn canonical(&self) -> &[u8] {
        &self.canonical_key
    }

    fn subjects(&self) -> Vec<String> {
        self.certificate().map_or_else(Vec::new, |certificate| certificate.subjects_in_block())
    }

    fn verify_artifact(
        &self,
        artifact: &[u8],
        signature: &[u8],
    ) -> Result<CanonicalSignature, KeyError> {
        Self::parse(signature)?.verify(artifact)
    }

    /// Hex SHA-256 of the first certificate's DER, then of its SubjectPublicKeyInfo.
    fn fingerprints(&self) -> Vec<String> {
        self.certificate().map_or_else(Vec::new, |certificate| {
            let both = [certificate.der(), certificate.public_key().spki_der()];
            both.iter().map(|bytes| hex::encode(Sha256::digest(bytes))).collect()
        })
    }
}
