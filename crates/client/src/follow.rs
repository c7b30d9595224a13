//! Following a log: its head is verified and proven to continue the trusted one.
//!
//! Border: the one place where network and trusted heads meet, and where an address that
//! leads to another tree than before is noticed. Nothing is kept
//! here; [`StateFile::keep`](crate::state::StateFile::keep) takes what
//! [`follow`] gives. Whom to follow, and what to tell people, is the caller's affair.

use tlog::Checkpoint;
use wire::{InactiveShard, LogInfo};

use crate::state::{Advance, Contradiction, StateError, Step, Stored, TrustedHead, next_step};
use crate::verify::{LogKey, SignedHead, VerifyError, read_proof, verify_consistency};
use crate::{Client, ClientError};

/// One tree of a server, as [`Client::log_info`] tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    /// Decimal tree ID.
    pub id: &'a str,
    /// Leaves, not signed.
    pub size: u64,
    /// Root in hex, not signed.
    pub root_hash: &'a str,
    /// The signed note of the head.
    pub note: &'a str,
}

impl<'a> Tree<'a> {
    /// The active tree.
    #[must_use]
    pub fn active(info: &'a LogInfo) -> Self {
        let LogInfo { tree_id, tree_size, root_hash, signed_tree_head, .. } = info;
        Self { id: tree_id, size: *tree_size, root_hash, note: signed_tree_head }
    }

    /// A frozen one.
    #[must_use]
    pub fn inactive(shard: &'a InactiveShard) -> Self {
        let InactiveShard { tree_id, tree_size, root_hash, signed_tree_head } = shard;
        Self { id: tree_id, size: *tree_size, root_hash, note: signed_tree_head }
    }
}

/// What became of the tree that was trusted last at a server's address.
#[derive(Clone, Debug)]
pub enum Known<'a> {
    /// It is the active tree, or nothing is known of the address.
    Active,
    /// It is an inactive shard now: still there, and to be followed.
    Inactive(Tree<'a>),
    /// It is gone.
    Gone(Box<OtherTree>),
}

/// An address that answers as another tree than before, without the former one.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "this address had tree {before} (size {size}) before; it answers as tree {now} now",
    size = .last.checkpoint().size
)]
pub struct OtherTree {
    /// The head that was trusted last.
    pub last: TrustedHead,
    /// Its decimal tree ID.
    pub before: String,
    /// Decimal ID of the tree that is active now.
    pub now: String,
}

impl<'a> Known<'a> {
    /// Looks for the tree that was trusted last at `server`, an address as given. One whose
    /// origin does not have Rekor's form (`name - tree ID`) cannot be told.
    #[must_use]
    pub fn at(server: &str, trusted: &Stored, info: &'a LogInfo) -> Self {
        let Some(last) = trusted.last_at(server) else { return Self::Active };
        let Some(before) = last.tree_id().map(str::to_owned) else { return Self::Active };
        if before == info.tree_id {
            return Self::Active;
        }
        match info.inactive_shards.iter().find(|shard| shard.tree_id == before) {
            Some(shard) => Self::Inactive(Tree::inactive(shard)),
            None => Self::Gone(Box::new(OtherTree { last, before, now: info.tree_id.clone() })),
        }
    }
}

/// Why a head is not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The head is not signed by the log's key.
    #[error("signature on tree head did not verify: {0}")]
    Head(#[source] VerifyError),
    /// Size and root beside the note are not those that it signs.
    #[error(
        "the log says size {size} and root {root_hash:?}, but signs size {} and root {}",
        .signed.size, .signed.root
    )]
    Unsigned {
        /// As said.
        size: u64,
        /// As said.
        root_hash: String,
        /// As signed.
        signed: Box<Checkpoint>,
    },
    /// The log gave no proof.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The log gave a proof that cannot be read.
    #[error(transparent)]
    Proof(VerifyError),
    /// The head contradicts the trusted one.
    #[error("{error}{hint}", hint = if *.trusted_is_signed { "" } else { EDITED })]
    State {
        /// The contradiction.
        error: StateError,
        /// Whether the trusted head still carries the log's signature. If it does,
        /// the two signed heads are evidence against the log.
        trusted_is_signed: bool,
    },
    /// Two signed heads of the log do not belong to one history.
    #[error("the log signs two histories: {heads}: {source}")]
    Split {
        /// The two heads, the smaller one as the trusted one.
        heads: Box<Contradiction>,
        /// What is wrong with the proof.
        source: VerifyError,
    },
}

const EDITED: &str = " (the trusted head is not signed by the log's key: the state file was edited, \
                      the log has another key now, or another log goes by its name)";

