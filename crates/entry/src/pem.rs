//! PEM as the reference server reads and writes it.
//!
//! Lives here: finding the next block in hostile bytes, and the one writer whose output is stored ("PEM64": 64 columns,
//! LF, final newline). Not here: what a label means, or the DER inside.
//!
//! The reader is lenient: text before a block, RFC 1421 headers, CRLF, spaces and any line width are accepted. A block that
//! does not hold together (labels differ, text after the last dashes, bad base64) is skipped, and the search goes on behind
//! its END line. No byte is read by more than one block, so the work is linear in the input.

use crate::base64;
use memchr::memmem;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// One PEM block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The words between `BEGIN` and the dashes, for example `PUBLIC KEY`; bytes that are not UTF-8 are replaced.
    pub label: String,
    /// The decoded content.
    pub bytes: Vec<u8>,
}

/// Finds the first block of `data` and returns it with the bytes after its END line; `None` when there is no block.
pub fn decode(data: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = data;
    loop {
        // The first END line and the last BEGIN line before it: repeated BEGIN lines without an END are skipped.
        let end = memmem::find(rest, END)?;
        let after_end = &rest[end + END.len()..];
        if let Some(begin) = memmem::rfind(&rest[..end], BEGIN)
            && (begin == 0 || rest[begin - 1] == b'\n')
        {
            match read_block(&rest[begin + BEGIN.len()..], end - begin - BEGIN.len()) {
                Outcome::Found(block, rest) => return Some((block, rest)),
                Outcome::Nothing => return None,
                Outcome::Skip => {}
            }
        }
        rest = after_end;
    }
}

enum Outcome<'a> {
    Found(Block, &'a [u8]),
    /// The block is broken: look behind its END line.
    Skip,
    /// The data ends inside the headers: there is no block at all.
    Nothing,
}

/// Reads a block from the byte after `-----BEGIN `; `end` is the offset there of the newline before `-----END `.
fn read_block(data: &[u8], end: usize) -> Outcome<'_> {
    let (type_line, mut rest, consumed) = line(data);
    let Some(label) = type_line.strip_suffix(DASHES) else {
        return Outcome::Skip;
    };
    // For an empty block the END line's newline is the one that ends the type line, hence the signed arithmetic.
    let mut end = end as isize - consumed as isize;
    loop {
        if rest.is_empty() {
            return Outcome::Nothing;
        }
        let (text, next, consumed) = line(rest);
        if !text.contains(&b':') {
            break;
        }
        rest = next;
        end -= consumed as isize;
        if end < 0 {
            // The END line itself looked like a header; reading on would only make the work quadratic.
            return Outcome::Skip;
        }
    }
    let Some(trailer) =
        usize::try_from(end + END.len() as isize).ok().and_then(|at| rest.get(at..))
    else {
        return Outcome::Skip;
    };
    let Some(after) = trailer.strip_prefix(label).and_then(|t| t.strip_prefix(DASHES)) else {
        return Outcome::Skip;
    };
    let (remainder, after, _) = line(after);
    if !remainder.is_empty() {
        return Outcome::Skip;
    }
    let content = usize::try_from(end).map_or(&[][..], |end| &rest[..end]);
    let Some(bytes) = decode_content(content) else {
        return Outcome::Skip;
    };
    Outcome::Found(Block { label: String::from_utf8_lossy(label).into_owned(), bytes }, after)
}

fn decode_content(content: &[u8]) -> Option<Vec<u8>> {
    if content.iter().any(|b| *b == b' ' || *b == b'\t') {
        let packed: Vec<u8> =
            content.iter().copied().filter(|b| *b != b' ' && *b != b'\t').collect();
        return base64::decode(&packed).ok();
    }
    base64::decode(content).ok()
}

/// Splits off one line (LF or CRLF, trailing blanks dropped); also returns how many bytes it took.
fn line(data: &[u8]) -> (&[u8], &[u8], usize) {
    let (mut text, consumed) = match memchr::memchr(b'\n', data) {
        Some(at) => (data[..at].strip_suffix(b"\r").unwrap_or(&data[..at]), at + 1),
        None => (data, data.len()),
    };
    while let [head @ .., b' ' | b'\t'] = text {
        text = head;
    }
    (text, &data[consumed..], consumed)
}

/// Writes one block in the stored form: 64 columns, LF line ends, final newline.
pub fn encode(label: &str, bytes: &[u8]) -> String {
    let text = base64::encode(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / 64 + 2 * label.len() + 40);
    for part in ["-----BEGIN ", label, "-----\n"] {
        out.push_str(part);
    }
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.len().min(64));
        out.push_str(head);
        out.push('\n');
        rest = tail;
    }
    for part in ["-----END ", label, "-----\n"] {
        out.push_str(part);
    }
    out
}

