//! Indelible: a transparency log for signed software in one binary.
//!
//! The map of this crate: `http` parses requests and hands evidence to
//! [`verifier`] (crate `entry` decides) and leaves to [`log`], which orders,
//! hashes, signs and commits them through [`store`]. [`signer`] holds the log's
//! key, [`config`] is the only reader of the environment, [`server`] owns the
//! connections. [`last_checkpoint`] remembers outside the database how far the log had come,
//! [`fsck`] recomputes all of it. ARCHITECTURE.md in the repository walks through a request.

pub mod causes;
pub mod config;
mod durable;
pub mod error;
pub mod folder;
pub mod fsck;
pub mod http;
pub mod last_checkpoint;
pub mod log;
pub mod server;
pub mod signer;
pub mod store;
pub mod telemetry;
mod unpoisoned;
pub mod verifier;
