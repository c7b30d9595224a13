//! Checking what the server answers.
//!
//! Border: an answer is right or wrong. Everything is checked of every answer, on
//! all cores, after the run: that it is what was asked for, leaf hash, inclusion proof up to
//! the signed root, SET, checkpoint, consistency proof, and that no two answers contradict
//! each other.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;

use anyhow::{Context as _, bail, ensure};
use entry::DigestAlgorithm;
use entry::keys::x509::PublicKey;
use sha2::{Digest as _, Sha256};
use tlog::{Checkpoint, EntryId, Hash, Note, verify_consistency, verify_inclusion};
use wire::{ConsistencyProof, EntryBody, LogEntry};

/// A signed entry timestamp.
struct Timestamp {
    digest: [u8; 32],
    signature: Vec<u8>,
}

/// What an entry was asked for by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    /// It was posted: the hex SHA-256 of what only this entry is about.
    Posted(&'a str),
    Index(u64),
    /// 80 hex.
    Id(&'a str),
}

/// A size of the log with the root that was signed for it.
pub(crate) type Head = (u64, Hash);

/// A signed head, as an answer carried it.
#[derive(PartialEq, Eq)]
struct SignedHead {
    root: Hash,
    note: String,
}

/// What the server has said.
#[derive(Default)]
pub(crate) struct Receipts {
    timestamps: Vec<Timestamp>,
    /// Heads by tree size. Another one of a size is a fork, and is kept beside the first as its
    /// evidence.
    heads: HashMap<u64, Vec<SignedHead>>,
    /// Index and leaf hash of each answer.
    entries: Vec<(u64, Hash)>,
    /// Indexes of created entries.
    pub(crate) created: Vec<u64>,
    consistency: Consistency,
}

/// Consistency proofs.
#[derive(Clone, Copy, Default)]
struct Consistency {
    held: usize,
    /// Of sizes whose signed roots were not known.
    unknown: usize,
}

impl Receipts {
    /// Checks an entry and keeps its signatures; returns its index.
    pub(crate) fn check(&mut self, entry: &LogEntry, asked: Asked<'_>) -> anyhow::Result<u64> {
        let (id, body) = entry.single()?;
        let id: EntryId = id.parse()?;
        let leaf = Hash::leaf(&body.body.0);
        ensure!(id.leaf == leaf, "the body does not hash to the entry's ID");
        asked.is_answered_by(id, body)?;
        self.check_proof(leaf, body)?;
        let verification = body.verification.as_ref().context("no verification")?;
        let signature = verification.signed_entry_timestamp.as_ref().context("no SET")?;
        self.timestamps.push(Timestamp {
            digest: Sha256::digest(body.set_payload()).into(),
            signature: signature.0.clone(),
        });
        self.entries.push((body.log_index, leaf));
        Ok(body.log_index)
    }

    fn check_proof(&mut self, leaf: Hash, body: &EntryBody) -> anyhow::Result<()> {
        let proof = body.verification.as_ref().and_then(|v| v.inclusion_proof.as_ref());
        let proof = proof.context("no inclusion proof")?;
        // The two differ only behind a former shard, and no log here has one.
        ensure!(proof.log_index == body.log_index, "the proof is of another index");
        let root: Hash = proof.root_hash.parse()?;
        verify_inclusion(&leaf, proof.log_index, proof.tree_size, &hashes(&proof.hashes)?, &root)?;
        self.check_head((proof.tree_size, root), &proof.checkpoint)
    }

    /// Checks that a note is of this head and keeps it.
    ///
    /// # Errors
    /// When it is not, and when it is not the first one of this size; then it is kept, too.
    pub(crate) fn check_head(&mut self, (size, root): Head, note: &str) -> anyhow::Result<()> {
        let head = SignedHead { root, note: note.to_owned() };
        if self.heads.get(&size).and_then(|known| known.first()) == Some(&head) {
            return Ok(());
        }
        let note = Note::parse(&head.note)?;
        let signed = Checkpoint::parse(&note.text)?;
        ensure!(
            (signed.size, signed.root) == (size, root),
            "the checkpoint is not the proof's head"
        );
        self.keep_head(size, head)
    }

    fn keep_head(&mut self, size: u64, head: SignedHead) -> anyhow::Result<()> {
        let known = self.heads.entry(size).or_default();
        let is_first = known.first().is_none_or(|first| *first == head);
        if !known.contains(&head) {
            known.push(head);
        }
        ensure!(is_first, "two heads of size {size}");
        Ok(())
    }

    /// Checks a consistency proof against the signed roots of both sizes, if they are known.
    pub(crate) fn check_consistency(
        &mut self,
        proof: &ConsistencyProof,
        heads: Option<(Head, Head)>,
    ) -> anyhow::Result<()> {
        let hashes = hashes(&proof.hashes)?;
        let Some(((first, first_root), (last, last_root))) = heads else {
            self.consistency.unknown += 1;
            return Ok(());
        };
        verify_consistency(first, last, &first_root, &last_root, &hashes)?;
        self.consistency.held += 1;
        Ok(())
    }

    /// Index and leaf hash of each entry that was answered.
    pub(crate) fn entries(&self) -> &[(u64, Hash)] {
        &self.entries
    }

    /// The signed heads that were seen, each with its note; of a fork all of its heads.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (Head, &str)> {
        let all =
            self.heads.iter().flat_map(|(size, heads)| heads.iter().map(move |head| (size, head)));
        all.map(|(size, head)| ((*size, head.root), head.note.as_str()))
    }

    /// Takes over what was found in other answers, all of it.
    ///
    /// # Errors
    /// When a head of theirs is another one than is known here.
    pub(crate) fn merge(&mut self, other: Self) -> anyhow::Result<()> {
        self.timestamps.extend(other.timestamps);
        self.entries.extend(other.entries);
        self.created.extend(other.created);
        self.consistency.held += other.consistency.held;
        self.consistency.unknown += other.consistency.unknown;
        let mut kept = Ok(());
        for (size, heads) in other.heads {
            for head in heads {
                kept = kept.and(self.keep_head(size, head));
            }
        }
        kept
    }

    /// Checks every signature, and that no index was given twice.
    pub(crate) fn check_signatures(&self, log_key: &PublicKey) -> anyhow::Result<Checked> {
        let created: HashSet<u64> = self.created.iter().copied().collect();
        ensure!(created.len() == self.created.len(), "an index was given to two entries");
        let mut leaves = HashMap::new();
        for (index, leaf) in &self.entries {
            let known = leaves.entry(index).or_insert(leaf);
            ensure!(*known == leaf, "two entries have the index {index}");
        }
        let threads = std::thread::available_parallelism()?.get();
        let share = self.timestamps.len().div_ceil(threads).max(1);
        let good = std::thread::scope(|scope| {
            let check = |part: &[Timestamp]| part.iter().all(|t| t.holds(log_key));
            let parts = self.timestamps.chunks(share);
            let started: Vec<_> = parts.map(|part| scope.spawn(move || check(part))).collect();
            started.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        ensure!(good, "a signed entry timestamp does not verify");
        for head in self.heads.values().flatten() {
            check_note(&head.note, log_key)?;
        }
        Ok(Checked {
            entries: self.timestamps.len(),
            checkpoints: self.heads.values().map(Vec::len).sum(),
            consistency_proofs: self.consistency.held,
            unknown_heads: self.consistency.unknown,
        })
    }
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Checked {
    /// Entries: leaf hash, inclusion proof, SET.
    pub(crate) entries: usize,
    /// Distinct signed checkpoints.
    pub(crate) checkpoints: usize,
    /// Consistency proofs, from one signed head to another.
    pub(crate) consistency_proofs: usize,
    /// Consistency proofs that were only read, because the root of a size was not known.
    pub(crate) unknown_heads: usize,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} receipts, {} checkpoints", self.entries, self.checkpoints)?;
        if self.consistency_proofs + self.unknown_heads > 0 {
            write!(f, ", {} consistency proofs", self.consistency_proofs)?;
        }
        if self.unknown_heads > 0 {
            write!(f, " ({} more only read: their heads are not known)", self.unknown_heads)?;
        }
        Ok(())
    }
}

impl Asked<'_> {
    fn is_answered_by(self, id: EntryId, body: &EntryBody) -> anyhow::Result<()> {
        match self {
            Self::Posted(digest) => {
                let named = body.body.0.windows(digest.len()).any(|part| part == digest.as_bytes());
                ensure!(named, "the entry is not the one that was posted");
            }
            Self::Index(index) => {
                ensure!(body.log_index == index, "entry {} for index {index}", body.log_index);
            }
            Self::Id(asked) => ensure!(id.to_string() == asked, "entry {id} for {asked}"),
        }
        Ok(())
    }
}

fn hashes(hashes: &[String]) -> anyhow::Result<Vec<Hash>> {
    Ok(hashes.iter().map(|hash| hash.parse()).collect::<Result<_, _>>()?)
}

impl Timestamp {
    fn holds(&self, key: &PublicKey) -> bool {
        key.verify_digest(DigestAlgorithm::Sha256, &self.digest, &self.signature).is_ok()
    }
}

fn check_note(note: &str, log_key: &PublicKey) -> anyhow::Result<()> {
    let note = Note::parse(note)?;
    let [line] = note.signatures.as_slice() else { bail!("a checkpoint with several signatures") };
    log_key.verify(note.text.as_bytes(), &line.signature).context("a checkpoint's signature")?;
    Ok(())
}
