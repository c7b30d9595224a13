//! `verify`: that an entry is in the log, step by step.
//!
//! Border: rekor-cli's command. About a FILE it is `verify_file`.

use anyhow::Context as _;
use indelible_client::verify::VerifiedReceipt;
use serde::Serialize;
use tlog::{EntryRef, Hash};
use wire::{LogEntry, SearchLogQuery};

use super::inputs::Proposed;
use super::session::{self, Session};
use super::settings::Settings;
use super::values::{self, Format};
use super::{Terminal, go_json, inputs, positional, verify_file};

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    root_hash: String,
    #[serde(rename = "EntryUUID")]
    entry_uuid: String,
    index: u64,
    size: u64,
    hashes: Vec<String>,
    checkpoint: String,
}

pub(super) async fn run(
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let words = positional::read(settings)?;
    for word in words.ignored {
        writeln!(
            terminal.err,
            "{word:?} is ignored: it is no file, and a setting names the entry"
        )?;
    }
    if let Some(file) = words.file {
        return verify_file::run(&file, settings, session, terminal).await;
    }
    let format = super::result_format(settings)?;
    for note in unused(settings) {
        writeln!(terminal.err, "{note}")?;
    }
    let (query, wanted) = query(settings).await?;
    let found = session.client.retrieve(&query).await?;
    let entry = only(found)?;
    let receipt = session.verify(&entry).await?;
    check_identity(&wanted, &receipt)?;
    print(&receipt, format, terminal)
}

/// What the entry that comes back must be.
enum Wanted {
    Uuid(EntryRef, String),
    Index(u64),
    Content(Hash),
}

/// Settings that say which entry is meant, as rekor-cli ranks them; it never looks at the last one.
const SELECTORS: [&[&str]; 4] =
    [&["uuid"], &["log-index"], &["artifact", "artifact-hash"], &["entry"]];

/// Whether a setting of this rank is there.
fn set(settings: &Settings, names: &[&'static str]) -> Option<&'static str> {
    names.iter().find(|name| settings.text(name).is_some()).copied()
}

/// What is said of flags behind a setting that ranks before them and may come from the environment:
/// what they name is not verified.
fn unused(settings: &Settings) -> Vec<String> {
    let mut ranks = SELECTORS.iter().skip_while(|names| set(settings, names).is_none());
    let Some(by) = ranks.next().and_then(|names| set(settings, names)) else { return Vec::new() };
    let flags = ranks.copied().flatten().filter(|name| settings.flag(name).is_some());
    flags
        .map(|name| {
            format!("--{name} is not looked at: the setting {by} says which entry is meant")
        })
        .collect()
}

async fn query(settings: &Settings) -> anyhow::Result<(SearchLogQuery, Wanted)> {
    let mut query = SearchLogQuery::default();
    if let Some(uuid) = settings.text("uuid") {
        let named = uuid.parse().with_context(|| format!("--uuid {uuid:?}"))?;
        query.entry_uuids = Some(vec![uuid.clone()]);
        return Ok((query, Wanted::Uuid(named, uuid)));
    }
    if let Some(index) = settings.text("log-index") {
        let index = values::natural(&index)?;
        query.log_indexes = Some(vec![i64::try_from(index)?]);
        return Ok((query, Wanted::Index(index)));
    }
    let [.., artifact, entry] = SELECTORS.map(|names| set(settings, names).is_some());
    anyhow::ensure!(
        artifact || entry,
        "{}; or name a FILE, --uuid or --log-index",
        inputs::NOTHING
    );
    let described = match artifact {
        true => inputs::described(settings).await?,
        false => inputs::proposal(settings).await?,
    };
    let Proposed { proposal, body } = described.proposed;
    let body = body.map_or_else(|| inputs::canonical(&proposal), Ok)?;
    query.entries = Some(vec![proposal]);
    Ok((query, Wanted::Content(Hash::leaf(&body))))
}

fn only(found: Vec<LogEntry>) -> anyhow::Result<LogEntry> {
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => anyhow::bail!("entry in log cannot be located"),
        (Some(_), Some(_)) => {
            anyhow::bail!("multiple entries returned; this should not happen")
        }
    }
}

fn check_identity(wanted: &Wanted, receipt: &VerifiedReceipt) -> anyhow::Result<()> {
    let id = receipt.entry_id;
    match wanted {
        Wanted::Uuid(EntryRef::Entry(named), text) if *named != id => {
            anyhow::bail!("expected entry {text}, got {id}")
        }
        Wanted::Uuid(named, text) if named.leaf() != id.leaf => {
            anyhow::bail!("expected entry {text}, got {id}")
        }
        Wanted::Index(index) => session::expect_index(*index, receipt),
        Wanted::Content(leaf) if *leaf != id.leaf => {
            anyhow::bail!("returned entry does not match provided artifact inputs")
        }
        _ => Ok(()),
    }
}

fn print(
    receipt: &VerifiedReceipt,
    format: Format,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let head = receipt.head.checkpoint();
    if format == Format::Json {
        let shown = Shown {
            root_hash: head.root.to_string(),
            entry_uuid: receipt.entry_id.to_string(),
            index: receipt.tree_index,
            size: head.size,
            hashes: receipt.path.iter().map(ToString::to_string).collect(),
            checkpoint: receipt.head.note().to_owned(),
        };
        return Ok(writeln!(terminal.out, "{}", go_json::line(&shown)?)?);
    }
    let leaf = receipt.entry_id.leaf;
    writeln!(terminal.out, "Current Root Hash: {}", head.root)?;
    writeln!(terminal.out, "Entry Hash: {leaf}")?;
    writeln!(terminal.out, "Entry Index in Current Tree: {}", receipt.tree_index)?;
    writeln!(terminal.out, "Current Tree Size: {}", head.size)?;
    write!(terminal.out, "Checkpoint:\n{}\n\n", receipt.head.note())?;
    writeln!(terminal.out, "Inclusion Proof:")?;
    let steps = receipt.steps();
    for step in &steps {
        writeln!(
            terminal.out,
            "SHA256(0x01 | {} | {}) =\n\t{}\n",
            step.left, step.right, step.parent
        )?;
    }
    let computed = steps.last().map_or(leaf, |step| step.parent);
    writeln!(terminal.out, "Computed Root Hash: {computed}")?;
    Ok(writeln!(terminal.out, "Expected Root Hash: {}", head.root)?)
}
