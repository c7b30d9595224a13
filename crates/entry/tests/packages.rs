//! What a package may unpack to, for what is kept of it; and that it is what everybody finds in it.

use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;

use der::asn1::Any;
use der::{Encode as _, Reader as _, SliceReader, Tag, TagNumber};
use flate2::Compression;
use flate2::write::GzEncoder;
use indelible_entry::propose;
use indelible_entry::{Inputs, KeyFormat, Kind, Policy, ProposedEntry, StoredKeys, VerifiedEntry};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The entry that the log would keep, or the refusal.
fn verified(kind: Kind, package: Vec<u8>) -> Result<VerifiedEntry, String> {
    let inputs = Inputs {
        artifact: Some(package),
        artifact_hash: None,
        signature: None,
        public_keys: vec![file("alpine/2048.pub")],
        key_format: KeyFormat::X509,
        aad: None,
    };
    let proposed = ProposedEntry::from_value(propose(kind, "0.0.1", &inputs).unwrap()).unwrap();
    proposed.verify(&Policy::default(), 0).map_err(|error| error.to_string())
}

/// Bytes of its body.
fn kept(kind: Kind, package: Vec<u8>) -> Result<usize, String> {
    verified(kind, package).map(|entry| entry.body().len())
}

/// A gzip member that holds an archive of one file.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn metadata_of_alpine_do_not_swell() {
    let package = |count: usize| {
        let nothing = "datahash = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let pkginfo = format!("{nothing}\nk = {}", "\u{1}".repeat(count));
        [member(".SIGN.RSA.k", b"nobody's"), member(".PKGINFO", pkginfo.as_bytes())].concat()
    };
    // Six bytes of JSON each. The signature is looked at last.
    assert_eq!(kept(Kind::Alpine, package(10_900)).unwrap_err(), "crypto/rsa: verification error");
    let refusal = kept(Kind::Alpine, package(1_000_000)).unwrap_err();
    assert!(refusal.starts_with("6000086 bytes to be kept of a package of "), "{refusal}");
    assert!(refusal.ends_with(" bytes exceed max allowed size 65536"), "{refusal}");
}

/// The elements of a DER value that is made of others.
fn elements(der: &[u8]) -> Vec<Vec<u8>> {
    let value = der::asn1::AnyRef::try_from(der).unwrap().value();
    let mut reader = SliceReader::new(value).unwrap();
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(reader.tlv_bytes().unwrap().to_vec());
    }
    elements
}

fn tlv(tag: Tag, value: &[u8]) -> Vec<u8> {
    Any::new(tag, value).unwrap().to_der().unwrap()
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The same signature block with other fields of its SignedData.
fn block_with(block: &[u8], change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let content_info = elements(block);
    let mut signed_data = elements(&elements(&content_info[1])[0]);
    change(&mut signed_data);
    let signed_data = tlv(Tag::Sequence, &signed_data.concat());
    tlv(Tag::Sequence, &[content_info[0].clone(), tlv(context(0), &signed_data)].concat())
}

/// A signed archive with other fields in the SignedData of its signature block.
fn jar_with(change: impl Fn(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(file("jar/rsa.jar"))).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut entry = from.by_index(index).unwrap();
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if name == "META-INF/K.RSA" {
            content = block_with(&content, &change);
        }
        to.start_file(name, SimpleFileOptions::default()).unwrap();
        to.write_all(&content).unwrap();
    }
    to.finish().unwrap().into_inner()
}

#[test]
fn a_signature_block_of_a_jar_does_not_swell() {
    // A revocation list of zeros, which nobody signed.
    let jar = |count: usize| {
        jar_with(|fields| fields.insert(fields.len() - 1, tlv(context(1), &vec![0; count])))
    };
    assert!(kept(Kind::Jar, jar(30_000)).unwrap() < 70_000);
    let refusal = kept(Kind::Jar, jar(1_000_000)).unwrap_err();
    assert!(refusal.contains(" bytes to be kept of a package of "), "{refusal}");
}

#[test]
fn the_first_certificate_of_a_jar_is_one() {
    let jar = |first: &[u8]| {
        jar_with(|fields| {
            let certificates = [first, &elements(&fields[3]).concat()].concat();
            fields[3] = tlv(context(0), &certificates);
        })
    };
    kept(Kind::Jar, jar(b"")).unwrap();
    for first in [tlv(Tag::OctetString, b"anything"), tlv(Tag::Sequence, b"")] {
        let refusal = kept(Kind::Jar, jar(&first)).unwrap_err();
        assert!(refusal.starts_with("x509: malformed certificate"), "{refusal}");
    }
}

