//! The text of `.PKGINFO`, read by the rules of the INI dialect that Rekor reads it by.
//!
//! Border: lines to keys and values of the unnamed section. Each rule decides bytes of a
//! leaf: comments cut values, quotation marks vanish, a repeated key keeps its last value.

use std::collections::BTreeMap;

use crate::utf8;

const DEFAULT_SECTION: &str = "DEFAULT";

/// What is wrong with the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PkginfoError {
    #[error("unclosed section: {0}")]
    Section(String),
    #[error("empty section name")]
    SectionName,
    #[error("key-value delimiter not found: {0}")]
    Delimiter(String),
    #[error("empty key name: {0}")]
    KeyName(String),
    #[error("missing closing key quote: {0}")]
    KeyQuote(String),
    #[error("missing closing key quote from {0:?}")]
    ValueQuote(String),
}

/// The keys of the unnamed section with their values.
pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, PkginfoError> {
    let text = utf8::lossy(without_mark(bytes));
    let mut lines = Lines { rest: &text };
    let mut keys = BTreeMap::new();
    let (mut is_unnamed, mut numbered) = (true, 0_u32);
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let end = section.rfind(']').ok_or_else(|| PkginfoError::Section(line.to_owned()))?;
            let name = &section[..end];
            if name.is_empty() {
                return Err(PkginfoError::SectionName);
            }
            is_unnamed = name == DEFAULT_SECTION;
            continue;
        }
        let (name, value) = split_key(line)?;
        let value = lines.value(value)?;
        let name = match name {
            "" => return Err(PkginfoError::KeyName(line.to_owned())),
            "-" => {
                numbered += 1;
                format!("#{numbered}")
            }
            name => name.to_owned(),
        };
        if is_unnamed {
            keys.insert(name, value);
        }
    }
    Ok(keys)
}

/// Drops a byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] | [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] => rest,
        _ => bytes,
    }
}

/// The key's name and the text behind the delimiter.
fn split_key(line: &str) -> Result<(&str, &str), PkginfoError> {
    let unclear = || PkginfoError::Delimiter(line.to_owned());
    let quote = match line.as_bytes()[0] {
        b'"' if line.len() > 6 && line.starts_with("\"\"\"") => "\"\"\"",
        b'"' => "\"",
        b'`' => "`",
        _ => {
            let at = line.find(['=', ':']).ok_or_else(unclear)?;
            if at == 0 {
                return Err(PkginfoError::KeyName(line.to_owned()));
            }
            return Ok((line[..at].trim(), &line[at + 1..]));
        }
    };
    let inner = &line[quote.len()..];
    let end = inner.find(quote).ok_or_else(|| PkginfoError::KeyQuote(line.to_owned()))?;
    let behind = &inner[end + quote.len()..];
    let at = behind.find(['=', ':']).ok_or_else(unclear)?;
    Ok((inner[..end].trim(), &behind[at + 1..]))
}

/// The lines that are left, each with its line end.
struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(line)
    }

    /// Reads a value that begins with `text` and may go on over lines.
    fn value(&mut self, text: &str) -> Result<String, PkginfoError> {
        let line = text.trim_start();
        let quote = match line.as_bytes() {
            [] => return Ok(String::new()),
            [b'"', b'"', b'"', _, ..] => "\"\"\"",
            [b'`', ..] => "`",
            _ => return Ok(self.plain(line.trim_end())),
        };
        let inner = &line[quote.len()..];
        match inner.rfind(quote) {
            Some(end) => Ok(inner[..end].to_owned()),
            None => self.literal(line, inner, quote),
        }
    }

    /// A literal that is closed on a later line.
    fn literal(&mut self, line: &str, begun: &str, quote: &str) -> Result<String, PkginfoError> {
        let mut value = begun.to_owned();
        while let Some(next) = self.next() {
            if let Some(end) = next.rfind(quote) {
                value.push_str(&next[..end]);
                return Ok(value);
            }
            value.push_str(next);
        }
        Err(PkginfoError::ValueQuote(line.to_owned()))
    }

    fn plain(&mut self, line: &str) -> String {
        if let Some(begun) = line.strip_suffix('\\') {
            return self.continued(begun);
        }
        let line = match line.find(['#', ';']) {
            Some(comment) => line[..comment].trim(),
            None => line,
        };
        for quote in ['\'', '"'] {
            let inner = line.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
            if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
                return inner.to_owned();
            }
        }
        line.to_owned()
    }

    /// A value that goes on behind a backslash; comments and quotes are not looked at.
    fn continued(&mut self, begun: &str) -> String {
        let mut value = begun.to_owned();
        while let Some(next) = self.next() {
            let next = next.trim();
            if next.is_empty() {
                break;
            }
            match next.strip_suffix('\\') {
                Some(part) => value.push_str(part),
                None => {
                    value.push_str(next);
                    break;
                }
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> BTreeMap<String, String> {
        parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn values_are_read_by_the_dialects_rules() {
        for (line, name, value) in [
            ("pkgname = musl\r\n", "pkgname", "musl"),
            ("url = https://x.example/#top", "url", "https://x.example/"),
            ("depend = so:libfoo.so;x", "depend", "so:libfoo.so"),
            ("a: b = c", "a", "b = c"),
            ("empty =", "empty", ""),
            ("q = \"in quotes\"", "q", "in quotes"),
            ("q = 'it''s'", "q", "'it''s'"),
            ("\"quoted key\" = v", "quoted key", "v"),
            ("k = `one\ntwo` tail", "k", "one\ntwo"),
            ("k = \"\"\"one\n# two\"\"\"", "k", "one\n# two"),
            ("k = one \\\n  two \\\n # three\nnext = 1", "k", "one two # three"),
            ("- = auto", "#1", "auto"),
            ("\u{feff}first = 1", "first", "1"),
            ("  indented = yes", "indented", "yes"),
        ] {
            assert_eq!(only(line).get(name).map(String::as_str), Some(value), "{line}");
        }
    }

    #[test]
    fn the_last_value_counts_and_named_sections_do_not() {
        let text = "# c\n; c\n\ndepend = a\ndepend = b\n[other]\ndepend = c\n[DEFAULT]\nx = 1\n";
        let expected = [("depend", "b"), ("x", "1")];
        assert!(only(text).iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected));
        assert_eq!(parse(b"k = \xe2\x82").unwrap()["k"], "\u{fffd}\u{fffd}");
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        for bad in ["no delimiter", "= v", "[open", "[]", "\"k = v", "k = `open", "\"\" = v"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
