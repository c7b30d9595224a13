//! The extensions that decide about a chain (RFC 5280 section 4.2.1).
//!
//! Border: what they say. Extensions that are not listed here are passed over, unless they are critical and the
//! certificate stands in a chain.

use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode as _, Sequence};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::PolicyConstraints;

use super::super::KeyError;
use super::name_constraints::NameConstraints;
use super::names::Names;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = oid("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = oid("2.5.29.15");
/// The further names of a holder.
pub(super) const SUBJECT_ALT_NAME: ObjectIdentifier = oid("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.19");
const NAME_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.30");
const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = oid("2.5.29.31");
const CERTIFICATE_POLICIES: ObjectIdentifier = oid("2.5.29.32");
const POLICY_MAPPINGS: ObjectIdentifier = oid("2.5.29.33");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = oid("2.5.29.35");
const POLICY_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.36");
const EXTENDED_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37");
const INHIBIT_ANY_POLICY: ObjectIdentifier = oid("2.5.29.54");
const AUTHORITY_INFORMATION_ACCESS: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.1");

/// What a certificate's extensions say.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) names: Names,
    pub(super) basic_constraints: Option<BasicConstraints>,
    /// Whether the key may sign certificates; nothing where the extension is missing.
    pub(super) may_sign_certificates: Option<bool>,
    pub(super) name_constraints: Option<NameConstraints>,
    /// How many certificates may follow before every one needs an acceptable policy.
    pub(super) require_explicit_policy: Option<u32>,
    /// Whether one is critical that nobody here understands.
    pub(super) has_unhandled: bool,
}

/// BasicConstraints.
#[derive(Debug, Sequence)]
pub(super) struct BasicConstraints {
    #[asn1(default = "Default::default")]
    pub(super) ca: bool,
    pub(super) path_length: Option<u32>,
}

impl Extensions {
    /// Reads a certificate's list, in which nothing stands twice.
    ///
    /// # Errors
    /// [`KeyError::X509`] for a value that is malformed, or critical where it must not be.
    pub(super) fn read(list: &[Extension]) -> Result<Self, KeyError> {
        let mut extensions = Self::default();
        for extension in list {
            let is_handled = extensions.add(extension.extn_id, extension.extn_value.as_bytes())?;
            let never_critical =
                [SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER, AUTHORITY_INFORMATION_ACCESS];
            if extension.critical && never_critical.contains(&extension.extn_id) {
                let text = format!("extension {} incorrectly marked critical", extension.extn_id);
                return Err(KeyError::x509(text));
            }
            extensions.has_unhandled |= extension.critical && !is_handled;
        }
        Ok(extensions)
    }

    /// Takes one in, and says whether all of it was understood.
    fn add(&mut self, id: ObjectIdentifier, value: &[u8]) -> Result<bool, KeyError> {
        match id {
            SUBJECT_ALT_NAME => {
                self.names = Names::from_der(value)?;
                return Ok(!self.names.is_empty());
            }
            NAME_CONSTRAINTS => {
                let constraints = NameConstraints::from_der(value)?;
                let is_understood = constraints.is_understood;
                self.name_constraints = Some(constraints);
                return Ok(is_understood);
            }
            BASIC_CONSTRAINTS => {
                let found = BasicConstraints::from_der(value);
                self.basic_constraints = Some(found.map_err(|e| wrong("basic constraints", e))?);
            }
            KEY_USAGE => {
                let bits = BitStringRef::from_der(value).map_err(|e| wrong("key usage", e))?;
                // keyCertSign is the sixth bit from the left.
                let first = bits.raw_bytes().first().copied().unwrap_or(0);
                self.may_sign_certificates = Some(first & 0b0000_0100 != 0);
            }
            POLICY_CONSTRAINTS => {
                let found = PolicyConstraints::from_der(value);
                let found = found.map_err(|e| wrong("policy constraints", e))?;
                self.require_explicit_policy = found.require_explicit_policy;
            }
            // Nothing to do: any purpose will do, nobody asks for a policy, nothing is looked up.
            EXTENDED_KEY_USAGE
            | CERTIFICATE_POLICIES
            | POLICY_MAPPINGS
            | INHIBIT_ANY_POLICY
            | CRL_DISTRIBUTION_POINTS => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn wrong(what: &str, error: der::Error) -> KeyError {
    KeyError::x509(format!("invalid {what}: {error}"))
}
