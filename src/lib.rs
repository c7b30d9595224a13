//! Indelible: a transparency log for signed software in one binary.
//!
//! The map of this crate: `http` parses requests and hands evidence to
//! [`verifier`] (crate `entry` decides) and leaves to [`log`], which orders,
//! hashes, signs and commits them through [`store`]. [`signer`] holds the log's
//! key, [`config`] is the only reader of the environment, [`server`] owns the
//! connections. ARCHITECTURE.md in the repository walks through a request.

pub mod config;
pub mod error;
pub mod http;
pub mod log;
pub mod server;
pub mod signer;
pub mod store;
pub mod telemetry;
pub mod verifier;
