//! Name constraints of a certificate authority (RFC 5280 section 4.2.1.10).
//!
//! Border: DNS names, e-mail addresses, URIs and IP addresses of subject alternative
//! names. Constraints on other names are passed over, or refused with the extension
//! where it is critical.

use std::net::IpAddr;

use der::asn1::{AnyRef, SequenceRef};
use der::{Decode as _, DecodeValue, Sequence, Tagged as _};

use super::super::KeyError;
use super::domain::{self, Subtree};
use super::mailbox::Mailbox;
use super::names::{self, Names};
use super::uri::Host;
use super::values;

/// What an authority may and may not sign for.
#[derive(Debug)]
pub(super) struct NameConstraints {
    permitted: Subtrees,
    excluded: Subtrees,
    /// Whether there were none that is passed over.
    pub(super) is_understood: bool,
}

#[derive(Debug, Default)]
struct Subtrees {
    dns: Vec<Subtree>,
    emails: Vec<Emails>,
    uris: Vec<Subtree>,
    networks: Vec<Network>,
}

#[derive(Debug)]
enum Emails {
    One(Mailbox),
    Under(Subtree),
}

/// An address and a mask of the same length.
#[derive(Debug)]
struct Network {
    address: Vec<u8>,
    mask: Vec<u8>,
}

/// NameConstraints; the lists are read one by one.
#[derive(DecodeValue)]
struct Extension<'a> {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    permitted: Option<&'a SequenceRef>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    excluded: Option<&'a SequenceRef>,
}

impl<'a> Sequence<'a> for Extension<'a> {}

/// GeneralSubtree; its distances are always zero and infinite.
#[derive(Sequence)]
struct GeneralSubtree<'a> {
    base: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", default = "Default::default")]
    minimum: u32,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    maximum: Option<u32>,
}

/// Bytes that may yet be compared: many names under many constraints must not cost minutes.
#[derive(Debug)]
pub(super) struct Comparisons(pub(super) usize);

impl Comparisons {
    fn spend(&mut self, bytes: usize) -> Result<(), KeyError> {
        let left = self.0.checked_sub(bytes + 1);
        self.0 = left.unwrap_or(0);
        left.map(drop).ok_or_else(|| KeyError::x509("too many name constraints to compare"))
    }
}

impl NameConstraints {
    /// Reads the extension's value.
    pub(super) fn from_der<'a>(der: &'a [u8]) -> Result<Self, KeyError> {
        let found = Extension::from_der(der).map_err(malformed)?;
        let bytes = |list: Option<&'a SequenceRef>| list.map_or(&[][..], SequenceRef::as_bytes);
        let (permitted, excluded) = (bytes(found.permitted), bytes(found.excluded));
        if permitted.is_empty() && excluded.is_empty() {
            return Err(KeyError::x509("empty name constraints extension"));
        }
        let mut is_understood = true;
        Ok(Self {
            permitted: Subtrees::read(permitted, &mut is_understood)?,
            excluded: Subtrees::read(excluded, &mut is_understood)?,
            is_understood,
        })
    }

    /// Checks the names of a certificate that follows from the authority's.
    ///
    /// # Errors
    /// [`KeyError::X509`]: a name is excluded, not permitted, or cannot be compared.
    pub(super) fn check(&self, names: &Names, left: &mut Comparisons) -> Result<(), KeyError> {
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Ok(());
        }
        let (permitted, excluded) = (&self.permitted, &self.excluded);
        for name in &names.dns {
            left.spend(name.len())?;
            if !domain::is_domain(name) {
                return Err(not_authorized("a DNS name cannot be parsed"));
            }
            check_domain(name, &permitted.dns, &excluded.dns, left)?;
        }
        for name in &names.emails {
            left.spend(name.len())?;
            let mailbox = Mailbox::read(name);
            let mailbox =
                mailbox.ok_or_else(|| not_authorized("an e-mail address cannot be parsed"))?;
            let is_in = |subtree: &Emails| subtree.covers(&mailbox);
            let touches = |subtree: &Emails| subtree.touches(&mailbox);
            check(&permitted.emails, &excluded.emails, is_in, touches, Emails::len, left)?;
        }
        for uri in &names.uris {
            match uri.host() {
                Host::Domain(host) => check_domain(host, &permitted.uris, &excluded.uris, left)?,
                Host::None | Host::Address => {
                    return Err(not_authorized("a URI has no domain to compare"));
                }
            }
        }
        for address in &names.addresses {
            let is_in = |network: &Network| network.contains(*address);
            // An IPv4-mapped one is found by its IPv4 form.
            let found_by = address.to_canonical();
            let touches = |network: &Network| is_in(network) || network.contains(found_by);
            check(&permitted.networks, &excluded.networks, is_in, touches, Network::len, left)?;
        }
        Ok(())
    }
}

