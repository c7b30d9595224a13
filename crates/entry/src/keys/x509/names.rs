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
use super::values;

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
        let malformed =
            |e: der::Error| KeyError::x509(format!("invalid subject alternative name: {e}"));
        let list = AnyRef::from_der(der).map_err(malformed)?;
        list.tag().assert_eq(Tag::Sequence).map_err(malformed)?;
        let mut names = Self::default();
        let mut others = Vec::new();
        for (index, name) in values::read(list.value()).enumerate() {
            values::check_count(index, "names in a certificate")?;
            let name = name.map_err(malformed)?;
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

#[cfg(test)]
mod tests {
    use super::super::values::MAX_VALUES;
    use super::*;

    /// An extension with empty names of these types.
    fn empty(count: usize, tag: u8) -> Result<Names, String> {
        let [.., high, low] = (2 * count).to_be_bytes();
        let list = [&[0x30, 0x82, high, low][..], &[tag, 0].repeat(count)].concat();
        Names::from_der(&list).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_cannot_flood_the_index() {
        assert_eq!(empty(MAX_VALUES, 0x82).unwrap().subjects().len(), MAX_VALUES);
        // Also those that are passed over.
        for tag in [0x82, 0x88, 0xa0] {
            let refusal = empty(MAX_VALUES + 1, tag).unwrap_err();
            assert_eq!(refusal, "x509: more than 1024 names in a certificate");
        }
    }

    #[test]
    fn a_list_that_is_malformed_or_none_is_refused() {
        for bad in [&b"\x31\0"[..], b"\x30\x02\x82\x01", b"\x30\0\0", b"\x30\x02\x82"] {
            let refusal = Names::from_der(bad).unwrap_err().to_string();
            assert!(refusal.starts_with("x509: invalid subject alternative name"), "{refusal}");
        }
    }
}
