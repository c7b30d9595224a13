//! Clients that hold a connection and hardly use it.
//!
//! Border: they are there, nothing about them is measured.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Time between two bytes of a request.
const PAUSE: Duration = Duration::from_millis(50);

/// Starts clients that begin a POST and send its body a byte at a time, and begin again
/// when the server has had enough. They end when the set is dropped.
pub(crate) fn start(server: SocketAddr, count: usize) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        clients.spawn(async move {
            loop {
                // What the server does about it is its affair.
                let _ = drip(server).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    clients
}

async fn drip(server: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    let head = format!(
        "POST /api/v1/log/entries HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Content-Length: 100000\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await?;
    loop {
        tokio::time::sleep(PAUSE).await;
        stream.write_all(b" ").await?;
    }
}
