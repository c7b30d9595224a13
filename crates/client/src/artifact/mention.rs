//! How an entry names a file.
//!
//! Border: digests in bodies, as data. Those in statements are in `statement`, signatures in
//! `signature`.

use std::fmt;

use entry::{Kind, StoredBody, jar_is_signed_whole};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Digests;

/// How an entry names a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// As what was signed.
    Artifact {
        /// Of the digest, such as `sha256`.
        algorithm: String,
    },
    /// As a signed archive with more in it than what is signed, which may be anybody's; or one that
    /// was not read to the end.
    Archive,
    /// As the signed envelope, with nothing in it that is not signed.
    Envelope,
    /// As an envelope around what was signed, with more in it, which may be anybody's; or one that
    /// was not read to the end.
    Carrier,
    /// As whatever the uploader said: a digest that the log does not check.
    Claimed,
    /// As a signed document that the entry holds whole.
    Document {
        /// In words.
        what: &'static str,
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

impl Mention {
    /// Whether signing what was signed was signing the file.
    pub(super) fn vouches(&self) -> bool {
        match self {
            Self::Artifact { .. } | Self::Envelope => true,
            Self::Document { .. } | Self::Subject { .. } => true,
            Self::Archive | Self::Carrier | Self::Claimed | Self::Material { .. } => false,
        }
    }
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact { algorithm } => write!(f, "the signed artifact ({algorithm})"),
            Self::Archive => f.write_str(
                "a signed archive; other parts of it than what is listed are not signed",
            ),
            Self::Envelope => f.write_str("the signed envelope"),
            Self::Carrier => f.write_str(
                "an envelope around what was signed; other parts of the file are not signed",
            ),
            Self::Claimed => {
                f.write_str("what the uploader called the envelope, which the log does not check")
            }
            Self::Document { what } => write!(f, "the {what} that the entry holds"),
            Self::Subject { algorithm, name, predicate_type } => {
                write!(f, "subject {name:?} of a {predicate_type:?} statement ({algorithm})")
            }
            Self::Material { algorithm, predicate_type } => {
                write!(f, "a material of a {predicate_type:?} statement ({algorithm})")
            }
        }
    }
}

/// Where a kind's spec keeps the digest of what was signed.
pub(super) fn signed_place(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Hashedrekord | Kind::Rekord => Some("/data/hash"),
        Kind::Dsse => Some("/payloadHash"),
        Kind::Intoto => Some("/content/payloadHash"),
        Kind::Cose => Some("/data/payloadHash"),
        Kind::Alpine | Kind::Rpm => Some("/package/hash"),
        Kind::Helm => Some("/chart/hash"),
        Kind::Jar => Some("/archive/hash"),
        Kind::Rfc3161 | Kind::Tuf => None,
    }
}

/// Finds the file in the body. `content` is the file, if it was read.
pub(super) fn find(
    body: &StoredBody,
    content: Option<&[u8]>,
    digests: &Digests,
) -> Option<Mention> {
    let signed = || {
        let algorithm = digest_at(body, signed_place(body.kind)?, digests)?;
        let whole = || content.is_some_and(|own| matches!(jar_is_signed_whole(own), Ok(true)));
        if body.kind == Kind::Jar && !whole() {
            return Some(Mention::Archive);
        }
        Some(Mention::Artifact { algorithm })
    };
    signed().or_else(|| held(body, digests))
}

/// The algorithm of the digest that stands at `place`, if it is the file's.
pub(super) fn digest_at(body: &StoredBody, place: &str, digests: &Digests) -> Option<String> {
    let digest = body.spec.pointer(place)?;
    let (algorithm, value) = (text(digest, "algorithm"), text(digest, "value"));
    digests.has(algorithm, value).then(|| algorithm.to_owned())
}

