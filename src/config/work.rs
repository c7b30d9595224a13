//! The settings that bound the server's own work.
//!
//! Border: flags, environment and defaults of queue, rounds, caches, searches and threads.

use clap::Args;

use crate::log::Options;

/// Bounds on the server's own work.
#[derive(Clone, Debug, Args)]
pub struct WorkArgs {
    /// Entries that may wait to be appended; more are answered with 503.
    #[arg(long, env = "INDELIBLE_MAX_QUEUE", default_value_t = 4_096,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_queue: u32,
    /// Entries in one commit.
    #[arg(long, env = "INDELIBLE_MAX_ROUND", default_value_t = 1_024,
          value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub max_round: u32,
    /// Bytes of entries that were read lately and are kept in memory with their
    /// signed timestamps; 0 keeps none.
    #[arg(long, env = "INDELIBLE_ENTRY_CACHE_BYTES", default_value_t = 64 << 20)]
    pub entry_cache_bytes: u64,
    /// Entries that a search may find; one that finds more is refused with 400.
    #[arg(long, env = "INDELIBLE_MAX_SEARCH_RESULTS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_search_results: u32,
    /// Threads that verify evidence [default: one per core].
    #[arg(long, env = "INDELIBLE_VERIFY_THREADS")]
    pub verify_threads: Option<usize>,
}

impl WorkArgs {
    /// Bounds of the write path.
    #[must_use]
    pub fn log_options(&self) -> Options {
        Options {
            max_queue: self.max_queue as usize,
            max_round: self.max_round as usize,
            max_recent_bytes: self.entry_cache_bytes,
            max_found: self.max_search_results as usize,
            ..Options::default()
        }
    }

    /// Threads that verify evidence.
    #[must_use]
    pub fn verify_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        self.verify_threads.unwrap_or_else(cores)
    }
}
