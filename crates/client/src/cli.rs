//! The commands: rekor-cli's, and `verify FILE` beside them.
//!
//! Border: arguments, environment, files and texts for people. Results go to
//! standard output, everything else to standard error; every failure is exit
//! code 1. What is asked and verified is the library's.

mod command;
mod config_file;
mod get;
mod go_json;
mod hint;
mod inputs;
mod location;
mod log_info;
mod log_proof;
mod positional;
mod search;
mod session;
mod settings;
mod tle;
mod upload;
mod values;
mod verify;
mod verify_file;
mod version;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ArgMatches;

use session::Session;
use settings::Settings;

/// Where results and notes are written.
pub(crate) struct Terminal<'a> {
    /// Results. A command's result is collected and reaches the terminal at its end.
    pub(crate) out: &'a mut (dyn Write + Send),
    /// Notes and errors.
    pub(crate) err: &'a mut (dyn Write + Send),
}

/// Variables of the environment by name.
pub(crate) type Environment = BTreeMap<String, String>;

/// Runs one command to its exit code.
pub(crate) async fn run(
    arguments: Vec<OsString>,
    environment: Environment,
    terminal: &mut Terminal<'_>,
) -> ExitCode {
    let called_by = command::called_by(&arguments);
    let matches = match command::build().try_get_matches_from(command::clean(arguments)) {
        Ok(matches) => matches,
        Err(refused) => return usage(&refused, terminal),
    };
    let mut result = Vec::new();
    let mut collecting = Terminal { out: &mut result, err: &mut *terminal.err };
    let done = dispatch(&called_by, &matches, environment, &mut collecting).await;
    let printed = print(&result, terminal.out);
    match done.and(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed, too.
            let _ = writeln!(terminal.err, "{}", printable_lines(&explain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Writes a whole result at once. Line by line, a reader that has seen enough
/// (`grep -q`, `head -n 1`) would make the command fail or not, as time has it.
fn print(result: &[u8], out: &mut dyn Write) -> anyhow::Result<()> {
    match out.write_all(result).and_then(|()| out.flush()) {
        // The same reader, and a result that does not fit into the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("writing the result"),
    }
}

/// An error and its causes, outermost first. Many errors have their cause's text in
/// their own; it is said once.
fn explain(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.ends_with(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Prints help (exit code 0) or what is wrong with the command line (1).
fn usage(refused: &clap::Error, terminal: &mut Terminal<'_>) -> ExitCode {
    let text = refused.render().to_string();
    if !refused.use_stderr() {
        let _ = write!(terminal.out, "{text}");
        return ExitCode::SUCCESS;
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let _ = write!(terminal.err, "Error: {text}");
    ExitCode::FAILURE
}

async fn dispatch(
    called_by: &str,
    matches: &ArgMatches,
    environment: Environment,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let Some((name, flags)) = matches.subcommand() else {
        anyhow::bail!("a command is required");
    };
    // These two need no server and no settings.
    match name {
        "version" => return version::run(flags, terminal),
        "completion" => return command::completion(called_by, flags, terminal),
        _ => {}
    }
    let settings = Settings::read(name, flags, environment, terminal)?;
    let session = Session::new(&settings)?;
    match name {
        "upload" => upload::run(&settings, &session, terminal).await,
        "get" => get::run(&settings, &session, terminal).await,
        "verify" => verify::run(&settings, &session, terminal).await,
        "search" => search::run(&settings, &session, terminal).await,
        "loginfo" => log_info::run(&settings, &session, terminal).await,
        "logproof" => log_proof::run(&settings, &session, terminal).await,
        other => anyhow::bail!("unknown command {other:?}"),
    }
}

/// What strangers wrote, as one line: nothing in it may steer a terminal.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(plain).collect()
}

/// As [`printable`], with the line breaks that stand between texts of ours.
fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The form of a command's result; only `get` knows `tle`.
fn result_format(settings: &Settings) -> anyhow::Result<values::Format> {
    match settings.format()? {
        values::Format::Tle => anyhow::bail!("unable to print transparency log entry"),
        format => Ok(format),
    }
}

#[cfg(test)]
mod tests;
