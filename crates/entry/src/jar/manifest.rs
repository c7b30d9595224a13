//! Manifests and signature files: sections of attributes, and the digests among them.
//!
//! Border: text to attributes, attributes to digests. Which bytes a digest is over is the
//! caller's affair.

use std::collections::BTreeMap;
use std::io::Read;

use md5::Md5;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::base64;
use crate::utf8;

/// A manifest: the main section and the named ones.
pub(super) struct Manifest<'a> {
    pub(super) main: Section<'a>,
    /// By name, which need not be UTF-8.
    pub(super) sections: BTreeMap<Vec<u8>, Section<'a>>,
}

/// One section: its bytes up to and with the blank line, and its attributes.
pub(super) struct Section<'a> {
    pub(super) bytes: &'a [u8],
    /// Names in upper case.
    attributes: BTreeMap<String, Vec<u8>>,
}

impl<'a> Manifest<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, String> {
        if trim(text).is_empty() {
            return Err("manifest has no sections".to_owned());
        }
        let mut rest = text;
        let main = Section::next(&mut rest)?;
        let mut sections = BTreeMap::new();
        while !rest.is_empty() {
            let section = Section::next(&mut rest)?;
            let name = section.attribute("NAME");
            let name = name.ok_or("manifest has section with no \"Name\" attribute")?.to_owned();
            sections.insert(name, section);
        }
        Ok(Self { main, sections })
    }
}

impl<'a> Section<'a> {
    /// Splits off the next section. A blank line must end it: whatever is appended later would
    /// belong to it otherwise, or not, as the reader likes.
    fn next(rest: &mut &'a [u8]) -> Result<Self, String> {
        let ends_section = |end: &usize| {
            let bytes = &rest[..*end];
            bytes.ends_with(b"\n\n") || bytes.ends_with(b"\r\n\r\n")
        };
        let end = memchr::memchr_iter(b'\n', rest).map(|at| at + 1).find(ends_section);
        let (bytes, after) = rest.split_at(end.unwrap_or_default());
        if trim(bytes).is_empty() {
            return Err("manifest has incorrect line ending sequence".to_owned());
        }
        *rest = after;
        let mut attributes = BTreeMap::new();
        for line in logical_lines(bytes) {
            let colon = memchr::memchr(b':', &line).ok_or("jar manifest is malformed")?;
            let name = utf8::lossy(&line[..colon]).trim().to_uppercase();
            attributes.insert(name, trim(&line[colon + 1..]).to_owned());
        }
        Ok(Self { bytes, attributes })
    }

    /// The value of an attribute, unless it is empty; `name` in upper case.
    pub(super) fn attribute(&self, name: &str) -> Option<&[u8]> {
        self.attributes.get(name).map(Vec::as_slice).filter(|value| !value.is_empty())
    }
}

/// Lines, each joined with those that continue it (they begin with a blank). Bytes, because a
/// line may end in the middle of a character.
fn logical_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.strip_prefix(b" "), lines.last_mut()) {
            (Some(more), Some(last)) => last.extend_from_slice(more),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Drops the white space at both ends, that of Unicode too.
fn trim(bytes: &[u8]) -> &[u8] {
    let head = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let bytes = &bytes[head.len() - head.trim_start().len()..];
    let tail = bytes.utf8_chunks().last().filter(|chunk| chunk.invalid().is_empty());
    let tail = tail.map_or("", |chunk| chunk.valid());
    &bytes[..bytes.len() - (tail.len() - tail.trim_end().len())]
}

/// The digests that a section claims, at least one.
pub(super) struct Digests<'a>(Vec<Claim<'a>>);

struct Claim<'a> {
    /// As error texts write it, for example `Sha-256-Digest`.
    name: String,
    value: &'a [u8],
    algorithm: Algorithm,
}

