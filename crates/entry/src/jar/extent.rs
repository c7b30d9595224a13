//! How much of an archive its signature covers.
//!
//! Border: names and places. Whether the digests hold is told by [`SignedJar`](super::SignedJar); whoever
//! asks here knows it of these very bytes.

use std::io::Cursor;

use zip::ZipArchive;

use super::manifest::{Digests, Manifest};
use super::metadata::{Metadata, is_of_signature};
use super::{Archive, not_a_zip};
use crate::EntryError;

/// Bytes of the record that ends an archive without comment.
const END: usize = 22;

/// Whether a signed JAR has no file but those that are signed and the signature's own, and nothing
/// before or behind the archive. Logs take JARs with more in them, which may be anybody's.
///
/// # Errors
/// [`EntryError`] for anything else than an archive with one signature.
pub fn jar_is_signed_whole(bytes: &[u8]) -> Result<bool, EntryError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_zip)?;
    if archive.has_duplicate_names() || !fills(&archive, bytes) {
        return Ok(false);
    }
    let metadata = Metadata::read(&mut archive, u64::MAX)?;
    let manifest = Manifest::parse(&metadata.manifest).map_err(EntryError::invalid)?;
    let signed = Manifest::parse(&metadata.signature_file).map_err(EntryError::invalid)?;
    let whole = Digests::optional(&signed.main, "-DIGEST-MANIFEST").map_err(EntryError::invalid)?;
    let is_signed = |name: &[u8]| {
        // Of a file with a digester of its own no digest was looked at.
        let listed = manifest.sections.get(name);
        listed.is_some_and(|section| section.attribute("MAGIC").is_none())
            && (whole.is_some() || signed.sections.contains_key(name))
    };
    let mut first = u64::MAX;
    for index in 0..archive.len() {
        let file = archive.by_index_data(index).map_err(not_a_zip)?;
        let name = file.name_raw();
        let is_folder = name.ends_with(b"/") && file.size() == 0;
        if !is_folder && !is_of_signature(name) && !is_signed(name) {
            return Ok(false);
        }
        first = first.min(file.header_start());
    }
    // An archive may count what stands before it as its own.
    Ok(first == 0)
}

/// Whether the archive begins and ends with the bytes: no other one before it, no comment, and
/// nothing behind its end (APPNOTE.TXT section 4.3.16) or between directory and end.
fn fills(archive: &Archive<'_>, bytes: &[u8]) -> bool {
    let Some((before, end)) = bytes.split_last_chunk::<END>() else { return false };
    let [.., a, b, c, d, _, _, _, _, _, _] = *end;
    let directory = u64::from(u32::from_le_bytes([a, b, c, d]));
    archive.offset() == 0
        && archive.comment().is_empty()
        && end.starts_with(b"PK\x05\x06")
        && archive.central_directory_start() + directory == before.len() as u64
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
        assert!(!is_whole("", &sections, "Magic: x\r\n"));
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
        let (before, end) = signed.split_at(signed.len() - END);
        for between in [&b"evil"[..], &[end, b"evil"].concat()] {
            let parted = [before, between, end].concat();
            assert!(!jar_is_signed_whole(&parted).unwrap_or_default());
        }
        assert!(jar_is_signed_whole(&read("unsigned.jar")).is_err());
        assert!(jar_is_signed_whole(b"evil").is_err());
    }
}
