//! The text of an entry, made once and shown often: all but its proof, which is another one for each
//! tree head.

use std::fmt::Display;
use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::SetPayload;
use crate::encoding::push_base64;

/// The JSON text of a [`LogEntry`](crate::LogEntry) without its inclusion proof.
#[derive(Clone, Debug)]
pub struct EntryText {
    text: String,
    /// The member `attestation` with its comma; empty without one.
    attestation: Range<usize>,
    /// Where the proof goes.
    proof: usize,
}

/// An [`InclusionProof`](crate::InclusionProof) whose hashes become text as it is written.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase", bound = "H: Display")]
pub struct ProofText<'a, H> {
    /// Signed note of the tree head at `tree_size`.
    pub checkpoint: &'a str,
    /// Audit path, leaf to root; 64 hex as text.
    #[serde(serialize_with = "texts")]
    pub hashes: &'a [H],
    /// Index inside the shard.
    pub log_index: u64,
    /// 64 hex as text.
    #[serde(serialize_with = "text")]
    pub root_hash: &'a H,
    /// Leaves in the tree that the path was computed for, at least 1.
    pub tree_size: u64,
}

impl EntryText {
    /// The entry under its 80-hex entry ID, with the signature over `payload` and the kept payload of
    /// an attestation.
    #[must_use]
    pub fn new(
        entry_id: &str,
        payload: &SetPayload<'_>,
        set: &[u8],
        attestation: Option<&[u8]>,
    ) -> Self {
        let kept = attestation.map_or(0, |data| data.len() / 3 * 4 + 32);
        let mut text = String::with_capacity(payload.body.len() + kept + 512);
        text.extend(["{\"", entry_id, "\":{"]);
        let begin = text.len();
        if let Some(data) = attestation {
            text.push_str("\"attestation\":{");
            push_member("data", data, &mut text);
            text.push_str("},");
        }
        let attestation = begin..text.len();
        // What is signed is shown as it was signed.
        text.push_str(&payload.members());
        text.push_str(",\"verification\":{\"inclusionProof\":");
        let proof = text.len();
        text.push(',');
        push_member("signedEntryTimestamp", set, &mut text);
        text.push_str("}}}");
        Self { text, attestation, proof }
    }

    /// The 80-hex entry ID.
    #[must_use]
    pub fn entry_id(&self) -> &str {
        &self.text["{\"".len()..self.attestation.start - "\":{".len()]
    }

    /// Bytes of the text so far, with the attestation or without.
    #[must_use]
    pub fn size(&self, with_attestation: bool) -> usize {
        self.text.len() - self.skipped(with_attestation).len()
    }

    fn skipped(&self, with_attestation: bool) -> Range<usize> {
        if with_attestation { 0..0 } else { self.attestation.clone() }
    }

    /// Appends the whole text to `line`, with this proof, and with the attestation or without.
    ///
    /// # Errors
    /// When a hash cannot be written.
    pub fn write<H: Display>(
        &self,
        proof: &ProofText<'_, H>,
        with_attestation: bool,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        let text = self.text.as_bytes();
        let skipped = self.skipped(with_attestation);
        line.extend_from_slice(&text[..skipped.start]);
        line.extend_from_slice(&text[skipped.end..self.proof]);
        serde_json::to_writer(&mut *line, proof)?;
        line.extend_from_slice(&text[self.proof..]);
        Ok(())
    }
}

/// Nothing for no bytes.
fn push_member(name: &str, bytes: &[u8], text: &mut String) {
    if !bytes.is_empty() {
        text.extend(["\"", name, "\":\""]);
        push_base64(bytes, text);
        text.push('"');
    }
}

fn text<S: Serializer>(hash: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

fn texts<H: Display, S: Serializer>(hashes: &[H], serializer: S) -> Result<S::Ok, S::Error> {
    struct Text<'a, H>(&'a H);
    impl<H: Display> Serialize for Text<'_, H> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            text(self.0, serializer)
        }
    }
    serializer.collect_seq(hashes.iter().map(Text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AttestationData, Base64, EntryBody, InclusionProof, LogEntry, Verification, base64_text,
    };

    fn entry(attestation: Option<&[u8]>, hashes: &[&str]) -> LogEntry {
        let proof = InclusionProof {
            checkpoint: "log.example - 1\n3\nroot=\n\n— log.example \"sig\"\n".to_owned(),
            hashes: hashes.iter().map(ToString::to_string).collect(),
            log_index: 1,
            root_hash: "2c".repeat(32),
            tree_size: 3,
        };
        let data = |data: &[u8]| (!data.is_empty()).then(|| Base64(data.to_vec()));
        let body = EntryBody {
            attestation: attestation.map(|kept| AttestationData { data: data(kept) }),
            body: Base64(br#"{"n":1}"#.to_vec()),
            integrated_time: 1_700_000_000,
            log_id: "7f".repeat(32),
            log_index: 1,
            verification: Some(Verification {
                inclusion_proof: Some(proof),
                signed_entry_timestamp: Some(Base64(vec![0x30, 0xff, 7])),
            }),
        };
        LogEntry::new("ab".repeat(40), body)
    }

    #[test]
    fn it_is_the_text_of_the_shape() {
        let hash = "f9".repeat(32);
        for attestation in [None, Some(&b""[..]), Some(b"payload")] {
            for hashes in [&[][..], &[hash.as_str()], &[hash.as_str(); 3]] {
                let entry = entry(attestation, hashes);
                let (id, shown) = entry.single().unwrap();
                let payload = SetPayload {
                    body: &base64_text(&shown.body.0),
                    integrated_time: shown.integrated_time,
                    log_id: &shown.log_id,
                    log_index: shown.log_index,
                };
                let text = EntryText::new(id, &payload, &[0x30, 0xff, 7], attestation);
                assert_eq!(text.entry_id(), id);
                let proof = shown.verification.as_ref().unwrap().inclusion_proof.as_ref().unwrap();
                let proof = ProofText {
                    checkpoint: &proof.checkpoint,
                    hashes,
                    log_index: proof.log_index,
                    root_hash: &proof.root_hash.as_str(),
                    tree_size: proof.tree_size,
                };
                let written = |with_attestation| {
                    let mut line = b"[".to_vec();
                    text.write(&proof, with_attestation, &mut line).unwrap();
                    let proof = serde_json::to_string(&proof).unwrap();
                    assert_eq!(line.len() - 1, text.size(with_attestation) + proof.len());
                    String::from_utf8(line).unwrap()
                };
                assert_eq!(written(true)[1..], serde_json::to_string(&entry).unwrap());
                let without = self::entry(None, hashes);
                assert_eq!(written(false)[1..], serde_json::to_string(&without).unwrap());
            }
        }
    }
}
