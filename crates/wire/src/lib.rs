//! The JSON shapes of the Rekor v1 API, written once for server and client.
//!
//! Border: only shapes, their member names and encodings live here. No HTTP, no
//! verification, no storage. Member order is the order on the wire
//! (alphabetical, as Rekor emits it). With the feature `openapi` every shape
//! also describes itself for the OpenAPI document.

mod bounded;
mod encoding;
mod entry_text;
mod error;
mod index;
mod log_entry;
mod log_info;
mod proof;
mod proposal;
mod retrieve;

pub use bounded::bounded_list;
pub use encoding::{Base64, base64_text};
pub use entry_text::{EntryText, ProofText};
pub use error::ErrorBody;
pub use index::{SearchIndex, SearchOperator, SearchPublicKey};
pub use log_entry::{
    AttestationData, EntryBody, InclusionProof, LogEntry, LogEntryError, SetPayload, Verification,
};
pub use log_info::{InactiveShard, LogInfo};
pub use proof::ConsistencyProof;
pub use proposal::Proposal;
pub use retrieve::SearchLogQuery;
