//! The command line: which commands and flags there are.
//!
//! Border: names and help. Every flag is read as text here; what it must be is
//! told in `values`, because the environment and the config file are held to the
//! same rules. rekor-cli's leniency is kept: arguments that begin with `-test.`
//! and surplus positional arguments are ignored, boolean flags take a value only
//! behind `=`.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::Shell;

use super::Terminal;

/// A flag of the command line.
struct Flag {
    name: &'static str,
    value: &'static str,
    help: &'static str,
}

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value, help }
}

/// Flags of every command that speaks to a server.
const GLOBAL: [Flag; 5] = [
    flag("config", "FILE", "config file (yaml, json or toml) [default: $HOME/.rekor.yaml]"),
    flag("rekor_server", "URL", "address of the server [default: http://127.0.0.1:3000]"),
    flag("format", "FORMAT", "output: default, json, or tle (get only) [default: default]"),
    flag("timeout", "DURATION", "time limit of a request, such as 30s [default: 30s]"),
    flag("retry", "N", "number of times that a failed request is repeated [default: 3]"),
];

const STORE_STATE: &str = "store_tree_state";

const EVIDENCE: [Flag; 8] = [
    flag("artifact", "FILE|URL", "the artifact that was signed"),
    flag("artifact-hash", "HASH", "digest of the artifact: hex, optionally behind `alg:`"),
    flag("signature", "FILE|URL", "detached signature"),
    flag("public-key", "FILE|URL", "public key or certificate; may be repeated"),
    flag("pki-format", "FORMAT", "pgp, minisign, ssh, x509, pkcs7 or tuf [default: x509]"),
    flag("type", "KIND", "kind of entry, or kind:version [default: hashedrekord]"),
    flag("entry", "FILE|URL", "a whole proposed entry (JSON)"),
    flag("aad", "BASE64", "additional authenticated data (cose)"),
];

const SELECT: [Flag; 2] = [
    flag("uuid", "UUID", "UUID of an entry: 64 or 80 hex digits"),
    flag("log-index", "N", "index of an entry in the log"),
];

const SEARCH: [Flag; 7] = [
    flag("artifact", "FILE|URL", "the artifact; its SHA-256 is searched for"),
    flag("sha", "HASH", "SHA-1, SHA-256, SHA-384 or SHA-512 in hex, optionally behind `alg:`"),
    flag("public-key", "FILE|URL", "public key or certificate"),
    flag("pki-format", "FORMAT", "pgp, minisign, ssh, x509 or tuf [default: x509]"),
    flag("email", "ADDRESS", "e-mail address of a signer"),
    flag("subject", "NAME", "subject alternative name of a certificate"),
    flag("operator", "OPERATOR", "how criteria combine: and, or [default: or]"),
];

const PROOF: [Flag; 3] = [
    flag("first-size", "N", "smaller size of the log [default: 1]"),
    flag("last-size", "N", "larger size of the log"),
    flag("tree-id", "ID", "decimal tree ID [default: the active tree]"),
];

/// The program's own name; links give it others, such as `rekor-cli`.
const NAME: &str = "indelible-cli";

/// What may be set without a flag.
const ENVIRONMENT: &str = "\
Environment:
  REKOR_<FLAG>
          Value of a flag that the command line does not have, such as REKOR_LOG_INDEX
  REKOR_REKOR_SERVER_PUBLIC_KEY
          The log's public key, PEM text or path of a PEM file; without it the server is
          asked for its key, and believed

The config file takes the same settings: the names of flags, and rekor_server_public_key.";

