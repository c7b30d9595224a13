//! Work that outlives who waits for it.
//!
//! Border: who goes on with it; what it is, is the callers'.
//!
//! As long as somebody waits, it runs where they do: a task for each read would wake another thread, and
//! be woken by it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Runs to its end, in a task of its own if this is dropped before.
pub(super) struct Outliving<F>(Option<Pin<Box<F>>>)
where
    F: Future + Send + 'static,
    F::Output: Send;

impl<F> Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    pub(super) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F> Future for Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that work which panics is not gone on with.
        let mut work = self.0.take().expect("it is not polled after its end");
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            self.0 = Some(work);
        }
        done
    }
}

impl<F> Drop for Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_ends_whoever_waits() {
        let (go, gone) = oneshot::channel::<u32>();
        let (ended, end) = oneshot::channel();
        let mut work = Outliving::new(async move {
            let seen = gone.await.unwrap();
            ended.send(seen).unwrap();
            seen
        });
        tokio::select! {
            biased;
            seen = &mut work => panic!("{seen}"),
            () = std::future::ready(()) => {}
        }
        drop(work);
        go.send(7).unwrap();
        assert_eq!(end.await.unwrap(), 7);
        assert_eq!(Outliving::new(async { 8 }).await, 8);
    }
}
