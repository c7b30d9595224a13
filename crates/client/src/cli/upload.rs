//! `upload`: propose an entry, and verify the receipt.
//!
//! Border: the conversation and its texts. An equal entry that was there before is
//! a success.

use entry::{Inputs, Kind};
use indelible_client::{ClientError, Uploaded};
use serde::Serialize;
use serde_json::Value;

use super::inputs::{self, Proposed};
use super::session::Session;
use super::settings::Settings;
use super::values::Format;
use super::{Terminal, go_json};

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
    let Proposed { proposal, fallback } = inputs::proposal(settings).await?;
    let done = match (send(session, &proposal).await, fallback) {
        (Err(error), Some((kind, inputs))) if is_bad_request(&error) => {
            writeln!(terminal.err, "failed to upload entry: {error}")?;
            send_older(session, kind, &inputs).await?
        }
        (sent, _) => sent?,
    };
    let Done { already_exists, location, index } = &done;
    let server = &session.server;
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
async fn send_older(session: &Session, kind: Kind, inputs: &Inputs) -> anyhow::Result<Done> {
    let proposal = inputs::build(kind, "0.0.1", inputs)?;
    send(session, &proposal).await
}

fn is_bad_request(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().and_then(ClientError::status) == Some(400)
}

async fn send(session: &Session, proposal: &Value) -> anyhow::Result<Done> {
    match session.client.upload(proposal).await? {
        Uploaded::Created(entry) => {
            let receipt = session.verify(&entry).await?;
            let location = format!("/api/v1/log/entries/{}", receipt.entry_id);
            Ok(Done { already_exists: false, location, index: receipt.log_index })
        }
        Uploaded::Exists { location, entry, .. } => {
            // Rekor itself sends no entry here; where there is one, it must hold.
            if let Some(entry) = entry {
                session.verify(&entry).await?;
            }
            Ok(Done { already_exists: true, location, index: 0 })
        }
    }
}
