//! The commands: rekor-cli's, and `verify FILE` beside them.
//!
//! Border: arguments, environment, files and texts for people. Results go to
//! standard output, everything else to standard error; every failure is exit
//! code 1. What is asked and verified is the library's.

mod command;
mod config_file;
mod get;
mod go_json;
mod inputs;
mod log_info;
mod log_proof;
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
use std::io::Write;
use std::process::ExitCode;

use clap::ArgMatches;

use session::Session;
use settings::Settings;

/// Where results and notes are written.
pub(crate) struct Terminal<'a> {
    /// Results.
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
    let matches = match command::build().try_get_matches_from(command::clean(arguments)) {
        Ok(matches) => matches,
        Err(refused) => return usage(&refused, terminal),
    };
    match dispatch(&matches, environment, terminal).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed, too.
            let _ = writeln!(terminal.err, "{error:#}");
            ExitCode::FAILURE
        }
    }
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
        "completion" => return command::completion(flags, terminal),
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

/// The form of a command's result; only `get` knows `tle`.
fn result_format(settings: &Settings) -> anyhow::Result<values::Format> {
    match settings.format()? {
        values::Format::Tle => anyhow::bail!("unable to print transparency log entry"),
        format => Ok(format),
    }
}

#[cfg(test)]
mod tests;
