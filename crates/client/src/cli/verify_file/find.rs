//! The entries that the index has under the digests of a file.
//!
//! Border: searches, and which of their results are looked at. Anybody can add entries under the
//! digests of a file: however many there are under one, they must not hide those under another.

use std::collections::HashSet;

use indelible_client::ClientError;
use indelible_client::artifact::Digests;
use tlog::EntryRef;
use wire::SearchIndex;

use super::super::session::Session;

/// Entries that are looked at.
const MAX_ENTRIES: usize = 100;

/// What the searches gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// UUIDs to look at; of each digest the newest last.
    pub(super) uuids: Vec<String>,
    /// How many more there are.
    pub(super) more: usize,
    /// Searches that the log refused or answered with more than is read, with the reasons.
    pub(super) refused: Vec<String>,
}

/// Searches under each digest.
pub(super) async fn find(session: &Session, digests: &Digests) -> anyhow::Result<Found> {
    let hash = |text| SearchIndex { hash: Some(text), ..SearchIndex::default() };
    // SHA-384, and a digest without its algorithm, which TUF metadata is found under,
    // cannot be searched for by hash; the index also takes them as subjects.
    let subject = |text| SearchIndex { subject: Some(text), ..SearchIndex::default() };
    let searches = [
        hash(format!("sha256:{}", digests.sha256)),
        hash(format!("sha512:{}", digests.sha512)),
        subject(format!("sha384:{}", digests.sha384)),
    ];
    let (mut lists, mut seen, mut refused) = (Vec::new(), HashSet::new(), Vec::new());
    for search in searches.into_iter().chain(digests.tuf.clone().map(subject)) {
        let mut list = Vec::new();
        let found = match session.client.search(&search).await {
            Err(error) if is_too_large(&error) => {
                let digest = search.hash.or(search.subject).unwrap_or_default();
                refused.push(format!("{digest}: {error}"));
                continue;
            }
            found => found?,
        };
        for uuid in found {
            if seen.insert(uuid.parse::<EntryRef>()?) {
                list.push(uuid);
            }
        }
        lists.push(list);
    }
    let total: usize = lists.iter().map(Vec::len).sum();
    let uuids = share(lists, MAX_ENTRIES);
    Ok(Found { more: total - uuids.len(), uuids, refused })
}

/// A digest is well formed, so a log that refuses to search for it has too many entries under it.
fn is_too_large(error: &ClientError) -> bool {
    error.status() == Some(400) || matches!(error, ClientError::TooLarge { .. })
}

/// The ends of the lists, `most` items in all. No list gets less than its share because another one
/// is long.
fn share(lists: Vec<Vec<String>>, most: usize) -> Vec<String> {
    let (mut shares, mut left) = (vec![0; lists.len()], most);
    loop {
        let before = left;
        for (share, list) in shares.iter_mut().zip(&lists) {
            if left > 0 && *share < list.len() {
                (*share, left) = (*share + 1, left - 1);
            }
        }
        if left == before {
            break;
        }
    }
    let ends = lists.into_iter().zip(shares);
    ends.flat_map(|(mut list, share)| list.split_off(list.len() - share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_hides_no_other() {
        let list = |name: &str, size: usize| (0..size).map(|n| format!("{name}{n}")).collect();
        let shared = |lists, most| share(lists, most).join(" ");
        assert_eq!(shared(vec![list("a", 2), list("b", 9)], 5), "a0 a1 b6 b7 b8");
        assert_eq!(shared(vec![list("a", 9), list("b", 9), list("c", 1)], 5), "a7 a8 b7 b8 c0");
        assert_eq!(shared(vec![list("a", 1), list("b", 0)], 5), "a0");
        assert_eq!(shared(Vec::new(), 5), "");
    }
}
