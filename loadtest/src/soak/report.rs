//! The soak's report: JSON with the whole time series, and Markdown for people.
//!
//! Border: numbers to text. Times are in seconds since the load began, latencies in
//! milliseconds and counted from the moment that a request was due.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::faults::{Fault, SERVERS};
use crate::report::Latency;

/// Rows of the table over time; more slices than that share rows.
const ROWS: usize = 60;

/// Violations that are told in full.
const TOLD: usize = 20;

/// Everything about a soak.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SoakReport {
    /// Processor, as the system names it.
    pub(super) machine: String,
    /// Additions per second that both servers together took before.
    pub(super) measured: f64,
    /// Additions per second that were asked for.
    pub(super) rate: f64,
    /// Reads per second that were asked for.
    pub(super) reads: f64,
    pub(super) seconds: f64,
    /// Receipts that were verified and kept.
    pub(super) promises: usize,
    /// Sizes at which a signed head was seen.
    pub(super) checkpoints: usize,
    /// What was wrong, outside of faults.
    pub(crate) violations: usize,
    /// The first of it.
    pub(super) told: Vec<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) slices: Vec<Slice>,
}

/// What happened in a few seconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Slice {
    pub(super) at: f64,
    pub(super) additions: usize,
    pub(super) reads: usize,
    /// Requests that failed while a fault lasted.
    pub(super) excused: usize,
    /// Of the slower server.
    pub(super) addition_ms: Option<Latency>,
    pub(super) read_ms: Option<Latency>,
    /// Resident memory of the servers at the slice's end.
    pub(super) resident_mib: [Option<f64>; SERVERS],
    pub(super) faults: Vec<String>,
}

impl Slice {
    pub(super) fn new(at: Duration, resident_mib: [Option<f64>; SERVERS]) -> Self {
        Self {
            at: at.as_secs_f64(),
            additions: 0,
            reads: 0,
            excused: 0,
            addition_ms: None,
            read_ms: None,
            resident_mib,
            faults: Vec::new(),
        }
    }

    /// Takes a later slice into the same row: counts add up, of the others the worse stays.
    fn join(&mut self, other: &Self) {
        let worse = |a: Option<Latency>, b: Option<Latency>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.additions += other.additions;
        self.reads += other.reads;
        self.excused += other.excused;
        self.addition_ms = worse(self.addition_ms, other.addition_ms);
        self.read_ms = worse(self.read_ms, other.read_ms);
        self.resident_mib = other.resident_mib;
        for fault in &other.faults {
            if !self.faults.contains(fault) {
                self.faults.push(fault.clone());
            }
        }
    }
}

impl SoakReport {
    /// Counts what was wrong, and keeps the first of it.
    pub(super) fn violate(&mut self, violations: impl IntoIterator<Item = String>) {
        for violation in violations {
            self.violations += 1;
            if self.told.len() < TOLD {
                self.told.push(violation);
            }
        }
    }

    /// The report for people.
    pub(crate) fn markdown(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let excused: usize = self.slices.iter().map(|slice| slice.excused).sum();
        writeln!(
            text,
            "# Soak\n\nTwo servers on one Postgres, {:.0} s. {}.\n",
            self.seconds, self.machine
        )?;
        writeln!(
            text,
            "* Measured before: {:.0} additions per second. Asked for: {:.0} additions \
            and {:.0} reads per second, at fixed moments.",
            self.measured, self.rate, self.reads
        )?;
        writeln!(
            text,
            "* Verified: {} receipts, {} signed heads, none contradicting another; each \
            server asked for a sample of them at the end; `fsck` of the whole log.",
            self.promises, self.checkpoints
        )?;
        writeln!(text, "* Failed while a fault lasted (503 or no answer): {excused}.")?;
        writeln!(text, "* **Violations: {}**", self.violations)?;
        for violation in &self.told {
            writeln!(text, "  * {}", violation.replace('\n', " "))?;
        }
        writeln!(text, "\n## Faults\n\n| what | at s | ready again after s |\n|---|---|---|")?;
        for fault in &self.faults {
            let (what, began) = (&fault.what, fault.began.as_secs_f64());
            match fault.ended {
                Some(ended) => {
                    let lasted = ended.as_secs_f64() - began;
                    writeln!(text, "| {what} | {began:.1} | {lasted:.1} |")?;
                }
                None => writeln!(text, "| {what} | {began:.1} | |")?,
            }
        }
        self.write_slices(&mut text)?;
        Ok(text)
    }

    fn write_slices(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n## Over time\n\nLatencies in ms from the moment that a request was due, of \
            the slower server; memory in MiB.\n"
        )?;
        writeln!(
            text,
            "| at s | added | p50 | p99 | max | read | p50 | p99 | max | failed | memory 0 | memory 1 | fault |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|---|---|---|---|---|---|")?;
        for slices in self.slices.chunks(self.slices.len().div_ceil(ROWS).max(1)) {
            let Some((first, others)) = slices.split_first() else { continue };
            let mut row = first.clone();
            others.iter().for_each(|other| row.join(other));
            let [memory_0, memory_1] = row.resident_mib.map(|mib| number(mib, 0));
            writeln!(
                text,
                "| {:.0} | {} | {} | {} | {} | {} | {memory_0} | {memory_1} | {} |",
                row.at,
                row.additions,
                latencies(row.addition_ms),
                row.reads,
                latencies(row.read_ms),
                row.excused,
                row.faults.join(", ")
            )?;
        }
        Ok(())
    }
}

fn latencies(latency: Option<Latency>) -> String {
    let of = |value: fn(Latency) -> f64| number(latency.map(value), 1);
    format!("{} | {} | {}", of(|l| l.p50), of(|l| l.p99), of(|l| l.max))
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.decimals$}"))
}
