//! The evidence that flags name, and the proposal that it makes up.
//!
//! Border: which files are evidence. What a kind needs of them is told by `entry`.

use anyhow::Context as _;
use entry::{Inputs, KeyFormat, Kind, Policy, ProposedEntry};
use serde_json::Value;

use super::hint;
use super::location;
use super::session;
use super::settings::Settings;
use super::values;

/// What is said when no flag names any evidence.
pub(super) const NOTHING: &str =
    "either 'entry' or 'artifact' or 'artifact-hash' must be specified";

/// The bytes of a file that is evidence; an empty one never is.
async fn evidence(what: &str, at: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = location::read(at).await.with_context(|| format!("error reading {what} file"))?;
    anyhow::ensure!(!bytes.is_empty(), "{what} file {at:?} is empty");
    Ok(bytes)
}

/// The bytes of a public key file. Whatever is in it may be sent, so a private key is
/// refused wherever it stands.
pub(super) async fn public_key(location: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = evidence("public key", location).await?;
    let is_private = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY")
    };
    anyhow::ensure!(
        !bytes.split(|byte| *byte == b'\n').any(is_private),
        "public key file {location:?} holds a private key"
    );
    Ok(bytes)
}

/// What is proposed: JSON, and what becomes of it in a log.
pub(super) struct Proposed {
    pub(super) proposal: Value,
    /// The canonical body; `None` when this client cannot make it of a ready-made proposal.
    pub(super) body: Option<Vec<u8>>,
}

/// What the flags describe, and whether the version of its kind was left open.
pub(super) struct Described {
    pub(super) proposed: Proposed,
    /// The evidence, to build another version of the same kind.
    pub(super) fallback: Option<(Kind, Inputs)>,
}

/// The ready-made proposal, if a setting names one; else what the evidence makes up.
pub(super) async fn proposal(settings: &Settings) -> anyhow::Result<Described> {
    let Some(location) = settings.text("entry") else { return described(settings).await };
    let bytes = evidence("entry", &location).await?;
    let proposal: Value = serde_json::from_slice(&bytes).context("the entry is not JSON")?;
    // Whether it is good evidence, of whatever kind, is for the server to say.
    let body = canonical(&proposal).ok();
    Ok(Described { proposed: Proposed { proposal, body }, fallback: None })
}

/// Builds the proposal that the flags of `upload` and `verify` describe, and
/// verifies it here before anything is sent.
pub(super) async fn described(settings: &Settings) -> anyhow::Result<Described> {
    let asked = settings.text("type").unwrap_or_else(|| "hashedrekord".to_owned());
    let (kind, version) = values::kind(&asked)?;
    let inputs = inputs(kind, settings).await?;
    let open = version.is_none() && kind == Kind::Intoto;
    let version = version.unwrap_or_else(|| kind.default_version().to_owned());
    let proposed = build(kind, &version, &inputs)
        .map_err(|error| hint::key_format(error, kind, &inputs, settings))?;
    Ok(Described { proposed, fallback: open.then_some((kind, inputs)) })
}

/// Builds and verifies a proposal.
pub(super) fn build(kind: Kind, version: &str, inputs: &Inputs) -> anyhow::Result<Proposed> {
    let proposal = entry::propose(kind, version, inputs).context("error")?;
    let body = canonical(&proposal).context("error")?;
    Ok(Proposed { proposal, body: Some(body) })
}

/// Verifies a proposal and gives its canonical body.
pub(super) fn canonical(proposal: &Value) -> anyhow::Result<Vec<u8>> {
    let proposed = ProposedEntry::from_value(proposal.clone())?;
    Ok(proposed.canonicalize(&Policy::default(), session::now())?)
}

async fn inputs(kind: Kind, settings: &Settings) -> anyhow::Result<Inputs> {
    let artifact_hash = settings.text("artifact-hash").map(|text| values::digest(&text));
    let artifact = settings.text("artifact");
    if artifact.is_none() && artifact_hash.is_none() {
        anyhow::bail!("{NOTHING}{}", hint::artifact(settings));
    }
    let mut public_keys = Vec::new();
    for location in settings.list("public-key") {
        public_keys.push(public_key(&location).await?);
    }
    let (artifact, artifact_hash) = match artifact {
        // Nothing is signed of an artifact but its digest, which an empty one has.
        Some(at) if kind == Kind::Hashedrekord => {
            let own = location::digest(&at).await.context("error reading artifact file")?;
            (None, artifact_hash.or(Some(Ok(own))))
        }
        Some(at) => (Some(evidence("artifact", &at).await?), artifact_hash),
        None => (None, artifact_hash),
    };
    let aad = settings.text("aad").map(|text| entry::base64::decode(text.as_bytes()));
    Ok(Inputs {
        artifact,
        artifact_hash: artifact_hash.transpose()?,
        signature: match settings.text("signature") {
            Some(location) => Some(evidence("signature", &location).await?),
            None => None,
        },
        public_keys,
        key_format: settings.text("pki-format").map_or(Ok(KeyFormat::X509), |text| text.parse())?,
        aad: aad.transpose()?,
    })
}
