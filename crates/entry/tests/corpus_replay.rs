//! Every seed of the fuzz targets, run once through its target.
//!
//! The fuzzer itself needs a nightly compiler and time; what it has to hold is in `fuzz/src/lib.rs`, and this keeps that
//! code and the seeds honest on every run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "its items are public where the file is a library")]
mod fuzz;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

/// Files or folders in a folder, sorted.
fn listed(folder: &Path) -> BTreeSet<PathBuf> {
    let listed = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    listed.map(|entry| entry.expect("a directory entry").path()).collect()
}

#[test]
fn every_seed_keeps_its_targets_promise() {
    for (name, target) in fuzz::TARGETS {
        let seeds = listed(&folder("corpus").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            target(&std::fs::read(&seed).unwrap_or_else(|e| panic!("{}: {e}", seed.display())));
        }
    }
}

#[test]
fn every_proposal_among_the_seeds_is_accepted() {
    // Seeds that are refused at the door would teach the fuzzer nothing.
    for seed in listed(&folder("corpus/proposed_entry")) {
        let body = std::fs::read(&seed).expect("a seed");
        let proposed = indelible_entry::ProposedEntry::parse(&body).expect("a proposal");
        let verified = proposed.verify(&indelible_entry::Policy::default(), 0);
        assert!(verified.is_ok(), "{}: {verified:?}", seed.display());
    }
}

#[test]
fn targets_binaries_and_corpora_have_the_same_names() {
    let names: BTreeSet<String> =
        fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for folder in [folder("fuzz_targets"), folder("corpus")] {
        let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
        let listed: BTreeSet<String> = listed(&folder).into_iter().map(stem).collect();
        assert_eq!(listed, names, "{}", folder.display());
    }
}
