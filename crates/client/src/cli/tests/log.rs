//! A small log with a key of its own, honest by itself.
//!
//! Border: trees in memory and answers over HTTP. What is lied about is the tests' affair: they
//! answer some requests themselves and leave the rest to the log.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::{Payload, Policy, ProposedEntry};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tlog::{Checkpoint, EntryId, EntryRef, Hash, NodeId, Note, NoteSignature, ProofPlan};
use wire::{AttestationData, Base64, EntryBody, InclusionProof, LogEntry, Verification};

/// A request, read whole.
pub(super) struct Asked {
    /// Path behind `/api/v1/`.
    pub(super) path: String,
    query: String,
    pub(super) is_post: bool,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn parameter(&self, name: &str) -> Option<u64> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(own, _)| *own == name)?.1.parse().ok()
    }
}

/// Serves answers at an address of their own until the test ends.
pub(super) async fn serve(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> String {
    let answer = Arc::new(answer);
    let handler = move |request: Request| {
        let answer = answer.clone();
        async move {
            let path = request.uri().path().trim_start_matches("/api/v1/").to_owned();
            let query = request.uri().query().unwrap_or_default().to_owned();
            let is_post = request.method() == "POST";
            let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            answer(&Asked { path, query, is_post, body })
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = axum::serve(listener, axum::Router::new().fallback(handler));
    tokio::spawn(async move { served.await.unwrap() });
    url
}

/// Serves an honest log that may be exchanged meanwhile.
pub(super) async fn serve_log(log: &Arc<Mutex<Log>>) -> String {
    let log = log.clone();
    serve(move |asked| log.lock().unwrap().answer(asked)).await
}

/// One tree and the trees before it.
pub(super) struct Log {
    key: SigningKey,
    name: &'static str,
    pub(super) tree_id: u64,
    bodies: Vec<Vec<u8>>,
    /// What becomes of the payload of each.
    payloads: Vec<Payload>,
    /// Frozen trees, oldest first.
    pub(super) older: Vec<Self>,
}

impl Log {
    /// An empty tree under a fresh key.
    pub(super) fn new(name: &'static str, tree_id: u64) -> Self {
        let key = SigningKey::generate();
        Self { key, name, tree_id, bodies: Vec::new(), payloads: Vec::new(), older: Vec::new() }
    }

    /// An empty tree under the same name, ID and key: the beginning of another history.
    pub(super) fn fork(&self) -> Self {
        Self { key: self.key.clone(), ..Self::new(self.name, self.tree_id) }
    }

    /// Signs with a fresh key from now on.
    pub(super) fn change_key(&mut self) {
        self.key = SigningKey::generate();
    }

    pub(super) fn shared(self) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(self))
    }

    /// The log's public key, PEM.
    pub(super) fn pem(&self) -> String {
        pem(&self.key)
    }

    /// Adds evidence; gives its index.
    pub(super) fn add(&mut self, proposal: &Value) -> usize {
        let (body, payload) = canonical(proposal);
        let at = self.bodies.iter().position(|known| *known == body);
        at.unwrap_or_else(|| {
            self.bodies.push(body);
            self.payloads.push(payload);
            self.bodies.len() - 1
        })
    }

    /// The entry ID at an index.
    pub(super) fn id(&self, index: usize) -> EntryId {
        EntryId { tree_id: self.tree_id, leaf: Hash::leaf(&self.bodies[index]) }
    }

    /// The answer to `GET /api/v1/log`.
    pub(super) fn info(&self) -> Value {
        let mut info = self.tree();
        info["inactiveShards"] = self.older.iter().map(Self::tree).collect();
        info
    }

    /// This tree as an inactive shard.
    pub(super) fn tree(&self) -> Value {
        json!({
            "rootHash": self.root().to_string(), "signedTreeHead": self.note(),
            "treeID": self.tree_id.to_string(), "treeSize": self.bodies.len(),
        })
    }

    /// An entry with its receipt.
    pub(super) fn entry(&self, index: usize) -> LogEntry {
        let size = self.bodies.len() as u64;
        let proof = InclusionProof {
            checkpoint: self.note(),
            hashes: self.hashes(&ProofPlan::inclusion(index as u64, size).unwrap()),
            log_index: index as u64,
            root_hash: self.root().to_string(),
            tree_size: size,
        };
        let mut body = EntryBody {
            attestation: self.kept(index).map(|kept| AttestationData { data: Some(Base64(kept)) }),
            body: Base64(self.bodies[index].clone()),
            integrated_time: 1_700_000_000,
            log_id: hex::encode(self.key_id()),
            log_index: index as u64,
            verification: None,
        };
        let set: DerSignature = self.key.sign(&body.set_payload());
        body.verification = Some(Verification {
            inclusion_proof: Some(proof),
            signed_entry_timestamp: Some(Base64(set.as_bytes().to_vec())),
        });
        LogEntry::new(self.id(index).to_string(), body)
    }

    /// What an honest server answers.
    pub(super) fn answer(&self, asked: &Asked) -> Response {
        let of = |tree: Option<u64>| {
            let mut trees = std::iter::once(self).chain(&self.older);
            trees.find(|log| tree.is_none_or(|id| id == log.tree_id)).unwrap()
        };
        let tree = of(asked.parameter("treeID"));
        match (asked.path.as_str(), asked.is_post) {
            ("log", _) => Json(self.info()).into_response(),
            ("log/publicKey", _) => tree.pem().into_response(),
            ("log/proof", _) => {
                let [first, last] = ["firstSize", "lastSize"].map(|name| asked.parameter(name));
                let plan = ProofPlan::consistency(first.unwrap(), last.unwrap());
                let hashes = plan.map(|plan| tree.hashes(&plan)).unwrap_or_default();
                Json(json!({ "rootHash": tree.root().to_string(), "hashes": hashes }))
                    .into_response()
            }
            ("index/retrieve", _) => Json(self.search(&asked.body)).into_response(),
            ("log/entries", true) => self.create(&asked.body),
            ("log/entries/retrieve", _) => {
                let uuid = asked.body["entryUUIDs"][0].as_str().and_then(|text| self.find(text));
                Json(uuid.map(|index| self.entry(index)).as_slice()).into_response()
            }
            ("log/entries", false) => {
                let index = asked.parameter("logIndex").unwrap();
                Json(self.entry(usize::try_from(index).unwrap())).into_response()
            }
            (path, _) => match self.find(path.trim_start_matches("log/entries/")) {
                Some(index) => Json(self.entry(index)).into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            },
        }
    }

    /// Answers a duplicate with 409 as Rekor does; what is new, without adding it, with 400.
    fn create(&self, proposal: &Value) -> Response {
        let (body, _) = canonical(proposal);
        match self.bodies.iter().position(|known| *known == body) {
            Some(index) => conflict(&self.id(index), None),
            None => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    fn search(&self, query: &Value) -> Vec<String> {
        let digest = query["hash"].as_str().and_then(|hash| hash.strip_prefix("sha256:"));
        let Some(digest) = digest else { return Vec::new() };
        let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(digest);
        let found = (0..self.bodies.len()).filter(|&index| {
            names(&self.bodies[index]) || self.kept(index).is_some_and(|kept| names(&kept))
        });
        found.map(|index| self.id(index).to_string()).collect()
    }

    /// What is kept beside an entry.
    fn kept(&self, index: usize) -> Option<Vec<u8>> {
        match &self.payloads[index] {
            Payload::Kept(kept) => Some(kept.data.clone()),
            _ => None,
        }
    }

    fn find(&self, uuid: &str) -> Option<usize> {
        let leaf = uuid.parse::<EntryRef>().ok()?.leaf();
        self.bodies.iter().position(|body| Hash::leaf(body) == leaf)
    }

    fn leaves(&self) -> Vec<Hash> {
        self.bodies.iter().map(|body| Hash::leaf(body)).collect()
    }

    fn root(&self) -> Hash {
        tlog::root_of_leaves(&self.leaves())
    }

    fn hashes(&self, plan: &ProofPlan) -> Vec<String> {
        let leaves = self.leaves();
        let node = |NodeId { level, index }: NodeId| {
            let (start, end) = (index << level, (index + 1) << level);
            let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
            Some(tlog::root_of_leaves(leaves.get(range)?))
        };
        plan.resolve(node).unwrap().iter().map(Hash::to_string).collect()
    }

    fn note(&self) -> String {
        let origin = format!("{} - {}", self.name, self.tree_id);
        let (size, root) = (self.bodies.len() as u64, self.root());
        let text = Checkpoint { origin, size, root, extensions: Vec::new() }.to_text();
        let signature: DerSignature = self.key.sign(text.as_bytes());
        let [a, b, c, d, ..] = self.key_id();
        let signature = signature.as_bytes().to_vec();
        let line = NoteSignature { name: self.name.to_owned(), key_hash: [a, b, c, d], signature };
        Note { text, signatures: vec![line] }.to_string()
    }

    fn key_id(&self) -> [u8; 32] {
        let key = p256::PublicKey::from(self.key.verifying_key());
        Sha256::digest(key.to_public_key_der().unwrap()).into()
    }
}

/// A 409 for an entry, perhaps with the entry.
pub(super) fn conflict(id: &EntryId, entry: Option<&LogEntry>) -> Response {
    let location = [(header::LOCATION, format!("/api/v1/log/entries/{id}"))];
    let body = json!({ "code": 409, "message": "an equivalent entry", "entry": entry });
    (StatusCode::CONFLICT, location, Json(body)).into_response()
}

fn canonical(proposal: &Value) -> (Vec<u8>, Payload) {
    let proposed = ProposedEntry::from_value(proposal.clone()).unwrap();
    let (body, _, _, payload) = proposed.verify(&Policy::default(), 0).unwrap().into_parts();
    (body, payload)
}

pub(super) fn pem(key: &SigningKey) -> String {
    let key = p256::PublicKey::from(key.verifying_key());
    key.to_public_key_pem(LineEnding::LF).unwrap()
}

/// Evidence: a file, signed.
pub(super) struct Signed {
    folder: tempfile::TempDir,
    content: &'static str,
    signature: DerSignature,
    key: String,
}

impl Signed {
    /// Signs a content with a fresh key and lays it down as `file`, `file.sig` and `key.pub`.
    pub(super) fn new(content: &'static str) -> Self {
        let key = SigningKey::generate();
        let signed = Self {
            folder: tempfile::tempdir().unwrap(),
            content,
            signature: key.sign(content.as_bytes()),
            key: pem(&key),
        };
        std::fs::write(signed.path("file"), content).unwrap();
        std::fs::write(signed.path("file.sig"), signed.signature.as_bytes()).unwrap();
        std::fs::write(signed.path("key.pub"), &signed.key).unwrap();
        signed
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The `hashedrekord` of it.
    pub(super) fn proposal(&self) -> Value {
        let digest = hex::encode(Sha256::digest(self.content));
        json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": digest } },
                "signature": {
                    "content": STANDARD.encode(self.signature.as_bytes()),
                    "publicKey": { "content": STANDARD.encode(&self.key) },
                },
            },
        })
    }
}
