//! A server of this process on a port of its own, and raw requests to it.

use std::sync::Arc;
use std::time::Duration;

use indelible::http::{self, App, EnabledEndpoints, HttpLimits, OnDuplicate};
use indelible::log::{self, Clock, Log, Options};
use indelible::server::{self, ConnectionLimits};
use indelible::store::Store;
use indelible::verifier::Verifier;
use indelible_client::Client;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::databases::TestDb;
use super::logs::key;

/// How a server differs from one with default settings.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) limits: HttpLimits,
    pub(crate) connections: ConnectionLimits,
    pub(crate) options: Options,
    pub(crate) endpoints: EnabledEndpoints,
    pub(crate) on_duplicate: OnDuplicate,
    pub(crate) policy: entry::Policy,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: HttpLimits::default(),
            connections: ConnectionLimits::default(),
            options: Options::default(),
            endpoints: EnabledEndpoints::all(),
            on_duplicate: OnDuplicate::Conflict,
            policy: entry::Policy::default(),
        }
    }
}

/// A running server.
pub(crate) struct Served {
    /// `http://127.0.0.1:port`
    pub(crate) url: String,
    pub(crate) log: Log,
    pub(crate) verifier: Verifier,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {:?}", self.text))
    }

    /// A header's value; empty when it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl Served {
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::with(db, Setup::default()).await
    }

    pub(crate) async fn with(db: &TestDb, setup: Setup) -> Self {
        Self::on(db.open().await, setup).await
    }

    /// A server over any store, such as one that breaks on request.
    pub(crate) async fn on(store: Arc<dyn Store>, setup: Setup) -> Self {
        let clock: Clock = Arc::new(|| 1_700_000_000);
        let log = log::open(store, key(), None, "log.example", setup.options, Arc::clone(&clock));
        let log = log.await.expect("the log opens");
        let verifier = Verifier::new(setup.policy, 2, clock);
        let app = App {
            log: log.clone(),
            verifier: verifier.clone(),
            limits: setup.limits,
            endpoints: setup.endpoints,
            on_duplicate: setup.on_duplicate,
        };
        let listener = server::listen(([127, 0, 0, 1], 0).into()).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = server::run(listener, http::router(app), setup.connections, shutdown);
        Self {
            url: format!("http://{address}"),
            log,
            verifier,
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            stop: Some(stop),
            running: tokio::spawn(serving),
        }
    }

    /// Stops listening, finishes what is under way, and closes the log.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.running.await.expect("the server stops");
        self.log.close().await;
    }

    /// The client library, pointed here, without retries.
    pub(crate) fn client(&self) -> Client {
        let client = Client::builder(&self.url).retries(0).timeout(Some(Duration::from_secs(60)));
        client.build().expect("a client")
    }

    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a header value");
            request = request.header(HeaderName::from_static(name), value);
        }
        read(request.send().await.expect("an answer")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Posts JSON text.
    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, path, &json, body.into()).await
    }

    /// Posts a proposed entry.
    pub(crate) async fn add(&self, proposal: &Value) -> Answer {
        self.post("/api/v1/log/entries", proposal.to_string()).await
    }

    /// Leaves in the log.
    pub(crate) async fn size(&self) -> u64 {
        self.log.log_info().await.expect("the head").tree_size
    }
}

async fn read(answer: reqwest::Response) -> Answer {
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text: answer.text().await.expect("a whole answer"),
    }
}