fn check_domain(
    name: &str,
    permitted: &[Subtree],
    excluded: &[Subtree],
    left: &mut Comparisons,
) -> Result<(), KeyError> {
    let covers = |subtree: &Subtree| subtree.covers(name);
    check(permitted, excluded, covers, |subtree| subtree.touches(name), Subtree::len, left)
}

/// One name must be outside of all that is excluded and, where its type is constrained, inside something permitted.
fn check<T>(
    permitted: &[T],
    excluded: &[T],
    is_in: impl Fn(&T) -> bool,
    touches: impl Fn(&T) -> bool,
    len: impl Fn(&T) -> usize,
    left: &mut Comparisons,
) -> Result<(), KeyError> {
    for subtree in excluded {
        left.spend(len(subtree))?;
        if touches(subtree) {
            return Err(not_authorized("it is excluded"));
        }
    }
    for subtree in permitted {
        left.spend(len(subtree))?;
        if is_in(subtree) {
            return Ok(());
        }
    }
    if permitted.is_empty() { Ok(()) } else { Err(not_authorized("it is not permitted")) }
}

impl Subtrees {
    fn read(list: &[u8], is_understood: &mut bool) -> Result<Self, KeyError> {
        let mut subtrees = Self::default();
        for (index, subtree) in values::read(list).enumerate() {
            values::check_count(index, "name constraints of one sort in a certificate")?;
            let subtree = subtree.and_then(|subtree| subtree.decode_as::<GeneralSubtree<'_>>());
            let base = subtree.map_err(malformed)?.base;
            match base.tag() {
                names::DNS => subtrees.dns.push(domain(base)?),
                names::URI => {
                    if names::ascii(base)?.parse::<IpAddr>().is_ok() {
                        return Err(KeyError::x509("a URI constraint cannot be an IP address"));
                    }
                    subtrees.uris.push(domain(base)?);
                }
                names::EMAIL => subtrees.emails.push(Emails::read(base)?),
                names::ADDRESS => subtrees.networks.push(Network::read(base.value())?),
                _ => *is_understood = false,
            }
        }
        Ok(subtrees)
    }

    fn is_empty(&self) -> bool {
        self.dns.is_empty()
            && self.emails.is_empty()
            && self.uris.is_empty()
            && self.networks.is_empty()
    }
}

fn malformed(error: der::Error) -> KeyError {
    KeyError::x509(format!("invalid NameConstraints extension: {error}"))
}

fn domain(base: AnyRef<'_>) -> Result<Subtree, KeyError> {
    Subtree::read(names::ascii(base)?)
        .ok_or_else(|| KeyError::x509("failed to parse a name constraint"))
}

impl Emails {
    fn read(base: AnyRef<'_>) -> Result<Self, KeyError> {
        let text = names::ascii(base)?;
        if !text.contains('@') {
            return domain(base).map(Self::Under);
        }
        let one = Mailbox::read(text).map(Self::One);
        one.ok_or_else(|| KeyError::x509("failed to parse a name constraint"))
    }

    fn covers(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::One(one) => one.is_same(mailbox),
            Self::Under(subtree) => subtree.covers(mailbox.domain()),
        }
    }

    fn touches(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::One(one) => one.is_same(mailbox),
            Self::Under(subtree) => subtree.touches(mailbox.domain()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::One(one) => one.len(),
            Self::Under(subtree) => subtree.len(),
        }
    }
}

