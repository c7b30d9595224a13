//! Following a log: its head is verified and proven to continue the trusted one.
//!
//! Border: the one place where network and trusted heads meet. Nothing is kept
//! here; [`StateFile::keep`](crate::state::StateFile::keep) takes what
//! [`follow`] gives. Whom to follow, and what to tell people, is the caller's affair.

use tlog::Checkpoint;

use crate::state::{Advance, Contradiction, StateError, Step, TrustedHead, next_step};
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
                      or the log has another key now)";

/// Verifies a tree's head (signature, tree, the size and root beside it) and proves
/// that it continues the trusted one.
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
    key: &LogKey,
) -> Result<Advance, FollowError> {
    let head = signed_head(tree, key)?;
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
