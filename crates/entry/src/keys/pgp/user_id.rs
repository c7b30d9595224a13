//! The e-mail address in a user ID (RFC 9580 section 5.11: by convention `Name (comment) <address>`).
//!
//! Border: one text. Whether it counts as an address is the index's rule.

use crate::keys::email::is_address;

/// The address between the brackets, or the whole name if it has an `@` and there are no brackets.
pub(super) fn address(user_id: &[u8]) -> Option<String> {
    let (name, bracketed) = split(user_id);
    let address = std::str::from_utf8(bracketed).ok()?.trim();
    let address = match address {
        "" => std::str::from_utf8(name).ok()?.trim(),
        address => address,
    };
    // A name without `@` is no address either.
    is_address(address).then(|| address.to_owned())
}

/// The name, and what is between the brackets. A `<` inside a comment opens none.
fn split(user_id: &[u8]) -> (&[u8], &[u8]) {
    let find = |from: usize, byte: u8| {
        user_id[from..].iter().position(|found| *found == byte).map(|at| from + at)
    };
    let opening = user_id.iter().position(|byte| matches!(byte, b'(' | b'<'));
    let Some(name_end) = opening else { return (user_id, &[]) };
    let name = &user_id[..name_end];
    let bracket = if user_id[name_end] == b'(' {
        find(name_end + 1, b')').and_then(|end| find(end + 1, b'<'))
    } else {
        Some(name_end)
    };
    let Some(start) = bracket.map(|at| at + 1) else { return (name, &[]) };
    (name, &user_id[start..find(start, b'>').unwrap_or(user_id.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_as_the_reference_finds_them() {
        for (user_id, found) in [
            ("Foo Bar <foo@bar.com>", Some("foo@bar.com")),
            ("Foo (c) < Foo@bar.com > tail", Some("Foo@bar.com")),
            ("foo@bar.com", Some("foo@bar.com")),
            (" foo@bar.com (work)", Some("foo@bar.com")),
            ("<foo@bar.com", Some("foo@bar.com")),
            ("Foo (a <x@y.z>) <foo@bar.com>", Some("foo@bar.com")),
            ("a@b.cd <>", Some("a@b.cd")),
            ("Foo (foo@bar.com)", None),
            ("Foo (open <foo@bar.com>", None),
            ("Foo", None),
            ("Foo <foo>", None),
            ("", None),
        ] {
            assert_eq!(address(user_id.as_bytes()).as_deref(), found, "{user_id}");
        }
        assert_eq!(address(b"caf\xe9 <a@b.cd>").as_deref(), Some("a@b.cd"));
        assert_eq!(address(b"<\xe9@b.cd>"), None);
    }
}
