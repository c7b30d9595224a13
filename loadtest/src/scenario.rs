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
use crate::receipts::{Asked, Head, Receipts};
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
    /// Consistency proofs between sizes of the log, signed ones when such are known.
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
    /// Heads that were signed and verified, ascending.
    pub(crate) heads: Vec<Head>,
    /// Requests of runs before this one, so that reads all over the log do not ask for the same
    /// entries again.
    pub(crate) asked: usize,
}

impl Written {
    /// Takes over the heads of a run.
    ///
    /// # Errors
    /// When one contradicts those of a run before.
    pub(crate) fn keep_heads(&mut self, receipts: &Receipts) -> anyhow::Result<()> {
        self.heads.extend(receipts.heads().map(|(head, _)| head));
        self.heads.sort_unstable();
        self.heads.dedup();
        let fork = self.heads.windows(2).find(|two| two[0].0 == two[1].0);
        ensure!(fork.is_none(), "two heads of size {}", fork.map_or(0, |two| two[0].0));
        Ok(())
    }

    /// The signed heads nearest to two sizes anywhere in the log, the smaller one first.
    fn two_heads(&self, n: usize) -> Option<(Head, Head)> {
        let (first, last) = self.two_sizes(n);
        let near = |size| {
            let behind = self.heads.partition_point(|(known, _)| *known < size);
            self.heads.get(behind).or(self.heads.last()).copied()
        };
        Some((near(first)?, near(last)?))
    }

    fn two_sizes(&self, n: usize) -> (u64, u64) {
        let n = self.asked + n;
        let anywhere = |n| scatter(n) % self.size.max(1) + 1;
        let (a, b) = (anywhere(n), anywhere(n + 1));
        (a.min(b), a.max(b))
    }

    fn index(&self, n: usize) -> u64 {
        scatter(self.asked + n) % self.size.max(1)
    }
}

/// The load of one run.
pub(crate) struct Load {
    pub(crate) scenario: Scenario,
    pub(crate) entries: Entries,
    pub(crate) written: Written,
}

