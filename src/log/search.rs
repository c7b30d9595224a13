//! Searching.
//!
//! Border: which entries the criteria single out, all of them or none: an answer that left some out
//! would be taken for complete.

use std::collections::BTreeSet;

use tlog::{EntryId, Hash};
use wire::SearchOperator;

use super::{Log, ReadError, SearchError, index_key};
use crate::store::{Found, IndexKey};

/// Alternative search strings, any of which satisfies the criterion.
struct Criterion {
    keys: Vec<IndexKey>,
    found: BTreeSet<(u64, Hash)>,
    /// `found` is all of it.
    complete: bool,
}

impl Criterion {
    fn new(strings: &[String]) -> Self {
        let keys = strings.iter().map(|string| index_key(string)).collect();
        Self { keys, found: BTreeSet::new(), complete: true }
    }

    fn take(&mut self, rows: &mut impl Iterator<Item = Found>, most: usize) {
        for found in rows.take(self.keys.len()) {
            self.complete &= found.len() <= most;
            self.found.extend(found);
        }
    }
}

impl Log {
    /// Entry IDs under the criteria, in index order, without duplicates.
    ///
    /// A criterion is a group of alternative search strings, any of which
    /// satisfies it; `operator` combines the criteria.
    ///
    /// # Errors
    /// [`SearchError::TooMany`] when more are found than [`max_found`](super::Options::max_found),
    /// or when each of the criteria that must be met together has more under one string.
    pub async fn search(
        &self,
        criteria: Vec<Vec<String>>,
        operator: SearchOperator,
    ) -> Result<Vec<String>, SearchError> {
        let mut criteria: Vec<Criterion> = criteria.iter().map(|c| Criterion::new(c)).collect();
        let keys: Vec<IndexKey> = criteria.iter().flat_map(|c| &c.keys).copied().collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let most = self.0.options.max_found;
        // One more, to tell whether there are more.
        let rows = self.0.store.search(&keys, most.saturating_add(1)).await;
        let mut rows = rows.map_err(ReadError::from)?.into_iter();
        criteria.iter_mut().for_each(|criterion| criterion.take(&mut rows, most));
        let found = match operator {
            SearchOperator::Or => any(criteria),
            SearchOperator::And => self.all(criteria).await?,
        };
        let tree_id = self.tree_id();
        let ids = found.filter(|found| found.len() <= most).ok_or(SearchError::TooMany { most })?;
        Ok(ids.into_iter().map(|(_, leaf)| EntryId { tree_id, leaf }.to_string()).collect())
    }

    /// What meets all of them, if one of them is complete: of that one's entries those that the
    /// others have, too.
    async fn all(
        &self,
        criteria: Vec<Criterion>,
    ) -> Result<Option<BTreeSet<(u64, Hash)>>, ReadError> {
        let (complete, popular): (Vec<_>, Vec<_>) =
            criteria.into_iter().partition(|criterion| criterion.complete);
        let complete = complete.into_iter().map(|criterion| criterion.found);
        let Some(mut found) = complete.reduce(|all, one| &all & &one) else { return Ok(None) };
        for Criterion { keys, .. } in popular {
            let indexes: Vec<u64> = found.iter().map(|(index, _)| *index).collect();
            let among = self.0.store.search_among(&keys, &indexes).await?;
            found = among.into_iter().flatten().collect();
        }
        Ok(Some(found))
    }
}

/// What meets any of them, if all are complete.
fn any(criteria: Vec<Criterion>) -> Option<BTreeSet<(u64, Hash)>> {
    let mut all = BTreeSet::new();
    for criterion in criteria {
        criterion.complete.then(|| all.extend(criterion.found))?;
    }
    Some(all)
}
