//! The settings that name the log's key.
//!
//! Border: flags, environment and defaults; the key itself is read in
//! [`crate::signer`].

use std::path::{Path, PathBuf};

use clap::Args;

use super::{SettingError, first_line};

/// Where the log key is.
#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    /// Key file [default: DATA_DIR/log-key.pem]. Made at the first start; keep a
    /// copy of it, a log without its key can never grow again.
    #[arg(long, env = "INDELIBLE_KEY")]
    pub key: Option<PathBuf>,
    /// File whose first line is the passphrase of the key file. The environment
    /// variable INDELIBLE_KEY_PASSPHRASE does the same.
    #[arg(long, env = "INDELIBLE_KEY_PASSPHRASE_FILE")]
    pub key_passphrase_file: Option<PathBuf>,
    /// Passphrase of the key file; only from the environment, since others can
    /// read a command line.
    #[arg(skip = super::variable("INDELIBLE_KEY_PASSPHRASE"))]
    pub passphrase: Option<String>,
}

impl KeyArgs {
    /// The key file.
    #[must_use]
    pub fn path(&self, data_dir: &Path) -> PathBuf {
        self.key.clone().unwrap_or_else(|| data_dir.join("log-key.pem"))
    }

    /// The passphrase, if there is one.
    ///
    /// # Errors
    /// [`SettingError::Passphrase`].
    pub fn passphrase(&self) -> Result<Option<String>, SettingError> {
        let Some(path) = &self.key_passphrase_file else {
            return Ok(self.passphrase.clone());
        };
        let read = first_line(path);
        read.map(Some).map_err(|source| SettingError::Passphrase { path: path.clone(), source })
    }
}
