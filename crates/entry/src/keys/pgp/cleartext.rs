//! The cleartext signature framework (RFC 9580 section 7), as the reference reads it.
//!
//! Border: what was written and what was signed; verifying is not done here.

use super::armor;

const START: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END: &[u8] = b"\n-----END PGP SIGNATURE-----";

/// Hash names that a header may announce; what is announced is not compared with the signature.
const HASHES: [&str; 9] =
    ["MD5", "SHA1", "RIPEMD160", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-512"];

/// A text with its signature.
#[derive(Debug)]
pub(crate) struct SignedText {
    /// The text: dash escapes and blanks at line ends removed, lines separated by LF, no line end behind the last.
    pub(crate) plaintext: Vec<u8>,
    /// What the signature covers: the same lines separated by CRLF.
    pub(crate) signed: Vec<u8>,
    /// The signature packets; `None` if they are no base64.
    pub(crate) signature: Option<Vec<u8>>,
}

/// Finds the first signed text; what is before it is ignored.
pub(crate) fn decode(data: &[u8]) -> Option<SignedText> {
    let mut rest = if data.starts_with(START) {
        &data[START.len()..]
    } else {
        let start = [b"\n", START].concat();
        &data[memchr::memmem::find(data, &start)? + start.len()..]
    };
    if !line(&mut rest)?.is_empty() {
        return None;
    }
    read_headers(&mut rest)?;
    let (mut plaintext, mut signed) = (Vec::new(), Vec::new());
    let mut first = true;
    loop {
        let before = rest;
        let text = line(&mut rest)?;
        if text == SIGNATURE {
            rest = before;
            break;
        }
        if text.is_empty() && rest.is_empty() {
            return None;
        }
        if !first {
            signed.extend_from_slice(b"\r\n");
            plaintext.push(b'\n');
        }
        first = false;
        let text = trim_blanks(text.strip_prefix(b"- ").unwrap_or(text));
        signed.extend_from_slice(text);
        plaintext.extend_from_slice(text);
    }
    if first {
        return None;
    }
    let end = memchr::memmem::find(rest, END)? + END.len();
    let signature = armor::decode(&rest[..end])?.content;
    Some(SignedText { plaintext, signed, signature })
}

/// Reads `Hash` headers up to the empty line behind them; others are refused.
fn read_headers(rest: &mut &[u8]) -> Option<()> {
    loop {
        if rest.is_empty() {
            return None;
        }
        let header = line(rest)?;
        if header.trim_ascii().is_empty() {
            return Some(());
        }
        if !header.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return None;
        }
        let (name, values) = std::str::from_utf8(header).ok()?.split_once(':')?;
        let known = |value: &str| HASHES.contains(&value.trim().to_ascii_uppercase().as_str());
        if name.trim() != "Hash" || !values.split(',').all(known) {
            return None;
        }
    }
}

/// Splits off a line without its LF or CRLF; at the end of the data it is empty.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let line = armor::next_line(rest).unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

fn trim_blanks(mut line: &[u8]) -> &[u8] {
    while let [head @ .., b' ' | b'\t'] = line {
        line = head;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "-----BEGIN PGP SIGNATURE-----\n\nYWJj\n-----END PGP SIGNATURE-----\n";

    fn text(body: &str) -> Option<SignedText> {
        decode(format!("-----BEGIN PGP SIGNED MESSAGE-----\n{body}{TAIL}").as_bytes())
    }

    #[test]
    fn escapes_and_blanks_are_undone() {
        let found = text("Hash: SHA512, sha256\n\n- -a \t\nb\r\n\n").unwrap();
        assert_eq!(found.plaintext, b"-a\nb\n");
        assert_eq!(found.signed, b"-a\r\nb\r\n");
        assert_eq!(found.signature.as_deref(), Some(&b"abc"[..]));
        let before = format!("noise\n-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n{TAIL}");
        assert_eq!(decode(before.as_bytes()).unwrap().plaintext, b"x");
    }

    #[test]
    fn what_is_no_signed_text_is_refused() {
        for body in
            ["Comment: x\n\na\n", "Hash: X\n\na\n", "Hash SHA1\n\na\n", "\u{e9}: x\n\na\n", "\n"]
        {
            assert!(text(body).is_none(), "{body:?}");
        }
        assert!(decode(b"").is_none());
        assert!(decode(b"-----BEGIN PGP SIGNED MESSAGE-----\n\nno signature\n").is_none());
        assert!(decode(b"-----BEGIN PGP SIGNED MESSAGE----- \n\n").is_none());
    }
}
