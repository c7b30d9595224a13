//! A few seconds of the soak's load.
//!
//! Border: what is asked in them, and what became of each request: every one that was due is
//! answered, refused or not answered. When a slice is due is its caller's affair.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entry::keys::x509::PublicKey;
use http::StatusCode;
use tokio::sync::Semaphore;

use super::faults::{Announced, Course, SERVERS};
use super::report::{Requests, Slice};
use super::{Demand, WORKERS};
use crate::evidence::{Entries, Evidence};
use crate::receipts::Receipts;
use crate::report::Latency;
use crate::run::{self, Measured, Missed, Pace};
use crate::scenario::{Load, Scenario, Written};
use crate::server::resident_mib;

/// A slice that is due. Times are since the soak began.
pub(super) struct Due {
    pub(super) at: Duration,
    /// In whole seconds.
    pub(super) length: Duration,
    pub(super) soak_started: Instant,
    pub(super) addresses: [SocketAddr; SERVERS],
    pub(super) demand: Demand,
    /// Leaves that reads may ask for.
    pub(super) size: u64,
    pub(super) course: Arc<Course>,
    pub(super) key: Arc<PublicKey>,
}

/// One kind of request to one server.
struct Run {
    server: usize,
    load: Arc<Load>,
    asked: u64,
    measured: anyhow::Result<Measured>,
}

/// What judging a slice gave.
pub(super) struct Judged {
    pub(super) slice: Slice,
    pub(super) receipts: Receipts,
    /// Receipts of which everything was verified.
    pub(super) verified: usize,
    pub(super) violations: Vec<String>,
}

impl Due {
    /// Asks, and judges when one of the judges is free.
    pub(super) async fn run(self, additions: Vec<Load>, judges: Arc<Semaphore>) -> Judged {
        let late = self.soak_started.elapsed().saturating_sub(self.at);
        let runs = self.ask(additions).await;
        let mut slice = Slice::new(self.at, late);
        slice.resident_mib = self.course.processes().map(|process| resident_mib(process?));
        let (ended, announced) = (self.soak_started.elapsed(), self.course.announced());
        slice.faults = announced.during(self.at, ended);
        // Nobody closes it.
        let judge = judges.acquire().await;
        let judged = tokio::task::spawn_blocking(move || self.judge(slice, &runs, &announced));
        let judged = judged.await;
        drop(judge);
        match judged {
            Ok(judged) => judged,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Additions and reads, to every server.
    async fn ask(&self, additions: Vec<Load>) -> Vec<Run> {
        let mut running = Vec::new();
        for (server, addition) in additions.into_iter().enumerate() {
            for (load, rate) in
                [(Some(addition), self.demand.additions), (self.reads(), self.demand.reads)]
            {
                let Some(load) = load.filter(|_| rate > 0).map(Arc::new) else { continue };
                let rate_of_all = Some(f64::from(rate));
                let pace = Pace { workers: WORKERS, rate: rate_of_all, duration: self.length };
                let (started, address) = (self.soak_started + self.at, self.addresses[server]);
                let run = run::run_from(started, address, Arc::clone(&load), pace);
                let asked = u64::from(rate) * self.length.as_secs();
                running.push((server, load, asked, tokio::spawn(run)));
            }
        }
        let mut runs = Vec::new();
        for (server, load, asked, run) in running {
            let measured = run.await.map_err(Into::into).flatten();
            runs.push(Run { server, load, asked, measured });
        }
        runs
    }

    fn reads(&self) -> Option<Load> {
        let entries = Entries::sign(Evidence::Certificate, 0).ok()?;
        let written = Written { size: self.size, ..Written::default() };
        Some(Load { scenario: Scenario::ReadIndex, entries, written })
    }

    /// Judges every answer.
    fn judge(&self, mut slice: Slice, runs: &[Run], announced: &Announced) -> Judged {
        let mut receipts = Receipts::default();
        let mut violations = Vec::new();
        for run in runs {
            let mut requests = Requests { asked: run.asked, ..Requests::default() };
            let judged = run.measured.as_ref().map_err(|error| format!("{error:#}"));
            let judged = judged.and_then(|measured| {
                // What was sent after a fault is not excused by it, whenever it was due.
                let excuses = |sent: Duration, ended: Duration| {
                    announced.excuses(run.server, self.at + sent, self.at + ended)
                };
                slice.excused += run.judge(measured, excuses, &mut receipts, &mut violations);
                requests.count(measured).map_err(|error| format!("{error:#}"))?;
                requests.lost().map_or(Ok(()), Err)
            });
            violations.extend(judged.err().map(|said| format!("server {}: {said}", run.server)));
            let all = match run.load.scenario {
                Scenario::Write => &mut slice.additions,
                _ => &mut slice.reads,
            };
            all.join(&requests);
        }
        let checked = receipts.check_signatures(&self.key);
        let verified = checked.as_ref().map_or(0, |checked| checked.entries);
        violations.extend(checked.err().map(|error| format!("{error:#}")));
        Judged { slice, receipts, verified, violations }
    }
}

impl Run {
    /// Judges every answer; returns how many failures had an excuse.
    fn judge(
        &self,
        measured: &Measured,
        excuses: impl Fn(Duration, Duration) -> bool,
        receipts: &mut Receipts,
        violations: &mut Vec<String>,
    ) -> usize {
        let mut excused = 0;
        let server = self.server;
        for answer in &measured.answers {
            let Err(error) = self.load.judge(answer, receipts) else { continue };
            let tolerable = match answer.status {
                StatusCode::SERVICE_UNAVAILABLE => true,
                // The round was committed, its outcome lost, and the other server wrote before the
                // head was read: then an entry is found in the log by whoever added it.
                StatusCode::CONFLICT => self.load.judge_conflict(answer, receipts).is_ok(),
                _ => false,
            };
            if tolerable && excuses(answer.sent, answer.due + answer.took) {
                excused += 1;
            } else {
                violations.push(format!("server {server}, {:?}: {error:#}", self.load.scenario));
            }
        }
        for missed in &measured.missed {
            let Missed { due, sent, took } = *missed;
            if excuses(sent, due + took) {
                excused += 1;
            } else {
                let error = measured.first_error.as_deref().unwrap_or_default();
                let late = sent.saturating_sub(due).as_secs_f64();
                violations.push(format!(
                    "server {server}: no answer, sent {late:.1} s late; such as {error}"
                ));
            }
        }
        excused
    }
}

impl Requests {
    /// What became of them. A refusal is quick, so its time is none of an addition or a read.
    fn count(&mut self, measured: &Measured) -> anyhow::Result<()> {
        let mut latency = run::microseconds()?;
        self.unanswered += measured.missed.len() as u64;
        for answer in &measured.answers {
            if answer.status.is_success() {
                self.answered += 1;
                let micros = u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX);
                latency.saturating_record(micros);
            } else {
                self.refused += 1;
            }
        }
        if self.answered > 0 {
            self.ms = Some(Latency::of(&latency));
        }
        Ok(())
    }

    /// A sentence when some have neither an answer nor a failure.
    fn lost(&self) -> Option<String> {
        let Self { asked, answered, refused, unanswered, .. } = self;
        let ended = answered + refused + unanswered;
        (ended != *asked).then(|| format!("{asked} requests were due, {ended} have an end"))
    }
}
