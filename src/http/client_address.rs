//! Who sends a request.
//!
//! Border: from connection and headers to the address that limits count by. Only what a
//! trusted proxy wrote is believed: each appends the address that it saw to
//! `X-Forwarded-For`, so with n proxies the client's is the n-th from the right.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Longest list that is looked at, so that nobody can make it long work.
const MAX_HOPS: usize = 64;

/// A client as limits count it: an IPv4 address, or the /64 of an IPv6 address, which is
/// what one customer of a network has (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The client behind `proxies` trusted proxies; `peer` is who opened the connection.
    /// Without as many readable hops as there are proxies, the request did not take
    /// their way, and counts as the peer's own.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: u8) -> Self {
        let named = match proxies {
            0 => None,
            proxies => forwarded(headers, usize::from(proxies)),
        };
        Self(network(named.unwrap_or(peer)))
    }
}

/// The hop that is `from_right` from the right, 1 being the last.
fn forwarded(headers: &HeaderMap, from_right: usize) -> Option<IpAddr> {
    // Several header lines are one list (RFC 9110 section 5.3).
    let lines: Vec<_> = headers.get_all(FORWARDED).iter().collect();
    let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let hop = hops.take(MAX_HOPS).nth(from_right.checked_sub(1)?)?;
    address(std::str::from_utf8(hop).ok()?.trim())
}

/// An address, also with a port, also in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(lines: &[&'static str], proxies: u8) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED, HeaderValue::from_static(line));
        }
        ClientAddress::of("10.0.0.1".parse().unwrap(), &headers, proxies).0.to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_counts() {
        for (lines, proxies, expected) in [
            (&["1.1.1.1, 2.2.2.2"][..], 0, "10.0.0.1"),
            (&["1.1.1.1, 2.2.2.2"], 1, "2.2.2.2"),
            (&["1.1.1.1, 2.2.2.2"], 2, "1.1.1.1"),
            (&["1.1.1.1, 2.2.2.2"], 3, "10.0.0.1"),
            (&["9.9.9.9", "1.1.1.1,2.2.2.2"], 3, "9.9.9.9"),
            (&["forged, 3.3.3.3:4711"], 1, "3.3.3.3"),
            (&["forged"], 1, "10.0.0.1"),
            (&[""], 1, "10.0.0.1"),
            (&[], 1, "10.0.0.1"),
            (&["[2001:db8:1:2:3:4:5:6]:443"], 1, "2001:db8:1:2::"),
            (&["[2001:db8:1:2::9]"], 1, "2001:db8:1:2::"),
            (&["2001:db8:1:2:ffff::1"], 1, "2001:db8:1:2::"),
            (&["::ffff:4.4.4.4"], 1, "4.4.4.4"),
        ] {
            assert_eq!(of(lines, proxies), expected, "{lines:?} {proxies}");
        }
    }
}
