//! The server of one run: its client, its keys, and what was trusted of it.
//!
//! Border: what several commands do with a server. What they print is theirs.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use indelible_client::Client;
use indelible_client::follow::KeySource;
use indelible_client::state::{StateError, StateFile, Stored, TrustedHead};
use indelible_client::verify::{LogKey, VerifiedReceipt, verify_entry};
use tlog::EntryId;
use tokio::sync::Mutex;
use wire::LogEntry;

use super::Terminal;
use super::location;
use super::settings::Settings;
use super::values;

/// Time limit of requests beside the main one: keys and proofs.
const SIDE_REQUEST: Duration = Duration::from_secs(30);

/// A server as the settings name it.
pub(super) struct Session {
    /// For the main request, under the time limit that was asked for.
    pub(super) client: Client,
    /// For keys and proofs.
    pub(super) side: Client,
    /// The address as given.
    pub(super) server: String,
    /// The trusted heads; `None` without a home directory.
    pub(super) state: Option<StateFile>,
    /// Whether a new head is remembered.
    pub(super) stores_state: bool,
    key: Option<String>,
    /// Keys by decimal tree ID, so that a tree has one key for the whole run.
    keys: Mutex<BTreeMap<String, Arc<LogKey>>>,
    /// For the keys and proofs of all trees together; `None` for no limit.
    limit: Option<Duration>,
}

impl Session {
    /// Connects to nothing yet. A key that cannot be read is refused before anything
    /// is sent.
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let server = settings.server();
        let timeout = settings.text("timeout").unwrap_or_else(|| "30s".to_owned());
        let timeout = values::duration(&timeout)?;
        let retries = settings.text("retry").map_or(Ok(3), |text| values::natural(&text))?;
        let agent = format!(
            "indelible-cli/{} ({}; {})",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        let client = Client::builder(&server)
            .timeout(timeout)
            .retries(u32::try_from(retries).unwrap_or(u32::MAX))
            .user_agent(&agent)
            .environment_proxy(!location::is_loopback(&server))
            .build()?;
        Ok(Self {
            side: client.with_timeout(Some(SIDE_REQUEST)),
            client,
            server,
            state: settings.state_file().map(StateFile::at),
            stores_state: settings.stores_state()?,
            key: settings.server_key()?,
            keys: Mutex::default(),
            limit: timeout.map(|limit| limit.max(SIDE_REQUEST)),
        })
    }

    /// What was trusted before. A file that is damaged, or that belongs to somebody else, counts as
    /// absent, which is said.
    pub(super) fn trusted(&self, terminal: &mut Terminal<'_>) -> anyhow::Result<Stored> {
        let Some(file) = &self.state else { return Ok(Stored::default()) };
        let stored = match file.read() {
            Err(error) if is_denied(&error) => {
                writeln!(terminal.err, "What was trusted before is not known: {error}")?;
                return Ok(Stored::unread());
            }
            read => read?,
        };
        if stored.damaged {
            let path = file.path().display();
            writeln!(
                terminal.err,
                "{path} is no state file; the next head that is kept replaces it"
            )?;
        }
        Ok(stored)
    }

    /// The key of a tree, by its decimal ID: the configured one, or the server's word.
    pub(super) async fn key(&self, tree_id: &str) -> anyhow::Result<Arc<LogKey>> {
        let mut keys = self.keys.lock().await;
        if let Some(known) = keys.get(tree_id) {
            return Ok(known.clone());
        }
        let pem = match &self.key {
            Some(pem) => pem.clone(),
            None => self.side.public_key(Some(tree_id)).await?,
        };
        let key = Arc::new(LogKey::from_pem(&pem).context("the log's public key")?);
        keys.insert(tree_id.to_owned(), key.clone());
        Ok(key)
    }

    /// Whose word the keys are.
    pub(super) fn key_source(&self) -> KeySource {
        if self.key.is_some() { KeySource::Pinned } else { KeySource::Asked }
    }

    /// Whether a head that was trusted before is one that a configured key did not sign, so
    /// that whoever configured it does not vouch for that log.
    pub(super) async fn did_not_sign(
        &self,
        head: &TrustedHead,
        tree_id: &str,
    ) -> anyhow::Result<bool> {
        let pinned = self.key_source() == KeySource::Pinned;
        Ok(pinned && !head.is_signed_by(&*self.key(tree_id).await?))
    }

    /// Bounds what a server can draw out by naming many trees: their keys and proofs together
    /// have as long as one of them alone, or as the main request if that has longer.
    pub(super) async fn bounded<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let Some(limit) = self.limit else { return work.await };
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or_else(|_| {
            Err(anyhow::anyhow!("the log's heads could not be followed within {limit:?}"))
        })
    }

    /// Verifies an entry's receipt with the key of its tree.
    pub(super) async fn verify(&self, entry: &LogEntry) -> anyhow::Result<VerifiedReceipt> {
        let (id, _) = entry.single()?;
        let id: EntryId = id.parse().with_context(|| format!("entry ID {id:?}"))?;
        let key = self.key(&id.tree_id.to_string()).await?;
        Ok(verify_entry(entry, &key)?)
    }
}

fn is_denied(error: &StateError) -> bool {
    matches!(error, StateError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied)
}

/// Refuses another entry than the one at the index that was asked for.
pub(super) fn expect_index(asked: u64, receipt: &VerifiedReceipt) -> anyhow::Result<()> {
    let got = receipt.log_index;
    anyhow::ensure!(got == asked, "expected index {asked}, got {got}");
    Ok(())
}

/// Unix seconds.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_may_not_be_read_counts_as_absent() {
        for (kind, denied) in [(ErrorKind::PermissionDenied, true), (ErrorKind::Other, false)] {
            let error = StateError::File { path: "state.json".into(), source: kind.into() };
            assert_eq!(is_denied(&error), denied);
        }
    }

    #[tokio::test]
    async fn work_without_an_end_is_ended() {
        let session = Session {
            client: Client::new("http://127.0.0.1:9").unwrap(),
            side: Client::new("http://127.0.0.1:9").unwrap(),
            server: String::new(),
            state: None,
            stores_state: false,
            key: None,
            keys: Mutex::default(),
            limit: Some(Duration::from_millis(1)),
        };
        let ended = session.bounded(std::future::pending::<anyhow::Result<()>>()).await;
        let said = ended.unwrap_err().to_string();
        assert_eq!(said, "the log's heads could not be followed within 1ms");
    }
}