/// What an answer must be.
enum Expected<'a> {
    /// The n-th entry.
    Created(usize),
    CreatedOrConflict(usize),
    Entry(Asked<'a>),
    Proof(Option<(Head, Head)>),
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
                let index = self.written.index(n);
                Some(Call::get(format!("{ENTRIES}?logIndex={index}")))
            }
            Scenario::ReadUuid => {
                let id = pick(&self.written.ids, n)?;
                Some(Call::get(format!("{ENTRIES}/{id}")))
            }
            Scenario::Consistency => {
                let (first, last) = match self.written.two_heads(n) {
                    Some(((first, _), (last, _))) => (first, last),
                    None => self.written.two_sizes(n),
                };
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
        let id = |n| pick(&self.written.ids, n).map_or("", |id| id);
        match self.scenario {
            Scenario::Write | Scenario::Slow => Expected::Created(n),
            Scenario::Duplicates => Expected::CreatedOrConflict(n / 2),
            Scenario::Mixed if n.is_multiple_of(10) => Expected::Created(n / 10),
            Scenario::ReadIndex | Scenario::Mixed => {
                Expected::Entry(Asked::Index(self.written.index(n)))
            }
            Scenario::ReadUuid => Expected::Entry(Asked::Id(id(n))),
            Scenario::Consistency => Expected::Proof(self.written.two_heads(n)),
            Scenario::Search => Expected::Found(id(n)),
        }
    }

    /// Judges a 409: it must carry the entry that was posted.
    pub(crate) fn judge_conflict(
        &self,
        answer: &Answer,
        receipts: &mut Receipts,
    ) -> anyhow::Result<()> {
        let (Expected::Created(n) | Expected::CreatedOrConflict(n)) = self.expected(answer.n)
        else {
            anyhow::bail!("a conflict, and nothing was posted")
        };
        let refused: wire::ErrorBody = serde_json::from_slice(&answer.body)?;
        let entry = refused.entry.context("a conflict without its entry")?;
        receipts.check(&entry, Asked::Posted(&self.entries.digest_in_body(n))).map(drop)
    }

    /// Judges an answer and keeps what is checked later.
    pub(crate) fn judge(&self, answer: &Answer, receipts: &mut Receipts) -> anyhow::Result<()> {
        let (body, status) = (&answer.body[..], answer.status);
        match (self.expected(answer.n), status) {
            (Expected::Created(n) | Expected::CreatedOrConflict(n), StatusCode::CREATED) => {
                let entry = serde_json::from_slice(body)?;
                let digest = self.entries.digest_in_body(n);
                let index = receipts.check(&entry, Asked::Posted(&digest))?;
                receipts.created.push(index);
                Ok(())
            }
            (Expected::CreatedOrConflict(_), StatusCode::CONFLICT) => {
                self.judge_conflict(answer, receipts)
            }
            (Expected::Entry(asked), StatusCode::OK) => {
                receipts.check(&serde_json::from_slice(body)?, asked).map(drop)
            }
            (Expected::Proof(heads), StatusCode::OK) => {
                let proof: ConsistencyProof = serde_json::from_slice(body)?;
                receipts.check_consistency(&proof, heads)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::paper_log::PaperLog;

    #[test]
    fn an_entry_is_the_one_that_was_asked_for() {
        let log = PaperLog::new(&["a", "b", "c", "d", "e"]);
        let (size, note) = (log.size(), log.note(log.head(log.size())));
        let ids: Vec<String> = (0..size).map(|index| log.id(index)).collect();
        for scenario in [Scenario::ReadIndex, Scenario::ReadUuid] {
            let entries = Entries::sign(Evidence::Certificate, 0).unwrap();
            let written = Written { size, ids: ids.clone(), ..Written::default() };
            let load = Load { scenario, entries, written };
            let path = load.call(3).unwrap().path;
            let judged = (0..size).map(|index| {
                let body = serde_json::to_vec(&log.entry(index, size, &note)).unwrap().into();
                let (due, sent, took) = Default::default();
                let answer = Answer { n: 3, due, sent, took, status: StatusCode::OK, body };
                let asked = path.ends_with(&ids[usize::try_from(index).unwrap()])
                    || path.ends_with(&format!("={index}"));
                (asked, load.judge(&answer, &mut Receipts::default()).is_ok())
            });
            let judged: Vec<_> = judged.collect();
            assert_eq!(judged.iter().filter(|(asked, _)| *asked).count(), 1, "{path}");
            assert!(judged.iter().all(|(asked, right)| asked == right), "{path} {judged:?}");
        }
    }

    #[test]
    fn consistency_is_asked_for_between_signed_heads() {
        let log = PaperLog::new(&["a", "b", "c", "d", "e"]);
        let entries = Entries::sign(Evidence::Certificate, 0).unwrap();
        let heads = vec![log.head(2), log.head(4)];
        let written = Written { size: 5, heads: heads.clone(), ..Written::default() };
        let load = Load { scenario: Scenario::Consistency, entries, written };
        let asked: Vec<_> = (0..50).map(|n| load.written.two_heads(n).unwrap()).collect();
        assert!(asked.iter().all(|(first, last)| heads.contains(first) && heads.contains(last)));
        assert!(asked.iter().all(|(first, last)| first.0 <= last.0));
        assert!(asked.contains(&(heads[0], heads[1])));
        assert!(load.call(0).unwrap().path.ends_with(&format!("lastSize={}", asked[0].1.0)));
    }

    #[test]
    fn two_runs_do_not_contradict_each_other() {
        let (log, other) = (PaperLog::new(&["a", "b"]), PaperLog::new(&["a", "x"]));
        let mut written = Written::default();
        for (log, agrees) in [(&log, true), (&log, true), (&other, false)] {
            let mut receipts = Receipts::default();
            let entry = log.entry(0, 2, &log.note(log.head(2)));
            receipts.check(&entry, Asked::Index(0)).unwrap();
            assert_eq!(written.keep_heads(&receipts).is_ok(), agrees);
        }
    }
}
