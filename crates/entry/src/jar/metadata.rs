//! The files of `META-INF` that make a signature: manifest, signature file, signature block.
//!
//! Border: which files they are, and their bytes. Nothing is unpacked before names and sizes
//! of the whole archive are those of a JAR with one signature: a small archive can hold any
//! number of files that are large.

use std::io::Read as _;

use super::{Archive, broken, not_a_zip};
use crate::EntryError;

/// Largest file in bytes, unpacked, whatever the operator allows; four are in memory at most.
const MAX_FILE: u64 = 32 << 20;

/// What is unpacked.
pub(super) struct Metadata {
    pub(super) manifest: Vec<u8>,
    /// The only one.
    pub(super) signature_file: Vec<u8>,
    /// The block that bears the signature file's name.
    pub(super) block: Vec<u8>,
    /// The first block of the archive, which is the one to store, if it is another one.
    pub(super) first_block: Option<Vec<u8>>,
    /// Indexes of these files in the archive.
    pub(super) parts: Vec<usize>,
}

impl Metadata {
    /// Finds and unpacks the files; `max` bounds each file of `META-INF` in bytes.
    pub(super) fn read(archive: &mut Archive<'_>, max: u64) -> Result<Self, EntryError> {
        let places = Places::find(archive, max.min(MAX_FILE))?;
        let manifest = places
            .manifest
            .ok_or_else(|| EntryError::invalid("JAR contains no META-INF/MANIFEST.MF"))?;
        let (name, signature_file) = places.only_signature_file()?;
        let block = places.blocks.iter().rfind(|(base, _)| base == name);
        let block = block.map(|(_, index)| *index).ok_or_else(|| {
            EntryError::invalid(format!(
                "JAR contains sigfile META-INF/{name:.64}.SF with no matching signature"
            ))
        })?;
        let first_block = places.blocks.first().map(|(_, index)| *index);
        let first_block = first_block.filter(|first| *first != block);
        let parts = [manifest, signature_file, block].into_iter().chain(first_block).collect();
        Ok(Self {
            parts,
            manifest: unpack(archive, manifest)?,
            signature_file: unpack(archive, signature_file)?,
            block: unpack(archive, block)?,
            first_block: first_block.map(|first| unpack(archive, first)).transpose()?,
        })
    }
}

/// What a file is to the signature.
enum Part {
    Manifest,
    SignatureFile,
    Block,
}

impl Part {
    /// By name and suffix in upper case, of a file directly in `META-INF`.
    fn of(base: &str, suffix: &str) -> Option<Self> {
        match suffix {
            "MF" if base == "MANIFEST" => Some(Self::Manifest),
            "SF" => Some(Self::SignatureFile),
            "RSA" | "DSA" | "EC" => Some(Self::Block),
            _ if base.starts_with("SIG-") => Some(Self::Block),
            _ => None,
        }
    }
}

/// Name and suffix of a file directly in `META-INF`, from its path in upper case.
fn in_meta_inf(path: &str) -> Option<(&str, &str)> {
    let name = path.strip_prefix("META-INF/").filter(|name| !name.contains('/'))?;
    name.rsplit_once('.')
}

/// Indexes of the files in the archive, in its order.
#[derive(Default)]
struct Places {
    manifest: Option<usize>,
    /// By name without suffix, in upper case.
    signature_files: Vec<(String, usize)>,
    blocks: Vec<(String, usize)>,
}

impl Places {
    /// Looks at names and sizes, as the archive declares them, of the files directly in `META-INF`.
    fn find(archive: &Archive<'_>, max: u64) -> Result<Self, EntryError> {
        let mut places = Self::default();
        for index in 0..archive.len() {
            let file = archive.by_index_data(index).map_err(not_a_zip)?;
            let name = String::from_utf8_lossy(file.name_raw()).to_uppercase();
            let Some((base, suffix)) = in_meta_inf(&name) else { continue };
            let size = file.size();
            if size > max {
                return Err(EntryError::invalid(format!(
                    "uncompressed jar metadata of size {size} exceeds max allowed size {max}"
                )));
            }
            match Part::of(base, suffix) {
                // Some readers take names that differ in case for two, others for one.
                Some(Part::Manifest) if places.manifest.is_some() => {
                    return Err(EntryError::invalid("zip: two files have the same name"));
                }
                Some(Part::Manifest) => places.manifest = Some(index),
                Some(Part::SignatureFile) => places.signature_files.push((base.to_owned(), index)),
                Some(Part::Block) => places.blocks.push((base.to_owned(), index)),
                None => {}
            }
        }
        Ok(places)
    }

