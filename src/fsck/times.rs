//! The order of integrated times.
//!
//! Border: times never go back. Of two that do, the one that its neighbours
//! contradict is named; both where nothing else tells.

use super::finding::Finding;
use super::findings::Findings;
use crate::store::{Head, Identity};

const COLUMN: &str = "entries.integrated_time";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Of the two entries before.
    pub(super) before: [i64; 2],
    /// Whether that of the last entry was found wrong.
    odd: bool,
    /// Of entry 0, if it could be read.
    pub(super) first: Option<i64>,
}

impl Times {
    /// Before the first entry of a log that was created then.
    pub(super) fn since(created_at: i64) -> Self {
        Self::behind([created_at; 2], None)
    }

    /// Behind entries that are in order.
    pub(super) fn behind(before: [i64; 2], first: Option<i64>) -> Self {
        Self { before, odd: false, first }
    }

    pub(super) fn next(&mut self, index: u64, time: i64, findings: &mut Findings) {
        if index == 0 {
            self.first = Some(time);
        }
        let [before, last] = self.before;
        self.odd = false;
        if time >= last {
            self.before = [last, time];
        } else if index > 0 && before <= time {
            let expected = format!("at most {time}, the time of the next entry");
            findings.push(Finding::entry(index - 1, COLUMN, expected, last.to_string()));
            self.before = [before, time];
        } else if index > 0 {
            let expected = format!("at least {last}, the time of the entry before");
            findings.push(Finding::entry(index, COLUMN, expected, time.to_string()));
            self.odd = true;
        } else {
            // Either it or the creation is wrong; the end decides by the head.
            self.before = [time, time];
        }
    }

    /// Holds the first against the creation, and the last of `size` entries against the head.
    pub(super) fn end(&self, size: u64, identity: &Identity, head: &Head, findings: &mut Findings) {
        let created = identity.created_at;
        if let Some(first) = self.first.filter(|first| created > *first) {
            findings.push(if created > head.time {
                // All of the log contradicts it.
                let expected = format!("at most {first}, the time of entry 0");
                Finding::log("log.created_at", expected, created.to_string())
            } else {
                let column = "entries.integrated_time or log.created_at";
                let expected = "an entry 0 that is not older than the log";
                Finding::entry(0, column, expected, format!("{first} and {created}"))
            });
        }
        let [_, last] = self.before;
        if head.time == last || self.odd {
            return;
        }
        let found = format!("{} and {last}", head.time);
        findings.push(match size.checked_sub(1) {
            Some(index) => {
                let column = "entries.integrated_time or head.time";
                let expected = "the same time for the last entry and the head";
                Finding::entry(index, column, expected, found)
            }
            None => Finding::log("head.time or log.created_at", "the same time", found),
        });
    }
}
