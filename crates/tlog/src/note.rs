//! The text form of signed notes (C2SP signed-note), without any key.
//!
//! Border: splitting and joining. Which signature line is valid is decided by
//! whoever holds the keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a note that are looked at.
const MAX_NOTE_BYTES: usize = 1 << 20;

/// Signature lines of a note that are looked at.
const MAX_SIGNATURES: usize = 100;

/// A note: its text and its signature lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed bytes; ends with a newline, the blank line is not part of it.
    pub text: String,
    /// At least one.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line, `— name base64(key hash ‖ signature)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name, without spaces of any alphabet and `+`.
    pub name: String,
    /// First four bytes of the decoded blob, which tell the key.
    pub key_hash: [u8; 4],
    /// The rest of it.
    pub signature: Vec<u8>,
}

/// Text that is no signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than 1 MiB or with more than 100 signatures.
    #[error("a note has at most 1 MiB and 100 signatures")]
    TooLarge,
    /// A control character other than a newline, anywhere. Nothing in a note may steer
    /// the terminal that it is shown on: C2SP forbids those of ASCII, and the ones from
    /// U+0080 on do the same.
    #[error("a note has no control characters but newlines")]
    Control,
    /// No blank line between text and signatures.
    #[error("no blank line parts the note's text from its signatures")]
    NoSeparator,
    /// No signature line, or one that cannot be read.
    #[error("a line after the blank line is no signature")]
    Signature,
}

impl Note {
    /// Splits at the last blank line and reads every signature line, after C2SP signed-note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge);
        }
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::Control);
        }
        let at = note.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Signature)?;
        let lines: Vec<&str> = lines.split('\n').take(MAX_SIGNATURES + 1).collect();
        if lines.len() > MAX_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        let signatures = lines.into_iter().map(NoteSignature::parse).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(NoteError::Signature)?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace()) {
            return None;
        }
        let blob = STANDARD.decode(blob).ok()?;
        let (key_hash, signature) = blob.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), key_hash: *key_hash, signature: signature.to_vec() })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let blob = [&line.key_hash[..], &line.signature].concat();
            writeln!(f, "\u{2014} {} {}", line.name, STANDARD.encode(blob))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "log.example - 12345\n3\nLP73YnWX4AtWSXV3Stco7yEHBnWfym1kE4xt/By/LNo=\n\n\
        \u{2014} log.example f8jGoDBFAiEAnXanb20FxffcKolNp4KhxR+eKRdN6dkeAQdEvqudDpMCIFB7NCWtL64I2j/\
        DsTKcnpOj6h5hOU28HgmdxXq/Wqyd\n";

    #[test]
    fn a_note_round_trips() {
        let note = Note::parse(NOTE).unwrap();
        assert_eq!(note.to_string(), NOTE);
        assert!(note.text.ends_with("LNo=\n") && !note.text.ends_with("\n\n"));
        assert_eq!(note.signatures[0].name, "log.example");
        assert_eq!(hex::encode(note.signatures[0].key_hash), "7fc8c6a0");
    }

    #[test]
    fn the_last_blank_line_parts_it() {
        let twice = format!("first\n\n{NOTE}");
        assert!(Note::parse(&twice).unwrap().text.starts_with("first\n\nlog.example"));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = |line: &str| Note::parse(&format!("t\n\n{line}\n"));
        assert_eq!(Note::parse("text\n"), Err(NoteError::NoSeparator));
        assert_eq!(Note::parse("text\n\n"), Err(NoteError::Signature));
        assert_eq!(line("- a AAAAAAA="), Err(NoteError::Signature));
        assert_eq!(line("\u{2014} a+b AAAAAAA="), Err(NoteError::Signature));
        assert_eq!(line("\u{2014} a AAAA"), Err(NoteError::Signature), "no signature bytes");
        assert_eq!(line("\u{2014} a !!!"), Err(NoteError::Signature));
        assert!(line("\u{2014} a AAAAAAA=").is_ok());
        assert_eq!(line("\u{2014} a\u{a0}b AAAAAAA="), Err(NoteError::Signature), "a space");
        for steers in ["\t", "\r", "\u{1b}[9A", "\u{7f}", "\u{9b}9A", "\0"] {
            for at in ["log.example -", "f8jG", "LNo=\n", "\u{2014} "] {
                let note = NOTE.replacen(at, &format!("{at}{steers}"), 1);
                assert_eq!(Note::parse(&note), Err(NoteError::Control), "{note:?}");
            }
        }
        assert_eq!(Note::parse(&NOTE.replace("yd\n", "yd")), Err(NoteError::Signature));
        let many = "\u{2014} a AAAAAAA=\n".repeat(101);
        assert_eq!(Note::parse(&format!("t\n\n{many}")), Err(NoteError::TooLarge));
        assert_eq!(Note::parse(&"x".repeat(MAX_NOTE_BYTES + 1)), Err(NoteError::TooLarge));
    }
}
