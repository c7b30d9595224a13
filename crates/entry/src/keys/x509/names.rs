//! The names in a certificate's subject alternative name extension (RFC 5280
//! section 4.2.1.6), spelled as Rekor indexes them.
//!
//! Border: order and spelling; case is folded by the index. Names of other types
//! are passed over.

use std::net::{IpAddr, Ipv6Addr};

use der::asn1::{Any, AnyRef, ObjectIdentifier};
use der::{Decode as _, Sequence, Tag, TagNumber, Tagged as _};

use super::super::KeyError;
use super::distinguished_name;
use super::uri::Uri;

/// Fulcio's user name (OID of its certificate specification), a UTF8String.
const FULCIO_USER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// rfc822Name.
pub(super) const EMAIL: Tag = name(1);
/// dNSName.
pub(super) const DNS: Tag = name(2);
/// uniformResourceIdentifier.
pub(super) const URI: Tag = name(6);
/// iPAddress.
pub(super) const ADDRESS: Tag = name(7);
const OTHER: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

const fn name(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// A certificate's names.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) dns: Vec<String>,
    pub(super) emails: Vec<String>,
    /// As encoded: an IPv4-mapped one is IPv6.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) uris: Vec<Uri>,
    user_name: Option<String>,
}

/// OtherName.
#[derive(Sequence)]
struct OtherName {
    type_id: ObjectIdentifier,
    #[asn1(context_specific = "0")]
    value: Any,
}

impl Names {
    /// Reads the extension's value.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let list = Vec::<AnyRef<'_>>::from_der(der)
            .map_err(|e| KeyError::x509(format!("invalid subject alternative name: {e}")))?;
        let mut names = Self::default();
        let mut others = Vec::new();
        for name in list {
            match name.tag() {
                DNS => names.dns.push(ascii(name)?.to_owned()),
                EMAIL => names.emails.push(ascii(name)?.to_owned()),
                ADDRESS => names.addresses.push(address(name.value())?),
                URI => {
                    let uri = Uri::read(ascii(name)?);
                    names.uris.push(uri.ok_or_else(|| KeyError::x509("cannot parse URI"))?);
                }
                OTHER => others.push(name),
                _ => {}
            }
        }
        if let [only] = others.as_slice() {
            names.user_name = user_name(*only);
        }
        Ok(names)
    }

    /// Whether there is a name that constraints can speak of.
    pub(super) fn is_empty(&self) -> bool {
        self.dns.is_empty()
            && self.emails.is_empty()
            && self.addresses.is_empty()
            && self.uris.is_empty()
    }

    /// DNS names, e-mail addresses, IP addresses, URIs, and Fulcio's OtherName if it
    /// is the only OtherName.
    pub(super) fn subjects(&self) -> Vec<String> {
        let mut subjects = [&self.dns[..], &self.emails].concat();
        subjects.extend(self.addresses.iter().map(|address| match address {
            // The reference prints an IPv4-mapped address in its IPv4 form.
            IpAddr::V6(v6) => v6.to_canonical().to_string(),
            IpAddr::V4(v4) => v4.to_string(),
        }));
        subjects.extend(self.uris.iter().map(|uri| uri.as_str().to_owned()));
        subjects.extend(self.user_name.clone());
        subjects
    }
}

/// The characters of an IA5String without its own tag.
pub(super) fn ascii(name: AnyRef<'_>) -> Result<&str, KeyError> {
    let text = std::str::from_utf8(name.value()).ok().filter(|text| text.is_ascii());
    text.ok_or_else(|| KeyError::x509("a name is no IA5String"))
}

fn address(octets: &[u8]) -> Result<IpAddr, KeyError> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        Ok(IpAddr::from(v4))
    } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
        Ok(IpAddr::from(Ipv6Addr::from(v6)))
    } else {
        Err(KeyError::x509(format!("cannot parse IP address of length {}", octets.len())))
    }
}

/// Whatever string type the authority chose.
fn user_name(name: AnyRef<'_>) -> Option<String> {
    // The tag stands in place of SEQUENCE's.
    let sequence = AnyRef::new(Tag::Sequence, name.value()).ok()?;
    let other: OtherName = sequence.decode_as().ok()?;
    if other.type_id != FULCIO_USER_NAME {
        return None;
    }
    distinguished_name::text(other.value.to_ref()).filter(|text| !text.is_empty())
}
