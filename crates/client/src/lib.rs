//! Client of a transparency log that speaks the Rekor v1 API: upload, get,
//! search, verify offline, and remember what was trusted.
//!
//! Border: what any program wants from a log. Nothing here reads the
//! environment, prints or exits, and nothing that a server says is believed
//! before [`verify`] has checked it. Flags and texts for people are in the
//! `indelible-cli` binary beside this library.
//!
//! * [`Client`] speaks HTTP and answers with the shapes of the `wire` crate.
//! * [`verify`] checks receipts, checkpoints and growth; it is pure.
//! * [`artifact`] tells what an entry says about a file, and who says it; pure.
//! * [`state`] is a file of trusted heads that only move forward along a proof.
//! * [`follow`] joins them: it asks the log to prove that it only grew.

pub mod artifact;
mod client;
mod error;
pub mod follow;
pub mod state;
pub mod verify;

pub use client::{Client, ClientBuilder, Uploaded};
pub use error::{ApiError, Cause, ClientError};
