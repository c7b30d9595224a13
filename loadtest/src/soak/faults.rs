//! Faults on a schedule, and whom they excuse.
//!
//! Border: killing and restarting, and the times of it. A fault begins before anything is
//! done, and is over when every server has said again that it is ready, and a moment later:
//! what waited for the fault's end is answered then.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::server::Server;

/// Servers on the one database.
pub(super) const SERVERS: usize = 2;

/// How long a killed server stays away.
const AWAY: Duration = Duration::from_secs(2);

/// How long after its end a fault still excuses.
const GRACE: Duration = Duration::from_secs(2);

/// How long the command may take that restarts Postgres, its recovery included.
const RESTART: Duration = Duration::from_secs(300);

/// Something that was done to the servers. Times are since the soak began.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fault {
    pub(super) what: String,
    /// The only server that it concerns.
    pub(super) server: Option<usize>,
    pub(super) began: Duration,
    /// When all servers were ready again.
    pub(super) ended: Option<Duration>,
}

/// Faults so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced(pub(super) Vec<Fault>);

impl Announced {
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.0.clone()
    }

    /// Whether a fault of this server touches this time.
    pub(super) fn excuses(&self, server: usize, from: Duration, to: Duration) -> bool {
        self.0
            .iter()
            .any(|fault| fault.server.is_none_or(|only| only == server) && fault.touches(from, to))
    }

    /// Names of the faults that excuse something at this time.
    pub(super) fn during(&self, from: Duration, to: Duration) -> Vec<String> {
        let touching = self.0.iter().filter(|fault| fault.touches(from, to));
        touching.map(|fault| fault.what.clone()).collect()
    }
}

impl Fault {
    fn touches(&self, from: Duration, to: Duration) -> bool {
        to >= self.began && self.ended.is_none_or(|ended| from <= ended + GRACE)
    }
}

/// What all may know of the faults.
#[derive(Default)]
pub(super) struct Course {
    announced: Mutex<Announced>,
    processes: [AtomicU32; SERVERS],
    broken_off: AtomicBool,
}

impl Course {
    /// Whether a fault could not be injected, or was not survived: its servers are not what
    /// load should go on for.
    pub(super) fn is_broken_off(&self) -> bool {
        self.broken_off.load(Ordering::Relaxed)
    }

    pub(super) fn break_off(&self) {
        self.broken_off.store(true, Ordering::Relaxed);
    }

    pub(super) fn announced(&self) -> Announced {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The servers' process IDs; `None` for one that is away.
    pub(super) fn processes(&self) -> [Option<u32>; SERVERS] {
        std::array::from_fn(|server| match self.processes[server].load(Ordering::Relaxed) {
            0 => None,
            process => Some(process),
        })
    }
}

/// Has the servers, and does it to them.
pub(super) struct Injector {
    course: Arc<Course>,
    stop: watch::Sender<bool>,
    running: JoinHandle<([Server; SERVERS], anyhow::Result<()>)>,
}

struct Work {
    servers: [Server; SERVERS],
    restart_postgres: Option<String>,
    every: Duration,
    started: Instant,
    course: Arc<Course>,
    stopped: watch::Receiver<bool>,
}

impl Injector {
    /// Begins; the first fault comes after `every`.
    pub(super) fn start(
        servers: [Server; SERVERS],
        restart_postgres: Option<String>,
        every: Duration,
        started: Instant,
    ) -> Self {
        let course = Arc::<Course>::default();
        let (stop, stopped) = watch::channel(false);
        let work = Work {
            servers,
            restart_postgres,
            every,
            started,
            course: Arc::clone(&course),
            stopped,
        };
        work.show_processes();
        Self { course, stop, running: tokio::spawn(work.run()) }
    }

    pub(super) fn course(&self) -> Arc<Course> {
        Arc::clone(&self.course)
    }

