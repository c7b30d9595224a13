//! In-toto statements: whether what was signed is one, and how it names a file.
//!
//! Border: payloads, as data. A payload is a statement because it was signed as one. Other JSON has
//! subjects, too, such as a list of files that somebody warns of, and whoever uploads it chooses the
//! kind of entry: read as a statement, it would vouch for those files.

use entry::{Kind, Sign1, StoredBody};
use serde_json::Value;

use super::mention::text;
use super::signature::IN_TOTO;
use super::{Digests, Mention, SignatureCheck};

/// How the `_type` of every version of statements begins.
const TYPE: &str = "https://in-toto.io/Statement/";

/// Finds the file in the payload that the body proves, if that is a statement.
pub(super) fn find(
    body: &StoredBody,
    payload: Option<&[u8]>,
    signature: &SignatureCheck,
    digests: &Digests,
) -> Option<Mention> {
    let payload = payload?;
    if body.kind == Kind::Cose {
        // The whole message is kept, and in it the type.
        return mention(&parse(Sign1::parse(payload).ok()?.statement()?)?, digests);
    }
    let statement = parse(payload)?;
    is_signed_as_one(body, &statement, signature).then(|| mention(&statement, digests)).flatten()
}

fn parse(payload: &[u8]) -> Option<Value> {
    serde_json::from_slice(payload).ok()
}

fn is_signed_as_one(body: &StoredBody, statement: &Value, signature: &SignatureCheck) -> bool {
    match body.kind {
        // No type is kept; the signature was checked again under that of statements.
        Kind::Dsse => *signature == SignatureCheck::Verified,
        // Neither type nor signature is kept. What was signed must say itself what it is.
        Kind::Intoto if body.version == "0.0.1" => text(statement, "_type").starts_with(TYPE),
        Kind::Intoto => {
            let kept = body.spec.pointer("/content/envelope/payloadType");
            kept.is_some_and(|kept| kept == IN_TOTO)
        }
        _ => false,
    }
}

fn mention(statement: &Value, digests: &Digests) -> Option<Mention> {
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
