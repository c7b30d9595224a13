//! `upload`: propose an entry, and verify the receipt.
//!
//! Border: the conversation and its texts. An equal entry that was there before is
//! a success. Another entry than the proposed one never is, however good its receipt.

use anyhow::Context as _;
use entry::{Inputs, Kind, StoredBody};
use indelible_client::artifact::same_evidence;
use indelible_client::verify::VerifiedReceipt;
use indelible_client::{ClientError, Uploaded};
use serde::Serialize;
use tlog::{EntryId, Hash};
use wire::LogEntry;

use super::inputs::{self, Described, Proposed};
use super::session::Session;
use super::settings::Settings;
use super::values::Format;
use super::{Terminal, go_json, location, printable};

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done {
    already_exists: bool,
    location: String,
    index: u64,
}

pub(super) async fn run(
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let format = super::result_format(settings)?;
    let Described { proposed, fallback } = inputs::proposal(settings).await?;
    let done = match (send(session, &proposed, terminal).await, fallback) {
        (Err(error), Some((kind, inputs))) if is_bad_request(&error) => {
            writeln!(terminal.err, "failed to upload entry: {}", printable(&error.to_string()))?;
            send_older(session, kind, &inputs, terminal).await?
        }
        (sent, _) => sent?,
    };
    let Done { already_exists, location, index } = &done;
    let server = location::shown(&session.server);
    match format {
        Format::Json => writeln!(terminal.out, "{}", go_json::line(&done)?)?,
        _ if *already_exists => {
            writeln!(terminal.out, "Entry already exists; available at: {server}{location}")?;
        }
        _ => writeln!(
            terminal.out,
            "Created entry at index {index}, available at: {server}{location}"
        )?,
    }
    Ok(())
}

/// Servers without the newer version of `intoto` still take the older one.
async fn send_older(
    session: &Session,
    kind: Kind,
    inputs: &Inputs,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Done> {
    send(session, &inputs::build(kind, "0.0.1", inputs)?, terminal).await
}

fn is_bad_request(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().and_then(ClientError::status) == Some(400)
}

async fn send(
    session: &Session,
    proposed: &Proposed,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<Done> {
    let location = |id: EntryId| format!("/api/v1/log/entries/{id}");
    match session.client.upload(&proposed.proposal).await? {
        Uploaded::Created { entry, attestation } => {
            let receipt = session.verify(&entry).await?;
            check(proposed, &receipt, terminal)?;
            let not_kept = attestation.as_deref().and_then(|kept| kept.strip_prefix("not-kept"));
            if let Some(sizes) = not_kept {
                let sizes = printable(sizes);
                writeln!(terminal.err, "the log does not keep the attestation{sizes}")?;
            }
            let location = location(receipt.entry_id);
            Ok(Done { already_exists: false, location, index: receipt.log_index })
        }
        Uploaded::Exists { id, entry } => {
            if let Some(receipt) = existing(session, proposed, id, entry.as_deref()).await? {
                check(proposed, &receipt, terminal)?;
            }
            Ok(Done { already_exists: true, location: location(id), index: 0 })
        }
    }
}

/// The receipt of the entry that is said to exist, as far as there is one. Rekor itself sends none;
/// its word is taken, as rekor-cli takes it, when it names the leaf that was proposed.
async fn existing(
    session: &Session,
    proposed: &Proposed,
    id: EntryId,
    sent: Option<&LogEntry>,
) -> anyhow::Result<Option<VerifiedReceipt>> {
    let is_proposed = proposed.body.as_ref().is_none_or(|body| Hash::leaf(body) == id.leaf);
    let receipt = match sent {
        Some(entry) => session.verify(entry).await?,
        None if is_proposed => return Ok(None),
        None => {
            let other = || format!("the server names entry {id}, which is not the proposed one");
            let entry = session.client.entry_by_uuid(&id.to_string()).await.with_context(other)?;
            session.verify(&entry).await.with_context(other)?
        }
    };
    let got = receipt.entry_id;
    anyhow::ensure!(got == id, "the server names entry {id} and sends entry {got}");
    Ok(Some(receipt))
}

/// Refuses an entry that is not the proposed one. A log may write the same evidence in another form
/// than this client, which is only said; and of what this client does not know it cannot judge.
fn check(
    proposed: &Proposed,
    receipt: &VerifiedReceipt,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let id = receipt.entry_id;
    let Some(own) = &proposed.body else {
        let note = "this client cannot tell whether it is the one that was proposed";
        return Ok(writeln!(terminal.err, "the log holds entry {id}; {note}")?);
    };
    if Hash::leaf(own) == id.leaf {
        return Ok(());
    }
    let same = match (StoredBody::parse(own), StoredBody::parse(&receipt.body)) {
        (Ok(own), Ok(logged)) => same_evidence(&own, &logged),
        _ => false,
    };
    anyhow::ensure!(same, "returned entry does not match provided artifact inputs: {id}");
    Ok(writeln!(terminal.err, "the log writes this evidence in another form than this client")?)
}
