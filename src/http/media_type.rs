//! The header `Content-Type`.
//!
//! Border: RFC 9110 section 8.3.1: a media type with well-formed parameters, or what is wrong with it
//! in the words that Rekor has for it.

use std::collections::BTreeMap;

const BAD_PARAMETER: &str = "invalid media parameter";

/// The media type in lower case. One without a slash is taken, because Rekor takes it.
pub(super) fn parse(header: &str) -> Result<String, &'static str> {
    let end = header.find(';').unwrap_or(header.len());
    let media_type = header[..end].trim();
    check_media_type(media_type)?;
    check_parameters(&header[end..])?;
    Ok(media_type.to_ascii_lowercase())
}

fn check_media_type(text: &str) -> Result<(), &'static str> {
    let (group, rest) = token(text);
    if group.is_empty() {
        return Err("no media type");
    }
    if rest.is_empty() {
        return Ok(());
    }
    let rest = rest.strip_prefix('/').ok_or("expected slash after first token")?;
    match token(rest) {
        ("", _) => Err("expected token after slash"),
        (_, "") => Ok(()),
        _ => Err("unexpected content after media type"),
    }
}

/// Any number of `; name=value`; a semicolon at the end is taken, and a name twice with one value.
fn check_parameters(mut rest: &str) -> Result<(), &'static str> {
    let mut known = BTreeMap::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start().strip_prefix(';').ok_or(BAD_PARAMETER)?.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        let (name, after) = token(rest);
        let after = after.trim_start().strip_prefix('=').filter(|_| !name.is_empty());
        let (value, behind) =
            value(after.ok_or(BAD_PARAMETER)?.trim_start()).ok_or(BAD_PARAMETER)?;
        if *known.entry(name.to_ascii_lowercase()).or_insert_with(|| value.clone()) != value {
            return Err("duplicate parameter name");
        }
        rest = behind;
    }
    Ok(())
}

/// The token or quoted text that the text begins with, and the rest.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        return (!value.is_empty()).then(|| (value.to_owned(), rest));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return Some((value, &quoted[at + 1..])),
            '\\' if !escaped => escaped = true,
            _ => {
                value.push(c);
                escaped = false;
            }
        }
    }
    None
}

/// The token that the text begins with, maybe none, and the rest.
fn token(text: &str) -> (&str, &str) {
    let inside = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_in_front_of_their_parameters() {
        for (header, media_type) in [
            ("application/json", "application/json"),
            (" Application/JSON ; Charset=utf-8", "application/json"),
            ("application/json;", "application/json"),
            ("application/json; a=\"x;\\\"y\" ;b = c; ", "application/json"),
            ("text/plain;a=b;A=\"\\b\"", "text/plain"),
            ("json", "json"),
        ] {
            assert_eq!(parse(header).as_deref(), Ok(media_type), "{header}");
        }
    }

    #[test]
    fn malformed_headers_are_told_why() {
        for (header, reason) in [
            ("", "no media type"),
            (";;;", "no media type"),
            ("/json", "no media type"),
            ("json x", "expected slash after first token"),
            ("application/", "expected token after slash"),
            ("application/json x", "unexpected content after media type"),
            ("application/json/x; charset", "unexpected content after media type"),
            ("application/json; a=b; A=c", "duplicate parameter name"),
            ("application/json; charset", BAD_PARAMETER),
            ("application/json; charset=", BAD_PARAMETER),
            ("application/json; =utf-8", BAD_PARAMETER),
            ("application/json; charset=\"utf-8", BAD_PARAMETER),
            ("application/json; charset=\"\\\"", BAD_PARAMETER),
            ("application/json; charset=utf-8 x", BAD_PARAMETER),
            ("application/json;;", BAD_PARAMETER),
            ("application/json; charset=é", BAD_PARAMETER),
        ] {
            assert_eq!(parse(header), Err(reason), "{header}");
        }
    }
}
