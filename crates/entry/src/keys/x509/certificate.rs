//! One certificate (RFC 5280 section 4.1), kept as it came.
//!
//! Border: what the log needs of a certificate. An expired one parses like any
//! other, because validity is not judged here.

use super::super::KeyError;
use super::link::Link;
use super::public_key::PublicKey;
use super::structure::Structure;
use crate::pem;

/// A parsed certificate with its original DER.
#[derive(Debug)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: PublicKey,
    subjects: Vec<String>,
    emails: Vec<String>,
    link: Link,
}

impl Certificate {
    /// Whether the DER has the form of a certificate, whatever its key and its extensions are.
    ///
    /// # Errors
    /// [`KeyError::X509`] with what is wrong.
    pub(in crate::keys) fn check_form(der: &[u8]) -> Result<(), KeyError> {
        Structure::from_der(der).map(drop)
    }

    /// Reads one DER certificate; nothing may follow it.
    ///
    /// # Errors
    /// [`KeyError::X509`] with what is wrong, or the error of the certificate's key.
    pub fn from_der(der: Vec<u8>) -> Result<Self, KeyError> {
        let mut structure = Structure::from_der(&der)?;
        let public_key = PublicKey::from_spki_der(&structure.key)?;
        let emails = std::mem::take(&mut structure.emails);
        let link = Link::new(structure)?;
        Ok(Self { public_key, subjects: link.extensions.names.subjects(), emails, link, der })
    }

    /// The certificate as submitted.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The PEM that entries store: 64 columns, final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
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

    /// The names of one that comes in a signature block: the e-mail addresses in its subject's
    /// name, then [`subjects`](Self::subjects).
    #[must_use]
    pub fn subjects_in_block(&self) -> Vec<String> {
        [&self.emails[..], &self.subjects].concat()
    }

    /// What a chain is judged by.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}

/// A certificate behind the first one. Its key may be one that nothing can be verified
/// with: who looks only at the first certificate does not care.
#[derive(Debug)]
pub(super) struct Issuer {
    der: Vec<u8>,
    public_key: Option<PublicKey>,
    link: Link,
}

impl Issuer {
    /// Reads one DER certificate; nothing may follow it.
    ///
    /// # Errors
    /// As [`Certificate::from_der`], but for keys that are well formed and unsupported.
    pub(super) fn from_der(der: Vec<u8>) -> Result<Self, KeyError> {
        let structure = Structure::from_der(&der)?;
        let public_key = match PublicKey::from_spki_der(&structure.key) {
            Err(KeyError::UnsupportedKeyType) => None,
            key => Some(key?),
        };
        let link = Link::new(structure)?;
        Ok(Self { public_key, link, der })
    }

    /// The certificate as submitted.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key, if signatures can be verified with it.
    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    /// What a chain is judged by.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}
