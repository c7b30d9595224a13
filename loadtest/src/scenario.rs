//! What the load consists of.
//!
//! Border: which request comes next, and whether its answer is right.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use http::StatusCode;
use wire::ConsistencyProof;

use crate::connection::Call;
use crate::evidence::Entries;
use crate::receipts::Receipts;
use crate::run::Answer;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Every request adds a new entry.
    Write,
    /// As `write`, and one more client for nine workers sends its request a byte at a
    /// time.
    Slow,
    /// Every entry is posted twice; every second request is a duplicate.
    Duplicates,
    /// Entries by UUID, with a fresh proof each.
    ReadUuid,
    /// Entries by index, with a fresh proof each.
    ReadIndex,
    /// Consistency proofs between sizes of the log.
    Consistency,
    /// Searches by the digest of an artifact that is there.
    Search,
    /// Nine reads by index to one write.
    Mixed,
}

impl Scenario {
    /// Whether it adds entries of its own.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Slow | Self::Duplicates | Self::Mixed)
    }
}

/// What reads ask for: entries that were written before.
#[derive(Default)]
pub(crate) struct Written {
    /// 80-hex IDs.
    pub(crate) ids: Vec<String>,
    /// `sha256:` digests.
    pub(crate) digests: Vec<String>,
    /// Leaves in the log.
    pub(crate) size: u64,
    /// Requests of runs before this one, so that reads all over the log do not ask for the same
    /// entries again.
    pub(crate) asked: usize,
}

/// The load of one run.
pub(crate) struct Load {
    pub(crate) scenario: Scenario,
    pub(crate) entries: Entries,
    pub(crate) written: Written,
}

/// What an answer must be.
enum Expected<'a> {
    Created,
    CreatedOrConflict,
    Entry,
    Proof,
    Found(&'a str),
}

const ENTRIES: &str = "/api/v1/log/entries";

impl Load {
    /// The n-th request; `None` when there is no more evidence.
    pub(crate) fn call(&self, n: usize) -> Option<Call> {
        match self.scenario {
            Scenario::Write | Scenario::Slow => self.write(n),
            Scenario::Duplicates => self.write(n / 2),
            Scenario::Mixed if n.is_multiple_of(10) => self.write(n / 10),
            Scenario::ReadIndex | Scenario::Mixed => {
                let index = scatter(self.written.asked + n) % self.written.size.max(1);
                Some(Call::get(format!("{ENTRIES}?logIndex={index}")))
            }
            Scenario::ReadUuid => {
                let id = pick(&self.written.ids, n)?;
                Some(Call::get(format!("{ENTRIES}/{id}")))
            }
            Scenario::Consistency => {
                let n = self.written.asked + n;
                let (a, b) = (scatter(n), scatter(n + 1));
                let size = self.written.size.max(1);
                let (first, last) = (a % size + 1, b % size + 1);
                let (first, last) = (first.min(last), first.max(last));
                let path = format!("/api/v1/log/proof?firstSize={first}&lastSize={last}");
                Some(Call::get(path))
            }
            Scenario::Search => {
                let digest = pick(&self.written.digests, n)?;
                let body = Bytes::from(format!("{{\"hash\":\"{digest}\"}}"));
                Some(Call::post("/api/v1/index/retrieve", body))
            }
        }
    }

    fn write(&self, n: usize) -> Option<Call> {
        Some(Call::post(ENTRIES, self.entries.body(n)?))
    }

    fn expected(&self, n: usize) -> Expected<'_> {
        match self.scenario {
            Scenario::Write | Scenario::Slow => Expected::Created,
            Scenario::Duplicates => Expected::CreatedOrConflict,
            Scenario::Mixed if n.is_multiple_of(10) => Expected::Created,
            Scenario::ReadIndex | Scenario::ReadUuid | Scenario::Mixed => Expected::Entry,
            Scenario::Consistency => Expected::Proof,
            Scenario::Search => Expected::Found(pick(&self.written.ids, n).map_or("", |id| id)),
        }
    }

    /// Judges an answer and keeps what is checked later.
    pub(crate) fn judge(&self, answer: &Answer, receipts: &mut Receipts) -> anyhow::Result<()> {
        let (body, status) = (&answer.body[..], answer.status);
        match (self.expected(answer.n), status) {
            (Expected::Created | Expected::CreatedOrConflict, StatusCode::CREATED) => {
                let (id, index) = receipts.check(body)?;
                receipts.created.push((index, id.leaf));
                Ok(())
            }
            (Expected::CreatedOrConflict, StatusCode::CONFLICT) => {
                let refused: wire::ErrorBody = serde_json::from_slice(body)?;
                let entry = refused.entry.context("a conflict without its entry")?;
                receipts.check(&serde_json::to_vec(&entry)?).map(drop)
            }
            (Expected::Entry, StatusCode::OK) => receipts.check(body).map(drop),
            (Expected::Proof, StatusCode::OK) => {
                serde_json::from_slice::<ConsistencyProof>(body)?;
                Ok(())
            }
            (Expected::Found(id), StatusCode::OK) => {
                let found: Vec<String> = serde_json::from_slice(body)?;
                ensure!(found.iter().any(|found| found == id), "the search did not find {id}");
                Ok(())
            }
            (_, status) => {
                let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
                anyhow::bail!("status {status}: {text}")
            }
        }
    }
}

fn pick(list: &[String], n: usize) -> Option<&String> {
    let at = scatter(n).checked_rem(list.len() as u64)?;
    list.get(usize::try_from(at).ok()?)
}

/// Numbers that look random, the same in every run (splitmix64).
fn scatter(n: usize) -> u64 {
    let mut z = (n as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
