//! The settings of `serve`.
//!
//! Border: what concerns the server as a whole, and the groups of the rest.

use std::net::SocketAddr;

use clap::Args;

use super::{
    DatabaseArgs, EvidenceArgs, GuardArgs, KeyArgs, LoadArgs, LogLineArgs, SettingError, WorkArgs,
};
use crate::http::{EnabledEndpoints, OnDuplicate};

/// Settings of the server.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// Address and port of the API.
    #[arg(long, env = "INDELIBLE_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Address and port of the Prometheus metrics; `off` for none.
    #[arg(long, env = "INDELIBLE_METRICS_LISTEN", default_value = "127.0.0.1:2112",
          value_parser = listener)]
    pub metrics_listen: Listener,
    /// Where the log lives.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where the key is.
    #[command(flatten)]
    pub key: KeyArgs,
    /// Where the last signed checkpoint is kept.
    #[command(flatten)]
    pub guard: GuardArgs,
    /// Host name in the checkpoint's origin, fixed when the log is created
    /// [default for a new log: this machine's name].
    #[arg(long, env = "INDELIBLE_HOSTNAME")]
    pub hostname: Option<String>,
    /// Bounds on load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// What evidence must satisfy.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Bounds on the server's own work.
    #[command(flatten)]
    pub work: WorkArgs,
    /// What an equal entry is answered with: `conflict` as Rekor does (409 with
    /// its location, and the entry in the body), or `created` (201 with the
    /// entry), which makes every client's retry succeed.
    #[arg(long, env = "INDELIBLE_ON_DUPLICATE", value_enum, default_value_t = OnDuplicate::Conflict)]
    pub on_duplicate: OnDuplicate,
    /// API operations that are served, by operationId, separated by commas
    /// [default: all]. Leave out `createLogEntry` for a read-only server.
    #[arg(long, env = "INDELIBLE_ENABLED_API_ENDPOINTS", value_delimiter = ',')]
    pub enabled_api_endpoints: Option<Vec<String>>,
    /// How log lines are written.
    #[command(flatten)]
    pub log_lines: LogLineArgs,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    /// Listen here.
    At(SocketAddr),
    /// Do not listen.
    Off,
}

fn listener(text: &str) -> Result<Listener, std::net::AddrParseError> {
    match text {
        "off" => Ok(Listener::Off),
        address => address.parse().map(Listener::At),
    }
}

impl Settings {
    /// Which operations are served.
    ///
    /// # Errors
    /// [`SettingError::Endpoint`] naming the unknown one.
    pub fn endpoints(&self) -> Result<EnabledEndpoints, SettingError> {
        match &self.enabled_api_endpoints {
            None => Ok(EnabledEndpoints::all()),
            Some(names) => EnabledEndpoints::from_names(names.iter().map(String::as_str))
                .map_err(|unknown| SettingError::Endpoint(unknown.to_string())),
        }
    }
}
