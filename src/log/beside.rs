//! Tasks that go on beside the log until it is closed.
//!
//! Border: how they are stopped. What they do is theirs.

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One of them. It goes on to its end when this is dropped, too.
pub(super) struct Beside {
    stop: watch::Sender<()>,
    running: JoinHandle<()>,
}

impl Beside {
    /// Begins a task that ends some time after the sender of what it is given is gone.
    pub(super) fn start<F>(task: impl FnOnce(watch::Receiver<()>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(());
        Self { stop, running: tokio::spawn(task(stopped)) }
    }

    /// Stops all of them at a time, since one may wait for a place that does not answer, and waits
    /// for their ends.
    pub(super) async fn end(tasks: impl IntoIterator<Item = Self>) {
        let tasks = tasks.into_iter().map(|Self { stop, running }| (stop, running));
        let (stops, running): (Vec<_>, Vec<_>) = tasks.unzip();
        drop(stops);
        for running in running {
            // A panic was reported by the panic hook.
            let _ = running.await;
        }
    }
}
