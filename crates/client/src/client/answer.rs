//! What answers must be beyond their JSON shape.
//!
//! Border: names of entries, and how many there are. Whether anything that an answer
//! says is true is told by [`verify`](crate::verify).

use serde::Deserialize;
use tlog::EntryRef;
use wire::{LogEntry, bounded_list};

/// Entries that a look-up gives at most. Ten are asked for, and each may be in several shards.
const MAX_ENTRIES: usize = 1_000;

/// Entries that were asked for.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Entries(
    #[serde(deserialize_with = "bounded_list::<MAX_ENTRIES, _, _>")] pub(super) Vec<LogEntry>,
);

/// A leaf hash (64 hex) or entry ID (80 hex) as the server spells it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Uuid(pub(super) String);

impl TryFrom<String> for Uuid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse::<EntryRef>() {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(format!("{text:?} is no entry UUID")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_entries_than_can_be_are_refused() {
        let entries = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        assert!(serde_json::from_str::<Entries>(&entries(MAX_ENTRIES)).is_ok());
        let refused = serde_json::from_str::<Entries>(&entries(MAX_ENTRIES + 1)).err().unwrap();
        assert!(refused.to_string().contains("a list of at most 1000 items"), "{refused}");
    }
}