impl<'a> Digests<'a> {
    /// The attributes whose names end so, if there are any; each must be of a known algorithm.
    pub(super) fn optional(section: &'a Section<'_>, suffix: &str) -> Result<Option<Self>, String> {
        let mut claims = Vec::new();
        for (name, value) in &section.attributes {
            let Some(algorithm) = name.strip_suffix(suffix) else { continue };
            let algorithm = Algorithm::named(algorithm)
                .ok_or_else(|| format!("unknown digest key in manifest: {algorithm:.64}"))?;
            claims.push(Claim { name: spelled(name), value, algorithm });
        }
        Ok((!claims.is_empty()).then_some(Self(claims)))
    }

    /// The attributes whose names end so. Without any, nothing would be checked.
    pub(super) fn required(section: &'a Section<'_>, suffix: &str) -> Result<Self, String> {
        Self::optional(section, suffix)?.ok_or_else(|| "no recognized digests found".to_owned())
    }

    /// Whether all hold for what `content` gives.
    ///
    /// # Errors
    /// What reading gives; the inner error says which digest does not hold.
    pub(super) fn check(&self, content: &mut dyn Read) -> std::io::Result<Result<(), String>> {
        let mut hashers = self.hashers();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            for hasher in hashers.values_mut() {
                hasher.update(&buffer[..read]);
            }
        }
        let computed = hashers.into_iter();
        let computed: BTreeMap<Algorithm, String> = computed
            .map(|(algorithm, hasher)| (algorithm, base64::encode(hasher.finalize())))
            .collect();
        for claim in &self.0 {
            let computed = &computed[&claim.algorithm];
            if computed.as_bytes() != claim.value {
                let (name, value) = (&claim.name, utf8::lossy(claim.value));
                return Ok(Err(format!(
                    "{name} mismatch: manifest {value:.128} != calculated {computed}"
                )));
            }
        }
        Ok(Ok(()))
    }

    /// One for each algorithm. Each has many names, and a section may use them all.
    fn hashers(&self) -> BTreeMap<Algorithm, Box<dyn DynDigest>> {
        self.0.iter().map(|claim| (claim.algorithm, claim.algorithm.hasher())).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// Finds it by its name in upper case, in which the first dash does not count.
    fn named(name: &str) -> Option<Self> {
        Some(match name.replacen('-', "", 1).as_str() {
            "MD5" => Self::Md5,
            "SHA1" => Self::Sha1,
            "SHA224" => Self::Sha224,
            "SHA256" => Self::Sha256,
            "SHA384" => Self::Sha384,
            "SHA512" => Self::Sha512,
            _ => return None,
        })
    }

    fn hasher(self) -> Box<dyn DynDigest> {
        match self {
            Self::Md5 => Box::new(Md5::default()),
            Self::Sha1 => Box::new(Sha1::default()),
            Self::Sha224 => Box::new(Sha224::default()),
            Self::Sha256 => Box::new(Sha256::default()),
            Self::Sha384 => Box::new(Sha384::default()),
            Self::Sha512 => Box::new(Sha512::default()),
        }
    }
}

