//! Alpine packages, version 2: three gzip members (signature, control, data), the first
//! two holding tar archives.
//!
//! Border: member boundaries, the two files that matter and the digests that bind the
//! members. Whose key it is, and what an entry keeps, is the kind's affair.

mod pkginfo;

use std::collections::BTreeMap;
use std::io::Read;

use flate2::bufread::GzDecoder;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::EntryError;
use crate::pem;

/// Unpacked bytes of the signature member when the operator sets no limit.
const MAX_SIGNATURE_MEMBER: u64 = 20 << 20;
/// Unpacked bytes of the control member: a bound on work, Rekor has none.
const MAX_CONTROL_MEMBER: u64 = 256 << 20;
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
        let (signature, after_signature) = signature_member(package, max_metadata)?;
        let (control, data) = member(after_signature, MAX_CONTROL_MEMBER, "control")?;
        let packed_control = &after_signature[..after_signature.len() - data.len()];
        let pkginfo = find_pkginfo(&control, max_metadata)?;
        let pkginfo = pkginfo::parse(&pkginfo)
            .map_err(|error| EntryError::invalid(format!("parsing .PKGINFO: {error}")))?;
        check_data(&pkginfo, data)?;
        Ok(Self { signature, control_sha1: Sha1::digest(packed_control).to_vec(), pkginfo })
    }
}

fn signature_member(package: &[u8], max: u64) -> Result<(Vec<u8>, &[u8]), EntryError> {
    let limit = max.min(MAX_SIGNATURE_MEMBER);
    let (archive, rest) = member(package, limit, "signature")?;
    let found = files(&archive, |name| name.starts_with(b".SIGN"), true, ".SIGN", max)?;
    let signature =
        found.ok_or_else(|| EntryError::invalid("no signature detected in alpine package"))?;
    let unwrapped = pem::decode(&signature).map(|(block, _)| block.bytes);
    Ok((unwrapped.unwrap_or(signature), rest))
}

/// Unpacks one gzip member and gives what follows it.
fn member<'a>(packed: &'a [u8], limit: u64, name: &str) -> Result<(Vec<u8>, &'a [u8]), EntryError> {
    let mut decoder = GzDecoder::new(packed);
    let mut unpacked = Vec::new();
    let read = (&mut decoder).take(limit.saturating_add(1)).read_to_end(&mut unpacked);
    read.map_err(|error| {
        EntryError::invalid(match name {
            "signature" if decoder.header().is_none() => format!("create gzip reader: {error}"),
            _ if decoder.header().is_none() => format!("resetting to {name}.tar.gz: {error}"),
            _ => format!("reading {name}.tar.gz: {error}"),
        })
    })?;
    let size = unpacked.len() as u64;
    if size > limit {
        return Err(EntryError::invalid(format!(
            "decompressed size ({size}) for {name}.tar.gz exceeds max allowed size {limit}"
        )));
    }
    Ok((unpacked, decoder.into_inner()))
}

fn find_pkginfo(control: &[u8], max: u64) -> Result<Vec<u8>, EntryError> {
    let found = files(control, |name| name == b".PKGINFO", false, ".PKGINFO", max)?;
    found.ok_or_else(|| EntryError::invalid(".PKGINFO file was not located"))
}

/// The first or last file whose name matches.
fn files(
    archive: &[u8],
    matches: impl Fn(&[u8]) -> bool,
    first: bool,
    label: &str,
    max: u64,
) -> Result<Option<Vec<u8>>, EntryError> {
    let malformed = |error: std::io::Error| {
        EntryError::invalid(format!("getting next entry in tar archive: {error}"))
    };
    let mut archive = tar::Archive::new(archive);
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
