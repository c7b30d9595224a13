//! Copies of a database, as an operator's backup makes them, and the way back.

use std::path::PathBuf;

use sqlx::AssertSqlSafe;

use super::databases::{Place, TestDb, sqlite_console};

const TABLES: [&str; 6] = ["log", "head", "entries", "index_keys", "attestations", "tiles"];

/// What a database held at one moment.
pub(crate) enum Copy {
    /// A schema with a copy of each table.
    Postgres(String),
    /// A file beside the database.
    Sqlite(PathBuf),
}

impl TestDb {
    /// Copies the database under a name; a server may be at work.
    pub(crate) async fn copy(&self, name: &str) -> Copy {
        match self.place() {
            Place::Postgres { .. } => {
                let mut sql = format!("CREATE SCHEMA {name};");
                for table in TABLES {
                    sql.push_str(&format!("CREATE TABLE {name}.{table} AS TABLE public.{table};"));
                }
                self.console(&sql).await.expect("a copy");
                Copy::Postgres(name.to_owned())
            }
            Place::Sqlite { path, .. } => {
                let copy = path.with_extension(name);
                self.console(&format!("VACUUM INTO '{}'", copy.display())).await.expect("a copy");
                Copy::Sqlite(copy)
            }
        }
    }

    /// Puts the copy in the place of the database, which nobody may have open.
    pub(crate) async fn restore(&self, copy: &Copy) {
        match copy {
            Copy::Postgres(schema) => {
                let mut sql = String::new();
                for table in TABLES {
                    sql.push_str(&format!(
                        "DELETE FROM public.{table};
                         INSERT INTO public.{table} SELECT * FROM {schema}.{table};"
                    ));
                }
                self.tamper(&sql).await;
            }
            Copy::Sqlite(copy) => {
                for beside in ["-wal", "-shm"] {
                    let mut file = self.path().as_os_str().to_owned();
                    file.push(beside);
                    // They may be gone already.
                    let _ = std::fs::remove_file(file);
                }
                std::fs::copy(copy, self.path()).expect("the copy is put back");
            }
        }
    }

    /// Flips the lowest bit of one byte of a column of bytes. Flipping it again
    /// takes it back, if `rows` still finds the row.
    pub(crate) async fn flip(&self, table: &str, column: &str, byte: usize, rows: &str) {
        let sql = match self.place() {
            Place::Postgres { .. } => format!(
                "UPDATE {table} SET {column} =
                     set_byte({column}, {byte}, get_byte({column}, {byte}) # 1) WHERE {rows}"
            ),
            Place::Sqlite { path, .. } => {
                let mut connection = sqlite_console(path).await.expect("a console");
                let sql = format!("SELECT {column} FROM {table} WHERE {rows}");
                let (mut value,): (Vec<u8>,) = sqlx::query_as(AssertSqlSafe(sql))
                    .fetch_one(&mut connection)
                    .await
                    .expect("a row");
                value[byte] ^= 1;
                format!("UPDATE {table} SET {column} = x'{}' WHERE {rows}", hex::encode(value))
            }
        };
        self.tamper(&sql).await;
    }

    /// A constant of 16 bytes that are a search key.
    pub(crate) fn key(&self, bytes: &[u8; 16]) -> String {
        match self.place() {
            Place::Postgres { .. } => format!("'{}'::uuid", hex::encode(bytes)),
            Place::Sqlite { .. } => self.bytes(bytes),
        }
    }

    /// A constant of bytes in this database's SQL.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> String {
        match self.place() {
            Place::Postgres { .. } => format!("'\\x{}'::bytea", hex::encode(bytes)),
            Place::Sqlite { .. } => format!("x'{}'", hex::encode(bytes)),
        }
    }
}
