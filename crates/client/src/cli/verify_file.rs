//! `verify FILE`: everything that the log says about a file, without a signature
//! file at hand.
//!
//! Border: searching, verifying and telling. A search result is only a hint: an
//! entry counts when its receipt holds and its body, or the statement whose digest
//! is in its body, names the file. Whether a signer is the right one is for the
//! reader to judge.

use std::fs::File;

use anyhow::Context as _;
use indelible_client::artifact::{Digests, Finding, SignatureCheck, examine};
use indelible_client::follow::{Tree, follow, same_history};
use indelible_client::state::{Growth, Stored};
use indelible_client::verify::{SignedHead, VerifiedReceipt};
use serde::Serialize;
use wire::SearchIndex;

use super::session::{self, Session};
use super::settings::Settings;
use super::values::Format;
use super::{Terminal, get, go_json};

/// Entries that are fetched, newest first; more are counted only.
const MAX_ENTRIES: usize = 100;

/// Largest file whose content is read to check a `rekord` signature again.
const MAX_CONTENT: u64 = 128 << 20;

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    file: String,
    #[serde(rename = "SHA256")]
    sha256: String,
    verified: bool,
    /// Entries that were found but not looked at.
    not_fetched: usize,
    entries: Vec<Told>,
    log: HeadTold,
}

/// One entry that was found.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    #[serde(rename = "UUID")]
    uuid: String,
    log_index: u64,
    integrated_time: i64,
    kind: String,
    vouches: bool,
    about: String,
    signature: String,
    signers: Vec<SignerTold>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SignerTold {
    subjects: Vec<String>,
    fingerprints: Vec<String>,
}

/// The log's head.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HeadTold {
    size: u64,
    root_hash: String,
    consistency: String,
}

pub(super) async fn run(
    file: &str,
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let format = super::result_format(settings)?;
    let opened = || File::open(file).with_context(|| format!("file {file:?}"));
    let digests = Digests::of(opened()?)?;
    let content = (opened()?.metadata()?.len() <= MAX_CONTENT).then(|| std::fs::read(file));
    let content = content.transpose()?;
    let trusted = match &session.state {
        Some(state) => state.read()?,
        None => Stored::default(),
    };
    let (uuids, not_fetched) = find(session, &digests).await?;
    anyhow::ensure!(!uuids.is_empty(), "no entry in the log is about {file}");
    let mut entries = Vec::new();
    let mut heads = Vec::new();
    for uuid in uuids {
        let receipt = fetch(session, &uuid).await.with_context(|| format!("entry {uuid}"))?;
        let finding = examine(&receipt, &digests, content.as_deref(), session::now())?;
        entries.push(tell(&receipt, finding));
        heads.push((receipt.entry_id.tree_id.to_string(), receipt.head));
    }
    let log = head(session, &trusted, &heads).await?;
    let verified = entries.iter().any(|entry| entry.vouches);
    let file = file.to_owned();
    let report = Report { file, sha256: digests.sha256, verified, not_fetched, entries, log };
    match format {
        Format::Json => writeln!(terminal.out, "{}", go_json::line(&report)?)?,
        _ => print(&report, terminal)?,
    }
    anyhow::ensure!(report.verified, "no entry in the log vouches for {}", report.file);
    Ok(())
}

/// UUIDs under each digest, newest last, and how many more there are.
async fn find(session: &Session, digests: &Digests) -> anyhow::Result<(Vec<String>, usize)> {
    let mut uuids: Vec<String> = Vec::new();
    // SHA-384 cannot be searched for by hash; the index also takes it as a subject.
    let searches = [
        SearchIndex { hash: Some(format!("sha256:{}", digests.sha256)), ..SearchIndex::default() },
        SearchIndex { hash: Some(format!("sha512:{}", digests.sha512)), ..SearchIndex::default() },
        SearchIndex {
            subject: Some(format!("sha384:{}", digests.sha384)),
            ..SearchIndex::default()
        },
    ];
    for search in searches {
        for uuid in session.client.search(&search).await? {
            if !uuids.contains(&uuid) {
                uuids.push(uuid);
            }
        }
    }
    let more = uuids.len().saturating_sub(MAX_ENTRIES);
    Ok((uuids.split_off(more), more))
}

