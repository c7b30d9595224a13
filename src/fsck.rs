//! The audit of everything that is stored.
//!
//! Border: recomputes the log from its bodies and compares; it reads the store,
//! writes nothing but its own state file, and repairs nothing. It does not know
//! the sequencer: what it expects is written out anew from RFC 6962 tiles
//! (`tlog`) and canonical bodies (`entry`), and a stored hash is believed where it
//! leads to the signed root.
//!
//! What is recomputed for each entry: the leaf hash from the body, the way from that hash
//! to the entry, every full tile above it, the index rows that follow from body and kept payload, the payload's
//! digest, the order of times; then root, size, signature, origin and tree ID, and
//! the checkpoint that is kept outside the database; and that nothing lies behind the
//! head.
//!
//! What cannot be: a search string that the body does not hold
//! ([`entry::StoredKeys`]), index rows and payloads that no entry asks for, whether
//! a payload should have been kept, and an integrated time that was changed within
//! the bounds of its neighbours (clients see that: it is in their signed entry
//! timestamp).

mod beyond;
mod finding;
mod findings;
mod head;
mod index;
mod leaves;
mod meter;
mod notes;
mod pass;
mod reads;
mod row;
mod state;
mod tile;
mod tiles;
mod times;
mod vouched;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

pub use finding::{Finding, Subject};
pub use meter::Meter;
pub use state::StateError;

use crate::last_checkpoint::{Place, PlaceName};
use crate::log::GuardError;
use crate::signer::LogKey;
use crate::store::{Audit, Head, Identity, StoreError};
use findings::Findings;
use pass::{Pass, Step};
use state::State;

/// Findings after which an audit ends: more of them tell nothing new.
pub const MAX_FINDINGS: usize = 20;

/// Shortest time between two writes of the state file.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How an audit is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it keeps how far it has come; removed when it ends without finding.
    pub state: PathBuf,
    /// Go on from there.
    pub resume: bool,
    /// Entries per second at most.
    pub rate: Option<NonZeroU32>,
}

/// How far an audit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries that this run began behind.
    pub began: u64,
    /// Entries that are done, with those of former runs.
    pub done: u64,
    /// Entries in the log when this run began.
    pub size: u64,
}

/// What an audit has to say while it is made.
#[derive(Debug)]
pub enum Event<'a> {
    /// It has come so far.
    Progress(Progress),
    /// Something is not as it must be. Told once, in the order of the entries as far
    /// as one step finds them; at most [`MAX_FINDINGS`].
    Found(&'a Finding),
    /// The last checkpoint in a place could not be read, so that nothing was held against
    /// it; which is no finding about the log.
    NotCompared(GuardError),
    /// The state file could not be written or removed; the audit goes on all the same.
    NotKept(StateError),
}

/// Whom it is told, while the audit waits.
pub type Tell<'t> = dyn FnMut(Event<'_>) + Send + 't;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries in the log when the audit began.
    pub size: u64,
    /// Entries that were compared, with those of former runs. Fewer than `size` after
    /// [`MAX_FINDINGS`], and where nothing tells the leaf hash of the next one.
    pub visited: u64,
    /// What is not as it must be, as it was told; at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Places of the last checkpoint that could not be read.
    pub uncompared: Vec<PlaceName>,
    /// Entries whose body this version cannot read, so that only hash and payload
    /// were checked, with those of former runs.
    pub unread: u64,
    /// Entries with a statement none of whose digests is in the index, which is
    /// right when the payload was declared to be something else, with those of former runs.
    pub untold: u64,
}

/// Why an audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The database holds no log.
    #[error("the database holds no log")]
    NoLog,
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Audits the log up to the head that it has now. A live server may append
/// meanwhile: what was committed is never changed. Memory is bounded by 8 MiB of
/// bodies, or the largest body, and the largest payload.
///
/// # Errors
/// [`FsckError`]; a finding is no error, and what was found before an error was told.
pub async fn run(
    store: &dyn Audit,
    key: &LogKey,
    last_checkpoint: &[Place],
    options: &Options,
    tell: &mut Tell<'_>,
) -> Result<Report, FsckError> {
    let (identity, _) = store.load().await?.ok_or(FsckError::NoLog)?;
    let (notes, uncompared) = notes::read(last_checkpoint, key, &identity, tell).await;
    let (identity, head) = store.load().await?.ok_or(FsckError::NoLog)?;
    let mut findings = Findings::default();
    let target = head::check(&identity, &head, key, &mut findings);
    let notes = notes::believable(notes, target, &mut findings);
    findings.settle().iter().for_each(|finding| tell(Event::Found(finding)));
    let state = match options.resume {
        true => State::load(&options.state, identity.tree_id, store, target.size).await?,
        false => None,
    };
    let state = state.unwrap_or_else(|| State::beginning(&identity));
    notes::check_behind(state.edge.size(), &notes, store, &mut findings).await?;
    findings.settle().iter().for_each(|finding| tell(Event::Found(finding)));
    let mut pass = Pass::new(store, target, notes, state, findings).await?;
    let walked = walk(&mut pass, identity.tree_id, options, tell).await;
    let ended = match walked {
        Ok(whole) => end(&mut pass, &identity, &head, whole).await,
        Err(error) => Err(error),
    };
    pass.settle().iter().for_each(|finding| tell(Event::Found(finding)));
    ended?;
    let report = Report { uncompared, ..pass.report() };
    if report.findings.is_empty()
        && let Err(error) = State::remove(&options.state)
    {
        tell(Event::NotKept(error));
    }
    Ok(report)
}

/// Goes through the entries; whether all of them could be visited.
async fn walk(
    pass: &mut Pass<'_>,
    tree_id: u64,
    options: &Options,
    tell: &mut Tell<'_>,
) -> Result<bool, FsckError> {
    let (began, mut saved) = (pass.done(), Instant::now());
    // A tenth of a second's worth, so that the disk is not hit in bursts.
    let at_once = options.rate.map_or(u64::MAX, |rate| u64::from(rate.get().div_ceil(10)));
    let size = pass.size();
    tell(Event::Progress(Progress { began, done: began, size }));
    loop {
        let (begun, before, known) = (Instant::now(), pass.done(), pass.found());
        let step = pass.step(at_once).await?;
        pass.settle().iter().for_each(|finding| tell(Event::Found(finding)));
        tell(Event::Progress(Progress { began, done: pass.done(), size }));
        if pass.found() > known && known == 0 || pass.found() == 0 && saved.elapsed() > SAVE_EVERY {
            // Never behind a finding: the next run must meet it again.
            if let Err(error) = pass.good().save(&options.state, tree_id) {
                tell(Event::NotKept(error));
            }
            saved = Instant::now();
        }
        match step {
            Step::On if !pass.is_full() => {}
            Step::On | Step::Stuck => return Ok(false),
            Step::End => return Ok(true),
        }
        if let Some(rate) = options.rate {
            let share = (pass.done() - before) as f64 / f64::from(rate.get());
            // From this step on: what was missed, asleep or stopped, is not caught up with.
            tokio::time::sleep_until(begun + Duration::from_secs_f64(share)).await;
        }
    }
}

/// Looks at what the walk does not come to; `whole` says whether it visited all entries.
async fn end(
    pass: &mut Pass<'_>,
    identity: &Identity,
    head: &Head,
    whole: bool,
) -> Result<(), FsckError> {
    if whole {
        pass.end(identity, head);
    }
    if !pass.is_full() {
        pass.beyond().await?;
        pass.own_check().await?;
    }
    Ok(())
}
