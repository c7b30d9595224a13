//! The soak's report: JSON with the whole time series, and Markdown for people.
//!
//! Border: numbers to text. Times are in seconds since the load began, latencies in
//! milliseconds and counted from the moment that a request was due.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::Demand;
use super::capacity::Capacity;
use super::examination::Examined;
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
    /// What was measured before.
    pub(super) capacity: Capacity,
    /// Additions per second, beside the reads, that servers, database and generator can do together.
    pub(super) together: f64,
    /// Additions per second that were asked for.
    pub(super) rate: u32,
    /// Reads per second that were asked for.
    pub(super) reads: u32,
    /// Until the last of them had its end.
    pub(super) seconds: f64,
    /// Receipts that were verified, of additions and reads.
    pub(super) receipts: usize,
    /// Entries that they are of.
    pub(super) entries: usize,
    /// Sizes at which a signed head was seen.
    pub(super) heads: usize,
    /// Receipts and heads that say something else than others.
    pub(super) contradictions: usize,
    /// What each server was asked for at the end.
    pub(super) examined: Vec<Examined>,
    /// What `indelible fsck` found.
    pub(super) fsck: Fsck,
    /// What was wrong, outside of faults.
    pub(crate) violations: usize,
    /// The first of it.
    pub(super) told: Vec<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) slices: Vec<Slice>,
}

/// What `indelible fsck` found in the log afterwards.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fsck {
    #[default]
    NotRun,
    Whole,
    /// What, is among the violations.
    Differs,
}

/// What happened in a few seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Slice {
    pub(super) at: f64,
    /// Seconds from its moment to its first request: nothing was sent earlier because too many
    /// slices were under way. All latencies have this in them.
    pub(super) late: f64,
    pub(super) additions: Requests,
    pub(super) reads: Requests,
    /// Requests that failed and were under way while a fault lasted.
    pub(super) excused: usize,
    /// Resident memory of the servers at the slice's end.
    pub(super) resident_mib: [Option<f64>; SERVERS],
    pub(super) faults: Vec<String>,
}

/// Requests that were due, and what became of them: `asked` is the sum of the three others.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Requests {
    pub(super) asked: u64,
    /// With 201 or 200.
    pub(super) answered: u64,
    /// With another status.
    pub(super) refused: u64,
    pub(super) unanswered: u64,
    /// Of the answered ones, at the slower server.
    pub(super) ms: Option<Latency>,
}

impl Requests {
    /// Counts add up, of latencies the worse stays.
    pub(super) fn join(&mut self, other: &Self) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.ms = match (self.ms, other.ms) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, answered, refused, unanswered, .. } = self;
        write!(f, "{asked} = {answered} answered + {refused} refused + {unanswered} unanswered")
    }
}

impl Slice {
    pub(super) fn new(at: Duration, late: Duration) -> Self {
        Self { at: at.as_secs_f64(), late: late.as_secs_f64(), ..Self::default() }
    }

    /// Takes a later slice into the same row.
    fn join(&mut self, other: &Self) {
        self.late = self.late.max(other.late);
        self.additions.join(&other.additions);
        self.reads.join(&other.reads);
        self.excused += other.excused;
        self.resident_mib = other.resident_mib;
        for fault in &other.faults {
            if !self.faults.contains(fault) {
                self.faults.push(fault.clone());
            }
        }
    }

    /// Both kinds.
    fn requests(&self) -> Requests {
        let mut both = self.additions;
        both.join(&self.reads);
        both
    }
}

impl SoakReport {
    /// Notes what each of the servers is asked for.
    pub(super) fn ask(&mut self, demand: Demand) {
        self.rate = demand.additions * SERVERS as u32;
        self.reads = demand.reads * SERVERS as u32;
    }

    /// All requests of one kind.
    fn all(&self, kind: impl Fn(&Slice) -> Requests) -> Requests {
        let mut all = Requests::default();
        self.slices.iter().for_each(|slice| all.join(&kind(slice)));
        all
    }

    /// Counts what was wrong, and keeps the first of it.
    pub(super) fn violate(&mut self, violations: impl IntoIterator<Item = String>) {
        for violation in violations {
            self.violations += 1;
            if self.told.len() < TOLD {
                self.told.push(violation);
            }
        }
    }

