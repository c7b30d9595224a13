//! The text of a checkpoint (C2SP tlog-checkpoint): who, how many, which root.
//!
//! Border: the three lines and what may follow them; signatures are in `note`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Hash;

/// A tree head in the form that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log, such as `rekor.example - 1234`; never empty.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// RFC 6962 root.
    pub root: Hash,
    /// Lines after the root, opaque.
    pub extensions: Vec<String>,
}

/// Text that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Fewer than three lines, or the last one without its newline.
    #[error("a checkpoint has at least three lines, each with a newline")]
    Lines,
    /// The first line is empty.
    #[error("the checkpoint's origin is empty")]
    Origin,
    /// The second line is no decimal size.
    #[error("the checkpoint's size is no decimal number")]
    Size,
    /// The third line is not base64 of 32 bytes.
    #[error("the checkpoint's root is not the base64 of 32 bytes")]
    Root,
}

impl Checkpoint {
    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Origin);
        }
        let root = STANDARD.decode(root).map_err(|_| CheckpointError::Root)?;
        Ok(Self {
            origin: origin.to_owned(),
            size: decimal(size).ok_or(CheckpointError::Size)?,
            root: Hash::from_slice(&root).map_err(|_| CheckpointError::Root)?,
            extensions: lines.map(str::to_owned).collect(),
        })
    }

    /// The text that is signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let root = STANDARD.encode(self.root);
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Digits only, without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (plain && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "log.example - 12345\n3\nLP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n";

    #[test]
    fn a_checkpoint_round_trips() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("log.example - 12345", 3));
        assert_eq!(
            checkpoint.root.to_string(),
            "2cfef7627597e00b564975774ad728ef210706759fca6d64138c6dfc1cbf2cda"
        );
        assert_eq!(checkpoint.to_text(), TEXT);
        let extended = format!("{TEXT}Timestamp: 1\n");
        assert_eq!(Checkpoint::parse(&extended).unwrap().to_text(), extended);
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for (from, to, error) in [
            ("\n3\n", "\n03\n", CheckpointError::Size),
            ("\n3\n", "\n+3\n", CheckpointError::Size),
            ("\n3\n", "\n\n", CheckpointError::Size),
            ("\n3\n", "\n18446744073709551616\n", CheckpointError::Size),
            ("log.example - 12345", "", CheckpointError::Origin),
            ("LP73", "LP7", CheckpointError::Root),
            ("LNo=\n", "LNo=", CheckpointError::Lines),
        ] {
            assert_eq!(Checkpoint::parse(&TEXT.replace(from, to)), Err(error), "{from} -> {to}");
        }
        assert_eq!(Checkpoint::parse("a\n1\n"), Err(CheckpointError::Lines));
    }
}
