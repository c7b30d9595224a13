//! The words on `verify`'s command line that no flag takes.
//!
//! Border: which of them is the FILE. rekor-cli ignores all such words, and scripts
//! pass some by mistake (`--store_tree_state false`); a FILE must not get lost
//! among them.

use std::path::Path;

use super::settings::Settings;

/// Settings that say which entry is meant.
const SELECTORS: [&str; 5] = ["uuid", "log-index", "entry", "artifact", "artifact-hash"];

/// Those of them that say it by evidence.
const EVIDENCE: [&str; 3] = ["entry", "artifact", "artifact-hash"];

/// Flags that describe an entry by its evidence. With a FILE they would say the same
/// thing a second time, or another one.
const DESCRIPTION: [&str; 8] =
    ["artifact", "artifact-hash", "signature", "public-key", "entry", "type", "pki-format", "aad"];

/// What the words are.
pub(super) struct Words {
    /// The file that entries are to be about.
    pub(super) file: Option<String>,
    /// Words without a meaning.
    pub(super) ignored: Vec<String>,
}

/// Tells them apart. Every word is a FILE unless an entry is selected; then what exists is one.
///
/// A selection that the command line does not show, by environment or config file, may be older than the
/// FILE: one that is missing, as when its download failed, must not turn into a success for that
/// entry. Beside it only the values of switches are no FILE.
pub(super) fn read(settings: &Settings) -> anyhow::Result<Words> {
    let shown = SELECTORS.iter().any(|name| settings.flag(name).is_some());
    let selected = shown || SELECTORS.iter().any(|name| settings.text(name).is_some());
    let is_stray = |word: &str| shown || matches!(word, "true" | "false");
    let is_file = |word: &String| !selected || Path::new(word).exists() || !is_stray(word.as_str());
    let (mut files, ignored): (Vec<String>, Vec<String>) =
        settings.rest.iter().cloned().partition(is_file);
    anyhow::ensure!(files.len() <= 1, "one FILE at a time, not {}", files.join(", "));
    let file = files.pop();
    let Some(named) = &file else { return Ok(Words { file, ignored }) };
    if let Some(flag) = DESCRIPTION.iter().find(|name| settings.flag(name).is_some()) {
        anyhow::bail!(
            "FILE and --{flag} exclude each other: {named:?} is looked up without further evidence"
        );
    }
    // A kind or a key that stands there for uploads describes nothing by itself.
    if let Some(setting) = EVIDENCE.iter().find(|name| settings.text(name).is_some()) {
        anyhow::bail!(
            "FILE and the setting {setting} of environment or config file exclude each other: \
             {named:?} is looked up without further evidence"
        );
    }
    Ok(Words { file, ignored })
}
