//! The log's head behind `verify FILE`: that the log is the one that was trusted before, and
//! only grew.
//!
//! Border: which trees are followed, and the texts. Proofs and trust are the library's.

use anyhow::Context as _;
use indelible_client::follow::{Known, Tree, follow as follow_tree, same_history};
use indelible_client::state::{Advance, Growth, StateError, Stored};
use indelible_client::verify::SignedHead;

use super::super::log_info;
use super::super::session::Session;
use super::report::HeadTold;

/// How another tree at a known address becomes the log.
const ACCEPT: &str = "if that is right, `loginfo` takes this tree for the log from now on";

/// Follows the log's head from the trusted one, and proves that the heads of the
/// receipts belong to the same history.
pub(super) async fn follow(
    session: &Session,
    trusted: &Stored,
    heads: &[(String, SignedHead)],
) -> anyhow::Result<HeadTold> {
    let info = session.side.log_info().await?;
    let mut moved = None;
    match Known::at(&session.server, trusted, &info) {
        Known::Active => {}
        Known::Inactive(shard) => {
            let advance = one(session, trusted, shard).await;
            let advance = advance.with_context(|| format!("inactive shard {}", shard.id))?;
            // What cannot be remembered is said of the active tree.
            let _ = keep(session, &advance, shard.id, None);
        }
        // Whoever answers there, the log that was trusted is not there.
        Known::Gone(other) => {
            let strange = session.did_not_sign(&other.last, &other.now).await?;
            anyhow::ensure!(strange, "{other}\n{ACCEPT}");
            moved = Some(other);
        }
    }
    let tree = Tree::active(&info);
    let advance = one(session, trusted, tree).await?;
    for (_, head) in heads.iter().filter(|(tree_id, _)| tree_id == tree.id) {
        same_history(&session.side, [head, advance.head()], tree.id).await?;
    }
    let mut consistency = match advance.growth() {
        Growth::First => match advance.displaced() {
            Some(strange) => log_info::displaced(tree.id, strange),
            None => "no head was trusted before".to_owned(),
        },
        Growth::Unchanged => "it is the trusted head".to_owned(),
        Growth::From(size) => format!("it continues the trusted head of size {size}"),
    };
    if let Some(other) = moved {
        consistency = format!("{consistency}; {other}, whose head the configured key signed");
    }
    if let Err(error) = keep(session, &advance, tree.id, Some(&session.server)) {
        consistency = format!("{consistency}; it could not be remembered: {error}");
    }
    Ok(HeadTold { size: info.tree_size, root_hash: info.root_hash, consistency })
}

async fn one(session: &Session, trusted: &Stored, tree: Tree<'_>) -> anyhow::Result<Advance> {
    let key = session.key(tree.id).await?;
    let key = (&key, session.key_source());
    Ok(follow_tree(&session.side, trusted.head(tree.id), tree, key).await?)
}

fn keep(
    session: &Session,
    advance: &Advance,
    tree_id: &str,
    active_at: Option<&str>,
) -> Result<(), StateError> {
    match session.state.as_ref().filter(|_| session.stores_state) {
        Some(file) => file.keep(advance, tree_id, active_at),
        None => Ok(()),
    }
}
