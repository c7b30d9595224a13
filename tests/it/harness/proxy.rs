//! A wire between server and Postgres that can be cut, at any byte, or fall silent.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// No cut is planned.
const NEVER: i64 = i64::MAX / 2;

/// What only the connection that commits says: a part of the round's statement, when
/// it is prepared.
const ROUND: &[u8] = b"moved AS (";

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the server to Postgres.
    Asked,
    /// From Postgres to the server.
    Answered,
}

/// Forwards connections; everything is cut when it is dropped.
pub(crate) struct Proxy {
    port: u16,
    wire: Arc<Wire>,
    accepting: AbortHandle,
}

struct Wire {
    target: AtomicU16,
    /// Bytes that the committing connections may still pass, per way.
    asked: AtomicI64,
    answered: AtomicI64,
    cuts: AtomicU64,
    /// Instead of a cut, what is behind it waits.
    waits: watch::Sender<bool>,
    /// Whether bytes vanish, per way.
    silent: [AtomicBool; 2],
    /// But not those of connections that have committed.
    sparing: AtomicBool,
    /// How often all that there were have been forgotten.
    forgotten: AtomicU64,
    connections: Mutex<Vec<AbortHandle>>,
}

impl Proxy {
    /// Forwards to this port of 127.0.0.1.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let wire = Arc::new(Wire {
            target: AtomicU16::new(target),
            asked: AtomicI64::new(NEVER),
            answered: AtomicI64::new(NEVER),
            cuts: AtomicU64::new(0),
            waits: watch::Sender::new(false),
            silent: Default::default(),
            sparing: AtomicBool::new(false),
            forgotten: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&wire))).abort_handle();
        Self { port, wire, accepting }
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A URL with this proxy's port in the place of the target's.
    pub(crate) fn instead(&self, url: &str) -> String {
        let target = format!(":{}/", self.wire.target.load(Ordering::Relaxed));
        assert!(url.contains(&target), "{url} does not lead to {target}");
        url.replacen(&target, &format!(":{}/", self.port), 1)
    }

    /// Plans one cut: a committing connection passes so many bytes more, then both of its
    /// ends are closed.
    pub(crate) fn cut_after(&self, way: Way, bytes: u32) {
        self.wire.budget(way).store(bytes.into(), Ordering::SeqCst);
    }

    /// Plans that a committing connection passes so many bytes more, and then none until
    /// [`Self::go_on`].
    pub(crate) fn wait_after(&self, way: Way, bytes: u32) {
        self.wire.waits.send_replace(true);
        self.cut_after(way, bytes);
    }

    /// Lets bytes pass that wait.
    pub(crate) fn go_on(&self) {
        self.wire.waits.send_replace(false);
    }

    /// Takes a planned cut back that did not come.
    pub(crate) fn mend(&self) {
        self.wire.asked.store(NEVER, Ordering::SeqCst);
        self.wire.answered.store(NEVER, Ordering::SeqCst);
    }

    /// Planned cuts that came.
    pub(crate) fn cuts(&self) -> u64 {
        self.wire.cuts.load(Ordering::SeqCst)
    }

    /// From now on bytes that go these ways vanish, and no connection ends. One that lost
    /// any stays so; new ones are whole again after `swallow(&[])`.
    pub(crate) fn swallow(&self, ways: &[Way]) {
        self.wire.sparing.store(false, Ordering::SeqCst);
        self.silence(ways);
    }

    fn silence(&self, ways: &[Way]) {
        for way in [Way::Asked, Way::Answered] {
            self.wire.silent[way as usize].store(ways.contains(&way), Ordering::SeqCst);
        }
    }

    /// The same both ways, but connections that have committed go on: no reader gets an answer.
    pub(crate) fn swallow_reads(&self) {
        self.wire.sparing.store(true, Ordering::SeqCst);
        self.silence(&[Way::Asked, Way::Answered]);
    }

    /// What the present connections say vanishes from now on, as behind a firewall that has
    /// forgotten them. New ones are whole.
    pub(crate) fn forget(&self) {
        self.wire.forgotten.fetch_add(1, Ordering::SeqCst);
    }

    /// Cuts everything now.
    pub(crate) fn cut(&self) {
        for connection in self.wire.connections.lock().expect("the list").drain(..) {
            connection.abort();
        }
    }

    /// Leads to another server from now on, as a virtual address does.
    pub(crate) fn switch(&self, target: u16) {
        self.wire.target.store(target, Ordering::SeqCst);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Wire {
    fn budget(&self, way: Way) -> &AtomicI64 {
        match way {
            Way::Asked => &self.asked,
            Way::Answered => &self.answered,
        }
    }

    /// Waits where a wait is planned; `false` where it is a cut.
    async fn waited(&self) -> bool {
        let mut waits = self.waits.subscribe();
        *waits.borrow() && waits.wait_for(|waits| !waits).await.is_ok()
    }

    fn is_silent(&self, way: Way, commits: &AtomicBool) -> bool {
        let spared = self.sparing.load(Ordering::SeqCst) && commits.load(Ordering::Relaxed);
        self.silent[way as usize].load(Ordering::SeqCst) && !spared
    }

    /// How many of these bytes may pass; `Err` when the cut comes behind them.
    fn take(&self, way: Way, bytes: usize) -> Result<(), usize> {
        let bytes = i64::try_from(bytes).expect("a piece");
        let budget = self.budget(way);
        if budget.load(Ordering::SeqCst) >= NEVER / 2 {
            return Ok(());
        }
        let left = budget.fetch_sub(bytes, Ordering::SeqCst);
        if left >= bytes {
            return Ok(());
        }
        // One cut for each plan.
        budget.store(NEVER, Ordering::SeqCst);
        self.cuts.fetch_add(1, Ordering::SeqCst);
        Err(usize::try_from(left.max(0)).expect("a piece"))
    }
}

async fn accept(listener: TcpListener, wire: Arc<Wire>) {
    while let Ok((server, _)) = listener.accept().await {
        let passing = tokio::spawn(pass(server, Arc::clone(&wire))).abort_handle();
        let mut connections = wire.connections.lock().expect("the list");
        connections.retain(|connection| !connection.is_finished());
        connections.push(passing);
    }
}

/// Ends both ways when one of them ends.
async fn pass(server: TcpStream, wire: Arc<Wire>) {
    let target = wire.target.load(Ordering::SeqCst);
    let Ok(postgres) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let (from_server, to_server) = server.into_split();
    let (from_postgres, to_postgres) = postgres.into_split();
    let commits = AtomicBool::new(false);
    tokio::select! {
        () = one_way(from_server, to_postgres, &wire, Way::Asked, &commits) => {}
        () = one_way(from_postgres, to_server, &wire, Way::Answered, &commits) => {}
    }
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: &Wire,
    way: Way,
    commits: &AtomicBool,
) {
    let mut piece = vec![0; 16 << 10];
    let begun = wire.forgotten.load(Ordering::SeqCst);
    let mut lost = false;
    while let Ok(count) = from.read(&mut piece).await {
        lost =
            lost || wire.is_silent(way, commits) || begun < wire.forgotten.load(Ordering::SeqCst);
        if lost && count == 0 {
            // Nor does the other end learn that this one is gone.
            return std::future::pending().await;
        }
        if count == 0 {
            return;
        }
        if lost {
            continue;
        }
        let bytes = &piece[..count];
        if way == Way::Asked && bytes.windows(ROUND.len()).any(|window| window == ROUND) {
            commits.store(true, Ordering::Relaxed);
        }
        let allowed = match commits.load(Ordering::Relaxed) {
            true => wire.take(way, count),
            false => Ok(()),
        };
        let (now, later) = bytes.split_at(allowed.err().unwrap_or(count));
        if to.write_all(now).await.is_err() {
            return;
        }
        if allowed.is_err() && (!wire.waited().await || to.write_all(later).await.is_err()) {
            return;
        }
    }
}
