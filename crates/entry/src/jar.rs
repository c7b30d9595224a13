//! Signed JAR files (the JAR File Specification's "Signed JAR File").
//!
//! Border: which files of the archive are manifest, signature file and signature block,
//! and whether the digests between them hold. What an entry keeps is the kind's affair.
//! Files that the manifest does not list are allowed, as in Rekor; archives with two
//! files of one name are not, nor those in which readers may find different files: nobody
//! could say which one was verified.

mod directory;
mod extent;
mod layout;
mod manifest;
mod metadata;

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use crate::EntryError;
use crate::keys::CanonicalSignature;
use crate::keys::pkcs7::Pkcs7;
use crate::utf8;
use directory::Directory;
pub use extent::jar_is_signed_whole;
use manifest::{Digests, Manifest, Section};
use metadata::Metadata;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Unpacked bytes of all listed files together: a bound on work.
const MAX_UNPACKED: u64 = 1 << 30;
/// Files in the archive.
const MAX_FILES: usize = 262_144;

/// The signature of an archive, verified.
pub(crate) struct SignedJar {
    /// The signature block as entries store it.
    pub(crate) signature: CanonicalSignature,
    /// The same, as it came.
    pub(crate) block: Pkcs7,
}

impl SignedJar {
    /// Reads and verifies an archive. `max_metadata` bounds each file of `META-INF`,
    /// unpacked, in bytes; none may have more than 32 MiB.
    pub(crate) fn verify(bytes: &[u8], max_metadata: u64) -> Result<Self, EntryError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_zip)?;
        if archive.len() > MAX_FILES {
            let text = format!("zip: {} files, at most {MAX_FILES}", archive.len());
            return Err(EntryError::invalid(text));
        }
        if archive.has_duplicate_names() {
            return Err(EntryError::invalid("zip: two files have the same name"));
        }
        if Directory::find(&archive, bytes).is_none() {
            return Err(EntryError::invalid("zip: the directory can be read in several ways"));
        }
        let metadata = Metadata::read(&mut archive, max_metadata)?;
        let mut block = Pkcs7::parse(&metadata.block)?;
        let mut signature = block.verify(&metadata.signature_file)?;
        check_signature_file(&metadata.signature_file, &metadata.manifest)?;
        check_files(&mut archive, &metadata.manifest)?;
        if let Some(first) = &metadata.first_block {
            block = Pkcs7::parse(first)?;
            signature = block.verify(&metadata.signature_file)?;
        }
        Ok(Self { signature, block })
    }
}

fn not_a_zip(_: zip::result::ZipError) -> EntryError {
    EntryError::invalid("zip: not a valid zip file")
}

fn broken(error: std::io::Error) -> EntryError {
    EntryError::invalid(format!("zip: {error}"))
}

/// The signature file signs the manifest as a whole, or else its main section and each section
/// that it lists.
fn check_signature_file(signature_file: &[u8], manifest: &[u8]) -> Result<(), EntryError> {
    let signed = Manifest::parse(signature_file).map_err(EntryError::invalid)?;
    let wrong = |text: String| EntryError::invalid(format!("manifest signature: {text}"));
    if let Some(whole) = Digests::optional(&signed.main, "-DIGEST-MANIFEST").map_err(wrong)? {
        return whole.check(&mut &manifest[..]).map_err(broken)?.map_err(wrong);
    }
    let manifest = Manifest::parse(manifest).map_err(EntryError::invalid)?;
    let main = (&signed.main, "-DIGEST-MANIFEST-MAIN-ATTRIBUTES");
    check_section(main, &manifest.main, "manifest main attributes signature")?;
    for (name, section) in &signed.sections {
        let shown = utf8::lossy(name);
        let target = manifest.sections.get(name).ok_or_else(|| {
            EntryError::invalid(format!("manifest is missing signed section \"{shown:.256}\""))
        })?;
        let what = format!("manifest signature over section \"{shown:.256}\"");
        check_section((section, "-DIGEST"), target, &what)?;
    }
    Ok(())
}

