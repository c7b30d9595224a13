//! What was found, in the order in which it is told.
//!
//! Border: order and number. A step finds out of order (an index row is looked up
//! behind the leaves, a time is judged by the next one), so what it found is put in
//! the order of the entries before anything is told or cut off.

use super::MAX_FINDINGS;
use super::finding::{Finding, Subject};

#[derive(Default)]
pub(super) struct Findings {
    told: Vec<Finding>,
    /// Of the step that is under way.
    open: Vec<Finding>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        self.open.push(finding);
    }

    pub(super) fn len(&self) -> usize {
        self.told.len() + self.open.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.told.len() >= MAX_FINDINGS
    }

    /// Ends a step; what is to be told of it.
    pub(super) fn settle(&mut self) -> &[Finding] {
        let known = self.told.len();
        let mut open = std::mem::take(&mut self.open);
        // What is about the whole log follows from its entries.
        open.sort_by_key(|finding| finding.subject.span().map_or(u64::MAX, |(first, _)| first));
        let joined = joined(open);
        self.told.extend(joined.into_iter().take(MAX_FINDINGS.saturating_sub(known)));
        &self.told[known..]
    }

    pub(super) fn into_told(self) -> Vec<Finding> {
        self.told
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        self.open.extend(findings);
    }
}

/// One sentence for neighbours of which the same is to be said, as many as are ever told: a tile
/// without its search rows has tens of thousands, and each would be held against all before it.
/// What is left out lies behind those that are kept, which may still become longer.
fn joined(sorted: Vec<Finding>) -> Vec<Finding> {
    let mut joined: Vec<Finding> = Vec::with_capacity(MAX_FINDINGS);
    for finding in sorted {
        let before = joined.iter_mut().rev().find_map(|before| {
            let ((start, end), (first, last)) = (before.subject.span()?, finding.subject.span()?);
            let same = end.checked_add(1) == Some(first) && before.says_the_same(&finding);
            same.then_some((before, Subject::Entries(start, last)))
        });
        if let Some((before, both)) = before {
            before.subject = both;
        } else if joined.len() < MAX_FINDINGS {
            joined.push(finding);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(findings: &mut Findings) -> Vec<String> {
        findings.settle().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_step_is_told_in_the_order_of_its_entries() {
        let mut findings = Findings::default();
        findings.push(Finding::log("head.root", "a", "b"));
        for index in [7, 8, 5, 9, 11] {
            findings.push(Finding::entry(index, "entries.idx", "a row", "none"));
        }
        findings.push(Finding::entry(8, "tiles.hashes", "a", "b"));
        let told = [
            "entry 5: entries.idx: expected a row, found none",
            "entries 7 to 9: entries.idx: expected a row, found none",
            "entry 8: tiles.hashes: expected a, found b",
            "entry 11: entries.idx: expected a row, found none",
            "the log: head.root: expected a, found b",
        ];
        assert_eq!(sentences(&mut findings), told);
        assert!(sentences(&mut findings).is_empty(), "nothing is told twice");
    }

    #[test]
    fn the_first_ones_are_told_when_there_are_too_many() {
        let mut findings = Findings::default();
        let many = (0..2 * MAX_FINDINGS as u64).rev();
        findings.extend(many.map(|n| Finding::entry(2 * n, "entries.body", "a", "b")));
        let told = sentences(&mut findings);
        assert!(told.len() == MAX_FINDINGS && findings.is_full(), "{told:?}");
        assert!(told[0].starts_with("entry 0:") && told[19].starts_with("entry 38:"), "{told:?}");
        findings.push(Finding::log("head.root", "a", "b"));
        assert!(sentences(&mut findings).is_empty());
    }

    #[test]
    fn no_more_are_held_against_each_other_than_are_told() {
        let row = |n: u64| {
            let expected = format!("a row for \"{}\"", n % 300);
            Finding::entry(n / 300, "index_keys.key", expected, "none")
        };
        let joined = joined((0..256 * 300).map(row).collect());
        assert_eq!(joined.len(), MAX_FINDINGS);
        for (n, finding) in joined.iter().enumerate() {
            assert_eq!(finding.subject, Subject::Entries(0, 255));
            assert_eq!(finding.expected, format!("a row for \"{n}\""));
        }
    }
}
