//! `search`: entry UUIDs under criteria.
//!
//! Border: flags to a query, UUIDs to lines.

use entry::KeyFormat;
use serde::Serialize;
use wire::{Base64, SearchIndex, SearchOperator, SearchPublicKey};

use super::session::Session;
use super::settings::Settings;
use super::values::{self, Format};
use super::{Terminal, command, go_json, inputs, location};

/// The JSON form.
#[derive(Serialize)]
struct Found {
    #[serde(rename = "UUIDs")]
    uuids: Vec<String>,
}

pub(super) async fn run(
    settings: &Settings,
    session: &Session,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let format = super::result_format(settings)?;
    let query = query(settings).await?;
    if !has_criterion(&query) {
        let mut help = command::build();
        let help = help.find_subcommand_mut("search").map(clap::Command::render_help);
        write!(terminal.err, "{}", help.unwrap_or_default())?;
        anyhow::bail!(
            "at least one of --sha, --artifact, --public-key, --email or --subject must be specified"
        );
    }
    let uuids = match session.client.search(&query).await {
        Err(error) if error.status() == Some(501) => {
            anyhow::bail!("search index not enabled on {}", location::shown(&session.server))
        }
        found => found?,
    };
    anyhow::ensure!(!uuids.is_empty(), "no matching entries found");
    if format == Format::Json {
        return Ok(writeln!(terminal.out, "{}", go_json::line(&Found { uuids })?)?);
    }
    writeln!(terminal.err, "Found matching entries (listed by UUID):")?;
    for uuid in uuids {
        writeln!(terminal.out, "{uuid}")?;
    }
    Ok(())
}

fn has_criterion(query: &SearchIndex) -> bool {
    let SearchIndex { email, hash, operator: _, public_key, subject } = query;
    email.is_some() || hash.is_some() || public_key.is_some() || subject.is_some()
}

async fn query(settings: &Settings) -> anyhow::Result<SearchIndex> {
    let hash = match (settings.text("sha"), settings.text("artifact")) {
        (Some(sha), _) => Some(values::digest(&sha)?),
        (None, Some(at)) => Some(location::digest(&at).await?),
        (None, None) => None,
    };
    let subject = settings.text("subject");
    let (hash, subject) = match (hash, subject) {
        // Logs refuse this one as a hash, and find it as a subject.
        (Some(hash), None) if hash.starts_with("sha384:") => (None, Some(hash)),
        (Some(hash), Some(_)) if hash.starts_with("sha384:") => {
            anyhow::bail!("a SHA-384 and --subject exclude each other: a search has one subject")
        }
        criteria => criteria,
    };
    Ok(SearchIndex {
        email: settings.text("email"),
        hash,
        operator: settings.text("operator").map(|operator| match operator.as_str() {
            "and" => SearchOperator::And,
            _ => SearchOperator::Or,
        }),
        public_key: public_key(settings).await?,
        subject,
    })
}

async fn public_key(settings: &Settings) -> anyhow::Result<Option<SearchPublicKey>> {
    let keys = settings.list("public-key");
    let [location] = keys.as_slice() else {
        anyhow::ensure!(keys.is_empty(), "only one public key must be provided");
        return Ok(None);
    };
    let format = settings.text("pki-format").unwrap_or_else(|| KeyFormat::X509.to_string());
    anyhow::ensure!(
        ["pgp", "minisign", "x509", "ssh", "tuf"].contains(&format.as_str()),
        "unknown pki-format {format}"
    );
    let content = inputs::public_key(location).await?;
    Ok(Some(SearchPublicKey { content: Some(Base64(content)), format }))
}
