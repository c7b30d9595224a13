//! Second lines of errors: what may help.
//!
//! Border: texts. The first lines are those that scripts know.

use entry::keys::parse_key;
use entry::{Inputs, KeyFormat, Kind};
use indelible_client::ClientError;
use tlog::EntryRef;
use wire::LogInfo;

use super::session::Session;
use super::settings::Settings;

/// For a missing `--artifact`, when a word stands there without a flag.
pub(super) fn artifact(settings: &Settings) -> String {
    settings.rest.first().map_or_else(String::new, |word| meant("artifact", word))
}

/// For a missing `--uuid` or `--log-index`, likewise.
pub(super) fn entry(settings: &Settings) -> String {
    let Some(word) = settings.rest.first() else { return String::new() };
    let is_index = word.parse::<u64>().is_ok() && word.parse::<EntryRef>().is_err();
    meant(if is_index { "log-index" } else { "uuid" }, word)
}

fn meant(flag: &str, word: &str) -> String {
    format!("\ndid you mean --{flag} {word}?")
}

/// For a key that is not of the format that is taken for granted: the one that it is of.
pub(super) fn key_format(
    error: anyhow::Error,
    kind: Kind,
    inputs: &Inputs,
    settings: &Settings,
) -> anyhow::Error {
    let flags = match kind {
        Kind::Rekord => "--pki-format",
        // It takes no other.
        Kind::Hashedrekord => "--type rekord --pki-format",
        _ => return error,
    };
    let unnamed = settings.text("pki-format").is_none();
    let key = inputs.public_keys.first().filter(|_| unnamed);
    let is = |format: KeyFormat| key.is_some_and(|key| parse_key(format, key).is_ok());
    let others = [KeyFormat::Pgp, KeyFormat::Ssh, KeyFormat::Minisign];
    match others.into_iter().find(|format| !is(KeyFormat::X509) && is(*format)) {
        Some(format) => {
            anyhow::anyhow!("{}\ndid you mean {flags} {format}?", super::explain(&error))
        }
        None => error,
    }
}

/// For an index at which there is no entry: how many there are, if the log says so.
pub(super) async fn beyond(error: ClientError, session: &Session) -> anyhow::Error {
    if error.status() != Some(404) {
        return error.into();
    }
    match session.side.log_info().await {
        Ok(info) => anyhow::anyhow!("{error}\n{}", extent(&info)),
        Err(_) => error.into(),
    }
}

/// Indices count over every shard.
fn extent(info: &LogInfo) -> String {
    let sizes = info.inactive_shards.iter().map(|shard| shard.tree_size);
    match sizes.fold(info.tree_size, u64::saturating_add) {
        0 => "the log has no entries".to_owned(),
        1 => "the log has 1 entry, at index 0".to_owned(),
        size => format!("the log has {size} entries, at indices 0 to {}", size - 1),
    }
}

/// For an address that knows nothing of a log.
pub(super) fn no_log(error: ClientError) -> anyhow::Error {
    if error.status() != Some(404) {
        return error.into();
    }
    anyhow::anyhow!("{error}\nthis does not look like a transparency log's address")
}

#[cfg(test)]
mod tests {
    use indelible_client::ApiError;

    use super::*;

    #[test]
    fn only_an_address_that_is_not_found_looks_wrong() {
        let said = |status| {
            let (method, path, name) = ("GET", "/api/v1/log", "getLogInfo default".to_owned());
            let text = String::new();
            let error = ApiError { method, path, status, name, body: None, text };
            no_log(ClientError::Api(Box::new(error))).to_string()
        };
        let not_found = "[GET /api/v1/log][404] getLogInfo default\n\
                         this does not look like a transparency log's address";
        assert_eq!(said(404), not_found);
        assert_eq!(said(400), "[GET /api/v1/log][400] getLogInfo default");
    }

    #[test]
    fn the_extent_counts_every_shard() {
        let info = |size: u64, older: u64| -> LogInfo {
            serde_json::from_value(serde_json::json!({
                "rootHash": "", "signedTreeHead": "", "treeID": "1", "treeSize": size,
                "inactiveShards": [
                    { "rootHash": "", "signedTreeHead": "", "treeID": "0", "treeSize": older },
                ],
            }))
            .unwrap()
        };
        assert_eq!(extent(&info(0, 0)), "the log has no entries");
        assert_eq!(extent(&info(0, 1)), "the log has 1 entry, at index 0");
        assert_eq!(extent(&info(3, 2)), "the log has 5 entries, at indices 0 to 4");
    }
}
