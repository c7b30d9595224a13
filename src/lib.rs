//! Indelible: a transparency log for signed software in one binary.
//!
//! The map of this crate. `http` parses requests and hands them to `log`, which
//! verifies nothing itself (crate `entry` does) but orders, hashes, signs and
//! commits through `store`. `signer` holds the log's key, `config` is the only
//! reader of the environment, `telemetry` the only writer of logs and metrics.

pub mod store;
