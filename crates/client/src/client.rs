//! The API, one function for each operation.
//!
//! Border: requests and their answers in the shapes of the `wire` crate. Nothing
//! is verified here; see [`verify`](crate::verify).

mod answer;
mod builder;
mod operation;
mod request;
mod retry_after;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tlog::EntryId;
use wire::{ConsistencyProof, ErrorBody, LogEntry, LogInfo, SearchIndex, SearchLogQuery};

pub use builder::ClientBuilder;

use crate::error::ClientError;
use answer::{Entries, State, Uuid};
use operation::Operation;
use request::{Answer, Call};

const JSON: &str = "application/json";
const PEM: &str = "application/x-pem-file";

/// A log server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Option<Duration>,
    retries: u32,
    max_answer_bytes: u64,
}

/// What became of an upload. Both are success.
#[derive(Clone, Debug)]
pub enum Uploaded {
    /// The entry is new (201).
    Created {
        /// The entry; its receipt is not verified yet.
        entry: LogEntry,
        /// The header `Indelible-Attestation`: whether the payload is kept beside the entry, and
        /// sizes in bytes, such as `not-kept; size=5000000; limit=4194304`. Rekor sends none.
        attestation: Option<String>,
    },
    /// An equal entry was there before (409).
    Exists {
        /// The last component of the header `Location`. The rest of it may be anything.
        id: EntryId,
        /// The entry with a fresh proof, not verified yet. Rekor itself sends none.
        entry: Option<Box<LogEntry>>,
    },
}

impl Client {
    /// A client with default settings for a server, such as `https://log.example/base`.
    ///
    /// # Errors
    /// [`ClientError::Address`] and [`ClientError::Setup`].
    pub fn new(server: &str) -> Result<Self, ClientError> {
        Self::builder(server).build()
    }

    /// Settings for a client of a server, such as `https://log.example/base`.
    #[must_use]
    pub fn builder(server: &str) -> ClientBuilder {
        ClientBuilder::new(server)
    }

    /// The same client with another time limit for each request.
    #[must_use]
    pub fn with_timeout(&self, limit: Option<Duration>) -> Self {
        Self { timeout: limit, ..self.clone() }
    }

    /// Uploads a proposed entry (`{"kind":…,"apiVersion":…,"spec":…}`) and waits
    /// until it is in the log.
    ///
    /// # Errors
    /// [`ClientError`]; a 409 is not one.
    pub async fn upload<P: Serialize + ?Sized>(
        &self,
        proposal: &P,
    ) -> Result<Uploaded, ClientError> {
        let call = self.post(&operation::CREATE, proposal)?;
        let url = call.shown_url();
        let answer = self.ask(call).await?;
        if answer.status == operation::CREATE.success {
            let entry = read(&operation::CREATE, &url, &answer.body)?;
            return Ok(Uploaded::Created { entry, attestation: answer.attestation });
        }
        exists(&url, answer)
    }

    /// The entry at a virtual index, counted over all shards.
    ///
    /// # Errors
    /// [`ClientError`], with status 404 when there is none.
    pub async fn entry_by_index(&self, index: u64) -> Result<LogEntry, ClientError> {
        self.get(&operation::BY_INDEX, &[], &[("logIndex", &index.to_string())]).await
    }

    /// The entry with this leaf hash (64 hex) or entry ID (80 hex).
    ///
    /// # Errors
    /// [`ClientError`], with status 404 when there is none.
    pub async fn entry_by_uuid(&self, uuid: &str) -> Result<LogEntry, ClientError> {
        self.get(&operation::BY_UUID, &[uuid], &[]).await
    }

