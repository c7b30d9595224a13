//! The Merkle tree of a transparency log, pure.
//!
//! Border: this crate gives hashes, tiles, the growing right edge, proofs and
//! their verification, signed notes, checkpoints and entry IDs, after RFC 6962,
//! RFC 9162 and the C2SP documents tlog-tiles, signed-note and tlog-checkpoint.
//! It refuses to know keys, clocks, databases, networks and what a leaf says.

mod audit;
mod checkpoint;
mod edge;
mod entry_id;
mod half;
mod hash;
mod note;
mod proof;
mod tile;
mod verify;

pub use audit::root_of_leaves;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use edge::{Edge, partial_widths};
pub use entry_id::{EntryId, EntryIdError, EntryRef};
pub use half::{HALF_HEIGHT, HALF_WIDTH, HalfTile, TilePath};
pub use hash::{Hash, HashError};
pub use note::{Note, NoteError, NoteSignature};
pub use proof::{ProofError, ProofPlan};
pub use tile::{NodeId, TILE_HEIGHT, TILE_WIDTH, Tile, TileError, TileId};
pub use verify::{InclusionStep, inclusion_steps, verify_consistency, verify_inclusion};
