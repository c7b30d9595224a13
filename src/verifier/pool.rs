//! A fixed number of threads that take work from one queue.
//!
//! Border: scheduling. A thread looks for the next job before it sleeps, so a busy
//! server wakes nobody per job; the runtime's own blocking threads would be woken, and
//! put to sleep again, for each. The queue has no bound of its own: a job stays in it after its
//! waiter has gone, so it must own whatever bounds how many there are.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end when the last handle is gone and the queue is empty.
pub(super) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that sleep and that nobody has woken yet.
    asleep: usize,
    closed: bool,
}

impl Pool {
    /// Starts `threads` threads, named after `name`.
    ///
    /// # Panics
    /// When the system gives no thread.
    pub(super) fn start(name: &str, threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        for number in 0..threads {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
            thread.spawn(move || shared.work()).expect("the system gives a thread");
        }
        Self { shared }
    }

    /// Runs `work` on one of the threads. It is not begun if nobody waits for it any more.
    ///
    /// # Panics
    /// When `work` panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (answer, done) = oneshot::channel();
        self.shared.push(Box::new(move || {
            if !answer.is_closed() {
                // The waiter may go while the work is done.
                let _ = answer.send(catch_unwind(AssertUnwindSafe(work)));
            }
        }));
        match done.await.expect("a job is run before its threads end") {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    /// A job never panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.asleep > 0 {
            state.asleep -= 1;
            drop(state);
            self.work.notify_one();
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.lock();
            } else if state.closed {
                return;
            } else {
                state.asleep += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_job_is_run_and_a_panic_is_its_waiters() {
        let pool = Arc::new(Pool::start("test", 2));
        let jobs: Vec<_> = (0..100)
            .map(|n| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.run(move || n * 2).await })
            })
            .collect();
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), n * 2);
        }
        let other = Arc::clone(&pool);
        let panics = tokio::spawn(async move { other.run(|| panic!("on purpose")).await });
        assert!(panics.await.unwrap_err().is_panic());
        assert_eq!(pool.run(|| 1).await, 1);
    }
}
