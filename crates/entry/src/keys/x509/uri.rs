//! URIs in certificates, spelled as Rekor indexes them, and the hosts that name constraints speak of.
//!
//! Border: the syntax of RFC 3986, read as loosely as the reference reads it. A component that needs no escaping stays as
//! it is; any other is unescaped and escaped anew.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::domain::is_domain;

/// A URI or relative reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uri {
    text: String,
    host: Host,
}

/// What a URI names as its host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Nothing.
    None,
    /// An IP address.
    Address,
    /// A domain, as written.
    Domain(String),
}

/// Where characters stand decides which of them are escaped.
#[derive(Clone, Copy)]
enum Component {
    User,
    Path,
    Fragment,
}

impl Uri {
    /// Reads ASCII text; nothing if it is no URI.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, rest) = split_scheme(text)?;
        let (part, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let mut out = String::with_capacity(text.len());
        if let Some(scheme) = scheme {
            out.push_str(&scheme.to_ascii_lowercase());
            out.push(':');
        }
        let host = write_hierarchy(scheme.is_some(), part, &mut out)?;
        out.push_str(query);
        if !fragment.is_empty() {
            out.push('#');
            out.push_str(&spelled(fragment, Component::Fragment)?);
        }
        Some(Self { text: out, host })
    }

    /// The indexed spelling.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host.
    pub(super) fn host(&self) -> &Host {
        &self.host
    }
}

/// The scheme, if there is one, and what follows its colon; nothing where a colon has no scheme before it.
fn split_scheme(text: &str) -> Option<(Option<&str>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
    match end.map(|end| text.split_at(end)) {
        Some(("", rest)) if rest.starts_with(':') => None,
        Some((scheme, rest))
            if rest.starts_with(':') && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Some((Some(scheme), &rest[1..]))
        }
        _ => Some((None, text)),
    }
}

/// Writes authority and path, or what follows the scheme of a URI that has neither (`urn:…`).
fn write_hierarchy(has_scheme: bool, part: &str, out: &mut String) -> Option<Host> {
    if !part.starts_with('/') {
        if has_scheme {
            out.push_str(part);
            return Some(Host::None);
        }
        if first_segment_has_colon(part) {
            return None;
        }
    }
    let has_authority = part.starts_with("//") && (has_scheme || !part.starts_with("///"));
    let (authority, path) = if has_authority {
        let rest = &part[2..];
        rest.split_at(rest.find('/').unwrap_or(rest.len()))
    } else {
        ("", part)
    };
    let path = spelled(path, Component::Path)?;
    if has_authority && !(authority.is_empty() && path.is_empty()) {
        out.push_str("//");
    }
    let host = write_authority(authority, out)?;
    if out.is_empty() && first_segment_has_colon(&path) {
        // Without this the segment would read as a scheme.
        out.push_str("./");
    }
    out.push_str(&path);
    Some(host)
}

fn first_segment_has_colon(path: &str) -> bool {
    path.split('/').next().is_some_and(|segment| segment.contains(':'))
}

fn write_authority(authority: &str, out: &mut String) -> Option<Host> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if let Some(user) = user {
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !user.bytes().all(is_allowed) {
            return None;
        }
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        out.push_str(&escaped(&unescaped(name)?, Component::User));
        if let Some(password) = password {
            out.push(':');
            out.push_str(&escaped(&unescaped(password)?, Component::User));
        }
        out.push('@');
    }
    out.push_str(host);
    read_host(host)
}

/// Reads host and port.
fn read_host(text: &str) -> Option<Host> {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(literal) = text.strip_prefix('[') {
        let (address, port) = literal.rsplit_once(']')?;
        let (address, zone) = address.split_once("%25").unwrap_or((address, "0"));
        let is_zone = !zone.is_empty() && zone.bytes().all(is_unreserved);
        let is_end = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let is_good = address.parse::<Ipv6Addr>().is_ok() && is_zone && is_end;
        return is_good.then_some(Host::Address);
    }
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    let is_allowed = |byte: u8| is_unreserved(byte) || b"!$&'()*+,;=]<>\"".contains(&byte);
    if !is_port(port) || !name.bytes().all(is_allowed) || !is_domain(name) {
        return None;
    }
    Some(match name {
        "" => Host::None,
        _ if name.parse::<Ipv4Addr>().is_ok() => Host::Address,
        _ => Host::Domain(name.to_owned()),
    })
}

