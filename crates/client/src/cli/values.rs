//! What the value of each flag must be.
//!
//! Border: text to typed values, with rekor-cli's rules.

use std::str::FromStr;
use std::time::Duration;

use entry::{KeyFormat, Kind};
use tlog::EntryRef;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Default,
    /// One line of JSON.
    Json,
    /// Sigstore's TransparencyLogEntry as JSON.
    Tle,
}

impl FromStr for Format {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "default" => Ok(Self::Default),
            "json" => Ok(Self::Json),
            "tle" => Ok(Self::Tle),
            _ => anyhow::bail!("value must be one of [default json tle]"),
        }
    }
}

/// Refuses a value that the flag cannot have.
pub(super) fn check(flag: &str, value: &str) -> anyhow::Result<()> {
    match flag {
        "format" => value.parse::<Format>().map(drop),
        "timeout" => duration(value).map(drop),
        "retry" | "log-index" => natural(value).map(drop),
        "first-size" | "last-size" => positive(value).map(drop),
        "store_tree_state" => boolean(value).map(drop),
        "uuid" => value
            .parse::<EntryRef>()
            .map(drop)
            .map_err(|_| anyhow::anyhow!("must be 64 or 80 hex digits")),
        "pki-format" => value.parse::<KeyFormat>().map(drop).map_err(Into::into),
        "type" => kind(value).map(drop),
        "artifact-hash" | "sha" => digest(value).map(drop),
        "operator" if !["and", "or"].contains(&value) => {
            anyhow::bail!("value must be one of [and or]")
        }
        "rekor_server" if !value.to_ascii_lowercase().starts_with("http") => {
            anyhow::bail!("must be an http or https URL")
        }
        "tree-id" if !value.bytes().all(|byte| byte.is_ascii_digit()) => {
            anyhow::bail!("must be a decimal number")
        }
        "subject" if !(1..=512).contains(&value.len()) => {
            anyhow::bail!("must have 1 to 512 bytes, not {}", value.len())
        }
        "email" if value.is_empty() => anyhow::bail!("must not be empty"),
        "aad" => entry::base64::decode(value.as_bytes()).map(drop).map_err(Into::into),
        _ => Ok(()),
    }
}

/// An integer from 0.
pub(super) fn natural(text: &str) -> anyhow::Result<u64> {
    let refused = || anyhow::anyhow!("must be an integer of at least 0");
    let number: i64 = text.parse().map_err(|_| refused())?;
    u64::try_from(number).map_err(|_| refused())
}

/// An integer from 1.
pub(super) fn positive(text: &str) -> anyhow::Result<u64> {
    match natural(text) {
        Ok(number @ 1..) => Ok(number),
        _ => anyhow::bail!("must be an integer of at least 1"),
    }
}

/// As Go reads booleans.
pub(super) fn boolean(text: &str) -> anyhow::Result<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => anyhow::bail!("must be true or false"),
    }
}

/// A duration as Go writes it: numbers with units, such as `1m30s` or `1.5s`; 0 is
/// no limit.
pub(super) fn duration(text: &str) -> anyhow::Result<Option<Duration>> {
    let refused = || anyhow::anyhow!("must be a duration such as 30s or 1m30s");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0_f64;
    if rest == "0" {
        return Ok(None);
    }
    if rest.is_empty() {
        return Err(refused());
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
        let value: f64 = rest[..number].parse().map_err(|_| refused())?;
        rest = &rest[number..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += value
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(refused()),
            };
        rest = &rest[unit..];
    }
    let limit = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
    Ok((!limit.is_zero()).then_some(limit))
}

/// A kind, and a version if one is named behind a colon.
pub(super) fn kind(text: &str) -> anyhow::Result<(Kind, Option<String>)> {
    let (kind, version) = match text.split_once(':') {
        Some((kind, version)) => (kind, Some(version.to_owned())),
        None => (text, None),
    };
    let kind: Kind = kind.parse()?;
    let known: &[&str] = if kind == Kind::Intoto { &["0.0.1", "0.0.2"] } else { &["0.0.1"] };
    if let Some(version) = version.as_deref().filter(|version| !known.contains(version)) {
        anyhow::bail!("{kind} has no version {version:?}; it has {}", known.join(", "));
    }
    Ok((kind, version))
}

/// A digest as `algorithm:hex`; the algorithm follows from the length if it is not
/// named. SHA-384 too, which rekor-cli refuses although P-384 signers need it.
pub(super) fn digest(text: &str) -> anyhow::Result<String> {
    let algorithms = [("sha1", 40), ("sha256", 64), ("sha384", 96), ("sha512", 128)];
    let (named, value) = match text.split_once(':') {
        Some((algorithm, value)) => (Some(algorithm), value),
        None => (None, text),
    };
    let fits = |(algorithm, digits): &(&str, usize)| {
        value.len() == *digits && named.is_none_or(|named| named == *algorithm)
    };
    let hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match algorithms.iter().find(|known| fits(known)).filter(|_| hex) {
        Some((algorithm, _)) => Ok(format!("{algorithm}:{value}")),
        None => anyhow::bail!("must be a SHA-1, SHA-256, SHA-384 or SHA-512 in hex"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        let seconds = |text: &str| duration(text).unwrap().map(|d| d.as_secs_f64());
        assert_eq!(seconds("30s"), Some(30.0));
        assert_eq!(seconds("1m30.5s"), Some(90.5));
        assert_eq!(seconds("250ms"), Some(0.25));
        assert_eq!((seconds("0"), seconds("0s")), (None, None));
        for bad in ["", "30", "s", "-1s", "1x", "1s2", "1..s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_get_their_algorithm() {
        assert_eq!(digest(&"a".repeat(64)).unwrap(), format!("sha256:{}", "a".repeat(64)));
        assert_eq!(digest(&format!("sha1:{}", "0".repeat(40))).unwrap().len(), 45);
        for bad in
            ["", "sha256:", &"a".repeat(95), &"g".repeat(64), &format!("sha1:{}", "a".repeat(64))]
        {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_may_name_a_version() {
        assert_eq!(kind("intoto").unwrap(), (Kind::Intoto, None));
        assert_eq!(kind("intoto:0.0.1").unwrap(), (Kind::Intoto, Some("0.0.1".to_owned())));
        assert!(kind("rekord:0.0.2").is_err() && kind("foo").is_err());
    }
}