/// Drops white space at both ends (Unicode's White_Space property), as the reference does before it looks for blocks.
pub fn trim(mut data: &[u8]) -> &[u8] {
    loop {
        let text = match std::str::from_utf8(&data[..data.len().min(4)]) {
            Ok(text) => text,
            Err(e) => std::str::from_utf8(&data[..e.valid_up_to()]).unwrap_or_default(),
        };
        match text.chars().next() {
            Some(c) if c.is_whitespace() => data = &data[c.len_utf8()..],
            _ => break,
        }
    }
    loop {
        let last = (1..=4.min(data.len())).find_map(|n| {
            let text = std::str::from_utf8(&data[data.len() - n..]).ok()?;
            text.chars().next_back()
        });
        match last {
            Some(c) if c.is_whitespace() => data = &data[..data.len() - c.len_utf8()],
            _ => return data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Block {
        let (block, rest) = decode(text.as_bytes()).unwrap();
        assert!(rest.is_empty(), "{rest:?}");
        block
    }

    #[test]
    fn writer_breaks_at_64_and_reader_returns_the_bytes() {
        for len in [0, 1, 47, 48, 49, 96, 97] {
            let bytes: Vec<u8> = (0..len).collect();
            let text = encode("X", &bytes);
            assert!(text.lines().all(|l| l.len() <= 64) && text.ends_with("-----END X-----\n"));
            assert_eq!(only(&text), Block { label: "X".into(), bytes });
        }
    }

    #[test]
    fn leading_text_headers_crlf_blanks_and_odd_widths_disappear() {
        let text = "hello\n-----BEGIN X----- \r\nProc-Type: 4\r\nA: b\r\n\r\naGVs\r\n bG8=\t\r\n-----END X-----  \r\n";
        assert_eq!(only(text).bytes, b"hello");
        assert_eq!(only("-----BEGIN X-----\na\nG\nVsbG8=\n-----END X-----").bytes, b"hello");
    }

    #[test]
    fn text_after_the_block_is_handed_back() {
        let (block, rest) = decode(b"-----BEGIN A-----\nAA==\n-----END A-----\nmore").unwrap();
        assert_eq!((block.label.as_str(), rest), ("A", &b"more"[..]));
    }

    #[test]
    fn broken_blocks_are_skipped() {
        let good = "-----BEGIN B-----\nAA==\n-----END B-----\n";
        for broken in [
            "-----BEGIN A-----\nAA==\n-----END C-----\n",
            "-----BEGIN A-----\nA*==\n-----END A-----\n",
            "-----BEGIN A-----\nAA==\n-----END A----- junk\n",
            "-----BEGIN A\nAA==\n-----END A-----\n",
            "x-----BEGIN A-----\nAA==\n-----END A-----\n",
            "-----BEGIN A-----\n-----BEGIN A-----\nAA==\n-----END X-----\n",
        ] {
            assert_eq!(only(&format!("{broken}{good}")).label, "B", "{broken}");
            assert_eq!(decode(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn empty_blocks_count() {
        assert_eq!(only("-----BEGIN A-----\n-----END A-----").bytes, b"");
        assert_eq!(only("-----BEGIN A-----\n\n-----END A-----").bytes, b"");
        assert_eq!(decode(b"-----BEGIN A-----\nH: x\n-----END A-----\n"), None);
    }

    #[test]
    fn labels_that_look_like_headers_do_not_make_the_work_quadratic() {
        let mut text = "-----BEGIN a:-----\n-----END a:-----\n".repeat(100_000);
        assert_eq!(decode(text.as_bytes()), None);
        text.push_str("-----BEGIN B-----\nAA==\n-----END B-----\n");
        assert_eq!(only(&text).label, "B");
    }

    #[test]
    fn nothing_is_found_in_junk() {
        for text in [
            "",
            "\n-----END ",
            "-----BEGIN A-----",
            "-----BEGIN A-----\nH: x",
            "-----BEGIN -----END ",
            "\n\n\n",
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn trim_knows_unicode_space_and_survives_broken_utf8() {
        assert_eq!(trim("\u{a0}\r\n x \u{2003}\u{85}".as_bytes()), b"x");
        assert_eq!(trim(b"\xff \xff"), b"\xff \xff");
        assert_eq!(trim(b" \t"), b"");
    }
}
