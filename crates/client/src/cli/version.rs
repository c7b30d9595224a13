//! `version`: what this program is.
//!
//! Border: its own name and version, under the member names that rekor-cli uses.

use anyhow::Context as _;
use clap::ArgMatches;
use serde::Serialize;

use super::{Terminal, go_json, values};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
    git_commit: &'static str,
    git_tree_state: &'static str,
    build_date: &'static str,
    go_version: &'static str,
    compiler: &'static str,
    platform: String,
}

pub(super) fn run(flags: &ArgMatches, terminal: &mut Terminal<'_>) -> anyhow::Result<()> {
    let version = Version {
        git_version: format!("v{}", env!("CARGO_PKG_VERSION")),
        git_commit: "unknown",
        git_tree_state: "unknown",
        build_date: "unknown",
        go_version: "none",
        compiler: "rustc",
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    let json = flags.get_many::<String>("json").into_iter().flatten().next_back();
    let json = json.map(|text| {
        let refused = || format!("invalid argument {text:?} for \"--json\" flag");
        values::boolean(text).with_context(refused)
    });
    if json.transpose()?.unwrap_or(false) {
        return Ok(writeln!(terminal.out, "{}", go_json::pretty(&version)?)?);
    }
    writeln!(
        terminal.out,
        "indelible-cli: client of a transparency log, for rekor-cli's scripts\n"
    )?;
    for (name, value) in [
        ("GitVersion:", version.git_version.as_str()),
        ("GitCommit:", version.git_commit),
        ("GitTreeState:", version.git_tree_state),
        ("BuildDate:", version.build_date),
        ("GoVersion:", version.go_version),
        ("Compiler:", version.compiler),
        ("Platform:", version.platform.as_str()),
    ] {
        writeln!(terminal.out, "{name:<14} {value}")?;
    }
    Ok(())
}
