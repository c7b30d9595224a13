//! How much of an archive its signature covers.
//!
//! Border: names and places. Whether the digests hold is told by [`SignedJar`](super::SignedJar); whoever
//! asks here knows it of these very bytes.

use std::io::Cursor;

use zip::ZipArchive;

use super::manifest::{Digests, Manifest};
use super::metadata::Metadata;
use super::{Archive, layout, not_a_zip};
use crate::EntryError;

/// Whether a signed JAR has no file but those that are signed and the signature's own, however it is
/// read, and nothing before, between or behind them. Logs take JARs with more in them, which may be
/// anybody's. One of more than 65,535 files is never called whole.
///
/// # Errors
/// [`EntryError`] for anything else than an archive with one signature.
pub fn jar_is_signed_whole(bytes: &[u8]) -> Result<bool, EntryError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_zip)?;
    if archive.has_duplicate_names() {
        return Ok(false);
    }
    let metadata = Metadata::read(&mut archive, u64::MAX)?;
    let manifest = Manifest::parse(&metadata.manifest).map_err(EntryError::invalid)?;
    Ok(is_signed(&manifest, &metadata)?
        && lists_all(&manifest, &archive, &metadata.parts)?
        && layout::is_gapless(&archive, bytes))
}

/// Whether the signature file covers all of the manifest, be it section by section. Of two sections of
/// one name it covers one.
fn is_signed(manifest: &Manifest<'_>, metadata: &Metadata) -> Result<bool, EntryError> {
    let signed = Manifest::parse(&metadata.signature_file).map_err(EntryError::invalid)?;
    let whole = Digests::optional(&signed.main, "-DIGEST-MANIFEST").map_err(EntryError::invalid)?;
    let sections = manifest.sections.iter().filter(|(name, _)| signed.sections.contains_key(*name));
    let covered = sections.map(|(_, section)| section.bytes.len()).sum::<usize>();
    Ok(whole.is_some() || manifest.main.bytes.len() + covered == metadata.manifest.len())
}

/// Whether every file is in the manifest or one of the signature's own `parts`; a folder need not be.
fn lists_all(
    manifest: &Manifest<'_>,
    archive: &Archive<'_>,
    parts: &[usize],
) -> Result<bool, EntryError> {
    for index in 0..archive.len() {
        let file = archive.by_index_data(index).map_err(not_a_zip)?;
        let name = file.name_raw();
        let is_folder = name.ends_with(b"/") && file.size() == 0;
        // Of a file with a digester of its own no digest was looked at.
        let listed = manifest.sections.get(name);
        let is_listed = listed.is_some_and(|section| section.attribute("MAGIC").is_none());
        if !is_folder && !is_listed && !parts.contains(&index) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// An archive of these files behind something else.
    fn archive(before: &[u8], files: &[(&str, &str)]) -> Vec<u8> {
        let mut start = Cursor::new(before.to_vec());
        start.set_position(before.len() as u64);
        let mut archive = ZipWriter::new(start);
        for (name, content) in files {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn a_listed_file_is_signed_if_its_section_is() {
        let is_whole = |before: &str, signed: &str, listed: &str| {
            let signature = format!("Signature-Version: 1.0\r\n{signed}");
            let manifest = format!("Manifest-Version: 1.0\r\n\r\nName: a\r\n{listed}\r\n");
            let archive = archive(
                before.as_bytes(),
                &[
                    ("META-INF/MANIFEST.MF", &manifest),
                    ("META-INF/X.SF", &signature),
                    ("META-INF/X.RSA", ""),
                    ("a", "x"),
                ],
            );
            jar_is_signed_whole(&archive).unwrap()
        };
        let digest = "SHA-256-Digest: AAAA\r\n";
        let main = "SHA-256-Digest-Manifest-Main-Attributes: AAAA\r\n\r\n";
        let whole = "SHA-256-Digest-Manifest: AAAA\r\n\r\n";
        assert!(is_whole("", whole, digest));
        assert!(!is_whole("#!/bin/sh\n", whole, digest));
        let sections = format!("{main}Name: a\r\n{digest}\r\n");
        assert!(is_whole("", &sections, digest));
        assert!(!is_whole("", main, digest));
        // Of two sections the second is the signed one.
        assert!(!is_whole("", &sections, &format!("Main: evil\r\n\r\nName: a\r\n{digest}")));
        assert!(!is_whole("", &sections, "Magic: x\r\n"));
    }

    #[test]
    fn of_the_signature_are_only_the_files_that_make_it() {
        let manifest = "Manifest-Version: 1.0\r\n\r\n";
        let signature = "Signature-Version: 1.0\r\nSHA-256-Digest-Manifest: AAAA\r\n\r\n";
        let is_whole = |first: &str, last: &str| {
            let files = [
                (first, ""),
                ("META-INF/MANIFEST.MF", manifest),
                ("META-INF/X.SF", signature),
                ("META-INF/X.RSA", ""),
                (last, ""),
            ];
            let files = files.into_iter().filter(|(name, _)| !name.is_empty());
            jar_is_signed_whole(&archive(b"", &files.collect::<Vec<_>>()))
        };
        assert!(is_whole("", "").unwrap());
        assert!(is_whole("META-INF/", "a/").unwrap());
        // As whose block an entry stores it.
        assert!(is_whole("META-INF/A.EC", "").unwrap());
        assert!(is_whole("meta-inf/manifest.mf", "").is_err());
        for last in ["META-INF/SIG-EVIL.SH", "META-INF/A.EC", "META-INF/Y.DSA", "META-INF/A"] {
            assert!(!is_whole("", last).unwrap(), "{last}");
        }
    }

    #[test]
    fn what_was_added_is_not_signed() {
        let read = |name: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jar");
            std::fs::read(folder.join(name)).unwrap()
        };
        let is_whole = |archive: &[u8]| jar_is_signed_whole(archive).unwrap();
        for (name, whole) in [
            ("rsa.jar", true),
            ("ec.jar", true),
            ("md5.jar", true),
            ("bystander.jar", true),
            ("sections.jar", true),
            ("added.jar", false),
        ] {
            assert_eq!(is_whole(&read(name)), whole, "{name}");
        }
        let signed = read("rsa.jar");
        assert!(!is_whole(&[b"#!/bin/sh\n", signed.as_slice()].concat()));
        // The length of the comment is the archive's last member.
        let end = signed.len() - 2;
        assert!(!is_whole(&[&signed[..end], b"\x04\0evil"].concat()));
        assert!(!is_whole(&[signed.as_slice(), b"evil"].concat()));
        let (before, end) = signed.split_at(signed.len() - 22);
        for between in [&b"evil"[..], &[end, b"evil"].concat()] {
            let parted = [before, between, end].concat();
            assert!(!jar_is_signed_whole(&parted).unwrap_or_default());
        }
        assert!(jar_is_signed_whole(&read("unsigned.jar")).is_err());
        assert!(jar_is_signed_whole(b"evil").is_err());
    }
}
