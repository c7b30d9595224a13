//! Who signed an entry, as its keys and certificates claim.
//!
//! Border: names and fingerprints in a body. Nothing here says that a certificate
//! is genuine.

use entry::keys::pgp::PgpKeyring;
use entry::keys::pkcs7::Pkcs7;
use entry::keys::x509::Certificate;
use entry::keys::{EvidenceKey as _, parse_key};
use entry::pem;
use entry::{KeyFormat, Kind, StoredBody};
use serde_json::Value;

/// A key or certificate of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Names that the certificate claims; none for a bare key.
    pub subjects: Vec<String>,
    /// Fingerprints by which people know the key: for keys and certificates in PEM
    /// the hex SHA-256 of the DER. None when this client cannot read the key.
    pub fingerprints: Vec<String>,
    /// Whether these are several keys, of which nobody can say which signed; at least one did.
    pub one_of: bool,
    format: KeyFormat,
    is_certificate: bool,
}

impl Signer {
    /// Whether the other one is this key or certificate, in whatever order its names are.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let sorted = |texts: &[String]| {
            let mut texts = texts.to_vec();
            texts.sort_unstable();
            texts
        };
        sorted(&self.subjects) == sorted(&other.subjects)
            && sorted(&self.fingerprints) == sorted(&other.fingerprints)
            && (self.format, self.is_certificate) == (other.format, other.is_certificate)
    }

    /// What the fingerprints are.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self.format {
            KeyFormat::X509 if self.is_certificate => "SHA-256 of the certificate",
            KeyFormat::X509 | KeyFormat::Minisign => "SHA-256 of the key",
            _ => "fingerprint of the key",
        }
    }
}

/// Who signed the entry, in the order of the body, each once.
pub(super) fn list(body: &StoredBody) -> Vec<Signer> {
    each(body, |format, key| {
        let ring = (format == KeyFormat::Pgp).then(|| PgpKeyring::parse(key).ok()).flatten();
        ring.map_or_else(|| read(format, key), |ring| of_ring(body, &ring))
    })
}

/// Every key of the entry, in the order of the body, each once: also those that signed nothing.
pub(super) fn all(body: &StoredBody) -> Vec<Signer> {
    each(body, read)
}

fn each(body: &StoredBody, read: impl Fn(KeyFormat, &[u8]) -> Signer) -> Vec<Signer> {
    let mut signers: Vec<Signer> = Vec::new();
    for (format, key) in keys(body) {
        let signer = read(format, &key);
        if !signers.contains(&signer) {
            signers.push(signer);
        }
    }
    signers
}

fn read(format: KeyFormat, key: &[u8]) -> Signer {
    let (subjects, fingerprints) = match parse_key(format, key) {
        Ok(key) => (key.subjects(), key.fingerprints()),
        Err(_) => (Vec::new(), Vec::new()),
    };
    let block = pem::decode(key);
    let is_certificate = block.is_some_and(|(block, _)| block.label == "CERTIFICATE");
    Signer { subjects, fingerprints, one_of: false, format, is_certificate }
}

/// Which key of an OpenPGP ring signed. Whoever uploads puts into it what he likes, next to his own
/// key or bound to it. A body that keeps no signature does not tell the keys apart.
fn of_ring(body: &StoredBody, ring: &PgpKeyring) -> Signer {
    let place = match body.kind {
        Kind::Helm => "/chart/provenance/signature/content",
        _ => "/signature/content",
    };
    let signature = body.spec.pointer(place).and_then(Value::as_str);
    let signer = match signature.map(|text| entry::base64::decode(text.as_bytes())) {
        Some(signature) => signature.ok().and_then(|signature| ring.signer(&signature).ok()),
        None => ring.only_packager(),
    };
    let one_of = signer.is_none();
    let (subjects, fingerprints) = match signer {
        Some(signer) => (signer.subjects, signer.fingerprints),
        None => (ring.subjects(), ring.fingerprints()),
    };
    Signer { subjects, fingerprints, one_of, format: KeyFormat::Pgp, is_certificate: false }
}

/// The key files in a body.
pub(super) fn keys(body: &StoredBody) -> Vec<(KeyFormat, Vec<u8>)> {
    let spec = &body.spec;
    let text = |at: &str| spec.pointer(at).and_then(Value::as_str);
    let each = |at: &str, name: &'static str| -> Vec<&str> {
        let items = spec.pointer(at).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.get(name).and_then(Value::as_str)).collect()
    };
    let (format, keys) = match body.kind {
        Kind::Hashedrekord => {
            (KeyFormat::X509, text("/signature/publicKey/content").into_iter().collect())
        }
        Kind::Jar => return jar_signers(text("/signature/content")),
        Kind::Rekord => {
            let format = text("/signature/format").and_then(|name| name.parse().ok());
            let key = text("/signature/publicKey/content");
            (format.unwrap_or(KeyFormat::X509), key.into_iter().collect())
        }
        Kind::Dsse => (KeyFormat::X509, each("/signatures", "verifier")),
        Kind::Intoto if body.version == "0.0.1" => {
            (KeyFormat::X509, text("/publicKey").into_iter().collect())
        }
        Kind::Intoto => (KeyFormat::X509, each("/content/envelope/signatures", "publicKey")),
        Kind::Cose => (KeyFormat::X509, text("/publicKey").into_iter().collect()),
        Kind::Alpine => (KeyFormat::X509, text("/publicKey/content").into_iter().collect()),
        Kind::Helm | Kind::Rpm => {
            (KeyFormat::Pgp, text("/publicKey/content").into_iter().collect())
        }
        Kind::Rfc3161 | Kind::Tuf => (KeyFormat::X509, Vec::new()),
    };
    let decode = |key: &str| entry::base64::decode(key.as_bytes()).ok();
    keys.into_iter().filter_map(decode).map(|key| (format, key)).collect()
}

