//! What servers, database and generator can do on one machine, together.
//!
//! Border: measured before the load, without faults. How much of it is asked for is the
//! soak's affair.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use entry::keys::x509::PublicKey;
use serde::Serialize;

use super::faults::SERVERS;
use super::report::SoakReport;
use super::witness::Witness;
use super::{SLICE, WORKERS, additions};
use crate::footprint::own_processor_time;
use crate::receipts::Receipts;
use crate::run::{self, Measured, Pace};
use crate::scenario::Load;

/// What an addition takes. During the load the generator signs and judges on the servers' own
/// cores, so what they add while it only asks is more than all of them can go on with.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Capacity {
    /// Cores of the machine.
    pub(super) cores: f64,
    /// Additions per second that both servers take together while the generator only asks.
    pub(super) asked_only: f64,
    /// Processor time to sign an entry, in seconds.
    pub(super) signing: f64,
    /// Processor time to judge a receipt, in seconds.
    pub(super) judging: f64,
}

impl Capacity {
    /// Additions per second that all of them together go on with, beside `reads` reads for each:
    /// a read costs the servers about what an addition does, and is judged like one.
    pub(super) fn together(self, reads: f64) -> f64 {
        let Self { cores, asked_only, signing, judging } = self;
        let answered = cores / asked_only + judging;
        cores / (answered * (1.0 + reads) + signing)
    }

    /// Asks both servers for all that they can do, every client waiting for its answer, and
    /// judges the answers afterwards.
    pub(super) async fn measure(
        key: &PublicKey,
        addresses: [SocketAddr; SERVERS],
        witness: &mut Witness,
        report: &mut SoakReport,
    ) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism()?.get() as f64;
        let pace = Pace { workers: WORKERS / 2, rate: None, duration: SLICE };
        let count = 16_000 * usize::try_from(SLICE.as_secs())? / SERVERS;
        let before = own_processor_time()?;
        // All of it is signed before the first server is asked.
        let loads = addresses.iter().map(|_| additions(count)).collect::<Result<Vec<_>, _>>()?;
        let signing = own_processor_time()?.saturating_sub(before);
        let mut running = Vec::new();
        for (address, load) in addresses.into_iter().zip(loads) {
            let load = Arc::new(load);
            running.push((Arc::clone(&load), tokio::spawn(run::run(address, load, pace))));
        }
        let mut runs = Vec::new();
        for (load, run) in running {
            runs.push((load, run.await??));
        }
        let before = own_processor_time()?;
        let judged: Vec<_> = runs
            .iter()
            .map(|(load, measured)| judge(key, load, measured, witness, report))
            .collect();
        let judging = own_processor_time()?.saturating_sub(before);
        let created: usize = judged.iter().map(|judged| judged.0).sum();
        anyhow::ensure!(created > 0, "the servers added nothing before the load");
        Ok(Self {
            cores,
            asked_only: judged.iter().map(|judged| judged.1).sum(),
            signing: each(signing, count * SERVERS),
            judging: each(judging, created),
        })
    }
}

fn each(all: Duration, count: usize) -> f64 {
    all.as_secs_f64() / count as f64
}

/// Judges what a server answered; returns how many entries were created, and how many in a second.
fn judge(
    key: &PublicKey,
    load: &Load,
    measured: &Measured,
    witness: &mut Witness,
    report: &mut SoakReport,
) -> (usize, f64) {
    let missed = measured.missed.len();
    report.violate((missed > 0).then(|| format!("{missed} not answered, without a fault")));
    let mut receipts = Receipts::default();
    // A server that is asked for all that it can do may say that it is busy.
    for answer in measured.answers.iter().filter(|answer| answer.status.as_u16() != 503) {
        let judged = load.judge(answer, &mut receipts);
        report.violate(judged.err().map(|error| format!("before the load: {error:#}")));
    }
    match receipts.check_signatures(key) {
        Ok(checked) => report.receipts += checked.entries,
        Err(error) => report.violate([format!("before the load: {error:#}")]),
    }
    report.contradict(witness.hear(&receipts));
    let created = receipts.created.len();
    (created, created as f64 / measured.elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_generator_does_is_paid_by_the_same_cores() {
        let free = Capacity { cores: 2.0, asked_only: 5_000.0, signing: 0.0, judging: 0.0 };
        assert!((free.together(0.0) - 5_000.0).abs() < 1e-6);
        // Each read takes the place of an addition.
        assert!((free.together(0.25) - 4_000.0).abs() < 1e-6);
        // 400 µs of the servers, 100 of signing, 250 of judging with each read: 2 / (650 · 1.2 + 100).
        let paid = Capacity { signing: 1e-4, judging: 2.5e-4, ..free };
        assert!((paid.together(0.2) - 2.0 / 880e-6).abs() < 1e-6);
    }
}
