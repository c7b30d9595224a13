//! Creating a log, or opening the one that the database holds.
//!
//! Border: everything that is checked before the first request. Surprises are
//! refused with a sentence that says what differs and what to do; nothing is
//! ever repaired or overwritten here.

use std::sync::Arc;

use super::guard::{Bar, GuardError, PlacedNote, read_notes, refuse_lost, tell_absent, went_back};
use super::keeper::{Course, Keeper};
use super::snapshot::Snapshot;
use super::tree::{Tree, check_head, restore_edge};
use super::{Ahead, Clock, Guard, Log, Options, ReadError};
use crate::last_checkpoint::Place;
use crate::signer::LogKey;
use crate::store::{Head, Identity, Store, StoreError};

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database belongs to a log with another key.
    #[error(
        "the database holds the log with tree ID {tree_id} and log ID {stored}, but the key file \
         has log ID {given}: start with that log's key file, or give this key a new database"
    )]
    OtherKey {
        /// Tree ID in the database.
        tree_id: u64,
        /// Log ID of the stored public key.
        stored: String,
        /// Log ID of the key at hand.
        given: String,
    },
    /// The host name was fixed at creation and differs.
    #[error(
        "this log was created with hostname `{stored}`, which is part of its signed origin, but \
         `{given}` was asked for: start without --hostname, or with the stored one"
    )]
    OtherHostname {
        /// Host name in the database.
        stored: String,
        /// Host name that was asked for.
        given: String,
    },
    /// Tree ID, host name and key in the database do not belong together.
    #[error(
        "the tree ID {stored} in the database does not follow from its hostname and key (which \
         give {derived}): this is not a database of this program, or it was edited"
    )]
    OtherTree {
        /// Tree ID in the database.
        stored: u64,
        /// Tree ID derived from host name and key.
        derived: u64,
    },
    /// A host name that cannot stand in a checkpoint.
    #[error("`{0}` cannot be a checkpoint origin: 1 to 253 characters without spaces or `+`")]
    Hostname(String),
    /// What is shown is a promise, and this may be lost with the database.
    #[error(
        "the database shows a head of {0} entries that no last checkpoint has, and no standby of \
         those that Postgres waits for (synchronous_standby_names) says that it has it: were this \
         Postgres lost, so would be entries that were shown. Bring a standby back, or take it out of \
         that setting"
    )]
    Unsettled(u64),
    /// The checkpoint outside the database cannot be used, or speaks of a log
    /// that is not there.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A new log would begin at a time that has not come yet.
    #[error(transparent)]
    Ahead(#[from] Ahead),
    /// The database could not be read, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tiles do not lead to the head; `fsck` names the first that is wrong.
    #[error("comparing the database with the last checkpoint: {0}; run `indelible fsck`")]
    Tree(#[source] ReadError),
}

/// How a log is opened.
pub struct Opening<'a> {
    /// What the operator asked for; `None` takes the stored one.
    pub hostname: Option<&'a str>,
    /// For a new log when `hostname` is `None`.
    pub default_hostname: &'a str,
    /// Bounds of the write path.
    pub options: Options,
    /// Unix seconds now.
    pub clock: Clock,
    /// Where the last signed checkpoint is kept; without any place there is no guard.
    pub last_checkpoint: Vec<Place>,
}

/// Opens the log in `store` without a restore guard, creating it under `hostname`
/// if there is none.
///
/// `hostname` is what the operator asked for; `None` takes the stored one, or
/// `default_hostname` for a new log.
///
/// # Errors
/// [`OpenError`]; nothing was written unless the log was created.
pub async fn open(
    store: Arc<dyn Store>,
    key: LogKey,
    hostname: Option<&str>,
    default_hostname: &str,
    options: Options,
    clock: Clock,
) -> Result<Log, OpenError> {
    let last_checkpoint = Vec::new();
    let opening = Opening { hostname, default_hostname, options, clock, last_checkpoint };
    open_guarded(store, key, opening).await
}

/// Opens the log in `store`, creating it if there is none, and compares it with
/// the last checkpoint that was kept outside of it.
///
/// A database that went back gives a log that can be read but is
/// [sealed](Log::sealed). A missing note is written anew, with a warning when the log has
/// leaves.
///
/// # Errors
/// [`OpenError`]; nothing was written unless the log was created.
pub async fn open_guarded(
    store: Arc<dyn Store>,
    key: LogKey,
    opening: Opening<'_>,
) -> Result<Log, OpenError> {
    let Opening { hostname, default_hostname, options, clock, last_checkpoint } = opening;
    let key = Arc::new(key);
    // Before the head: another server with the same places may write them at any moment.
    let notes = read_notes(&last_checkpoint).await?;
    let (identity, head) = match store.load().await? {
        Some(found) => found,
        None => {
            refuse_lost(&notes, &key)?;
            create(&*store, &key, hostname.unwrap_or(default_hostname), &clock).await?
        }
    };
    check_identity(&identity, &key, hostname)?;
    let tree = restore(&store, &key, head, &options).await?;
    let identity = Arc::new(identity);
    let guard = guard(&*store, last_checkpoint, &notes, &key, &identity, &tree).await?;
    let head = &tree.snapshot().head;
    tracing::info!(
        tree_id = identity.tree_id,
        hostname = identity.hostname,
        log_id = key.log_id(),
        size = head.size,
        root = %head.root,
        "log opened"
    );
    Ok(Log::start(store, key, identity, tree, options, clock, guard))
}