/// The certificates of those who signed a JAR. The key in its body is the first certificate of the
/// block, which may be anybody's.
fn jar_signers(block: Option<&str>) -> Vec<(KeyFormat, Vec<u8>)> {
    let block = block.and_then(|block| entry::base64::decode(block.as_bytes()).ok());
    let signers = block.and_then(|block| Pkcs7::parse(&block).ok()?.signers().ok());
    let pem = |signer: &Certificate| pem::encode("CERTIFICATE", signer.der()).into_bytes();
    signers.iter().flatten().map(|signer| (KeyFormat::X509, pem(signer))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use entry::{Inputs, Policy, ProposedEntry};

    use super::*;

    /// A file of the evidence crate's tests.
    fn file(name: &str) -> Vec<u8> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../entry/tests");
        std::fs::read(tests.join(name)).unwrap()
    }

    fn golden(name: &str) -> StoredBody {
        let golden: Value = serde_json::from_slice(&file(&format!("golden/{name}.json"))).unwrap();
        StoredBody::parse(golden["body"].as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn a_bystander_in_a_jar_is_no_signer() {
        let body = golden("jar-bystander");
        let stored = body.spec.pointer("/signature/publicKey/content").and_then(Value::as_str);
        let bystander = entry::base64::decode(stored.unwrap().as_bytes()).unwrap();
        let bystander = read(KeyFormat::X509, &bystander);
        let signers = list(&body);
        assert_eq!(signers.len(), 2);
        assert!(!signers.contains(&bystander));
    }

    fn ring(files: &[&str]) -> Vec<u8> {
        files.iter().flat_map(|name| file(&format!("fixtures/pgp/{name}.pub.asc"))).collect()
    }

    /// The body of evidence with the keys of these files in one ring.
    fn logged(kind: Kind, artifact: &str, signature: Option<&str>, keys: &[&str]) -> StoredBody {
        let inputs = Inputs {
            artifact: Some(file(&format!("fixtures/pgp/{artifact}"))),
            artifact_hash: None,
            signature: signature.map(|name| file(&format!("fixtures/pgp/{name}"))),
            public_keys: vec![ring(keys)],
            key_format: KeyFormat::Pgp,
            aad: None,
        };
        let proposal = entry::propose(kind, "0.0.1", &inputs).unwrap();
        let proposed = ProposedEntry::from_value(proposal).unwrap();
        StoredBody::parse(&proposed.canonicalize(&Policy::default(), 0).unwrap()).unwrap()
    }

    fn only(body: &StoredBody) -> Signer {
        let [signer] = list(body).try_into().unwrap();
        signer
    }

    fn fingerprints(name: &str) -> Vec<String> {
        PgpKeyring::parse(&ring(&[name])).unwrap().fingerprints()
    }

    #[test]
    fn a_bystander_in_a_ring_is_no_signer() {
        let rsa = fingerprints("rsa");
        for keys in [&["many", "rsa"][..], &["rsa", "many"], &["rsa"]] {
            for (kind, artifact, signature) in [
                (Kind::Rekord, "artifact.txt", Some("rsa.sig")),
                (Kind::Rekord, "artifact.txt", Some("p256-rsa.sig")),
                (Kind::Helm, "rsa.prov", None),
            ] {
                let body = logged(kind, artifact, signature, keys);
                let signer = only(&body);
                assert_eq!(signer.subjects, ["rsa@example.com"], "{kind} {keys:?}");
                assert_eq!(signer.fingerprints, rsa[..1], "{kind} {keys:?}");
                assert!(!signer.one_of);
                let [all] = all(&body).try_into().unwrap();
                assert_eq!(all.fingerprints.len(), 2 * keys.len(), "{kind} {keys:?}");
            }
        }
    }

    #[test]
    fn what_is_bound_to_a_key_did_not_sign_with_it() {
        let [primary, signs, encrypts] = fingerprints("subkey").try_into().unwrap();
        let signer = only(&golden("rekord-pgp-subkey"));
        assert_eq!(signer.fingerprints, [signs, primary]);
        assert!(!signer.fingerprints.contains(&encrypts));
    }

    #[test]
    fn where_no_signature_is_kept_a_ring_is_one_of_its_keys() {
        let [primary, _] = fingerprints("ed25519").try_into().unwrap();
        let signer = only(&golden("rpm-header-ed25519"));
        assert_eq!((signer.fingerprints.as_slice(), signer.one_of), (&[primary][..], false));
        for (artifact, keys) in [
            ("header-ed25519.rpm", &["ed25519", "many"][..]),
            // The subkey could sign, too, were it asked to.
            ("header-rsa.rpm", &["rsa"]),
        ] {
            let body = logged(Kind::Rpm, artifact, None, keys);
            let signer = only(&body);
            assert!(signer.one_of, "{artifact}");
            assert_eq!(signer.fingerprints.len(), 2 * keys.len(), "{artifact}");
            assert_eq!(signer.subjects, all(&body)[0].subjects, "{artifact}");
        }
    }
}
