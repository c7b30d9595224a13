//! The result of a run, for people and for programs.
//!
//! Border: numbers to text. Latencies are in milliseconds, rates per second.

use std::io::Write;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::ceilings::Ceilings;
use crate::evidence::Evidence;
use crate::receipts::Checked;
use crate::run::{Measured, Pace};
use crate::scenario::Scenario;

/// One scenario's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) evidence: Evidence,
    pub(crate) workers: usize,
    /// Requests per second that were asked for; absent in a closed loop.
    pub(crate) rate: Option<f64>,
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: usize,
    pub(crate) first_error: Option<String>,
    pub(crate) per_second: f64,
    pub(crate) latency_ms: Latency,
    /// What was verified of the answers.
    pub(crate) verified: Checked,
    /// Resident memory of the server after the run, in MiB, if it is ours.
    pub(crate) server_mib: Option<f64>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latency {
    pub(crate) fn of(latency: &Histogram<u64>) -> Self {
        let at = |quantile: f64| latency.value_at_quantile(quantile) as f64 / 1e3;
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: latency.max() as f64 / 1e3 }
    }
}

impl Latency {
    /// The worse of two, percentile by percentile.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            p50: self.p50.max(other.p50),
            p90: self.p90.max(other.p90),
            p99: self.p99.max(other.p99),
            max: self.max.max(other.max),
        }
    }
}

impl Outcome {
    pub(crate) fn new(
        (scenario, evidence): (Scenario, Evidence),
        pace: Pace,
        measured: &Measured,
        wrong: Vec<String>,
        verified: Checked,
    ) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        let requests = measured.latency.len() - wrong.len() as u64;
        let errors = measured.missed.len() + wrong.len();
        let first_error = measured.first_error.clone().or(wrong.into_iter().next());
        Self {
            scenario,
            evidence,
            workers: pace.workers,
            rate: pace.rate,
            seconds,
            requests,
            errors,
            first_error,
            per_second: requests as f64 / seconds,
            latency_ms: Latency::of(&measured.latency),
            verified,
            server_mib: None,
        }
    }

    /// One line for people.
    pub(crate) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Latency { p50, p90, p99, max } = self.latency_ms;
        let (scenario, evidence) = (name(&self.scenario), name(&self.evidence));
        writeln!(
            out,
            "{scenario:<12} {evidence:<12} {:>5} workers {:>9.0}/s   p50 {p50:>7.2} p90 {p90:>7.2} \
             p99 {p99:>7.2} max {max:>8.2} ms   {} errors, verified: {}",
            self.workers, self.per_second, self.errors, self.verified,
        )?;
        match &self.first_error {
            Some(error) => writeln!(out, "             first error: {error}"),
            None => Ok(()),
        }
    }
}

/// A value's name in JSON.
pub(crate) fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Everything that one command measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Processor, as the system names it.
    pub(crate) machine: String,
    pub(crate) databases: Vec<DatabaseReport>,
}

/// The results on one database.
#[derive(Debug, Serialize)]
pub(crate) struct DatabaseReport {
    pub(crate) database: &'static str,
    pub(crate) ceilings: Ceilings,
    /// Appends per second if only these parts cost anything.
    pub(crate) combined_ceiling: f64,
    /// 8 KiB and fdatasync.
    pub(crate) sync_ms: Latency,
    pub(crate) outcomes: Vec<Outcome>,
}

/// Processor and cores of this machine.
pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (family, model) = (field("cpu family"), field("model\t"));
    format!("{} family {family} model {model}, {cores} cores", field("model name"))
}

/// The ceilings, one line each.
pub(crate) fn write_ceilings(
    out: &mut dyn Write,
    ceilings: &Ceilings,
    sync: Latency,
) -> std::io::Result<()> {
    writeln!(out, "ceilings of this machine ({} cores)", ceilings.cores)?;
    writeln!(out, "  verify P-256, one core      {:>9.0}/s", ceilings.verify_per_core)?;
    writeln!(out, "  sign P-256, one core        {:>9.0}/s", ceilings.sign_per_core)?;
    writeln!(out, "  bare axum POST, all cores   {:>9.0}/s", ceilings.http)?;
    writeln!(out, "  durable insert, batch 64    {:>9.0}/s", ceilings.insert)?;
    writeln!(out, "  all four on the same cores  {:>9.0}/s", ceilings.combined())?;
    writeln!(out, "  8 KiB write and fdatasync   p50 {:.2} p99 {:.2} ms", sync.p50, sync.p99)
}