async fn fetch(session: &Session, uuid: &str) -> anyhow::Result<VerifiedReceipt> {
    let entry = session.client.entry_by_uuid(uuid).await?;
    let receipt = session.verify(&entry).await?;
    let same = receipt.entry_id.to_string().ends_with(&uuid.to_lowercase());
    anyhow::ensure!(same, "the server answered with entry {}", receipt.entry_id);
    Ok(receipt)
}

fn tell(receipt: &VerifiedReceipt, finding: Finding) -> Told {
    let vouches = finding.vouches();
    let about = finding.mention.map_or_else(
        || "nothing in the entry itself shows that it is about this file".to_owned(),
        |mention| mention.to_string(),
    );
    let signature = match finding.signature {
        SignatureCheck::Verified => "verified".to_owned(),
        SignatureCheck::False(reason) => format!("FALSE: {reason}"),
        SignatureCheck::NotChecked(reason) => format!("checked by the log only: {reason}"),
    };
    let signers = finding.signers.into_iter();
    Told {
        uuid: receipt.entry_id.to_string(),
        log_index: receipt.log_index,
        integrated_time: receipt.integrated_time,
        kind: format!("{}:{}", finding.kind, finding.version),
        vouches,
        about,
        signature,
        signers: signers
            .map(|signer| SignerTold {
                subjects: signer.subjects,
                fingerprints: signer.fingerprints,
            })
            .collect(),
    }
}

/// Follows the log's head from the trusted one, and proves that the heads of the
/// receipts belong to the same history.
async fn head(
    session: &Session,
    trusted: &Stored,
    heads: &[(String, SignedHead)],
) -> anyhow::Result<HeadTold> {
    let info = session.side.log_info().await?;
    let tree = Tree {
        id: &info.tree_id,
        size: info.tree_size,
        root_hash: &info.root_hash,
        note: &info.signed_tree_head,
    };
    let key = session.key(tree.id).await?;
    let advance = follow(&session.side, trusted.head(tree.id), tree, &key).await?;
    for (_, head) in heads.iter().filter(|(tree_id, _)| tree_id == tree.id) {
        same_history(&session.side, [head, advance.head()], tree.id).await?;
    }
    let mut consistency = match advance.growth() {
        Growth::First => "no head was trusted before".to_owned(),
        Growth::Unchanged => "it is the trusted head".to_owned(),
        Growth::From(size) => format!("it continues the trusted head of size {size}"),
    };
    if let Some(state) = session.state.as_ref().filter(|_| session.stores_state)
        && let Err(error) = state.keep(&advance, tree.id, &session.server)
    {
        consistency = format!("{consistency}; it could not be remembered: {error}");
    }
    Ok(HeadTold { size: info.tree_size, root_hash: info.root_hash, consistency })
}

fn print(report: &Report, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
    let verdict = if report.verified { "is in the log" } else { "is NOT vouched for" };
    writeln!(terminal.out, "{} {verdict}", report.file)?;
    writeln!(terminal.out, "SHA-256: {}", report.sha256)?;
    for entry in &report.entries {
        writeln!(terminal.out, "\nEntry {} ({})", entry.log_index, entry.kind)?;
        writeln!(terminal.out, "  UUID:       {}", entry.uuid)?;
        writeln!(terminal.out, "  Added:      {}", get::time(entry.integrated_time))?;
        writeln!(terminal.out, "  The file is {}", entry.about)?;
        writeln!(terminal.out, "  Signature:  {}", entry.signature)?;
        for signer in &entry.signers {
            let names = [signer.subjects.as_slice(), signer.fingerprints.as_slice()].concat();
            writeln!(terminal.out, "  Signed by:  {}", printable(&names.join(", ")))?;
        }
    }
    if report.not_fetched > 0 {
        writeln!(terminal.out, "\n{} older entries were not looked at", report.not_fetched)?;
    }
    let HeadTold { size, root_hash, consistency } = &report.log;
    writeln!(terminal.out, "\nThe log has {size} entries and root {root_hash};")?;
    Ok(writeln!(terminal.out, "{consistency}.")?)
}

/// Names come from strangers: nothing in them may steer a terminal.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(plain).collect()
}
