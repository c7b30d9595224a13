//! The strings under which entries are found, where several kinds share a rule.
//!
//! Border: spelling of search strings. They are compared without case; how they
//! are stored is not known here.

use sha2::{Digest as _, Sha256};

use crate::keys::x509::Certificate;
use crate::keys::{self, EvidenceKey, KeyError, KeyFormat};

/// Bare lower-case hex SHA-256, the form that a search by public key looks for.
pub(crate) fn bare_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A key's strings: the bare digest of its canonical form, and its names.
pub(crate) fn of_key(key: &dyn EvidenceKey) -> Vec<String> {
    let mut strings = vec![bare_digest(key.canonical())];
    strings.extend(key.subjects());
    strings
}

/// The strings of a certificate in a signature block: the bare digest that it has as a key, and its
/// names.
pub(crate) fn of_certificate(certificate: &Certificate) -> Vec<String> {
    let mut strings = vec![bare_digest(certificate.to_pem().as_bytes())];
    strings.extend(certificate.subjects_in_block());
    strings
}

/// As [`of_key`], with the `sha256:` form too, which Rekor gives the keys of
/// envelopes. (It gives them only that form, so a search by key never finds them.)
pub(crate) fn of_envelope_key(key: &dyn EvidenceKey) -> Vec<String> {
    let mut strings = of_key(key);
    strings.push(format!("sha256:{}", strings[0]));
    strings
}

/// The search string of a public key or certificate file.
///
/// # Errors
/// A [`KeyError`] when the bytes are no key of this format.
pub fn search_key_for_public_key(
    format: KeyFormat,
    content: &[u8],
) -> Result<Vec<String>, KeyError> {
    let key = keys::parse_key(format, content)?;
    Ok(vec![bare_digest(key.canonical())])
}