    /// Lets a fault under way end; the servers are all there then, unless it is said why not.
    pub(super) async fn stop(self) -> (Option<[Server; SERVERS]>, anyhow::Result<()>) {
        // The task may have ended.
        let _ = self.stop.send(true);
        match self.running.await {
            Ok((servers, ended)) => (Some(servers), ended),
            Err(error) => (None, Err(error.into())),
        }
    }
}

impl Work {
    async fn run(mut self) -> ([Server; SERVERS], anyhow::Result<()>) {
        let ended = self.inject().await;
        if ended.is_err() {
            self.course.break_off();
        }
        (self.servers, ended)
    }

    async fn inject(&mut self) -> anyhow::Result<()> {
        for number in 0.. {
            tokio::select! {
                () = tokio::time::sleep(self.every) => {}
                stopped = self.stopped.wait_for(|stop| *stop) => {
                    return stopped.map(drop).context("nobody waits for the soak's end");
                }
            }
            match number % 3 {
                0 => self.kill(1).await?,
                1 => self.restart_postgres().await?,
                _ => self.kill(0).await?,
            }
        }
        Ok(())
    }

    async fn kill(&mut self, server: usize) -> anyhow::Result<()> {
        self.begin(format!("kill -9 of server {server}"), Some(server));
        self.servers[server].kill().await?;
        self.show_processes();
        tokio::time::sleep(AWAY).await;
        self.servers[server].start_again().await?;
        self.end();
        Ok(())
    }

    async fn restart_postgres(&mut self) -> anyhow::Result<()> {
        let Some(command) = self.restart_postgres.clone() else { return Ok(()) };
        self.begin("restart of Postgres".to_owned(), None);
        restart(&command, RESTART).await?;
        for server in &mut self.servers {
            server.wait_until_ready().await?;
        }
        self.end();
        Ok(())
    }

    fn begin(&self, what: String, server: Option<usize>) {
        let fault = Fault { what, server, began: self.started.elapsed(), ended: None };
        self.course.announced.lock().unwrap_or_else(PoisonError::into_inner).0.push(fault);
    }

    fn end(&self) {
        self.show_processes();
        let mut announced = self.course.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = announced.0.last_mut() {
            last.ended = Some(self.started.elapsed());
        }
    }

    fn show_processes(&self) {
        for (shown, server) in self.course.processes.iter().zip(&self.servers) {
            shown.store(server.process_id().unwrap_or_default(), Ordering::Relaxed);
        }
    }
}

async fn restart(command: &str, limit: Duration) -> anyhow::Result<()> {
    let mut shell = Command::new("sh");
    let done = timeout(limit, shell.arg("-c").arg(command).kill_on_drop(true).status()).await;
    let done = done.with_context(|| format!("`{command}` takes longer than {limit:?}"))??;
    ensure!(done.success(), "`{command}` failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restart_is_not_waited_for_without_end() {
        let ended = restart("exec sleep 1000", Duration::from_millis(1)).await;
        assert_eq!(ended.unwrap_err().to_string(), "`exec sleep 1000` takes longer than 1ms");
    }

    #[test]
    fn a_fault_excuses_its_server_while_it_lasts() {
        let seconds = Duration::from_secs;
        let fault = |server, began, ended: Option<u64>| Fault {
            what: String::new(),
            server,
            began: seconds(began),
            ended: ended.map(seconds),
        };
        let announced = Announced(vec![
            fault(Some(1), 10, Some(13)),
            fault(None, 30, Some(31)),
            fault(Some(0), 50, None),
        ]);
        for (server, from, to, excused) in [
            (1, 8, 9, false),
            (1, 8, 10, true),
            (1, 15, 16, true),
            (1, 16, 17, false),
            (0, 10, 11, false),
            (0, 31, 32, true),
            (0, 60, 61, true),
            (1, 60, 61, false),
        ] {
            let told = announced.excuses(server, seconds(from), seconds(to));
            assert_eq!(told, excused, "{server} {from} {to}");
        }
    }
}
