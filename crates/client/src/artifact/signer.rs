//! Who signed an entry, as its keys and certificates claim.
//!
//! Border: names and fingerprints in a body. Nothing here says that a certificate
//! is genuine.

use entry::keys::parse_key;
use entry::keys::pkcs7::Pkcs7;
use entry::keys::x509::Certificate;
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

/// Every key of the entry, in the order of the body, each once.
pub(super) fn list(body: &StoredBody) -> Vec<Signer> {
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
    Signer { subjects, fingerprints, format, is_certificate }
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
    use super::*;

    #[test]
    fn a_bystander_in_a_jar_is_no_signer() {
        let golden =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../entry/tests/golden/jar-bystander.json");
        let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        let body = StoredBody::parse(golden["body"].as_str().unwrap().as_bytes()).unwrap();
        let stored = body.spec.pointer("/signature/publicKey/content").and_then(Value::as_str);
        let bystander = entry::base64::decode(stored.unwrap().as_bytes()).unwrap();
        let bystander = read(KeyFormat::X509, &bystander);
        let signers = list(&body);
        assert_eq!(signers.len(), 2);
        assert!(!signers.contains(&bystander));
    }
}
