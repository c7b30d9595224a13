//! The log's head behind `verify FILE`: that the log is the one that was trusted before, and
//! only grew.
//!
//! Border: which trees are followed, and the texts. Proofs and trust are the library's.

use anyhow::Context as _;
use indelible_client::follow::{Known, Tree, follow as follow_tree, same_history};
use indelible_client::state::{Advance, Growth, StateError, Stored};
use indelible_client::verify::SignedHead;
use wire::LogInfo;

use super::super::log_info;
use super::super::session::Session;
use super::report::HeadTold;

/// How another tree at a known address becomes the log.
const ACCEPT: &str = "if that is right, `loginfo` takes this tree for the log from now on";

/// Follows the log's head from the trusted one, and proves that the heads of the
/// receipts belong to the same history; those of other trees to the histories of inactive shards.
pub(super) async fn follow(
    session: &Session,
    trusted: &Stored,
    heads: &[(String, SignedHead)],
) -> anyhow::Result<HeadTold> {
    let info = session.side.log_info().await?;
    let (mut notes, mut shards) = (Vec::new(), Vec::new());
    match Known::at(&session.server, trusted, &info) {
        Known::Active => {}
        Known::Inactive(shard) => shards.push(shard),
        // Whoever answers there, the log that was trusted is not there.
        Known::Gone(other) => {
            let strange = session.did_not_sign(&other.last, &other.now).await?;
            anyhow::ensure!(strange, "{other}\n{ACCEPT}");
            notes.push(format!("{other}, whose head the configured key signed"));
        }
    }
    add_shards(&mut shards, &info, heads)?;
    for shard in shards {
        let followed = one(session, trusted, shard, heads).await;
        let (advance, note) = followed.with_context(|| format!("inactive shard {}", shard.id))?;
        notes.extend(note);
        // What cannot be remembered is said of the active tree.
        let _ = keep(session, &advance, shard.id, None);
    }
    let tree = Tree::active(&info);
    let (advance, note) = one(session, trusted, tree, heads).await?;
    notes.extend(note);
    let consistency = match advance.displaced() {
        Some(strange) => log_info::displaced(tree.id, strange),
        None => grown(advance.growth(), trusted),
    };
    if let Err(error) = keep(session, &advance, tree.id, Some(&session.server)) {
        notes.push(format!("it could not be remembered: {error}"));
    }
    notes.insert(0, consistency);
    let consistency = notes.join("; ");
    Ok(HeadTold { size: info.tree_size, root_hash: info.root_hash, consistency })
}

/// How the head relates to the trusted one.
fn grown(growth: Growth, trusted: &Stored) -> String {
    match growth {
        Growth::First if trusted.unread => "what was trusted before is not known".to_owned(),
        Growth::First => "no head was trusted before".to_owned(),
        Growth::Unchanged => "it is the trusted head".to_owned(),
        Growth::From(size) => format!("it continues the trusted head of size {size}"),
    }
}

/// Adds the inactive shards that receipts come from. Anybody can make a tree with a key of its own:
/// one that the log does not list is not the log's.
fn add_shards<'a>(
    shards: &mut Vec<Tree<'a>>,
    info: &'a LogInfo,
    heads: &[(String, SignedHead)],
) -> anyhow::Result<()> {
    for (id, _) in heads.iter().filter(|(id, _)| *id != info.tree_id) {
        if shards.iter().any(|shard| shard.id == id) {
            continue;
        }
        let listed = info.inactive_shards.iter().find(|shard| shard.tree_id == *id);
        let listed = listed.with_context(|| {
            format!("the log does not list tree {id}, which an entry's receipt is of")
        })?;
        shards.push(Tree::inactive(listed));
    }
    Ok(())
}

/// Follows one tree, and holds the receipts' heads of it against the one that it has now. Gives also
/// what is to be said of its key.
async fn one(
    session: &Session,
    trusted: &Stored,
    tree: Tree<'_>,
    heads: &[(String, SignedHead)],
) -> anyhow::Result<(Advance, Option<String>)> {
    let key = session.key(tree.id).await?;
    let by = (&*key, session.key_source());
    let advance = follow_tree(&session.side, trusted.head(tree.id), tree, by).await?;
    for (_, head) in heads.iter().filter(|(id, _)| id == tree.id) {
        same_history(&session.side, [head, advance.head()], tree.id).await?;
    }
    let note = advance.changes_key(&key).then(|| log_info::another_key(tree.id));
    Ok((advance, note))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_says_that_nothing_was_trusted_who_could_not_read_it() {
        let first = |trusted: &Stored| grown(Growth::First, trusted);
        assert_eq!(first(&Stored::default()), "no head was trusted before");
        assert_eq!(first(&Stored::unread()), "what was trusted before is not known");
    }
}
