//! The entry kinds, one file each, and the registry that finds them.
//!
//! Border: what a kind must answer ([`Evidence`]) and which versions exist. To
//! add a kind, write its file and add a line to [`REGISTRY`].

mod alpine;
mod cose;
mod dsse;
mod hashedrekord;
mod helm;
mod intoto_v001;
mod intoto_v002;
mod jar;
mod rekord;
mod rfc3161;
mod rpm;
mod tuf;

use serde_json::{Map, Value};

use crate::fields::{Digest, Fields, Problems};
use crate::{EntryError, Inputs, Kind, Policy, ProposeError, statement};

/// The spec of one entry, read and checked as far as its kind does before the
/// policy is asked. Kinds that verify the signature while reading have done so.
pub(crate) trait Evidence {
    /// Refuses what can be looked up but not inserted, such as a stored body.
    fn insertable(&self) -> Result<(), EntryError>;

    /// Refuses what the operator does not take.
    fn allowed(&self, _policy: &Policy) -> Result<(), EntryError> {
        Ok(())
    }

    /// Verifies what is not verified yet and gives what the log keeps.
    fn canonicalize(&self) -> Result<Canonical, EntryError>;

    /// The search strings that follow from the stored form, without those of the
    /// payload; in any case, with duplicates.
    fn stored_keys(&self) -> Result<Vec<String>, EntryError> {
        Ok(self.canonicalize()?.index_keys)
    }

    /// Whether entries of this kind may have a payload beside them.
    fn keeps_payload(&self) -> bool {
        false
    }

    /// The payload's digest, if the stored form records it.
    fn payload_hash(&self) -> Option<&Digest> {
        None
    }

    /// The search strings that follow from the kept payload. One with too many would have been refused as a
    /// statement, so it was not declared to be one and has none.
    fn payload_keys(&self, payload: &[u8]) -> PayloadKeys {
        let keys = statement::index_keys(statement::PAYLOAD_TYPE, payload);
        PayloadKeys::AllOrNone(keys.unwrap_or_default())
    }
}

/// What a kept payload adds to the search strings, in any case, with duplicates.
pub(crate) enum PayloadKeys {
    /// All of them.
    Certain(Vec<String>),
    /// All or none: the stored form does not say whether the payload was declared to be
    /// a statement.
    AllOrNone(Vec<String>),
}

/// What the log keeps of an entry.
pub(crate) struct Canonical {
    /// The canonical `spec`.
    pub(crate) spec: Value,
    /// Search strings in any case, with duplicates.
    pub(crate) index_keys: Vec<String>,
    /// The payload to keep beside the entry.
    pub(crate) payload: Option<Vec<u8>>,
}

/// What reading may depend on beside the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// Unix seconds.
    pub(crate) now: i64,
    /// Largest file of a JAR's `META-INF`, in bytes.
    pub(crate) max_jar_metadata: u64,
    /// Largest signature and metadata file of an Alpine package, in bytes.
    pub(crate) max_apk_metadata: u64,
    /// Whether it is a body that the log has taken and that is only to be understood.
    is_taken: bool,
}

impl Context {
    /// What a policy and a time allow; a limit of 0 is none.
    pub(crate) fn new(policy: &Policy, now: i64) -> Self {
        let unlimited_if_zero = |limit| if limit == 0 { u64::MAX } else { limit };
        Self {
            now,
            max_jar_metadata: unlimited_if_zero(policy.max_jar_metadata_size),
            max_apk_metadata: unlimited_if_zero(policy.max_apk_metadata_size),
            is_taken: false,
        }
    }

    /// For an audit of what the log has.
    pub(crate) fn of_audit() -> Self {
        Self { is_taken: true, ..Self::new(&Policy::default(), 0) }
    }

    /// For the problems of the fields.
    fn problems(self) -> Problems {
        if self.is_taken { Problems::of_taken() } else { Problems::default() }
    }
}

/// One version of a kind.
struct Version {
    kind: Kind,
    version: &'static str,
    /// Reads a spec.
    read: fn(Fields<'_>, Context) -> Result<Box<dyn Evidence>, EntryError>,
    /// Builds the spec of a proposal.
    propose: fn(&Inputs) -> Result<Value, ProposeError>,
}

/// Names a module of this folder as a version of a kind.
macro_rules! version {
    ($kind:ident, $version:literal, $module:ident) => {
        Version {
            kind: Kind::$kind,
            version: $version,
            read: $module::read,
            propose: $module::propose,
        }
    };
}

const REGISTRY: &[Version] = &[
    version!(Alpine, "0.0.1", alpine),
    version!(Cose, "0.0.1", cose),
    version!(Dsse, "0.0.1", dsse),
    version!(Hashedrekord, "0.0.1", hashedrekord),
    version!(Helm, "0.0.1", helm),
    version!(Intoto, "0.0.1", intoto_v001),
    version!(Intoto, "0.0.2", intoto_v002),
    version!(Jar, "0.0.1", jar),
    version!(Rekord, "0.0.1", rekord),
    version!(Rfc3161, "0.0.1", rfc3161),
    version!(Rpm, "0.0.1", rpm),
    version!(Tuf, "0.0.1", tuf),
];

fn find(kind: Kind, version: &str) -> Option<&'static Version> {
    REGISTRY.iter().find(|known| (known.kind, known.version) == (kind, version))
}

/// Finds the implementation and lets it read the spec.
pub(crate) fn read(
    kind: Kind,
    version: &str,
    spec: &Value,
    context: Context,
) -> Result<Box<dyn Evidence>, EntryError> {
    let found = find(kind, version);
    let found = found.ok_or_else(|| EntryError::Version { kind, version: version.to_owned() })?;
    (found.read)(Fields::of_spec(spec)?, context)
}

/// Finds the implementation and lets it build the spec of a proposal.
pub(crate) fn propose(kind: Kind, version: &str, inputs: &Inputs) -> Result<Value, ProposeError> {
    let found = find(kind, version);
    let found = found.ok_or_else(|| ProposeError::Version { kind, version: version.to_owned() })?;
    (found.propose)(inputs)
}

/// The canonical body: RFC 8785 JSON of `apiVersion`, `kind` and `spec`.
pub(crate) fn body(kind: Kind, version: &str, spec: Value) -> Result<Vec<u8>, EntryError> {
    // `json!` would copy the spec, which may be most of a package.
    let members = [("apiVersion", version.into()), ("kind", kind.as_str().into()), ("spec", spec)];
    let body = Map::from_iter(members.map(|(name, value)| (name.to_owned(), value)));
    serde_json_canonicalizer::to_vec(&body)
        .map_err(|error| EntryError::Internal(error.to_string().into()))
}
