//! The signals that say that the process is to end.
//!
//! Border: what is heard, and what a command that is left gives as its status. What a server
//! finishes before it ends is in `main`.

use std::fmt;
use std::pin::Pin;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What was heard, by its number (POSIX, `kill`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Interrupted = 2,
    Terminated = 15,
}

impl Told {
    /// As shells give it for a process that the signal has killed.
    fn exit_code(self) -> ExitCode {
        ExitCode::from(128 + self as u8)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        })
    }
}

/// From when this is made on neither signal kills the process, and neither is ignored, as both are
/// where it is the first of a container.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Interrupted,
            _ = self.terminate.recv() => Told::Terminated,
        }
    }
}

/// The first completes at SIGINT or SIGTERM, the second at a SIGINT after that: whoever presses
/// Ctrl-C again does not want to wait. A second SIGTERM says nothing more, for some supervisors send it
/// to the process and to its group.
pub(super) fn of_server() -> anyhow::Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    let mut signals = Signals::listen()?;
    let ((stopping, stop), (insisting, insist)) = (oneshot::channel(), oneshot::channel());
    // A task of its own: a server that ends for another reason no longer waits for the first.
    tokio::spawn(async move {
        // Outside of the macro, which does not even look at its arguments where the line is filtered out.
        let told = signals.next().await;
        tracing::info!("{told}, finishing what is under way");
        let _ = stopping.send(());
        signals.interrupt.recv().await;
        let _ = insisting.send(());
    });
    Ok((said(stop), said(insist)))
}

async fn said(word: oneshot::Receiver<()>) {
    if word.await.is_err() {
        // The runtime is gone, and whoever waits will not be asked again.
        std::future::pending().await
    }
}

/// Runs a command that may be left at any moment, since it can be run again.
pub(super) async fn unless_told(
    mut command: Pin<Box<impl Future<Output = ExitCode>>>,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        done = &mut command => Ok(done),
        told = signals.next() => {
            // What it has open by now must not be closed: see `open_store`.
            std::mem::forget(command);
            super::report(&anyhow::anyhow!("{told}"));
            Ok(told.exit_code())
        }
    }
}
