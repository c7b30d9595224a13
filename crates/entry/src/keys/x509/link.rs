//! What a certificate says about its place in a chain, and whether it may stand there.
//!
//! Border: one certificate and one place. Which places there are is the affair of `chain.rs`.

use jiff::civil::DateTime;
use sha2::{Digest as _, Sha256};
use x509_cert::Version;

use super::super::KeyError;
use super::extensions::{Extensions, SUBJECT_ALT_NAME};
use super::issuer_signature::IssuerSignature;
use super::structure::Structure;

/// The parts of a certificate that a chain is judged by.
#[derive(Debug)]
pub(super) struct Link {
    version: Version,
    /// Encoded.
    pub(super) subject: Vec<u8>,
    /// Encoded.
    pub(super) issuer: Vec<u8>,
    /// SHA-256 of name, key and further names: a chain may compare them often, and they may be long.
    pub(super) holder: [u8; 32],
    /// First and last moment of validity, in UTC.
    pub(super) not_before: DateTime,
    not_after: DateTime,
    pub(super) extensions: Extensions,
    pub(super) signature: IssuerSignature,
}

impl Link {
    /// Reads the extensions of a certificate.
    ///
    /// # Errors
    /// [`KeyError::X509`] for a malformed extension.
    pub(super) fn new(structure: Structure<'_>) -> Result<Self, KeyError> {
        let signature = structure.signature.to_vec();
        let mut extensions = structure.extensions.iter();
        let names = extensions.find(|extension| extension.extn_id == SUBJECT_ALT_NAME);
        let names = names.map_or(&[][..], |extension| extension.extn_value.as_bytes());
        let holder = Sha256::new_with_prefix(&structure.subject);
        let holder = holder.chain_update(&structure.key).chain_update(names);
        Ok(Self {
            version: structure.version,
            extensions: Extensions::read(&structure.extensions)?,
            signature: IssuerSignature::new(structure.algorithm, structure.tbs, signature),
            subject: structure.subject,
            issuer: structure.issuer,
            holder: holder.finalize().into(),
            not_before: structure.not_before,
            not_after: structure.not_after,
        })
    }

    /// What holds in every place: no critical extension that is not understood, validity at `moment`.
    pub(super) fn check_place(&self, moment: DateTime) -> Result<(), KeyError> {
        if self.extensions.has_unhandled {
            return Err(KeyError::x509("unhandled critical extension"));
        }
        if moment < self.not_before || moment > self.not_after {
            return Err(KeyError::x509("certificate has expired or is not yet valid"));
        }
        Ok(())
    }

    /// Whether it may issue, with `below` other issuers between it and the leaf. A trust anchor of version 1 or 2 needs
    /// no basic constraints, because it cannot have them.
    pub(super) fn check_issuer(&self, is_anchor: bool, below: usize) -> Result<(), KeyError> {
        let basic = self.extensions.basic_constraints.as_ref();
        let is_authority = match basic {
            Some(basic) => basic.ca,
            None => is_anchor && self.version != Version::V3,
        };
        if !is_authority || self.extensions.may_sign_certificates == Some(false) {
            let text = "certificate is not authorized to sign other certificates";
            return Err(KeyError::x509(text));
        }
        let longest = basic.and_then(|basic| basic.path_length);
        // Certificates that an authority issued to itself count, as in Rekor.
        if longest
            .is_some_and(|longest| usize::try_from(longest).is_ok_and(|longest| below > longest))
        {
            return Err(KeyError::x509("too many intermediates for path length constraint"));
        }
        Ok(())
    }

    /// Refuses a certificate, `below` places above the leaf, by which every certificate of the chain would need a policy:
    /// policies are not looked for.
    pub(super) fn check_policies(&self, below: usize) -> Result<(), KeyError> {
        let skipped = self.extensions.require_explicit_policy.map(usize::try_from);
        match skipped {
            Some(Ok(skipped)) if skipped <= below => {
                Err(KeyError::x509("an explicit certificate policy is required"))
            }
            _ => Ok(()),
        }
    }
}
