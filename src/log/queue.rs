//! The leaves that wait for a place, in the order of their arrival.
//!
//! Border: how many of them one round takes. Plans no round and reads no store.

use tokio::sync::{mpsc, oneshot};

use super::reserved::Reserved;
use super::sequencer::{Failed, Placed};
use super::{Leaf, Options};

/// One leaf that waits for its place.
pub(crate) struct Waiting {
    pub(crate) leaf: Leaf,
    pub(crate) answer: oneshot::Sender<Result<Placed, Failed>>,
    /// Returned when this is dropped.
    pub(crate) _reserved: Reserved,
}

/// The receiving end; senders are told at once when it is full.
pub(crate) struct Queue {
    arriving: mpsc::Receiver<Waiting>,
    /// Received, and more than the last round could take.
    rest: Vec<Waiting>,
    max_leaves: usize,
    max_bytes: usize,
}

impl Queue {
    pub(crate) fn new(options: &Options) -> (mpsc::Sender<Waiting>, Self) {
        let (sender, arriving) = mpsc::channel(options.max_queue);
        let (max_leaves, max_bytes) = (options.max_round, options.max_round_bytes);
        (sender, Self { arriving, rest: Vec::new(), max_leaves, max_bytes })
    }

    /// The leaves of the next round, at least one; `None` when every sender is gone and nothing
    /// waits.
    pub(super) async fn next(&mut self) -> Option<Vec<Waiting>> {
        if self.rest.is_empty() {
            self.arriving.recv_many(&mut self.rest, self.max_leaves).await;
        }
        // The first one is taken however large it is.
        let first = self.rest.len().min(1);
        let mut round: Vec<Waiting> = self.rest.drain(..first).collect();
        self.top_up(&mut round);
        (!round.is_empty()).then_some(round)
    }

    /// Adds what has arrived since to a round that still has room for it.
    pub(super) fn top_up(&mut self, round: &mut Vec<Waiting>) {
        while round.len() + self.rest.len() < self.max_leaves
            && let Ok(one) = self.arriving.try_recv()
        {
            self.rest.push(one);
        }
        let bytes = self.max_bytes.saturating_sub(round.iter().map(|one| one.leaf.weight()).sum());
        let room = self.max_leaves.saturating_sub(round.len());
        let more = fitting(&self.rest, bytes).min(room);
        round.extend(self.rest.drain(..more));
    }
}

/// How many of the first weigh at most `max_bytes` together.
fn fitting(leaves: &[Waiting], max_bytes: usize) -> usize {
    let mut bytes = 0_usize;
    let fits = leaves.iter().take_while(|one| {
        bytes = bytes.saturating_add(one.leaf.weight());
        bytes <= max_bytes
    });
    fits.count()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Of how many bytes at most a round is, and who sends what waits.
    fn queue(max_round_bytes: usize) -> (impl Fn(&[usize]), Queue) {
        let (sender, queue) = Queue::new(&Options { max_round_bytes, ..Options::default() });
        let send = move |weights: &[usize]| {
            for bytes in weights {
                let reserved = Reserved::take(&Arc::new(AtomicUsize::new(0)), 0, 0).unwrap();
                let (leaf, answer) = (Leaf::of_weight(*bytes), oneshot::channel().0);
                sender.try_send(Waiting { leaf, answer, _reserved: reserved }).ok().unwrap();
            }
        };
        (send, queue)
    }

    async fn next(queue: &mut Queue) -> Vec<usize> {
        queue.next().await.unwrap().iter().map(|one| one.leaf.weight()).collect()
    }

    #[tokio::test]
    async fn what_a_round_had_no_room_for_goes_with_who_came_since() {
        let (send, mut queue) = queue(100);
        send(&[30, 31, 32, 33]);
        assert_eq!(next(&mut queue).await, [30, 31, 32]);
        send(&[34, 35]);
        assert_eq!(next(&mut queue).await, [33, 34]);
        assert_eq!(next(&mut queue).await, [35]);
    }

    #[tokio::test]
    async fn one_that_is_larger_than_a_round_goes_alone() {
        let (send, mut queue) = queue(100);
        send(&[500, 30, 31]);
        assert_eq!(next(&mut queue).await, [500]);
        assert_eq!(next(&mut queue).await, [30, 31]);
        drop(send);
        assert!(queue.next().await.is_none());
    }
}
