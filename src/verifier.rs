//! Evidence is parsed and verified off the async threads, as many at a time as
//! there are cores. Look-ups have threads of their own, so that neither they nor additions
//! wait for each other: the system shares the cores between them.
//!
//! Border: scheduling only; what is verified is decided in crate `entry`.

mod pool;

use std::sync::Arc;

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
    additions: Arc<Pool>,
    look_ups: Arc<Pool>,
    clock: Clock,
}

impl Verifier {
    /// Applies `policy` to additions on up to `threads` (at least one) threads at a time,
    /// and to look-ups on half as many more (at least one); `clock` tells what has expired.
    #[must_use]
    pub fn new(policy: Policy, threads: usize, clock: Clock) -> Self {
        let additions = Arc::new(Pool::start("verify", threads.max(1)));
        let look_ups = Arc::new(Pool::start("look-up", (threads / 2).max(1)));
        Self { policy: Arc::new(policy), additions, look_ups, clock }
    }

    /// Parses, verifies and canonicalises the body of a POST. `body` is dropped when that is done
    /// or given up: not when its client hangs up, as long as it waits here. So is `room`, what the
    /// addition was admitted to, unless it comes back with the entry: nothing else bounds how many
    /// of those who hung up wait here.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn verify<R: Send + 'static>(
        &self,
        body: impl AsRef<[u8]> + Send + 'static,
        room: R,
    ) -> Result<(VerifiedEntry, R), Refused> {
        let (policy, now) = (Arc::clone(&self.policy), (self.clock)());
        let work = move || {
            let verified = ProposedEntry::parse(body.as_ref())?.verify(&policy, now)?;
            Ok((verified, room))
        };
        self.additions.run(work).await
    }

    /// Parses the body of a POST and does no more; `body` and `room` as in [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`ParseError`].
    pub async fn parse<R: Send + 'static>(
        &self,
        body: impl AsRef<[u8]> + Send + 'static,
        room: R,
    ) -> Result<(ProposedEntry, R), ParseError> {
        let work = move || Ok((ProposedEntry::parse(body.as_ref())?, room));
        self.additions.run(work).await
    }

    /// The leaf hash that a proposed or stored entry has, without the checks of
    /// an insertion. This takes long: it belongs into [`look_up`](Self::look_up).
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn leaf_of(&self, entry: &ProposedEntry) -> Result<Hash, EntryError> {
        Ok(Hash::leaf(&entry.canonicalize(&self.policy, (self.clock)())?))
    }

    /// Runs the CPU work of a look-up off the async threads, within the bound.
    ///
    /// # Panics
    /// When `work` panics, so that the request fails like any other panic.
    pub async fn look_up<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.look_ups.run(work).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn verifier() -> Verifier {
        Verifier::new(Policy::default(), 2, Arc::new(|| 0))
    }

    /// Fills a pool with jobs that last until the sender is dropped.
    fn fill(pool: &Arc<Pool>) -> (Vec<mpsc::Sender<()>>, Vec<tokio::task::JoinHandle<()>>) {
        let start = || {
            let (sender, last) = mpsc::channel::<()>();
            let pool = Arc::clone(pool);
            let job = async move {
                pool.run(move || {
                    let _ = last.recv();
                })
                .await;
            };
            (sender, tokio::spawn(job))
        };
        (0..50).map(|_| start()).unzip()
    }

    async fn soon<T>(work: impl Future<Output = T>) -> T {
        let patience = std::time::Duration::from_secs(60);
        tokio::time::timeout(patience, work).await.expect("a free thread")
    }

    #[tokio::test]
    async fn additions_and_look_ups_never_wait_for_each_other() {
        let verifier = verifier();
        let (release, jobs) = fill(&verifier.additions);
        let done = soon(verifier.look_up(|| 1)).await;
        assert_eq!(done, 1);
        drop(release);
        for job in jobs {
            job.await.unwrap();
        }
        let (release, jobs) = fill(&verifier.look_ups);
        let refused = soon(verifier.verify([], ())).await;
        assert!(matches!(refused, Err(Refused::Parse(_))));
        drop(release);
        for job in jobs {
            job.await.unwrap();
        }
    }
}
