//! Alpine packages, version 2: three gzip members (signature, control, data), the first
//! two holding tar archives.
//!
//! Border: member boundaries, the two files that matter and the digests that bind the
//! members. Whose key it is, and what an entry keeps, is the kind's affair.

mod pkginfo;

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::EntryError;
use crate::pem;

/// Unpacked bytes of the signature member and of each metadata file when the operator sets no
/// limit.
const MAX_METADATA: u64 = 20 << 20;
/// Unpacked bytes of the control member: a bound on work, and on memory, because the archive's
/// reader collects the records of long names. Rekor has none.
const MAX_CONTROL_MEMBER: u64 = 32 << 20;
/// Files in one of the two archives.
const MAX_FILES: usize = 4_096;

/// What a package says and what it is signed over.
#[derive(Debug)]
pub(crate) struct Apk {
    /// The signature over [`control_sha1`](Self::control_sha1).
    pub(crate) signature: Vec<u8>,
    /// SHA-1 of the packed control member.
    pub(crate) control_sha1: Vec<u8>,
    /// The keys of `.PKGINFO`.
    pub(crate) pkginfo: BTreeMap<String, String>,
}

impl Apk {
    /// Reads a package and checks that its data are those that `.PKGINFO` names.
    /// `max_metadata` bounds the signature member and each of the two files, in bytes.
    pub(crate) fn parse(package: &[u8], max_metadata: u64) -> Result<Self, EntryError> {
        let max_metadata = max_metadata.min(MAX_METADATA);
        let (signature, after_signature) = signature_member(package, max_metadata)?;
        let (control, data) = member(after_signature, MAX_CONTROL_MEMBER, "control")?;
        let pkginfo = find_pkginfo(control, max_metadata)?;
        let pkginfo = pkginfo::parse(&pkginfo)
            .map_err(|error| EntryError::invalid(format!("parsing .PKGINFO: {error}")))?;
        check_data(&pkginfo, data)?;
        Ok(Self { signature, control_sha1: Sha1::digest(control).to_vec(), pkginfo })
    }
}

fn signature_member(package: &[u8], max: u64) -> Result<(Vec<u8>, &[u8]), EntryError> {
    let (packed, rest) = member(package, max, "signature")?;
    let found = files(packed, |name| name.starts_with(b".SIGN"), true, ".SIGN", max)?;
    let signature =
        found.ok_or_else(|| EntryError::invalid("no signature detected in alpine package"))?;
    let unwrapped = pem::decode(&signature).map(|(block, _)| block.bytes);
    Ok((unwrapped.unwrap_or(signature), rest))
}

/// The bytes of one gzip member, and those behind it. What the member holds is only counted:
/// a few bytes may unpack to a thousand times as many.
fn member<'a>(package: &'a [u8], max: u64, name: &str) -> Result<(&'a [u8], &'a [u8]), EntryError> {
    let mut decoder = GzDecoder::new(package);
    let unpacked = io::copy(&mut (&mut decoder).take(max + 1), &mut io::sink());
    let size = unpacked.map_err(|error| {
        EntryError::invalid(match name {
            "signature" if decoder.header().is_none() => format!("create gzip reader: {error}"),
            _ if decoder.header().is_none() => format!("resetting to {name}.tar.gz: {error}"),
            _ => format!("reading {name}.tar.gz: {error}"),
        })
    })?;
    if size > max {
        return Err(EntryError::invalid(format!(
            "decompressed size ({size}) for {name}.tar.gz exceeds max allowed size {max}"
        )));
    }
    Ok(package.split_at(package.len() - decoder.into_inner().len()))
}

fn find_pkginfo(control: &[u8], max: u64) -> Result<Vec<u8>, EntryError> {
    let found = files(control, |name| name == b".PKGINFO", false, ".PKGINFO", max)?;
    found.ok_or_else(|| EntryError::invalid(".PKGINFO file was not located"))
}

/// The first or last file whose name matches, of the archive in a gzip member. It is unpacked
/// once more, and only what matches is held in memory.
fn files(
    packed: &[u8],
    matches: impl Fn(&[u8]) -> bool,
    first: bool,
    label: &str,
    max: u64,
) -> Result<Option<Vec<u8>>, EntryError> {
    let malformed = |error: io::Error| {
        EntryError::invalid(format!("getting next entry in tar archive: {error}"))
    };
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    let mut found = None;
    for (count, entry) in archive.entries().map_err(malformed)?.enumerate() {
        if count == MAX_FILES {
            let text = format!("more than {MAX_FILES} files beside {label}");
            return Err(EntryError::invalid(text));
        }
        let mut entry = entry.map_err(malformed)?;
        if !matches(&entry.path_bytes()) || (first && found.is_some()) {
            continue;
        }
        let size = entry.size();
        if size > max {
            return Err(EntryError::invalid(format!(
                "uncompressed {label} file size {size} exceeds max allowed size {max}"
            )));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(malformed)?;
        found = Some(content);
    }
    Ok(found)
}

fn check_data(pkginfo: &BTreeMap<String, String>, data: &[u8]) -> Result<(), EntryError> {
    let claimed = pkginfo.get("datahash").map_or("", String::as_str);
    let decoded = hex::decode(claimed)
        .map_err(|error| EntryError::invalid(format!("parsing datahash: {error}")))?;
    let computed = Sha256::digest(data);
    if decoded != computed.as_slice() {
        return Err(EntryError::invalid(format!(
            "checksum for data.tar.gz ({}) does not match value from .PKGINFO ({})",
            hex::encode(computed),
            claimed.to_lowercase(),
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A gzip member that holds an archive of these files.
    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, *content).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    /// A package with this control member, without limits of the operator's.
    fn parse(control: &[u8]) -> Result<Apk, String> {
        let package = [&packed(&[(".SIGN.RSA.k", b"signature")]), control, b"data"].concat();
        Apk::parse(&package, u64::MAX).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_found_among_others_and_the_last_metadata_count() {
        let pkginfo = format!("pkgname = b\ndatahash = {}\n", hex::encode(Sha256::digest(b"data")));
        let script = vec![b'#'; 1 << 20];
        let control = packed(&[
            (".PKGINFO", b"pkgname = a\n"),
            (".post-install", &script),
            (".PKGINFO", pkginfo.as_bytes()),
            (".post-upgrade", &script),
        ]);
        let apk = parse(&control).unwrap();
        assert_eq!(
            (apk.signature.as_slice(), apk.pkginfo["pkgname"].as_str()),
            (&b"signature"[..], "b")
        );
        assert_eq!(apk.control_sha1, Sha1::digest(&control).to_vec());
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let zeros = vec![0; usize::try_from(MAX_CONTROL_MEMBER).unwrap() + 1];
        let metadata = &zeros[..=usize::try_from(MAX_METADATA).unwrap()];
        let mut member = GzEncoder::new(Vec::new(), Compression::fast());
        member.write_all(&zeros).unwrap();
        for (control, refusal) in [
            (
                member.finish().unwrap(),
                "decompressed size (33554433) for control.tar.gz exceeds max allowed size 33554432",
            ),
            (
                packed(&[(".PKGINFO", metadata)]),
                "uncompressed .PKGINFO file size 20971521 exceeds max allowed size 20971520",
            ),
        ] {
            assert_eq!(parse(&control).err().as_deref(), Some(refusal));
        }
    }
}
