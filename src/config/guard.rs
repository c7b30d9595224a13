//! The settings that say where the last signed checkpoint is kept.
//!
//! Border: flags, environment and defaults; nothing is read or sent here.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{SettingError, first_line, variable};
use crate::last_checkpoint::{Access, Credentials, Place, Remote, Token};

/// Where the last signed checkpoint is kept.
#[derive(Clone, Debug, Args)]
pub struct GuardArgs {
    /// File outside the database that remembers the last signed checkpoint
    /// [default: DATA_DIR/last-checkpoint]; `off` for none. A database that is behind
    /// it, or has another history, is read but not written. Best on another disk
    /// than the database, and never part of the database's backup.
    #[arg(long, env = "INDELIBLE_LAST_CHECKPOINT", value_name = "FILE")]
    pub last_checkpoint: Option<PathBuf>,
    /// Object that remembers it as well: `https://host/path` (or `http`), read by GET and
    /// written by PUT, or `s3://bucket/key`. It must answer at the start.
    ///
    /// For s3 the environment has AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, perhaps
    /// AWS_SESSION_TOKEN, and AWS_REGION, or AWS_ENDPOINT_URL for a service that is not
    /// Amazon's (its URLs have the bucket in their path). For others a bearer token may be
    /// in INDELIBLE_LAST_CHECKPOINT_TOKEN.
    #[arg(long, env = "INDELIBLE_LAST_CHECKPOINT_URL", value_name = "URL", hide_env_values = true)]
    pub last_checkpoint_url: Option<String>,
    /// File whose first line is the bearer token for an http or https URL.
    #[arg(long, env = "INDELIBLE_LAST_CHECKPOINT_TOKEN_FILE", value_name = "FILE")]
    pub last_checkpoint_token_file: Option<PathBuf>,
    /// The token itself and what S3 takes; only from the environment, since others can
    /// read a command line.
    #[arg(skip = access_of_environment())]
    pub access: Access,
}

fn access_of_environment() -> Access {
    Access {
        token: variable("INDELIBLE_LAST_CHECKPOINT_TOKEN").map(Token),
        credentials: Credentials::from_env(),
        region: variable("AWS_REGION"),
        endpoint: variable("AWS_ENDPOINT_URL"),
        environment_proxy: true,
        ..Access::default()
    }
}

impl GuardArgs {
    /// The places where the last signed checkpoint is kept: none, when both are
    /// switched off.
    ///
    /// # Errors
    /// [`SettingError::LastCheckpointUrl`] and [`SettingError::Token`].
    pub fn places(&self, data_dir: &Path) -> Result<Vec<Place>, SettingError> {
        let mut places = Vec::new();
        match &self.last_checkpoint {
            None => places.push(Place::file(data_dir.join("last-checkpoint"))),
            Some(path) if path.as_os_str() == "off" => {}
            Some(path) => places.push(Place::file(path)),
        }
        if let Some(url) = self.last_checkpoint_url.as_deref().filter(|url| !url.is_empty()) {
            let mut access = self.access.clone();
            if let Some(path) = &self.last_checkpoint_token_file {
                let token = first_line(path)
                    .map_err(|source| SettingError::Token { path: path.clone(), source })?;
                access.token = Some(Token(token));
            }
            places.push(Place::Remote(Remote::new(url, &access)?));
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use clap::Parser as _;

    fn named(arguments: &[&str]) -> Result<Vec<String>, SettingError> {
        let all = ["indelible", "--data-dir", "/data"].iter().chain(arguments);
        let settings = Cli::parse_from(all).serve;
        let places = settings.guard.places(&settings.database.data_dir)?;
        Ok(places.iter().map(|place| place.name().to_string()).collect())
    }

    #[test]
    fn the_last_checkpoint_is_in_the_data_directory_unless_said_otherwise() {
        let names = |arguments| named(arguments).unwrap();
        assert_eq!(names(&[]), ["/data/last-checkpoint"]);
        assert_eq!(names(&["--last-checkpoint", "/mnt/x"]), ["/mnt/x"]);
        assert!(names(&["--last-checkpoint", "off"]).is_empty());
        let url = ["--last-checkpoint-url", "https://host/note"];
        assert_eq!(names(&url), ["/data/last-checkpoint", "https://host/note"]);
        let alone = ["--last-checkpoint", "off", "--last-checkpoint-url", "https://host/note"];
        assert_eq!(names(&alone), ["https://host/note"]);
    }

    #[test]
    fn a_refusal_names_the_option_and_nothing_secret() {
        let refused = named(&["--last-checkpoint-url", "https://me:secret@host/note"]);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("--last-checkpoint-url must"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
        let url = ["--last-checkpoint-url", "https://host/note"];
        let absent = ["--last-checkpoint-token-file", "/absent"];
        let refused = named(&[url, absent].concat()).unwrap_err().to_string();
        assert!(refused.starts_with("--last-checkpoint-token-file /absent: "), "{refused}");
    }
}
