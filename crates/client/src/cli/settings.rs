//! The value of each flag: command line, then environment, then config file.
//!
//! Border: where a value comes from. What it must be is in `values`; values of the
//! command line and the environment are checked here, before anything is done.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ArgMatches;

use super::config_file::{self, Config};
use super::values::{self, Format};
use super::{Environment, Terminal, command};

/// The server when none is named.
const DEFAULT_SERVER: &str = "http://127.0.0.1:3000";

/// The setting for the log's key. There is no such flag.
const SERVER_KEY: &str = "rekor_server_public_key";

/// Every setting of one run.
pub(super) struct Settings {
    flags: Config,
    environment: Environment,
    config: Config,
    /// Positional arguments.
    pub(super) rest: Vec<String>,
}

impl Settings {
    /// Collects the flags of a command with environment and config file, and
    /// checks those of the first two.
    pub(super) fn read(
        name: &str,
        matches: &ArgMatches,
        environment: Environment,
        terminal: &mut Terminal<'_>,
    ) -> anyhow::Result<Self> {
        let mut flags = Config::new();
        let mut rest = Vec::new();
        for id in matches.ids().map(clap::Id::as_str) {
            let given = matches.get_many::<String>(id).into_iter().flatten().cloned();
            match id {
                "file" | "rest" => rest.extend(given),
                _ => {
                    flags.insert(id.to_owned(), given.collect());
                }
            }
        }
        let mut settings = Self { flags, environment, config: Config::new(), rest };
        settings.check(&command::flags_of(name))?;
        let asked = settings.text("config");
        let (config, path) = config_file::load(asked.as_deref(), settings.home())?;
        settings.config = config;
        if let Some(path) = path
            && settings.format()? == Format::Default
        {
            writeln!(terminal.err, "Using config file: {}", path.display())?;
        }
        Ok(settings)
    }

    /// Checks the command's flags, on the command line or else in the environment. What
    /// the environment says to other commands is not this one's affair.
    fn check(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            let given = self.flags.get(name).filter(|values| !values.is_empty());
            for value in given.into_iter().flatten() {
                values::check(name, value).map_err(|reason| {
                    anyhow::anyhow!("invalid argument {value:?} for \"--{name}\" flag: {reason}")
                })?;
            }
            if given.is_none()
                && let Some(value) = self.variable(name)
            {
                values::check(name, value).map_err(|reason| {
                    anyhow::anyhow!("invalid value {value:?} of {}: {reason}", variable_name(name))
                })?;
            }
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(&variable_name(name));
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The config file's values; an empty one counts as unset, as an empty variable does.
    fn configured(&self, name: &str) -> impl Iterator<Item = &String> {
        self.config.get(name).into_iter().flatten().filter(|value| !value.is_empty())
    }

    /// The last value of a flag on the command line.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    /// The last value of a flag, wherever it comes from.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let flag = self.flag(name).map(str::to_owned);
        let config = || self.configured(name).last().cloned();
        flag.or_else(|| self.variable(name).map(str::to_owned)).or_else(config)
    }

    /// Every value of a flag that may be repeated; commas part values, too.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let flags = self.flags.get(name).filter(|values| !values.is_empty()).cloned();
        let variable = || self.variable(name).map(|value| vec![value.to_owned()]);
        let values =
            flags.or_else(variable).unwrap_or_else(|| self.configured(name).cloned().collect());
        values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect()
    }

    /// The server's address as given.
    pub(super) fn server(&self) -> String {
        self.text("rekor_server").unwrap_or_else(|| DEFAULT_SERVER.to_owned())
    }

    /// How results are printed.
    pub(super) fn format(&self) -> anyhow::Result<Format> {
        self.text("format").map_or(Ok(Format::Default), |text| text.parse())
    }

    /// Whether heads are remembered.
    pub(super) fn stores_state(&self) -> anyhow::Result<bool> {
        self.text("store_tree_state").map_or(Ok(true), |text| values::boolean(&text))
    }

    /// The log's key as PEM, when it is not to be fetched. What is no PEM text is
    /// the path of a file of it.
    pub(super) fn server_key(&self) -> anyhow::Result<Option<String>> {
        let Some(text) = self.text(SERVER_KEY) else { return Ok(None) };
        if text.contains("-----BEGIN ") {
            return Ok(Some(text));
        }
        let read = std::fs::read_to_string(&text);
        let read = read.with_context(|| {
            format!("{} is neither PEM text nor a file: {text:?}", variable_name(SERVER_KEY))
        });
        read.map(Some)
    }

    /// The home directory. An empty name is none: the working directory may be anybody's.
    fn home(&self) -> Option<&str> {
        self.environment.get("HOME").map(String::as_str).filter(|home| !home.is_empty())
    }

    /// The file of trusted heads, if there is a home directory.
    pub(super) fn state_file(&self) -> Option<PathBuf> {
        Some(Path::new(self.home()?).join(".rekor").join("state.json"))
    }
}

/// The variable that stands for a flag.
fn variable_name(flag: &str) -> String {
    format!("REKOR_{}", flag.to_uppercase().replace('-', "_"))
}
