//! What it costs to verify each kind of evidence and write its canonical body, on one core:
//!
//! ```sh
//! cargo run --release -p indelible-entry --example verification-cost [-- PART_OF_A_NAME]
//! ```
//!
//! The evidence is that of the golden tests. Each case runs for half a second after a
//! warm-up, from the JSON of the proposal to the verified entry.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indelible_entry::{Inputs, KeyFormat, Policy, ProposedEntry, propose};
use serde_json::Value;

fn main() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let part = std::env::args().nth(1).unwrap_or_default();
    println!("| evidence | bytes of proposal | µs per entry |\n|---|---|---|");
    for case in cases(&fixtures) {
        let name = case["name"].as_str().unwrap_or_default();
        if !name.contains(&part) {
            continue;
        }
        let (proposal, now) = (proposal(&fixtures, &case), case["now"].as_i64().unwrap_or(0));
        let micros = cost(&proposal, now);
        println!("| {name} | {} | {micros:.0} |", proposal.len());
    }
}

fn cases(fixtures: &Path) -> Vec<Value> {
    let lists = ["cases.json", "pgp.json"].map(|list| std::fs::read(fixtures.join(list)));
    let lists = lists.map(|list| serde_json::from_slice::<Vec<Value>>(&list.expect("a list")));
    let mut cases: Vec<Value> = lists.into_iter().flat_map(|list| list.expect("cases")).collect();
    cases.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    cases
}

fn proposal(fixtures: &Path, case: &Value) -> Vec<u8> {
    let text = |member: &str| case[member].as_str();
    let file = |name: &str| std::fs::read(PathBuf::from(fixtures).join(name)).expect("a fixture");
    let keys = case["keys"].as_array().into_iter().flatten();
    let inputs = Inputs {
        artifact: text("artifact").map(file),
        artifact_hash: text("hash").map(str::to_owned),
        signature: text("signature").map(file),
        public_keys: keys.map(|key| file(key.as_str().expect("a path"))).collect(),
        key_format: text("format").map_or(KeyFormat::X509, |f| f.parse().expect("a format")),
        aad: text("aad").map(|aad| aad.as_bytes().to_vec()),
    };
    let kind = text("kind").expect("a kind").parse().expect("a kind");
    let proposal = propose(kind, text("version").unwrap_or("0.0.1"), &inputs).expect("a proposal");
    serde_json::to_vec(&proposal).expect("JSON")
}

/// Microseconds for one.
fn cost(proposal: &[u8], now: i64) -> f64 {
    let policy = Policy::default();
    let once = || {
        let proposed = ProposedEntry::parse(proposal).expect("a proposal");
        std::hint::black_box(proposed.verify(&policy, now).expect("valid evidence"));
    };
    let run = |time: Duration| {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < time {
            once();
            count += 1;
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
    };
    run(Duration::from_millis(50));
    run(Duration::from_millis(500))
}
