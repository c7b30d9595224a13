//! `loginfo`: the log's heads, verified, and proven to continue the trusted ones.
//!
//! Border: which heads are followed, and the texts. Verification and trust are in
//! the library.

use anyhow::Context as _;
use indelible_client::follow::{Known, Tree, follow};
use indelible_client::state::{Growth, StateError, Stored};
use serde::Serialize;
use tlog::Checkpoint;
use wire::LogInfo;

use super::session::Session;
use super::settings::Settings;
use super::values::Format;
use super::{Terminal, go_json, hint};

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    active_tree_size: u64,
    total_tree_size: u64,
    root_hash: String,
    #[serde(rename = "TreeID")]
    tree_id: String,
}

pub(super) async fn run(
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let format = super::result_format(settings)?;
    // Before the log is asked: a head that is stored in between would look like one
    // that the log went back behind.
    let trusted = session.trusted(terminal)?;
    let info = session.client.log_info().await.map_err(hint::no_log)?;
    if let Known::Gone(other) = Known::at(&session.server, &trusted, &info) {
        writeln!(terminal.err, "{other}")?;
    }
    let follow = async {
        inactive(session, &trusted, &info, terminal).await?;
        one(session, &trusted, (Tree::active(&info), Some(&session.server)), terminal).await
    };
    session.bounded(follow).await?;
    let shown = Shown {
        active_tree_size: info.tree_size,
        total_tree_size: total(&info).context("the trees have more than 2^64 entries in all")?,
        root_hash: info.root_hash,
        tree_id: info.tree_id,
    };
    if format == Format::Json {
        return Ok(writeln!(terminal.out, "{}", go_json::line(&shown)?)?);
    }
    writeln!(terminal.out, "Verification Successful!")?;
    writeln!(terminal.out, "Active Tree Size:       {}", shown.active_tree_size)?;
    writeln!(terminal.out, "Total Tree Size:        {}", shown.total_tree_size)?;
    writeln!(terminal.out, "Root Hash:              {}", shown.root_hash)?;
    Ok(writeln!(terminal.out, "TreeID:                 {}", shown.tree_id)?)
}

fn total(info: &LogInfo) -> Option<u64> {
    let mut older = info.inactive_shards.iter().map(|shard| shard.tree_size);
    older.try_fold(info.tree_size, u64::checked_add)
}

async fn inactive(
    session: &Session,
    trusted: &Stored,
    info: &LogInfo,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    if info.inactive_shards.is_empty() {
        return Ok(());
    }
    writeln!(terminal.err, "Validating inactive shards...")?;
    for shard in &info.inactive_shards {
        one(session, trusted, (Tree::inactive(shard), None), terminal)
            .await
            .with_context(|| format!("verifying inactive shard with ID {}", shard.tree_id))?;
    }
    Ok(writeln!(terminal.err, "Successfully validated inactive shards")?)
}

/// Verifies one tree's head against what was trusted of it, and keeps it; the active tree's as the
/// last one at the server's address.
async fn one(
    session: &Session,
    trusted: &Stored,
    (tree, active_at): (Tree<'_>, Option<&str>),
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let key = session.key(tree.id).await?;
    let advance =
        follow(&session.side, trusted.head(tree.id), tree, (&*key, session.key_source())).await?;
    if let Some(strange) = advance.displaced() {
        writeln!(terminal.err, "{}", displaced(tree.id, strange))?;
    }
    if advance.changes_key(&key) {
        writeln!(terminal.err, "{}", another_key(tree.id))?;
    }
    if advance.growth() == Growth::First && !trusted.unread {
        writeln!(terminal.err, "No previous log state stored, unable to prove consistency")?;
    }
    let Some(file) = session.state.as_ref().filter(|_| session.stores_state) else {
        return Ok(());
    };
    match file.keep(&advance, tree.id, active_at) {
        Ok(()) => Ok(()),
        // Nothing was verified wrongly; it only cannot be remembered.
        Err(error @ (StateError::Empty | StateError::File { .. } | StateError::Moved(_))) => {
            Ok(writeln!(terminal.err, "Unable to store previous state: {error}")?)
        }
        Err(error) => Err(error.into()),
    }
}

/// What to say of another log's head that the log's own takes the place of.
pub(super) fn displaced(tree_id: &str, strange: &Checkpoint) -> String {
    let Checkpoint { origin, size, .. } = strange;
    format!(
        "the head that was trusted for tree {tree_id} is another log's, {origin:?} (size {size}): \
         the configured key did not sign it"
    )
}

/// What to say of a head under another key than the trusted one that it continues.
pub(super) fn another_key(tree_id: &str) -> String {
    format!(
        "the head that was trusted for tree {tree_id} is not signed by the log's key: the log has \
         another key now, or the state file was edited"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_a_number_or_none() {
        let info = |size: u64| {
            let shard = serde_json::json!({
                "rootHash": "", "signedTreeHead": "", "treeID": "8", "treeSize": size,
            });
            let mut info = shard.clone();
            info["treeID"] = "7".into();
            info["inactiveShards"] = vec![shard].into();
            serde_json::from_value(info).unwrap()
        };
        assert_eq!(total(&info(u64::MAX / 2)), Some(u64::MAX - 1));
        assert_eq!(total(&info(u64::MAX)), None);
    }
}
