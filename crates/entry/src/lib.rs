//! Evidence: what a signer submits, whether it holds, and the bytes that the log
//! keeps of it.
//!
//! Border: this crate parses proposed entries, verifies their signatures, writes
//! the canonical bodies of Sigstore's Rekor v1 byte for byte, and says under
//! which strings an entry is found. It refuses to know clocks, databases,
//! networks, files, and where in the tree a leaf stands.
//!
//! The way through it is one line of types, each proving the step before:
//! bytes → [`ProposedEntry`] → [`VerifiedEntry`]. One file per kind is in
//! `kinds`, one per key format in [`keys`]. Clients build proposals with
//! [`propose`] and read stored bodies with [`StoredBody`].
//!
//! Everything takes bytes from strangers: no parser panics, recurses without a
//! bound, or allocates by a claimed length.

mod apk;
pub mod base64;
mod cose;
mod dsse;
mod error;
mod fields;
mod index_keys;
mod jar;
pub mod json;
pub mod keys;
mod kind;
mod kinds;
pub mod pem;
mod policy;
mod proposal;
mod proposed;
mod rpm;
mod statement;
mod stored;
mod stored_keys;
mod utf8;
mod verified;

pub use cose::Sign1;
pub use error::{EntryError, ParseError, VERSION_PATTERN};
pub use index_keys::search_key_for_public_key;
pub use jar::jar_is_signed_whole;
pub use keys::{DigestAlgorithm, KeyError, KeyFormat};
pub use kind::{Kind, UnknownKind};
pub use policy::{Policy, SigningAlgorithm, UnknownAlgorithm};
pub use proposal::{Inputs, ProposeError, propose};
pub use proposed::{ProposedEntry, UncheckedEntry};
pub use stored::{StoredBody, StoredBodyError};
pub use stored_keys::{StoredKeys, StoredKeysError};
pub use verified::{Attestation, Payload, VerifiedEntry};
