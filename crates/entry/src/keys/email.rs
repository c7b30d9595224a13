//! Which texts count as e-mail addresses in the search index.
//!
//! Border: one test, the reference's word for word, so that both find the same entries.

use std::sync::LazyLock;

use regex::Regex;

/// The characters of a word beyond ASCII.
const WIDE: &str = r"\x{00A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}";

/// Linear in the text, whatever it is: the engine does not go back.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let atom = format!(r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{{|}}~{WIDE}]+");
    let blank = r"(((\x20|\x09)*\x0d\x0a)?(\x20|\x09)+)?";
    let quoted = format!(
        r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x21\x23-\x5b\x5d-\x7e{WIDE}]|\([\x01-\x09\x0b\x0c\x0d-\x7f{WIDE}]"
    );
    let local = format!(r"{atom}(\.{atom})*|\x22({blank}({quoted}))*{blank}\x22");
    let (letter, first) = (format!("[a-zA-Z{WIDE}]"), format!("[a-zA-Z0-9{WIDE}]"));
    let label = format!(r"({first}|{first}[a-zA-Z0-9\-._~{WIDE}]*{first})");
    let last = format!(r"({letter}|{letter}[a-zA-Z0-9\-_~{WIDE}]*{letter})");
    Regex::new(&format!(r"^({local})@({label}\.)+{last}\.?$")).ok()
});

/// Whether the text is an address: a dotted or quoted local part, and a domain of at least two labels.
pub(super) fn is_address(text: &str) -> bool {
    ADDRESS.as_ref().is_some_and(|address| address.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in [
            "a@b.cd",
            "Not.Real+x@Mail.example.com",
            "a@b.c.",
            "o'neil@x-y.org",
            "\"a b\"@c.de",
            "mü@exämple.com",
            "a@1.b",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "", "a", "a@b", "@b.c", "a@.c", "a@b.c-", "a@b.1", "a b@c.d", ".a@b.c", "a..b@c.d",
            "a@b.c\n", "a@b.c..", "<a@b.c>", "a@-b.c",
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
