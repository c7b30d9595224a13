//! One certificate (RFC 5280 section 4.1), kept as it came.
//!
//! Border: what the log needs of a certificate. It is parsed by `x509-cert`; an
//! expired one parses like any other, because validity is not judged here.

use der::{Decode as _, Encode as _};

use super::super::KeyError;
use super::public_key::PublicKey;
use super::subjects;

/// A parsed certificate with its original DER.
#[derive(Debug)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: PublicKey,
    subjects: Vec<String>,
    not_before: u64,
}

impl Certificate {
    /// Reads one DER certificate; nothing may follow it.
    ///
    /// # Errors
    /// [`KeyError::X509`] with what is wrong, or the error of the certificate's key.
    pub fn from_der(der: Vec<u8>) -> Result<Self, KeyError> {
        let parsed = x509_cert::Certificate::from_der(&der).map_err(malformed)?;
        let tbs = parsed.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der().map_err(malformed)?;
        let public_key = PublicKey::from_spki_der(&spki)?;
        let subjects = subjects::of(tbs)?;
        let not_before = tbs.validity().not_before.to_unix_duration().as_secs();
        Ok(Self { public_key, subjects, not_before, der })
    }

    /// The certificate as submitted.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The subject's public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject alternative names in the order that the index wants: DNS,
    /// e-mail, IP, URI, Fulcio's OtherName.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        &self.subjects
    }

    /// First second at which the certificate is valid, since 1970.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }
}

fn malformed(error: der::Error) -> KeyError {
    KeyError::x509(format!("malformed certificate: {error}"))
}
