//! Evidence is parsed and verified off the async threads, as many at a time as
//! there are cores.
//!
//! Border: scheduling only; what is verified is decided in crate `entry`.

mod pool;

use std::sync::Arc;

use bytes::Bytes;
use entry::{EntryError, ParseError, Policy, ProposedEntry, VerifiedEntry};
use tlog::Hash;

use crate::log::Clock;
use pool::Pool;

/// Why evidence was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The request is not a proposed entry.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The entry is not what it claims, or not allowed here.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// The policy with the threads that apply it. Clones share both.
#[derive(Clone)]
pub struct Verifier {
    policy: Arc<Policy>,
    pool: Arc<Pool>,
    clock: Clock,
}

impl Verifier {
    /// Applies `policy` on up to `threads` (at least one) threads at a time; `clock`
    /// tells what has expired.
    #[must_use]
    pub fn new(policy: Policy, threads: usize, clock: Clock) -> Self {
        Self { policy: Arc::new(policy), pool: Arc::new(Pool::start(threads.max(1))), clock }
    }

    /// The policy that is applied.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Parses, verifies and canonicalises the body of a POST.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn verify(&self, body: Bytes) -> Result<VerifiedEntry, Refused> {
        let (policy, now) = (Arc::clone(&self.policy), (self.clock)());
        self.run(move || Ok(ProposedEntry::parse(&body)?.verify(&policy, now)?)).await
    }

    /// The leaf hash that a proposed or stored entry has, without the checks of
    /// an insertion.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn leaf_of(&self, entry: serde_json::Value) -> Result<Hash, Refused> {
        let (policy, now) = (Arc::clone(&self.policy), (self.clock)());
        let canonical = self
            .run(move || -> Result<_, Refused> {
                Ok(ProposedEntry::from_value(entry)?.canonicalize(&policy, now)?)
            })
            .await?;
        Ok(Hash::leaf(&canonical))
    }

    /// Runs CPU work off the async threads, within the bound.
    ///
    /// # Panics
    /// When `work` panics, so that the request fails like any other panic.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.pool.run(work).await
    }
}
