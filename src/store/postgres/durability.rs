//! What a commit on this Postgres survives.
//!
//! Border: reads settings and judges them, changes nothing. Read at the start and
//! whenever the writing connection is made anew, as it may then lead to another server. What an
//! answer promises is asked again in each [round](super::round).

use sqlx::PgConnection;

use crate::store::MAX_AHEAD;

/// Whether commits must reach a second server before they are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    /// No; a standby that gets them late is warned about.
    #[default]
    Optional,
    /// Yes: without `synchronous_standby_names` nothing is written.
    Synchronous,
}

/// The settings that decide what is left after a failure.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Durability {
    fsync: String,
    full_page_writes: String,
    /// What a session gets that does not ask. Ours asks for `on`.
    synchronous_commit: String,
    synchronous_standby_names: String,
    /// Others that receive the write-ahead log now, but for base backups.
    standbys: i64,
}

/// Why a server is not written to, or not by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "--require-synchronous-standby is set, but Postgres names none \
         (synchronous_standby_names is empty): what it commits would be lost with it"
    )]
    NoStandby,
    #[error(
        "synchronous_commit is off in the session of a round, though it was set at its start: is \
         there a pooler that shares sessions?"
    )]
    Early,
    #[error(
        "this machine's clock is more than {MAX_AHEAD} s ahead of that of Postgres: entries would get \
         times that have not come yet, from all servers"
    )]
    Ahead,
    #[error("this Postgres is a standby that has not been promoted")]
    Recovery,
}

/// Something that an operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warning {
    /// A crash of the machine may damage or lose committed entries.
    Off(&'static str),
    /// Our session sets it for itself; other tools on this database do not.
    Asynchronous,
    /// It would lack the last entries when it is promoted.
    LateStandby,
}

impl Durability {
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        sqlx::query_as(
            "SELECT current_setting('fsync') AS fsync,
                    current_setting('full_page_writes') AS full_page_writes,
                    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit')
                        AS synchronous_commit,
                    current_setting('synchronous_standby_names') AS synchronous_standby_names,
                    (SELECT count(*) FROM pg_stat_replication
                      WHERE application_name IS DISTINCT FROM 'pg_basebackup') AS standbys",
        )
        .fetch_one(connection)
        .await
    }

    /// Warns about what is weak and refuses what is demanded and missing.
    pub(super) fn judge(&self, standby: Standby) -> Result<(), Refused> {
        if standby == Standby::Synchronous && !self.names_standby() {
            return Err(Refused::NoStandby);
        }
        for warning in self.warnings() {
            match warning {
                Warning::Off(setting) => tracing::warn!(
                    setting,
                    "Postgres may lose committed entries: the setting is off"
                ),
                Warning::Asynchronous => tracing::warn!(
                    synchronous_commit = self.synchronous_commit,
                    "Postgres answers commits early; this server sets synchronous_commit on for itself"
                ),
                Warning::LateStandby => tracing::warn!(
                    standbys = self.standbys,
                    "a standby follows asynchronously: promoted, it may lack entries that were \
                     answered; set synchronous_standby_names"
                ),
            }
        }
        Ok(())
    }

    fn names_standby(&self) -> bool {
        !self.synchronous_standby_names.trim().is_empty()
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.fsync == "off" {
            warnings.push(Warning::Off("fsync"));
        }
        if self.full_page_writes == "off" {
            warnings.push(Warning::Off("full_page_writes"));
        }
        if !["on", "remote_apply"].contains(&self.synchronous_commit.as_str()) {
            warnings.push(Warning::Asynchronous);
        }
        if self.standbys > 0 && !self.names_standby() {
            warnings.push(Warning::LateStandby);
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Durability {
        Durability {
            fsync: "on".into(),
            full_page_writes: "on".into(),
            synchronous_commit: "on".into(),
            synchronous_standby_names: String::new(),
            standbys: 0,
        }
    }

    #[test]
    fn each_weakness_is_named() {
        assert_eq!(sound().warnings(), []);
        let weak = Durability {
            fsync: "off".into(),
            full_page_writes: "off".into(),
            synchronous_commit: "remote_write".into(),
            standbys: 1,
            ..sound()
        };
        assert_eq!(
            weak.warnings(),
            [
                Warning::Off("fsync"),
                Warning::Off("full_page_writes"),
                Warning::Asynchronous,
                Warning::LateStandby
            ]
        );
        let named = Durability { synchronous_standby_names: "*".into(), standbys: 1, ..sound() };
        assert_eq!(named.warnings(), []);
        let applied = Durability { synchronous_commit: "remote_apply".into(), ..sound() };
        assert_eq!(applied.warnings(), []);
    }

    #[test]
    fn a_demanded_standby_must_be_named() {
        assert_eq!(sound().judge(Standby::Optional), Ok(()));
        assert_eq!(sound().judge(Standby::Synchronous), Err(Refused::NoStandby));
        let named = Durability { synchronous_standby_names: "b".into(), ..sound() };
        assert_eq!(named.judge(Standby::Synchronous), Ok(()));
    }
}
