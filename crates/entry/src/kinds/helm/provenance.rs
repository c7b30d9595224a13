//! Helm's provenance files: a clear-signed text of chart metadata, the line `...`, and a YAML map of file digests.
//!
//! Border: one text. The metadata is not looked at, as the reference does not either.

use std::collections::BTreeMap;
use std::fmt;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Options};

use crate::EntryError;
use crate::fields::Digest;
use crate::json;
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
    let sums = std::str::from_utf8(second).map_err(|error| error.to_string()).and_then(|text| {
        let yaml = first_document(text)?;
        let mut sums = parse(yaml)?;
        // The library ends a block scalar with a line break, also where the text ends without one.
        if let Some((_, value)) = sums.first_mut()
            && !yaml.ends_with('\n')
            && let Some(line) = value.strip_suffix('\n')
            && let Ok(mut longer) = parse(&format!("{yaml}x"))
            && longer.first_mut().is_some_and(|(_, longer)| *longer == format!("{line}x\n"))
        {
            value.pop();
        }
        Ok(sums)
    });
    sums.map_err(|reason| format!("error occurred parsing SumCollection: {reason}"))
}

fn parse(yaml: &str) -> Result<Sums, String> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.null_as_string = true;
    let sums = serde_saphyr::from_str_with_options::<Option<Sums>>(yaml, options);
    sums.map(Option::unwrap_or_default).map_err(|error| error.to_string())
}

/// The first document of a YAML stream, the only one that is looked at. What the library takes before it and the reference
/// does not is refused: tabs as indentation, an end without a document, directives that YAML 1.1 does not have.
fn first_document(text: &str) -> Result<&str, String> {
    let is_marker = |line: &str, marker: &str| {
        line.strip_prefix(marker)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    };
    if is_marker(text.lines().next().unwrap_or_default(), "...") {
        return Err("did not find expected node content".into());
    }
    let (mut started, mut at) = (false, 0);
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches('\n');
        if is_marker(content, "...") || (started && is_marker(content, "---")) {
            return Ok(&text[..at]);
        }
        at += line.len();
        let unindented = content.trim_start_matches([' ', '\t']);
        if started || unindented.is_empty() {
            continue;
        }
        if content[..content.len() - unindented.len()].contains('\t') {
            return Err("found character that cannot start any token".into());
        }
        match content.strip_prefix('%') {
            Some(directive) => check_directive(directive)?,
            None => started = !unindented.starts_with('#'),
        }
    }
    Ok(text)
}

fn check_directive(directive: &str) -> Result<(), String> {
    let mut words = directive.split([' ', '\t']).filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some("YAML"), Some("1.1")) | (Some("TAG"), _) => Ok(()),
        (Some("YAML"), _) => Err("found incompatible YAML document".into()),
        _ => Err("found unknown directive name".into()),
    }
}

/// The second part. Member names match without case, and those that differ in case are read over each other in the order
/// of their bytes.
#[derive(Debug, Default)]
struct Sums {
    files: Option<TextMap>,
}

impl Sums {
    /// The first file and its digest.
    fn first_mut(&mut self) -> Option<&mut (String, String)> {
        self.files.as_mut()?.0.first_mut()
    }
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
                let mut spellings = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    match json::folded(&name).as_ref() {
                        "files" => {
                            drop(spellings.insert(name, map.next_value::<Option<TextMap>>()?))
                        }
                        // Not used, but it must have the same form.
                        "images" => drop(map.next_value::<Option<TextMap>>()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let over = |below: Option<TextMap>, files: Option<TextMap>| match (below, files) {
                    (Some(below), Some(files)) if files.0.is_empty() => Some(below),
                    (_, files) => files,
                };
                Ok(Sums { files: spellings.into_values().fold(None, over) })
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
            ("files: {a: b:c}\nFiles: {a: d:e}\n", "b:c"),
            ("files: {}\nFiles: {a: d:e}\n", "d:e"),
            ("files: {a: b:c}\nFILES:\n", "b:c"),
        ] {
            assert_eq!(digest(yaml).as_deref(), Ok(found), "{yaml}");
        }
    }

    #[test]
    fn what_has_no_digest_is_refused() {
        let invalid = "invalid hash found in Provenance file";
        for (yaml, refusal) in [
            ("", "unable to locate chart hash"),
            ("# x\n...\nfiles: {a: b:c}", "unable to locate chart hash"),
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
    fn a_block_ends_where_the_text_does() {
        for (yaml, found) in [
            ("files:\n  a: |\n    b:c", "b:c"),
            ("files:\n  a: >+\n    b:c\n    d", "b:c d"),
            ("files:\n  a: |\n    b:c\n", "b:c\n"),
            ("files:\n  a: |\n    b:c\nx: y", "b:c\n"),
            ("files:\n  a: |\n    b:c\n# d", "b:c\n"),
            ("files:\n  a: \"b:c\\n\"", "b:c\n"),
            ("files:\n  a: |\n    b:c\n---\n", "b:c\n"),
        ] {
            assert_eq!(digest(yaml).as_deref(), Ok(found), "{yaml}");
        }
    }

    #[test]
    fn one_document_is_read() {
        for yaml in [
            "files: {a: b:c}\n---\n[",
            "# x\n\n---\nfiles: {a: b:c}\n--- x",
            "--- {files: {a: b:c}}\n... # x\n[",
            "%YAML 1.1\n---\nfiles: {a: b:c}",
            "files: {a: b:c}\n---x: y",
        ] {
            assert_eq!(digest(yaml).as_deref(), Ok("b:c"), "{yaml}");
        }
        for yaml in [
            "...\nfiles: {a: b:c}",
            "\tfiles: {a: b:c}",
            "# x\n \t# x\nfiles: {a: b:c}",
            "%YAML 1.2\n---\nfiles: {a: b:c}",
            "%X\n---\nfiles: {a: b:c}",
            "files:\n  a: \"b:c\n---\n\"",
        ] {
            let error = digest(yaml).unwrap_err();
            assert!(error.starts_with("error occurred parsing SumCollection: "), "{yaml}: {error}");
        }
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
