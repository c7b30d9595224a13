//! Envelopes: whether a file is the envelope that was logged, and nothing but what was signed.
//!
//! Border: one file and one body, as data. A signature covers the payload of an envelope and its
//! type. Whatever else is in the file may be anybody's, also when the log has the digest of all of
//! it: who takes an envelope from somebody else, adds to it and uploads it has a true entry.

use entry::{Kind, Sign1, StoredBody};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::mention::{self, digest_at};
use super::{Digests, Mention, signer};

/// A DSSE envelope without members that could be anything. Names are exact and come once: a log
/// that is more lenient may have read another member than other programs do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: Option<String>,
    sig: String,
    /// As SLSA's generators add it.
    cert: Option<String>,
}

/// Where a kind's spec keeps the digest of a whole envelope.
pub(super) fn place(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Dsse => Some("/envelopeHash"),
        Kind::Intoto => Some("/content/hash"),
        Kind::Cose => Some("/data/envelopeHash"),
        _ => None,
    }
}

/// How the entry names the file as an envelope. `content` is the file, if it was read.
pub(super) fn find(
    body: &StoredBody,
    content: Option<&[u8]>,
    digests: &Digests,
) -> Option<Mention> {
    let named = digest_at(body, place(body.kind)?, digests).is_some();
    // This version takes the digest from the uploader and keeps the envelope's parts instead.
    if body.kind == Kind::Intoto && body.version != "0.0.1" {
        let own = content.and_then(|content| Envelope::read(content, body));
        let whole = own.is_some_and(|own| own.is_kept_by(body));
        let claimed = named.then_some(Mention::Claimed);
        return if whole { Some(Mention::Envelope) } else { claimed };
    }
    let whole = || match body.kind {
        Kind::Cose => {
            let message = content.and_then(|own| Sign1::parse(own).ok());
            message.is_some_and(|message| !message.has_unprotected_header())
        }
        _ => {
            let own = content.and_then(|content| Envelope::read(content, body));
            own.is_some_and(|own| own.has_payload_of(body))
        }
    };
    named.then(|| if whole() { Mention::Envelope } else { Mention::Carrier })
}

/// Whether a text is nothing but a digest in hex or base64, or a name, as key IDs are. They are not
/// signed and must not become more.
pub(super) fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=:._-".contains(&byte))
}

impl Envelope {
    /// `None` if anything is in it that is neither signed nor in the body, but for key IDs.
    fn read(content: &[u8], body: &StoredBody) -> Option<Self> {
        let envelope: Self = serde_json::from_slice(content).ok()?;
        let keys = signer::keys(body);
        let is_key =
            |text: &String| keys.iter().any(|(_, key)| key.trim_ascii() == text.trim().as_bytes());
        let plain = |signature: &Signature| {
            signature.keyid.as_deref().is_none_or(is_name)
                && signature.cert.as_ref().is_none_or(is_key)
        };
        envelope.signatures.iter().all(plain).then_some(envelope)
    }

    /// Whether the payload is the one whose digest the body has.
    fn has_payload_of(&self, body: &StoredBody) -> bool {
        let payload = entry::base64::decode_either(self.payload.as_bytes());
        let Ok(payload) = payload else { return false };
        let own = hex::encode(Sha256::digest(payload));
        let named = mention::signed_place(body.kind).and_then(|at| body.spec.pointer(at));
        let named = named.and_then(|digest| digest.get("value")?.as_str());
        named.is_some_and(|named| own.eq_ignore_ascii_case(named))
    }

    /// Whether payload, type and signatures are those that the body has.
    fn is_kept_by(&self, body: &StoredBody) -> bool {
        let kept = body.spec.pointer("/content/envelope").unwrap_or(&Value::Null);
        let items = kept.get("signatures").and_then(Value::as_array).into_iter().flatten();
        // Encoded once more than in the envelope.
        let own = self.signatures.iter().map(|signature| entry::base64::encode(&signature.sig));
        kept.get("payloadType").is_some_and(|kept| *kept == self.payload_type)
            && items
                .map(|item| item.get("sig").cloned())
                .eq(own.map(|sig| Some(Value::String(sig))))
            && self.has_payload_of(body)
    }
}