/// The component as it is indexed; nothing if a percent sign escapes nothing.
fn spelled(text: &str, component: Component) -> Option<String> {
    let plain = unescaped(text)?;
    let may_stay = |byte: u8| b"!'()*[]%".contains(&byte) || is_kept(byte, component);
    if text.bytes().all(may_stay) {
        Some(text.to_owned())
    } else {
        Some(escaped(&plain, component))
    }
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(16 * high + low).ok()?);
    }
    Some(out)
}

fn escaped(bytes: &[u8], component: Component) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if is_kept(*byte, component) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether escaping leaves the byte alone.
fn is_kept(byte: u8, component: Component) -> bool {
    let others: &[u8] = match component {
        Component::User => b"$&+,;=",
        Component::Path => b"$&+,/:;=@",
        Component::Fragment => b"$&+,/:;=?@!()*",
    };
    is_unreserved(byte) || others.contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_spelled_as_the_reference_does() {
        for (text, spelled) in [
            ("HTTPS://Ex.com/A b?x=y#f", "https://Ex.com/A%20b?x=y#f"),
            ("https://ex.com/%7Ea/%2f\"<", "https://ex.com/~a//%22%3C"),
            ("https://ex.com/%41%2F%2f", "https://ex.com/%41%2F%2f"),
            (
                "https://ex.com/a !*()[];,'$&+=:@",
                "https://ex.com/a%20%21%2A%28%29%5B%5D;,%27$&+=:@",
            ),
            ("https://ex.com/!$&'()*+,;=:@-._~[]", "https://ex.com/!$&'()*+,;=:@-._~[]"),
            ("https://ex.com/# !*()'[]$&+,;=:@/?~", "https://ex.com/#%20!*()%27%5B%5D$&+,;=:@/?~"),
            ("https://ex.com/a#b#c", "https://ex.com/a#b%23c"),
            ("https://ex.com/#", "https://ex.com/"),
            ("https://ex.com/?q=a b%zz", "https://ex.com/?q=a b%zz"),
            ("https://ex.com?", "https://ex.com?"),
            ("https://u;v:p@x:q@ex.com/", "https://u;v:p%40x%3Aq@ex.com/"),
            ("https://u%41:@ex.com/", "https://uA:@ex.com/"),
            ("https://@/", "https://@/"),
            ("https://[FE80::1%25en0]:80/", "https://[FE80::1%25en0]:80/"),
            ("http://", "http:"),
            ("http:///x", "http:///x"),
            ("http:////h", "http:////h"),
            ("http:/a:b", "http:/a:b"),
            ("http:?q", "http:?q"),
            ("URN:x y%2", "urn:x y%2"),
            ("urn:a#f g", "urn:a#f%20g"),
            ("//a/b", "//a/b"),
            ("//", ""),
            ("///x", "///x"),
            ("foo/b:r", "foo/b:r"),
            ("a%3a b", "./a:%20b"),
            ("*", "*"),
            ("", ""),
        ] {
            let read = Uri::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.as_str(), spelled, "{text}");
        }
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            ":x",
            "1a:b",
            "a_b:c",
            "a b:c",
            "/%",
            "path%zz",
            "https://x/#%zz",
            "https://a b/",
            "https://a%41/",
            "https://a^b/",
            "https://a..b/",
            "https://a./",
            "https://a:x/",
            "https://a:b:80/",
            "https://[::1",
            "https://[::1]x",
            "https://[]/",
            "https://[1.2.3.4]/",
            "https://x[::1]/",
            "https://u b@h/",
            "https://u%zz@h/",
            "https://h/\u{7f}",
            "https://h/\t",
        ] {
            assert_eq!(Uri::read(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_are_told_apart() {
        let host = |text| Uri::read(text).unwrap().host;
        assert_eq!(host("https://u:p@H.x.y:80/p"), Host::Domain("H.x.y".to_owned()));
        assert_eq!(host("//x.y"), Host::Domain("x.y".to_owned()));
        for address in ["https://1.2.3.4:5/", "https://[::1]/", "https://[::1]:5/"] {
            assert_eq!(host(address), Host::Address, "{address}");
        }
        for none in ["urn:a", "https:///p", "https://:80/", "mailto:a@x.y", "x/y"] {
            assert_eq!(host(none), Host::None, "{none}");
        }
    }
}
