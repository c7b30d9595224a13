//! Asking a server at the end for what was promised.
//!
//! Border: questions, and whether a promise is kept. A server that does not answer has broken
//! it like one that says something else; nothing here ends the soak. What was promised is in
//! `witness`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use entry::keys::x509::PublicKey;
use http::StatusCode;
use serde::Serialize;
use tlog::Hash;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use wire::LogInfo;

use super::witness::Witness;
use crate::connection::{Call, Connection};
use crate::receipts::{Asked, Head, Receipts};

/// How long a server is asked for heads, and as long for entries.
const LIMIT: Duration = Duration::from_secs(60);

/// After which a question counts as not answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Questions that are under way at a time.
const ASKERS: usize = 16;

/// Questions of one kind at most: what is asked for is copied.
const MOST: usize = 500_000;

/// Questions that are spread over all promises before the gaps between them are filled.
const SPREAD: usize = 2_000;

/// What became of the promises at one server.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Examined {
    /// Entries; those that are the promised ones are kept.
    pub(super) entries: Kept,
    /// Signed heads; those that its last one proves to continue are kept.
    pub(super) heads: Kept,
    /// Promises that it did not keep.
    pub(super) broken: usize,
}

/// Promises of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    /// As many as there was time to ask for.
    pub(super) asked: usize,
    pub(super) kept: usize,
}

/// What came of the questions.
#[derive(Default)]
pub(super) struct Answers {
    promises: Kept,
    pub(super) broken: Vec<String>,
    pub(super) receipts: Receipts,
}

#[derive(Clone, Copy)]
enum Question {
    Entry(u64, Hash),
    /// Two heads, the later one the server's last.
    Heads(Head, Head),
}

/// What a server is asked for.
pub(super) struct Examination {
    size: u64,
    entries: Vec<(u64, Hash)>,
    heads: Vec<Head>,
}

impl Examination {
    pub(super) fn of(witness: &Witness) -> Self {
        let (entries, heads) = (spread(witness.entries()), spread(witness.heads()));
        Self { size: witness.size(), entries, heads }
    }

    /// Asks a server that is not loaded any more.
    pub(super) async fn ask(
        self: Arc<Self>,
        server: SocketAddr,
        key: Arc<PublicKey>,
    ) -> (Examined, Answers) {
        let mut all = Answers::default();
        let mut examined = Examined::default();
        match self.last_head(server, &mut all.receipts).await {
            Ok(last) => {
                let heads = self.heads.iter().map(|head| Question::Heads(*head, last));
                let answers = ask_all(server, heads.collect()).await;
                examined.heads = answers.promises;
                all.add(answers);
            }
            Err(error) => all.broken.push(format!("the last head: {error:#}")),
        }
        let entries = self.entries.iter().map(|(index, leaf)| Question::Entry(*index, *leaf));
        let answers = ask_all(server, entries.collect()).await;
        examined.entries = answers.promises;
        all.add(answers);
        if let Err(error) = all.receipts.check_signatures(&key) {
            all.broken.push(format!("{error:#}"));
        }
        examined.broken = all.broken.len();
        (examined, all)
    }

    /// The server's head; it covers everything that was promised.
    async fn last_head(&self, server: SocketAddr, receipts: &mut Receipts) -> anyhow::Result<Head> {
        let call = Call::get("/api/v1/log".to_owned());
        let (status, answer) = timeout(PATIENCE, Connection::new(server)?.call(call)).await??;
        ensure!(status == StatusCode::OK, "status {status}");
        let info: LogInfo = serde_json::from_slice(&answer)?;
        let head = (info.tree_size, info.root_hash.parse()?);
        receipts.check_head(head, &info.signed_tree_head)?;
        ensure!(head.0 >= self.size, "{} entries, {} were promised", head.0, self.size);
        Ok(head)
    }
}

impl Answers {
    fn add(&mut self, other: Self) {
        self.promises.asked += other.promises.asked;
        self.promises.kept += other.promises.kept;
        self.broken.extend(other.broken);
        if let Err(error) = self.receipts.merge(other.receipts) {
            self.broken.push(format!("{error:#}"));
        }
    }
}

/// Asks as many as there is time for.
async fn ask_all(server: SocketAddr, questions: Vec<Question>) -> Answers {
    let questions = Arc::new(questions);
    let next = Arc::new(AtomicUsize::new(0));
    let end = Instant::now() + LIMIT;
    let mut askers = JoinSet::new();
    for _ in 0..ASKERS {
        let (questions, next) = (Arc::clone(&questions), Arc::clone(&next));
        askers.spawn(async move {
            let mut answers = Answers::default();
            if let Err(error) = ask_some(server, &questions, &next, end, &mut answers).await {
                answers.broken.push(format!("{error:#}"));
            }
            answers
        });
    }
    let mut all = Answers::default();
    while let Some(done) = askers.join_next().await {
        match done {
            Ok(answers) => all.add(answers),
            Err(error) => all.broken.push(format!("not asked for: {error}")),
        }
    }
    all
}

/// Asks one question after another.
///
/// # Errors
/// When the server does not answer: it is not asked again.
async fn ask_some(
    server: SocketAddr,
    questions: &[Question],
    next: &AtomicUsize,
    end: Instant,
    answers: &mut Answers,
) -> anyhow::Result<()> {
    let mut connection = Connection::new(server)?;
    while Instant::now() < end {
        let Some(question) = questions.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
        answers.promises.asked += 1;
        let path = question.path();
        let answer = timeout(PATIENCE, connection.call(Call::get(path.clone()))).await;
        let (status, body) = answer.map_err(Into::into).flatten().context(path.clone())?;
        match question.judge(status, &body, &mut answers.receipts) {
            Ok(()) => answers.promises.kept += 1,
            Err(error) => answers.broken.push(format!("{path}: {error:#}")),
        }
    }
    Ok(())
}

impl Question {
    fn path(&self) -> String {
        match self {
            Self::Entry(index, _) => format!("/api/v1/log/entries?logIndex={index}"),
            Self::Heads((first, _), (last, _)) => {
                format!("/api/v1/log/proof?firstSize={first}&lastSize={last}")
            }
        }
    }

    fn judge(
        &self,
        status: StatusCode,
        body: &Bytes,
        receipts: &mut Receipts,
    ) -> anyhow::Result<()> {
        ensure!(status == StatusCode::OK, "status {status}");
        match *self {
            Self::Entry(index, leaf) => {
                receipts.check(&serde_json::from_slice(body)?, Asked::Index(index))?;
                let found = receipts.entries().last().map(|(_, leaf)| *leaf);
                ensure!(found == Some(leaf), "not the entry of its receipt");
                Ok(())
            }
            Self::Heads(first, last) => {
                receipts.check_consistency(&serde_json::from_slice(body)?, Some((first, last)))
            }
        }
    }
}

/// All of these, or as many as may be asked for, in an order that is soon all over them.
fn spread<T: Copy>(all: impl ExactSizeIterator<Item = T>) -> Vec<T> {
    let step = all.len().div_ceil(MOST).max(1);
    let some: Vec<T> = all.step_by(step).collect();
    let step = some.len().div_ceil(SPREAD).max(1);
    (0..step).flat_map(|first| some.iter().skip(first).step_by(step)).copied().collect()
}
