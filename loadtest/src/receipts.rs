//! Checking what the server answers.
//!
//! Border: an answer is right or wrong. Everything is checked of every answer, on
//! all cores, after the run: leaf hash, inclusion proof, SET, checkpoint, and that
//! no two answers contradict each other.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, bail, ensure};
use entry::DigestAlgorithm;
use entry::keys::x509::PublicKey;
use sha2::{Digest as _, Sha256};
use tlog::{Checkpoint, EntryId, Hash, Note, verify_inclusion};
use wire::{EntryBody, LogEntry};

/// A signed entry timestamp.
struct Timestamp {
    digest: [u8; 32],
    signature: Vec<u8>,
}

/// What the server has said.
#[derive(Default)]
pub(crate) struct Receipts {
    timestamps: Vec<Timestamp>,
    /// Signed notes by tree size: two different ones of a size would be a fork.
    checkpoints: HashMap<u64, String>,
    /// Indexes and leaf hashes of created entries.
    pub(crate) created: Vec<(u64, Hash)>,
}

impl Receipts {
    /// Checks an entry and keeps its signatures.
    pub(crate) fn check(&mut self, answer: &[u8]) -> anyhow::Result<(EntryId, u64)> {
        let entry: LogEntry = serde_json::from_slice(answer)?;
        let (id, body) = entry.single()?;
        let id: EntryId = id.parse()?;
        let leaf = Hash::leaf(&body.body.0);
        ensure!(id.leaf == leaf, "the body does not hash to the entry's ID");
        self.check_proof(leaf, body)?;
        let verification = body.verification.as_ref().context("no verification")?;
        let signature = verification.signed_entry_timestamp.as_ref().context("no SET")?;
        self.timestamps.push(Timestamp {
            digest: Sha256::digest(body.set_payload()).into(),
            signature: signature.0.clone(),
        });
        Ok((id, body.log_index))
    }

    fn check_proof(&mut self, leaf: Hash, body: &EntryBody) -> anyhow::Result<()> {
        let proof = body.verification.as_ref().and_then(|v| v.inclusion_proof.as_ref());
        let proof = proof.context("no inclusion proof")?;
        let hashes = proof.hashes.iter().map(|hash| hash.parse()).collect::<Result<Vec<_>, _>>()?;
        let root: Hash = proof.root_hash.parse()?;
        verify_inclusion(&leaf, proof.log_index, proof.tree_size, &hashes, &root)?;
        match self.checkpoints.get(&proof.tree_size) {
            Some(known) if *known == proof.checkpoint => return Ok(()),
            Some(_) => bail!("two checkpoints of size {}", proof.tree_size),
            None => {}
        }
        let note = Note::parse(&proof.checkpoint)?;
        let head = Checkpoint::parse(&note.text)?;
        ensure!(
            (head.size, head.root) == (proof.tree_size, root),
            "the checkpoint is not the proof's head"
        );
        self.checkpoints.insert(proof.tree_size, proof.checkpoint.clone());
        Ok(())
    }

    /// Sizes with their signed notes.
    pub(crate) fn checkpoints(&self) -> impl Iterator<Item = (u64, &str)> {
        self.checkpoints.iter().map(|(size, note)| (*size, note.as_str()))
    }

    /// Takes over what was found in other answers.
    pub(crate) fn merge(&mut self, other: Self) -> anyhow::Result<()> {
        self.timestamps.extend(other.timestamps);
        self.created.extend(other.created);
        for (size, note) in other.checkpoints {
            let known = self.checkpoints.entry(size).or_insert_with(|| note.clone());
            ensure!(*known == note, "two checkpoints of size {size}");
        }
        Ok(())
    }

    /// Checks every signature, and that no index was given twice.
    pub(crate) fn check_signatures(&self, log_key: &PublicKey) -> anyhow::Result<Checked> {
        let distinct: HashSet<u64> = self.created.iter().map(|(index, _)| *index).collect();
        ensure!(distinct.len() == self.created.len(), "an index was given to two entries");
        let threads = std::thread::available_parallelism()?.get();
        let share = self.timestamps.len().div_ceil(threads).max(1);
        let good = std::thread::scope(|scope| {
            let check = |part: &[Timestamp]| part.iter().all(|t| t.holds(log_key));
            let parts = self.timestamps.chunks(share);
            let started: Vec<_> = parts.map(|part| scope.spawn(move || check(part))).collect();
            started.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        ensure!(good, "a signed entry timestamp does not verify");
        for note in self.checkpoints.values() {
            check_note(note, log_key)?;
        }
        Ok(Checked { entries: self.timestamps.len(), checkpoints: self.checkpoints.len() })
    }
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Checked {
    /// Entries: leaf hash, inclusion proof, SET.
    pub(crate) entries: usize,
    /// Distinct signed checkpoints.
    pub(crate) checkpoints: usize,
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
