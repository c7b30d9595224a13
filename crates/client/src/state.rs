//! Trusted heads that only move forward along a consistency proof.
//!
//! Border: which head may replace which, and the file that keeps them. Nothing is
//! fetched here; [`follow`](crate::follow) brings the proofs. The file is that of
//! rekor-cli: a JSON object whose values are signed notes, each tree under its
//! decimal tree ID and under the server's address.

mod advance;
mod file;

use std::fmt;
use std::io;
use std::path::PathBuf;

use tlog::{Checkpoint, Note, ProofError};

use crate::verify::{LogKey, named_tree, verify_checkpoint};

pub use advance::{Advance, Growth, Step, next_step};
pub use file::{StateFile, Stored};

/// A head that was trusted before, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedHead {
    note: String,
    checkpoint: Checkpoint,
}

impl TrustedHead {
    /// Reads a note that was verified when it was stored. `None` when it is no
    /// checkpoint any more.
    pub(crate) fn read(note: &str) -> Option<Self> {
        let parsed = Note::parse(note).ok()?;
        let checkpoint = Checkpoint::parse(&parsed.text).ok()?;
        Some(Self { note: note.to_owned(), checkpoint })
    }

    /// What was trusted.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The decimal tree ID, if the origin has Rekor's form (`name - tree ID`).
    #[must_use]
    pub fn tree_id(&self) -> Option<&str> {
        named_tree(&self.checkpoint.origin)
    }

    /// The note as it was stored.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Whether the note still carries the signature of this key; if not, the file
    /// was edited, or the log has another key now.
    #[must_use]
    pub fn is_signed_by(&self, key: &LogKey) -> bool {
        verify_checkpoint(&self.note, key).is_ok()
    }
}

/// The two heads of a log that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The head that was trusted before.
    pub trusted: Checkpoint,
    /// The head that the log signs now.
    pub offered: Checkpoint,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trusted, offered } = self;
        write!(
            f,
            "{:?} had size {} and root {}, now ",
            trusted.origin, trusted.size, trusted.root
        )?;
        if trusted.origin == offered.origin {
            f.write_str("it")?;
        } else {
            write!(f, "{:?}", offered.origin)?;
        }
        write!(f, " has size {} and root {}", offered.size, offered.root)
    }
}

/// Why a head does not replace the trusted one, or could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Same size, other root.
    #[error("old root hash does not match STH hash: {0}")]
    Forked(Box<Contradiction>),
    /// The log is smaller than it was.
    #[error("inclusion proof returned a tree size larger than the verified tree size: {0}")]
    RolledBack(Box<Contradiction>),
    /// The log is larger, but does not continue the trusted head.
    #[error("the log does not continue the trusted head: {heads}: {source}")]
    NotContinued {
        /// The two heads.
        heads: Box<Contradiction>,
        /// What is wrong with the proof.
        source: ProofError,
    },
    /// An empty tree proves nothing later.
    #[error("consistency proofs can not be computed starting from an empty log")]
    FromEmpty,
    /// An empty tree is nothing to remember.
    #[error("do not persist state for empty logs")]
    Empty,
    /// Another program replaced the trusted head meanwhile.
    #[error("another program moved the trusted head of tree {0} meanwhile")]
    Moved(String),
    /// The file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl StateError {
    /// The heads that contradict each other, if that is what is wrong.
    #[must_use]
    pub fn contradiction(&self) -> Option<&Contradiction> {
        match self {
            Self::Forked(heads) | Self::RolledBack(heads) | Self::NotContinued { heads, .. } => {
                Some(heads)
            }
            _ => None,
        }
    }
}