/// A capital behind each dash, as header names are spelled.
fn spelled(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect()
    });
    words.collect::<Vec<String>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &[u8]) -> String {
        Manifest::parse(text).map(|manifest| manifest.sections.len()).unwrap_err()
    }

    #[test]
    fn sections_keep_their_bytes_and_lines_are_joined() {
        let text =
            b"Manifest-Version: 1.0\r\n\r\nName: a-very-long\r\n -name\r\nX: y\r\n\r\nName: b\n\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.main.attribute("MANIFEST-VERSION"), Some(&b"1.0"[..]));
        assert_eq!(manifest.main.bytes, b"Manifest-Version: 1.0\r\n\r\n");
        let section = &manifest.sections[&b"a-very-long-name"[..]];
        assert_eq!(section.bytes, b"Name: a-very-long\r\n -name\r\nX: y\r\n\r\n");
        assert_eq!(manifest.sections[&b"b"[..]].bytes, b"Name: b\n\n");
        assert_eq!(refusal(b"a: b\n\nno colon\n\n"), "jar manifest is malformed");
        let unnamed = "manifest has section with no \"Name\" attribute";
        assert_eq!(refusal(b"a: b\n\nx: y\n\n"), unnamed);
        assert_eq!(refusal(b"a: b\n\nName: \n\n"), unnamed);
    }

    #[test]
    fn names_are_bytes_and_lines_may_split_a_character() {
        let text =
            b"a: b\r\n\r\nName: a\xc3\r\n \xa9.txt\r\n\r\nName:\xc2\xa0\xff\xa0\xc2\x85\r\n\r\n";
        let manifest = Manifest::parse(text).unwrap();
        let names: Vec<&[u8]> = manifest.sections.keys().map(Vec::as_slice).collect();
        assert_eq!(names, ["a\u{e9}.txt".as_bytes(), b"\xff\xa0"]);
    }

    #[test]
    fn a_blank_line_ends_each_section_whichever_line_ends_are_used() {
        for text in
            ["a: b\n\nName: c\r\n\r\n", "a: b\r\n\r\n\r\nName: c\n\n", "a: b\r\n\nName: c\n\n"]
        {
            let manifest = Manifest::parse(text.as_bytes()).unwrap();
            assert!(manifest.sections.contains_key(&b"c"[..]), "{text:?}");
        }
        for text in [
            "a: b",
            "a: b\r\n",
            "a: b\r\r",
            "a: b\n\r\n",
            "a: b\n\nName: c\n",
            "a: b\n\n\n",
            "a: b\n\n\n\nName: c\n\n",
            "a: b\n\n \n\n",
            "\n\na: b\n\n",
        ] {
            let text = text.as_bytes();
            assert_eq!(refusal(text), "manifest has incorrect line ending sequence", "{text:?}");
        }
        for blank in ["", "\n", "\r\n\r\n", " \n\n"] {
            assert_eq!(refusal(blank.as_bytes()), "manifest has no sections", "{blank:?}");
        }
    }

    #[test]
    fn every_digest_must_hold_and_be_known() {
        // printf x | openssl dgst -sha256 -binary | base64, and -md5
        let section = |text: &'static [u8]| Manifest::parse(text).unwrap().main;
        let good = section(
            b"SHA-256-Digest: LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=\nMD5-Digest: ndTkYSaMgDT1yFZOFVxnpg==\n\n",
        );
        let digests = Digests::required(&good, "-DIGEST").unwrap();
        let check = |content: &[u8]| digests.check(&mut &content[..]).unwrap();
        assert_eq!(check(b"x"), Ok(()));
        assert!(check(b"y").unwrap_err().contains("mismatch"));
        for (attribute, refusal) in [
            (&b"SHA3-256-Digest: eA==\n\n"[..], "unknown digest key in manifest: SHA3-256"),
            (b"SHA-Digest: eA==\n\n", "unknown digest key in manifest: SHA"),
            (b"Digest: eA==\n\n", "no recognized digests found"),
        ] {
            let section = section(attribute);
            assert_eq!(Digests::required(&section, "-DIGEST").err().unwrap(), refusal);
        }
    }
    #[test]
    fn every_name_of_an_algorithm_is_checked_by_one_hasher() {
        // printf x | openssl dgst -sha256 -binary | base64
        let right = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=";
        let names = ["SHA256", "-SHA256", "S-HA256", "SHA-256", "SHA256-"];
        for wrong in 0..=names.len() {
            let value = |at| if at == wrong { "AAAA" } else { right };
            let claims = names.iter().enumerate();
            let claims: String =
                claims.map(|(at, name)| format!("{name}-Digest: {}\n", value(at))).collect();
            let text = claims + "\n";
            let section = Manifest::parse(text.as_bytes()).unwrap().main;
            let digests = Digests::required(&section, "-DIGEST").unwrap();
            assert_eq!((digests.0.len(), digests.hashers().len()), (names.len(), 1));
            let holds = digests.check(&mut &b"x"[..]).unwrap().is_ok();
            assert_eq!(holds, wrong == names.len(), "{text}");
        }
    }
}