/// Finds the file among the documents that the body holds.
fn held(body: &StoredBody, digests: &Digests) -> Option<Mention> {
    let holds = |place: &str, digest: Option<&String>| {
        let text = body.spec.pointer(place).and_then(Value::as_str);
        let bytes = text.and_then(|text| entry::base64::decode(text.as_bytes()).ok());
        bytes.is_some_and(|bytes| Some(&hex::encode(Sha256::digest(bytes))) == digest)
    };
    match body.kind {
        Kind::Rfc3161 if holds("/tsr/content", Some(&digests.sha256)) => {
            Some(Mention::Document { what: "timestamp response" })
        }
        Kind::Tuf if holds("/metadata/content", digests.tuf.as_ref()) => {
            Some(Mention::Document { what: "TUF metadata" })
        }
        // Signed, too, by its own keys.
        Kind::Tuf if holds("/root/content", digests.tuf.as_ref()) => {
            Some(Mention::Document { what: "TUF root" })
        }
        _ => None,
    }
}

/// A member that is text, or none.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A file of the evidence crate's tests.
    fn read(name: &str) -> Vec<u8> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../entry/tests");
        std::fs::read(tests.join(name)).unwrap()
    }

    /// How the golden entry names the file, as text.
    fn found(entry: &str, content: &[u8]) -> Option<String> {
        let golden: Value = serde_json::from_slice(&read(&format!("golden/{entry}.json"))).unwrap();
        let body = StoredBody::parse(text(&golden, "body").as_bytes()).unwrap();
        let digests = Digests::of(content).unwrap().with_tuf(content);
        // What the client searches under, it must be found under.
        let keys = golden["index_keys"].as_array().unwrap();
        let sought = [Some(format!("sha256:{}", digests.sha256)), digests.tuf.clone()];
        let mention = find(&body, Some(content), &digests);
        let indexed = sought.into_iter().flatten().any(|key| keys.contains(&key.into()));
        assert_eq!(mention.is_some(), indexed);
        mention.map(|mention| mention.to_string())
    }

    #[test]
    fn an_archive_is_what_was_signed_if_nothing_was_added() {
        let signed = found("jar-rsa", &read("fixtures/jar/rsa.jar"));
        assert_eq!(signed.as_deref(), Some("the signed artifact (sha256)"));
        let more = "a signed archive; other parts of it than what is listed are not signed";
        assert_eq!(found("jar-added", &read("fixtures/jar/added.jar")).as_deref(), Some(more));
        assert!(!Mention::Archive.vouches());
    }

    #[test]
    fn documents_that_an_entry_holds_are_found() {
        let response = read("fixtures/rfc3161/2048.tsr");
        let held = "the timestamp response that the entry holds";
        assert_eq!(found("rfc3161-2048", &response).as_deref(), Some(held));
        assert_eq!(found("rfc3161-prime256v1", &response), None);

        let (targets, root) =
            (read("fixtures/tuf/mixed/targets.json"), read("fixtures/tuf/mixed/root.json"));
        let held = "the TUF metadata that the entry holds";
        assert_eq!(found("tuf-targets-mixed", &targets).as_deref(), Some(held));
        // Spaces, line ends and the order of members are not in the canonical form.
        let value: Value = serde_json::from_slice(&targets).unwrap();
        let compact = serde_json::to_vec(&value).unwrap();
        assert_ne!(compact, targets);
        assert_eq!(found("tuf-targets-mixed", &compact).as_deref(), Some(held));
        let held = "the TUF root that the entry holds";
        assert_eq!(found("tuf-targets-mixed", &root).as_deref(), Some(held));
        let snapshot = read("fixtures/tuf/mixed/snapshot.json");
        assert_eq!(found("tuf-targets-mixed", &snapshot), None);
        assert_eq!(found("tuf-targets-mixed", b"{}"), None);
        // Nobody signed what else is beside.
        for (at, name) in
            [("", "scripts"), ("/signatures/0", "scripts"), ("/signatures/0", "keyid")]
        {
            let mut more = value.clone();
            more.pointer_mut(at).unwrap()[name] = "$(evil)".into();
            let more = serde_json::to_vec(&more).unwrap();
            assert_eq!(Digests::of(&*more).unwrap().with_tuf(&more).tuf, None, "{at}/{name}");
        }
    }
}