/// One section of the signature file, whose digests have this suffix, over one of the manifest.
fn check_section(
    (signing, suffix): (&Section<'_>, &str),
    signed: &Section<'_>,
    what: &str,
) -> Result<(), EntryError> {
    let wrong = |text: String| EntryError::invalid(format!("{what}: {text}"));
    let digests = Digests::required(signing, suffix).map_err(wrong)?;
    digests.check(&mut &signed.bytes[..]).map_err(broken)?.map_err(wrong)
}

/// Every file that the manifest lists is there and has its digests.
fn check_files(archive: &mut Archive<'_>, manifest: &[u8]) -> Result<(), EntryError> {
    let manifest = Manifest::parse(manifest).map_err(EntryError::invalid)?;
    let mut left = MAX_UNPACKED;
    for (name, section) in &manifest.sections {
        if section.attribute("MAGIC").is_some() {
            // A special digester is named; nobody here knows it.
            continue;
        }
        check_file(archive, name, section, &mut left)?;
    }
    Ok(())
}

fn check_file(
    archive: &mut Archive<'_>,
    name: &[u8],
    section: &Section<'_>,
    left: &mut u64,
) -> Result<(), EntryError> {
    let shown = utf8::lossy(name);
    let wrong =
        |text: String| EntryError::invalid(format!("file \"{shown:.256}\" in MANIFEST.MF: {text}"));
    let index = archive.index_for_name_raw(name).ok_or_else(|| {
        EntryError::invalid(format!("file {shown:.256} is in manifest but not JAR"))
    })?;
    let digests = Digests::required(section, "-DIGEST").map_err(wrong)?;
    let file = archive.by_index(index).map_err(|error| wrong(error.to_string()))?;
    let mut bounded = file.take(*left);
    let checked = digests.check(&mut bounded).map_err(|error| wrong(error.to_string()))?;
    *left = bounded.limit();
    if *left == 0 {
        let text = format!("the listed files are larger than {MAX_UNPACKED} bytes unpacked");
        return Err(EntryError::invalid(text));
    }
    checked.map_err(wrong)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use sha2::{Digest as _, Sha256};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::base64;

    const MAIN: &str = "Manifest-Version: 1.0\r\n\r\n";
    const SECTION: &str =
        "Name: a.txt\r\nSHA-256-Digest: LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=\r\n\r\n";

    fn digest(text: &str) -> String {
        base64::encode(Sha256::digest(text))
    }

    /// What a signature file with this main section and this one for `a.txt` says about a manifest.
    fn check(main: &str, section: &str, manifest: &str) -> Result<(), String> {
        let section =
            if section.is_empty() { "" } else { &format!("Name: a.txt\r\n{section}\r\n") };
        let file = format!("Signature-Version: 1.0\r\n{main}\r\n{section}");
        check_signature_file(file.as_bytes(), manifest.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_signature_file_covers_the_whole_manifest_or_main_section_and_sections() {
        let manifest = &format!("{MAIN}{SECTION}");
        let whole = &format!("SHA-256-Digest-Manifest: {}\r\n", digest(manifest));
        let main = &format!("SHA-256-Digest-Manifest-Main-Attributes: {}\r\n", digest(MAIN));
        let section = &format!("SHA-256-Digest: {}\r\n", digest(SECTION));
        for (main, section) in [(whole, ""), (whole, "SHA-256-Digest: AAAA\r\n"), (main, section)] {
            assert_eq!(check(main, section, manifest), Ok(()), "{main}{section}");
        }
        let other = &manifest.replace("1.0\r\n", "1.0\r\nMain-Class: Other\r\n");
        let wrong_whole = &format!("SHA-256-Digest-Manifest: AAAA\r\n{main}");
        for (main, section, manifest, reason) in [
            ("", "", manifest, "manifest main attributes signature: no recognized digests found"),
            (
                "",
                section,
                manifest,
                "manifest main attributes signature: no recognized digests found",
            ),
            (main, "Note: none\r\n", manifest, "section \"a.txt\": no recognized digests found"),
            (
                main,
                "SHA-256-Digest: AAAA\r\n",
                manifest,
                "section \"a.txt\": Sha-256-Digest mismatch",
            ),
            (main, section, other, "Sha-256-Digest-Manifest-Main-Attributes mismatch"),
            (
                wrong_whole,
                section,
                manifest,
                "manifest signature: Sha-256-Digest-Manifest mismatch",
            ),
            (
                "SHA-Digest-Manifest: AAAA\r\n",
                section,
                manifest,
                "unknown digest key in manifest: SHA",
            ),
            (main, section, &MAIN.to_owned(), "manifest is missing signed section \"a.txt\""),
        ] {
            let refused = check(main, section, manifest).unwrap_err();
            assert!(refused.contains(reason), "{refused}, not {reason}");
        }
    }

    /// What a manifest with this section says about an archive with `name`, which holds an `x`.
    fn check_file(name: &str, section: &[u8]) -> Result<(), String> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(b"x").unwrap();
        let archive = archive.finish().unwrap().into_inner();
        let mut archive = ZipArchive::new(Cursor::new(archive.as_slice())).unwrap();
        let manifest = [MAIN.as_bytes(), section].concat();
        check_files(&mut archive, &manifest).map_err(|error| error.to_string())
    }

    #[test]
    fn listed_files_are_there_and_have_their_digests() {
        assert_eq!(check_file("a.txt", SECTION.as_bytes()), Ok(()));
        assert_eq!(check_file("a.txt", b"Name: b.txt\r\nMagic: x\r\n\r\n"), Ok(()));
        let split = SECTION.as_bytes().splitn(2, |byte| *byte == b'.').collect::<Vec<_>>();
        let split = split.join(&b"\xc3\r\n \xa9."[..]);
        assert_eq!(check_file("a\u{e9}.txt", &split), Ok(()));
        for (section, reason) in [
            (&b"Name: b.txt\r\n\r\n"[..], "file b.txt is in manifest but not JAR"),
            (b"Name: a.txt\r\nNote: none\r\n\r\n", "file \"a.txt\" in MANIFEST.MF: no recognized"),
            (b"Name: a.txt\r\nMagic:\r\n\r\n", "file \"a.txt\" in MANIFEST.MF: no recognized"),
            (b"Name: a.txt\r\nSHA1-Digest: AAAA\r\n\r\n", "Sha1-Digest mismatch"),
        ] {
            let refused = check_file("a.txt", section).unwrap_err();
            assert!(refused.contains(reason), "{refused}, not {reason}");
        }
    }
}
