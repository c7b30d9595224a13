//! What the machine itself can do, measured in the same run as the server.
//!
//! Border: the parts that an append is made of, each alone: a signature checked, a
//! signature made, an HTTP request, a durable insert. A server's figure means
//! little on its own; beside these it shows how much is lost between the parts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use entry::DigestAlgorithm;
use entry::keys::x509::X509Verifier;
use hdrhistogram::Histogram;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Executor as _, QueryBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::connection::{Call, Connection};
use crate::evidence::Signer;

/// How long each ceiling is measured.
const MEASURE: Duration = Duration::from_secs(2);

/// Rows in one transaction, as a busy sequencer has them.
const BATCH: usize = 64;

/// Bytes of a stored body.
const BODY: usize = 900;

/// Operations per second.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Ceilings {
    /// Cores that all of it shares.
    pub(crate) cores: usize,
    /// ECDSA P-256 signatures checked on one core, the key parsed.
    pub(crate) verify_per_core: f64,
    /// ECDSA P-256 signatures made on one core.
    pub(crate) sign_per_core: f64,
    /// POSTs of 1.5 KB answered with 2 KB by a bare axum server, client included.
    pub(crate) http: f64,
    /// Rows like an entry's (body, leaf hash, three index keys), durable in
    /// transactions of 64.
    pub(crate) insert: f64,
}

impl Ceilings {
    /// Appends per second if nothing cost anything but these four parts, all of
    /// them on the same cores: cores / (verify + sign + http + insert).
    pub(crate) fn combined(&self) -> f64 {
        let cores = self.cores as f64;
        // The last two were measured with all cores at work.
        let seconds = 1.0 / self.verify_per_core
            + 1.0 / self.sign_per_core
            + cores / self.http
            + 1.0 / self.insert;
        cores / seconds
    }
}

/// Measures all of them; `postgres` names a database to insert into, else SQLite.
pub(crate) async fn measure(postgres: Option<&str>) -> anyhow::Result<Ceilings> {
    let cores = std::thread::available_parallelism()?.get();
    let (verify_per_core, sign_per_core) = signatures()?;
    let http = bare_http().await?;
    let insert = match postgres {
        Some(url) => postgres_inserts(url).await?,
        None => sqlite_inserts().await?,
    };
    Ok(Ceilings { cores, verify_per_core, sign_per_core, http, insert })
}

