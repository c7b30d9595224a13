//! What the stories stand on: databases to run on, and faults to run into.

pub(crate) mod cluster;
pub(crate) mod copies;
#[macro_use]
pub(crate) mod databases;
pub(crate) mod evidence;
pub(crate) mod failing_sync;
pub(crate) mod faults;
pub(crate) mod large;
pub(crate) mod logs;
#[macro_use]
pub(crate) mod note_server;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod receipts;
pub(crate) mod rounds;
pub(crate) mod s3_signature;
pub(crate) mod served;
pub(crate) mod small_disk;
