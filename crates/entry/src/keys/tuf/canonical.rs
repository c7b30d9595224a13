//! OLPC's canonical JSON, which TUF signs.
//!
//! Border: values to bytes. Members in byte order, only quotation marks and backslashes
//! escaped, numbers only if they are whole. (RFC 8785, the stored form, differs in all
//! three.)

use serde_json::{Number, Value};

use super::super::KeyError;

/// Writes a value. Depth is bounded by the parser that made it.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), KeyError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(whole(number)?.as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            let mut before = b'[';
            for item in items {
                out.push(before);
                write(item, out)?;
                before = b',';
            }
            out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_bytes());
            let mut before = b'{';
            for (name, member) in &members {
                out.push(before);
                write_text(name, out);
                out.push(b':');
                write(member, out)?;
                before = b',';
            }
            out.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn whole(number: &Number) -> Result<String, KeyError> {
    if number.is_i64() || number.is_u64() {
        return Ok(number.to_string());
    }
    // 1.0 and 1e3 are whole too, as far as a double is exact.
    let limit = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(double) if double.fract() == 0.0 && double.abs() <= limit => {
            Ok(format!("{double:.0}"))
        }
        _ => Err(KeyError::invalid(format!("tuf: {number} is no whole number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, KeyError> {
        let mut out = Vec::new();
        write(&serde_json::from_str(text).unwrap(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn members_are_sorted_and_little_is_escaped() {
        let text =
            r#"{"b": [1, 2.0, -3], "a": "\"\\\n\u00e9", "": {}, "c": [], "n": [null, true]}"#;
        let expected =
            "{\"\":{},\"a\":\"\\\"\\\\\n\u{e9}\",\"b\":[1,2,-3],\"c\":[],\"n\":[null,true]}";
        assert_eq!(canonical(text).unwrap(), expected);
    }

    #[test]
    fn fractions_are_refused() {
        assert!(canonical("[1.5]").is_err());
        assert!(canonical("1e300").is_err());
        assert_eq!(canonical("1e3").unwrap(), "1000");
    }
}
