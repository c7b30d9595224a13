//! A TCP relay that cuts connections on request.
//!
//! Border: bytes between a server and its database. What is in them is not known here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// The relay; connections end with it.
pub(crate) struct Relay {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    cut: broadcast::Sender<()>,
    mute: Arc<AtomicBool>,
}

impl Relay {
    /// Starts a relay to an address.
    pub(crate) async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cut = broadcast::Sender::new(1);
        let mute = Arc::new(AtomicBool::new(false));
        let (cuts, muted) = (cut.clone(), Arc::clone(&mute));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&target).await else { continue };
                let (mut cut, mute) = (cuts.subscribe(), Arc::clone(&muted));
                tokio::spawn(async move {
                    let (near_read, near_write) = near.into_split();
                    let (far_read, far_write) = far.into_split();
                    let silent = Arc::new(AtomicBool::new(false));
                    tokio::select! {
                        () = pass(near_read, far_write, silent) => {}
                        () = pass(far_read, near_write, mute) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        Self { address, cut, mute }
    }

    /// Ends every connection, whatever is under way.
    pub(crate) fn cut(&self) {
        // Nobody may be connected.
        let _ = self.cut.send(());
    }

    /// Whether what the database says is swallowed from now on.
    pub(crate) fn mute(&self, muted: bool) {
        self.mute.store(muted, Ordering::SeqCst);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mute: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        if !mute.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
