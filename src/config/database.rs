//! The settings that name the database.
//!
//! Border: flags, environment and defaults; nothing is opened here.

use std::path::PathBuf;

use clap::Args;

use super::SettingError;
use crate::store::postgres::Standby;

/// Where the log lives.
#[derive(Clone, Debug, Args)]
pub struct DatabaseArgs {
    /// Folder for the log key and the embedded database; made if absent.
    #[arg(long, env = "INDELIBLE_DATA_DIR", default_value = "./indelible-data")]
    pub data_dir: PathBuf,
    /// `sqlite` (a file in the data directory), `sqlite:PATH`, or
    /// `postgres://user:password@host/name`. A password with characters that a URL gives a
    /// meaning is escaped there, or stands in PGPASSWORD as it is.
    #[arg(long, env = "INDELIBLE_DATABASE", default_value = "sqlite", hide_env_values = true)]
    pub database: String,
    /// Connections to Postgres, at most.
    #[arg(long, env = "INDELIBLE_DATABASE_CONNECTIONS", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// Write only to a Postgres whose commits reach a second server before they are
    /// answered: one with synchronous_standby_names. Checked at the start and in each
    /// round; refused with SQLite.
    #[arg(long, env = "INDELIBLE_REQUIRE_SYNCHRONOUS_STANDBY")]
    pub require_synchronous_standby: bool,
}

/// A database as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A Postgres URL.
    Postgres(String),
}

impl DatabaseArgs {
    /// Which database is meant.
    ///
    /// # Errors
    /// [`SettingError::Database`]; [`SettingError::StandbyOfFile`].
    pub fn database(&self) -> Result<Database, SettingError> {
        let database = self.named()?;
        // Whoever demands a second copy must not be left with one unawares.
        match (&database, self.standby()) {
            (Database::Sqlite(_), Standby::Synchronous) => Err(SettingError::StandbyOfFile),
            _ => Ok(database),
        }
    }

    fn named(&self) -> Result<Database, SettingError> {
        let text = self.database.as_str();
        if text == "sqlite" {
            return Ok(Database::Sqlite(self.data_dir.join("log.sqlite")));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Database::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
            _ => Err(SettingError::Database(scheme(text))),
        }
    }

    /// Whether Postgres must have a second server.
    #[must_use]
    pub fn standby(&self) -> Standby {
        if self.require_synchronous_standby { Standby::Synchronous } else { Standby::Optional }
    }
}

/// What may be repeated of a text that is not understood: there may be a password anywhere else.
fn scheme(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once(':')?;
    let plain = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
    plain.then(|| scheme.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str, require_synchronous_standby: bool) -> DatabaseArgs {
        DatabaseArgs {
            data_dir: PathBuf::from("/data"),
            database: text.to_owned(),
            database_connections: 2,
            require_synchronous_standby,
        }
    }

    fn database(text: &str) -> Result<Database, SettingError> {
        args(text, false).database()
    }

    #[test]
    fn databases_are_told_apart_and_passwords_not_repeated() {
        assert_eq!(database("sqlite").unwrap(), Database::Sqlite("/data/log.sqlite".into()));
        assert_eq!(database("sqlite:/x/y.db").unwrap(), Database::Sqlite("/x/y.db".into()));
        assert!(matches!(database("postgres://h/db").unwrap(), Database::Postgres(_)));
        let refused = database("mysql://user:secret@host/db").unwrap_err().to_string();
        assert!(refused.contains("`mysql:…`") && !refused.contains("secret"), "{refused}");
        for text in ["host=db user=log password=secret", "password=secret host=[::1]", ":secret"] {
            let refused = database(text).unwrap_err().to_string();
            assert!(refused.starts_with("--database: must be `sqlite`"), "{refused}");
        }
    }
    #[test]
    fn a_standby_is_demanded_of_postgres_alone() {
        assert!(args("postgres://h/db", true).database().is_ok());
        for text in ["sqlite", "sqlite:/x/y.db"] {
            let refused = args(text, true).database().unwrap_err();
            assert!(matches!(refused, SettingError::StandbyOfFile), "{refused}");
        }
    }
}
