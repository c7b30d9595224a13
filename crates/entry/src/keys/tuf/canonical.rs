//! OLPC's canonical JSON, which TUF signs.
//!
//! Border: values to bytes. Members in byte order, only quotation marks and backslashes
//! escaped, numbers only if they are whole. (RFC 8785, the stored form, differs in the
//! first two.)

use serde_json::{Map, Number, Value};

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
        Value::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

/// Writes an object.
pub(super) fn write_object(
    members: &Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
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

/// A whole number of 64 bits as RFC 8785 writes it: a double in its shortest form. What
/// is verified is then what is stored, also where the text had more digits than a double.
pub(super) fn whole(number: &Number) -> Result<String, KeyError> {
    let refusal = || KeyError::invalid(format!("tuf: {number} is no whole number"));
    // The stored form has no sign before zero, so a signature over one would not hold.
    if number.as_f64().is_some_and(|double| double == 0.0 && double.is_sign_negative()) {
        return Err(refusal());
    }
    let text = serde_json_canonicalizer::to_string(number).map_err(|_| refusal())?;
    text.parse::<i64>().map(|_| text).map_err(|_| refusal())
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
        assert!(canonical("-0").is_err());
        assert_eq!(canonical("1e3").unwrap(), "1000");
        assert_eq!(canonical("[0,-5,1.0]").unwrap(), "[0,-5,1]");
    }

    #[test]
    fn numbers_are_those_of_the_stored_form() {
        for (text, written) in [
            ("9007199254740991", "9007199254740991"),
            ("9007199254740993", "9007199254740992"),
            ("1152921504606846976", "1152921504606847000"),
            ("-90071992547409930", "-90071992547409940"),
        ] {
            assert_eq!(canonical(text).unwrap(), written);
            let number: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json_canonicalizer::to_string(&number).unwrap(), written);
        }
        for text in ["9223372036854775807", "18446744073709551615", "1e20", "1e21"] {
            assert!(canonical(text).is_err(), "{text}");
        }
    }
}
