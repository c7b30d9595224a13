//! `logproof`: a consistency proof as the server gives it.
//!
//! Border: printing. `loginfo` verifies growth; this only shows the proof.

use anyhow::Context as _;
use indelible_client::verify::read_proof;
use serde::Serialize;
use tlog::Hash;

use super::session::Session;
use super::settings::Settings;
use super::values::{self, Format};
use super::{Terminal, go_json};

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Proof {
    root_hash: String,
    hashes: Vec<String>,
}

pub(super) async fn run(
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let format = super::result_format(settings)?;
    let Some(last) = settings.text("last-size") else {
        anyhow::bail!("last-size must be specified");
    };
    let last = values::positive(&last)?;
    let first = settings.text("first-size").map_or(Ok(1), |text| values::positive(&text))?;
    anyhow::ensure!(
        first <= last,
        "last-size must be greater than or equal to to first-size value"
    );
    let tree_id = settings.text("tree-id").filter(|id| !id.is_empty());
    let proof = session.client.consistency_proof(first, last, tree_id.as_deref()).await?;
    // Only hashes are printed: text of the server's could forge lines.
    let hashes = read_proof(&proof)?.iter().map(Hash::to_string).collect();
    let root: Hash = proof.root_hash.parse().context("rootHash")?;
    let proof = Proof { root_hash: root.to_string(), hashes };
    if format == Format::Json {
        return Ok(writeln!(terminal.out, "{}", go_json::line(&proof)?)?);
    }
    writeln!(terminal.out, "Current Root Hash: {}", proof.root_hash)?;
    Ok(writeln!(terminal.out, "Hashes: [{}]", proof.hashes.join(","))?)
}
