//! Entries that no log has seen before, signed ahead of the run.
//!
//! Border: what is posted. Signing happens here and before the clock starts, so
//! that the load is not limited by the loader's own signatures.

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::ValueEnum;
use der::Decode as _;
use der::asn1::UintRef;
use pkcs8::Document;
use sha2::{Digest as _, Sha256};

/// What kind of entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Evidence {
    /// `hashedrekord` under a raw P-256 key: about 0.5 KB stored.
    #[value(name = "hashedrekord")]
    Key,
    /// `hashedrekord` under a certificate of Fulcio's size: about 3.3 KB stored.
    #[value(name = "hashedrekord-certificate")]
    Certificate,
    /// `dsse` around a statement of 20 KB, which is kept as attestation.
    Dsse,
    /// `intoto` 0.0.2 around the same statement.
    Intoto,
    /// `rekord` under a raw P-256 key, with an artifact of a few bytes.
    Rekord,
    /// `cose` around a payload of a few bytes, kept as attestation.
    Cose,
}

/// Bytes of the statement in a [`Evidence::Dsse`] entry.
const STATEMENT_BYTES: usize = 20 << 10;

const KEYS: [&str; 8] = [
    include_str!("../evidence/key0.pem"),
    include_str!("../evidence/key1.pem"),
    include_str!("../evidence/key2.pem"),
    include_str!("../evidence/key3.pem"),
    include_str!("../evidence/key4.pem"),
    include_str!("../evidence/key5.pem"),
    include_str!("../evidence/key6.pem"),
    include_str!("../evidence/key7.pem"),
];

const CERTIFICATES: [&str; 8] = [
    include_str!("../evidence/certificate0.pem"),
    include_str!("../evidence/certificate1.pem"),
    include_str!("../evidence/certificate2.pem"),
    include_str!("../evidence/certificate3.pem"),
    include_str!("../evidence/certificate4.pem"),
    include_str!("../evidence/certificate5.pem"),
    include_str!("../evidence/certificate6.pem"),
    include_str!("../evidence/certificate7.pem"),
];

/// A test key with its two public forms, each base64 of PEM text.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    pub(crate) public_key: String,
    certificate: String,
}

impl Signer {
    /// The eight signers of every run.
    pub(crate) fn all() -> anyhow::Result<Vec<Self>> {
        KEYS.iter().zip(CERTIFICATES).map(|(key, pem)| Self::read(key, pem)).collect()
    }

    fn read(key: &str, certificate: &str) -> anyhow::Result<Self> {
        let (_, document) = Document::from_pem(key).ok().context("a test key is no PEM")?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_bytes())?;
        let verifier = entry::keys::x509::X509Verifier::parse(certificate.as_bytes())?;
        Ok(Self {
            key: pair,
            public_key: STANDARD.encode(verifier.key().to_pem()),
            certificate: STANDARD.encode(certificate),
        })
    }

    /// As [`sign`](Self::sign), the two numbers in 32 bytes each.
    fn sign_fixed(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let der = self.sign(message)?;
        let (r, s) = Numbers::from_der(&der).map(|numbers| (numbers.r, numbers.s))?;
        let mut fixed = vec![0; 64];
        for (number, half) in [r, s].iter().zip(fixed.chunks_exact_mut(32)) {
            half[32 - number.as_bytes().len()..].copy_from_slice(number.as_bytes());
        }
        Ok(fixed)
    }

    /// Signs a message: ECDSA over its SHA-256, DER.
    pub(crate) fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(self.key.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
    }
}

/// Signatures over distinct artifacts, ready to be posted as entries of one kind.
pub(crate) struct Entries {
    evidence: Evidence,
    signers: Vec<Signer>,
    salt: [u8; 16],
    signatures: Vec<Vec<u8>>,
}

