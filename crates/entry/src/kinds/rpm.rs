//! `rpm` 0.0.1: a signed RPM package, which travels with the entry and is not kept.
//!
//! Border: one kind. Everything is verified when the entry is canonicalised.

use serde_json::{Map, Value, json};

use super::{Canonical, Context, Evidence};
use crate::base64;
use crate::fields::{self, Artifact, Fields, Problems};
use crate::index_keys;
use crate::keys::pgp::PgpKeyring;
use crate::keys::{EvidenceKey as _, KeyError};
use crate::rpm::{Package, RpmError};
use crate::{EntryError, Inputs, KeyFormat, Kind, ProposeError};

struct Rpm {
    key: Vec<u8>,
    package: Artifact,
}

pub(super) fn read(spec: Fields<'_>, _: Context) -> Result<Box<dyn Evidence>, EntryError> {
    let (key, package) = (spec.object("publicKey"), spec.object("package"));
    let key_content = fields::bytes(key, "content", "publicKey content")?;
    let mut problems = Problems::default();
    problems.require("package", package.is_some());
    let package = Artifact::read(package, "package", &mut problems)?;
    problems.require("publicKey", key.is_some());
    let at = "publicKey.publicKey.content";
    problems.require(at, key.is_none() || key_content.is_some());
    problems.none()?;
    let missing = |what: &'static str| EntryError::invalid(what);
    let key = key_content.ok_or_else(|| missing("'content' must be specified for publicKey"))?;
    Ok(Box::new(Rpm { key, package: package.checked("package")? }))
}

impl Evidence for Rpm {
    fn insertable(&self) -> Result<(), EntryError> {
        self.package.insertable("missing package content")
    }

    fn canonicalize(&self) -> Result<Canonical, EntryError> {
        let keys = PgpKeyring::parse(&self.key).map_err(KeyError::from)?;
        let digest = self.package.digest()?;
        let refused = |error: RpmError| match error {
            RpmError::Pgp(error) => EntryError::Key(error.into()),
            error => EntryError::invalid(error.to_string()),
        };
        let package = Package::parse(self.package.content()).map_err(refused)?;
        package.verify(&keys).map_err(refused)?;
        let mut index_keys = index_keys::of_key(&keys);
        index_keys.push(digest.index_key());
        let spec = json!({
            "package": { "hash": digest, "headers": headers(&package)? },
            "publicKey": { "content": base64::encode(keys.canonical()) },
        });
        Ok(Canonical { spec, index_keys, payload: None })
    }

    /// The package is not kept, but its digest is, and it was checked.
    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        let keyring = PgpKeyring::parse(&self.key).map_err(KeyError::from)?;
        let mut keys = index_keys::of_key(&keyring);
        keys.extend(self.package.stored_key());
        Ok(keys)
    }
}

/// The package's names, and its MD5 if it has one. Other digests are deliberately not among them.
fn headers(package: &Package<'_>) -> Result<Map<String, Value>, EntryError> {
    let nevra = package.nevra().map_err(|error| EntryError::Internal(error.to_string().into()))?;
    let mut headers = Map::new();
    let mut set = |name: &str, value: String| headers.insert(name.to_owned(), value.into());
    set("Name", nevra.name);
    set("Epoch", nevra.epoch.to_string());
    set("Version", nevra.version);
    set("Release", nevra.release);
    set("Architecture", nevra.architecture);
    if let Some(md5) = package.md5() {
        set("RPMSIGTAG_MD5", hex::encode(md5));
    }
    Ok(headers)
}

/// Builds the spec of a proposal.
pub(super) fn propose(inputs: &Inputs) -> Result<Value, ProposeError> {
    // Rekor's client does not look at the format, which is x509 unless something else is asked for.
    inputs.needs_format(Kind::Rpm, &[KeyFormat::Pgp, KeyFormat::X509])?;
    Ok(json!({
        "package": Artifact::propose(inputs.artifact()?),
        "publicKey": { "content": base64::encode(inputs.only_key()?) },
    }))
}
