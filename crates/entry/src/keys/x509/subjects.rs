//! The names in a certificate's subject alternative name extension (RFC 5280
//! section 4.2.1.6), spelled as Rekor indexes them.
//!
//! Border: order and spelling; case is folded by the index.

use std::net::{IpAddr, Ipv6Addr};

use der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::TbsCertificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use super::super::KeyError;

/// Fulcio's user name (OID of its certificate specification), a UTF8String.
const FULCIO_USER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// DNS names, e-mail addresses, IP addresses, URIs, and Fulcio's OtherName if it
/// is the only OtherName.
pub(super) fn of(certificate: &TbsCertificate) -> Result<Vec<String>, KeyError> {
    let found = certificate.get_extension::<SubjectAltName>();
    let found =
        found.map_err(|e| KeyError::x509(format!("invalid subject alternative name: {e}")))?;
    let Some((_, SubjectAltName(names))) = found else { return Ok(Vec::new()) };
    let mut by_type: [Vec<String>; 4] = Default::default();
    let mut others = Vec::new();
    for name in &names {
        match name {
            GeneralName::DnsName(dns) => by_type[0].push(dns.to_string()),
            GeneralName::Rfc822Name(email) => by_type[1].push(email.to_string()),
            GeneralName::IpAddress(octets) => by_type[2].push(ip_text(octets.as_bytes())?),
            GeneralName::UniformResourceIdentifier(uri) => by_type[3].push(uri_text(uri.as_str())),
            GeneralName::OtherName(other) => others.push(other),
            GeneralName::DirectoryName(_)
            | GeneralName::EdiPartyName(_)
            | GeneralName::RegisteredId(_) => {}
        }
    }
    let mut subjects = by_type.concat();
    if let [only] = others.as_slice() {
        subjects.extend(user_name(only));
    }
    Ok(subjects)
}

fn ip_text(octets: &[u8]) -> Result<String, KeyError> {
    let address = if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        IpAddr::from(v4)
    } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
        // The reference prints an IPv4-mapped address in its IPv4 form.
        Ipv6Addr::from(v6).to_canonical()
    } else {
        return Err(KeyError::x509(format!("cannot parse IP address of length {}", octets.len())));
    };
    Ok(address.to_string())
}

/// The URI with its scheme in lower case.
fn uri_text(uri: &str) -> String {
    match uri.split_once(':') {
        Some((scheme, rest)) => format!("{}:{rest}", scheme.to_ascii_lowercase()),
        None => uri.to_owned(),
    }
}

fn user_name(other: &OtherName) -> Option<String> {
    if other.type_id != FULCIO_USER_NAME {
        return None;
    }
    other.value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.to_string())
}
