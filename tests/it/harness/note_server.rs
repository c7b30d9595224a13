//! A server that keeps notes: a web server, or an S3 service that checks signatures.
//!
//! It is in this process and in memory, and fails when it is told to.

mod answers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use indelible::last_checkpoint::{Access, Credentials, Place, Remote, Token};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::s3_signature::Signer;

/// How long something may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Web,
    S3,
}

/// How it is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    /// Answers everything with this, and repeats in the body what it was asked.
    Fails(u16),
    /// As `Fails`, but only what would write.
    RefusesWrites(u16),
    /// Says that it has written, and has not.
    Forgets,
    /// Never answers.
    Hangs,
    /// Answers with a body that does not end.
    Floods,
    /// Answers with bytes that are no text.
    Babbles,
    /// Says that the note is longer than anything, and sends nothing.
    Boasts,
}

/// What it makes of `If-Match` and `If-None-Match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conditions {
    Honoured,
    /// Neither heeds them nor has entity tags.
    Ignored,
    /// 501
    Refused,
}

/// Tells each story four times: on both databases, with a web server and with S3.
macro_rules! everywhere {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::harness::databases::{TestDb, to_its_end};
            use $crate::harness::note_server::Kind;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_web() {
                to_its_end(super::$name(TestDb::postgres().await, Kind::Web)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_s3() {
                to_its_end(super::$name(TestDb::postgres().await, Kind::S3)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_web() {
                to_its_end(super::$name(TestDb::sqlite(), Kind::Web)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_s3() {
                to_its_end(super::$name(TestDb::sqlite(), Kind::S3)).await;
            }
        }
    )+};
}

pub(crate) const SECRET: &str = "a-very+secret/key";
pub(crate) const TOKEN: &str = "a-session+token/of-many==";
pub(crate) const BEARER: &str = "a-bearer-token";
pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";
const REGION: &str = "eu-west-1";

/// Notes by path, each with the number of writes before it.
type Notes = BTreeMap<String, (String, u64)>;

pub(crate) struct NoteServer {
    pub(crate) kind: Kind,
    address: SocketAddr,
    inner: Arc<Inner>,
    serving: AbortHandle,
}

struct Inner {
    kind: Kind,
    signer: Signer,
    mood: watch::Sender<Mood>,
    conditions: Mutex<Conditions>,
    notes: watch::Sender<Notes>,
    /// What is written by somebody else right before the next write is looked at.
    intruder: Mutex<Option<String>>,
    /// Every note that was written under a name, in order.
    history: Mutex<Vec<(String, String)>>,
    requests: watch::Sender<u64>,
}

impl Drop for NoteServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl NoteServer {
    pub(crate) async fn start(kind: Kind) -> Self {
        let signer = Signer {
            id: KEY_ID.to_owned(),
            secret: SECRET.to_owned(),
            token: Some(TOKEN.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")),
            region: REGION.to_owned(),
        };
        let inner = Arc::new(Inner {
            kind,
            signer,
            mood: watch::Sender::new(Mood::Works),
            conditions: Mutex::new(Conditions::Honoured),
            notes: watch::Sender::default(),
            intruder: Mutex::default(),
            history: Mutex::default(),
            requests: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answers::answer).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { kind, address, inner, serving: serving.abort_handle() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// As `--last-checkpoint-url` takes it, through this port.
    pub(crate) fn url_at(&self, port: u16) -> String {
        match self.kind {
            Kind::Web => format!("http://127.0.0.1:{port}/a/note"),
            Kind::S3 => "s3://bucket/a/note".to_owned(),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port())
    }

    /// What the URL is called in messages.
    pub(crate) fn name(&self) -> String {
        self.url()
    }

    pub(crate) fn access_at(&self, port: u16) -> Access {
        Access {
            token: Some(Token(BEARER.to_owned())),
            credentials: Some(Credentials::new_with_token(KEY_ID, SECRET, TOKEN)),
            region: Some(REGION.to_owned()),
            endpoint: Some(format!("http://127.0.0.1:{port}")),
            ..Access::default()
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.place_at(self.port())
    }

    /// The same object through another port, such as that of a proxy.
    pub(crate) fn place_at(&self, port: u16) -> Place {
        let access = self.access_at(port);
        Place::Remote(Remote::new(&self.url_at(port), &access).expect("a URL"))
    }

    /// The same object for somebody without patience.
    pub(crate) fn hasty_place(&self) -> Place {
        let access = Access { timeout: Duration::from_millis(300), ..self.access_at(self.port()) };
        Place::Remote(Remote::new(&self.url(), &access).expect("a URL"))
    }

    /// The environment of a process that keeps its note here.
    pub(crate) fn environment(&self, port: u16) -> Vec<(&'static str, String)> {
        let url = ("INDELIBLE_LAST_CHECKPOINT_URL", self.url_at(port));
        match self.kind {
            Kind::Web => vec![url, ("INDELIBLE_LAST_CHECKPOINT_TOKEN", BEARER.to_owned())],
            Kind::S3 => vec![
                url,
                ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
                ("AWS_SESSION_TOKEN", TOKEN.to_owned()),
                ("AWS_REGION", REGION.to_owned()),
                ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ],
        }
    }

    fn path(&self) -> &'static str {
        match self.kind {
            Kind::Web => "/a/note",
            Kind::S3 => "/bucket/a/note",
        }
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.inner.mood.send_replace(mood);
    }

    pub(crate) fn conditions(&self, conditions: Conditions) {
        *self.inner.conditions.lock().expect("it") = conditions;
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        *self.inner.requests.borrow()
    }

    /// Waits for so many requests more.
    pub(crate) async fn more_requests(&self, count: u64) {
        let last = self.requests() + count;
        let mut requests = self.inner.requests.subscribe();
        let come = requests.wait_for(|requests| *requests >= last);
        tokio::time::timeout(PATIENCE, come).await.expect("in time").expect("it runs");
    }

    /// The note.
    pub(crate) fn note(&self) -> Option<String> {
        self.under("")
    }

    /// The note under the name with this suffix.
    pub(crate) fn under(&self, suffix: &str) -> Option<String> {
        let path = format!("{}{suffix}", self.path());
        self.inner.notes.borrow().get(&path).map(|(note, _)| note.clone())
    }

    /// How many notes there are.
    pub(crate) fn count(&self) -> usize {
        self.inner.notes.borrow().len()
    }

    /// What was written under the URL's own name, in order.
    pub(crate) fn history(&self) -> Vec<String> {
        let history = self.inner.history.lock().expect("it");
        let ours = history.iter().filter(|(path, _)| path == self.path());
        ours.map(|(_, note)| note.clone()).collect()
    }

    pub(crate) fn put(&self, note: &str) {
        self.inner.keep(self.path(), note);
    }

    pub(crate) fn forget(&self) {
        self.inner.notes.send_modify(|notes| drop(notes.remove(self.path())));
    }

    /// Somebody else writes this right before our next write is looked at.
    pub(crate) fn intrude(&self, note: &str) {
        *self.inner.intruder.lock().expect("it") = Some(note.to_owned());
    }

    /// Waits for a note that has this line.
    pub(crate) async fn until_line(&self, line: &str) {
        let mut notes = self.inner.notes.subscribe();
        let come = notes.wait_for(|notes| {
            notes.get(self.path()).is_some_and(|(note, _)| note.lines().any(|has| has == line))
        });
        let come = tokio::time::timeout(PATIENCE, come).await;
        assert!(come.is_ok_and(|come| come.is_ok()), "{line}: {:?}", self.note());
    }
}
