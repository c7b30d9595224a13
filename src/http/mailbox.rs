//! Which texts are mailboxes: `a@b`, or a name with an address in angle brackets.
//!
//! Border: the grammar of RFC 5322 section 3.4, without what it calls obsolete; characters beyond
//! ASCII as RFC 6532 adds them. What is read is not kept: the text as a whole is what is searched for.

/// Whether the text is one mailbox and nothing else.
pub(super) fn is_mailbox(text: &str) -> bool {
    let is_whole = |rest: Option<&str>| rest.and_then(blank) == Some("");
    blank(text).is_some_and(|text| is_whole(address(text)) || is_whole(named(text)))
}

// Each of these reads one thing from the beginning of the text, and gives what is left of it.

/// A name, which may be empty, and an address in angle brackets.
fn named(text: &str) -> Option<&str> {
    let inside = name(text)?.strip_prefix('<')?;
    blank(address(blank(inside)?)?)?.strip_prefix('>')
}

/// Words and quoted strings. Dots are in many a name, though they are obsolete there.
fn name(mut text: &str) -> Option<&str> {
    loop {
        let rest = match text.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => text.trim_start_matches(|c| is_atom(c) || c == '.'),
        };
        let rest = blank(rest)?;
        if rest.len() == text.len() {
            return Some(rest);
        }
        text = rest;
    }
}

fn address(text: &str) -> Option<&str> {
    let domain = match text.strip_prefix('"') {
        Some(inside) if !inside.starts_with('"') => quoted(inside),
        _ => atoms(text),
    }?;
    let domain = domain.strip_prefix('@')?;
    domain.strip_prefix('[').map_or_else(|| atoms(domain), literal)
}

/// Atoms with single dots between them.
fn atoms(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c| is_atom(c) || c == '.');
    let atoms = &text[..text.len() - rest.len()];
    atoms.split('.').all(|atom| !atom.is_empty()).then_some(rest)
}

fn is_atom(character: char) -> bool {
    let is_special = "()<>[]:;@\\,.\"".contains(character);
    !is_special && !character.is_whitespace() && !character.is_control()
}

/// A domain in brackets, after the first of them.
fn literal(inside: &str) -> Option<&str> {
    let is_part = |c: char| !"[]\\".contains(c) && !c.is_control();
    let rest = inside.trim_start_matches(is_part);
    rest.strip_prefix(']').filter(|_| rest.len() < inside.len())
}

/// A quoted string, after its first quote.
fn quoted(inside: &str) -> Option<&str> {
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        let character = match character {
            '"' => return Some(&inside[at + 1..]),
            '\\' => characters.next()?.1,
            other => other,
        };
        if character.is_control() && character != '\t' {
            return None;
        }
    }
    None
}

/// White space and comments. Not by recursion: there may be any number of them.
fn blank(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start_matches([' ', '\t', '\r', '\n']);
        match text.strip_prefix('(') {
            Some(inside) => text = comment(inside)?,
            None => return Some(text),
        }
    }
}

/// A comment, after its first parenthesis; others may be in it.
fn comment(inside: &str) -> Option<&str> {
    let mut open = 1;
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '(' => open += 1,
            ')' => open -= 1,
            '\\' => {
                characters.next()?;
            }
            _ => {}
        }
        if open == 0 {
            return Some(&inside[at + 1..]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_told_from_others() {
        for good in [
            "a@b",
            " a@b ",
            "Foo <a@b.c>",
            "<a@b>",
            "a.b+c@d.example",
            "mü@exämple.com",
            "\"a b\"@c",
            "\"a\\\"@b\"@c",
            "user@[192.0.2.1]",
            "<user@[IPv6:2001:db8::1]>",
            "a@b (x)",
            "(x (y\\)) z) a@b",
            "\"Foo <x\" <a@b.c>",
            "Foo \"B.\" Bar Jr. <a@b.c> (work)",
            "(x)\r\n < a@b >",
        ] {
            assert!(is_mailbox(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b@",
            "a@b@c",
            "Foo a@b.c",
            "a@b>",
            "<a@b",
            "<a@b> x",
            "<a@b><c@d>",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@b.",
            "a,b <c@d>",
            "x@y <a@b>",
            "Foo",
            "\"\"@b",
            "\"a@b",
            "\"a\nb\"@c",
            "\"a\"b@c",
            "a@[b",
            "a@[]",
            "a@[b]c",
            "a@[b[c]]",
            "a@b (x",
            "a@b x)",
            "a@b \\",
            "(\\",
        ] {
            assert!(!is_mailbox(bad), "{bad:?}");
        }
    }

    #[test]
    fn any_number_of_comments_is_read() {
        let many = "()".repeat(1 << 20);
        assert!(is_mailbox(&format!("{many}a@b")));
        assert!(!is_mailbox(&"(".repeat(1 << 20)));
    }
}
