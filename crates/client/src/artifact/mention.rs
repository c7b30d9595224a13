//! How an entry names a file.
//!
//! Border: digests in bodies and statements, as data. Signatures are in
//! `signature`.

use std::fmt;

use entry::{Kind, StoredBody};
use serde_json::Value;

use super::Digests;

/// How an entry names a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// As what was signed.
    Artifact {
        /// Of the digest, such as `sha256`.
        algorithm: String,
    },
    /// As a subject of the in-toto statement that was signed.
    Subject {
        /// Of the digest.
        algorithm: String,
        /// The subject's name, perhaps empty.
        name: String,
        /// The statement's predicate type, perhaps empty.
        predicate_type: String,
    },
    /// As a material of the statement: something was made from it, nobody vouches for it.
    Material {
        /// Of the digest.
        algorithm: String,
        /// The statement's predicate type, perhaps empty.
        predicate_type: String,
    },
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact { algorithm } => write!(f, "the signed artifact ({algorithm})"),
            Self::Subject { algorithm, name, predicate_type } => {
                write!(f, "subject {name:?} of a {predicate_type:?} statement ({algorithm})")
            }
            Self::Material { algorithm, predicate_type } => {
                write!(f, "a material of a {predicate_type:?} statement ({algorithm})")
            }
        }
    }
}

/// Where a kind's spec keeps digests of what was signed.
fn places(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Hashedrekord | Kind::Rekord => &["/data/hash"],
        Kind::Dsse => &["/payloadHash", "/envelopeHash"],
        Kind::Intoto => &["/content/payloadHash", "/content/hash"],
        Kind::Cose => &["/data/payloadHash", "/data/envelopeHash"],
        Kind::Alpine | Kind::Rpm => &["/package/hash"],
        Kind::Helm => &["/chart/hash"],
        Kind::Jar => &["/archive/hash"],
        Kind::Rfc3161 | Kind::Tuf => &[],
    }
}

/// Finds the file in the body, then in the payload that the body proves.
pub(super) fn find(
    body: &StoredBody,
    payload: Option<&[u8]>,
    digests: &Digests,
) -> Option<Mention> {
    let in_body = places(body.kind).iter().find_map(|place| {
        let digest = body.spec.pointer(place)?;
        let (algorithm, value) = (text(digest, "algorithm"), text(digest, "value"));
        digests.has(algorithm, value).then(|| Mention::Artifact { algorithm: algorithm.to_owned() })
    });
    in_body.or_else(|| in_statement(&serde_json::from_slice(payload?).ok()?, digests))
}

fn in_statement(statement: &Value, digests: &Digests) -> Option<Mention> {
    let predicate_type = text(statement, "predicateType").to_owned();
    let list = |at: &str| statement.pointer(at).and_then(Value::as_array).into_iter().flatten();
    let subject = list("/subject").find_map(|subject| {
        let algorithm = named(subject, digests)?;
        Some((algorithm, text(subject, "name").to_owned()))
    });
    if let Some((algorithm, name)) = subject {
        return Some(Mention::Subject { algorithm, name, predicate_type });
    }
    let material = list("/predicate/materials").find_map(|material| named(material, digests));
    material.map(|algorithm| Mention::Material { algorithm, predicate_type })
}

/// The algorithm under which a resource's `digest` names the file.
fn named(resource: &Value, digests: &Digests) -> Option<String> {
    let listed = resource.get("digest")?.as_object()?;
    let is_file = |(algorithm, value): &(&String, &Value)| {
        value.as_str().is_some_and(|value| digests.has(algorithm, value))
    };
    listed.iter().find(is_file).map(|(algorithm, _)| algorithm.clone())
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
