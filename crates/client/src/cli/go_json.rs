//! JSON as Go prints it, which scripts compare byte for byte.
//!
//! Border: the difference to other printers: `<`, `>`, `&` and the two Unicode
//! line separators are escaped, because the text may end up in HTML.

use serde::Serialize;

/// One line without its newline.
pub(super) fn line(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(escape(&serde_json::to_string(value)?))
}

/// Indented by two spaces, for people: unlike Go's it has no character that steers a terminal.
pub(super) fn pretty(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(without_controls(&escape(&serde_json::to_string_pretty(value)?)))
}

/// The same JSON with the control characters escaped that may stand in its strings: those from
/// U+007F to U+009F.
pub(super) fn without_controls(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// These characters stand in JSON only inside of strings.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped() {
        assert_eq!(line(&"<a>&\u{2028}é").unwrap(), r#""\u003ca\u003e\u0026\u2028é""#);
    }
}
