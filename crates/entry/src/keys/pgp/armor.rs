//! ASCII armor (RFC 9580 section 6): the reader's leniency is the reference's, the writer's output is stored.
//!
//! Border: lines and base64. Checksums are written and never checked, as the reference does.

use crate::base64;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Longest line of a block's content, white space not counted.
const MAX_LINE: usize = 96;

/// A block that was found.
#[derive(Debug)]
pub(super) struct Block {
    /// The words of the BEGIN line, for example `PGP SIGNATURE`.
    pub(super) label: Vec<u8>,
    /// The decoded content; `None` if a line is too long or no base64.
    pub(super) content: Option<Vec<u8>>,
}

/// Finds the first block; text before it is ignored. `None` when there is none.
pub(super) fn decode(text: &[u8]) -> Option<Block> {
    let mut rest = text;
    loop {
        let line = next_line(&mut rest)?.trim_ascii();
        if line.len() <= BEGIN.len() + DASHES.len() || !line.starts_with(BEGIN) {
            continue;
        }
        let label = &line[BEGIN.len()..line.len() - DASHES.len()];
        if skip_headers(&mut rest)? {
            return Some(Block { label: label.to_vec(), content: content(rest) });
        }
    }
}

/// Reads up to the empty line that ends the headers; `false` if something else comes first, and then this is no block.
fn skip_headers(rest: &mut &[u8]) -> Option<bool> {
    loop {
        let line = next_line(rest)?.trim_ascii();
        if line.is_empty() {
            return Some(true);
        }
        if !line.contains(&b':') {
            return Some(false);
        }
    }
}

/// Decodes lines up to a checksum, an END line, or the end of the text.
fn content(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut packed = Vec::new();
    while let Some(line) = next_line(&mut rest) {
        let line = line.trim_ascii();
        if line.starts_with(END) || (line.len() == 5 && line[0] == b'=') {
            break;
        }
        if line.len() > MAX_LINE {
            return None;
        }
        packed.extend_from_slice(line);
    }
    base64::decode(&packed).ok()
}

/// Splits off a line without its LF.
pub(super) fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let at = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..at];
    *rest = rest.get(at + 1..).unwrap_or_default();
    Some(line)
}

/// Writes a block in the stored form: no headers, 64 columns, checksum, **no** final newline.
pub(super) fn encode(label: &str, content: &[u8]) -> Vec<u8> {
    let text = base64::encode(content);
    let mut out = Vec::with_capacity(text.len() + text.len() / 64 + 2 * label.len() + 40);
    for part in ["-----BEGIN ", label, "-----\n\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (number, line) in text.as_bytes().chunks(64).enumerate() {
        if number > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(line);
    }
    let checksum = base64::encode(&crc24(content).to_be_bytes()[1..]);
    for part in ["\n=", &checksum, "\n-----END ", label, "-----"] {
        out.extend_from_slice(part.as_bytes());
    }
    out
}

/// The checksum of section 6.1.1.
fn crc24(content: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce_u32;
    for byte in content {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        // Lengths around full lines; gpg --enarmor writes the same checksum for "abc".
        for length in [0, 1, 47, 48, 49, 95, 96, 97] {
            let content = vec![0xa5; length];
            let text = encode("PGP SIGNATURE", &content);
            assert!(text.ends_with(b"\n-----END PGP SIGNATURE-----"));
            let block = decode(&text).unwrap();
            assert_eq!(block.label, b"PGP SIGNATURE");
            assert_eq!(block.content, Some(content));
        }
        let text = encode("X", b"abc");
        assert_eq!(text, b"-----BEGIN X-----\n\nYWJj\n=uhx7\n-----END X-----");
    }

    #[test]
    fn headers_text_before_and_white_space_are_tolerated() {
        let text = b"noise\n-----BEGIN broken-----\nYWJj\n-----BEGIN A B-----\r\nVersion: 1\r\n \r\n YW\r\nJj \nre st";
        assert_eq!(decode(text).unwrap().content, None);
        let text =
            b"noise\r\n  -----BEGIN A B-----\r\nVersion: 1\r\n \r\n YW\r\nJj \n\n-----END A B-----\nmore";
        let block = decode(text).unwrap();
        assert_eq!((block.label.as_slice(), block.content), (&b"A B"[..], Some(b"abc".to_vec())));
        assert!(decode(b"-----BEGIN A-----\nYWJj\n-----END A-----").is_none());
        assert!(decode(b"-----BEGIN A-----\n").is_none());
    }

    #[test]
    fn broken_content_is_found_and_empty_of_bytes() {
        for content in ["YW Jj", "YWJ", "YW==YWJj", &"YWJj".repeat(25)] {
            let text = format!("-----BEGIN A-----\n\n{content}\n-----END A-----\n");
            assert_eq!(decode(text.as_bytes()).unwrap().content, None, "{content}");
        }
    }
}
