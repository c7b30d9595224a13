//! Hearing of what other servers commit while this one neither writes nor is asked.
//!
//! Border: when the database is looked at. What of it may be shown is judged in [`super::tree`].
//!
//! A server cannot miss what it never heard of: were the database put back meanwhile, it would sign
//! other leaves in the place of those that the others had signed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::tree::Tree;

/// What others commit is remembered here about as soon as what this server commits is in a
/// [place](super::keeper).
const PAUSE: Duration = Duration::from_secs(1);

/// How long a stop waits for the last look. A database that is silent is not waited for.
const LAST: Duration = Duration::from_secs(3);

/// Looks at the head in each second in which nothing was published here, until the sender of `stop`
/// is gone, and then once more. What goes wrong is told to whoever adds, reads or asks whether the
/// log is ready; a line for each look would be many.
pub(crate) async fn follow(tree: Arc<Tree>, mut stop: watch::Receiver<()>) {
    let mut published = tree.published();
    loop {
        tokio::select! {
            () = sleep(PAUSE) => {}
            _ = stop.changed() => break,
        }
        // What was published is on top of all that was committed before. (The sender is the tree's.)
        if published.has_changed().unwrap_or_default() {
            published.mark_unchanged();
        } else {
            tree.advance_beside();
        }
    }
    let _ = timeout(LAST, tree.advance()).await;
}