    /// Counts what contradicts something else.
    pub(super) fn contradict(&mut self, contradictions: Vec<String>) {
        self.contradictions += contradictions.len();
        self.violate(contradictions);
    }

    /// Keeps what `fsck` said, nothing when all is well.
    pub(super) fn fsck(&mut self, said: anyhow::Result<Option<String>>) {
        match said {
            Ok(None) => self.fsck = Fsck::Whole,
            Ok(Some(said)) => {
                self.fsck = Fsck::Differs;
                self.violate([format!("fsck: {said}")]);
            }
            Err(error) => self.violate([format!("fsck: {error:#}")]),
        }
    }

    /// The report for people.
    pub(crate) fn markdown(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let excused: usize = self.slices.iter().map(|slice| slice.excused).sum();
        writeln!(
            text,
            "# Soak\n\nTwo servers on one Postgres, {:.0} s. {}.\n",
            self.seconds, self.machine
        )?;
        let Capacity { cores, asked_only, signing, judging } = self.capacity;
        writeln!(
            text,
            "* Measured before: {asked_only:.0} additions per second, while the generator only asks; it takes \
            {:.0} µs to sign an entry and {:.0} to judge a receipt, so that {cores:.0} cores go on with {:.0} and \
            their reads. Asked for: {} additions and {} reads per second, at fixed moments.",
            signing * 1e6,
            judging * 1e6,
            self.together,
            self.rate,
            self.reads
        )?;
        writeln!(text, "* Additions: {}.", self.all(|slice| slice.additions))?;
        writeln!(text, "* Reads: {}.", self.all(|slice| slice.reads))?;
        let late = self.slices.iter().map(|slice| slice.late).fold(0.0, f64::max);
        writeln!(text, "* The latest slice began {late:.1} s after its moment.")?;
        self.write_promises(&mut text)?;
        writeln!(
            text,
            "* Failed while a fault lasted (503, no answer, or a 409 with the posted entry): {excused}."
        )?;
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

    /// What was promised, and what was found of it.
    fn write_promises(&self, text: &mut String) -> fmt::Result {
        let Self { receipts, entries, heads, contradictions, .. } = self;
        writeln!(
            text,
            "* Verified: {receipts} receipts of {entries} entries, {heads} signed heads; \
            contradictions: {contradictions}."
        )?;
        for (server, examined) in self.examined.iter().enumerate() {
            let Examined { entries, heads, broken } = examined;
            writeln!(
                text,
                "* Asked at the end, server {server}: has {} of the {} entries that it was asked \
                for, its log continues {} of the {} heads that it was asked for; broken promises: \
                {broken}.",
                entries.kept, entries.asked, heads.kept, heads.asked
            )?;
        }
        writeln!(
            text,
            "* `fsck`: {}.",
            match self.fsck {
                Fsck::NotRun => "not run",
                Fsck::Whole => "the log is whole",
                Fsck::Differs => "the log is not whole",
            }
        )
    }

    fn write_slices(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n## Over time\n\nLatencies in ms from the moment that a request was due, of \
            what was added or read, at the slower server; late: seconds from a slice's moment \
            to its first request; memory in MiB.\n"
        )?;
        writeln!(
            text,
            "| at s | late | asked | added | p50 | p99 | max | read | p50 | p99 | max | refused | \
            unanswered | memory 0 | memory 1 | fault |"
        )?;
        writeln!(text, "|{}", "---|".repeat(16))?;
        for slices in self.slices.chunks(self.slices.len().div_ceil(ROWS).max(1)) {
            let Some((first, others)) = slices.split_first() else { continue };
            let mut row = first.clone();
            others.iter().for_each(|other| row.join(other));
            let [memory_0, memory_1] = row.resident_mib.map(|mib| number(mib, 0));
            let both = row.requests();
            writeln!(
                text,
                "| {:.0} | {:.1} | {} | {} | {} | {} | {} | {} | {} | {memory_0} | {memory_1} | {} |",
                row.at,
                row.late,
                both.asked,
                row.additions.answered,
                latencies(row.additions.ms),
                row.reads.answered,
                latencies(row.reads.ms),
                both.refused,
                both.unanswered,
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