impl Entries {
    /// Signs `count` artifacts that differ from those of every other run, on as
    /// many threads as there are cores.
    pub(crate) fn sign(evidence: Evidence, count: usize) -> anyhow::Result<Self> {
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt)?;
        let mut entries = Self { evidence, signers: Signer::all()?, salt, signatures: Vec::new() };
        let threads = std::thread::available_parallelism()?.get();
        let share = count.div_ceil(threads);
        let parts = std::thread::scope(|scope| {
            let ranges = (0..threads).map(|at| at * share..((at + 1) * share).min(count));
            let started: Vec<_> = ranges
                .map(|range| {
                    let entries = &entries;
                    scope.spawn(move || range.map(|n| entries.sign_one(n)).collect())
                })
                .collect();
            started.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        for part in parts {
            let part: anyhow::Result<Vec<Vec<u8>>> =
                part.map_err(|_| anyhow::anyhow!("a signing thread panicked"))?;
            entries.signatures.extend(part?);
        }
        Ok(entries)
    }

    fn sign_one(&self, n: usize) -> anyhow::Result<Vec<u8>> {
        match self.evidence {
            Evidence::Key | Evidence::Certificate | Evidence::Rekord => {
                self.signer(n).sign(&self.artifact(n))
            }
            Evidence::Dsse | Evidence::Intoto => self.signer(n).sign(&pae(&self.statement(n))),
            Evidence::Cose => self.signer(n).sign_fixed(&cose::signed_bytes(&self.artifact(n))),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.signatures.len()
    }

    fn signer(&self, n: usize) -> &Signer {
        &self.signers[n % self.signers.len()]
    }

    fn artifact(&self, n: usize) -> Vec<u8> {
        [&self.salt[..], &n.to_be_bytes()].concat()
    }

    /// `sha256:` and hex of the n-th artifact, as a search would ask for it.
    pub(crate) fn digest(&self, n: usize) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(self.artifact(n))))
    }

    /// Hex of the digest that the n-th entry's stored body has, and no other one's.
    pub(crate) fn digest_in_body(&self, n: usize) -> String {
        hex::encode(match self.evidence {
            Evidence::Dsse | Evidence::Intoto => Sha256::digest(self.statement(n)),
            _ => Sha256::digest(self.artifact(n)),
        })
    }

    fn statement(&self, n: usize) -> Vec<u8> {
        let digest = hex::encode(Sha256::digest(self.artifact(n)));
        let head = format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"name\":\"artifact-{n}\",\
             \"digest\":{{\"sha256\":\"{digest}\"}}}}],\"predicateType\":\"https://example.com/load\",\
             \"predicate\":{{\"log\":\""
        );
        let mut statement = head.into_bytes();
        // Text that compresses about as well as a build log does.
        let line = format!("step {n}: compiled and linked without warnings; ");
        while statement.len() + line.len() + 3 < STATEMENT_BYTES {
            statement.extend_from_slice(line.as_bytes());
        }
        statement.extend_from_slice(b"\"}}");
        statement
    }

    /// The body of the POST for the n-th entry; `None` past the end.
    pub(crate) fn body(&self, n: usize) -> Option<Bytes> {
        let signature = STANDARD.encode(self.signatures.get(n)?);
        let signer = self.signer(n);
        let text = match self.evidence {
            Evidence::Key => self.hashedrekord(n, &signature, &signer.public_key),
            Evidence::Certificate => self.hashedrekord(n, &signature, &signer.certificate),
            Evidence::Rekord => self.rekord(n, &signature, &signer.public_key),
            Evidence::Cose => {
                let message = cose::message(&self.artifact(n), self.signatures.get(n)?);
                let (message, key) = (STANDARD.encode(message), &signer.public_key);
                format!(
                    "{{\"apiVersion\":\"0.0.1\",\"kind\":\"cose\",\"spec\":{{\"data\":{{}},\
                     \"message\":\"{message}\",\"publicKey\":\"{key}\"}}}}"
                )
            }
            Evidence::Intoto => self.intoto(n, &signature, &signer.public_key),
            Evidence::Dsse => {
                let payload = STANDARD.encode(self.statement(n));
                let verifier = &signer.public_key;
                format!(
                    "{{\"apiVersion\":\"0.0.1\",\"kind\":\"dsse\",\"spec\":{{\"proposedContent\":{{\
                     \"envelope\":\"{{\\\"payload\\\":\\\"{payload}\\\",\\\"payloadType\\\":\
                     \\\"{PAYLOAD_TYPE}\\\",\\\"signatures\\\":[{{\\\"sig\\\":\\\"{signature}\\\"}}]}}\",\
                     \"verifiers\":[\"{verifier}\"]}}}}}}"
                )
            }
        };
        Some(Bytes::from(text))
    }

    fn rekord(&self, n: usize, signature: &str, key: &str) -> String {
        let artifact = STANDARD.encode(self.artifact(n));
        format!(
            "{{\"apiVersion\":\"0.0.1\",\"kind\":\"rekord\",\"spec\":{{\"data\":{{\"content\":\
             \"{artifact}\"}},\"signature\":{{\"format\":\"x509\",\"content\":\"{signature}\",\
             \"publicKey\":{{\"content\":\"{key}\"}}}}}}}}"
        )
    }

    fn intoto(&self, n: usize, signature: &str, key: &str) -> String {
        let payload = STANDARD.encode(STANDARD.encode(self.statement(n)));
        let (signature, digest) = (STANDARD.encode(signature), self.digest(n));
        let digest = digest.trim_start_matches("sha256:");
        format!(
            "{{\"apiVersion\":\"0.0.2\",\"kind\":\"intoto\",\"spec\":{{\"content\":{{\"envelope\":\
             {{\"payload\":\"{payload}\",\"payloadType\":\"{PAYLOAD_TYPE}\",\"signatures\":\
             [{{\"sig\":\"{signature}\",\"publicKey\":\"{key}\"}}]}},\"hash\":{{\"algorithm\":\
             \"sha256\",\"value\":\"{digest}\"}}}}}}}}"
        )
    }

    fn hashedrekord(&self, n: usize, signature: &str, key: &str) -> String {
        let digest = hex::encode(Sha256::digest(self.artifact(n)));
        format!(
            "{{\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\",\"spec\":{{\"data\":{{\"hash\":\
             {{\"algorithm\":\"sha256\",\"value\":\"{digest}\"}}}},\"signature\":{{\"content\":\
             \"{signature}\",\"publicKey\":{{\"content\":\"{key}\"}}}}}}}}"
        )
    }
}

