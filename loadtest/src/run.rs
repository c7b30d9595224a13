//! One run: workers, pace, and what they measure.
//!
//! Border: time. What is asked and whether the answer is right is in `scenario`.
//!
//! Closed loop: each worker sends its next request when it has its answer. Open
//! loop: requests are due at fixed moments, whoever is late; latency counts from
//! the moment a request was due, so a server that stalls is charged for every
//! request that had to wait (no coordinated omission).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::connection::Connection;
use crate::scenario::{Load, Scenario};
use crate::slow;

/// How long after it was due a request counts as not answered.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a load is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) workers: usize,
    /// Requests per second in all; `None` for a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) duration: Duration,
}

/// What was measured. Whether the answers are right is judged after the run, so
/// that judging does not compete with the server for the processor.
pub(crate) struct Measured {
    /// Microseconds of every request that was answered.
    pub(crate) latency: Histogram<u64>,
    pub(crate) answers: Vec<Answer>,
    /// Requests without an answer, and the first reason.
    pub(crate) missed: Vec<Missed>,
    pub(crate) first_error: Option<String>,
    pub(crate) elapsed: Duration,
}

/// The answer to the n-th request of the load.
pub(crate) struct Answer {
    pub(crate) n: usize,
    /// When it was due, since the run began.
    pub(crate) due: Duration,
    /// When it was sent, since the run began: later than due when those before it took long.
    pub(crate) sent: Duration,
    /// From when it was due to its answer.
    pub(crate) took: Duration,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// A request that was not answered.
pub(crate) struct Missed {
    /// When it was due, since the run began.
    pub(crate) due: Duration,
    /// When it was sent, since the run began.
    pub(crate) sent: Duration,
    /// From when it was due to its failure.
    pub(crate) took: Duration,
}

/// The latest answer under each path that was read.
///
/// Every answer is kept for the judgement. A million answers of some kilobytes would make the
/// generator's fresh memory a sixth of all work; an answer that says what the latest one said,
/// byte by byte, shares its memory.
#[derive(Default)]
struct Repeated(Mutex<HashMap<String, Bytes>>);

impl Repeated {
    fn share(&self, path: String, body: Bytes) -> Bytes {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = latest.entry(path).or_default();
        if *known != body {
            *known = body;
        }
        known.clone()
    }
}

struct Worker {
    load: Arc<Load>,
    repeated: Arc<Repeated>,
    next: Arc<AtomicUsize>,
    connection: Connection,
    started: Instant,
    pace: Pace,
}

/// Runs the load against the server until the time is over or the evidence is used up.
pub(crate) async fn run(
    server: SocketAddr,
    load: Arc<Load>,
    pace: Pace,
) -> anyhow::Result<Measured> {
    run_from(Instant::now(), server, load, pace).await
}

/// As [`run`]; in an open loop the requests are due since this moment, also when it has passed.
pub(crate) async fn run_from(
    started: Instant,
    server: SocketAddr,
    load: Arc<Load>,
    pace: Pace,
) -> anyhow::Result<Measured> {
    let next = Arc::new(AtomicUsize::new(0));
    let repeated = Arc::new(Repeated::default());
    let mut workers = JoinSet::new();
    for _ in 0..pace.workers {
        let worker = Worker {
            load: Arc::clone(&load),
            repeated: Arc::clone(&repeated),
            next: Arc::clone(&next),
            connection: Connection::new(server)?,
            started,
            pace,
        };
        workers.spawn(worker.work());
    }
    let slow_clients = if load.scenario == Scenario::Slow { pace.workers.div_ceil(9) } else { 0 };
    let _slow = slow::start(server, slow_clients);
    let mut all = Measured::new()?;
    while let Some(done) = workers.join_next().await {
        let part = done??;
        all.latency.add(&part.latency)?;
        all.answers.extend(part.answers);
        all.missed.extend(part.missed);
        all.first_error = all.first_error.or(part.first_error);
    }
    all.elapsed = started.elapsed();
    Ok(all)
}

/// Room for latencies of up to ten minutes, in microseconds.
///
/// # Errors
/// None with these bounds.
pub(crate) fn microseconds() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 600_000_000, 3)?)
}

impl Measured {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latency: microseconds()?,
            answers: Vec::new(),
            missed: Vec::new(),
            first_error: None,
            elapsed: Duration::ZERO,
        })
    }
}

impl Worker {
    async fn work(mut self) -> anyhow::Result<Measured> {
        let mut measured = Measured::new()?;
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let due = self.due(n);
            if due >= self.started + self.pace.duration {
                break;
            }
            let Some(call) = self.load.call(n) else { break };
            // A timer waits for the next full millisecond, even for a moment that has come.
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            let path = (call.method == Method::GET).then(|| call.path.clone());
            let sent = self.started.elapsed();
            let late = (due + PATIENCE).into();
            let answer = tokio::time::timeout_at(late, self.connection.call(call)).await;
            let answer = answer.unwrap_or_else(|late| Err(late.into()));
            let took = due.elapsed();
            let due = due.duration_since(self.started);
            match answer {
                Ok((status, body)) => {
                    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    measured.latency.saturating_record(micros);
                    let body = match path {
                        Some(path) => self.repeated.share(path, body),
                        None => body,
                    };
                    measured.answers.push(Answer { n, due, sent, took, status, body });
                }
                Err(error) => {
                    measured.missed.push(Missed { due, sent, took });
                    measured.first_error.get_or_insert(format!("{error:#}"));
                }
            }
        }
        Ok(measured)
    }

    /// When the n-th request is to be sent.
    fn due(&self, n: usize) -> Instant {
        match self.pace.rate {
            Some(rate) => self.started + Duration::from_secs_f64(n as f64 / rate),
            None => Instant::now(),
        }
    }
}
