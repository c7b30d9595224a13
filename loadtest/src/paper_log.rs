//! A log of a few entries on paper, for tests of those who judge one.
//!
//! Border: it tells the truth. Whoever wants a lie changes what it said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entry::keys::x509::PublicKey;
use tlog::{Checkpoint, Edge, EntryId, Hash, Note, NoteSignature, ProofPlan};
use wire::{Base64, ConsistencyProof, EntryBody, InclusionProof, LogEntry, LogInfo, Verification};

use crate::evidence::Signer;
use crate::receipts::Head;

const TREE_ID: u64 = 7;

pub(crate) struct PaperLog {
    signer: Signer,
    bodies: Vec<String>,
}

impl PaperLog {
    /// Fewer than 256 bodies, so that one tile holds all of the tree.
    pub(crate) fn new(bodies: &[&str]) -> Self {
        let signer = Signer::all().unwrap().remove(0);
        Self { signer, bodies: bodies.iter().map(|body| (*body).to_owned()).collect() }
    }

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::from_pem(STANDARD.decode(&self.signer.public_key).unwrap()).unwrap()
    }

    pub(crate) fn size(&self) -> u64 {
        self.bodies.len() as u64
    }

    pub(crate) fn leaf(&self, index: u64) -> Hash {
        Hash::leaf(self.bodies[usize::try_from(index).unwrap()].as_bytes())
    }

    pub(crate) fn id(&self, index: u64) -> String {
        EntryId { tree_id: TREE_ID, leaf: self.leaf(index) }.to_string()
    }

    fn tree(&self, size: u64) -> Edge {
        let mut tree = Edge::new();
        (0..size).for_each(|index| tree.append(self.leaf(index), &mut Vec::new()));
        tree
    }

    pub(crate) fn head(&self, size: u64) -> Head {
        (size, self.tree(size).root())
    }

    pub(crate) fn note(&self, (size, root): Head) -> String {
        let origin = format!("paper.example - {TREE_ID}");
        let text = Checkpoint { origin, size, root, extensions: Vec::new() }.to_text();
        let signature = self.signer.sign(text.as_bytes()).unwrap();
        let name = "paper.example".to_owned();
        let signatures = vec![NoteSignature { name, key_hash: [0; 4], signature }];
        Note { text, signatures }.to_string()
    }

    /// The entry, in the tree of `size` under its note.
    pub(crate) fn entry(&self, index: u64, size: u64, note: &str) -> LogEntry {
        let tree = self.tree(size);
        let hashes = ProofPlan::inclusion(index, size).unwrap().resolve(|node| tree.node(node));
        let proof = InclusionProof {
            checkpoint: note.to_owned(),
            hashes: hashes.unwrap().iter().map(Hash::to_string).collect(),
            log_index: index,
            root_hash: tree.root().to_string(),
            tree_size: size,
        };
        let mut body = EntryBody {
            attestation: None,
            body: Base64(self.bodies[usize::try_from(index).unwrap()].clone().into_bytes()),
            integrated_time: 1_700_000_000,
            log_id: "00".repeat(32),
            log_index: index,
            verification: None,
        };
        let timestamp = self.signer.sign(&body.set_payload()).unwrap();
        body.verification = Some(Verification {
            inclusion_proof: Some(proof),
            signed_entry_timestamp: Some(Base64(timestamp)),
        });
        LogEntry::new(self.id(index), body)
    }

    pub(crate) fn consistency(&self, first: u64, last: u64) -> ConsistencyProof {
        let tree = self.tree(last);
        let hashes = ProofPlan::consistency(first, last).unwrap().resolve(|node| tree.node(node));
        let hashes = hashes.unwrap().iter().map(Hash::to_string).collect();
        ConsistencyProof { hashes, root_hash: self.head(self.size()).1.to_string() }
    }

    pub(crate) fn info(&self, note: &str) -> LogInfo {
        let head = self.head(self.size());
        LogInfo {
            inactive_shards: Vec::new(),
            root_hash: head.1.to_string(),
            signed_tree_head: note.to_owned(),
            tree_id: TREE_ID.to_string(),
            tree_size: head.0,
        }
    }
}
