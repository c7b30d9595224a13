//! A disk that loses what was written: syncing fails, once, when a test says so.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A library that a server is started with; deleted when this is dropped.
pub(crate) struct FailingSync {
    folder: TempDir,
    suffix: &'static str,
}

impl FailingSync {
    /// For files whose names end so.
    pub(crate) fn of(suffix: &'static str) -> Self {
        let failing = Self { folder: tempfile::tempdir().expect("a folder"), suffix };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/harness/failing_sync.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(failing.library()).arg(source).arg("-ldl");
        assert!(compiler.status().expect("cc runs").success(), "{source} does not compile");
        failing
    }

    /// What a server needs in its environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library().display().to_string()),
            ("FAILING_SYNC_SUFFIX", self.suffix.to_owned()),
            ("FAILING_SYNC_TRIGGER", self.trigger().display().to_string()),
        ]
    }

    /// The next sync fails.
    pub(crate) fn fail(&self) {
        std::fs::write(self.trigger(), "").expect("it is written");
    }

    /// Whether one did.
    pub(crate) fn has_failed(&self) -> bool {
        !self.trigger().exists()
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("failing_sync.so")
    }

    fn trigger(&self) -> PathBuf {
        self.folder.path().join("fail")
    }
}