/// Nobody verifies the certificate, and the signer is named by its issuer.
#[test]
fn a_jar_is_found_by_the_address_in_its_signers_name() {
    let jar = jar_with(|fields| {
        let mut certificate = elements(&elements(&fields[3])[0]);
        let mut tbs = elements(&certificate[0]);
        let email = tlv(Tag::ObjectIdentifier, b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01");
        let email = [email, tlv(Tag::Ia5String, b"Signer@example.com")].concat();
        tbs[5] = tlv(Tag::Sequence, &tlv(Tag::Set, &tlv(Tag::Sequence, &email)));
        certificate[0] = tlv(Tag::Sequence, &tbs.concat());
        fields[3] = tlv(context(0), &tlv(Tag::Sequence, &certificate.concat()));
    });
    let verified = verified(Kind::Jar, jar).unwrap();
    let stored = StoredKeys::of(verified.body(), None).unwrap().certain;
    for address in ["signer@example.com", "dev@example.com"].map(str::to_owned) {
        assert!(verified.index_keys().contains(&address), "{address}");
        assert!(stored.contains(&address), "{address}");
    }
}

/// An archive's local headers and data, and its directory's headers.
struct Parts {
    locals: Vec<u8>,
    headers: Vec<Vec<u8>>,
}

impl Parts {
    fn of(archive: &[u8]) -> Self {
        let number = |at: usize| u32::from_le_bytes(*archive[at..].first_chunk().unwrap()) as usize;
        let end = archive.len() - 22;
        let mut at = number(end + 16);
        let locals = archive[..at].to_vec();
        let mut headers = Vec::new();
        while at < end {
            let lengths = [28, 30, 32].map(|length| number(at + length) & 0xffff);
            let next = at + 46 + lengths.iter().sum::<usize>();
            headers.push(archive[at..next].to_vec());
            at = next;
        }
        Self { locals, headers }
    }

    /// One more file.
    fn add(&mut self, name: &str, content: &[u8]) {
        let mut other = ZipWriter::new(Cursor::new(Vec::new()));
        other.start_file(name, SimpleFileOptions::default()).unwrap();
        other.write_all(content).unwrap();
        let mut other = Self::of(&other.finish().unwrap().into_inner());
        let start = u32::try_from(self.locals.len()).unwrap();
        other.headers[0][42..46].copy_from_slice(&start.to_le_bytes());
        self.locals.append(&mut other.locals);
        self.headers.append(&mut other.headers);
    }

    /// The archive, whose end counts that many files.
    fn counted(&self, count: usize) -> Vec<u8> {
        let directory = self.headers.concat();
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend([count, count].iter().flat_map(|n| u16::try_from(*n).unwrap().to_le_bytes()));
        let places = [directory.len(), self.locals.len()];
        end.extend(places.iter().flat_map(|n| u32::try_from(*n).unwrap().to_le_bytes()));
        [&self.locals, &directory, &end[..], b"\0\0"].concat()
    }
}

/// The header of a file with another name, and its old one, or another one, in an Info-ZIP Unicode Path Extra Field
/// (APPNOTE.TXT section 4.6.9).
fn renamed(header: &[u8], name: &str, old: Option<&str>) -> Vec<u8> {
    let length = usize::from(u16::from_le_bytes([header[28], header[29]]));
    let old = old.map_or(&header[46..46 + length], str::as_bytes);
    let mut crc = flate2::Crc::new();
    crc.update(name.as_bytes());
    let short = |length: usize| u16::try_from(length).unwrap().to_le_bytes();
    let field = [b"\x75\x70", &short(5 + old.len())[..], b"\x01", &crc.sum().to_le_bytes(), old];
    let field = field.concat();
    let lengths = [short(name.len()), short(field.len()), [0; 2]].concat();
    [&header[..28], &lengths, &header[34..46], name.as_bytes(), &field].concat()
}

#[test]
fn every_reader_of_a_jar_finds_the_files_that_were_verified() {
    let refusal = Err("zip: the directory can be read in several ways".to_owned());
    let evil = b"Manifest-Version: 1.0\r\nMain-Class: Evil\r\n\r\n".as_slice();
    let mut signed = Parts::of(&file("jar/rsa.jar"));
    let count = signed.headers.len();
    let whole = kept(Kind::Jar, signed.counted(count)).unwrap();

    // Some read the extra field.
    let mut other = Parts { locals: signed.locals.clone(), headers: Vec::new() };
    for (index, header) in signed.headers.iter().enumerate() {
        other.headers.push(renamed(header, &format!("x{index}"), None));
    }
    other.add("META-INF/MANIFEST.MF", evil);
    other.headers[count] = renamed(&other.headers[count], "META-INF/MANIFEST.MF", Some("z"));
    assert_eq!(kept(Kind::Jar, other.counted(count + 1)), refusal);

    let name = "META-INF/MANIFEST.MF";
    let is_manifest = |header: &&mut Vec<u8>| header[46..].starts_with(name.as_bytes());

    // To some a name is another one in lower case.
    let mut other = Parts { locals: signed.locals.clone(), headers: signed.headers.clone() };
    let manifest = other.headers.iter_mut().find(is_manifest).unwrap();
    manifest[46..46 + name.len()].make_ascii_lowercase();
    assert_eq!(kept(Kind::Jar, other.counted(count)).map(drop), Ok(()));
    other.add(name, evil);
    let twice = Err("zip: two files have the same name".to_owned());
    assert_eq!(kept(Kind::Jar, other.counted(count + 1)), twice);

    // It may say the same.
    let manifest = signed.headers.iter_mut().find(is_manifest).unwrap();
    *manifest = renamed(manifest, name, None);
    assert_eq!(kept(Kind::Jar, signed.counted(count)), Ok(whole));

    // Some read on behind the last file that is counted.
    signed.add("Evil.class", evil);
    assert_eq!(kept(Kind::Jar, signed.counted(count)), refusal);
    assert_eq!(kept(Kind::Jar, signed.counted(count + 1)), Ok(whole));
}
