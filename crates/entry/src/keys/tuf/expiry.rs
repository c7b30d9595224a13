//! Times as TUF documents state them (RFC 3339 section 5.6).
//!
//! Border: text to Unix seconds. Stricter than `jiff::Timestamp`, which reads ISO 8601, and up to the end of the year
//! 9999, which stands for "never" and is out of its range.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use regex::Regex;

/// Capital letters only; a comma may stand for the point, as Rekor reads it.
static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let date = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
    let time = "[0-9]{2}:[0-9]{2}:[0-5][0-9]";
    let offset = "Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9])";
    Regex::new(&format!("^({date}T{time})(?:[.,][0-9]+)?(?:{offset})$")).ok()
});

/// The Unix second in which the time lies.
pub(super) fn unix_second(text: &str) -> Option<i64> {
    let parts = SHAPE.as_ref()?.captures(text)?;
    let local: DateTime = parts.get(1)?.as_str().parse().ok()?;
    let seconds = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_secs();
    let Some(sign) = parts.get(2) else { return Some(seconds) };
    let number = |group| parts.get(group)?.as_str().parse::<i64>().ok();
    let offset = number(3)? * 3600 + number(4)? * 60;
    Some(if sign.as_str() == "+" { seconds - offset } else { seconds + offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_end_of_the_calendar() {
        for (text, second) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T12:29:30.5-11:30", -30),
            ("2036-02-29T00:00:00.123456789012Z", 2_087_856_000),
            ("2035-01-01T00:00:00,5Z", 2_051_222_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("9999-12-31T23:59:59-23:59", 253_402_387_139),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
        ] {
            assert_eq!(unix_second(text), Some(second), "{text}");
        }
    }

    #[test]
    fn other_spellings_are_no_time() {
        for text in [
            "",
            "2035-01-01",
            "2035-01-01T00:00:00",
            "2035-01-01 00:00:00Z",
            "2035-01-01t00:00:00z",
            "2035-01-01T00:00Z",
            "2035-01-01T00:00:60Z",
            "2035-01-01T24:00:00Z",
            "2035-02-29T00:00:00Z",
            "2035-01-01T00:00:00.Z",
            "2035-01-01T00:00:00+0100",
            "2035-01-01T00:00:00+01:00:00",
            "2035-01-01T00:00:00+24:00",
            "2035-01-01T00:00:00Z[UTC]",
            "2035-01-01T00:00:00Z\n",
            "20350101T000000Z",
            "+002035-01-01T00:00:00Z",
            "12035-01-01T00:00:00Z",
            "\u{ff12}035-01-01T00:00:00Z",
        ] {
            assert_eq!(unix_second(text), None, "{text}");
        }
    }
}
