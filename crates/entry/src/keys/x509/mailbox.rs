//! E-mail addresses in certificates, as name constraints compare them (RFC 5321 section 4.1.2).
//!
//! Border: local part and domain. Which texts are indexed as e-mail addresses is another question.

use super::domain::is_domain;

/// An address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    local: String,
    domain: String,
}

impl Mailbox {
    /// Reads ASCII text; nothing if it is no address.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (local, domain) = match text.strip_prefix('"') {
            Some(rest) => quoted(rest)?,
            None => atoms(text)?,
        };
        let is_good = is_domain(domain) && !domain.contains('@');
        is_good.then(|| Self { local, domain: domain.to_owned() })
    }

    /// The part after the `@`.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether both are the same address: only the domain's case does not matter.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.local == other.local && self.domain.eq_ignore_ascii_case(&other.domain)
    }

    /// Bytes of the address.
    pub(super) fn len(&self) -> usize {
        self.local.len() + self.domain.len()
    }
}

/// A local part after its opening quote, unquoted, and the domain.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        let character = match character {
            '"' => return Some((local, text[at + 1..].strip_prefix('@')?)),
            '\\' => characters.next()?.1,
            other => other,
        };
        if !character.is_ascii_graphic() && character != ' ' {
            return None;
        }
        local.push(character);
    }
    None
}

/// A local part of atoms with dots between them, and the domain.
fn atoms(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '@' => {
                let is_dotted = local.split('.').all(|atom| !atom.is_empty());
                return is_dotted.then(|| (local, &text[at + 1..]));
            }
            '\\' => local.push(characters.next()?.1),
            _ if character.is_ascii_alphanumeric()
                || ".!#$%&'*+-/=?^_`{|}~".contains(character) =>
            {
                local.push(character);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_part_and_domain_are_read() {
        for (text, local, domain) in [
            ("a.b@x.y", "a.b", "x.y"),
            ("a!#$%&'*+-/=?^_`{|}~b@c", "a!#$%&'*+-/=?^_`{|}~b", "c"),
            ("\"a b\"@c", "a b", "c"),
            ("\"a\\\"@b\"@c", "a\"@b", "c"),
            ("a\\@b@c", "a@b", "c"),
            ("a@[::1]", "a", "[::1]"),
        ] {
            let read = Mailbox::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.local.as_str(), read.domain()), (local, domain));
        }
        for bad in [
            "",
            "@",
            "a",
            "@x.y",
            ".a@c",
            "a.@c",
            "a..b@c",
            "a@c.",
            "a@c..d",
            "a@c d",
            "a@b@c",
            "\"a\"b@c",
            "a\"b@c",
            "\"a\tb\"@c",
            "\"a@c",
            "(x)a@c",
        ] {
            assert_eq!(Mailbox::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_the_domains_case_does_not_matter() {
        let read = |text| Mailbox::read(text).unwrap();
        assert!(read("a@X.y").is_same(&read("\"a\"@x.Y")));
        assert!(!read("A@x.y").is_same(&read("a@x.y")));
        assert!(!read("a@x.y").is_same(&read("a@h.x.y")));
    }
}
