//! Domain names as name constraints compare them (RFC 5280 section 4.2.1.10).
//!
//! Border: labels and case. Labels may hold whatever is graphic ASCII; no name is looked up.

/// Whether the text is a domain: nothing, or labels with a dot between them.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic());
    text.is_empty() || text.split('.').all(is_label)
}

/// A domain with what is under it; with a dot in front, only what is under it.
#[derive(Debug)]
pub(super) struct Subtree(String);

impl Subtree {
    /// Reads a constraint; nothing if it is no domain.
    pub(super) fn read(text: &str) -> Option<Self> {
        let domain = text.strip_prefix('.').unwrap_or(text);
        (is_domain(domain) && text != ".").then(|| Self(text.to_owned()))
    }

    /// Bytes of the constraint.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the whole of `name` lies in the subtree.
    pub(super) fn covers(&self, name: &str) -> bool {
        let Some(more) = name.len().checked_sub(self.0.len()) else { return false };
        let (front, end) = name.as_bytes().split_at(more);
        if !end.eq_ignore_ascii_case(self.0.as_bytes()) {
            return false;
        }
        let is_whole_label = self.0.is_empty() || self.0.starts_with('.') || front.ends_with(b".");
        if front.is_empty() { !self.0.starts_with('.') } else { is_whole_label }
    }

    /// Whether a part of `name` lies in the subtree: a wildcard may stand for its first label.
    pub(super) fn touches(&self, name: &str) -> bool {
        let wildcard = name.strip_prefix("*.").zip(self.0.split_once('.'));
        let is_one_of = wildcard.is_some_and(|(parent, (label, rest))| {
            !label.is_empty() && parent.eq_ignore_ascii_case(rest)
        });
        is_one_of || self.covers(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_graphic_and_not_empty() {
        for good in ["", "x", "x.y", "*.x.y", "a_b.c", "-a"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [".", "x.", ".x", "a..b", "a b", "a\tb", "é"] {
            assert!(!is_domain(bad), "{bad}");
        }
        for bad in [".", "..a", "a.", "a b"] {
            assert!(Subtree::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_subtree_covers_whole_labels() {
        for (constraint, inside, outside) in [
            (
                "ok.com",
                &["ok.com", "OK.com", "a.ok.com", "*.ok.com"][..],
                &["xok.com", "com", "", "ok.co"][..],
            ),
            (".ok.com", &["a.ok.com", "b.a.OK.COM"], &["ok.com", "xok.com"]),
            ("", &["", "x.y"], &[]),
        ] {
            let subtree = Subtree::read(constraint).unwrap();
            for name in inside {
                assert!(subtree.covers(name) && subtree.touches(name), "{name} in {constraint}");
            }
            for name in outside {
                assert!(!subtree.covers(name) && !subtree.touches(name), "{name} in {constraint}");
            }
        }
    }

    #[test]
    fn a_wildcard_touches_what_it_may_stand_for() {
        let subtree = Subtree::read("a.ok.com").unwrap();
        assert!(!subtree.covers("*.ok.com"));
        assert!(subtree.touches("*.OK.com"));
        assert!(!subtree.touches("*.com"));
        assert!(!Subtree::read("b.a.ok.com").unwrap().touches("*.ok.com"));
        assert!(!Subtree::read(".a.ok.com").unwrap().touches("*.ok.com"));
        assert!(!Subtree::read("com").unwrap().touches("*"));
    }
}
