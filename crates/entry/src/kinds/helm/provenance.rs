//! Helm's provenance files: a clear-signed text of chart metadata, the line `...`, and a YAML map of file digests.
//!
//! Border: one text. The metadata is not looked at, as the reference does not either.

use std::fmt;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Options};

use crate::EntryError;
use crate::fields::Digest;
use crate::keys::pgp::cleartext::{self, SignedText};

const SEPARATOR: &[u8] = b"\n...\n";
/// Bytes of the largest file that is looked at: the reader below takes many times that in memory.
const MAX_SIZE: usize = 1024 * 1024;

/// A provenance file; nothing in it is verified.
#[derive(Debug)]
pub(super) struct Provenance {
    /// What the signature covers.
    pub(super) signed: Vec<u8>,
    /// The signature packets.
    pub(super) signature: Vec<u8>,
    sums: Sums,
}

impl Provenance {
    pub(super) fn parse(file: &[u8]) -> Result<Self, EntryError> {
        let refused = |text: &'static str| EntryError::invalid(text);
        if file.is_empty() {
            return Err(refused("provenance file contains no content"));
        }
        if file.len() > MAX_SIZE {
            return Err(refused("provenance file is larger than 1048576 bytes"));
        }
        let text = cleartext::decode(file);
        let text = text.ok_or_else(|| refused("unable to decode provenance file"))?;
        let SignedText { plaintext, signed, signature } = text;
        let sums = read_sums(&plaintext).map_err(|reason| {
            EntryError::invalid(format!("error occurred parsing message block: {reason}"))
        })?;
        let broken = "unable to read PGP signature: illegal base64 data";
        Ok(Self { signed, signature: signature.ok_or_else(|| refused(broken))?, sums })
    }

    /// The chart's digest: that of the first file. (The reference takes any one of them.) Algorithm and value are what
    /// stands before and behind the only colon.
    pub(super) fn digest(&self) -> Result<Digest, EntryError> {
        let internal = |text: &'static str| EntryError::Internal(text.into());
        let files = self.sums.files.as_ref();
        let files = files.ok_or_else(|| internal("unable to locate chart hash"))?;
        let (_, digest) = files.0.first().ok_or_else(|| internal("no checksums found"))?;
        match digest.split_once(':') {
            Some((algorithm, value)) if !value.contains(':') => {
                Ok(Digest { algorithm: algorithm.to_owned(), value: value.to_owned() })
            }
            _ => Err(internal("invalid hash found in Provenance file")),
        }
    }
}

fn read_sums(plaintext: &[u8]) -> Result<Sums, String> {
    let parts = memmem::find(plaintext, SEPARATOR).map(|at| &plaintext[at + SEPARATOR.len()..]);
    let rest = parts.ok_or("message block must have at least two parts")?;
    let second = memmem::find(rest, SEPARATOR).map_or(rest, |end| &rest[..end]);
    let sums = std::str::from_utf8(second).map_err(|error| error.to_string()).and_then(|yaml| {
        let mut options = Options::default();
        options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
        options.null_as_string = true;
        let sums = serde_saphyr::from_str_with_options::<Option<Sums>>(yaml, options);
        sums.map_err(|error| error.to_string())
    });
    let sums = sums.map_err(|reason| format!("error occurred parsing SumCollection: {reason}"))?;
    Ok(sums.unwrap_or_default())
}

/// The second part. Member names match without case.
#[derive(Debug, Default)]
struct Sums {
    files: Option<TextMap>,
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SumsVisitor;

        impl<'de> Visitor<'de> for SumsVisitor {
            type Value = Sums;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sums, A::Error> {
                let mut sums = Sums::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.to_ascii_lowercase().as_str() {
                        "files" => sums.files = map.next_value()?,
                        // Not used, but it must have the same form.
                        "images" => drop(map.next_value::<Option<TextMap>>()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(sums)
            }
        }

        deserializer.deserialize_map(SumsVisitor)
    }
}

/// A map of texts in the order of the document; a repeated name keeps its place and gets the last value. Numbers and the
/// like count as the text that they are written with, null as an empty one.
#[derive(Debug, Default)]
struct TextMap(Vec<(String, String)>);

impl<'de> Deserialize<'de> for TextMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextMapVisitor;

        impl<'de> Visitor<'de> for TextMapVisitor {
            type Value = TextMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextMap, A::Error> {
                // Only the first name is ever asked for, so only its repetitions matter.
                let mut first: Option<(String, String)> = None;
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value::<Option<String>>()?.unwrap_or_default();
                    match &mut first {
                        None => first = Some((name, value)),
                        Some((known, last)) if *known == name => *last = value,
                        Some(_) => {}
                    }
                }
                Ok(TextMap(first.into_iter().collect()))
            }
        }

        deserializer.deserialize_map(TextMapVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(second_part: &str) -> Result<String, String> {
        let sums = read_sums(format!("a: b\n\n...\n{second_part}").as_bytes())?;
        let provenance = Provenance { signed: Vec::new(), signature: Vec::new(), sums };
        provenance.digest().map(|digest| digest.index_key()).map_err(|error| error.to_string())
    }

    #[test]
    fn digests_are_copied_as_they_stand() {
        for (yaml, found) in [
            ("files:\n  a.tgz: sha256:ab\n", "sha256:ab"),
            ("Files: {a: 'SHA512:A b', b: x}\nimages: {i: j}\nother: [1]\n", "SHA512:A b"),
            ("files:\n  a: x:1\n  b: y:2\n  a: z:3\n", "z:3"),
            ("files:\n  12: ':'\n", ":"),
            ("files: {a: b:c}\n...\nfiles: [", "b:c"),
        ] {
            assert_eq!(digest(yaml).as_deref(), Ok(found), "{yaml}");
        }
    }

    #[test]
    fn what_has_no_digest_is_refused() {
        let invalid = "invalid hash found in Provenance file";
        for (yaml, refusal) in [
            ("", "unable to locate chart hash"),
            ("files:\n", "unable to locate chart hash"),
            ("other: 1\n", "unable to locate chart hash"),
            ("files: {}\n", "no checksums found"),
            ("files: {a: b}\n", invalid),
            ("files: {a: 1}\n", invalid),
            ("files: {a: true}\n", invalid),
            ("files: {a: }\n", invalid),
            ("files: {a: 'b:c:d'}\n", invalid),
        ] {
            assert_eq!(digest(yaml).unwrap_err(), refusal, "{yaml}");
        }
        for yaml in
            ["files: [a]\n", "- a\n", "text", "files: {a: [b]}\n", "images: [a]\n", "files: {"]
        {
            let error = digest(yaml).unwrap_err();
            assert!(error.starts_with("error occurred parsing SumCollection: "), "{yaml}: {error}");
        }
        let error = read_sums(b"files: {}").unwrap_err();
        assert_eq!(error, "message block must have at least two parts");
    }

    #[test]
    fn yaml_bombs_are_refused() {
        let mut bomb = "a: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let line = format!("*a{}, ", level - 1).repeat(9);
            bomb.push_str(&format!("b{level}: &a{level} [{line}]\n"));
        }
        assert!(digest(&bomb).is_err());
        assert!(digest(&"[".repeat(100_000)).is_err());
    }
}
