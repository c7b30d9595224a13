//! Index rows and payloads of entries whose body is in order.
//!
//! Border: what follows from one body and its payload. Rows are collected and
//! looked up many at a time; at most some thousands are held.

use std::collections::HashSet;

use entry::StoredKeys;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog::Hash;

use super::finding::{Finding, hex};
use super::findings::Findings;
use super::reads::readable;
use crate::log::index_key;
use crate::store::{Audit, IndexRow, RawEntry, RawPayload, StoreError};

/// Rows that are looked up at once; those of one entry are never split.
const MAX_ROWS: usize = 4_096;

pub(super) struct IndexRows {
    pending: Vec<Expected>,
    skipped: Skipped,
}

/// Entries some of whose rows nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Skipped {
    /// Their body cannot be read.
    pub(super) unread: u64,
    /// Their statement is not indexed at all.
    pub(super) untold: u64,
}

/// The rows of one entry.
struct Expected {
    index: u64,
    certain: Vec<String>,
    together: Vec<String>,
}

impl IndexRows {
    /// Behind entries of which so many were skipped.
    pub(super) fn behind(skipped: Skipped) -> Self {
        Self { pending: Vec::new(), skipped }
    }

    /// Of all entries whose rows were looked up.
    pub(super) fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Checks the payload of an entry and notes the rows that it must have.
    pub(super) async fn entry(
        &mut self,
        store: &dyn Audit,
        row: &RawEntry,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        // Without the payload first: a wrong one must not hide what the body says.
        let alone = StoredKeys::of(&row.body, None);
        let keys = match payload(store, row, alone.as_ref().ok()).await? {
            Ok(Some(payload)) => StoredKeys::of(&row.body, Some(&payload.data)),
            Ok(None) => alone,
            Err(wrong) => {
                findings.push(wrong);
                alone
            }
        };
        match keys {
            Ok(StoredKeys { certain, together, .. }) => {
                self.pending.push(Expected { index: row.index, certain, together });
            }
            // Its hash is right, so it is what was logged; another version read it.
            Err(_) => self.skipped.unread += 1,
        }
        let rows: usize = self.pending.iter().map(Expected::len).sum();
        if rows >= MAX_ROWS { self.check(store, findings).await } else { Ok(()) }
    }

    /// Looks up the rows that were noted.
    pub(super) async fn check(
        &mut self,
        store: &dyn Audit,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut self.pending);
        let rows: Vec<IndexRow> = pending.iter().flat_map(Expected::rows).collect();
        if rows.is_empty() {
            return Ok(());
        }
        if let Ok(missing) = readable(store.missing_keys(&rows).await)? {
            let missing = HashSet::from_iter(missing);
            pending.iter().for_each(|entry| self.judge(entry, &missing, findings));
            return Ok(());
        }
        for entry in pending {
            let rows: Vec<IndexRow> = entry.rows().collect();
            match readable(store.missing_keys(&rows).await)? {
                Ok(missing) => self.judge(&entry, &HashSet::from_iter(missing), findings),
                Err(what) => {
                    findings.push(Finding::unreadable(entry.index, "index_keys.key", &what));
                }
            }
        }
        Ok(())
    }

    fn judge(
        &mut self,
        Expected { index, certain, together }: &Expected,
        missing: &HashSet<IndexRow>,
        findings: &mut Findings,
    ) {
        let is_missing = |key: &&String| missing.contains(&(index_key(key), *index));
        let lost = together.iter().filter(is_missing).count();
        let untold = lost > 0 && lost == together.len();
        self.skipped.untold += u64::from(untold);
        let together = together.iter().filter(|_| !untold);
        findings.extend(certain.iter().chain(together).filter(is_missing).map(|key| {
            Finding::entry(*index, "index_keys.key", format!("a row for {key:?}"), "none")
        }));
    }
}

impl Expected {
    fn len(&self) -> usize {
        self.certain.len() + self.together.len()
    }

    fn rows(&self) -> impl Iterator<Item = IndexRow> {
        self.certain.iter().chain(&self.together).map(|key| (index_key(key), self.index))
    }
}

/// The payload that an entry names, if any, or what is wrong with it. `alone` is what follows from
/// the body, if it can be read.
async fn payload(
    store: &dyn Audit,
    row: &RawEntry,
    alone: Option<&StoredKeys>,
) -> Result<Result<Option<RawPayload>, Finding>, StoreError> {
    let Some(named) = &row.attestation else { return Ok(Ok(None)) };
    if alone.is_some_and(|keys| !keys.keeps_payload) {
        let expected = "none, as entries of this kind have no payload";
        return Ok(Err(Finding::entry(row.index, "entries.attestation", expected, hex(named))));
    }
    let recorded = alone.and_then(|keys| keys.payload_hash.as_deref());
    Ok(match readable(store.payload(named).await)? {
        Ok(payload) => check_payload(row.index, named, payload, recorded).map(Some),
        Err(what) => Err(Finding::unreadable(row.index, "attestations.data", &what)),
    })
}

/// The payload, if it is the one that the entry names. `recorded` is the digest in its body, in hex,
/// which the tree vouches for.
fn check_payload(
    index: u64,
    named: &[u8],
    payload: Option<RawPayload>,
    recorded: Option<&str>,
) -> Result<RawPayload, Finding> {
    let words = hex(named);
    if let Some(recorded) = recorded.filter(|recorded| *recorded != words) {
        let expected = format!("{recorded}, the payload's digest in the body");
        return Err(Finding::entry(index, "entries.attestation", expected, words));
    }
    let lost = |found: &str| {
        let expected = format!("a payload with the digest {words}");
        Err(Finding::entry(index, "attestations.digest", expected, found))
    };
    let Some(payload) = payload else { return lost("none") };
    if payload.digest != named {
        return lost(&format!("one with {} in its place", hex(&payload.digest)));
    }
    let computed = Hash::from(<[u8; 32]>::from(Sha256::digest(&payload.data))).to_string();
    if computed != words {
        let expected = format!("bytes with the digest {words}");
        return Err(Finding::entry(index, "attestations.data", expected, computed));
    }
    Ok(payload)
}