impl Network {
    fn read(octets: &[u8]) -> Result<Self, KeyError> {
        if ![8, 32].contains(&octets.len()) {
            let text = format!("IP constraint contained value of length {}", octets.len());
            return Err(KeyError::x509(text));
        }
        let (address, mask) = octets.split_at(octets.len() / 2);
        let bits = mask.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let zeros_at_the_end =
            if bits == 0 { 8 * mask.len() } else { bits.trailing_zeros() as usize };
        let is_prefix = zeros_at_the_end + bits.count_ones() as usize == 8 * mask.len();
        if !is_prefix {
            return Err(KeyError::x509("IP constraint contained invalid mask"));
        }
        Ok(Self { address: address.to_vec(), mask: mask.to_vec() })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.contains_octets(&v4.octets()),
            IpAddr::V6(v6) => self.contains_octets(&v6.octets()),
        }
    }

    fn contains_octets(&self, octets: &[u8]) -> bool {
        let pairs = || self.address.iter().zip(octets).zip(&self.mask);
        self.address.len() == octets.len()
            && pairs().all(|((own, other), mask)| own & mask == other & mask)
    }

    fn len(&self) -> usize {
        self.address.len()
    }
}

fn not_authorized(why: &str) -> KeyError {
    KeyError::x509(format!(
        "a root or intermediate certificate is not authorized to sign for this name: {why}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::values::MAX_VALUES;
    use super::*;

    /// `30 len a0 len { 30 len base }…`
    fn permitted(bases: &[&[u8]]) -> Result<NameConstraints, KeyError> {
        let wrap =
            |tag: u8, inner: &[u8]| [&[tag, u8::try_from(inner.len()).unwrap()], inner].concat();
        let subtrees: Vec<u8> = bases.iter().flat_map(|base| wrap(0x30, base)).collect();
        NameConstraints::from_der(&wrap(0x30, &wrap(0xa0, &subtrees)))
    }

    #[test]
    fn networks_have_a_prefix() {
        let network = |mask: &[u8]| permitted(&[&[&[0x87, 8, 10, 1, 2, 3], mask].concat()]);
        for good in [[0, 0, 0, 0], [255, 255, 255, 255], [255, 0, 0, 0], [255, 224, 0, 0]] {
            assert!(network(&good).unwrap().is_understood, "{good:?}");
        }
        for bad in [[255, 0, 255, 0], [0, 255, 0, 0], [255, 1, 0, 0], [127, 0, 0, 0]] {
            network(&bad).unwrap_err();
        }
        permitted(&[&[0x87, 5, 10, 0, 0, 0, 255]]).unwrap_err();
        let held = network(&[255, 0, 0, 0]).unwrap();
        let networks = &held.permitted.networks;
        assert!(networks[0].contains("10.9.9.9".parse().unwrap()));
        assert!(!networks[0].contains("11.9.9.9".parse().unwrap()));
        assert!(!networks[0].contains("::ffff:10.9.9.9".parse().unwrap()));
    }

    #[test]
    fn malformed_constraints_are_refused() {
        for base in [
            &b"\x82\x01."[..],
            b"\x82\x02a.",
            b"\x81\x01@",
            b"\x81\x04@x.y",
            b"\x86\x071.2.3.4",
            b"\x82\x01\xe9",
        ] {
            assert!(permitted(&[base]).is_err(), "{base:?}");
        }
        assert!(permitted(&[]).is_err());
        assert!(NameConstraints::from_der(b"\x30\0").is_err());
        // A registered identifier is passed over, and said to be.
        assert!(!permitted(&[b"\x88\x01\x2a"]).unwrap().is_understood);
    }

    #[test]
    fn the_number_of_constraints_is_bounded() {
        let list = |count: usize| {
            let [.., high, low] = (4 * count).to_be_bytes();
            let [.., above, below] = (4 * count + 4).to_be_bytes();
            let heads = [0x30, 0x82, above, below, 0xa1, 0x82, high, low];
            NameConstraints::from_der(&[&heads[..], &b"\x30\x02\x82\0".repeat(count)].concat())
        };
        assert_eq!(list(MAX_VALUES).unwrap().excluded.dns.len(), MAX_VALUES);
        let refusal = list(MAX_VALUES + 1).unwrap_err().to_string();
        assert_eq!(refusal, "x509: more than 1024 name constraints of one sort in a certificate");
    }

    #[test]
    fn comparing_ends() {
        let constraints = permitted(&[b"\x82\x03x.y", b"\x82\x03o.k"]).unwrap();
        let mut names = Names::default();
        names.dns.push("a.o.k".to_owned());
        // A byte more than each of name and constraints has.
        constraints.check(&names, &mut Comparisons(6 + 4 + 4)).unwrap();
        let refusal = constraints.check(&names, &mut Comparisons(6 + 4 + 3)).unwrap_err();
        assert!(refusal.to_string().contains("too many name constraints"), "{refusal}");
    }
}