    fn only_signature_file(&self) -> Result<(&str, usize), EntryError> {
        match self.signature_files.as_slice() {
            [] => Err(EntryError::invalid("JAR contains no signatures")),
            [(name, index)] => Ok((name, *index)),
            _ => {
                let text = "multiple signatures detected in JAR; unable to process";
                Err(EntryError::invalid(text))
            }
        }
    }
}

/// The whole file, which must be as long as the archive says.
fn unpack(archive: &mut Archive<'_>, index: usize) -> Result<Vec<u8>, EntryError> {
    let file = archive.by_index(index).map_err(not_a_zip)?;
    let size = file.size();
    let mut content = Vec::new();
    file.take(size.saturating_add(1)).read_to_end(&mut content).map_err(broken)?;
    if content.len() as u64 != size {
        return Err(EntryError::invalid("zip: a file is not as long as it claims"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipArchive, ZipWriter};

    use super::*;

    /// An archive of files that are not compressed, each of which holds its own name.
    fn archive(names: &[&str]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for name in names {
            archive.start_file(*name, stored).unwrap();
            archive.write_all(name.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// Changes a byte of what the file holds, so that whoever unpacks it finds a wrong checksum.
    fn damage(archive: &mut [u8], name: &str) {
        let header = memchr::memmem::find(archive, name.as_bytes()).unwrap();
        archive[header + name.len()] ^= 1;
    }

    fn read(archive: &[u8], max: u64) -> Result<Metadata, String> {
        let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
        Metadata::read(&mut archive, max).map_err(|error| error.to_string())
    }

    const MANIFEST: &str = "META-INF/MANIFEST.MF";

    #[test]
    fn of_many_signature_files_none_is_unpacked() {
        let files: Vec<String> = (0..1000).map(|n| format!("META-INF/{n:05}.SF")).collect();
        let mut names = vec![MANIFEST, "META-INF/00000.RSA"];
        names.extend(files.iter().map(String::as_str));
        let mut archive = archive(&names);
        for name in names {
            damage(&mut archive, name);
        }
        let refusal = read(&archive, 1 << 20).err().unwrap();
        assert_eq!(refusal, "multiple signatures detected in JAR; unable to process");
    }

    #[test]
    fn of_many_blocks_the_signature_files_and_the_first_are_unpacked() {
        let names = ["A.EC", "MANIFEST.MF", "K.DSA", "B.RSA", "K.SF", "K.RSA", "SIG-C.X", "D.EC"];
        let names = names.map(|name| format!("META-INF/{name}"));
        let mut archive = archive(&names.each_ref().map(String::as_str));
        for name in ["META-INF/K.DSA", "META-INF/B.RSA", "META-INF/SIG-C.X", "META-INF/D.EC"] {
            damage(&mut archive, name);
        }
        let found = read(&archive, 1 << 20).unwrap();
        assert_eq!(found.manifest, MANIFEST.as_bytes());
        assert_eq!(found.signature_file, b"META-INF/K.SF");
        assert_eq!(found.block, b"META-INF/K.RSA");
        assert_eq!(found.first_block.as_deref(), Some(&b"META-INF/A.EC"[..]));
        assert_eq!(found.parts, [1, 4, 5, 0]);
        for name in [MANIFEST, "META-INF/K.SF", "META-INF/K.RSA", "META-INF/A.EC"] {
            let mut archive = archive.clone();
            damage(&mut archive, name);
            assert!(read(&archive, 1 << 20).err().unwrap().starts_with("zip: "), "{name}");
        }
    }

    #[test]
    fn the_only_block_is_unpacked_once() {
        let found = read(&archive(&[MANIFEST, "META-INF/k.sf", "META-INF/K.rsa"]), 1 << 20);
        assert_eq!(found.unwrap().first_block, None);
    }

    #[test]
    fn a_file_is_as_large_as_it_says_and_not_too_large() {
        let archive = archive(&[MANIFEST, "META-INF/K.RSA", "META-INF/K.SF"]);
        // Uncompressed size in the last file's header of the central directory.
        let header = memchr::memmem::rfind(&archive, b"PK\x01\x02").unwrap();
        for (size, max, refusal) in [
            (0, u64::MAX, "zip: "),
            (21, 20, "uncompressed jar metadata of size 21 exceeds max allowed size 20"),
            (MAX_FILE as u32, u64::MAX, "zip: "),
            (
                MAX_FILE as u32 + 1,
                u64::MAX,
                "uncompressed jar metadata of size 33554433 exceeds max allowed size 33554432",
            ),
        ] {
            let mut archive = archive.clone();
            archive[header + 24..header + 28].copy_from_slice(&size.to_le_bytes());
            let refused = read(&archive, max).err().unwrap();
            assert!(refused.starts_with(refusal), "{size} {max}: {refused}");
        }
    }
}