fn per_second(mut operation: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < MEASURE {
        for _ in 0..64 {
            operation()?;
        }
        done += 64;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

fn signatures() -> anyhow::Result<(f64, f64)> {
    let certificate = include_str!("../evidence/certificate0.pem");
    let verifier = X509Verifier::parse(certificate.as_bytes())?;
    let signers = Signer::all()?;
    let message = b"an artifact of average importance";
    let (digest, signature) = (Sha256::digest(message), signers[0].sign(message)?);
    let verify = per_second(|| {
        Ok(verifier.key().verify_digest(DigestAlgorithm::Sha256, &digest, &signature)?)
    })?;
    let sign = per_second(|| signers[0].sign(message).map(drop))?;
    Ok((verify, sign))
}

/// Requests per second of a server that only parses and answers JSON.
async fn bare_http() -> anyhow::Result<f64> {
    let answer = format!("{{\"padding\":\"{}\"}}", "x".repeat(2_000));
    let handler = move |body: axum::Json<serde_json::Value>| {
        let answer = answer.clone();
        async move { if body.is_object() { answer } else { String::new() } }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/", post(handler));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let body = bytes::Bytes::from(format!("{{\"padding\":\"{}\"}}", "x".repeat(1_500)));
    let started = Instant::now();
    let clients: Vec<_> = (0..64)
        .map(|_| {
            let body = body.clone();
            tokio::spawn(async move {
                let mut connection = Connection::new(address)?;
                let mut done = 0_u32;
                while started.elapsed() < MEASURE {
                    connection.call(Call::post("/", body.clone())).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            })
        })
        .collect();
    let mut done = 0;
    for client in clients {
        done += client.await??;
    }
    server.abort();
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

/// One batch of rows: index, hash, body, and three index keys each.
struct Rows {
    indexes: Vec<i64>,
    hashes: Vec<Vec<u8>>,
    bodies: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
    key_indexes: Vec<i64>,
}

fn rows(start: i64) -> Rows {
    let indexes: Vec<i64> = (start..).take(BATCH).collect();
    let hash = |n: i64, salt: u8| Sha256::digest([&n.to_be_bytes()[..], &[salt]].concat()).to_vec();
    let body = |n: &i64| (0..=BODY / 32).flat_map(|part| hash(*n, part as u8)).take(BODY).collect();
    let keys =
        indexes.iter().flat_map(|n| [hash(*n, 100), hash(*n % 2_000, 101), hash(*n % 2_000, 102)]);
    Rows {
        hashes: indexes.iter().map(|n| hash(*n, 99)).collect(),
        bodies: indexes.iter().map(body).collect(),
        keys: keys.collect(),
        key_indexes: indexes.iter().flat_map(|n| [*n; 3]).collect(),
        indexes,
    }
}

async fn postgres_inserts(url: &str) -> anyhow::Result<f64> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    pool.execute(
        "DROP TABLE IF EXISTS ceiling_entries, ceiling_keys;
         CREATE TABLE ceiling_entries (idx bigint PRIMARY KEY, hash bytea UNIQUE, body bytea);
         ALTER TABLE ceiling_entries ALTER COLUMN body SET STORAGE EXTERNAL;
         CREATE TABLE ceiling_keys (key bytea, idx bigint, PRIMARY KEY (key, idx));",
    )
    .await?;
    let (mut spent, mut start) = (Duration::ZERO, 0);
    while spent < MEASURE {
        let batch = rows(start);
        let statement = sqlx::query(
            "WITH entries AS (
                 INSERT INTO ceiling_entries SELECT * FROM UNNEST($1::bigint[], $2::bytea[], $3::bytea[])
             )
             INSERT INTO ceiling_keys SELECT * FROM UNNEST($4::bytea[], $5::bigint[])",
        )
        .bind(batch.indexes)
        .bind(batch.hashes)
        .bind(batch.bodies)
        .bind(batch.keys)
        .bind(batch.key_indexes);
        let started = Instant::now();
        statement.execute(&pool).await?;
        spent += started.elapsed();
        start += BATCH as i64;
    }
    pool.execute("DROP TABLE ceiling_entries, ceiling_keys").await?;
    pool.close().await;
    Ok(start as f64 / spent.as_secs_f64())
}

async fn sqlite_inserts() -> anyhow::Result<f64> {
    let folder = TempDir::new_in(".")?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("ceiling.sqlite"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    pool.execute(
        "CREATE TABLE entries (idx INTEGER PRIMARY KEY, hash BLOB UNIQUE, body BLOB);
         CREATE TABLE keys (key BLOB, idx INTEGER, PRIMARY KEY (key, idx)) WITHOUT ROWID;",
    )
    .await?;
    let (mut spent, mut start) = (Duration::ZERO, 0);
    while spent < MEASURE {
        let batch = rows(start);
        let mut entries = QueryBuilder::new("INSERT INTO entries ");
        entries.push_values(0..BATCH, |mut row, n| {
            row.push_bind(batch.indexes[n])
                .push_bind(&batch.hashes[n][..])
                .push_bind(&batch.bodies[n][..]);
        });
        let mut keys = QueryBuilder::new("INSERT INTO keys ");
        keys.push_values(0..3 * BATCH, |mut row, n| {
            row.push_bind(&batch.keys[n][..]).push_bind(batch.key_indexes[n]);
        });
        let started = Instant::now();
        let mut transaction = pool.begin().await?;
        entries.build().execute(&mut *transaction).await?;
        keys.build().execute(&mut *transaction).await?;
        transaction.commit().await?;
        spent += started.elapsed();
        start += BATCH as i64;
    }
    pool.close().await;
    Ok(start as f64 / spent.as_secs_f64())
}

/// Latency of durable single writes to `folder`, for the record: 8 KiB and fdatasync.
pub(crate) fn sync_latency(folder: &std::path::Path) -> anyhow::Result<Histogram<u64>> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let mut file = tempfile::tempfile_in(folder)?;
    let mut latency = Histogram::new_with_bounds(1, 10_000_000, 3)?;
    let block = Arc::new([7_u8; 8192]);
    for n in 0..300 {
        let started = Instant::now();
        file.seek(SeekFrom::Start(n * 8192))?;
        file.write_all(&block[..])?;
        file.sync_data()?;
        latency.saturating_record(u64::try_from(started.elapsed().as_micros())?);
    }
    Ok(latency)
}