/// Every command with its flags.
pub(super) fn build() -> Command {
    let evidence_and_selection = || EVIDENCE.iter().chain(&SELECT);
    Command::new(NAME)
        .about("Client of a transparency log that speaks Rekor's API")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(ENVIRONMENT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(speaking("upload", "Add an entry to the log", EVIDENCE.iter()))
        .subcommand(speaking("get", "Get an entry and verify its receipt", SELECT.iter()))
        .subcommand(
            speaking(
                "verify",
                "Verify that an entry is in the log; or, given a FILE, find and verify every \
                 entry that speaks about it",
                evidence_and_selection(),
            )
            .arg(Arg::new("file").value_name("FILE").index(1).help(
                "verify every entry about this file; with --uuid or --log-index, this one entry",
            ))
            .mut_arg("rest", |rest| rest.index(2)),
        )
        .subcommand(speaking("search", "Find entries", SEARCH.iter()))
        .subcommand(speaking("loginfo", "Verify the log's head, and that it only grew", [].iter()))
        .subcommand(speaking("logproof", "Get a consistency proof", PROOF.iter()))
        .subcommand(
            lenient("version", "Print the version", [].iter()).arg(switch("json").help("as JSON")),
        )
        .subcommand(Command::new("completion").about("Print completions for a shell").arg(
            Arg::new("shell").required(true).value_parser(PossibleValuesParser::new([
                "bash",
                "zsh",
                "fish",
                "powershell",
            ])),
        ))
}

/// Names of a command's flags.
pub(super) fn flags_of(command: &str) -> Vec<String> {
    let built = build();
    let arguments = built.find_subcommand(command).into_iter().flat_map(Command::get_arguments);
    arguments.filter_map(Arg::get_long).map(str::to_owned).collect()
}

/// A command that speaks to a server.
fn speaking(
    name: &'static str,
    about: &'static str,
    flags: impl Iterator<Item = &'static Flag>,
) -> Command {
    lenient(name, about, flags).after_help(ENVIRONMENT)
}

/// A command that takes the global flags and surplus words.
fn lenient(
    name: &'static str,
    about: &'static str,
    flags: impl Iterator<Item = &'static Flag>,
) -> Command {
    let rest = Arg::new("rest").num_args(0..).hide(true);
    let store =
        switch(STORE_STATE).help("whether to remember the log's head for later [default: true]");
    let args = flags.chain(&GLOBAL).map(|flag| {
        Arg::new(flag.name)
            .long(flag.name)
            .value_name(flag.value)
            .help(flag.help)
            .allow_hyphen_values(true)
            .action(ArgAction::Append)
    });
    Command::new(name).about(about).args(args).arg(store).arg(rest)
}

/// A boolean flag. As Go's it takes a value, but only behind `=`.
fn switch(name: &'static str) -> Arg {
    let switch = Arg::new(name).long(name).value_name("BOOL").num_args(0..=1).require_equals(true);
    switch.default_missing_value("true").action(ArgAction::Append)
}

/// Without arguments that a Go test binary would be given, and with global flags
/// moved behind the command, where this parser looks for them.
pub(super) fn clean(arguments: Vec<OsString>) -> Vec<OsString> {
    let is_test = |argument: &OsString| argument.to_string_lossy().starts_with("-test.");
    let mut arguments = arguments.into_iter().filter(|argument| !is_test(argument));
    let mut cleaned: Vec<OsString> = arguments.by_ref().take(1).collect();
    let mut moved = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next_if(|argument| global_flag(argument).is_some()) {
        let wants_value = global_flag(&argument) == Some(true);
        moved.push(argument);
        if wants_value {
            moved.extend(arguments.next());
        }
    }
    cleaned.extend(arguments.next());
    cleaned.extend(moved);
    cleaned.extend(arguments);
    cleaned
}

/// Whether the argument is a global flag, and then whether its value is the next
/// argument.
fn global_flag(argument: &OsString) -> Option<bool> {
    let text = argument.to_str()?.strip_prefix("--")?;
    let (name, has_value) = match text.split_once('=') {
        Some((name, _)) => (name, true),
        None => (text, false),
    };
    if name == STORE_STATE {
        return Some(false);
    }
    GLOBAL.iter().any(|flag| flag.name == name).then_some(!has_value)
}

/// The name that the program was called by, if it can stand in a script unquoted.
pub(super) fn called_by(arguments: &[OsString]) -> String {
    let plain = |name: &&str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    };
    let name = arguments.first().and_then(|path| Path::new(path).file_name()?.to_str());
    name.filter(plain).unwrap_or(NAME).to_owned()
}

/// Prints completions of the program by its name, for the shell that was asked for.
pub(super) fn completion(
    name: &str,
    flags: &ArgMatches,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    let shell = match flags.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        Some("powershell") => Shell::PowerShell,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut build(), name, &mut script);
    Ok(terminal.out.write_all(&script)?)
}
