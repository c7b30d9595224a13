//! Checkpoints: who signed how many leaves and which root.
//!
//! Border: the signature and the text. Which head is newer than which is told in
//! `growth`.

use tlog::{Checkpoint, Note};

use super::{LogKey, VerifyError};

/// A checkpoint with the note that carries it. Only [`SignedHead::verify`] makes
/// one, so having it proves that the log's key signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    note: String,
    checkpoint: Checkpoint,
}

/// Checks the log's signature on a checkpoint and reads it.
///
/// # Errors
/// [`VerifyError`]: no note, no checkpoint, no signature of `key`, or one that
/// does not verify.
pub fn verify_checkpoint(note: &str, key: &LogKey) -> Result<Checkpoint, VerifyError> {
    let parsed = Note::parse(note)?;
    let checkpoint = Checkpoint::parse(&parsed.text)?;
    // Lines of others, such as witnesses, say nothing about this key. The name must be
    // the origin's, or else a line could be relabelled unnoticed.
    let names_origin = |name: &str| {
        let rest = checkpoint.origin.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" - "))
    };
    let mut own = parsed
        .signatures
        .iter()
        .filter(|line| line.key_hash == key.key_hash() && names_origin(&line.name))
        .peekable();
    if own.peek().is_none() {
        let key = hex::encode(key.key_hash());
        return Err(VerifyError::Unsigned { origin: checkpoint.origin, key });
    }
    for line in own {
        key.verify(parsed.text.as_bytes(), &line.signature).map_err(VerifyError::Signature)?;
    }
    Ok(checkpoint)
}

impl SignedHead {
    /// Checks and keeps a signed note.
    ///
    /// # Errors
    /// As [`verify_checkpoint`].
    pub fn verify(note: &str, key: &LogKey) -> Result<Self, VerifyError> {
        let checkpoint = verify_checkpoint(note, key)?;
        Ok(Self { note: note.to_owned(), checkpoint })
    }

    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed note as it came.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Checks that an origin of Rekor's form (`name - tree ID`) names this tree,
    /// decimal. Origins of another form name no tree.
    ///
    /// # Errors
    /// [`VerifyError::Tree`].
    pub fn check_tree(&self, tree_id: &str) -> Result<(), VerifyError> {
        let origin = &self.checkpoint.origin;
        if named_tree(origin).is_none_or(|named| named == tree_id) {
            return Ok(());
        }
        Err(VerifyError::Tree { origin: origin.clone(), tree_id: tree_id.to_owned() })
    }
}

/// The decimal tree ID in an origin of Rekor's form (`name - tree ID`).
pub(crate) fn named_tree(origin: &str) -> Option<&str> {
    let named = origin.rsplit_once(" - ").map(|(_, tree)| tree);
    named.filter(|tree| tree.bytes().all(|byte| byte.is_ascii_digit()))
}