async fn guard(
    store: &dyn Store,
    places: Vec<Place>,
    notes: &[PlacedNote],
    key: &Arc<LogKey>,
    identity: &Arc<Identity>,
    tree: &Arc<Tree>,
) -> Result<Guard, OpenError> {
    let closed = |sealed| Guard { bar: Arc::new(Bar::closed(sealed)), keepers: Vec::new() };
    if let Some(sealed) = went_back(notes, key, identity, tree).await? {
        return Ok(closed(sealed));
    }
    refuse_unsettled(store, notes, &tree.snapshot().head).await?;
    tell_absent(&places, notes, &tree.snapshot().head);
    let bar = Arc::new(Bar::default());
    let (tree, key, identity) = (Arc::clone(tree), Arc::clone(key), Arc::clone(identity));
    let course = Course { tree, key, identity, bar: Arc::clone(&bar) };
    let mut keepers = Vec::with_capacity(places.len());
    for place in places {
        match Keeper::start(course.clone(), place).await {
            Ok(keeper) => keepers.push(keeper),
            // Somebody wrote it since the notes were read.
            Err(GuardError::OtherCourse(sealed)) => return Ok(closed(*sealed)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Guard { bar, keepers })
}

/// Refuses a head that may be lost with the database, unless it was published: what a note says had
/// settled by then.
async fn refuse_unsettled(
    store: &dyn Store,
    notes: &[PlacedNote],
    head: &Head,
) -> Result<(), OpenError> {
    let published = notes.iter().any(|placed| *placed.note == *head.checkpoint);
    match published || store.until_settled().await? {
        true => Ok(()),
        false => Err(OpenError::Unsettled(head.size)),
    }
}

/// The tree of the stored head, rebuilt and checked.
pub(super) async fn restore(
    store: &Arc<dyn Store>,
    key: &Arc<LogKey>,
    head: Head,
    options: &Options,
) -> Result<Arc<Tree>, StoreError> {
    let edge = restore_edge(&**store, head.size).await?;
    check_head(key, &head, edge.root())?;
    let first = Snapshot::new(head, edge, &[]);
    Ok(Arc::new(Tree::new(Arc::clone(store), Arc::clone(key), first, options)))
}

async fn create(
    store: &dyn Store,
    key: &LogKey,
    hostname: &str,
    clock: &Clock,
) -> Result<(Identity, Head), OpenError> {
    let plain = |c: char| c.is_ascii_graphic() && c != '+';
    if hostname.is_empty() || hostname.len() > 253 || !hostname.chars().all(plain) {
        return Err(OpenError::Hostname(hostname.to_owned()));
    }
    let (tree_id, time) = (key.tree_id(hostname), clock());
    Ahead::check(time, store.ping().await?)?;
    let root = tlog::Hash::EMPTY_ROOT;
    let identity = Identity {
        tree_id,
        hostname: hostname.to_owned(),
        public_key: key.spki().to_vec(),
        created_at: time,
    };
    let checkpoint = key.sign_checkpoint(hostname, tree_id, 0, root).into();
    let head = Head { size: 0, root, checkpoint, time };
    match store.create(&identity, &head).await {
        Ok(()) => {
            tracing::info!(tree_id, hostname, "log created");
            Ok((identity, head))
        }
        // Another server created it in this moment; what it wrote is checked like any other.
        Err(StoreError::Conflict) => store
            .load()
            .await?
            .ok_or_else(|| StoreError::Corrupt("a log was created and is not there".into()).into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn check_identity(
    identity: &Identity,
    key: &LogKey,
    hostname: Option<&str>,
) -> Result<(), OpenError> {
    if identity.public_key != key.spki() {
        return Err(OpenError::OtherKey {
            tree_id: identity.tree_id,
            stored: crate::signer::log_id(&identity.public_key),
            given: key.log_id().to_owned(),
        });
    }
    if let Some(given) = hostname.filter(|given| *given != identity.hostname) {
        return Err(OpenError::OtherHostname {
            stored: identity.hostname.clone(),
            given: given.to_owned(),
        });
    }
    let derived = key.tree_id(&identity.hostname);
    if identity.tree_id != derived {
        return Err(OpenError::OtherTree { stored: identity.tree_id, derived });
    }
    Ok(())
}
