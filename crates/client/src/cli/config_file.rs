//! The config file: flag names and their values.
//!
//! Border: reading YAML, JSON or TOML. Its values are not held to the flags'
//! rules before they are used (rekor-cli does not, either).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

/// Extensions of the default file, in the order in which they are tried.
const EXTENSIONS: [&str; 4] = ["yaml", "yml", "json", "toml"];

/// Largest config file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Values by lower-case flag name.
pub(super) type Config = BTreeMap<String, Vec<String>>;

/// Reads the file that was asked for, or the default one in `home` if there is one.
/// Gives the path that was read.
pub(super) fn load(
    asked: Option<&str>,
    home: Option<&str>,
) -> anyhow::Result<(Config, Option<PathBuf>)> {
    if let Some(path) = asked {
        let path = PathBuf::from(path);
        let config = read(&path).with_context(|| format!("config file {}", path.display()))?;
        return Ok((config, Some(path)));
    }
    let Some(home) = home else { return Ok((Config::new(), None)) };
    let candidates =
        EXTENSIONS.map(|extension| Path::new(home).join(format!(".rekor.{extension}")));
    let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
        return Ok((Config::new(), None));
    };
    let config = read(&path).with_context(|| format!("config file {}", path.display()))?;
    Ok((config, Some(path)))
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let size = std::fs::metadata(path)?.len();
    anyhow::ensure!(size <= MAX_BYTES, "{size} bytes, at most {MAX_BYTES} are read");
    let text = std::fs::read_to_string(path)?;
    if text.trim().is_empty() {
        return Ok(Config::new());
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let value: Value = match extension.to_ascii_lowercase().as_str() {
        "json" => serde_json::from_str(&text)?,
        "toml" => toml::from_str(&text)?,
        _ => serde_saphyr::from_str(&text)?,
    };
    let members = match value {
        Value::Object(members) => members,
        Value::Null => return Ok(Config::new()),
        _ => anyhow::bail!("not a list of settings"),
    };
    Ok(members.into_iter().map(|(name, value)| (name.to_lowercase(), texts(value))).collect())
}

/// A value as the text that a flag would have; lists give several.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text],
        Value::Array(items) => items.into_iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}