/// An ECDSA signature as DER has it (RFC 3279 section 2.2.3).
#[derive(der::Sequence)]
struct Numbers<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// COSE_Sign1 with ES256 (RFC 9052 section 4.2).
mod cose {
    /// The protected header `{1: -7}`.
    const PROTECTED: [u8; 3] = [0xa1, 0x01, 0x26];

    /// What is signed: `["Signature1", protected, external data, payload]`.
    pub(super) fn signed_bytes(payload: &[u8]) -> Vec<u8> {
        let context = [&[0x84, 0x6a], &b"Signature1"[..]].concat();
        [context, bytes(&PROTECTED), bytes(b""), bytes(payload)].concat()
    }

    /// The tagged message.
    pub(super) fn message(payload: &[u8], signature: &[u8]) -> Vec<u8> {
        let head = [&[0xd2, 0x84], bytes(&PROTECTED).as_slice(), &[0xa0]].concat();
        [head, bytes(payload), bytes(signature)].concat()
    }

    /// A byte string of at most 255 bytes (RFC 8949 section 3.1).
    fn bytes(bytes: &[u8]) -> Vec<u8> {
        let length = bytes.len() as u8;
        let head = if length < 24 { vec![0x40 | length] } else { vec![0x58, length] };
        [head.as_slice(), bytes].concat()
    }
}

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

fn pae(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_entry_is_accepted_by_the_verifier() {
        for evidence in Evidence::value_variants() {
            let evidence = *evidence;
            let entries = Entries::sign(evidence, 9).unwrap();
            let mut leaves = std::collections::HashSet::new();
            for n in 0..entries.len() {
                let body = entries.body(n).unwrap();
                let proposed = entry::ProposedEntry::parse(&body).unwrap();
                let verified = proposed.verify(&entry::Policy::default(), 0).unwrap();
                assert!(verified.index_keys().contains(&entries.digest(n)));
                let stored = String::from_utf8(verified.body().to_vec()).unwrap();
                assert!(stored.contains(&entries.digest_in_body(n)), "{stored}");
                leaves.insert(verified.leaf_hash());
            }
            assert_eq!((entries.body(9), leaves.len()), (None, 9));
        }
    }
}
