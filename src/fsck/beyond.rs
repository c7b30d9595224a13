//! What lies behind the head.
//!
//! Border: rows that no head covers yet. They are never read, and the log cannot grow
//! over them: the next round finds its place taken. A live server moves the head while
//! this looks, so the head is read again behind each look.

use super::finding::Finding;
use super::findings::Findings;
use crate::store::{Audit, StoreError};

/// Names the entries and tiles that a head of `signed` leaves, or the one that is there by now,
/// does not have.
pub(super) async fn check(
    store: &dyn Audit,
    signed: u64,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut size = covered(store, signed).await?;
    while let Some((first, last)) = store.entries_beyond(size).await? {
        size = covered(store, signed).await?;
        if first >= size {
            findings.push(Finding::beyond_entries(first, last, size));
        }
        if first >= size || last < size {
            break;
        }
    }
    loop {
        let seen = store.tiles_beyond(size).await?;
        size = covered(store, signed).await?;
        let beyond = seen.iter().filter(|id| !id.is_full_in(size));
        let named: Vec<Finding> = beyond.map(|id| Finding::beyond_tile(*id, size)).collect();
        // The first few only are shown, and a live server may have filled them since.
        if seen.is_empty() || !named.is_empty() {
            findings.extend(named);
            return Ok(());
        }
    }
}

/// Leaves that the head covers. A row that says fewer than what is signed is named already.
async fn covered(store: &dyn Audit, signed: u64) -> Result<u64, StoreError> {
    Ok(store.head().await?.size.max(signed))
}