    /// Several entries at once, at most ten. What is not there is left out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retrieve(&self, query: &SearchLogQuery) -> Result<Vec<LogEntry>, ClientError> {
        self.query(&operation::RETRIEVE, query).await.map(|Entries(found)| found)
    }

    /// Searches the index: leaf hashes (64 hex) or entry IDs (80 hex), in no
    /// particular order.
    ///
    /// # Errors
    /// [`ClientError`], with status 501 when the server has no index.
    pub async fn search(&self, query: &SearchIndex) -> Result<Vec<String>, ClientError> {
        let found: Vec<Uuid> = self.query(&operation::SEARCH, query).await?;
        Ok(found.into_iter().map(|Uuid(text)| text).collect())
    }

    /// The state of the log: heads of the active tree and of the inactive ones, each with
    /// a decimal tree ID of its own.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn log_info(&self) -> Result<LogInfo, ClientError> {
        self.get(&operation::LOG_INFO, &[], &[]).await.map(|State(info)| info)
    }

    /// The proof that a tree of `last` leaves continues that of `first`; of the
    /// active tree if no decimal tree ID is given.
    ///
    /// # Errors
    /// [`ClientError`], with status 400 for sizes or trees that do not exist.
    pub async fn consistency_proof(
        &self,
        first: u64,
        last: u64,
        tree_id: Option<&str>,
    ) -> Result<ConsistencyProof, ClientError> {
        let (first, last) = (first.to_string(), last.to_string());
        let mut query = vec![("firstSize", first.as_str()), ("lastSize", last.as_str())];
        query.extend(tree_id.map(|id| ("treeID", id)));
        self.get(&operation::PROOF, &[], &query).await
    }

    /// The key of a tree as PEM; of the active tree if no decimal tree ID is given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn public_key(&self, tree_id: Option<&str>) -> Result<String, ClientError> {
        let query: Vec<_> = tree_id.map(|id| ("treeID", id)).into_iter().collect();
        let url = self.url(&operation::PUBLIC_KEY, &[], &query);
        let call = Call { operation: &operation::PUBLIC_KEY, url, accept: PEM, body: None };
        let url = call.shown_url();
        let answer = self.success(call).await?;
        String::from_utf8(answer.body)
            .map_err(|error| unintelligible(&operation::PUBLIC_KEY, &url, error.to_string()))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let url = self.url(operation, segments, query);
        self.finish(Call { operation, url, accept: JSON, body: None }).await
    }

    async fn query<T: DeserializeOwned, Q: Serialize>(
        &self,
        operation: &'static Operation,
        query: &Q,
    ) -> Result<T, ClientError> {
        self.finish(self.post(operation, query)?).await
    }

    fn post<B: Serialize + ?Sized>(
        &self,
        operation: &'static Operation,
        body: &B,
    ) -> Result<Call, ClientError> {
        let mut call =
            Call { operation, url: self.url(operation, &[], &[]), accept: JSON, body: None };
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Request {
            method: operation.verb(),
            url: call.shown_url(),
            reason: error.to_string(),
        })?;
        call.body = Some(Bytes::from(body));
        Ok(call)
    }

    async fn finish<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let (operation, url) = (call.operation, call.shown_url());
        let answer = self.success(call).await?;
        read(operation, &url, &answer.body)
    }

    /// Asks; 409 means something for uploads only.
    async fn success(&self, call: Call) -> Result<Answer, ClientError> {
        let operation = call.operation;
        let answer = self.ask(call).await?;
        if answer.status == operation.success {
            return Ok(answer);
        }
        Err(operation.failure(answer.status, &answer.body, String::new()))
    }

    /// The operation's URL; `segments` stand in for the template's variables.
    fn url(&self, operation: &Operation, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        let fixed = operation.path.split('/').filter(|part| !part.is_empty());
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            path.extend(fixed.filter(|part| !part.starts_with('{'))).extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Debug for Client {
    /// Without the password that an address may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.base.host_str();
        f.debug_struct("Client").field("host", &host).finish_non_exhaustive()
    }
}

fn read<T: DeserializeOwned>(
    operation: &Operation,
    url: &str,
    body: &[u8],
) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| unintelligible(operation, url, error.to_string()))
}

fn unintelligible(operation: &Operation, url: &str, reason: String) -> ClientError {
    ClientError::Unintelligible { method: operation.verb(), url: url.to_owned(), reason }
}

/// Reads a 409: where the entry is, and perhaps the entry itself.
fn exists(url: &str, answer: Answer) -> Result<Uploaded, ClientError> {
    let body: Option<ErrorBody> = serde_json::from_slice(&answer.body).ok();
    let odd = |reason: &str| unintelligible(&operation::CREATE, url, reason.to_owned());
    let location = answer.location.ok_or_else(|| odd("409 without the header Location"))?;
    let last = location.rsplit('/').next().unwrap_or_default();
    let id = last.parse().map_err(|_| odd("the 409's Location does not end in an entry ID"))?;
    let entry = body.and_then(|body| body.entry).map(Box::new);
    Ok(Uploaded::Exists { id, entry })
}