/// Whose word the log's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// People configured it.
    Pinned,
    /// The server was asked for it.
    Asked,
}

/// Verifies a tree's head (signature, tree, the size and root beside it) and proves
/// that it continues the trusted one. A trusted head of another origin that a pinned key
/// did not sign is another log's, and [displaced](Advance::displaced).
///
/// Read the trusted head before asking for the log's state: a head that another
/// program stores in between would look like a log that shrank.
///
/// # Errors
/// [`FollowError`].
pub async fn follow(
    client: &Client,
    trusted: Option<TrustedHead>,
    tree: Tree<'_>,
    (key, source): (&LogKey, KeySource),
) -> Result<Advance, FollowError> {
    let head = signed_head(tree, key)?;
    let strange = trusted.as_ref().filter(|_| source == KeySource::Pinned);
    if let Some(advance) = strange.and_then(|strange| Advance::displace(strange, &head, key)) {
        return Ok(advance);
    }
    let trusted_is_signed = trusted.as_ref().is_none_or(|trusted| trusted.is_signed_by(key));
    let refused = |error| FollowError::State { error, trusted_is_signed };
    let proof = match next_step(trusted.as_ref(), &head).map_err(refused)? {
        Step::First | Step::Unchanged => Vec::new(),
        Step::Prove { from, to } => {
            let proof = client.consistency_proof(from, to, Some(tree.id)).await?;
            read_proof(&proof).map_err(FollowError::Proof)?
        }
    };
    Advance::prove(trusted, head, &proof).map_err(refused)
}

fn signed_head(tree: Tree<'_>, key: &LogKey) -> Result<SignedHead, FollowError> {
    let head = SignedHead::verify(tree.note, key).map_err(FollowError::Head)?;
    head.check_tree(tree.id).map_err(FollowError::Head)?;
    let signed = head.checkpoint();
    if signed.size == tree.size && signed.root.to_string().eq_ignore_ascii_case(tree.root_hash) {
        return Ok(head);
    }
    let (size, root_hash) = (tree.size, tree.root_hash.to_owned());
    Err(FollowError::Unsigned { size, root_hash, signed: Box::new(signed.clone()) })
}

/// Proves that two signed heads of a tree belong to one history.
///
/// # Errors
/// [`FollowError`].
pub async fn same_history(
    client: &Client,
    heads: [&SignedHead; 2],
    tree_id: &str,
) -> Result<(), FollowError> {
    let mut heads = heads.map(SignedHead::checkpoint);
    heads.sort_by_key(|head| head.size);
    let [older, newer] = heads;
    let proof = if older.size == newer.size {
        Vec::new()
    } else {
        let proof = client.consistency_proof(older.size, newer.size, Some(tree_id)).await?;
        read_proof(&proof).map_err(FollowError::Proof)?
    };
    verify_consistency(older, newer, &proof).map_err(|source| FollowError::Split {
        heads: Box::new(Contradiction { trusted: older.clone(), offered: newer.clone() }),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateFile;

    /// The published vector's head.
    const NOTE: &str = "log.example - 12345\n3\nLP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n\n\
        \u{2014} log.example f8jGoDBFAiEAnXanb20FxffcKolNp4KhxR+eKRdN6dkeAQdEvqudDpMCIFB7NCWtL64I2j/\
        DsTKcnpOj6h5hOU28HgmdxXq/Wqyd\n";

    #[test]
    fn a_tree_that_is_gone_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let stored = serde_json::json!({ "12345": NOTE, "http://log.example": NOTE });
        std::fs::write(&path, stored.to_string()).unwrap();
        let trusted = StateFile::at(path).read().unwrap();
        let known = |server: &str, tree_id: &str, shard: &str| {
            let info = serde_json::json!({
                "rootHash": "", "signedTreeHead": "", "treeID": tree_id, "treeSize": 1,
                "inactiveShards": [
                    { "rootHash": "", "signedTreeHead": "", "treeID": shard, "treeSize": 1 },
                ],
            });
            match Known::at(server, &trusted, &serde_json::from_value(info).unwrap()) {
                Known::Active => "active".to_owned(),
                Known::Inactive(tree) => format!("inactive {}", tree.id),
                Known::Gone(other) => other.to_string(),
            }
        };
        let gone = "this address had tree 12345 (size 3) before; it answers as tree 9 now";
        assert_eq!(known("http://log.example", "9", "8"), gone);
        assert_eq!(known("http://log.example", "12345", "8"), "active");
        assert_eq!(known("http://log.example", "9", "12345"), "inactive 12345");
        assert_eq!(known("http://other.example", "9", "8"), "active");
    }
}
