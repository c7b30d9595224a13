//! What answers must be beyond their JSON shape.
//!
//! Border: names of entries and trees, and how many there are. Whether anything that an answer
//! says is true is told by [`verify`](crate::verify).

use std::collections::HashSet;

use serde::Deserialize;
use tlog::EntryRef;
use wire::{LogEntry, LogInfo, bounded_list};

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

/// The state of a log whose trees have decimal IDs, each its own. They are printed and sent back,
/// and a tree that came twice would count twice.
#[derive(Deserialize)]
#[serde(try_from = "LogInfo")]
pub(super) struct State(pub(super) LogInfo);

impl TryFrom<LogInfo> for State {
    type Error = String;

    fn try_from(info: LogInfo) -> Result<Self, String> {
        let mut seen = HashSet::new();
        let inactive = info.inactive_shards.iter().map(|shard| &shard.tree_id);
        for text in inactive.chain([&info.tree_id]) {
            let id: Option<u64> = text.parse().ok();
            let id = id.filter(|id| id.to_string() == *text);
            let id = id.ok_or_else(|| format!("{text:?} is no decimal tree ID"))?;
            if !seen.insert(id) {
                return Err(format!("tree {id} comes twice"));
            }
        }
        Ok(Self(info))
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

    #[test]
    fn every_tree_has_a_decimal_id_of_its_own() {
        let refusal = |active: &str, inactive: &[&str]| {
            let tree = |id: &&str| {
                serde_json::json!({
                    "rootHash": "", "signedTreeHead": "", "treeID": id, "treeSize": 1,
                })
            };
            let mut info = tree(&active);
            info["inactiveShards"] = inactive.iter().map(tree).collect();
            serde_json::from_value::<State>(info).err().map(|error| error.to_string())
        };
        assert_eq!(refusal("9", &["8", "7"]), None);
        for (active, inactive) in [("9", &["8", "8"]), ("9", &["8", "9"])] {
            let refused = refusal(active, inactive).unwrap();
            assert_eq!(refused, format!("tree {} comes twice", inactive[1]));
        }
        for odd in ["", "09", "+9", "-9", "9 ", "1\u{1b}[9A", "18446744073709551616"] {
            let text = Some(format!("{odd:?} is no decimal tree ID"));
            assert_eq!((refusal(odd, &[]), refusal("9", &[odd])), (text.clone(), text));
        }
    }
}
