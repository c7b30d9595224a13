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
    pub(super) sections: BTreeMap<String, Section<'a>>,
}

/// One section: its bytes up to and with the blank line, and its attributes.
pub(super) struct Section<'a> {
    pub(super) bytes: &'a [u8],
    /// Names in upper case.
    attributes: BTreeMap<String, String>,
}

impl<'a> Manifest<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, String> {
        let mut rest = text;
        let main = Section::next(&mut rest)?;
        let mut sections = BTreeMap::new();
        while !rest.is_empty() {
            let section = Section::next(&mut rest)?;
            if section.attributes.is_empty() {
                continue;
            }
            let name = section.attribute("NAME");
            let name = name.ok_or("manifest has section with no \"Name\" attribute")?.to_owned();
            sections.insert(name, section);
        }
        Ok(Self { main, sections })
    }
}

impl<'a> Section<'a> {
    /// Splits off the next section.
    fn next(rest: &mut &'a [u8]) -> Result<Self, String> {
        let find = |end: &[u8]| memchr::memmem::find(rest, end).map(|at| at + end.len());
        let ends = [find(b"\r\n\r\n"), find(b"\n\n")];
        let end = ends.into_iter().flatten().min().unwrap_or(rest.len());
        let (bytes, after) = rest.split_at(end);
        *rest = after;
        let mut section = Self { bytes, attributes: BTreeMap::new() };
        for line in logical_lines(&utf8::lossy(bytes)) {
            let (name, value) = line.split_once(':').ok_or("jar manifest is malformed")?;
            section.attributes.insert(name.trim().to_uppercase(), value.trim().to_owned());
        }
        Ok(section)
    }

    /// The value of an attribute; `name` in upper case.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// Lines, each joined with those that continue it (they begin with a blank).
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(' '), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ if line.is_empty() => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// The digests that a section claims.
pub(super) struct Digests<'a>(Vec<Claim<'a>>);

struct Claim<'a> {
    /// As error texts write it, for example `Sha-256-Digest`.
    name: String,
    value: &'a str,
    hasher: Box<dyn DynDigest>,
}

impl<'a> Digests<'a> {
    /// The attributes whose names end so; each must be of a known algorithm.
    pub(super) fn of_section(section: &'a Section<'_>, suffix: &str) -> Result<Self, String> {
        let mut claims = Vec::new();
        for (name, value) in &section.attributes {
            let Some(algorithm) = name.strip_suffix(suffix) else { continue };
            let hasher = hasher(algorithm)
                .ok_or_else(|| format!("unknown digest key in manifest: {}", spelled(name)))?;
            claims.push(Claim { name: spelled(name), value, hasher });
        }
        Ok(Self(claims))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all hold for what `content` gives.
    ///
    /// # Errors
    /// What reading gives; the inner error says which digest does not hold.
    pub(super) fn check(&self, content: &mut dyn Read) -> std::io::Result<Result<(), String>> {
        let mut hashers: Vec<_> = self.0.iter().map(|claim| claim.hasher.box_clone()).collect();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            for hasher in &mut hashers {
                hasher.update(&buffer[..read]);
            }
        }
        for (claim, hasher) in self.0.iter().zip(hashers) {
            let computed = base64::encode(hasher.finalize());
            if computed != claim.value {
                let (name, value) = (&claim.name, claim.value);
                return Ok(Err(format!(
                    "{name} mismatch: manifest {value:.128} != calculated {computed}"
                )));
            }
        }
        Ok(Ok(()))
    }
}

fn hasher(algorithm: &str) -> Option<Box<dyn DynDigest>> {
    Some(match algorithm.replacen('-', "", 1).as_str() {
        "MD5" => Box::new(Md5::default()),
        "SHA" | "SHA1" => Box::new(Sha1::default()),
        "SHA224" => Box::new(Sha224::default()),
        "SHA256" => Box::new(Sha256::default()),
        "SHA384" => Box::new(Sha384::default()),
        "SHA512" => Box::new(Sha512::default()),
        _ => return None,
    })
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

    #[test]
    fn sections_keep_their_bytes_and_lines_are_joined() {
        let text =
            b"Manifest-Version: 1.0\r\n\r\nName: a-very-long\r\n -name\r\nX: y\r\n\r\nName: b\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.main.attribute("MANIFEST-VERSION"), Some("1.0"));
        let section = &manifest.sections["a-very-long-name"];
        assert_eq!(section.bytes, b"Name: a-very-long\r\n -name\r\nX: y\r\n\r\n");
        assert_eq!(manifest.sections["b"].bytes, b"Name: b\n");
        assert!(Manifest::parse(b"a: b\n\nno colon\n").is_err());
        assert!(Manifest::parse(b"a: b\n\nx: y\n").is_err());
    }

    #[test]
    fn every_digest_must_hold_and_be_known() {
        // printf x | openssl dgst -sha256 -binary | base64, and -md5
        let section = |text: &'static [u8]| Manifest::parse(text).unwrap().main;
        let good = section(
            b"SHA-256-Digest: LXEWQrcmsEQBYnyp+6wy9cChD7GQYPDgqRqYKAqyBqQ=\nMD5-Digest: nUk37u+bbYr/XN0e+MB9iA==\n",
        );
        let digests = Digests::of_section(&good, "-DIGEST").unwrap();
        let check = |content: &[u8]| digests.check(&mut &content[..]).unwrap();
        assert!(check(b"y").unwrap_err().contains("mismatch"));
        let unknown = section(b"SHA3-256-Digest: eA==\n");
        let refused = Digests::of_section(&unknown, "-DIGEST").err().unwrap();
        assert_eq!(refused, "unknown digest key in manifest: Sha3-256-Digest");
    }
}
