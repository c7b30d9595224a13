//! The settings of log lines.
//!
//! Border: flags, environment and defaults, the same for every command that writes any.

use clap::Args;

use crate::telemetry::LogFormat;

/// How log lines are written.
#[derive(Clone, Debug, Args)]
pub struct LogLineArgs {
    /// Log lines as `text` or `json`.
    #[arg(long = "log-format", env = "INDELIBLE_LOG_FORMAT", value_enum,
          default_value_t = LogFormat::Text)]
    pub format: LogFormat,
    /// Log filter, such as `info` or `indelible=debug`. The target `access` has a
    /// line per request: `info` for all; `warn` for refused ones but 404, 409 and 429,
    /// and for those without an answer, as the client hung up or the connection was
    /// closed to make room or at a shutdown (status 499); `error` for failed ones.
    #[arg(long = "log", env = "INDELIBLE_LOG", default_value = "info,access=warn")]
    pub filter: String,
}
