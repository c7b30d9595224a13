//! The settings of `fsck`.
//!
//! Border: flags and defaults.

use std::num::NonZeroU32;

use clap::Args;

use super::Settings;
use crate::fsck;

/// How `fsck` goes about it.
#[derive(Clone, Debug, Args)]
pub struct FsckArgs {
    /// Go on where the last run was interrupted, or before its first finding. The
    /// place is kept in DATA_DIR/fsck-state.json.
    #[arg(long)]
    pub resume: bool,
    /// Entries that are checked per second, at most, to spare the disk.
    #[arg(long, value_name = "ENTRIES_PER_SECOND")]
    pub rate: Option<NonZeroU32>,
    /// Settings of `serve`.
    #[command(flatten)]
    pub settings: Settings,
}

impl FsckArgs {
    /// What the audit is asked to do.
    #[must_use]
    pub fn options(&self) -> fsck::Options {
        let state = self.settings.database.data_dir.join("fsck-state.json");
        fsck::Options { state, resume: self.resume, rate: self.rate }
    }
}
